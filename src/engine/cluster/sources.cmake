# The processes of a cluster: scheduler, worker, client.
list(APPEND engine_sources
  cluster/client.c
  cluster/client_future.c
  cluster/client_kept.c
  cluster/client_run.c
  cluster/client_run_on.c
  cluster/dialogue.c
  cluster/dialogue_pack.c
  cluster/errands.c
  cluster/functions.c
  cluster/scheduler.c
  cluster/scheduler_begin.c
  cluster/scheduler_kept.c
  cluster/scheduler_kept_run.c
  cluster/scheduler_names.c
  cluster/scheduler_report.c
  cluster/scheduler_run.c
  cluster/scheduler_status.c
  cluster/scheduler_values.c
  cluster/service.c
  cluster/worker.c
  cluster/worker_call.c
  cluster/worker_checkpoint.c
  cluster/worker_chunk.c
  cluster/worker_keep.c
  cluster/worker_run.c
  cluster/worker_take.c)
