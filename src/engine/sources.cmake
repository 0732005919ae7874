# list(APPEND engine_sources NAME.c)
list(APPEND engine_sources
  costs.c
  executor.c
  fills.c
  held_tasks.c
  lane.c
  kernel/team.c
  pool.c
  predict.c
  run.c
  run_plan.c
  run_item.c run_tasks.c
  generate.c
  source.c
  spill_file.c
  spill_pack.c
  source_codec.c
  source_files.c
  source_fill.c
  source_memory.c
  source_remote.c
  source_reshape.c
  source_spill.c
  source_table.c
  task_log.c
  tile_cache.c)
list(APPEND engine_sources serial.c)
set_source_files_properties(generate.c PROPERTIES COMPILE_OPTIONS "-O3")
