# list(APPEND engine_sources NAME.c)
list(APPEND engine_sources
  costs.c
  executor.c
  kernel/team.c
  pool.c
  predict.c
  run.c
  source.c)
