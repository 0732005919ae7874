# Appended to by this folder: list(APPEND io_write_sources write/NAME.c)
