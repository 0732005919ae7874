/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests for the state of a cluster, and names of its workers: the input is
 * cut at zero bytes into method, path, token, authorization, name and host.
 * What comes out is a text without control bytes, and a page without more tags
 * than it has for an empty name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXTS = 6 };
static const char *name = "", *host = "";

static bool fill(void *ctx, nci_report *out)
{
    (void)ctx;
    *out = (nci_report){.cluster = "00"};
    if (!nci_grow(&out->workers, &out->workers_capacity, 1,
                  sizeof *out->workers))
        return false;
    nci_report_worker *w = &out->workers[out->nworkers++];
    *w = (nci_report_worker){.pid = 1};
    snprintf(w->name, sizeof w->name, "%s", name);
    snprintf(w->host, sizeof w->host, "%s", host);
    return true;
}

static const nci_http_source source = {NULL, fill};
static const char token[NCI_HTTP_TOKEN] = "0123456789abcdef0123456789abcdef";

static size_t count(const char *text, char what)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == what;
    return n;
}

static void check(const nci_http_reply *reply)
{
    for (size_t i = 0; i < reply->nbytes; i++) {
        unsigned char byte = (unsigned char)reply->body[i];
        if ((byte < ' ' && byte != '\n') || byte > '~')
            abort();
    }
}

static size_t tags_of(const char *path)
{
    const nci_http_request request = {"GET", path, token, NULL};
    nci_http_reply reply = {0};
    nci_http_give(&source, token, &request, &reply);
    if (!reply.body)
        return 0;
    check(&reply);
    size_t n = count(reply.body, '<');
    nci_free(reply.body);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t tags;
    const char *texts[TEXTS] = {0};
    char *copy = nci_calloc(1, size + 1);
    nci_http_reply reply = {0};
    if (!copy)
        return 0;
    name = host = "";
    if (!tags)
        tags = tags_of("/");
    memcpy(copy, data, size);
    for (size_t at = 0, i = 0; at < size && i < TEXTS; i++) {
        texts[i] = copy + at;
        at += strlen(copy + at) + 1;
    }
    const nci_http_request request = {texts[0], texts[1], texts[2], texts[3]};
    name = texts[4] ? texts[4] : "";
    host = texts[5] ? texts[5] : "";
    nci_http_give(&source, token, &request, &reply);
    check(&reply);
    nci_free(reply.body);
    if (tags_of("/") != tags)
        abort();
    tags_of("/status.json");
    tags_of("/metrics");
    nci_free(copy);
    return 0;
}
