# Starting processes and finding each other. The modules are loaded at run time,
# and only where a launcher started several processes.
list(APPEND engine_sources
  launch/handover.c
  launch/job.c
  launch/machine.c
  launch/module_open.c
  launch/nanny.c
  launch/ranks.c
  launch/scheduler_file.c
  launch/start.c
  launch/walltime.c)
