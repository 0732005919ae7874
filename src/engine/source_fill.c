/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sources whose values are made when they are read: by a user's function, by a
 * generator. A tile is what was asked for of one chunk, in the thread's
 * scratch; generated ones are cut into pieces that stay in the cache.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/source_internal.h"

enum { PIECE_BYTES = 256 << 10 };

typedef struct filling {
    nci_scratch *scratch;
    nci_tile_want_fn wants;
    nci_tile_fn visit;
    void *ctx;
} filling;

static int64_t bytes_of(const nci_source *source, const nci_box *box)
{
    return nci_box_size(box) * (int64_t)ncg_dtype_size(source->spec->dtype);
}

static ncg_status open_tile(const filling *f, const nci_source *source,
                            const nci_box *box, nci_tile *tile, uint8_t **data,
                            ncg_error *err)
{
    NCI_TRY(nci_scratch_room(f->scratch, (size_t)bytes_of(source, box), data,
                             err));
    *tile = (nci_tile){.box = *box,
                       .data = *data,
                       .elem_size =
                           (uint32_t)ncg_dtype_size(source->spec->dtype)};
    return NCG_OK;
}

/* ---- a user's function ------------------------------------------------------ */

static ncg_status fill_box(const nci_source *source, int64_t chunk,
                           const nci_box *box, void *out, ncg_error *err)
{
    if (err)
        nci_error_clear(err);
    ncg_status st =
        source->fill(source->payload, box->start, box->count, out, err);
    if (!st)
        return NCG_OK;
    char own[sizeof err->message] = "";
    if (err)
        memcpy(own, err->message, sizeof own);
    return nci_fail(err, st, "%s: the function that fills chunk %lld: %s",
                    source->spec->name, (long long)chunk,
                    own[0] ? own : ncg_status_text(st));
}

static ncg_status visit_callback(void *arg, const nci_source *source,
                                 int64_t chunk, const nci_box *wanted,
                                 ncg_error *err)
{
    const filling *f = arg;
    nci_tile tile;
    uint8_t *data = NULL;
    NCI_TRY(open_tile(f, source, wanted, &tile, &data, err));
    NCI_TRY(fill_box(source, chunk, wanted, data, err));
    return f->visit(f->ctx, &tile, &source->plain, wanted, err);
}

static ncg_status make_filled(const nci_source *source, int64_t chunk,
                              const nci_box *box, nci_buf **out, ncg_error *err)
{
    nci_buf *made = NULL;
    NCI_TRY(nci_buf_create((size_t)bytes_of(source, box), &made, err));
    ncg_status st = fill_box(source, chunk, box, nci_buf_data(made), err);
    if (st)
        nci_buf_release(&made);
    *out = made;
    return st;
}

static ncg_status walk_callback(const nci_source *source, const nci_box *box,
                                nci_scratch *scratch, nci_tile_want_fn wants,
                                nci_tile_fn visit, void *ctx, ncg_error *err)
{
    filling f = {scratch, wants, visit, ctx};
    return nci_source_each_chunk(source, box, wants, ctx, visit_callback, &f,
                                 err);
}

static const nci_source_kind callback_kind = {"function", walk_callback,
                                              make_filled};

ncg_status nci_source_from_callback(nci_source_table *table,
                                    const nci_source_form *form,
                                    const nci_source_callback *callback,
                                    nci_node **out, ncg_error *err)
{
    nci_source *source = NULL;
    ncg_status st = nci_source_create(form, &callback_kind, 0, &source, err);
    if (st) {
        if (callback->release)
            callback->release(callback->payload);
        return st;
    }
    nci_hash hash = nci_source_hash(form, "ncgraph.function/1");
    nci_hash_text(&hash, callback->name);
    if (callback->token)
        source->spec->token = *callback->token;
    else
        source->spec->token =
            callback->name ? nci_hash_done(&hash)
                           : nci_source_own_token(form, "ncgraph.function/1");
    source->fill = callback->fill;
    source->release = callback->release;
    source->payload = callback->payload;
    source->tile_bytes = nci_source_largest(source->spec);
    source->scratch = source->tile_bytes + callback->scratch;
    return nci_source_table_node(table, source, out, err);
}

/* ---- generators --------------------------------------------------------------- */

/* Fills a box row by row; elements are numbered in row-major order. */
static void generate_box(const nci_source *source, const nci_box *box,
                         uint8_t *out)
{
    const nci_source_spec *spec = source->spec;
    int last = box->rank - 1;
    int64_t row = last < 0 ? 1 : box->count[last], at[NCG_MAX_RANK] = {0};
    size_t row_bytes = (size_t)row * ncg_dtype_size(spec->dtype);
    for (;;) {
        int64_t first = 0;
        for (int d = 0; d < box->rank; d++)
            first = first * spec->shape[d] + box->start[d] + at[d];
        nci_generate(&source->generator, spec->dtype, first, row, out);
        out += row_bytes;
        int d = last - 1;
        while (d >= 0 && ++at[d] == box->count[d])
            at[d--] = 0;
        if (d < 0)
            return;
    }
}

/* The axis along which a box is cut, and positions a piece: the outermost one
 * whose single positions fit. */
static int cut_axis(const nci_source *source, const nci_box *box, int64_t *step)
{
    int64_t bytes = bytes_of(source, box);
    int d = 0;
    for (; d < box->rank - 1 && bytes / box->count[d] > PIECE_BYTES; d++)
        bytes /= box->count[d];
    if (box->rank)
        bytes /= box->count[d];
    *step = PIECE_BYTES / bytes;
    return d;
}

static ncg_status visit_piece(const filling *f, const nci_source *source,
                              const nci_box *box, ncg_error *err)
{
    nci_tile tile;
    uint8_t *data = NULL;
    if (f->wants && !f->wants(f->ctx, box))
        return NCG_OK;
    NCI_TRY(open_tile(f, source, box, &tile, &data, err));
    generate_box(source, box, data);
    return f->visit(f->ctx, &tile, &source->plain, box, err);
}

static ncg_status visit_generated(void *arg, const nci_source *source,
                                  int64_t chunk, const nci_box *wanted,
                                  ncg_error *err)
{
    const filling *f = arg;
    int64_t step, last[NCG_MAX_RANK];
    int axis = cut_axis(source, wanted, &step);
    nci_box piece = *wanted;
    (void)chunk;
    if (!wanted->rank)
        return visit_piece(f, source, wanted, err);
    for (int d = 0; d < wanted->rank; d++) {
        last[d] = wanted->start[d] + wanted->count[d];
        if (d < axis)
            piece.count[d] = 1;
    }
    for (;;) {
        int64_t left = last[axis] - piece.start[axis];
        piece.count[axis] = left < step ? left : step;
        NCI_TRY(visit_piece(f, source, &piece, err));
        piece.start[axis] += piece.count[axis];
        int d = axis;
        while (d >= 0 && piece.start[d] == last[d]) {
            piece.start[d] = wanted->start[d];
            if (--d >= 0)
                piece.start[d]++;
        }
        if (d < 0)
            return NCG_OK;
    }
}

/* One value everywhere: a tile that was never written. */
static ncg_status walk_full(const nci_source *source, const nci_box *box,
                            nci_tile_want_fn wants, nci_tile_fn visit,
                            void *ctx, ncg_error *err)
{
    nci_tile tile = {.box = *box,
                     .elem_size =
                         (uint32_t)ncg_dtype_size(source->spec->dtype)};
    memcpy(tile.fill, source->generator.value, sizeof source->generator.value);
    if (wants && !wants(ctx, box))
        return NCG_OK;
    return visit(ctx, &tile, &source->plain, box, err);
}

static ncg_status walk_generator(const nci_source *source, const nci_box *box,
                                 nci_scratch *scratch, nci_tile_want_fn wants,
                                 nci_tile_fn visit, void *ctx, ncg_error *err)
{
    filling f = {scratch, wants, visit, ctx};
    if (source->generator.kind == NCI_GENERATE_FULL)
        return walk_full(source, box, wants, visit, ctx, err);
    return nci_source_each_chunk(source, box, NULL, ctx, visit_generated, &f,
                                 err);
}

static const nci_source_kind generator_kind = {"generator", walk_generator, NULL};

static nci_token token_of_generator(const nci_source_form *form,
                                    const nci_generator *g)
{
    nci_hash hash = nci_source_hash(form, "ncgraph.generator/1");
    const double f8[] = {g->start, g->delta, g->last};
    const int64_t i8[] = {g->kind, g->low, g->step, (int64_t)g->span,
                          (int64_t)g->seed};
    nci_hash_bytes(&hash, g->value, sizeof g->value);
    nci_hash_bytes(&hash, f8, sizeof f8);
    nci_hash_bytes(&hash, i8, sizeof i8);
    return nci_hash_done(&hash);
}

ncg_status nci_source_from_generator(nci_source_table *table,
                                     const nci_source_form *form,
                                     const nci_generator *generator,
                                     nci_node **out, ncg_error *err)
{
    nci_source *source = NULL;
    NCI_TRY(nci_source_create(form, &generator_kind, 0, &source, err));
    nci_box all = nci_box_whole(source->spec->rank, source->spec->shape);
    source->generator = *generator;
    source->generator.size = nci_box_size(&all);
    source->spec->token = token_of_generator(form, generator);
    source->scratch = nci_source_largest(source->spec);
    if (source->scratch > PIECE_BYTES)
        source->scratch = PIECE_BYTES;
    if (generator->kind == NCI_GENERATE_FULL)
        source->scratch = 0;
    source->tile_bytes = source->scratch;
    return nci_source_table_node(table, source, out, err);
}
