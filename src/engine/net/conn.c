/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a connection, on its loop's thread. */
#include "engine/net/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/net/net_internal.h"

/* libuv's handle outlives the descriptor by one turn of the loop. */
typedef struct nci_poll {
    uv_poll_t uv;
    nci_conn *conn; /* NULL: let go of */
} nci_poll;

enum { CONTROL_BUFFER = 64 << 10, DATA_BUFFER = 4 << 10 };

ncg_status nci_conn_create(nci_conns *home, const nci_conn_ops *ops,
                           void *owner, nci_conn **out, ncg_error *err)
{
    bool control = ops != &nci_serve_ops && home == &home->net->control;
    nci_conn *conn = nci_calloc(1, sizeof *conn);
    size_t capacity = control ? CONTROL_BUFFER : DATA_BUFFER;
    uint8_t *buffer = conn ? nci_alloc(capacity) : NULL;
    if (!buffer) {
        nci_free(conn);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    conn->home = home;
    conn->ops = ops;
    conn->owner = owner;
    conn->refs = 1;
    conn->fd = -1;
    conn->last = &conn->first;
    conn->purpose = control ? NCI_PURPOSE_CONTROL : NCI_PURPOSE_DATA;
    conn->in.buffer = buffer;
    conn->in.capacity = capacity;
    pthread_mutex_init(&conn->lock, NULL);
    *out = conn;
    return NCG_OK;
}

nci_conn *nci_conn_retain(nci_conn *conn)
{
    atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
    return conn;
}

void nci_conn_release(nci_conn **slot)
{
    nci_conn *conn = *slot;
    *slot = NULL;
    if (!conn ||
        atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) > 1)
        return;
    NCI_ASSERT(conn->fd < 0 && !conn->first);
    nci_buf_release(&conn->in.body);
    nci_free(conn->in.buffer);
    pthread_mutex_destroy(&conn->lock);
    nci_free(conn);
}

void nci_conn_name(const nci_conn *conn, char *out, size_t room)
{
    if (conn->peer.name[0])
        snprintf(out, room, "%s (%s)", conn->peer.name, conn->peer.address);
    else
        snprintf(out, room, "%s", conn->peer.address);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    nci_conn *conn = ((nci_poll *)handle)->conn;
    if (!conn)
        return;
    nci_conn_retain(conn);
    if (conn->state == NCI_CONN_CONNECTING) {
        nci_dial_connected(conn);
    } else if (conn->state == NCI_CONN_SECURING) {
        nci_conn_secure_step(conn);
    } else {
        if (events & UV_WRITABLE)
            nci_conn_flush(conn);
        if ((events & UV_READABLE || status < 0) &&
            conn->state != NCI_CONN_CLOSED)
            nci_conn_read(conn);
        if (conn->state != NCI_CONN_CLOSED)
            nci_conn_watch(conn);
    }
    nci_conn_release(&conn);
}

ncg_status nci_conn_attach(nci_conn *conn, int fd, ncg_error *err)
{
    nci_poll *poll = nci_calloc(1, sizeof *poll);
    if (!poll)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    int code = uv_poll_init(&conn->home->loop.uv, &poll->uv, fd);
    if (code) {
        nci_free(poll);
        return nci_fail_sys(err, NCG_ENET, -code, "cannot poll a socket: %s",
                            uv_strerror(code));
    }
    poll->conn = conn;
    conn->poll = poll;
    conn->events = 0;
    pthread_mutex_lock(&conn->lock);
    conn->fd = fd;
    conn->open = true;
    conn->broken = false;
    pthread_mutex_unlock(&conn->lock);
    return NCG_OK;
}

static void free_poll(uv_handle_t *handle)
{
    nci_free(handle);
}

static void stop_poll(nci_conn *conn)
{
    nci_poll *poll = conn->poll;
    if (!poll)
        return;
    poll->conn = NULL;
    conn->poll = NULL;
    uv_poll_stop(&poll->uv);
    uv_close((uv_handle_t *)&poll->uv, free_poll);
}

void nci_conn_detach(nci_conn *conn)
{
    stop_poll(conn);
    pthread_mutex_lock(&conn->lock);
    int fd = conn->fd;
    conn->fd = -1;
    conn->open = false;
    nci_secure_free(&conn->secure);
    pthread_mutex_unlock(&conn->lock);
    if (fd >= 0)
        close(fd);
    nci_conn_drop_out(conn);
}

void nci_conn_watch(nci_conn *conn)
{
    int events = 0;
    if (!conn->poll)
        return;
    if (!conn->paused)
        events |= UV_READABLE;
    nci_conn_look_again(conn);
    if (conn->state == NCI_CONN_CONNECTING || conn->wants_write ||
        !nci_conn_is_drained(conn))
        events |= UV_WRITABLE;
    if (events == conn->events)
        return;
    conn->events = events;
    if (events)
        uv_poll_start(&conn->poll->uv, events, on_poll);
    else
        uv_poll_stop(&conn->poll->uv);
}

void nci_conn_shaken(nci_conn *conn)
{
    nci_address own;
    bool data = conn->purpose == NCI_PURPOSE_DATA;
    nci_dial_free(conn);
    conn->peer.epoch = conn->shake.epoch;
    if (conn->accepted) {
        const nci_hello *hello = &conn->shake.peer;
        nci_sock_name(conn->fd, &own);
        conn->peer.same_host = nci_address_same_host(&own, &conn->address);
        if (conn->peer.same_host)
            nci_sock_unpaced(conn->fd);
        conn->peer.role = hello->role;
        memcpy(conn->peer.name, hello->name, sizeof conn->peer.name);
        conn->purpose = hello->purpose;
        data = hello->purpose == NCI_PURPOSE_DATA;
    }
    conn->in.limits.head = NCI_MAX_HEAD;
    conn->in.limits.payload =
        data ? INT64_MAX : (uint64_t)conn->home->net->options.max_body;
    conn->state = NCI_CONN_READY;
    conn->silent = 0;
    atomic_store(&conn->ready, true);
    conn->ops->ready(conn);
}

void nci_conn_accept(nci_conn *conn, int fd, const nci_address *peer, int roles)
{
    ncg_error err;
    nci_net *net = conn->home->net;
    nci_conns_link(conn->home, conn);
    conn->accepted = true;
    conn->address = *peer;
    nci_address_format(peer, conn->peer.address);
    ncg_status st = nci_handshake_listen(&conn->shake, &net->options.keys,
                                         roles, net->options.epoch, &err);
    if (!st) {
        st = nci_conn_attach(conn, fd, &err);
        fd = st ? fd : -1;
    }
    if (fd >= 0)
        close(fd);
    if (st)
        nci_conn_fail(conn, &err, false);
    else
        nci_conn_begin(conn);
}

/* ---- moving to another loop ---------------------------------------------- */

static void arrive(void *ctx)
{
    ncg_error err;
    nci_conn *conn = ctx;
    if (conn->home->ended) {
        nci_fail(&err, NCG_ECANCELED, "this side ends");
        nci_conn_fail(conn, &err, false);
        nci_conn_release(&conn);
        return;
    }
    int fd = conn->fd;
    conn->fd = -1;
    nci_conns_link(conn->home, conn);
    if (nci_conn_attach(conn, fd, &err)) {
        close(fd);
        nci_conn_fail(conn, &err, false);
    } else {
        conn->ops->ready(conn);
        if (conn->state == NCI_CONN_READY)
            nci_conn_resume(conn);
    }
    nci_conn_release(&conn);
}

static void depart(void *ctx)
{
    ncg_error err;
    nci_conn *conn = ctx;
    nci_move *to = conn->moving;
    conn->moving = NULL;
    if (conn->state == NCI_CONN_READY) {
        stop_poll(conn);
        nci_conns_unlink(conn);
        conn->home = to->home;
        conn->ops = to->ops;
        conn->owner = to->owner;
        if (nci_loop_post(&to->home->loop, arrive, conn, &err)) {
            conn->state = NCI_CONN_CLOSED;
            nci_conn_detach(conn);
            nci_conn *listed = conn;
            nci_conn_release(&listed);
            nci_conn_release(&conn);
        }
    } else {
        nci_conn_release(&conn);
    }
    nci_free(to);
}

/* Not at once: the caller is in the midst of reading. */
void nci_conn_move(nci_conn *conn, nci_conns *home, const nci_conn_ops *ops,
                   void *owner)
{
    ncg_error err;
    nci_move *to = nci_alloc(sizeof *to);
    ncg_status st = to ? NCG_OK : nci_fail(&err, NCG_ENOMEM, "out of memory");
    if (to)
        *to = (nci_move){home, ops, owner};
    conn->moving = to;
    conn->paused = true;
    nci_conn_retain(conn);
    if (!st)
        st = nci_loop_post(&conn->home->loop, depart, conn, &err);
    if (!st)
        return;
    conn->moving = NULL;
    nci_free(to);
    nci_conn_fail(conn, &err, true);
    nci_conn_release(&conn);
}

/* ---- the end ------------------------------------------------------------- */

static void close_now(nci_conn *conn)
{
    if (conn->state == NCI_CONN_CLOSED)
        return;
    conn->state = NCI_CONN_CLOSED;
    nci_conn_detach(conn);
    nci_dial_free(conn);
    nci_conns_unlink(conn);
    conn->ops->closed(conn, &conn->why);
    nci_conn_release(&conn); /* the list's */
}

static bool is_connecting(const nci_conn *conn)
{
    return conn->dial && conn->state < NCI_CONN_READY;
}

void nci_conn_fail(nci_conn *conn, const ncg_error *why, bool tell)
{
    if (conn->state == NCI_CONN_CLOSED)
        return;
    nci_conn_retain(conn);
    if (conn->state != NCI_CONN_CLOSING)
        conn->why = *why;
    /* TLS that failed tells it by itself, if it can. */
    bool linger = tell && conn->state != NCI_CONN_CLOSING && conn->poll &&
                  (conn->state == NCI_CONN_SECURING ||
                   nci_conn_queue_error(conn, 0, why));
    conn->wants_write = false;
    if (is_connecting(conn)) {
        if (linger)
            nci_conn_try_send(conn);
        nci_conn_detach(conn);
        if (!nci_dial_next(conn, why))
            close_now(conn);
    } else if (linger) {
        conn->state = NCI_CONN_CLOSING;
        conn->age = 0;
        conn->paused = false;
        if (nci_conn_flush(conn))
            nci_conn_watch(conn);
    } else {
        close_now(conn);
    }
    nci_conn_release(&conn);
}

void nci_conn_finish(nci_conn *conn)
{
    ncg_error fine = {0};
    if (conn->state == NCI_CONN_CLOSED || conn->state == NCI_CONN_CLOSING)
        return;
    nci_error_clear(&fine);
    nci_dial_free(conn);
    conn->why = fine;
    if (conn->state != NCI_CONN_READY ||
        !nci_conn_queue_frame(conn, NCI_WIRE_GOODBYE, 0, NULL, 0)) {
        close_now(conn);
        return;
    }
    nci_conn_retain(conn);
    conn->state = NCI_CONN_CLOSING;
    conn->age = 0;
    conn->paused = false;
    if (nci_conn_flush(conn))
        nci_conn_watch(conn);
    nci_conn_release(&conn);
}

void nci_conn_resume(nci_conn *conn)
{
    ncg_error err;
    if (conn->state == NCI_CONN_CLOSED || !conn->paused)
        return;
    nci_conn_retain(conn);
    conn->paused = false;
    conn->silent = 0;
    if (nci_conn_parse(conn, &err))
        nci_conn_fail(conn, &err, true);
    if (conn->state != NCI_CONN_CLOSED)
        nci_conn_watch(conn);
    nci_conn_release(&conn);
}
