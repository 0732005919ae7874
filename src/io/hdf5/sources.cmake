# HDF5 files: headers and chunk indexes, read from their own structures.
list(APPEND io_hdf5_sources
  hdf5/reader.c
  hdf5/superblock.c
  hdf5/object.c
  hdf5/message.c
  hdf5/datatype.c
  hdf5/layout.c
  hdf5/heap_simple.c
  hdf5/heap_fractal.c
  hdf5/btree2.c
  hdf5/group.c
  hdf5/attribute.c
  hdf5/attribute_value.c
  hdf5/dataset.c
  hdf5/tree.c
  hdf5/dims.c
  hdf5/inspect.c
  hdf5/chunk_table.c
  hdf5/index_btree1.c
  hdf5/index_btree2.c
  hdf5/index_arrays.c
  hdf5/index_extensible.c)
