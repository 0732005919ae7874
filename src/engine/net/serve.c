/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Serving: the driver's answers become frames. A chunk that lies in memory or a
 * file in one run is one frame, sent from where it is. Parts, compressed chunks
 * and files whose bytes must be seen go in pieces of PIECE bytes, made one
 * after the other when the socket has taken the last one. All on the sending
 * thread, but for what begins an answer.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/net/compress.h"
#include "engine/net/serve_internal.h"

enum { PIECE = 1 << 20 };
/* Of one chunk, and of all that may wait for a connection to take them. */
enum { SMALL = 16 << 10, SMALL_WAITING = 1 << 20 };

void nci_net_serve(nci_net *net, const nci_serve_hooks *hooks)
{
    net->servings->hooks = *hooks;
}

static void end_answer(nci_serving *a)
{
    if (a->done)
        a->done(a->ctx);
    nci_serving_free(a);
}

static void end_out(nci_out *out)
{
    nci_serving *a = out->ctx;
    if (a->sent == a->total && !a->failed)
        atomic_fetch_add_explicit(&a->net->counters.chunks_out, 1,
                                  memory_order_relaxed);
    end_answer(a);
}

/* An ERROR frame in place of the next piece. */
static void make_error(nci_serving *a, nci_out *out)
{
    uint8_t head[NCI_ERROR_SIZE];
    nci_frame frame = {
        .type = NCI_WIRE_ERROR,
        .request = a->request,
        .head = sizeof head,
        .payload = strnlen(a->error.message, sizeof a->error.message - 1)};
    nci_error_encode(&a->error, head);
    nci_frame_encode(&frame, head, out->head);
    memcpy(out->head + NCI_FRAME_SIZE, head, sizeof head);
    out->nhead = NCI_FRAME_SIZE + sizeof head;
    out->bytes = (const uint8_t *)a->error.message;
    out->npayload = frame.payload;
    out->with_crc = false;
    out->file = -1;
    out->sent = 0;
    a->failed = true;
}

static bool wants_crc(const nci_serving *a)
{
    ncg_wire_checksum how = a->net->options.wire.checksum;
    return how == NCG_CHECKSUM_ON || (how == NCG_CHECKSUM_AUTO &&
                                      !a->conn->peer.same_host && !a->net->tls);
}

static void make_chunk(nci_serving *a, nci_out *out, uint64_t nraw,
                       size_t npayload, bool compressed)
{
    uint8_t head[NCI_CHUNK_SIZE];
    nci_piece piece = {a->total, a->sent, nraw};
    out->with_crc = wants_crc(a);
    nci_frame frame = {
        .type = NCI_WIRE_CHUNK,
        .request = a->request,
        .head = sizeof head,
        .payload = npayload,
        .flags = (uint16_t)((out->with_crc ? NCI_FLAG_PAYLOAD_CRC : 0) |
                            (compressed ? NCI_FLAG_COMPRESSED : 0))};
    nci_piece_encode(&piece, head);
    nci_frame_encode(&frame, head, out->head);
    memcpy(out->head + NCI_FRAME_SIZE, head, sizeof head);
    out->nhead = NCI_FRAME_SIZE + sizeof head;
    out->npayload = npayload;
    out->crc = 0;
    out->sent = 0;
    a->sent += nraw;
}

/* Bytes of the next piece: in place where they can be had so. */
static const uint8_t *piece_bytes(nci_serving *a, uint64_t n)
{
    int64_t at = (int64_t)a->sent;
    if (a->is_run && a->from.memory)
        return a->from.memory + a->base + at;
    ncg_status st = a->is_run ? nci_bytes_copy(&a->from, a->base + at,
                                               (int64_t)n, a->raw, &a->error)
                              : nci_part_copy(&a->what.part, &a->from, at,
                                              (int64_t)n, a->raw, &a->error);
    return st ? NULL : a->raw;
}

/* Room for a piece, made with the first one. */
static bool has_room(nci_serving *a)
{
    bool packs = a->net->options.wire.compression != NCG_WIRE_PLAIN;
    if (!a->raw && !(a->is_run && a->from.memory))
        a->raw = nci_alloc(PIECE);
    if (!a->packed && packs)
        a->packed = nci_alloc(nci_compress_bound(PIECE));
    if ((a->raw || (a->is_run && a->from.memory)) && (a->packed || !packs))
        return true;
    nci_fail(&a->error, NCG_ENOMEM, "no memory to send a chunk");
    return false;
}

static void end_later(void *ctx)
{
    end_answer(ctx);
}

static void make_piece(nci_serving *a, nci_out *out)
{
    ncg_wire_compression how = a->net->options.wire.compression;
    uint64_t left = a->total - a->sent, n = left < PIECE ? left : PIECE;
    size_t packed = 0;
    const uint8_t *bytes = has_room(a) ? piece_bytes(a, n) : NULL;
    if (!bytes) {
        make_error(a, out);
        return;
    }
    if (how != NCG_WIRE_PLAIN)
        packed = nci_compress(how, a->what.part.itemsize, bytes, (size_t)n,
                              a->packed);
    out->bytes = packed ? a->packed : bytes;
    make_chunk(a, out, n, packed ? packed : (size_t)n, packed > 0);
}

static bool next_piece(nci_out *out)
{
    nci_serving *a = out->ctx;
    if (a->failed || (a->begun && a->sent == a->total))
        return false;
    a->begun = true;
    make_piece(a, out);
    return true;
}

/* All of it in one frame, from where it is. */
static void make_direct(nci_serving *a, nci_out *out)
{
    if (a->from.memory) {
        out->bytes = a->from.memory + a->base;
    } else {
        out->file = a->from.file;
        out->offset = a->from.offset + a->base;
    }
    make_chunk(a, out, a->total, (size_t)a->total, false);
}

/* How the bytes will go; false: what was asked for does not fit the chunk. */
static bool plan(nci_serving *a)
{
    const nci_part *part = &a->what.part;
    ncg_wire_compression how = a->net->options.wire.compression;
    a->is_run = true;
    a->total = (uint64_t)a->nchunk;
    if (part->itemsize) {
        if (nci_part_chunk_bytes(part) != a->nchunk) {
            nci_fail(&a->error, NCG_EMISMATCH,
                     "a part of a chunk of %lld bytes was asked for, but it "
                     "has %lld",
                     (long long)nci_part_chunk_bytes(part),
                     (long long)a->nchunk);
            return false;
        }
        a->total = (uint64_t)nci_part_bytes(part);
        a->is_run = nci_part_is_run(part, &a->base);
    }
    a->direct =
        a->is_run && how == NCG_WIRE_PLAIN && (a->from.memory || !wants_crc(a));
    return true;
}

/* `done` is not called inside of an answer. */
static void post_end(nci_serving *a)
{
    a->job = (nci_loop_job){.fn = end_later, .ctx = a};
    if (!nci_loop_post_job(&a->net->serve.loop, &a->job))
        end_answer(a);
}

/* On the sending thread. */
static void send_answer(void *ctx)
{
    nci_serving *a = ctx;
    nci_frame none = {.type = NCI_WIRE_CHUNK};
    nci_out *out = nci_out_create(&none, NULL);
    if (!out) { /* the peer would wait for ever */
        nci_fail(&a->error, NCG_ENOMEM, "out of memory");
        nci_conn_fail(a->conn, &a->error, false);
        post_end(a);
        return;
    }
    out->ctx = a;
    out->done = end_out;
    if (a->error.status || !plan(a)) {
        make_error(a, out);
    } else if (a->direct) {
        make_direct(a, out);
    } else {
        out->more = next_piece;
        out->nhead = 0; /* made when it can be sent */
    }
    if (nci_conn_queue(a->conn, out))
        return;
    out->done = NULL;
    nci_out_free(out);
    post_end(a);
}

/* The question, off the table; where nobody asks any more something that has
 * the same end. */
static nci_serving *begin_answer(nci_net *net, uint64_t id, nci_serve_fn done,
                                 void *ctx)
{
    nci_serving *a = nci_serving_take(net->servings, id, NULL);
    if (!a && done)
        a = nci_calloc(1, sizeof *a);
    if (!a) {
        if (done)
            done(ctx); /* no memory to do it later */
        return NULL;
    }
    a->net = net;
    a->done = done;
    a->ctx = ctx;
    a->from.file = -1;
    return a;
}

static void post_answer(nci_serving *a)
{
    nci_loop *loop = &a->net->serve.loop;
    a->job = (nci_loop_job){.fn = send_answer, .ctx = a};
    if (!a->conn)
        post_end(a);
    else if (nci_loop_is_mine(loop))
        send_answer(a);
    else if (!nci_loop_post_job(loop, &a->job))
        end_answer(a);
}

void nci_serve_buf(nci_net *net, uint64_t request, nci_buf *chunk,
                   nci_serve_fn done, void *ctx)
{
    nci_serving *a = begin_answer(net, request, done, ctx);
    if (!a)
        return;
    a->chunk = nci_buf_retain(chunk);
    a->from.memory = nci_buf_data(chunk);
    a->nchunk = (int64_t)nci_buf_size(chunk);
    post_answer(a);
}

/* ---- small chunks -------------------------------------------------------- */

static bool is_slow(nci_conn *conn)
{
    pthread_mutex_lock(&conn->lock);
    bool slow = conn->queued > SMALL_WAITING;
    pthread_mutex_unlock(&conn->lock);
    return slow;
}

/* A part, or a connection that is slow: not so. */
static bool is_simple(const nci_serving *s)
{
    return !s->what.part.itemsize && !is_slow(s->conn);
}

static void end_small(nci_out *out)
{
    nci_serving *a = out->ctx;
    if (out->sent)
        atomic_fetch_add_explicit(&a->net->counters.chunks_out, 1,
                                  memory_order_relaxed);
    nci_serving_free(a);
}

bool nci_serve_small(nci_net *net, uint64_t request, nci_buf *chunk)
{
    const nci_frame none = {.type = NCI_WIRE_CHUNK};
    if (nci_buf_size(chunk) > SMALL ||
        net->options.wire.compression != NCG_WIRE_PLAIN)
        return false;
    nci_out *out = nci_out_create(&none, NULL);
    nci_serving *a =
        out ? nci_serving_take(net->servings, request, is_simple) : NULL;
    if (!a) {
        if (out)
            nci_out_free(out);
        return false;
    }
    a->chunk = nci_buf_retain(chunk);
    a->from = (nci_bytes_from){.memory = nci_buf_data(chunk), .file = -1};
    a->total = nci_buf_size(chunk);
    out->ctx = a;
    out->done = end_small;
    make_direct(a, out);
    if (!nci_conn_queue(a->conn, out)) /* closed: nobody waits any more */
        nci_out_free(out);
    return true;
}

void nci_serve_file(nci_net *net, uint64_t request, int fd, int64_t offset,
                    int64_t nbytes, nci_serve_fn done, void *ctx)
{
    nci_serving *a = begin_answer(net, request, done, ctx);
    if (!a)
        return;
    a->from.file = fd;
    a->from.offset = offset;
    a->nchunk = nbytes;
    post_answer(a);
}

void nci_serve_fail(nci_net *net, uint64_t request, const ncg_error *error)
{
    nci_serving *a = begin_answer(net, request, NULL, NULL);
    if (!a)
        return;
    a->error = *error;
    post_answer(a);
}
