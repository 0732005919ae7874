/* SPDX-License-Identifier: BSD-3-Clause */
/* The same values in another shape or in other chunks. */
#include <limits.h>
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"
#include "engine/source_make.h"

static ncg_status no_place(ncg_error *err)
{
    return nci_array_null("the place for the result", err);
}

ncg_status ncg_array_transpose(ncg_array *array, const int *order,
                               ncg_array **out, ncg_error *err)
{
    bool seen[NCG_MAX_RANK] = {false};
    int axes[NCG_MAX_RANK];
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return no_place(err);
    int rank = array->node->rank;
    for (int d = 0; d < rank; d++) {
        NCI_TRY(nci_array_axis(rank, order ? order[d] : rank - 1 - d, &axes[d],
                               err));
        if (seen[axes[d]])
            return nci_fail(err, NCG_EINVAL,
                            "axis %d is named twice: an order names each of "
                            "the %d axes once",
                            axes[d], rank);
        seen[axes[d]] = true;
    }
    nci_node *node = NULL;
    ncg_status st = nci_ops_transpose(array->node, axes, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

/* A source that has the new shape already does without copies. */
static ncg_status take_source(const ncg_array *array, nci_node **node,
                              ncg_error *err)
{
    nci_node *made = NULL;
    nci_source_table *sources = array->ctx->sources;
    ncg_status st = nci_source_reshaped(sources, array->node, (*node)->rank,
                                        (*node)->shape, &made, err);
    if (st || made)
        nci_node_release(node);
    if (made)
        *node = made;
    return st;
}

ncg_status ncg_array_reshape(ncg_array *array, int rank, const int64_t *shape,
                             ncg_array **out, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out || (rank > 0 && !shape))
        return out ? nci_array_null("the shape", err) : no_place(err);
    int64_t sizes[NCG_MAX_RANK] = {0};
    if (rank < 0 || rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "rank %d: 0 to %d axes are possible",
                        rank, NCG_MAX_RANK);
    for (int d = 0; d < rank; d++)
        sizes[d] = shape[d] == -1 ? 1 : shape[d];
    NCI_TRY(nci_array_shape_check(rank, sizes, 1, err));
    nci_node *node = NULL;
    ncg_status st = nci_ops_reshape(array->node, rank, shape, &node, err);
    if (!st)
        st = take_source(array, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_broadcast_to(ncg_array *array, int rank,
                                  const int64_t *shape, ncg_array **out,
                                  ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return no_place(err);
    NCI_TRY(nci_array_shape_check(rank, shape,
                                  ncg_dtype_size(array->node->dtype), err));
    nci_node *node = NULL;
    ncg_status st = nci_ops_broadcast(array->node, rank, shape, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

/* ---- joining ----------------------------------------------------------------- */

static ncg_status join(ncg_array *const *arrays, size_t n, int axis, bool stack,
                       ncg_array **out, ncg_error *err)
{
    nci_node **nodes = NULL, *node = NULL;
    int d = 0;
    if (!out)
        return no_place(err);
    NCI_TRY(nci_arrays_nodes(arrays, n, &nodes, err));
    ncg_status st =
        nci_array_axis(nodes[0]->rank + (stack ? 1 : 0), axis, &d, err);
    if (!st)
        st = (stack ? nci_ops_stack : nci_ops_concat)(nodes, (int)n, d, &node,
                                                      err);
    nci_free(nodes);
    return nci_array_done(arrays[0]->ctx, st, node, out, err);
}

ncg_status ncg_array_concatenate(ncg_array *const *arrays, size_t n, int axis,
                                 ncg_array **out, ncg_error *err)
{
    return join(arrays, n, axis, false, out, err);
}

ncg_status ncg_array_stack(ncg_array *const *arrays, size_t n, int axis,
                           ncg_array **out, ncg_error *err)
{
    return join(arrays, n, axis, true, out, err);
}

/* ---- padding, shifting -------------------------------------------------------- */

static ncg_status check_pad(const nci_node *node, const int64_t *before,
                            const int64_t *after, ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK] = {0};
    if (node->rank && (!before || !after))
        return nci_array_null("the number of positions to add", err);
    for (int d = 0; d < node->rank; d++) {
        if (before[d] < 0 || after[d] < 0)
            return nci_fail(err, NCG_EINVAL,
                            "%lld and %lld positions cannot be added to axis "
                            "%d: at least 0",
                            (long long)before[d], (long long)after[d], d);
        if (before[d] > INT64_MAX - after[d] ||
            before[d] + after[d] > INT64_MAX - node->shape[d])
            return nci_fail(err, NCG_EINVAL, "axis %d becomes too large", d);
        shape[d] = node->shape[d] + before[d] + after[d];
    }
    return nci_array_shape_check(node->rank, shape, ncg_dtype_size(node->dtype),
                                 err);
}

ncg_status ncg_array_pad(ncg_array *array, const int64_t *before,
                         const int64_t *after, const char *mode,
                         const void *value, ncg_array **out, ncg_error *err)
{
    static const char *const modes[] = {
        [NCI_PAD_CONSTANT] = "constant",
        [NCI_PAD_EDGE] = "edge",
        [NCI_PAD_REFLECT] = "reflect",
        [NCI_PAD_SYMMETRIC] = "symmetric",
        [NCI_PAD_WRAP] = "wrap",
    };
    static const uint8_t zero[8];
    NCI_TRY(nci_array_check(array, err));
    if (!out || !mode)
        return out ? nci_array_null("the mode", err) : no_place(err);
    int which = nci_word_find("the mode", mode, modes,
                              sizeof modes / sizeof modes[0], err);
    if (which < 0)
        return NCG_EINVAL;
    NCI_TRY(check_pad(array->node, before, after, err));
    nci_node *node = NULL;
    ncg_status st =
        nci_ops_pad(array->node, before, after, (nci_pad_mode)which,
                    value ? value : zero, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_roll(ncg_array *array, int64_t shift, int axis,
                          ncg_array **out, ncg_error *err)
{
    int d = 0;
    nci_node *node = NULL;
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return no_place(err);
    NCI_TRY(nci_array_axis(array->node->rank, axis, &d, err));
    ncg_status st = nci_ops_roll(array->node, d, shift, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_flip(ncg_array *array, int axis, ncg_array **out,
                          ncg_error *err)
{
    int d = 0;
    nci_node *node = NULL;
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return no_place(err);
    NCI_TRY(nci_array_axis(array->node->rank, axis, &d, err));
    ncg_status st = nci_ops_flip(array->node, d, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_diff(ncg_array *array, int n, int axis, ncg_array **out,
                          ncg_error *err)
{
    int d = 0;
    nci_node *node = NULL;
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return no_place(err);
    NCI_TRY(nci_array_axis(array->node->rank, axis, &d, err));
    if (n < 0)
        return nci_fail(err, NCG_EINVAL, "difference number %d: at least 0", n);
    ncg_status st = nci_ops_diff(array->node, d, n, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

/* ---- chunks -------------------------------------------------------------------- */

static ncg_status copy_axis(const nci_axis *axis, nci_axis *out, ncg_error *err)
{
    return nci_axis_from_edges(axis->edge, axis->nchunks, out, err);
}

static ncg_status grid_of_sizes(const nci_node *node, const int64_t *chunk,
                                nci_grid *out, ncg_error *err)
{
    nci_grid now = {0}, grid = {.rank = node->rank};
    ncg_status st = nci_node_grid(node, &now, err);
    for (int d = 0; !st && d < node->rank; d++) {
        int64_t size = node->shape[d];
        if (chunk[d] < -1)
            st = nci_fail(err, NCG_EINVAL,
                          "chunks of %lld positions along axis %d: at least 1, "
                          "-1 for the whole axis, 0 for what it is",
                          (long long)chunk[d], d);
        else if (chunk[d] == 0)
            st = copy_axis(&now.axis[d], &grid.axis[d], err);
        else
            st = nci_axis_regular(size,
                                  chunk[d] > 0 ? chunk[d]
                                  : size > 0   ? size
                                               : 1,
                                  &grid.axis[d], err);
    }
    nci_grid_fini(&now);
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

static ncg_status rechunk(ncg_array *array, ncg_status st, nci_grid *grid_take,
                          ncg_array **out, ncg_error *err)
{
    nci_node *node = NULL;
    if (st)
        return st;
    st = nci_ops_rechunk_within(array->node, grid_take,
                                array->ctx->options.memory_limit, &node, err);
    nci_grid_fini(grid_take);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_rechunk(ncg_array *array, const int64_t *chunk,
                             ncg_array **out, ncg_error *err)
{
    nci_grid grid = {0};
    NCI_TRY(nci_array_check(array, err));
    if (!out || (array->node->rank && !chunk))
        return out ? nci_array_null("the list of chunk sizes", err)
                   : no_place(err);
    ncg_status st = grid_of_sizes(array->node, chunk, &grid, err);
    return rechunk(array, st, &grid, out, err);
}

ncg_status ncg_array_rechunk_to(ncg_array *array, const ncg_chunks *chunks,
                                ncg_array **out, ncg_error *err)
{
    nci_grid grid = {0};
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return no_place(err);
    ncg_status st = nci_grid_of_chunks(array->node->rank, chunks,
                                       array->node->shape, &grid, err);
    return rechunk(array, st, &grid, out, err);
}
