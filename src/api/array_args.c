/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of what programs give to the functions of arrays. */
#include <stdio.h>
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"

ncg_status nci_array_null(const char *what, ncg_error *err)
{
    return nci_fail(err, NCG_EINVAL, "%s is NULL", what);
}

ncg_status nci_array_check(const ncg_array *array, ncg_error *err)
{
    if (!array)
        return nci_array_null("the array", err);
    return nci_handle_check(&array->handle, NCI_HANDLE_ARRAY, err);
}

ncg_status nci_arrays_together(const ncg_array *a, const ncg_array *b,
                               ncg_error *err)
{
    NCI_TRY(nci_array_check(a, err));
    NCI_TRY(nci_array_check(b, err));
    if (a->ctx != b->ctx)
        return nci_fail(err, NCG_EINVAL,
                        "arrays of two contexts cannot be combined: make both "
                        "with one");
    return NCG_OK;
}

ncg_status nci_arrays_nodes(ncg_array *const *arrays, size_t n, nci_node ***out,
                            ncg_error *err)
{
    if (!arrays || !n || n > INT32_MAX)
        return nci_fail(err, NCG_EINVAL, "at least one array is needed");
    for (size_t i = 0; i < n; i++)
        NCI_TRY(nci_arrays_together(arrays[i], arrays[0], err));
    nci_node **nodes = nci_calloc(n, sizeof(nci_node *));
    if (!nodes)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        nodes[i] = arrays[i]->node;
    *out = nodes;
    return NCG_OK;
}

ncg_status nci_array_axis(int naxes, int axis, int *out, ncg_error *err)
{
    int d = axis < 0 ? axis + naxes : axis;
    if (naxes == 0)
        return nci_fail(err, NCG_EINVAL, "axis %d of an array without axes",
                        axis);
    if (d < 0 || d >= naxes)
        return nci_fail(err, NCG_EINVAL,
                        "axis %d is out of range: there are %d, from %d to %d",
                        axis, naxes, -naxes, naxes - 1);
    *out = d;
    return NCG_OK;
}

ncg_status nci_array_axes(const ncg_array *array, const int *axes, size_t naxes,
                          bool *over, ncg_error *err)
{
    int rank = array->node->rank;
    memset(over, 0, NCG_MAX_RANK * sizeof *over);
    if (naxes && !axes)
        return nci_array_null("the list of axes", err);
    for (int d = 0; !naxes && d < rank; d++)
        over[d] = true;
    for (size_t i = 0; i < naxes; i++) {
        int d = 0;
        NCI_TRY(nci_array_axis(rank, axes[i], &d, err));
        if (over[d])
            return nci_fail(err, NCG_EINVAL, "axis %d is named twice", axes[i]);
        over[d] = true;
    }
    return NCG_OK;
}

ncg_status nci_array_shape_check(int rank, const int64_t *shape, size_t item,
                                 ncg_error *err)
{
    int64_t bytes = (int64_t)item;
    if (rank < 0 || rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "rank %d: 0 to %d axes are possible",
                        rank, NCG_MAX_RANK);
    if (rank && !shape)
        return nci_array_null("the shape", err);
    for (int d = 0; d < rank; d++) {
        if (shape[d] < 0)
            return nci_fail(err, NCG_EINVAL, "axis %d has the size %lld", d,
                            (long long)shape[d]);
        if (!nci_mul_i64(bytes, shape[d] ? shape[d] : 1, &bytes))
            return nci_fail(err, NCG_EINVAL,
                            "the array is too large: more than 2^63 bytes up "
                            "to axis %d of size %lld",
                            d, (long long)shape[d]);
    }
    return NCG_OK;
}

ncg_status nci_array_done(ncg_context *ctx, ncg_status st, nci_node *node_take,
                          ncg_array **out, ncg_error *err)
{
    if (!st)
        st = nci_array_shape_check(node_take->rank, node_take->shape,
                                   ncg_dtype_size(node_take->dtype), err);
    if (!st)
        st = nci_array_wrap(ctx, node_take, out, err);
    if (st)
        nci_node_release(&node_take);
    return st;
}

int nci_word_find(const char *what, const char *word, const char *const *words,
                  size_t n, ncg_error *err)
{
    char all[300] = "";
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(all);
        if (strcmp(word, words[i]) == 0)
            return (int)i;
        snprintf(all + length, sizeof all - length, "%s%s", i ? ", " : "",
                 words[i]);
    }
    nci_fail(err, NCG_EINVAL, "%s \"%.40s\" is not one of: %s", what, word,
             all);
    return -1;
}

ncg_status nci_options_check(size_t struct_size, size_t size, const char *init,
                             ncg_error *err)
{
    if (struct_size >= size)
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL,
                    "the options were not initialised: use %s", init);
}

/* ---- chunks ------------------------------------------------------------------ */

static ncg_status axis_of_chunks(int d, const ncg_chunks *chunks,
                                 nci_axis *out, ncg_error *err)
{
    if (chunks->count && !chunks->sizes)
        return nci_array_null("the list of chunk sizes", err);
    int64_t *edge = nci_alloc((chunks->count + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = NCG_OK;
    edge[0] = 0;
    for (size_t i = 0; !st && i < chunks->count; i++) {
        int64_t size = chunks->sizes[i];
        edge[i + 1] = edge[i];
        if (size < 1)
            st = nci_fail(err, NCG_EINVAL,
                          "chunk %zu of axis %d has the size %lld: at least 1 "
                          "is needed",
                          i, d, (long long)size);
        else if (size > INT64_MAX - edge[i])
            st = nci_fail(err, NCG_EINVAL,
                          "the chunks of axis %d are larger than 2^63", d);
        else
            edge[i + 1] += size;
    }
    if (!st)
        st = nci_axis_from_edges(edge, (int64_t)chunks->count, out, err);
    nci_free(edge);
    return st;
}

ncg_status nci_grid_of_chunks(int rank, const ncg_chunks *chunks,
                              const int64_t *shape, nci_grid *out,
                              ncg_error *err)
{
    nci_grid grid = {.rank = rank};
    if (rank < 0 || rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "rank %d: 0 to %d axes are possible",
                        rank, NCG_MAX_RANK);
    if (rank && !chunks)
        return nci_array_null("the list of chunks", err);
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < rank; d++) {
        st = axis_of_chunks(d, &chunks[d], &grid.axis[d], err);
        if (!st && shape && nci_axis_size(&grid.axis[d]) != shape[d])
            st = nci_fail(err, NCG_EINVAL,
                          "the chunks of axis %d add up to %lld, not to its "
                          "%lld positions",
                          d, (long long)nci_axis_size(&grid.axis[d]),
                          (long long)shape[d]);
    }
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}
