# net: messages and chunks between processes (libuv, OpenSSL)
list(APPEND engine_net_sources
  net/crc32c.c
  net/handshake.c
  net/keys.c
  net/wire.c)
