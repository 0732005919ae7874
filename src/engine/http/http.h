/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_HTTP_HTTP_H
#define NCI_ENGINE_HTTP_HTTP_H
/*
 * The state of a cluster over HTTP, to be read only:
 *
 *     GET /              one page
 *     GET /status.json   the same for programs
 *     GET /metrics       the same for Prometheus
 *
 * Who asks shows a token, "?token=..." or "Authorization: Bearer ...". It is
 * derived from the cluster's secret (of the role dashboard), so it is the same
 * as long as the cluster has its secret, and tells nothing about other keys.
 */
#include "engine/http/module.h"
#include "engine/http/report.h"
#include "engine/net/keys.h"

enum { NCI_HTTP_TOKEN = 33, NCI_HTTP_URL = 160 };

/* nci_http_token makes the token of a cluster. */
ncg_status nci_http_token(const nci_keys *keys, char out[NCI_HTTP_TOKEN],
                          ncg_error *err);

/* What is served. fill: any thread; false without memory. */
typedef struct nci_http_source {
    void *ctx;
    bool (*fill)(void *ctx, nci_report *out);
} nci_http_source;

/* nci_http_give answers one request; the body is freed by nci_free. */
void nci_http_give(const nci_http_source *source,
                   const char token[NCI_HTTP_TOKEN],
                   const nci_http_request *request, nci_http_reply *out);

typedef struct nci_http nci_http;

/* nci_http_create listens at `where`, "PORT" or "HOST:PORT"; NULL: any port.
 * Without a host at `host`, and without that at 127.0.0.1: for this machine
 * only. EINVAL, EUNSUPPORTED where the module is not installed, ENET where the
 * port is not to be had. */
ncg_status nci_http_create(const char *where, const char *host,
                           const nci_keys *keys,
                           const nci_http_source *source, nci_http **out,
                           ncg_error *err);
void nci_http_destroy(nci_http **http);
/* nci_http_url: "http://10.0.0.1:8787/", and with "?token=..." behind it.
 * Borrowed. */
const char *nci_http_url(const nci_http *http);
const char *nci_http_url_with_token(const nci_http *http);

#endif
