/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_SERVE_INTERNAL_H
#define NCI_ENGINE_NET_SERVE_INTERNAL_H
/*
 * serve_conn.c: questions come in. serve_table.c: they wait. serve.c: answers
 * go out.
 */
#include "engine/net/net_internal.h"
#include "engine/net/part.h"

enum { NCI_SERVE_BUCKETS = 1024, NCI_SERVE_WAITING = 1 << 16 };

/* A question, and then the answer to it on its way. */
typedef struct nci_serving {
    struct nci_serving *next;          /* of its bucket */
    struct nci_serving *below, *above; /* of its connection */
    uint64_t id;
    nci_net *net;
    nci_conn *conn; /* a reference; NULL: nobody waits any more */
    uint32_t request;
    nci_fetch_request what;
    /* The answer. */
    nci_buf *chunk; /* a reference, NULL: a file or an error */
    nci_bytes_from from;
    int64_t nchunk; /* bytes of the whole chunk */
    int64_t base;   /* where the run begins, if it is one */
    bool is_run, direct, begun, failed;
    uint64_t total, sent;
    uint8_t *raw, *packed; /* scratch */
    ncg_error error;
    nci_serve_fn done;
    void *ctx;
    nci_loop_job job;
} nci_serving;

typedef struct nci_servings {
    nci_serve_hooks hooks;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t last_id;
    nci_serving *buckets[NCI_SERVE_BUCKETS];
} nci_servings;

/* What a serving connection owns; the sending thread's, but for `waiting`. */
typedef struct nci_serve_peer {
    nci_serving *waiting; /* guarded by the lock of nci_servings */
    int nwaiting;
} nci_serve_peer;

/* ---- serve_table.c */

/* nci_serving_add returns its number, 0: too many wait. */
uint64_t nci_serving_add(nci_servings *all, nci_serving *s);
/* nci_serving_take takes a question out of the table, where `may` (NULL: in any
 * case; called under the lock) says so; NULL: it is not there any more. */
nci_serving *nci_serving_take(nci_servings *all, uint64_t id,
                              bool (*may)(const nci_serving *s));
/* The same by the number that the peer gave it; some one of a connection. */
nci_serving *nci_serving_take_request(nci_conn *conn, uint32_t request);
nci_serving *nci_serving_take_any(nci_servings *all, nci_serve_peer *peer);
void nci_serving_free(nci_serving *s);

#endif
