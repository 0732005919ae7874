# The processes of a cluster: scheduler, worker, client.
list(APPEND engine_sources
  cluster/client.c
  cluster/dialogue.c
  cluster/dialogue_pack.c
  cluster/errands.c
  cluster/scheduler.c
  cluster/scheduler_run.c
  cluster/worker.c
  cluster/worker_chunk.c
  cluster/worker_run.c)
