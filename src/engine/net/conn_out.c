/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames on their way out. Whoever queues one sends what the socket takes,
 * unless it is the loop's own thread: that one collects what a turn of the loop
 * brings, and sends it together before the loop waits. Chunks go from where
 * they are in memory, or from a file, to the socket; nothing is copied.
 */
#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "engine/net/crc32c.h"
#include "engine/net/net_internal.h"

enum {
    PIECES = 32,        /* of one call */
    TURN = 8 << 20,     /* bytes of one connection before others have theirs */
    FILE_STEP = 4 << 20, /* of one sendfile */
    SECRET_STEP = 32 << 10 /* of a file, encrypted */
};

nci_out *nci_out_create(const nci_frame *frame, const void *head)
{
    nci_out *out = nci_calloc(1, sizeof *out);
    uint8_t *at = out ? out->head : NULL;
    if (out && frame->head > sizeof out->head - NCI_FRAME_SIZE)
        at = out->long_head = nci_alloc(NCI_FRAME_SIZE + frame->head);
    if (!at) {
        nci_free(out);
        return NULL;
    }
    nci_frame_encode(frame, head, at);
    if (frame->head)
        memcpy(at + NCI_FRAME_SIZE, head, frame->head);
    out->nhead = NCI_FRAME_SIZE + frame->head;
    out->npayload = frame->payload;
    out->with_crc = frame->flags & NCI_FLAG_PAYLOAD_CRC;
    out->file = -1;
    return out;
}

void nci_out_free(nci_out *out)
{
    if (out->done)
        out->done(out);
    nci_buf_release(&out->body);
    nci_free(out->long_head);
    nci_free(out);
}

static uint64_t size_of(const nci_out *out)
{
    return out->nhead + out->npayload + (out->with_crc ? NCI_TRAILER_SIZE : 0);
}

/* Adds what of `out` can be sent from memory now; false: stop after it. */
static bool add_pieces(nci_out *out, uint8_t *trailer, struct iovec *pieces,
                       int *n)
{
    uint64_t at = out->sent;
    if (!out->nhead)
        return false; /* its first piece is not made yet */
    if (at < out->nhead) {
        uint8_t *head = out->long_head ? out->long_head : out->head;
        pieces[(*n)++] = (struct iovec){head + at, out->nhead - (size_t)at};
        at = out->nhead;
    }
    uint64_t done = at - out->nhead;
    if (done < out->npayload) {
        if (out->file >= 0)
            return false;
        pieces[(*n)++] = (struct iovec){(void *)(out->bytes + done),
                                        (size_t)(out->npayload - done)};
        return !out->with_crc && !out->more;
    }
    if (out->with_crc) {
        nci_put_u32(trailer, out->crc);
        uint64_t of_trailer = done - out->npayload;
        pieces[(*n)++] = (struct iovec){trailer + of_trailer,
                                        NCI_TRAILER_SIZE - (size_t)of_trailer};
        return false;
    }
    return !out->more;
}

static ssize_t send_from_memory(nci_conn *conn)
{
    struct iovec pieces[PIECES];
    uint8_t trailer[NCI_TRAILER_SIZE];
    int n = 0;
    for (nci_out *out = conn->first; out && n < PIECES - 2; out = out->next)
        if (!add_pieces(out, trailer, pieces, &n))
            break;
    if (conn->secure)
        return nci_secure_write(conn->secure, pieces, n);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)n};
    return sendmsg(conn->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t encrypt_from_file(nci_conn *conn, off_t at, uint64_t left)
{
    uint8_t bytes[SECRET_STEP];
    ssize_t n = pread(conn->first->file, bytes,
                      left < sizeof bytes ? (size_t)left : sizeof bytes, at);
    struct iovec piece = {bytes, n > 0 ? (size_t)n : 0};
    return n > 0 ? nci_secure_write(conn->secure, &piece, 1) : n;
}

static ssize_t send_from_file(nci_conn *conn)
{
    const nci_out *out = conn->first;
    uint64_t done = out->sent - out->nhead, left = out->npayload - done;
    off_t at = (off_t)(out->offset + (int64_t)done);
    if (conn->secure) {
        ssize_t some = encrypt_from_file(conn, at, left);
        if (some == 0)
            errno = EIO;
        return some ? some : -1;
    }
    ssize_t n = sendfile(conn->fd, out->file, &at,
                         left < FILE_STEP ? (size_t)left : FILE_STEP);
    if (n == 0)
        errno = EIO; /* the file is shorter than what was promised */
    return n ? n : -1;
}

static bool is_file_next(const nci_out *out)
{
    return out->file >= 0 && out->sent >= out->nhead &&
           out->sent < out->nhead + out->npayload;
}

/* Bytes of the payload among the `n` that were sent from out->sent on. */
static void sum_payload(nci_out *out, uint64_t n)
{
    uint64_t begin = out->sent < out->nhead ? out->nhead : out->sent;
    uint64_t end = out->sent + n, limit = out->nhead + out->npayload;
    end = end < limit ? end : limit;
    if (out->with_crc && begin < end)
        out->crc = nci_crc32c(out->crc, out->bytes + (begin - out->nhead),
                              (size_t)(end - begin));
}

static void pop_locked(nci_conn *conn, nci_out ***gone)
{
    nci_out *out = conn->first;
    conn->queued -= (int64_t)size_of(out);
    conn->first = out->next;
    if (!conn->first)
        conn->last = &conn->first;
    out->next = NULL;
    **gone = out;
    *gone = &out->next;
}

/* Counts `n` bytes as sent; what is complete goes to `gone`. */
static void advance_locked(nci_conn *conn, uint64_t n, nci_out ***gone)
{
    while (conn->first) {
        nci_out *out = conn->first;
        uint64_t left = size_of(out) - out->sent;
        uint64_t step = n < left ? n : left;
        sum_payload(out, step);
        out->sent += step;
        n -= step;
        if (out->sent < size_of(out))
            return;
        if (out->more)
            return; /* the next piece is made when it can be sent */
        pop_locked(conn, gone);
    }
}

/* Sees to it that the first in the queue has something to send; false: it is
 * done with. */
static bool make_piece_locked(nci_conn *conn, nci_out ***gone)
{
    nci_out *out = conn->first;
    if (!out->more || out->sent < size_of(out))
        return true;
    conn->queued -= (int64_t)size_of(out);
    bool more = out->more(out);
    conn->queued += (int64_t)size_of(out);
    if (!more)
        pop_locked(conn, gone);
    return more;
}

/* Sends until the socket takes no more; false: it broke. */
static bool send_locked(nci_conn *conn, nci_out ***gone)
{
    int64_t total = 0;
    if (conn->secure && !nci_secure_flush(conn->secure)) {
        conn->broken = true;
        return false;
    }
    while (conn->first && total < TURN) {
        if (!make_piece_locked(conn, gone))
            continue;
        ssize_t n = is_file_next(conn->first) ? send_from_file(conn)
                                              : send_from_memory(conn);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            conn->broken = true;
            return false;
        }
        if (n < 0)
            break;
        conn->moved = conn->sent_any = true;
        total += n;
        advance_locked(conn, (uint64_t)n, gone);
    }
    atomic_fetch_add_explicit(&conn->home->net->counters.bytes_out, total,
                              memory_order_relaxed);
    return true;
}

static void free_all(nci_out *out)
{
    while (out) {
        nci_out *next = out->next;
        nci_out_free(out);
        out = next;
    }
}

void nci_conn_drop_out(nci_conn *conn)
{
    pthread_mutex_lock(&conn->lock);
    nci_out *all = conn->first;
    conn->first = NULL;
    conn->last = &conn->first;
    conn->queued = 0;
    pthread_mutex_unlock(&conn->lock);
    free_all(all);
}

static bool is_drained_locked(const nci_conn *conn)
{
    return !conn->first && !(conn->secure && nci_secure_unsent(conn->secure));
}

bool nci_conn_is_drained(nci_conn *conn)
{
    pthread_mutex_lock(&conn->lock);
    bool drained = is_drained_locked(conn);
    pthread_mutex_unlock(&conn->lock);
    return drained;
}

static void break_down(nci_conn *conn)
{
    ncg_error why;
    int sys = conn->fd >= 0 ? nci_sock_error(conn->fd) : EPIPE;
    if (!conn->secure || !nci_secure_why(conn->secure, &why))
        nci_fail_sys(&why, NCG_ENET, sys, "the connection broke: %s",
                 strerror(sys ? sys : EPIPE));
    nci_conn_fail(conn, &why, false);
}

void nci_conn_try_send(nci_conn *conn)
{
    nci_out *gone = NULL, **end = &gone;
    pthread_mutex_lock(&conn->lock);
    if (conn->fd >= 0 && !conn->broken)
        send_locked(conn, &end);
    pthread_mutex_unlock(&conn->lock);
    free_all(gone);
}

bool nci_conn_flush(nci_conn *conn)
{
    nci_out *gone = NULL, **end = &gone;
    const struct nci_poll *before = conn->poll;
    bool fine = true;
    if (conn->state == NCI_CONN_CLOSED || conn->fd < 0)
        return false;
    pthread_mutex_lock(&conn->lock);
    fine = !conn->broken && send_locked(conn, &end);
    bool drained = is_drained_locked(conn);
    pthread_mutex_unlock(&conn->lock);
    free_all(gone);
    if (!fine) {
        /* What the peer said before it closed tells more than EPIPE. */
        nci_conn_read(conn);
        if (conn->poll == before)
            break_down(conn);
        return false;
    }
    if (drained && conn->state == NCI_CONN_CLOSING)
        shutdown(conn->fd, SHUT_WR);
    return true;
}

/* What another thread could not send. */
static void send_rest(void *ctx)
{
    nci_conn *conn = ctx;
    pthread_mutex_lock(&conn->lock);
    conn->wants_loop = false;
    pthread_mutex_unlock(&conn->lock);
    if (conn->state != NCI_CONN_CLOSED && nci_conn_flush(conn))
        nci_conn_watch(conn);
    nci_conn_release(&conn);
}

/* The loop shall send the rest; counts a reference for that. */
static bool ask_loop_locked(nci_conn *conn)
{
    if (conn->wants_loop)
        return true;
    conn->rest = (nci_loop_job){.fn = send_rest, .ctx = conn};
    conn->wants_loop = true;
    nci_conn_retain(conn);
    return nci_loop_post_job(&conn->home->loop, &conn->rest);
}

static void mark_unsent(nci_conn *conn)
{
    if (conn->in_unsent)
        return;
    conn->in_unsent = true;
    conn->next_unsent = conn->home->unsent;
    conn->home->unsent = nci_conn_retain(conn);
}

void nci_conns_flush(void *ctx)
{
    nci_conns *conns = ctx;
    while (conns->unsent) {
        nci_conn *conn = conns->unsent;
        conns->unsent = conn->next_unsent;
        conn->in_unsent = false;
        if (nci_conn_flush(conn))
            nci_conn_watch(conn);
        nci_conn_release(&conn);
    }
}

static void append_locked(nci_conn *conn, nci_out *out)
{
    out->next = NULL;
    *conn->last = out;
    conn->last = &out->next;
    conn->queued += (int64_t)size_of(out);
}

/* From a thread that is not the loop's. */
static void send_now_locked(nci_conn *conn, nci_out ***gone, bool *orphan)
{
    bool alone = !conn->first->next;
    if (alone && !conn->wants_loop)
        send_locked(conn, gone);
    if (!is_drained_locked(conn) || conn->broken)
        *orphan = !ask_loop_locked(conn);
}

bool nci_conn_queue(nci_conn *conn, nci_out *out)
{
    nci_out *gone = NULL, **end = &gone;
    bool orphan = false, mine = nci_loop_is_mine(&conn->home->loop);
    pthread_mutex_lock(&conn->lock);
    bool taken = conn->open && !conn->broken;
    if (taken) {
        append_locked(conn, out);
        if (!mine)
            send_now_locked(conn, &end, &orphan);
    }
    pthread_mutex_unlock(&conn->lock);
    if (taken && mine)
        mark_unsent(conn);
    free_all(gone);
    if (orphan) {
        nci_conn *again = conn;
        nci_conn_release(&again);
    }
    return taken;
}

bool nci_conn_queue_frame(nci_conn *conn, int type, uint32_t request,
                          const void *head, size_t nhead)
{
    nci_frame frame = {
        .type = (uint8_t)type, .request = request, .head = (uint32_t)nhead};
    nci_out *out = nci_out_create(&frame, head);
    if (!out)
        return false;
    bool taken = nci_conn_queue(conn, out);
    if (!taken)
        nci_out_free(out);
    return taken;
}

bool nci_conn_queue_error(nci_conn *conn, uint32_t request,
                          const ncg_error *error)
{
    uint8_t head[NCI_ERROR_SIZE];
    size_t ntext = strnlen(error->message, sizeof error->message - 1);
    nci_frame frame = {.type = NCI_WIRE_ERROR,
                       .request = request,
                       .head = sizeof head,
                       .payload = ntext};
    nci_buf *text = NULL;
    nci_error_encode(error, head);
    nci_out *out = nci_out_create(&frame, head);
    if (!out || nci_buf_create(ntext ? ntext : 1, &text, NULL)) {
        if (out)
            nci_out_free(out);
        return false;
    }
    memcpy(nci_buf_data(text), error->message, ntext);
    out->body = text;
    out->bytes = nci_buf_data(text);
    bool taken = nci_conn_queue(conn, out);
    if (!taken)
        nci_out_free(out);
    return taken;
}
