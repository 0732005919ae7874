# list(APPEND engine_sources NAME.c)
