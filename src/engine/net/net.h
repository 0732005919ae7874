/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_NET_H
#define NCI_ENGINE_NET_NET_H
/*
 * Connections between the processes of a cluster: who may join, messages, who
 * is silent. exchange.h moves chunks over the same object.
 *
 *     nci_net_create ... nci_net_listen / nci_net_connect ... nci_net_send
 *     ... nci_net_destroy
 *
 * A net has three threads, each with a libuv loop: one for control, one that
 * receives chunks, one that sends them, so that bulk never delays control. The
 * hooks are called on the control thread, one at a time, with no lock held;
 * they may call everything here except nci_net_destroy. They must not block:
 * whatever takes long goes to the driver's pool. Functions may be called from
 * any thread.
 *
 * A connection is a number, never used twice. Life, as the hooks see it:
 *
 *     connect -> ready -> message* -> closed     who connected
 *     connect -> closed                          could not, was refused
 *     ready -> message* -> closed                who listens
 *
 * Both sides proved that they know the cluster's secret before `ready`. What
 * fails earlier on the listening side is told by `note` and by an ERROR frame
 * to the peer, whose `closed` then has the reason in words.
 */
#include "engine/net/keys.h"
#include "engine/net/wire.h"

typedef struct nci_net nci_net;
typedef uint64_t nci_conn_id; /* 0: none */

enum { NCI_NET_ADDRESSES = 512 };

typedef struct nci_peer {
    nci_peer_role role; /* with which the connection was opened */
    bool listens;       /* this side connected, the peer listens */
    bool same_host;     /* by its address */
    uint64_t epoch;     /* of the side that listens */
    char address[64];   /* "10.1.2.3:41234", "[fe80::1]:41234" */
    char name[NCI_NAME_SIZE + 1];
} nci_peer;

typedef struct nci_message {
    nci_wire_type type;
    uint32_t request, attempt;
    const void *head; /* borrowed for the call */
    size_t nhead;
    nci_buf *body; /* NULL: none; borrowed: retain it to keep it */
} nci_message;

/* How long nothing came from a peer, not even a heartbeat. Counted in ticks of
 * this process: one that was stopped, or whose clock jumped, blames nobody. */
typedef enum nci_silence {
    NCI_SILENCE_OVER,    /* it is heard again */
    NCI_SILENCE_SUSPECT, /* options.suspect_ms */
    NCI_SILENCE_DEAD     /* options.dead_ms; the connection stays open */
} nci_silence;

typedef struct nci_net_hooks {
    void *ctx;
    void (*ready)(void *ctx, nci_conn_id conn, const nci_peer *peer);
    void (*message)(void *ctx, nci_conn_id conn, const nci_message *message);
    /* `why` is OK after GOODBYE of either side, EAUTH where one refused the
     * other, ENET where it broke. The last call for a connection. */
    void (*closed)(void *ctx, nci_conn_id conn, const ncg_error *why);
    void (*silence)(void *ctx, nci_conn_id conn, nci_silence state); /* NULL */
    void (*note)(void *ctx, const char *sentence);                   /* NULL */
} nci_net_hooks;

typedef struct nci_net_options {
    const char *name; /* of this process, for the peers' messages; copied */
    nci_keys keys;    /* copied; keys.h */
    uint64_t epoch;   /* of this process: whoever connects and expects another
                         one is refused. A worker takes a random number and
                         tells it with its addresses, so that nobody takes
                         another process at the same address for it. */
    nci_net_hooks hooks;
    /* 0: the default */
    int heartbeat_ms;   /* 1000 */
    int suspect_ms;     /* 5000 */
    int dead_ms;        /* 60000 */
    int handshake_ms;   /* 10000: from connecting to READY */
    int64_t max_body;   /* 1 GiB: of a message */
    int64_t max_unsent; /* 64 MiB: more queued for a peer that reads nothing
                           for suspect_ms closes its connection */
    int64_t credit;     /* 256 MiB: bytes of chunks being received; one
                           chunk may be larger, alone */
    int64_t keep; /* 32 MiB: memory of chunks that were received and let go
                     of, kept for the next ones; counts to the process's size */
    ncg_wire_options wire;
} nci_net_options;

/* nci_net_bound sets credit and keep for a process that may use `memory`
 * bytes: few of them, and no more than helps. */
void nci_net_bound(nci_net_options *options, int64_t memory);

/* nci_net_create starts the threads; nothing listens yet. */
ncg_status nci_net_create(const nci_net_options *options, nci_net **out,
                          ncg_error *err);
/* nci_net_destroy closes everything (GOODBYE first, what is queued is sent for
 * at most a second, and longer waited for until it is with peers that are
 * heard) and joins the threads. No hook is called once it returns; unfinished
 * fetches end with ECANCELED before that. */
void nci_net_destroy(nci_net **net);

/* nci_net_tls: the SHA-256 of the authority's certificate, in hex; "" without
 * TLS. Borrowed. */
const char *nci_net_tls(const nci_net *net);

/* nci_net_listen accepts connections of `roles` (NCI_MAY_ bits) at `host` (a
 * name or number, NULL: all interfaces) and `port` (0: any). `addresses`
 * receives "host:port,host:port" as others reach it, best first; of the
 * loopback interface only where there is no other. ENET names what is in the
 * way. */
ncg_status nci_net_listen(nci_net *net, const char *host, int port, int roles,
                          char addresses[NCI_NET_ADDRESSES], ncg_error *err);
/* nci_net_connect begins a control connection to the first of "host:port,..."
 * that answers as it should; ready or closed follows. `epoch` 0: any process
 * of the cluster. */
ncg_status nci_net_connect(nci_net *net, const char *addresses,
                           nci_peer_role role, uint64_t epoch, nci_conn_id *out,
                           ncg_error *err);
/* nci_net_send queues one message and sends what the socket takes; from the
 * control thread messages leave together when the hook returns. Messages of a
 * thread to a connection arrive in order. `head` is copied, `body` (may be
 * NULL) retained until it is sent, and not copied. ENET: closed. */
ncg_status nci_net_send(nci_net *net, nci_conn_id conn,
                        const nci_message *message, ncg_error *err);
/* nci_net_send_error answers `request` by an error; 0: and closes. */
ncg_status nci_net_send_error(nci_net *net, nci_conn_id conn, uint32_t request,
                              const ncg_error *error, ncg_error *err);
/* nci_net_close says GOODBYE, sends what is queued, closes; `closed` follows.
 */
void nci_net_close(nci_net *net, nci_conn_id conn);

/* nci_net_post calls fn(ctx) on the control thread; in order of the calls. */
ncg_status nci_net_post(nci_net *net, void (*fn)(void *ctx), void *ctx,
                        ncg_error *err);
/* nci_net_timer_start calls fn(ctx) on the control thread in `ms`, and every
 * `ms` where `repeat`. nci_net_timer_stop ends and frees it; from another
 * thread than control, fn may be running once more when it returns. Stop all
 * before nci_net_destroy. */
typedef struct nci_net_timer nci_net_timer;
ncg_status nci_net_timer_start(nci_net *net, int64_t ms, bool repeat,
                               void (*fn)(void *ctx), void *ctx,
                               nci_net_timer **out, ncg_error *err);
void nci_net_timer_stop(nci_net_timer **timer);

typedef struct nci_net_stats {
    int64_t connections; /* open now, control and data */
    int64_t refused;     /* by the handshake, since the start */
    int64_t messages_in, messages_out;
    int64_t bytes_in, bytes_out; /* of frames, heads and payloads */
    int64_t chunks_in, chunks_out;
    int64_t fetches_joined; /* that another one brought along */
    int64_t credit_used;    /* now */
} nci_net_stats;

void nci_net_get_stats(nci_net *net, nci_net_stats *out);

#endif
