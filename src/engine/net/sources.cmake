# net: messages and chunks between processes (libuv, OpenSSL)
list(APPEND engine_net_sources
  net/compress.c
  net/conn.c
  net/conn_in.c
  net/conn_out.c
  net/conn_secure.c
  net/conns.c
  net/crc32c.c
  net/dial.c
  net/fetch.c
  net/fetch_conn.c
  net/fetch_table.c
  net/handshake.c
  net/keys.c
  net/landing.c
  net/listen.c
  net/loop.c
  net/net.c
  net/part.c
  net/secure.c
  net/serve.c
  net/serve_conn.c
  net/serve_table.c
  net/sock.c
  net/timer.c
  net/tls.c
  net/wire.c)
