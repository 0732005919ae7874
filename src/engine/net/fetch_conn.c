/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data connection to one process that is asked for chunks: questions go
 * out, pieces of chunks come in, each checked against what was asked for before
 * memory is taken. The receiving thread only.
 */
#include "base/mem.h"
#include "engine/net/compress.h"
#include "engine/net/fetch_internal.h"

enum { MAX_PIECE = 64 << 20 };

void nci_fetch_ask(nci_fetch_source *from, nci_fetch_item *f)
{
    uint8_t head[NCI_FETCH_MAX_SIZE];
    size_t n = nci_fetch_encode(&f->what, head);
    f->asked = true;
    nci_conn_queue_frame(from->conn, NCI_WIRE_FETCH, f->number, head, n);
}

static void fetch_ready(nci_conn *conn)
{
    nci_fetch_source *from = conn->owner;
    nci_fetch_item *last = from->first;
    from->ready = true;
    while (last && last->below)
        last = last->below;
    for (nci_fetch_item *f = last; f; f = f->above) /* the oldest first */
        nci_fetch_ask(from, f);
}

static void fetch_closed(nci_conn *conn, const ncg_error *why)
{
    ncg_error err = *why;
    nci_fetch_source *from = conn->owner;
    nci_fetches *all = conn->home->net->fetches;
    if (!err.status)
        nci_fail(&err, NCG_ENET, "the other side has ended");
    nci_error_wrap(&err, "chunks from %.200s", conn->peer.address);
    /* A fetch that begins in a `done` gets a connection of its own. */
    nci_fetch_hide(all, from);
    while (from->first)
        nci_fetch_end(all, from->first, &err);
    nci_fetch_free_source(all, from);
    conn->owner = NULL;
}

static ncg_status find_coming(nci_conn *conn, nci_fetch_item **out,
                              ncg_error *err)
{
    nci_fetch_source *from = conn->owner;
    const nci_in *in = &conn->in;
    nci_fetches *all = conn->home->net->fetches;
    nci_fetch_item *f = nci_fetch_find_number(all, in->frame.request);
    if (!f || f->peer != from || !f->asked)
        return nci_fail(err, NCG_ENET, "%s for what was not asked for",
                        nci_wire_type_name(in->frame.type));
    *out = f;
    return NCG_OK;
}

/* The piece is the one that must come now, of a chunk of the right size. */
static ncg_status check_piece(nci_conn *conn, nci_fetch_item **out,
                              ncg_error *err)
{
    const nci_in *in = &conn->in;
    nci_piece piece;
    nci_fetch_item *f = NULL;
    NCI_TRY(find_coming(conn, &f, err));
    NCI_TRY(nci_piece_decode(nci_conn_head(conn), in->frame.head, &piece, err));
    if (f->nbytes == NCI_FETCH_ANY && piece.total <= NCI_FETCH_MOST)
        f->nbytes = (int64_t)piece.total;
    if (piece.total != (uint64_t)f->nbytes)
        return nci_fail(err, NCG_ENET,
                        "a chunk of %llu bytes came where %lld were expected",
                        (unsigned long long)piece.total, (long long)f->nbytes);
    bool compressed = in->frame.flags & NCI_FLAG_COMPRESSED;
    bool fits = compressed
                    ? piece.nbytes <= MAX_PIECE &&
                          in->frame.payload <= nci_compress_bound(MAX_PIECE)
                    : in->frame.payload == piece.nbytes;
    if (piece.offset != f->got || !fits)
        return nci_fail(err, NCG_ENET,
                        "a piece of a chunk came out of turn (at %llu, not "
                        "%llu)",
                        (unsigned long long)piece.offset,
                        (unsigned long long)f->got);
    f->piece = piece;
    *out = f;
    return NCG_OK;
}

/* Memory for the chunk; false: there is no credit for it now. */
static bool begin_chunk(nci_fetches *all, nci_fetch_item *f, ncg_status *st,
                        ncg_error *err)
{
    if (f->chunk)
        return true;
    if (!nci_fetch_take_credit(all, f->peer, f->nbytes))
        return false;
    *st = nci_landing_take(all->landing, (size_t)f->nbytes, &f->chunk, err);
    if (*st)
        nci_fetch_give_credit(all, f->nbytes);
    return true;
}

static ncg_status make_packed(nci_fetch_source *from, size_t nbytes,
                              ncg_error *err)
{
    if (from->npacked >= nbytes)
        return NCG_OK;
    nci_free(from->packed);
    from->packed = nci_alloc(nbytes);
    from->npacked = from->packed ? nbytes : 0;
    return from->packed ? NCG_OK
                        : nci_fail(err, NCG_ENOMEM,
                                   "no memory for a compressed piece of %zu "
                                   "bytes",
                                   nbytes);
}

static bool fetch_place(nci_conn *conn, ncg_status *st, ncg_error *err)
{
    nci_in *in = &conn->in;
    nci_fetch_source *from = conn->owner;
    nci_fetch_item *f = NULL;
    if (in->frame.type != NCI_WIRE_CHUNK) {
        *st = nci_fail(err, NCG_ENET, "%s on a data connection",
                       nci_wire_type_name(in->frame.type));
        return true;
    }
    *st = check_piece(conn, &f, err);
    if (*st)
        return true;
    if (!begin_chunk(conn->home->net->fetches, f, st, err))
        return false;
    if (*st)
        return true;
    from->current = f;
    if (in->frame.flags & NCI_FLAG_COMPRESSED) {
        *st = make_packed(from, (size_t)in->frame.payload, err);
        in->into = from->packed;
    } else {
        in->into = (uint8_t *)nci_buf_data(f->chunk) + f->got;
    }
    return true;
}

static ncg_status take_piece(nci_conn *conn, ncg_error *err)
{
    nci_fetch_source *from = conn->owner;
    const nci_in *in = &conn->in;
    nci_fetches *all = conn->home->net->fetches;
    nci_fetch_item *f = from->current;
    ncg_status st = NCG_OK;
    if (!in->frame.payload) { /* place was not asked */
        NCI_TRY(check_piece(conn, &f, err));
        begin_chunk(all, f, &st, err);
        if (st)
            return st;
        if (!f->chunk)
            return nci_fail(err, NCG_ENET, "an empty piece of a chunk");
    }
    from->current = NULL;
    if (in->frame.flags & NCI_FLAG_COMPRESSED)
        NCI_TRY(nci_decompress(from->packed, (size_t)in->frame.payload,
                               (uint8_t *)nci_buf_data(f->chunk) + f->got,
                               (size_t)f->piece.nbytes, err));
    f->got += f->piece.nbytes;
    if (f->got < (uint64_t)f->nbytes)
        return NCG_OK;
    atomic_fetch_add_explicit(&all->net->counters.chunks_in, 1,
                              memory_order_relaxed);
    nci_fetch_end(all, f, NULL);
    return NCG_OK;
}

static ncg_status take_error(nci_conn *conn, ncg_error *err)
{
    const nci_in *in = &conn->in;
    ncg_error said;
    nci_fetch_item *f = NULL;
    NCI_TRY(find_coming(conn, &f, err));
    NCI_TRY(nci_error_decode(nci_conn_head(conn), in->frame.head, in->into,
                             (size_t)in->frame.payload, &said, err));
    nci_fetch_end(conn->home->net->fetches, f, &said);
    return NCG_OK;
}

static ncg_status fetch_frame(nci_conn *conn, ncg_error *err)
{
    int type = conn->in.frame.type;
    if (type == NCI_WIRE_CHUNK)
        return take_piece(conn, err);
    if (type == NCI_WIRE_ERROR)
        return take_error(conn, err);
    return nci_fail(err, NCG_ENET, "%s on a data connection",
                    nci_wire_type_name(type));
}

const nci_conn_ops nci_fetch_ops = {.ready = fetch_ready,
                                    .place = fetch_place,
                                    .frame = fetch_frame,
                                    .closed = fetch_closed};
