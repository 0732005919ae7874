# Appended to by this folder: list(APPEND io_hdf5_sources hdf5/NAME.c)
