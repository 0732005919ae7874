/* SPDX-License-Identifier: BSD-3-Clause */
/* Grids and the form of sources of files as bytes. */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/codec.h"

/* ---- grids
 * ---------------------------------------------------------------------- */

void nci_pack_grid(nci_pack *pack, const nci_grid *grid)
{
    nci_pack_i64(pack, grid->rank);
    for (int d = 0; d < grid->rank; d++)
        nci_pack_i64s(pack, grid->axis[d].edge, grid->axis[d].nchunks + 1);
}

static ncg_status unpack_axis(nci_unpack *in, nci_axis *out, ncg_error *err)
{
    int64_t n = 0;
    int64_t *edge = nci_unpack_i64s(in, &n);
    if (!edge || n < 1 || edge[0] != 0)
        in->failed = true;
    for (int64_t i = 1; edge && i < n; i++)
        if (edge[i] <= edge[i - 1])
            in->failed = true;
    ncg_status st = nci_unpack_status(in, err);
    if (!st)
        st = nci_axis_from_edges(edge, n - 1, out, err);
    nci_free(edge);
    return st;
}

/* No number of chunks or positions may leave 64 bits. */
static bool is_countable(const nci_grid *grid)
{
    int64_t chunks = 1, positions = 16;
    for (int d = 0; d < grid->rank; d++) {
        int64_t size = nci_axis_size(&grid->axis[d]);
        if (!nci_mul_i64(chunks, grid->axis[d].nchunks, &chunks) ||
            !nci_mul_i64(positions, size ? size : 1, &positions))
            return false;
    }
    return true;
}

ncg_status nci_unpack_grid(nci_unpack *in, nci_grid *out, ncg_error *err)
{
    nci_grid grid = {.rank = (int)nci_unpack_i64(in, 0, NCG_MAX_RANK)};
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < grid.rank; d++)
        st = unpack_axis(in, &grid.axis[d], err);
    if (!st && !is_countable(&grid))
        in->failed = true;
    if (!st)
        st = nci_unpack_status(in, err);
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

/* ---- decoding rules
 * ---------------------------------------------------------------- */

static void pack_decode(nci_pack *pack, const nci_decode *d)
{
    nci_pack_i64(pack, d->raw);
    nci_pack_i64(pack, d->out);
    nci_pack_i64(pack, d->nmissing);
    for (int i = 0; i < d->nmissing; i++) {
        nci_pack_f64(pack, d->missing[i]);
        nci_pack_i64(pack, d->missing_i64[i]);
    }
    nci_pack_i64(pack, d->has_min | d->has_max << 1 | d->has_scale << 2 |
                           d->has_default_fill << 3);
    nci_pack_f64(pack, d->min);
    nci_pack_f64(pack, d->max);
    nci_pack_i64(pack, d->min_i64);
    nci_pack_i64(pack, d->max_i64);
    nci_pack_f64(pack, d->scale);
    nci_pack_f64(pack, d->offset);
}

static ncg_dtype unpack_dtype(nci_unpack *in)
{
    return (ncg_dtype)nci_unpack_i64(in, NCG_DTYPE_I8, NCG_DTYPE_STRING);
}

static void unpack_decode(nci_unpack *in, nci_decode *d)
{
    d->raw = unpack_dtype(in);
    d->out = unpack_dtype(in);
    d->nmissing = (int)nci_unpack_i64(in, 0, NCI_MAX_MISSING);
    for (int i = 0; i < d->nmissing; i++) {
        d->missing[i] = nci_unpack_f64(in);
        d->missing_i64[i] = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    }
    int64_t flags = nci_unpack_i64(in, 0, 15);
    d->has_min = flags & 1;
    d->has_max = flags >> 1 & 1;
    d->has_scale = flags >> 2 & 1;
    d->has_default_fill = flags >> 3 & 1;
    d->min = nci_unpack_f64(in);
    d->max = nci_unpack_f64(in);
    d->min_i64 = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    d->max_i64 = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    d->scale = nci_unpack_f64(in);
    d->offset = nci_unpack_f64(in);
}

/* ---- sources
 * ------------------------------------------------------------------------- */

void nci_pack_source(nci_pack *pack, const nci_source_spec *spec)
{
    nci_pack_text(pack, spec->name);
    nci_pack_i64(pack, spec->dtype);
    nci_pack_i64(pack, spec->has_missing);
    nci_pack_bytes(pack, spec->missing, sizeof spec->missing);
    nci_pack_i64(pack, spec->join_axis);
    nci_pack_i64(pack, (int64_t)spec->token.low);
    nci_pack_i64(pack, (int64_t)spec->token.high);
    nci_pack_grid(pack, &spec->grid);
    nci_pack_i64(pack, (int64_t)spec->nsegments);
    for (size_t i = 0; i < spec->nsegments; i++) {
        const nci_segment *s = &spec->segments[i];
        nci_pack_i64(pack, s->file);
        nci_pack_i64(pack, s->var);
        nci_pack_i64(pack, s->start);
        nci_pack_i64(pack, s->count);
        nci_pack_i64(pack, s->file_start);
        pack_decode(pack, &s->decode);
    }
}

/* Segments lie one behind the other along the join axis. */
static void unpack_segments(nci_unpack *in, int nfiles, nci_source_spec *spec)
{
    int64_t at = 0;
    int64_t size = spec->join_axis < 0 ? 0 : spec->shape[spec->join_axis];
    for (size_t i = 0; i < spec->nsegments && !in->failed; i++) {
        nci_segment *s = &spec->segments[i];
        s->file = (int)nci_unpack_i64(in, 0, nfiles - 1);
        s->var = (int)nci_unpack_i64(in, -1, INT32_MAX);
        s->start = nci_unpack_i64(in, at, size ? size : 0);
        s->count = nci_unpack_i64(in, 0, INT64_MAX / 2);
        s->file_start = nci_unpack_i64(in, 0, INT64_MAX / 4);
        if (spec->join_axis >= 0 && s->count > size - s->start)
            in->failed = true;
        at = s->start + (spec->join_axis < 0 ? 0 : s->count);
        unpack_decode(in, &s->decode);
    }
}

ncg_status nci_unpack_source(nci_unpack *in, int nfiles, nci_source_spec **out,
                             ncg_error *err)
{
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    if (!spec)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    const char *name = nci_unpack_text(in);
    spec->name = name ? nci_strdup(name) : NULL;
    spec->dtype = unpack_dtype(in);
    spec->has_missing = nci_unpack_i64(in, 0, 1);
    nci_unpack_exactly(in, spec->missing, sizeof spec->missing);
    spec->join_axis = (int)nci_unpack_i64(in, -1, NCG_MAX_RANK - 1);
    spec->token.low = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    spec->token.high = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    ncg_status st = nci_unpack_grid(in, &spec->grid, err);
    spec->rank = spec->grid.rank;
    for (int d = 0; !st && d < spec->rank; d++)
        spec->shape[d] = nci_axis_size(&spec->grid.axis[d]);
    size_t n = (size_t)nci_unpack_i64(in, 0, INT32_MAX);
    if (spec->join_axis >= spec->rank || n > in->size - in->at)
        in->failed = true;
    if (!st)
        st = nci_unpack_status(in, err);
    if (!st) {
        spec->nsegments = n;
        spec->segments = nci_calloc(n + 1, sizeof *spec->segments);
        if (!spec->segments || !spec->name)
            st = nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    if (!st) {
        unpack_segments(in, nfiles, spec);
        st = nci_unpack_status(in, err);
    }
    if (st)
        nci_source_spec_free(&spec);
    else
        *out = spec;
    return st;
}
