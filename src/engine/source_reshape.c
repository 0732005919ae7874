/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sources in another shape. A caller's array lies in one stretch, so any shape
 * will do. What a function fills is asked for in its own shape: an axis may be
 * split where its chunks are whole runs of the last parts,
 *
 *     480 in chunks of 24  ->  (40, 12) in chunks of (2, 12)
 *
 * so that a chunk of ours is a chunk of its own, with the same values in the
 * same order. Boxes that are less than that are picked out of what covers them.
 */
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/source_internal.h"

/* Axis a of the inner shape is axes first[a] .. first[a + 1] - 1 of ours. */
typedef struct reshaped {
    const nci_source *inner;
    nci_buf *handle; /* keeps the inner one */
    int first[NCG_MAX_RANK + 1];
    int64_t shape[NCG_MAX_RANK];
} reshaped;

/* ---- a function's array ----------------------------------------------------- */

/* Positions of inner axis a that cover the box; false where there are others
 * between those of the box. */
static bool cover(const reshaped *r, int a, const int64_t *start,
                  const int64_t *count, nci_box *out)
{
    int64_t low = 0, high = 0;
    bool is_run = true;
    for (int d = r->first[a]; d < r->first[a + 1]; d++) {
        low = low * r->shape[d] + start[d];
        high = high * r->shape[d] + start[d] + count[d] - 1;
        is_run = is_run && (d == r->first[a] || count[d] == r->shape[d]);
    }
    out->start[a] = low;
    out->count[a] = high - low + 1;
    return is_run;
}

/* Rows of the last axis, from what covers the box. */
static void pick(const reshaped *r, const nci_box *covered, const uint8_t *from,
                 const int64_t *start, const int64_t *count, size_t size,
                 uint8_t *to)
{
    int rank = r->first[covered->rank];
    int64_t at[NCG_MAX_RANK] = {0};
    size_t row = (size_t)count[rank - 1] * size;
    for (;; to += row) {
        int64_t offset = 0;
        for (int a = 0; a < covered->rank; a++) {
            int64_t position = 0;
            for (int d = r->first[a]; d < r->first[a + 1]; d++)
                position = position * r->shape[d] + start[d] + at[d];
            offset = offset * covered->count[a] + position - covered->start[a];
        }
        memcpy(to, from + (size_t)offset * size, row);
        int d = rank - 2;
        while (d >= 0 && ++at[d] == count[d])
            at[d--] = 0;
        if (d < 0)
            return;
    }
}

static ncg_status fill_reshaped(void *payload, const int64_t *start,
                                const int64_t *count, void *out, ncg_error *err)
{
    const reshaped *r = payload;
    const nci_source *inner = r->inner;
    size_t size = ncg_dtype_size(inner->spec->dtype);
    nci_box box = {.rank = inner->spec->rank};
    bool is_box = true;
    for (int a = 0; a < box.rank; a++)
        is_box = cover(r, a, start, count, &box) && is_box;
    if (is_box)
        return inner->fill(inner->payload, box.start, box.count, out, err);
    void *covered = nci_alloc_aligned((size_t)nci_box_size(&box) * size);
    if (!covered)
        return nci_fail(err, NCG_ENOMEM, "out of memory (reshape)");
    ncg_status st =
        inner->fill(inner->payload, box.start, box.count, covered, err);
    if (!st)
        pick(r, &box, covered, start, count, size, out);
    nci_free(covered);
    return st;
}

static void release_reshaped(void *payload)
{
    reshaped *r = payload;
    nci_buf_release(&r->handle);
    nci_free(r);
}

/* ---- its chunks --------------------------------------------------------------- */

static bool split_axes(const nci_node *node, int rank, const int64_t *shape,
                       reshaped *r)
{
    int d = 0;
    memcpy(r->shape, shape, (size_t)rank * sizeof *shape);
    for (int a = 0; a < node->rank; a++) {
        int64_t size = 1;
        r->first[a] = d;
        do
            size *= d < rank ? shape[d++] : node->shape[a] + 1;
        while (size < node->shape[a]);
        if (size != node->shape[a])
            return false;
    }
    r->first[node->rank] = d;
    return d == rank;
}

/* The chunks of inner axis a, as chunks of the first of our axes; *out keeps no
 * edges where one does not end with a run. */
static ncg_status split_chunks(const reshaped *r, int a, const nci_axis *inner,
                               nci_axis *out, ncg_error *err)
{
    int64_t run = 1, n = inner->nchunks;
    for (int d = r->first[a] + 1; d < r->first[a + 1]; d++)
        run *= r->shape[d];
    for (int64_t i = 0; i <= n; i++)
        if (inner->edge[i] % run)
            return NCG_OK;
    int64_t *edge = nci_alloc(((size_t)n + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i <= n; i++)
        edge[i] = inner->edge[i] / run;
    ncg_status st = nci_axis_from_edges(edge, n, out, err);
    nci_free(edge);
    return st;
}

static ncg_status grid_of(const nci_node *node, const reshaped *r,
                          nci_grid *out, bool *fits, ncg_error *err)
{
    out->rank = r->first[node->rank];
    *fits = true;
    for (int a = 0; *fits && a < node->rank; a++) {
        int d = r->first[a];
        NCI_TRY(split_chunks(r, a, &node->grid.axis[a], &out->axis[d], err));
        *fits = out->axis[d].edge != NULL;
        for (d++; *fits && d < r->first[a + 1]; d++)
            NCI_TRY(nci_axis_regular(r->shape[d], r->shape[d], &out->axis[d],
                                     err));
    }
    return NCG_OK;
}

/* ---- making them ---------------------------------------------------------------- */

static nci_token token_of(const nci_node *node, int rank, const int64_t *shape)
{
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.reshaped/1");
    nci_hash_token(&hash, node->token);
    nci_hash_bytes(&hash, shape, (size_t)rank * sizeof *shape);
    return nci_hash_done(&hash);
}

static ncg_status reshape_function(nci_source_table *table,
                                   const nci_source *inner,
                                   const nci_node *node,
                                   const nci_source_form *form, reshaped *r,
                                   nci_node **out, ncg_error *err)
{
    nci_token token = token_of(node, form->grid->rank, r->shape);
    nci_source_callback callback = {.fill = fill_reshaped,
                                    .release = release_reshaped,
                                    .token = &token,
                                    .scratch = inner->scratch};
    reshaped *own = nci_alloc(sizeof *own);
    if (!own)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *own = *r;
    own->inner = inner;
    own->handle = nci_buf_retain(inner->handle);
    callback.payload = own;
    return nci_source_from_callback(table, form, &callback, out, err);
}

ncg_status nci_source_reshaped(nci_source_table *table, const nci_node *node,
                               int rank, const int64_t *shape, nci_node **out,
                               ncg_error *err)
{
    reshaped r;
    bool fits = false;
    nci_grid grid = {0};
    *out = NULL;
    if (node->kind != NCI_NODE_SOURCE)
        return NCG_OK;
    const nci_source *inner = nci_source_table_get(table, node->source);
    if (!inner || !inner->fill || !inner->handle || rank < 1 ||
        node->rank < 1 || !split_axes(node, rank, shape, &r))
        return NCG_OK;
    ncg_status st = grid_of(node, &r, &grid, &fits, err);
    nci_source_form form = {node->name, node->dtype, &grid,
                            node->has_missing ? node->missing : NULL};
    if (!st && fits)
        st = reshape_function(table, inner, node, &form, &r, out, err);
    nci_grid_fini(&grid);
    return st;
}
