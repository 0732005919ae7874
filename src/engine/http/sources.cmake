# The state of a cluster over HTTP. libmicrohttpd and what it brings along are
# loaded with the module, by processes that serve.
list(APPEND engine_sources
  http/answer.c
  http/http.c
  http/page.c
  http/report.c)
