/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes from a peer, as each kind of connection takes them. The first byte of
 * the input says which: one that shakes hands (either side), control, serving,
 * fetching; the second how the stream is cut. Then either raw bytes, or records
 *     type, flags, request, 2 bytes head length, 2 bytes payload length, bytes
 * of which frames with right checksums are made, as no fuzzer guesses those.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/net/crc32c.h"
#include "engine/net/net_internal.h"

enum { CHUNK = 5000, MAX_STREAM = 1 << 20 };

static nci_net net;

static void on_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    (void)ctx, (void)conn, (void)peer;
}

static void on_message(void *ctx, nci_conn_id conn, const nci_message *m)
{
    (void)conn;
    uint32_t *sum = ctx; /* every byte that is handed over can be read */
    *sum = nci_crc32c(*sum, m->head, m->nhead);
    if (m->body)
        *sum = nci_crc32c(*sum, nci_buf_data(m->body), nci_buf_size(m->body));
}

static void on_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    (void)ctx, (void)conn, (void)why;
}

static void on_wanted(void *ctx, uint64_t request, const nci_chunk_key *key)
{
    (void)ctx, (void)request, (void)key;
}

static void came(void *ctx, nci_buf *chunk, const ncg_error *err)
{
    (void)err;
    uint32_t *sum = ctx;
    if (chunk)
        *sum = nci_crc32c(*sum, nci_buf_data(chunk), nci_buf_size(chunk));
}

static void prepare(uint32_t *sum)
{
    static const uint8_t secret[NCI_SECRET_SIZE], id[NCI_CLUSTER_ID_SIZE];
    const nci_serve_hooks serve = {.ctx = sum, .wanted = on_wanted};
    net.options.hooks = (nci_net_hooks){.ctx = sum,
                                        .ready = on_ready,
                                        .message = on_message,
                                        .closed = on_closed};
    if (net.control.net)
        return;
    net.tick_ms = 250;
    net.options.max_body = 1 << 16;
    net.options.credit = 1 << 20;
    net.control.net = net.receive.net = net.serve.net = &net;
    pthread_mutex_init(&net.table.lock, NULL);
    nci_keys_derive(secret, id, &net.options.keys, NULL);
    nci_fetches_create(&net, NULL);
    nci_servings_create(&net, NULL);
    nci_net_serve(&net, &serve);
}

/* Frames of the records; returns the bytes written. */
static size_t make_frames(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t n = 0;
    while (size >= 7 && n + 2 * 65536 + 64 < MAX_STREAM) {
        uint8_t head[65536];
        nci_frame frame = {.type = in[0],
                           .flags = in[1] & 7,
                           .request = in[2],
                           .head = nci_get_u16(in + 3),
                           .payload = nci_get_u16(in + 5)};
        in += 7;
        size -= 7;
        if (frame.head > size)
            frame.head = (uint32_t)size;
        memcpy(head, in, frame.head);
        in += frame.head;
        size -= frame.head;
        if (frame.payload > size)
            frame.payload = size;
        nci_frame_encode(&frame, head, out + n);
        n += NCI_FRAME_SIZE;
        memcpy(out + n, head, frame.head);
        n += frame.head;
        memcpy(out + n, in, (size_t)frame.payload);
        n += (size_t)frame.payload;
        if (frame.flags & NCI_FLAG_PAYLOAD_CRC) {
            nci_put_u32(out + n, nci_crc32c(0, in, (size_t)frame.payload));
            n += NCI_TRAILER_SIZE;
        }
        in += frame.payload;
        size -= (size_t)frame.payload;
    }
    return n;
}

static nci_conn *make_conn(int kind, uint32_t *sum)
{
    nci_conn *conn = NULL;
    nci_packet hello;
    if (kind == 4) {
        const nci_fetch_spec spec = {.addresses = "x:1", .nbytes = CHUNK};
        nci_fetch_attach(&net, &spec, came, sum, &conn, NULL);
    } else {
        nci_conn_create(kind == 3 ? &net.serve : &net.control,
                        kind == 3   ? &nci_serve_ops
                        : kind == 2 ? &nci_control_ops
                                    : &nci_accept_ops,
                        NULL, &conn, NULL);
    }
    conn->accepted = kind == 0 || kind == 3;
    conn->peer.role = NCI_PEER_WORKER;
    conn->in.limits = nci_handshake_limits();
    conn->state = NCI_CONN_SHAKING;
    if (kind == 0)
        nci_handshake_listen(&conn->shake, &net.options.keys, NCI_MAY_ALL, 1,
                             NULL);
    else if (kind == 1)
        nci_handshake_connect(&conn->shake, &net.options.keys, NCI_PEER_WORKER,
                              NCI_PURPOSE_CONTROL, 0, "", &hello, NULL);
    if (kind < 2)
        return conn;
    conn->purpose = kind == 2 ? NCI_PURPOSE_CONTROL : NCI_PURPOSE_DATA;
    conn->state = NCI_CONN_READY;
    conn->in.limits.head = NCI_MAX_HEAD;
    conn->in.limits.payload = kind == 2 ? 1 << 16 : INT64_MAX;
    if (kind == 3)
        conn->ops->ready(conn);
    return conn;
}

/* The whole stream in pieces of `step` bytes. */
static void feed(nci_conn *conn, const uint8_t *bytes, size_t n, size_t step)
{
    ncg_error err;
    for (size_t at = 0; at < n && conn->state < NCI_CONN_CLOSING; at += step)
        if (nci_conn_feed(conn, bytes + at, n - at < step ? n - at : step,
                          &err)) {
            nci_conn_fail(conn, &err, true);
            return;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t stream[MAX_STREAM];
    uint32_t sum = 0;
    ncg_error bye;
    if (size < 2 || size > 60000)
        return 0;
    int kind = data[0] % 5;
    bool raw = data[0] >= 128;
    size_t step = data[1] ? (size_t)data[1] * data[1] : 1;
    size_t n = raw ? size - 2 : make_frames(data + 2, size - 2, stream);
    prepare(&sum);
    nci_conn *conn = make_conn(kind, &sum);
    nci_conn_retain(conn);
    feed(conn, raw ? data + 2 : stream, n, step);
    nci_fail(&bye, NCG_ECANCELED, "end");
    nci_conn_fail(conn, &bye, false);
    nci_conn_release(&conn);
    return 0;
}
