/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_NET_PAIR_H
#define NCG_TESTS_NET_PAIR_H
/*
 * A net with hooks that write down what they were told, and a wait for it: what
 * tests of connections need. Times are those of tests: a process that is silent
 * for 200 ms is suspect.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "engine/net/exchange.h"
#include "test.h"

enum { LOG_SIZE = 4096 };

typedef struct node {
    nci_net *net;
    nci_net_options options;
    char addresses[NCI_NET_ADDRESSES];
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    int ready, messages, closed, suspect, dead, over, notes;
    nci_conn_id conn; /* of the last ready */
    nci_peer peer;
    ncg_error why;    /* of the last closed */
    char note[700];   /* the last */
    nci_message last; /* without its pointers */
    char head[LOG_SIZE];
    char *body; /* a copy */
    size_t nbody;
    bool echo; /* answer each message with itself */
} node;

static void on_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    node *n = ctx;
    pthread_mutex_lock(&n->lock);
    n->ready++;
    n->conn = conn;
    n->peer = *peer;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

static void on_message(void *ctx, nci_conn_id conn, const nci_message *m)
{
    node *n = ctx;
    if (n->echo)
        nci_net_send(n->net, conn, m, NULL);
    pthread_mutex_lock(&n->lock);
    n->messages++;
    n->conn = conn;
    n->last = *m;
    memcpy(n->head, m->head, m->nhead < LOG_SIZE ? m->nhead : LOG_SIZE);
    free(n->body);
    n->nbody = m->body ? nci_buf_size(m->body) : 0;
    n->body = malloc(n->nbody + 1);
    if (m->body)
        memcpy(n->body, nci_buf_data(m->body), n->nbody);
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

static void on_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    node *n = ctx;
    (void)conn;
    pthread_mutex_lock(&n->lock);
    n->closed++;
    n->why = *why;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

static void on_silence(void *ctx, nci_conn_id conn, nci_silence state)
{
    node *n = ctx;
    (void)conn;
    pthread_mutex_lock(&n->lock);
    if (state == NCI_SILENCE_OVER)
        n->over++;
    else if (state == NCI_SILENCE_SUSPECT)
        n->suspect++;
    else
        n->dead++;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

static void on_note(void *ctx, const char *sentence)
{
    node *n = ctx;
    pthread_mutex_lock(&n->lock);
    n->notes++;
    snprintf(n->note, sizeof n->note, "%s", sentence);
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

/* node_wait waits until *count >= wanted; fails the test after 20 seconds. */
static inline void node_wait(node *n, const int *count, int wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int code = 0;
    pthread_mutex_lock(&n->lock);
    while (*count < wanted && !code)
        code = pthread_cond_timedwait(&n->changed, &n->lock, &until);
    int got = *count;
    pthread_mutex_unlock(&n->lock);
    if (got < wanted)
        fail_msg("waited for %d, got %d; closed %d (%s), note: %s", wanted, got,
                 n->closed, n->why.message, n->note);
}

/* node_init prepares options with the keys of a secret; change them, then
 * node_start. NCG_TEST_TLS in the environment: all of it under TLS. */
static inline void node_init(node *n, uint8_t secret0, uint8_t cluster0)
{
    uint8_t secret[NCI_SECRET_SIZE], cluster[NCI_CLUSTER_ID_SIZE];
    memset(n, 0, sizeof *n);
    memset(secret, secret0, sizeof secret);
    memset(cluster, cluster0, sizeof cluster);
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, NULL);
    n->options = (nci_net_options){
        .name = "node",
        .epoch = 7,
        .hooks = {n, on_ready, on_message, on_closed, on_silence, on_note},
        .heartbeat_ms = 60,
        .suspect_ms = 300,
        .dead_ms = 900};
    n->options.wire.tls = getenv("NCG_TEST_TLS") != NULL;
    assert_int_equal(nci_keys_derive(secret, cluster, &n->options.keys, NULL),
                     NCG_OK);
}

static inline void node_start(node *n, bool listens)
{
    ncg_error err;
    CHECK_OK(nci_net_create(&n->options, &n->net, &err));
    if (listens)
        CHECK_OK(nci_net_listen(n->net, "127.0.0.1", 0, NCI_MAY_ALL,
                                n->addresses, &err));
}

static inline void node_end(node *n)
{
    nci_net_destroy(&n->net);
    free(n->body);
    n->body = NULL;
    pthread_mutex_destroy(&n->lock);
    pthread_cond_destroy(&n->changed);
}

/* node_pair: `a` listens, `b` is connected to it. Returns b's connection. */
static inline nci_conn_id node_pair(node *a, node *b)
{
    ncg_error err;
    nci_conn_id id = 0;
    node_init(a, 1, 2);
    node_init(b, 1, 2);
    b->options.name = "guest";
    node_start(a, true);
    node_start(b, false);
    CHECK_OK(
        nci_net_connect(b->net, a->addresses, NCI_PEER_WORKER, 7, &id, &err));
    node_wait(b, &b->ready, 1);
    node_wait(a, &a->ready, 1);
    return id;
}

#endif
