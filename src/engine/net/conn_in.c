/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames on their way in. What a peer may send and how much of it is checked
 * as soon as the 32 bytes of a frame are there; heads are collected in the
 * buffer, payloads are received where they stay.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "engine/net/crc32c.h"
#include "engine/net/net_internal.h"

enum {
    TURN = 4 << 20,  /* bytes of one connection before others have theirs */
    ERROR_TEXT = 512 /* of a payload of ERROR */
};

const void *nci_conn_head(const nci_conn *conn)
{
    return conn->in.buffer + conn->in.base + NCI_FRAME_SIZE;
}

static ncg_status check_sender(const nci_conn *conn, const nci_frame *frame,
                               ncg_error *err)
{
    static const char *const roles[] = {"worker", "client", "dashboard"};
    bool listens = !conn->accepted;
    if (conn->state != NCI_CONN_READY)
        return NCG_OK; /* the handshake knows what it waits for */
    if (frame->type <= NCI_WIRE_READY && frame->type != NCI_WIRE_ERROR)
        return nci_fail(err, NCG_ENET, "%s after the handshake",
                        nci_wire_type_name(frame->type));
    if (nci_wire_may(frame->type, conn->peer.role, listens))
        return NCG_OK;
    return nci_fail(err, NCG_EAUTH, "%s may not be sent by %s %s",
                    nci_wire_type_name(frame->type),
                    listens ? "the side that listens to a" : "a",
                    roles[conn->peer.role - 1]);
}

/* A greeting of TLS to a net that has none. */
static ncg_status check_plain(const uint8_t *bytes, ncg_error *err)
{
    if (bytes[0] != 0x16 || bytes[1] != 3)
        return NCG_OK;
    return nci_fail(err, NCG_EAUTH,
                    "who connects uses TLS, this cluster does not: start both "
                    "with --tls, or neither");
}

static ncg_status take_frame(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    if (conn->accepted && conn->state == NCI_CONN_SHAKING)
        NCI_TRY(check_plain(in->buffer + in->at, err));
    NCI_TRY(
        nci_frame_decode(in->buffer + in->at, &in->limits, &in->frame, err));
    NCI_TRY(check_sender(conn, &in->frame, err));
    if (in->frame.type == NCI_WIRE_ERROR && in->frame.payload > ERROR_TEXT)
        return nci_fail(err, NCG_ENET, "ERROR with a text of %llu bytes",
                        (unsigned long long)in->frame.payload);
    in->base = in->at;
    in->at += NCI_FRAME_SIZE;
    in->phase = NCI_IN_HEAD;
    return NCG_OK;
}

/* Of a payload that came with the head there is a copy where it stays. */
static void forget_payload(nci_in *in)
{
    size_t kept = in->base + NCI_FRAME_SIZE + in->frame.head;
    memmove(in->buffer + kept, in->buffer + in->at, in->end - in->at);
    in->end -= in->at - kept;
    in->at = kept;
}

/* Room for a frame, its head, a trailer and the next frame. */
static ncg_status make_room(nci_in *in, ncg_error *err)
{
    size_t need = 2 * NCI_FRAME_SIZE + NCI_TRAILER_SIZE +
                  (in->phase == NCI_IN_FRAME ? 0 : in->frame.head);
    if (in->phase == NCI_IN_FRAME)
        in->base = in->at;
    if (in->phase >= NCI_IN_PAYLOAD)
        forget_payload(in);
    if (in->base) {
        memmove(in->buffer, in->buffer + in->base, in->end - in->base);
        in->at -= in->base;
        in->end -= in->base;
        in->base = 0;
    }
    if (need <= in->capacity)
        return NCG_OK;
    uint8_t *more = nci_realloc(in->buffer, need);
    if (!more)
        return nci_fail(err, NCG_ENOMEM, "no memory for a message of %zu bytes",
                        need);
    in->buffer = more;
    in->capacity = need;
    return NCG_OK;
}

static ncg_status take_head(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    NCI_TRY(nci_frame_check(&in->frame, in->buffer + in->base,
                            nci_conn_head(conn), err));
    in->at += in->frame.head;
    in->got = 0;
    in->crc = 0;
    in->into = NULL;
    in->phase = NCI_IN_PLACE;
    return NCG_OK;
}

/* Texts of errors and whatever comes before READY are short. */
static ncg_status place_short(nci_in *in, ncg_error *err)
{
    NCI_TRY(nci_buf_create(ERROR_TEXT, &in->body, err));
    in->into = nci_buf_data(in->body);
    return NCG_OK;
}

static ncg_status place(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    ncg_status st = NCG_OK;
    if (!in->frame.payload) {
        in->phase = NCI_IN_PAYLOAD;
        return NCG_OK;
    }
    if (conn->state != NCI_CONN_READY || in->frame.type == NCI_WIRE_ERROR)
        st = place_short(in, err);
    else if (!conn->ops->place(conn, &st, err))
        conn->paused = true;
    if (!st && !conn->paused)
        in->phase = NCI_IN_PAYLOAD;
    return st;
}

static void took_payload(nci_in *in, size_t n)
{
    if (in->frame.flags & NCI_FLAG_PAYLOAD_CRC)
        in->crc = nci_crc32c(in->crc, in->into + in->got, n);
    in->got += n;
}

static ncg_status shake(nci_conn *conn, ncg_error *err)
{
    nci_packet packet;
    bool refused;
    nci_out *out = NULL;
    const nci_in *in = &conn->in;
    NCI_TRY(nci_handshake_step(&conn->shake, &in->frame, nci_conn_head(conn),
                               in->into, &packet, &refused, err));
    if (packet.nbytes) {
        nci_frame none = {.type = NCI_WIRE_READY};
        out = nci_out_create(&none, NULL);
        if (!out)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        memcpy(out->head, packet.bytes, packet.nbytes);
        out->nhead = packet.nbytes;
        if (!nci_conn_queue(conn, out)) {
            nci_out_free(out);
            return nci_fail(err, NCG_ENET, "the connection was closed");
        }
    }
    if (conn->shake.state == NCI_HANDSHAKE_READY)
        nci_conn_shaken(conn);
    return NCG_OK;
}

/* The peer says why it closes the connection. */
static ncg_status take_refusal(nci_conn *conn, ncg_error *err)
{
    ncg_error said, bad;
    const nci_in *in = &conn->in;
    ncg_status st =
        nci_error_decode(nci_conn_head(conn), in->frame.head, in->into,
                         (size_t)in->frame.payload, &said, &bad);
    if (st)
        return nci_fail(err, st, "%s", bad.message);
    nci_conn_fail(conn, &said, false);
    return NCG_OK;
}

static ncg_status deliver(nci_conn *conn, ncg_error *err)
{
    const nci_frame *frame = &conn->in.frame;
    if (conn->state == NCI_CONN_SHAKING)
        return shake(conn, err);
    if (conn->state != NCI_CONN_READY)
        return NCG_OK;
    if (frame->type == NCI_WIRE_HEARTBEAT)
        return NCG_OK;
    if (frame->type == NCI_WIRE_GOODBYE) {
        conn->told_bye = true;
        return NCG_OK;
    }
    if (frame->type == NCI_WIRE_ERROR && !frame->request)
        return take_refusal(conn, err);
    return conn->ops->frame(conn, err);
}

static ncg_status finish_frame(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    ncg_status st = deliver(conn, err);
    nci_buf_release(&in->body);
    in->into = NULL;
    in->phase = NCI_IN_FRAME;
    return st;
}

static ncg_status take_trailer(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    uint32_t crc = nci_get_u32(in->buffer + in->at);
    in->at += NCI_TRAILER_SIZE;
    if (crc != in->crc)
        return nci_fail(err, NCG_ENET,
                        "the payload of %s arrived damaged: its checksum does "
                        "not fit",
                        nci_wire_type_name(in->frame.type));
    return finish_frame(conn, err);
}

static ncg_status take_payload(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    uint64_t left = in->frame.payload - in->got;
    size_t there = in->end - in->at;
    size_t n = there < left ? there : (size_t)left;
    if (n) {
        memcpy(in->into + in->got, in->buffer + in->at, n);
        in->at += n;
        took_payload(in, n);
        if (in->at == in->end)
            forget_payload(in);
    }
    if (in->got < in->frame.payload)
        return NCG_OK;
    if (in->frame.flags & NCI_FLAG_PAYLOAD_CRC) {
        in->phase = NCI_IN_TRAILER;
        return NCG_OK;
    }
    return finish_frame(conn, err);
}

/* Bytes that the phase needs in the buffer. */
static size_t needed(const nci_in *in)
{
    switch (in->phase) {
    case NCI_IN_FRAME:
        return NCI_FRAME_SIZE;
    case NCI_IN_HEAD:
        return in->frame.head;
    case NCI_IN_PAYLOAD:
        return in->got < in->frame.payload ? 1 : 0;
    case NCI_IN_TRAILER:
        return NCI_TRAILER_SIZE;
    case NCI_IN_PLACE:
        break;
    }
    return 0;
}

static ncg_status take(nci_conn *conn, ncg_error *err)
{
    switch (conn->in.phase) {
    case NCI_IN_FRAME:
        return take_frame(conn, err);
    case NCI_IN_HEAD:
        return take_head(conn, err);
    case NCI_IN_PLACE:
        return place(conn, err);
    case NCI_IN_PAYLOAD:
        return take_payload(conn, err);
    case NCI_IN_TRAILER:
        return take_trailer(conn, err);
    }
    return NCG_OK;
}

ncg_status nci_conn_parse(nci_conn *conn, ncg_error *err)
{
    nci_in *in = &conn->in;
    while (!conn->paused && conn->state < NCI_CONN_CLOSING &&
           in->end - in->at >= needed(in))
        NCI_TRY(take(conn, err));
    if (conn->paused || conn->state >= NCI_CONN_CLOSING)
        return NCG_OK;
    if (in->at == in->end && in->phase == NCI_IN_FRAME)
        in->base = in->at = in->end = 0;
    bool tight = in->capacity - in->end < NCI_FRAME_SIZE ||
                 in->capacity - in->at < needed(in) + NCI_FRAME_SIZE;
    return tight ? make_room(in, err) : NCG_OK;
}

static void on_eof(nci_conn *conn)
{
    ncg_error why;
    if (conn->told_bye || conn->state == NCI_CONN_CLOSING)
        nci_error_clear(&why);
    else if (conn->state == NCI_CONN_READY)
        nci_fail(&why, NCG_ENET, "the other side is gone");
    else
        nci_fail(&why, NCG_ENET,
                 "the other side closed the connection in the handshake");
    nci_conn_fail(conn, &why, false);
}

static void on_error(nci_conn *conn, int sys)
{
    ncg_error why;
    if (!conn->secure || !nci_secure_why(conn->secure, &why))
        nci_fail_sys(&why, NCG_ENET, sys, "the connection broke: %s",
                 strerror(sys));
    nci_conn_fail(conn, &why, false);
}

/* Where bytes that come now go. */
static int room(const nci_in *in, struct iovec pieces[2])
{
    int n = 0;
    if (in->phase == NCI_IN_PAYLOAD && in->at == in->end)
        pieces[n++] = (struct iovec){in->into + in->got,
                                     (size_t)(in->frame.payload - in->got)};
    pieces[n++] = (struct iovec){in->buffer + in->end, in->capacity - in->end};
    return n;
}

static ssize_t receive(nci_conn *conn, size_t *asked)
{
    struct iovec pieces[2];
    int n = room(&conn->in, pieces);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)n};
    *asked = pieces[0].iov_len + (n > 1 ? pieces[1].iov_len : 0);
    if (conn->secure)
        return nci_conn_secure_read(conn, pieces, n);
    return recvmsg(conn->fd, &message, MSG_DONTWAIT);
}

static void account(nci_conn *conn, size_t n)
{
    nci_in *in = &conn->in;
    conn->silent = 0;
    atomic_fetch_add_explicit(&conn->home->net->counters.bytes_in, (int64_t)n,
                              memory_order_relaxed);
    if (in->phase == NCI_IN_PAYLOAD && in->at == in->end) {
        uint64_t left = in->frame.payload - in->got;
        size_t direct = n < left ? n : (size_t)left;
        took_payload(in, direct);
        n -= direct;
    }
    in->end += n;
}

ncg_status nci_conn_feed(nci_conn *conn, const void *bytes, size_t nbytes,
                         ncg_error *err)
{
    const uint8_t *from = bytes;
    while (nbytes && !conn->paused && conn->state < NCI_CONN_CLOSING) {
        struct iovec pieces[2];
        int n = room(&conn->in, pieces);
        size_t taken = 0;
        for (int i = 0; i < n && nbytes; i++) {
            size_t step =
                pieces[i].iov_len < nbytes ? pieces[i].iov_len : nbytes;
            memcpy(pieces[i].iov_base, from, step);
            from += step;
            nbytes -= step;
            taken += step;
        }
        NCI_ASSERT(taken > 0);
        account(conn, taken);
        NCI_TRY(nci_conn_parse(conn, err));
    }
    return NCG_OK;
}

/* What comes after our own GOODBYE or ERROR is of no interest. */
static void discard(nci_conn *conn)
{
    uint8_t bytes[4096];
    ssize_t n = recv(conn->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0)
        on_eof(conn);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        on_error(conn, errno);
}

void nci_conn_read(nci_conn *conn)
{
    ncg_error err;
    size_t asked = 0;
    if (conn->state == NCI_CONN_CLOSING) {
        discard(conn);
        return;
    }
    for (int64_t taken = 0;
         taken < TURN && !conn->paused && conn->state < NCI_CONN_CLOSING;) {
        ssize_t n = receive(conn, &asked);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            on_error(conn, errno);
            return;
        }
        if (n == 0) {
            on_eof(conn);
            return;
        }
        account(conn, (size_t)n);
        if (nci_conn_parse(conn, &err)) {
            nci_conn_fail(conn, &err, true);
            return;
        }
        if ((size_t)n < asked)
            return;
        taken += n;
    }
}
