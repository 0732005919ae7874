/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetching: what is asked for, from whom, and who waits for it. Everything
 * here belongs to the receiving thread; other threads post jobs.
 *
 *     fetch: QUEUED (no connection yet) -> ASKED -> COMING -> done
 *
 * A fetch has waiters, one for each call of nci_fetch for the same bytes. One
 * without waiters is no longer wanted: the peer is told, and its answer, data
 * or not, is the end of it.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/net/compress.h"
#include "engine/net/landing.h"
#include "engine/net/net_internal.h"

enum { BUCKETS = 1024, PEER_BUCKETS = 256, MAX_PIECE = 64 << 20 };

typedef struct waiter {
    struct waiter *next;
    uint64_t id;
    nci_fetch_fn done;
    void *ctx;
} waiter;

typedef struct fetch {
    struct fetch *next_key, *next_number; /* of their buckets */
    struct fetch *below, *above;          /* of the peer */
    struct source *peer;
    uint32_t number; /* the request on the wire */
    nci_fetch_request what;
    int64_t nbytes;
    waiter *waiters;
    bool asked, dropped;
    nci_buf *chunk; /* COMING */
    uint64_t got;
    nci_piece piece; /* that is coming */
} fetch;

/* A process that is asked for chunks. */
typedef struct source {
    struct source *next; /* of its bucket */
    char *addresses;
    uint64_t epoch;
    nci_peer_role role;
    nci_conn *conn; /* a reference */
    bool ready;
    fetch *first;    /* all from there */
    fetch *current;  /* whose bytes are coming */
    uint8_t *packed; /* room for a compressed piece */
    size_t npacked;
    struct source *next_short; /* waits for credit */
    bool is_short;
} source;

typedef struct nci_fetches {
    nci_net *net;
    _Atomic uint64_t last_id; /* of waiters; any thread */
    uint32_t last_number;
    bool ended;
    fetch *by_key[BUCKETS], *by_number[BUCKETS];
    source *sources[PEER_BUCKETS];
    source *shorts, **last_short; /* in order */
    int64_t used;                 /* credit */
    nci_landing *landing;
} nci_fetches;

ncg_status nci_fetches_create(nci_net *net, ncg_error *err)
{
    nci_fetches *all = nci_calloc(1, sizeof *all);
    if (!all)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    all->net = net;
    all->last_short = &all->shorts;
    net->fetches = all; /* nci_fetches_free, also on failure */
    return nci_landing_create(net->options.keep, &all->landing, err);
}

void nci_fetches_free(nci_net *net)
{
    if (net->fetches)
        nci_landing_close(&net->fetches->landing);
    nci_free(net->fetches);
    net->fetches = NULL;
}

/* ---- the tables --------------------------------------------------------- */

static bool same_part(const nci_part *a, const nci_part *b)
{
    size_t n = sizeof(int64_t) * (size_t)a->box.rank;
    if (a->itemsize != b->itemsize)
        return false;
    return !a->itemsize ||
           (a->box.rank == b->box.rank && !memcmp(a->shape, b->shape, n) &&
            !memcmp(a->box.start, b->box.start, n) &&
            !memcmp(a->box.count, b->box.count, n));
}

static bool same_bytes(const fetch *f, const nci_fetch_spec *spec)
{
    return f->what.key.chunk == spec->key.chunk &&
           nci_token_equal(f->what.key.space, spec->key.space) &&
           f->nbytes == spec->nbytes && same_part(&f->what.part, &spec->part);
}

static size_t bucket_of(const nci_chunk_key *key)
{
    uint64_t h = key->space.low ^ (uint64_t)key->chunk * 0x9e3779b97f4a7c15u;
    return (size_t)(h >> 32 ^ h) % BUCKETS;
}

static fetch *find_same(nci_fetches *all, const nci_fetch_spec *spec)
{
    fetch *f = all->by_key[bucket_of(&spec->key)];
    while (f && (f->dropped || !same_bytes(f, spec)))
        f = f->next_key;
    return f;
}

static fetch *find_number(nci_fetches *all, uint32_t number)
{
    fetch *f = all->by_number[number % BUCKETS];
    while (f && f->number != number)
        f = f->next_number;
    return f;
}

static void link_fetch(nci_fetches *all, source *from, fetch *f)
{
    fetch **key = &all->by_key[bucket_of(&f->what.key)];
    fetch **number;
    do
        f->number = ++all->last_number;
    while (!f->number || find_number(all, f->number));
    number = &all->by_number[f->number % BUCKETS];
    f->next_key = *key;
    *key = f;
    f->next_number = *number;
    *number = f;
    f->peer = from;
    f->below = from->first;
    if (f->below)
        f->below->above = f;
    from->first = f;
}

static void unlink_fetch(nci_fetches *all, fetch *f)
{
    fetch **link = &all->by_key[bucket_of(&f->what.key)];
    while (*link != f)
        link = &(*link)->next_key;
    *link = f->next_key;
    link = &all->by_number[f->number % BUCKETS];
    while (*link != f)
        link = &(*link)->next_number;
    *link = f->next_number;
    if (f->above)
        f->above->below = f->below;
    else
        f->peer->first = f->below;
    if (f->below)
        f->below->above = f->above;
    if (f->peer->current == f)
        f->peer->current = NULL;
}

/* ---- credit ---------------------------------------------------------------
 */

static void use_credit(nci_fetches *all, int64_t nbytes)
{
    all->used += nbytes;
    atomic_store_explicit(&all->net->counters.credit_used, all->used,
                          memory_order_relaxed);
}

static bool has_credit(const nci_fetches *all, int64_t nbytes)
{
    return !all->used || all->used + nbytes <= all->net->options.credit;
}

static void wait_for_credit(nci_fetches *all, source *from)
{
    if (from->is_short)
        return;
    from->is_short = true;
    from->next_short = NULL;
    *all->last_short = from;
    all->last_short = &from->next_short;
}

static void leave_queue(nci_fetches *all, source *from)
{
    source **link = &all->shorts;
    if (!from->is_short)
        return;
    while (*link != from)
        link = &(*link)->next_short;
    *link = from->next_short;
    if (!*link)
        all->last_short = link;
    from->is_short = false;
}

/* Those that wait are looked at again, on the next turn of the loop: credit
 * comes back while a connection reads. Who still has none queues again. */
static void resume_all(void *ctx)
{
    nci_fetches *all = ctx;
    int n = 0;
    for (source *from = all->shorts; from; from = from->next_short)
        n++;
    while (n-- && all->shorts) {
        source *from = all->shorts;
        nci_conn *conn = nci_conn_retain(from->conn);
        leave_queue(all, from);
        nci_conn_resume(conn);
        nci_conn_release(&conn);
    }
}

static void give_credit(nci_fetches *all, int64_t nbytes)
{
    use_credit(all, -nbytes);
    if (all->shorts)
        nci_loop_post(&all->net->receive.loop, resume_all, all, NULL);
}

/* ---- ends -------------------------------------------------------------------
 */

static void tell_waiters(fetch *f, nci_buf *chunk, const ncg_error *err)
{
    while (f->waiters) {
        waiter *w = f->waiters;
        f->waiters = w->next;
        w->done(w->ctx, chunk, err);
        nci_free(w);
    }
}

static void end_fetch(nci_fetches *all, fetch *f, const ncg_error *err)
{
    unlink_fetch(all, f);
    if (f->chunk)
        give_credit(all, f->nbytes);
    tell_waiters(f, err ? NULL : f->chunk, err);
    nci_buf_release(&f->chunk);
    nci_free(f);
}

static size_t source_bucket(const char *addresses)
{
    uint32_t h = 2166136261u;
    for (const char *p = addresses; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return h % PEER_BUCKETS;
}

static void free_source(nci_fetches *all, source *from)
{
    source **link = &all->sources[source_bucket(from->addresses)];
    while (*link && *link != from)
        link = &(*link)->next;
    if (*link)
        *link = from->next;
    leave_queue(all, from);
    nci_conn_release(&from->conn);
    nci_free(from->addresses);
    nci_free(from->packed);
    nci_free(from);
}

/* ---- a data connection
 * ------------------------------------------------------- */

static void ask(source *from, fetch *f)
{
    uint8_t head[NCI_FETCH_MAX_SIZE];
    size_t n = nci_fetch_encode(&f->what, head);
    f->asked = true;
    nci_conn_queue_frame(from->conn, NCI_WIRE_FETCH, f->number, head, n);
}

static void fetch_ready(nci_conn *conn)
{
    source *from = conn->owner;
    fetch *last = from->first;
    from->ready = true;
    while (last && last->below)
        last = last->below;
    for (fetch *f = last; f; f = f->above) /* the oldest first */
        ask(from, f);
}

static void fetch_closed(nci_conn *conn, const ncg_error *why)
{
    ncg_error err = *why;
    source *from = conn->owner;
    nci_fetches *all = conn->home->net->fetches;
    if (!err.status)
        nci_fail(&err, NCG_ENET, "the other side has ended");
    nci_error_wrap(&err, "chunks from %.200s", conn->peer.address);
    /* A fetch that begins in a `done` gets a connection of its own. */
    source **link = &all->sources[source_bucket(from->addresses)];
    while (*link && *link != from)
        link = &(*link)->next;
    if (*link)
        *link = from->next;
    while (from->first)
        end_fetch(all, from->first, &err);
    free_source(all, from);
    conn->owner = NULL;
}

static ncg_status find_coming(nci_conn *conn, fetch **out, ncg_error *err)
{
    source *from = conn->owner;
    const nci_in *in = &conn->in;
    nci_fetches *all = conn->home->net->fetches;
    fetch *f = find_number(all, in->frame.request);
    if (!f || f->peer != from || !f->asked)
        return nci_fail(err, NCG_ENET, "%s for what was not asked for",
                        nci_wire_type_name(in->frame.type));
    *out = f;
    return NCG_OK;
}

/* The piece is the one that must come now, of a chunk of the right size. */
static ncg_status check_piece(nci_conn *conn, fetch **out, ncg_error *err)
{
    const nci_in *in = &conn->in;
    nci_piece piece;
    fetch *f = NULL;
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
static bool begin_chunk(nci_fetches *all, fetch *f, ncg_status *st,
                        ncg_error *err)
{
    if (f->chunk)
        return true;
    if (!has_credit(all, f->nbytes)) {
        wait_for_credit(all, f->peer);
        return false;
    }
    *st = nci_landing_take(all->landing, (size_t)f->nbytes, &f->chunk, err);
    if (!*st)
        use_credit(all, f->nbytes);
    return true;
}

static ncg_status make_packed(source *from, size_t nbytes, ncg_error *err)
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
    source *from = conn->owner;
    fetch *f = NULL;
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
    source *from = conn->owner;
    const nci_in *in = &conn->in;
    nci_fetches *all = conn->home->net->fetches;
    fetch *f = from->current;
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
    end_fetch(all, f, NULL);
    return NCG_OK;
}

static ncg_status take_error(nci_conn *conn, ncg_error *err)
{
    const nci_in *in = &conn->in;
    ncg_error said;
    fetch *f = NULL;
    NCI_TRY(find_coming(conn, &f, err));
    NCI_TRY(nci_error_decode(nci_conn_head(conn), in->frame.head, in->into,
                             (size_t)in->frame.payload, &said, err));
    end_fetch(conn->home->net->fetches, f, &said);
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

static const nci_conn_ops fetch_ops = {.ready = fetch_ready,
                                       .place = fetch_place,
                                       .frame = fetch_frame,
                                       .closed = fetch_closed};

/* ---- jobs -------------------------------------------------------------------
 */

typedef struct request {
    nci_fetches *all;
    nci_fetch_spec spec; /* addresses: a copy */
    waiter *waiter;
} request;

static source *find_source(nci_fetches *all, const nci_fetch_spec *spec)
{
    source *from = all->sources[source_bucket(spec->addresses)];
    while (from && (strcmp(from->addresses, spec->addresses) ||
                    from->epoch != spec->epoch || from->role != spec->role))
        from = from->next;
    return from;
}

static ncg_status open_source(nci_fetches *all, const nci_fetch_spec *spec,
                              source **out, ncg_error *err)
{
    nci_conn *conn = NULL;
    source *from = nci_calloc(1, sizeof *from);
    if (from)
        from->addresses = nci_strdup(spec->addresses);
    if (!from || !from->addresses) {
        nci_free(from);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    from->epoch = spec->epoch;
    from->role = spec->role;
    ncg_status st =
        nci_conn_create(&all->net->receive, &fetch_ops, from, &conn, err);
    if (!st)
        st = nci_conn_dial(conn, spec->addresses, spec->role, NCI_PURPOSE_DATA,
                           spec->epoch, err);
    if (st) {
        nci_conn_release(&conn);
        nci_free(from->addresses);
        nci_free(from);
        return st;
    }
    from->conn = nci_conn_retain(conn);
    source **bucket = &all->sources[source_bucket(from->addresses)];
    from->next = *bucket;
    *bucket = from;
    *out = from;
    return NCG_OK;
}

static ncg_status open_fetch(nci_fetches *all, const nci_fetch_spec *spec,
                             fetch **out, ncg_error *err)
{
    source *from = find_source(all, spec);
    if (!from)
        NCI_TRY(open_source(all, spec, &from, err));
    fetch *f = nci_calloc(1, sizeof *f);
    if (!f)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    f->what = (nci_fetch_request){spec->key, spec->part};
    f->nbytes = spec->nbytes;
    link_fetch(all, from, f);
    if (from->ready)
        ask(from, f);
    *out = f;
    return NCG_OK;
}

static void fetch_job(void *ctx)
{
    request *r = ctx;
    ncg_error err;
    waiter *w = r->waiter;
    ncg_status st = NCG_OK;
    fetch *f = find_same(r->all, &r->spec);
    if (r->all->ended)
        st = nci_fail(&err, NCG_ECANCELED, "this side ends");
    else if (f)
        atomic_fetch_add_explicit(&r->all->net->counters.fetches_joined, 1,
                                  memory_order_relaxed);
    else
        st = open_fetch(r->all, &r->spec, &f, &err);
    if (st) {
        w->done(w->ctx, NULL, &err);
        nci_free(w);
    } else {
        w->next = f->waiters;
        f->waiters = w;
    }
    nci_free((char *)r->spec.addresses);
    nci_free(r);
}

ncg_status nci_fetch(nci_net *net, const nci_fetch_spec *spec,
                     nci_fetch_fn done, void *ctx, uint64_t *id, ncg_error *err)
{
    nci_fetches *all = net->fetches;
    request *r = nci_calloc(1, sizeof *r);
    waiter *w = nci_calloc(1, sizeof *w);
    char *addresses = nci_strdup(spec->addresses);
    ncg_status st = r && w && addresses
                        ? NCG_OK
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st) {
        *w = (waiter){.id = atomic_fetch_add(&all->last_id, 1) + 1,
                      .done = done,
                      .ctx = ctx};
        *r = (request){.all = all, .spec = *spec, .waiter = w};
        r->spec.addresses = addresses;
        if (id)
            *id = w->id;
        st = nci_loop_post(&net->receive.loop, fetch_job, r, err);
    }
    if (st) {
        nci_free(addresses);
        nci_free(w);
        nci_free(r);
    }
    return st;
}

/* Takes the waiter out of the fetch that it waits for. */
static waiter *take_waiter(nci_fetches *all, uint64_t id, fetch **of)
{
    for (int b = 0; b < BUCKETS; b++)
        for (fetch *f = all->by_number[b]; f; f = f->next_number)
            for (waiter **link = &f->waiters; *link; link = &(*link)->next)
                if ((*link)->id == id) {
                    waiter *w = *link;
                    *link = w->next;
                    *of = f;
                    return w;
                }
    return NULL;
}

/* Nobody waits for `f`. */
static void drop_fetch(nci_fetches *all, fetch *f)
{
    if (!f->asked) {
        end_fetch(all, f, NULL);
        return;
    }
    f->dropped = true;
    if (!f->chunk)
        nci_conn_queue_frame(f->peer->conn, NCI_WIRE_DROP, f->number, NULL, 0);
}

typedef struct abort_request {
    nci_fetches *all;
    uint64_t id;
} abort_request;

static void abort_job(void *ctx)
{
    ncg_error err;
    abort_request *r = ctx;
    fetch *f = NULL;
    waiter *w = take_waiter(r->all, r->id, &f);
    if (w) {
        nci_fail(&err, NCG_ECANCELED, "the fetch was aborted");
        w->done(w->ctx, NULL, &err);
        nci_free(w);
        if (!f->waiters)
            drop_fetch(r->all, f);
    }
    nci_free(r);
}

void nci_fetch_abort(nci_net *net, uint64_t id)
{
    abort_request *r = nci_alloc(sizeof *r);
    if (!r)
        return; /* it ends when the bytes are there */
    *r = (abort_request){net->fetches, id};
    if (nci_loop_post(&net->receive.loop, abort_job, r, NULL))
        nci_free(r);
}

typedef struct lost_request {
    nci_fetches *all;
    char *addresses;
} lost_request;

static void lost_job(void *ctx)
{
    ncg_error why;
    lost_request *r = ctx;
    source *from = r->all->sources[source_bucket(r->addresses)];
    nci_fail(&why, NCG_ENET, "the process is dead");
    while (from) {
        source *next = from->next;
        if (!strcmp(from->addresses, r->addresses)) {
            nci_dial_free(from->conn); /* no other address is tried */
            nci_conn_fail(from->conn, &why, false);
        }
        from = next;
    }
    nci_free(r->addresses);
    nci_free(r);
}

void nci_fetch_lost(nci_net *net, const char *addresses)
{
    lost_request *r = nci_alloc(sizeof *r);
    char *copy = nci_strdup(addresses);
    if (!r || !copy) {
        nci_free(r);
        nci_free(copy);
        return; /* the connection's own silence ends it later */
    }
    *r = (lost_request){net->fetches, copy};
    if (nci_loop_post(&net->receive.loop, lost_job, r, NULL)) {
        nci_free(copy);
        nci_free(r);
    }
}

void nci_fetches_end(nci_net *net)
{
    nci_fetches *all = net->fetches;
    ncg_error why;
    nci_fail(&why, NCG_ECANCELED, "this side ends");
    all->ended = true;
    for (int b = 0; b < BUCKETS; b++)
        while (all->by_number[b])
            end_fetch(all, all->by_number[b], &why);
}

ncg_status nci_fetch_attach(nci_net *net, const nci_fetch_spec *spec,
                            nci_fetch_fn done, void *ctx, nci_conn **out,
                            ncg_error *err)
{
    nci_fetches *all = net->fetches;
    fetch *f = nci_calloc(1, sizeof *f);
    waiter *w = nci_calloc(1, sizeof *w);
    source *from = nci_calloc(1, sizeof *from);
    char *addresses = nci_strdup(spec->addresses);
    ncg_status st =
        f && w && from && addresses
            ? nci_conn_create(&net->receive, &fetch_ops, from, out, err)
            : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st) {
        nci_free(f);
        nci_free(w);
        nci_free(from);
        nci_free(addresses);
        return st;
    }
    *w = (waiter){.done = done, .ctx = ctx};
    *from = (source){.addresses = addresses, .conn = nci_conn_retain(*out)};
    *f = (fetch){.what = {spec->key, spec->part}, .nbytes = spec->nbytes};
    f->waiters = w;
    f->asked = true;
    link_fetch(all, from, f);
    return NCG_OK;
}
