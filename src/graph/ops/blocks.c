/* SPDX-License-Identifier: BSD-3-Clause */
/* What the builders of BLOCK nodes share; see blocks.h. */
#include "graph/ops/blocks.h"

#include <stdio.h>

#include "base/mem.h"
#include "graph/block.h"

/* ---- chunks ----------------------------------------------------------------
 */

/* Chunk [low, high) in `pieces` even pieces; writes where they begin. */
static int64_t cut(int64_t low, int64_t high, int64_t most, int64_t *edge)
{
    int64_t n = high - low, pieces = (n + most - 1) / most;
    for (int64_t p = 0; edge && p < pieces; p++)
        edge[p] = low + n / pieces * p + n % pieces * p / pieces;
    return pieces;
}

static ncg_status axis_of(int64_t *edge, int64_t n, int64_t size, nci_axis *out,
                          ncg_error *err)
{
    edge[n] = size;
    return n ? nci_axis_from_edges(edge, n, out, err)
             : nci_axis_regular(0, 1, out, err);
}

ncg_status nci_axis_cut(const nci_axis *axis, int64_t most, nci_axis *out,
                        ncg_error *err)
{
    int64_t n = 0;
    most = most < 1 ? 1 : most;
    for (int64_t i = 0; i < axis->nchunks; i++)
        n += cut(axis->edge[i], axis->edge[i + 1], most, NULL);
    int64_t *edge = nci_alloc(((size_t)n + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    n = 0;
    for (int64_t i = 0; i < axis->nchunks; i++)
        n += cut(axis->edge[i], axis->edge[i + 1], most, edge + n);
    ncg_status st = axis_of(edge, n, nci_axis_size(axis), out, err);
    nci_free(edge);
    return st;
}

ncg_status nci_axis_fit(const nci_axis *axis, int64_t most, nci_axis *out,
                        ncg_error *err)
{
    if (nci_axis_longest(axis) > most)
        return nci_axis_cut(axis, most, out, err);
    int64_t n = 0;
    int64_t *edge = nci_alloc(((size_t)axis->nchunks + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < axis->nchunks; i++)
        if (n == 0 || axis->edge[i + 1] - edge[n - 1] > most)
            edge[n++] = axis->edge[i];
    ncg_status st = axis_of(edge, n, nci_axis_size(axis), out, err);
    nci_free(edge);
    return st;
}

ncg_status nci_axis_join(const nci_axis *const *axes, int64_t n, nci_axis *out,
                         ncg_error *err)
{
    int64_t total = 0, at = 0, k = 0;
    for (int64_t i = 0; i < n; i++)
        total += axes[i]->nchunks;
    int64_t *edge = nci_alloc(((size_t)total + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < axes[i]->nchunks; c++)
            edge[k++] = at + axes[i]->edge[c];
        at += nci_axis_size(axes[i]);
    }
    ncg_status st = axis_of(edge, k, at, out, err);
    nci_free(edge);
    return st;
}

static ncg_status cut_large(nci_grid *grid, size_t item, ncg_error *err)
{
    double bytes = (double)item;
    for (int d = 0; d < grid->rank; d++)
        bytes *= (double)nci_axis_longest(&grid->axis[d]);
    for (int d = 0; d < grid->rank && bytes > NCI_WORK_MOST; d++) {
        int64_t longest = nci_axis_longest(&grid->axis[d]);
        double most = (double)longest * NCI_WORK_MOST / bytes;
        nci_axis axis;
        NCI_TRY(nci_axis_cut(&grid->axis[d], (int64_t)most, &axis, err));
        nci_axis_fini(&grid->axis[d]);
        grid->axis[d] = axis;
        bytes = bytes / (double)longest * (double)nci_axis_longest(&axis);
    }
    return NCG_OK;
}

ncg_status nci_ops_work_grid(const nci_node *node, nci_grid *out,
                             ncg_error *err)
{
    nci_grid seen = {0}, grid = {0};
    size_t item = ncg_dtype_size(node->dtype);
    NCI_TRY(nci_node_grid(node, &seen, err));
    ncg_status st = nci_block_grid(&seen, (int64_t)item, NULL, NULL, &grid, err);
    nci_grid_fini(&seen);
    if (!st)
        st = cut_large(&grid, item, err);
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

/* ---- reaches ----------------------------------------------------------------
 */

nci_reach *nci_reach_array(int ninputs, ncg_error *err)
{
    size_t n = (size_t)ninputs * NCG_MAX_RANK;
    nci_reach *reach = nci_calloc(n + 1, sizeof *reach);
    if (!reach) {
        nci_fail(err, NCG_ENOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        reach[i].from = -1;
    return reach;
}

void nci_reach_array_free(nci_reach **slot, int ninputs)
{
    nci_reach *reach = *slot;
    *slot = NULL;
    for (int i = 0; reach && i < ninputs * NCG_MAX_RANK; i++)
        nci_reach_fini(&reach[i]);
    nci_free(reach);
}

ncg_status nci_reach_alloc(int from, int64_t n, nci_reach *out, ncg_error *err)
{
    size_t nbytes = ((size_t)n + 1) * sizeof(int64_t);
    nci_reach reach = {from, nci_alloc(nbytes), nci_alloc(nbytes)};
    if (!reach.low || !reach.high) {
        nci_reach_fini(&reach);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *out = reach;
    return NCG_OK;
}

ncg_status nci_reach_same(int from, const nci_axis *ours, nci_reach *out,
                          ncg_error *err)
{
    return nci_reach_follow(from, ours, 1, 1, 0, 0, nci_axis_size(ours), out,
                            err);
}

ncg_status nci_reach_same_box(const nci_grid *ours, nci_reach *reach,
                              ncg_error *err)
{
    for (int d = 0; d < ours->rank; d++)
        NCI_TRY(nci_reach_same(d, &ours->axis[d], &reach[d], err));
    return NCG_OK;
}

/* ---- small things
 * -------------------------------------------------------------- */

char *nci_shape_text(int rank, const int64_t *shape, char *out)
{
    size_t at = 1;
    out[0] = '(';
    for (int d = 0; d < rank; d++)
        at += (size_t)snprintf(out + at, NCI_SHAPE_TEXT - at, "%lld%s",
                               (long long)shape[d], d + 1 < rank ? ", " : "");
    snprintf(out + at, NCI_SHAPE_TEXT - at, rank == 1 ? ",)" : ")");
    return out;
}

ncg_status nci_ops_check_axis(const nci_node *node, int axis, const char *what,
                              ncg_error *err)
{
    if (axis >= 0 && axis < node->rank)
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL, "%s: axis %d of an array of rank %d", what,
                    axis, node->rank);
}

ncg_status nci_ops_check_numeric(const nci_node *node, const char *what,
                                 ncg_error *err)
{
    if (nci_dtype_is_numeric(node->dtype))
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL, "%s of %s values: numbers are needed",
                    what, ncg_dtype_name(node->dtype));
}

ncg_status nci_ops_cast(nci_node *node, ncg_dtype dtype, nci_node **out,
                        ncg_error *err)
{
    if (node->dtype != dtype)
        return nci_ops_map(NCI_MAP_CAST, dtype, &node, 1, out, err);
    *out = nci_node_retain(node);
    return NCG_OK;
}

ncg_status nci_ops_slice(nci_node *node, int axis, int64_t start, int64_t count,
                         int64_t step, nci_node **out, ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK];
    for (int d = 0; d < node->rank; d++)
        picks[d] = (nci_pick){.count = node->shape[d], .step = 1};
    picks[axis] = (nci_pick){.count = count, .start = start, .step = step};
    return nci_node_select(node, picks, out, err);
}
