# list(APPEND engine_kernel_sources kernel/NAME.c)
