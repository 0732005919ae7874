/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks that processes of a cluster hold as sources: had from whoever has them
 * when they are read, chunk by chunk. Who that is, the table's holder knows. Of
 * a chunk that has to come from another process only the box that is read
 * comes: selections, neighbours of a window and new chunks need little of many.
 */
#include "engine/source_remote.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/source_internal.h"
#include "engine/source_spill.h"

void nci_source_table_set_holder(nci_source_table *table,
                                 const nci_source_holder *holder)
{
    pthread_mutex_lock(&table->lock);
    table->holder = holder ? *holder : (nci_source_holder){0};
    pthread_mutex_unlock(&table->lock);
}

static nci_source_holder holder_of(nci_source_table *table)
{
    pthread_mutex_lock(&table->lock);
    nci_source_holder holder = table->holder;
    pthread_mutex_unlock(&table->lock);
    return holder;
}

nci_token nci_source_new_space(void)
{
    static _Atomic int64_t count;
    uint8_t random[16] = {0};
    struct timespec now;
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.set/1");
    clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(random, sizeof random, GRND_NONBLOCK) > 0)
        nci_hash_bytes(&hash, random, sizeof random);
    nci_hash_i64(&hash, (int64_t)getpid());
    nci_hash_i64(&hash, (int64_t)now.tv_sec);
    nci_hash_i64(&hash, (int64_t)now.tv_nsec);
    nci_hash_i64(&hash, atomic_fetch_add(&count, 1));
    return nci_hash_done(&hash);
}

/* ---- reading ------------------------------------------------------------- */

/* `wanted` lies in the chunk. */
static nci_fetch_request request(const nci_source *source, int64_t chunk,
                                 const nci_box *own, const nci_box *wanted)
{
    nci_fetch_request what = {
        .key = {source->space, chunk},
        .part = {.itemsize = (int)ncg_dtype_size(source->spec->dtype),
                 .box = *wanted}};
    for (int d = 0; d < own->rank; d++) {
        what.part.box.start[d] -= own->start[d];
        what.part.shape[d] = own->count[d];
    }
    return what;
}

/* *is_whole: all of the chunk came. */
static ncg_status get(const nci_source *source, const nci_fetch_request *what,
                      nci_buf **out, bool *is_whole, ncg_error *err)
{
    const nci_source_holder holder = holder_of(source->table);
    if (!holder.get)
        return nci_fail(err, NCG_ENET,
                        "array %s is held by a cluster that this context is "
                        "not linked to any more",
                        source->spec->name);
    NCI_TRY(holder.get(holder.ctx, what, out, err));
    int64_t nbytes = (int64_t)nci_buf_size(*out);
    *is_whole = nbytes == nci_part_chunk_bytes(&what->part);
    if (*is_whole || nbytes == nci_part_bytes(&what->part))
        return NCG_OK;
    nci_buf_release(out);
    return nci_fail(err, NCG_ENET, "a chunk of array %s came in another size",
                    source->spec->name);
}

typedef struct remote_walk {
    nci_tile_fn visit;
    void *ctx;
} remote_walk;

static ncg_status visit_chunk(void *arg, const nci_source *source,
                              int64_t chunk, const nci_box *wanted,
                              ncg_error *err)
{
    const remote_walk *w = arg;
    nci_buf *held = NULL;
    bool is_whole;
    nci_box own = nci_grid_box(&source->spec->grid, chunk);
    nci_fetch_request what = request(source, chunk, &own, wanted);
    NCI_TRY(get(source, &what, &held, &is_whole, err));
    nci_tile tile = {.box = is_whole ? own : *wanted,
                     .data = nci_buf_data(held),
                     .elem_size =
                         (uint32_t)ncg_dtype_size(source->spec->dtype)};
    ncg_status st = w->visit(w->ctx, &tile, &source->plain, wanted, err);
    nci_buf_release(&held);
    return st;
}

static ncg_status walk(const nci_source *source, const nci_box *box,
                       nci_scratch *scratch, nci_tile_want_fn wants,
                       nci_tile_fn visit, void *ctx, ncg_error *err)
{
    remote_walk w = {visit, ctx};
    (void)scratch; /* what comes is its own memory, counted as if it were */
    return nci_source_each_chunk(source, box, wants, ctx, visit_chunk, &w, err);
}

/* Only as a whole. */
static ncg_status make_chunk(const nci_source *source, int64_t chunk,
                             const nci_box *box, nci_buf **out, ncg_error *err)
{
    nci_box own = nci_grid_box(&source->spec->grid, chunk);
    bool is_whole;
    if (nci_box_size(box) != nci_box_size(&own))
        return NCG_OK;
    nci_fetch_request what = request(source, chunk, &own, &own);
    return get(source, &what, out, &is_whole, err);
}

static const nci_source_kind remote_kind = {"chunks on a cluster", walk,
                                            make_chunk};

/* ---- making -------------------------------------------------------------- */

static void let_go(void *payload)
{
    const nci_source *source = payload;
    const nci_source_holder holder = holder_of(source->table);
    if (holder.let_go)
        holder.let_go(holder.ctx, source->space);
}

ncg_status nci_source_from_remote(nci_source_table *table,
                                  const nci_source_form *form, nci_token token,
                                  nci_token space, nci_node **out,
                                  ncg_error *err)
{
    nci_source *source = NULL;
    const nci_source_holder holder = holder_of(table);
    NCI_TRY(nci_source_create(form, &remote_kind, 0, &source, err));
    source->spec->token = token;
    source->space = space;
    source->is_found = true;
    source->is_remote = true;
    source->table = table;
    source->scratch = source->tile_bytes = nci_source_largest(source->spec);
    ncg_status st = holder.hold ? holder.hold(holder.ctx, space, err) : NCG_OK;
    if (st) {
        source->table = NULL;
        nci_source_free(&source);
        return st;
    }
    source->release = let_go;
    source->payload = source;
    return nci_source_table_node(table, source, out, err);
}

bool nci_source_is_remote(const nci_source *source, nci_token *space)
{
    if (source && source->is_remote)
        *space = source->space;
    return source && source->is_remote;
}

int64_t nci_source_remote_chunk(const nci_source *source, const int64_t *at)
{
    const nci_grid *grid = &source->spec->grid;
    int64_t index[NCG_MAX_RANK] = {0};
    for (int d = 0; d < grid->rank; d++)
        index[d] = nci_axis_find(&grid->axis[d], at[d]);
    return nci_grid_number(grid, index);
}

bool nci_source_remote_all(const nci_source *source, const int64_t *low,
                           const int64_t *high,
                           bool (*has)(void *ctx, int64_t chunk), void *ctx)
{
    const nci_grid *grid = &source->spec->grid;
    int64_t first[NCG_MAX_RANK] = {0}, last[NCG_MAX_RANK] = {0};
    int64_t index[NCG_MAX_RANK] = {0};
    for (int d = 0; d < grid->rank; d++) {
        index[d] = first[d] = nci_axis_find(&grid->axis[d], low[d]);
        last[d] = nci_axis_find(&grid->axis[d], high[d]);
    }
    for (;;) {
        int d = grid->rank - 1;
        if (!has(ctx, nci_grid_number(grid, index)))
            return false;
        while (d >= 0 && index[d] == last[d]) {
            index[d] = first[d];
            d--;
        }
        if (d < 0)
            return true;
        index[d]++;
    }
}

void nci_source_table_each_remote(nci_source_table *table,
                                  void (*visit)(void *ctx, nci_token space),
                                  void *ctx)
{
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < table->count; i++) {
        const nci_source *source = table->places[i].source;
        if (source && source->is_remote)
            visit(ctx, source->space);
    }
    pthread_mutex_unlock(&table->lock);
}
