/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/grid.h"

#include <string.h>

#include "base/mem.h"

int64_t nci_box_size(const nci_box *box)
{
    int64_t n = 1;
    for (int d = 0; d < box->rank; d++)
        n *= box->count[d];
    return n;
}

bool nci_box_is_empty(const nci_box *box)
{
    for (int d = 0; d < box->rank; d++)
        if (box->count[d] <= 0)
            return true;
    return false;
}

bool nci_box_clip(const nci_box *a, const nci_box *b, nci_box *out)
{
    nci_box clip = {.rank = a->rank};
    for (int d = 0; d < a->rank; d++) {
        int64_t low = a->start[d] > b->start[d] ? a->start[d] : b->start[d];
        int64_t a_end = a->start[d] + a->count[d];
        int64_t b_end = b->start[d] + b->count[d];
        int64_t high = a_end < b_end ? a_end : b_end;
        if (high <= low)
            return false;
        clip.start[d] = low;
        clip.count[d] = high - low;
    }
    *out = clip;
    return true;
}

nci_box nci_box_whole(int rank, const int64_t *shape)
{
    nci_box box = {.rank = rank};
    for (int d = 0; d < rank; d++)
        box.count[d] = shape[d];
    return box;
}

static ncg_status axis_alloc(int64_t nchunks, nci_axis *out, ncg_error *err)
{
    size_t nbytes;
    if (!nci_mul_size((size_t)nchunks + 1, sizeof *out->edge, &nbytes) ||
        !(out->edge = nci_alloc(nbytes)))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    out->nchunks = nchunks;
    out->edge[0] = 0;
    return NCG_OK;
}

ncg_status nci_axis_regular(int64_t size, int64_t chunk, nci_axis *out,
                            ncg_error *err)
{
    if (size < 0 || chunk <= 0)
        return nci_fail(err, NCG_EINVAL, "chunk size %lld of an axis of %lld",
                        (long long)chunk, (long long)size);
    nci_axis axis;
    int64_t n = size / chunk + (size % chunk != 0);
    NCI_TRY(axis_alloc(n, &axis, err));
    for (int64_t i = 1; i <= n; i++)
        axis.edge[i] = i == n ? size : i * chunk;
    *out = axis;
    return NCG_OK;
}

ncg_status nci_axis_from_edges(const int64_t *edge, int64_t nchunks,
                               nci_axis *out, ncg_error *err)
{
    nci_axis axis;
    NCI_TRY(axis_alloc(nchunks, &axis, err));
    memcpy(axis.edge, edge, ((size_t)nchunks + 1) * sizeof *edge);
    *out = axis;
    return NCG_OK;
}

ncg_status nci_axis_merge(const nci_axis *from, int64_t every, nci_axis *out,
                          ncg_error *err)
{
    nci_axis axis;
    int64_t n = (from->nchunks + every - 1) / every;
    NCI_TRY(axis_alloc(n, &axis, err));
    for (int64_t i = 1; i <= n; i++)
        axis.edge[i] = from->edge[i == n ? from->nchunks : i * every];
    *out = axis;
    return NCG_OK;
}

void nci_axis_fini(nci_axis *axis)
{
    nci_free(axis->edge);
    *axis = (nci_axis){0};
}

int64_t nci_axis_size(const nci_axis *axis)
{
    return axis->edge ? axis->edge[axis->nchunks] : 0;
}

int64_t nci_axis_longest(const nci_axis *axis)
{
    int64_t longest = 1;
    for (int64_t i = 0; i < axis->nchunks; i++)
        if (axis->edge[i + 1] - axis->edge[i] > longest)
            longest = axis->edge[i + 1] - axis->edge[i];
    return longest;
}

int64_t nci_axis_shortest(const nci_axis *axis)
{
    int64_t shortest = nci_axis_size(axis);
    for (int64_t i = 0; i < axis->nchunks; i++)
        if (axis->edge[i + 1] - axis->edge[i] < shortest)
            shortest = axis->edge[i + 1] - axis->edge[i];
    return shortest;
}

int64_t nci_axis_find(const nci_axis *axis, int64_t position)
{
    int64_t low = 0, high = axis->nchunks;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (axis->edge[middle] <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool nci_axis_equal(const nci_axis *a, const nci_axis *b)
{
    return a->nchunks == b->nchunks &&
           !memcmp(a->edge, b->edge,
                   ((size_t)a->nchunks + 1) * sizeof *a->edge);
}

ncg_status nci_grid_regular(int rank, const int64_t *shape,
                            const int64_t *chunk, nci_grid *out, ncg_error *err)
{
    nci_grid grid = {.rank = rank};
    for (int d = 0; d < rank; d++) {
        ncg_status st =
            nci_axis_regular(shape[d], chunk[d], &grid.axis[d], err);
        if (st) {
            nci_grid_fini(&grid);
            return st;
        }
    }
    *out = grid;
    return NCG_OK;
}

ncg_status nci_grid_copy(const nci_grid *from, nci_grid *out, ncg_error *err)
{
    nci_grid grid = {.rank = from->rank};
    for (int d = 0; d < from->rank; d++) {
        ncg_status st = nci_axis_from_edges(
            from->axis[d].edge, from->axis[d].nchunks, &grid.axis[d], err);
        if (st) {
            nci_grid_fini(&grid);
            return st;
        }
    }
    *out = grid;
    return NCG_OK;
}

void nci_grid_fini(nci_grid *grid)
{
    for (int d = 0; d < grid->rank; d++)
        nci_axis_fini(&grid->axis[d]);
    grid->rank = 0;
}

int64_t nci_grid_nchunks(const nci_grid *grid)
{
    int64_t n = 1;
    for (int d = 0; d < grid->rank; d++)
        n *= grid->axis[d].nchunks;
    return n;
}

void nci_grid_index(const nci_grid *grid, int64_t chunk, int64_t *index)
{
    for (int d = grid->rank - 1; d > 0; d--) {
        index[d] = chunk % grid->axis[d].nchunks;
        chunk /= grid->axis[d].nchunks;
    }
    if (grid->rank)
        index[0] = chunk; /* without a division: many grids have one axis */
}

int64_t nci_grid_number(const nci_grid *grid, const int64_t *index)
{
    int64_t chunk = 0;
    for (int d = 0; d < grid->rank; d++)
        chunk = chunk * grid->axis[d].nchunks + index[d];
    return chunk;
}

nci_box nci_grid_box(const nci_grid *grid, int64_t chunk)
{
    int64_t index[NCG_MAX_RANK];
    nci_box box = {.rank = grid->rank};
    nci_grid_index(grid, chunk, index);
    for (int d = 0; d < grid->rank; d++) {
        const int64_t *edge = grid->axis[d].edge + index[d];
        box.start[d] = edge[0];
        box.count[d] = edge[1] - edge[0];
    }
    return box;
}
