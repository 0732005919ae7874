/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_FETCH_INTERNAL_H
#define NCI_ENGINE_NET_FETCH_INTERNAL_H
/*
 * Fetching: what is asked for, from whom, and who waits for it. Everything
 * here belongs to the receiving thread; other threads post jobs (fetch.c).
 *
 *     fetch: QUEUED (no connection yet) -> ASKED -> COMING -> done
 *
 * A fetch has waiters, one for each call of nci_fetch for the same bytes. One
 * without waiters is no longer wanted: the peer is told, and its answer, data
 * or not, is the end of it.
 */
#include "engine/net/landing.h"
#include "engine/net/net_internal.h"

enum { NCI_FETCH_BUCKETS = 1024, NCI_FETCH_SOURCES = 256 };

typedef struct nci_fetch_waiter {
    struct nci_fetch_waiter *next;
    uint64_t id;
    nci_fetch_fn done;
    void *ctx;
} nci_fetch_waiter;

typedef struct nci_fetch_item {
    struct nci_fetch_item *next_key, *next_number; /* of their buckets */
    struct nci_fetch_item *below, *above;          /* of the peer */
    struct nci_fetch_source *peer;
    uint32_t number; /* the request on the wire */
    nci_fetch_request what;
    int64_t nbytes;
    nci_fetch_waiter *waiters;
    bool asked, dropped;
    nci_buf *chunk; /* COMING */
    uint64_t got;
    nci_piece piece; /* that is coming */
} nci_fetch_item;

/* A process that is asked for chunks. */
typedef struct nci_fetch_source {
    struct nci_fetch_source *next; /* of its bucket */
    char *addresses;
    uint64_t epoch;
    nci_peer_role role;
    nci_conn *conn; /* a reference */
    bool ready;
    nci_fetch_item *first;   /* all from there */
    nci_fetch_item *current; /* whose bytes are coming */
    uint8_t *packed;         /* room for a compressed piece */
    size_t npacked;
    struct nci_fetch_source *next_short; /* waits for credit */
    bool is_short;
} nci_fetch_source;

typedef struct nci_fetches {
    nci_net *net;
    _Atomic uint64_t last_id; /* of waiters; any thread */
    uint32_t last_number;
    bool ended;
    nci_fetch_item *by_key[NCI_FETCH_BUCKETS], *by_number[NCI_FETCH_BUCKETS];
    nci_fetch_source *sources[NCI_FETCH_SOURCES];
    nci_fetch_source *shorts, **last_short; /* in order */
    int64_t used;                           /* credit */
    nci_landing *landing;
} nci_fetches;

/* ---- fetch_table.c: fetches by bytes and by number, credit, ends */

/* nci_fetch_find: one under way that brings these bytes, or NULL. */
nci_fetch_item *nci_fetch_find(nci_fetches *all, const nci_fetch_spec *spec);
nci_fetch_item *nci_fetch_find_number(nci_fetches *all, uint32_t number);
/* nci_fetch_link gives it a number and enters it everywhere. */
void nci_fetch_link(nci_fetches *all, nci_fetch_source *from,
                    nci_fetch_item *f);
/* nci_fetch_end tells all that wait and frees it; `err` NULL: it has come. */
void nci_fetch_end(nci_fetches *all, nci_fetch_item *f, const ncg_error *err);
/* nci_fetch_take_credit is false where there is none now; the source then
 * waits, and its connection is read again when some comes back. */
bool nci_fetch_take_credit(nci_fetches *all, nci_fetch_source *from,
                           int64_t nbytes);
void nci_fetch_give_credit(nci_fetches *all, int64_t nbytes);
size_t nci_fetch_bucket(const char *addresses);
/* nci_fetch_hide: who fetches from there from now on gets another one. */
void nci_fetch_hide(nci_fetches *all, nci_fetch_source *from);
void nci_fetch_free_source(nci_fetches *all, nci_fetch_source *from);

/* ---- fetch_conn.c: the connection to a source */

extern const nci_conn_ops nci_fetch_ops;
/* nci_fetch_ask sends the question. */
void nci_fetch_ask(nci_fetch_source *from, nci_fetch_item *f);

#endif
