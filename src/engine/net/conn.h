/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_CONN_H
#define NCI_ENGINE_NET_CONN_H
/*
 * One connection: socket, handshake, frames in and out, silence. What it is
 * for (control, fetching, serving) is in its table of functions.
 *
 *     connects:  RESOLVING -> CONNECTING -> SHAKING -> READY -> CLOSING
 *                    ^------------'------------'  the next address
 *     listens:                    SHAKING -> READY -> CLOSING
 *     and from everywhere -> CLOSED
 *     with TLS: SECURING before SHAKING
 *
 * Threads: a connection belongs to its loop's thread; only nci_conn_queue and
 * the counts may be used from others. Frames leave from any thread: whoever
 * queues one sends as much as the socket takes, the rest leaves from the loop
 * when it can.
 */
#include "engine/net/handshake.h"
#include "engine/net/loop.h"
#include "engine/net/net.h"
#include "engine/net/sock.h"
#include "engine/net/tls.h"

typedef struct nci_conn nci_conn;
typedef struct nci_out nci_out;

enum { NCI_MAX_HEAD = 4 << 20 };

/* What all connections of a loop share. */
typedef struct nci_conns {
    nci_net *net;
    nci_loop loop;
    nci_conn *first;  /* all of this loop; each with a reference */
    nci_conn *cursor; /* next one of a walk */
    nci_conn *unsent; /* those with something queued by this thread */
    uv_timer_t ticker;
    nci_loop_job begin; /* which starts it */
    bool ended; /* takes no connection any more */
} nci_conns;

typedef struct nci_conn_ops {
    /* Both sides are who they say. */
    void (*ready)(nci_conn *conn);
    /* A payload follows: say where it goes by conn->in.into, room for all of
     * frame->payload. False: not now, nci_conn_resume will come. */
    bool (*place)(nci_conn *conn, ncg_status *st, ncg_error *err);
    /* A frame is complete. */
    ncg_status (*frame)(nci_conn *conn, ncg_error *err);
    /* The last call; the connection may still be referred to by others. */
    void (*closed)(nci_conn *conn, const ncg_error *why);
} nci_conn_ops;

typedef struct nci_move {
    nci_conns *home;
    const nci_conn_ops *ops;
    void *owner;
} nci_move;

typedef enum nci_conn_state {
    NCI_CONN_RESOLVING,  /* a name is looked up */
    NCI_CONN_CONNECTING, /* the socket is not connected yet */
    NCI_CONN_SECURING,   /* the handshake of TLS is under way */
    NCI_CONN_SHAKING,    /* that of wire.h is */
    NCI_CONN_READY,      /* messages pass */
    NCI_CONN_CLOSING,    /* what is queued leaves, then the peer closes */
    NCI_CONN_CLOSED
} nci_conn_state;

typedef enum nci_in_phase {
    NCI_IN_FRAME,
    NCI_IN_HEAD,
    NCI_IN_PLACE, /* the head is complete, the payload has no place yet */
    NCI_IN_PAYLOAD,
    NCI_IN_TRAILER
} nci_in_phase;

/* Bytes on their way in:
 *
 *     buffer:  | base: frame, head | at: not yet looked at | end: room |
 *
 * The payload goes straight to `into`; only what came with the head is copied
 * there. */
typedef struct nci_in {
    uint8_t *buffer;
    size_t capacity, base, at, end;
    nci_in_phase phase;
    nci_frame frame;
    nci_frame_limits limits;
    uint8_t *into;
    uint64_t got;
    uint32_t crc;
    nci_buf *body; /* of a message */
} nci_in;

/* A piece of what leaves: frame and head, then bytes in memory or a file. */
struct nci_out {
    nci_out *next;
    uint8_t head[NCI_FRAME_SIZE + NCI_FETCH_MAX_SIZE];
    uint8_t *long_head; /* where it does not fit: frame and head */
    size_t nhead;       /* with the frame */
    const uint8_t *bytes;
    uint64_t npayload;
    uint64_t sent; /* of head, payload and trailer */
    bool with_crc;
    uint32_t crc;  /* of the payload sent so far */
    nci_buf *body; /* retained: holds `bytes` */
    int file;      /* -1: bytes; else sendfile from `offset` */
    int64_t offset;
    /* Makes the next piece of a long answer in place of this one: true if there
     * is more to send. May be NULL. */
    bool (*more)(nci_out *out);
    void (*done)(nci_out *out); /* frees what is the owner's; may be NULL */
    void *ctx;
};

struct nci_conn {
    nci_conns *home;
    const nci_conn_ops *ops;
    void *owner;    /* of ops */
    nci_conn_id id; /* in the net's table, 0: not there */
    _Atomic int refs;
    nci_conn *next, *prev; /* of the loop */
    bool linked;           /* it is in that list */
    bool accepted;         /* the other side connected */
    nci_purpose purpose;
    nci_conn_state state;
    _Atomic bool ready; /* messages may be queued; for other threads */
    struct nci_poll *poll;
    int events;  /* that the loop waits for */
    bool paused; /* reads nothing */
    bool wants_write; /* SECURING goes on when the socket can be written */
    bool is_again;    /* `again` is posted */
    nci_loop_job again;
    _Atomic bool is_ended; /* `end` is posted: its last job */
    nci_loop_job end;
    nci_handshake shake;
    nci_peer peer;
    nci_address address;   /* of the peer */
    struct nci_dial *dial; /* who connects: the addresses to try */
    nci_in in;
    struct nci_move *moving; /* to another loop soon */
    ncg_error why;           /* it closes */
    bool told_bye;           /* the peer said GOODBYE */
    /* In ticks of the loop. */
    int age, silent, stuck, quiet;
    nci_silence silence;

    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1: closed; changed by the loop's thread only */
    nci_out *first, **last;
    int64_t queued;  /* bytes of memory that wait */
    nci_secure *secure; /* NULL: without TLS */
    bool open;       /* frames may be queued */
    bool broken;     /* a send failed; the loop will find out */
    bool wants_loop; /* the rest leaves from there */
    nci_loop_job rest;
    bool in_unsent;
    nci_conn *next_unsent;
    bool moved, sent_any; /* since the last tick */
};

/* conn.c: life */
/* nci_conn_create: the reference that it returns becomes that of the loop's
 * list (nci_conn_accept, nci_conn_dial), which lets go of it after ops->closed.
 */
ncg_status nci_conn_create(nci_conns *home, const nci_conn_ops *ops,
                           void *owner, nci_conn **out, ncg_error *err);
nci_conn *nci_conn_retain(nci_conn *conn);
void nci_conn_release(nci_conn **conn);
/* nci_conn_accept begins the listening side; takes `fd`. */
void nci_conn_accept(nci_conn *conn, int fd, const nci_address *peer,
                     int roles);
/* nci_conn_move takes the connection to another loop and table of functions,
 * whose `ready` is called there. */
void nci_conn_move(nci_conn *conn, nci_conns *home, const nci_conn_ops *ops,
                   void *owner);
/* nci_conn_fail closes now. `tell`: the peer is told why by ERROR. */
void nci_conn_fail(nci_conn *conn, const ncg_error *why, bool tell);
/* nci_conn_finish says GOODBYE, sends what is queued, closes. */
void nci_conn_finish(nci_conn *conn);
/* nci_conn_resume reads on after `place` said not now, or a pause. */
void nci_conn_resume(nci_conn *conn);
void nci_conn_watch(nci_conn *conn);
/* nci_conn_attach polls a new descriptor. */
ncg_status nci_conn_attach(nci_conn *conn, int fd, ncg_error *err);
void nci_conn_detach(nci_conn *conn);
void nci_conn_name(const nci_conn *conn, char *out, size_t room);

/* dial.c: connecting */
/* nci_conn_dial begins the connecting side: "host:port,...". A failure comes
 * through ops->closed. */
ncg_status nci_conn_dial(nci_conn *conn, const char *addresses,
                         nci_peer_role role, nci_purpose purpose,
                         uint64_t epoch, ncg_error *err);
/* nci_dial_next tries the next address; false: there is none. */
bool nci_dial_next(nci_conn *conn, const ncg_error *why);
void nci_dial_connected(nci_conn *conn);
/* nci_dial_greet sends HELLO. */
void nci_dial_greet(nci_conn *conn);
void nci_dial_free(nci_conn *conn);

/* conn_secure.c */
/* nci_conn_begin: the socket is connected; TLS comes first, where there is. */
void nci_conn_begin(nci_conn *conn);
void nci_conn_secure_step(nci_conn *conn);
ssize_t nci_conn_secure_read(nci_conn *conn, const struct iovec *pieces, int n);
/* nci_conn_look_again reads on soon where bytes wait that no socket tells. */
void nci_conn_look_again(nci_conn *conn);
void nci_conn_drop_secure(nci_conn *conn);

/* conn_in.c */
/* nci_conn_read takes what has come; EOF and errors close the connection. */
void nci_conn_read(nci_conn *conn);
/* nci_conn_parse looks at what is in the buffer. */
ncg_status nci_conn_parse(nci_conn *conn, ncg_error *err);
/* nci_conn_feed takes bytes as if they had come from the socket; for tests. */
ncg_status nci_conn_feed(nci_conn *conn, const void *bytes, size_t nbytes,
                         ncg_error *err);
const void *nci_conn_head(const nci_conn *conn);
void nci_conn_shaken(nci_conn *conn);

/* conn_out.c */
/* nci_conn_queue takes `out`; false: the connection is closed and `out` still
 * the caller's. Any thread. */
bool nci_conn_queue(nci_conn *conn, nci_out *out);
/* nci_conn_queue_bytes queues a short frame; false also without memory. */
bool nci_conn_queue_frame(nci_conn *conn, int type, uint32_t request,
                          const void *head, size_t nhead);
bool nci_conn_queue_error(nci_conn *conn, uint32_t request,
                          const ncg_error *error);
/* nci_conn_try_send sends what it can and leaves it at that. */
void nci_conn_try_send(nci_conn *conn);
/* nci_conn_flush sends what it can; the loop's thread. False: it broke. */
bool nci_conn_flush(nci_conn *conn);
/* nci_conns_flush does so for all with something queued by this thread. */
void nci_conns_flush(void *conns);
bool nci_conn_is_drained(nci_conn *conn);
/* nci_conn_drop_out lets go of what is queued. */
void nci_conn_drop_out(nci_conn *conn);
nci_out *nci_out_create(const nci_frame *frame, const void *head);
void nci_out_free(nci_out *out);

/* conns.c: what a loop does for all of its connections */
ncg_status nci_conns_start(nci_conns *conns, nci_net *net, const char *name,
                           ncg_error *err);
void nci_conns_link(nci_conns *conns, nci_conn *conn);
void nci_conns_unlink(nci_conn *conn);
/* nci_conns_deliver: hosts of peers that are heard have not received all that
 * was said to them at the end. */
bool nci_conns_deliver(const nci_conns *conns);

#endif
