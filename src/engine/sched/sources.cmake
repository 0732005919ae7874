list(APPEND engine_sched_sources
  sched/check.c
  sched/order.c
  sched/peak.c
  sched/record.c
  sched/sched.c
  sched/task_map.c)
