/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_EXCHANGE_H
#define NCI_ENGINE_NET_EXCHANGE_H
/*
 * Chunks between processes: fetch what another one has, serve what one has.
 *
 * A fetch goes over a data connection to the peer's address, which is opened
 * when the first one needs it (with its own handshake) and stays. Fetches of
 * the same chunk (and part) from anybody join the one under way. A question may
 * wait long for its answer: the chunk may not be made yet. Chunks that are
 * being received never exceed options.credit, except by one chunk alone; others
 * wait in the sockets. The bytes are received where they stay: no copy.
 */
#include "engine/net/net.h"

/* Called once for each fetch, on the receiving thread (never inside
 * nci_fetch), no lock held; must not block. `chunk` is borrowed: retain it to
 * keep it; it may be shared with other fetches: do not write to it. NULL: `err`
 * says why. ENOTFOUND: the peer has not got it, or not any more; ENET: the peer
 * could not be reached or was lost; EAUTH: refused; ENOMEM; ECANCELED. */
typedef void (*nci_fetch_fn)(void *ctx, nci_buf *chunk, const ncg_error *err);

#define NCI_FETCH_ANY INT64_C(-1)
#define NCI_FETCH_MOST (INT64_C(1) << 40)

typedef struct nci_fetch_spec {
    const char *addresses; /* as nci_net_listen said; copied */
    uint64_t epoch;        /* of that process; 0: any of the cluster */
    nci_peer_role role;    /* with which a connection is opened */
    nci_chunk_key key;
    nci_part part;  /* itemsize 0: the whole chunk */
    int64_t nbytes; /* that will come; a chunk of another size is ENET.
                       NCI_FETCH_ANY: not known, up to NCI_FETCH_MOST */
} nci_fetch_spec;

/* nci_fetch begins; `done` will be called unless an error is returned. `id`
 * (may be NULL) receives a number for nci_fetch_abort. */
ncg_status nci_fetch(nci_net *net, const nci_fetch_spec *spec,
                     nci_fetch_fn done, void *ctx, uint64_t *id,
                     ncg_error *err);
/* nci_fetch_abort: `done` is called with ECANCELED soon, unless it was called
 * already. What is on its way is received and let go of. */
void nci_fetch_abort(nci_net *net, uint64_t id);
/* nci_fetch_lost ends all fetches from a peer that is known to be dead with
 * ENET, and closes the connection to it. */
void nci_fetch_lost(nci_net *net, const char *addresses);

/* A peer's question for a chunk is a number, never 0, never used twice. */
typedef struct nci_serve_hooks {
    void *ctx;
    /* Called for each question on the sending thread; must not block. Answer
     * now or later, from any thread, by one of the functions below. */
    void (*wanted)(void *ctx, uint64_t request, const nci_chunk_key *key);
    /* The peer is gone before it was answered; nobody waits any more. */
    void (*gone)(void *ctx, uint64_t request);
} nci_serve_hooks;

/* nci_net_serve sets who answers; before nci_net_listen. */
void nci_net_serve(nci_net *net, const nci_serve_hooks *hooks);

/* Answers to one question. Each calls done(ctx) (may be NULL) exactly once, on
 * the sending thread, when the bytes are sent or will not be; never inside.
 * nci_serve_buf sends the chunk, or the part of it that was asked for; it keeps
 * a reference until then. nci_serve_file sends from a file, by sendfile where
 * nothing needs to see the bytes; `fd` stays open until then. nci_serve_fail
 * says that there is none, and why. */
typedef void (*nci_serve_fn)(void *ctx);
void nci_serve_buf(nci_net *net, uint64_t request, nci_buf *chunk,
                   nci_serve_fn done, void *ctx);
/* nci_serve_small sends a small chunk from the calling thread, without the way
 * over the sending one; it keeps a reference until the bytes are gone. False:
 * the question is still there, for nci_serve_buf (the chunk is not small, a part
 * was asked for, compression is on, much waits already). */
bool nci_serve_small(nci_net *net, uint64_t request, nci_buf *chunk);
void nci_serve_file(nci_net *net, uint64_t request, int fd, int64_t offset,
                    int64_t nbytes, nci_serve_fn done, void *ctx);
void nci_serve_fail(nci_net *net, uint64_t request, const ncg_error *error);

#endif
