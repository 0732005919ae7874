list(APPEND engine_sched_sources
  sched/check.c
  sched/choose.c
  sched/order.c
  sched/order_greedy.c
  sched/order_weights.c
  sched/peak.c
  sched/record.c
  sched/sched.c
  sched/spill.c
  sched/task_map.c)
