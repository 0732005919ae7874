# list(APPEND engine_sched_sources sched/NAME.c)
