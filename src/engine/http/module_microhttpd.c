/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ncgraph_http.so: one thread of libmicrohttpd. Requests have no body here;
 * slow and many peers are bounded by time, number and memory of connections.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/http/module.h"

enum { CONNECTIONS = 64, OF_ONE_HOST = 32, SECONDS = 10, BYTES = 16384 };

typedef struct server {
    struct MHD_Daemon *daemon;
    nci_http_answer answer;
} server;

/* What a browser may do with the page: show it, nothing else. Addresses with
 * the token in them go nowhere. */
static const char *const headers[][2] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; "
     "base-uri 'none'; frame-ancestors 'none'"},
    {"Connection", "close"}};

static enum MHD_Result reply_with(const server *s,
                                  struct MHD_Connection *connection,
                                  const nci_http_reply *reply)
{
    struct MHD_Response *response =
        reply->body
            ? MHD_create_response_from_buffer_with_free_callback(
                  reply->nbytes, reply->body, s->answer.release)
            : MHD_create_response_from_buffer(0, NULL,
                                              MHD_RESPMEM_PERSISTENT);
    if (!response) {
        s->answer.release(reply->body);
        return MHD_NO;
    }
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    MHD_add_response_header(response, "Content-Type", reply->type);
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result done =
        MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return done;
}

/* Called once with the headers, then again with nothing more to come; a body
 * is thrown away as it arrives. */
static enum MHD_Result take(void *ctx, struct MHD_Connection *connection,
                            const char *url, const char *method,
                            const char *version, const char *body,
                            size_t *nbody, void **state)
{
    static char seen;
    server *s = ctx;
    nci_http_request request = {.method = method, .path = url};
    nci_http_reply reply = {0};
    (void)version, (void)body;
    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    if (*nbody) {
        *nbody = 0;
        return MHD_YES;
    }
    request.token = MHD_lookup_connection_value(connection,
                                                MHD_GET_ARGUMENT_KIND, "token");
    request.authorization = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, "Authorization");
    s->answer.give(s->answer.ctx, &request, &reply);
    return reply_with(s, connection, &reply);
}

/* Nothing is said about peers that send garbage. */
static void say_nothing(void *ctx, const char *format, va_list args)
{
    (void)ctx, (void)format, (void)args;
}

static void *start(int fd, const nci_http_answer *answer, char *why,
                   size_t nwhy)
{
    server *s = calloc(1, sizeof *s);
    if (s) {
        s->answer = *answer;
        s->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ERROR_LOG,
            0, NULL, NULL, take, s, MHD_OPTION_EXTERNAL_LOGGER, say_nothing,
            NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
            (unsigned)OF_ONE_HOST, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)BYTES, MHD_OPTION_END);
    }
    if (s && s->daemon)
        return s;
    snprintf(why, nwhy, "libmicrohttpd does not start");
    close(fd);
    free(s);
    return NULL;
}

static void stop(void *ctx)
{
    server *s = ctx;
    MHD_stop_daemon(s->daemon); /* which closes the socket */
    free(s);
}

__attribute__((visibility("default"))) extern const nci_http_module
    ncg_http_module;
const nci_http_module ncg_http_module = {
    .version = NCI_HTTP_MODULE_VERSION, .start = start, .stop = stop};
