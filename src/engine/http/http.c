/* SPDX-License-Identifier: BSD-3-Clause */
/* The server's life: socket, module, addresses. */
#include "engine/http/http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/launch/module_open.h"
#include "engine/net/sock.h"

struct nci_http {
    const nci_http_module *module;
    void *server;
    nci_http_source source;
    char token[NCI_HTTP_TOKEN];
    char url[NCI_HTTP_URL], whole[NCI_HTTP_URL + NCI_HTTP_TOKEN + 8];
};

static void give(void *ctx, const nci_http_request *request,
                 nci_http_reply *out)
{
    const nci_http *http = ctx;
    nci_http_give(&http->source, http->token, request, out);
}

/* The library stays loaded, as those that it brings do not like to leave. */
static ncg_status load(nci_http *http, ncg_error *err)
{
    void *library = nci_module_open("ncgraph_http.so");
    http->module = library ? dlsym(library, NCI_HTTP_MODULE_SYMBOL) : NULL;
    if (http->module && http->module->version == NCI_HTTP_MODULE_VERSION)
        return NCG_OK;
    return nci_fail(err, NCG_EUNSUPPORTED,
                    "ncgraph_http.so is not installed or does not load");
}

/* Signals are for other threads than the server's. */
static void *start(const nci_http *http, int fd, char *why, size_t nwhy)
{
    const nci_http_answer answer = {(void *)(uintptr_t)http, give, nci_free};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    void *server = http->module->start(fd, &answer, why, nwhy);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server;
}

/* Of all interfaces the first that others reach. */
static void name_it(nci_http *http, const nci_address *bound)
{
    char list[NCI_NET_ADDRESSES];
    nci_address_list(bound, list, sizeof list);
    snprintf(http->url, sizeof http->url, "http://%.*s/",
             (int)strcspn(list, ","), list);
    snprintf(http->whole, sizeof http->whole, "%s?token=%s", http->url,
             http->token);
}

static ncg_status parse(const char *where, const char *otherwise,
                        char host[NCI_HOST_TEXT], int *port, ncg_error *err)
{
    char digits[8], *end = NULL;
    snprintf(host, NCI_HOST_TEXT, "%s", otherwise ? otherwise : "127.0.0.1");
    snprintf(digits, sizeof digits, "%s", where ? where : "0");
    if (where && strchr(where, ':'))
        NCI_TRY(nci_address_split(where, strlen(where), host, digits, err));
    long n = strtol(digits, &end, 10);
    if (end == digits || *end || n < 0 || n > 65535)
        return nci_fail(err, NCG_EINVAL,
                        "the status goes to PORT or HOST:PORT, not '%s'",
                        where);
    *port = (int)n;
    return NCG_OK;
}

static ncg_status serve(nci_http *http, const char *where,
                        const char *otherwise, const nci_keys *keys,
                        ncg_error *err)
{
    int fd = -1, port = 0;
    nci_address bound;
    char host[NCI_HOST_TEXT], why[200] = "";
    NCI_TRY(parse(where, otherwise, host, &port, err));
    NCI_TRY(load(http, err));
    NCI_TRY(nci_http_token(keys, http->token, err));
    NCI_TRY(nci_sock_listen(host, port, &fd, &bound, err));
    name_it(http, &bound);
    http->server = start(http, fd, why, sizeof why);
    if (http->server)
        return NCG_OK;
    return nci_fail(err, NCG_ENET, "the status at %s: %s", http->url, why);
}

ncg_status nci_http_create(const char *where, const char *host,
                           const nci_keys *keys,
                           const nci_http_source *source, nci_http **out,
                           ncg_error *err)
{
    nci_http *http = nci_calloc(1, sizeof *http);
    if (!http)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    http->source = *source;
    ncg_status st = serve(http, where, host, keys, err);
    if (st)
        nci_http_destroy(&http);
    else
        *out = http;
    return st;
}

void nci_http_destroy(nci_http **slot)
{
    nci_http *http = *slot;
    *slot = NULL;
    if (!http)
        return;
    if (http->server)
        http->module->stop(http->server);
    memset(http->token, 0, sizeof http->token);
    nci_free(http);
}

const char *nci_http_url(const nci_http *http)
{
    return http->url;
}

const char *nci_http_url_with_token(const nci_http *http)
{
    return http->whole;
}
