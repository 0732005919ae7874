/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests and their answers, without sockets. All bytes of a request come
 * from whoever can reach the port.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/http/http.h"

static const char PURPOSE[] = "ncgraph 1 http";

ncg_status nci_http_token(const nci_keys *keys, char out[NCI_HTTP_TOKEN],
                          ncg_error *err)
{
    uint8_t mac[NCI_MAC_SIZE];
    const nci_bytes purpose = {PURPOSE, sizeof PURPOSE - 1};
    NCI_TRY(nci_mac(keys->role[NCI_PEER_DASHBOARD - 1], &purpose, 1, mac, err));
    for (int i = 0; i < (NCI_HTTP_TOKEN - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
    return NCG_OK;
}

/* Takes as long for a wrong token as for the right one. */
static bool is_token(const char *token, const char *said)
{
    uint8_t a[NCI_MAC_SIZE] = {0}, b[NCI_MAC_SIZE] = {0};
    if (!said || strnlen(said, NCI_HTTP_TOKEN) != NCI_HTTP_TOKEN - 1)
        return false;
    memcpy(a, token, NCI_HTTP_TOKEN - 1);
    memcpy(b, said, NCI_HTTP_TOKEN - 1);
    return nci_mac_equal(a, b);
}

static bool may_ask(const char *token, const nci_http_request *request)
{
    static const char bearer[] = "Bearer ";
    const char *said = request->authorization;
    size_t n = sizeof bearer - 1;
    if (said && !strncmp(said, bearer, n))
        return is_token(token, said + n);
    return is_token(token, request->token);
}

/* Words of ours, "" included. */
static void say(nci_http_reply *out, int status, const char *words)
{
    nci_text text = {0};
    nci_text_add(&text, "%s\n", words);
    out->status = status;
    out->type = "text/plain; charset=utf-8";
    out->nbytes = text.length;
    out->body = text.failed ? NULL : nci_text_take(&text);
    if (!out->body)
        out->nbytes = 0;
    nci_text_fini(&text);
}

typedef struct view {
    const char *path, *type;
    void (*write)(const nci_report *report, nci_text *text);
} view;

static const view views[] = {
    {"/", "text/html; charset=utf-8", nci_report_page},
    {"/status.json", "application/json", nci_report_json},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8",
     nci_report_metrics}};

static void show(const nci_http_source *source, const view *v,
                 nci_http_reply *out)
{
    nci_report report = {0};
    nci_text text = {0};
    bool good = source->fill(source->ctx, &report);
    if (good)
        v->write(&report, &text);
    nci_report_fini(&report);
    out->status = 200;
    out->type = v->type;
    out->nbytes = text.length;
    out->body = good && !text.failed ? nci_text_take(&text) : NULL;
    nci_text_fini(&text);
    if (!out->body)
        say(out, 503, "out of memory");
}

void nci_http_give(const nci_http_source *source,
                   const char token[NCI_HTTP_TOKEN],
                   const nci_http_request *request, nci_http_reply *out)
{
    const view *v = NULL;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (request->path && !strcmp(request->path, views[i].path))
            v = &views[i];
    if (!request->method || (strcmp(request->method, "GET") &&
                             strcmp(request->method, "HEAD")))
        say(out, 405, "there is nothing to change here");
    else if (!may_ask(token, request))
        say(out, 401,
            "the address in the scheduler file has a token, which belongs to "
            "it: ?token=..., or Authorization: Bearer ...");
    else if (!v)
        say(out, 404, "there are /, /status.json and /metrics");
    else
        show(source, v, out);
}
