/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_NET_INTERNAL_H
#define NCI_ENGINE_NET_NET_INTERNAL_H
/*
 * The parts of a net. Three loops, each the home of its connections: control
 * (and handshakes of all that were accepted), receiving (data connections
 * that this process opened), sending (those that peers opened).
 *
 * Lock order: a connection's lock, the table's lock; none while a hook runs.
 */
#include "engine/net/conn.h"
#include "engine/net/exchange.h"

typedef struct nci_listener {
    struct nci_listener *next;
    nci_net *net;
    uv_poll_t poll;
    int fd;
    int spare; /* a descriptor to give up when there are no others */
    int roles;
} nci_listener;

typedef struct nci_slot {
    nci_conn *conn; /* a reference, NULL: free */
    uint32_t turn;  /* of use; the upper half of an id */
    uint32_t next_free;
} nci_slot;

/* Control connections by their numbers. */
typedef struct nci_table {
    pthread_mutex_t lock; /* guards what follows */
    nci_slot *slots;
    size_t count, capacity;
    uint32_t free; /* index + 1, 0: none */
} nci_table;

typedef struct nci_counters {
    _Atomic int64_t connections, refused;
    _Atomic int64_t messages_in, messages_out, bytes_in, bytes_out;
    _Atomic int64_t chunks_in, chunks_out, fetches_joined, credit_used;
} nci_counters;

struct nci_net {
    nci_net_options options; /* name and defaults filled in */
    char name[NCI_NAME_SIZE + 1];
    int tick_ms;
    nci_tls *tls; /* NULL: without */
    nci_conns control, receive, serve;
    nci_listener *listeners; /* the control thread's */
    nci_table table;
    nci_counters counters;
    struct nci_fetches *fetches;   /* fetch.c */
    struct nci_servings *servings; /* serve_table.c */
};

/* nci_net_ticks turns a time into ticks, at least one. */
int nci_net_ticks(const nci_net *net, int ms);
void nci_net_note(nci_net *net, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* nci_net_name_peer: a control connection gets its number. */
ncg_status nci_table_add(nci_table *table, nci_conn *conn, ncg_error *err);
/* nci_table_get returns a reference, or NULL. */
nci_conn *nci_table_get(nci_table *table, nci_conn_id id);
void nci_table_remove(nci_table *table, nci_conn_id id);

/* listen.c */
ncg_status nci_listener_open(nci_net *net, const char *host, int port,
                             int roles, char *addresses, ncg_error *err);
void nci_listeners_close(nci_net *net); /* the control thread */
extern const nci_conn_ops nci_accept_ops, nci_control_ops;

/* fetch.c */
ncg_status nci_fetches_create(nci_net *net, ncg_error *err);
void nci_fetches_end(nci_net *net); /* the receiving thread */
void nci_fetches_free(nci_net *net);
/* nci_fetch_attach makes a connection without a socket on which a fetch was
 * asked for (its request is 1), for tests that feed it. */
ncg_status nci_fetch_attach(nci_net *net, const nci_fetch_spec *spec,
                            nci_fetch_fn done, void *ctx, nci_conn **out,
                            ncg_error *err);
/* serve_table.c, serve_conn.c */
extern const nci_conn_ops nci_serve_ops;
ncg_status nci_servings_create(nci_net *net, ncg_error *err);
void nci_servings_free(nci_net *net);

#endif
