/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values in memory as sources: a caller's array, chunks that are held. Tiles
 * are views of them, nothing is copied and no scratch is used.
 */
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/source_internal.h"

/* Beyond this, hashing what an array holds costs more than it brings. */
enum { MOST_HASHED = 16 << 20 };

/* ---- a caller's array ----------------------------------------------------- */

/* The whole array is one tile, of which the box is wanted: no chunk of it has
 * to be contiguous. */
static ncg_status walk_buffer(const nci_source *source, const nci_box *box,
                              nci_scratch *scratch, nci_tile_want_fn wants,
                              nci_tile_fn visit, void *ctx, ncg_error *err)
{
    const nci_source_spec *spec = source->spec;
    nci_tile tile = {.box = nci_box_whole(spec->rank, spec->shape),
                     .data = nci_buf_data(source->chunks[0]),
                     .elem_size = (uint32_t)ncg_dtype_size(spec->dtype)};
    (void)scratch;
    if (wants && !wants(ctx, box))
        return NCG_OK;
    return visit(ctx, &tile, &source->plain, box, err);
}

static const nci_source_kind buffer_kind = {"memory", walk_buffer, NULL};

static nci_token token_of_buffer(const nci_source_form *form, nci_buf *data)
{
    size_t nbytes = nci_buf_size(data);
    if (nbytes > MOST_HASHED)
        return nci_source_own_token(form, "ncgraph.memory/1");
    nci_hash hash = nci_source_hash(form, "ncgraph.memory/1");
    nci_hash_bytes(&hash, nci_buf_data(data), nbytes);
    return nci_hash_done(&hash);
}

static int64_t bytes_of_box(const nci_box *box, ncg_dtype dtype)
{
    return nci_box_size(box) * (int64_t)ncg_dtype_size(dtype);
}

static ncg_status create_whole(const nci_source_form *form, nci_token token,
                               nci_buf *data, nci_source **out, ncg_error *err)
{
    nci_source *source = NULL;
    NCI_TRY(nci_source_create(form, &buffer_kind, 1, &source, err));
    nci_box all = nci_box_whole(source->spec->rank, source->spec->shape);
    source->spec->token = token;
    source->chunks[0] = nci_buf_retain(data);
    source->is_whole = true;
    ncg_status st = NCG_OK;
    if ((int64_t)nci_buf_size(data) != bytes_of_box(&all, form->dtype))
        st = nci_fail(err, NCG_EINVAL, "%zu bytes given for %lld",
                      nci_buf_size(data),
                      (long long)bytes_of_box(&all, form->dtype));
    if (st)
        nci_source_free(&source);
    else
        *out = source;
    return st;
}

ncg_status nci_source_from_buffer(nci_source_table *table,
                                  const nci_source_form *form, nci_buf *data,
                                  nci_node **out, ncg_error *err)
{
    nci_source *source = NULL;
    NCI_TRY(create_whole(form, token_of_buffer(form, data), data, &source,
                         err));
    return nci_source_table_node(table, source, out, err);
}

ncg_status nci_source_from_sent(nci_source_table *table,
                                const nci_source_form *form, nci_token token,
                                nci_buf *data, nci_node **out, ncg_error *err)
{
    nci_source *source = NULL;
    NCI_TRY(create_whole(form, token, data, &source, err));
    source->is_found = true;
    source->held = (int64_t)nci_buf_size(data);
    return nci_source_table_node(table, source, out, err);
}

/* ---- held chunks ------------------------------------------------------------ */

typedef struct chunk_walk {
    nci_scratch *scratch;
    nci_tile_fn visit;
    void *ctx;
} chunk_walk;

static ncg_status visit_held(void *arg, const nci_source *source, int64_t chunk,
                             const nci_box *wanted, ncg_error *err)
{
    const chunk_walk *w = arg;
    const nci_buf *held = source->chunks[chunk];
    nci_tile tile = {.box = nci_grid_box(&source->spec->grid, chunk),
                     .data = nci_buf_data(held),
                     .elem_size =
                         (uint32_t)ncg_dtype_size(source->spec->dtype)};
    if (!held) {
        uint8_t *data = NULL;
        int64_t nbytes = bytes_of_box(&tile.box, source->spec->dtype);
        NCI_TRY(nci_scratch_room(w->scratch, (size_t)nbytes, &data, err));
        NCI_TRY(nci_source_load(source, chunk, data, err));
        tile.data = data;
    }
    return w->visit(w->ctx, &tile, &source->plain, wanted, err);
}

static ncg_status walk_chunks(const nci_source *source, const nci_box *box,
                              nci_scratch *scratch, nci_tile_want_fn wants,
                              nci_tile_fn visit, void *ctx, ncg_error *err)
{
    chunk_walk w = {scratch, visit, ctx};
    return nci_source_each_chunk(source, box, wants, ctx, visit_held, &w, err);
}

/* Only as a whole. */
static ncg_status view_held(const nci_source *source, int64_t chunk,
                            const nci_box *box, nci_buf **out, ncg_error *err)
{
    const nci_buf *held = source->chunks[chunk];
    nci_box whole = nci_grid_box(&source->spec->grid, chunk);
    if (nci_box_size(box) != nci_box_size(&whole))
        return NCG_OK;
    if (!held)
        return nci_source_borrow(source, chunk, out, err);
    return nci_buf_view(held, nci_buf_data(held), nci_buf_size(held), out, err);
}

static const nci_source_kind chunks_kind = {"held chunks", walk_chunks,
                                            view_held};

ncg_status nci_source_from_chunks(nci_source_table *table,
                                  const nci_source_form *form, nci_token token,
                                  nci_buf *const *chunks, nci_node **out,
                                  ncg_error *err)
{
    nci_source *source = NULL;
    int64_t n = nci_grid_nchunks(form->grid);
    NCI_TRY(nci_source_create(form, &chunks_kind, n, &source, err));
    source->spec->token = token;
    source->is_found = true;
    ncg_status st = NCG_OK;
    for (int64_t i = 0; !st && i < n; i++) {
        nci_box box = nci_grid_box(form->grid, i);
        int64_t nbytes = (int64_t)nci_buf_size(chunks[i]);
        source->chunks[i] = nci_buf_retain(chunks[i]);
        source->held += nbytes;
        if (nbytes != bytes_of_box(&box, form->dtype))
            st = nci_fail(err, NCG_EBUG, "chunk %lld has %lld bytes, not %lld",
                          (long long)i, (long long)nbytes,
                          (long long)bytes_of_box(&box, form->dtype));
    }
    if (st) {
        nci_source_free(&source);
        return st;
    }
    return nci_source_table_node(table, source, out, err);
}

/* ---- names -------------------------------------------------------------------- */

nci_hash nci_source_hash(const nci_source_form *form, const char *domain)
{
    nci_hash hash;
    nci_hash_init(&hash, domain);
    nci_hash_i64(&hash, form->dtype);
    nci_hash_i64(&hash, form->grid->rank);
    for (int d = 0; d < form->grid->rank; d++) {
        const nci_axis *axis = &form->grid->axis[d];
        nci_hash_bytes(&hash, axis->edge,
                       ((size_t)axis->nchunks + 1) * sizeof *axis->edge);
    }
    nci_hash_i64(&hash, form->missing != NULL);
    if (form->missing)
        nci_hash_bytes(&hash, form->missing, ncg_dtype_size(form->dtype));
    return hash;
}

nci_token nci_source_own_token(const nci_source_form *form, const char *domain)
{
    static _Atomic int64_t count;
    struct timespec now;
    nci_hash hash = nci_source_hash(form, domain);
    clock_gettime(CLOCK_REALTIME, &now);
    nci_hash_i64(&hash, (int64_t)getpid());
    nci_hash_i64(&hash, (int64_t)now.tv_sec);
    nci_hash_i64(&hash, (int64_t)now.tv_nsec);
    nci_hash_i64(&hash, atomic_fetch_add(&count, 1));
    return nci_hash_done(&hash);
}
