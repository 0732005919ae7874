/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_HTTP_MODULE_H
#define NCI_ENGINE_HTTP_MODULE_H
/*
 * The HTTP server is a module, ncgraph_http.so, which only a process that
 * serves the state of a cluster loads: libmicrohttpd brings a dozen libraries
 * along. It knows the protocol; what there is to see is said by `answer`.
 *
 * This header is all that the module and the library share.
 */
#include <stddef.h>
#include <stdint.h>

enum { NCI_HTTP_MODULE_VERSION = 1 };

/* Texts are borrowed for the call; NULL: not given. */
typedef struct nci_http_request {
    const char *method; /* "GET" */
    const char *path;   /* "/status.json", undone escapes */
    const char *token;  /* of the query */
    const char *authorization;
} nci_http_request;

typedef struct nci_http_reply {
    int status;
    const char *type; /* that stays */
    char *body;       /* nci_http_answer.release frees it; NULL: empty */
    size_t nbytes;
} nci_http_reply;

/* Called on the server's thread, one at a time. */
typedef struct nci_http_answer {
    void *ctx;
    void (*give)(void *ctx, const nci_http_request *request,
                 nci_http_reply *out);
    void (*release)(void *body);
} nci_http_answer;

typedef struct nci_http_module {
    uint32_t version;
    /* start serves a listening socket, which is the module's from then on, also
     * where it fails (NULL and the reason in `why`). */
    void *(*start)(int fd, const nci_http_answer *answer, char *why,
                   size_t nwhy);
    /* stop ends all connections; no `answer` is called any more. */
    void (*stop)(void *server);
} nci_http_module;

/* The symbol that the module shows. */
#define NCI_HTTP_MODULE_SYMBOL "ncg_http_module"

#endif
