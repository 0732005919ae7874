list(APPEND io_write_sources
  write/append.c
  write/attrs.c
  write/define.c
  write/encode.c
  write/layout.c
  write/store.c
  write/target.c
  write/writer.c
  write/zlib_stream.c)
