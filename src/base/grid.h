/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_GRID_H
#define NCI_BASE_GRID_H
/*
 * Boxes of array positions, and chunk grids: for each axis a list of chunk
 * boundaries, as dask's chunks but as prefix sums.
 *
 *     edge:  0      31     59     90          chunk i of the axis covers
 *            |--0---|--1---|--2---|           [edge[i], edge[i + 1])
 *
 * A grid's chunks are numbered in row-major order of their chunk indices.
 */
#include "base/error.h"

typedef struct nci_box {
    int rank;
    int64_t start[NCG_MAX_RANK];
    int64_t count[NCG_MAX_RANK];
} nci_box;

/* nci_box_size returns the number of positions (1 for rank 0). */
int64_t nci_box_size(const nci_box *box);
bool nci_box_is_empty(const nci_box *box);
/* nci_box_clip stores what a and b share; false where that is empty. */
bool nci_box_clip(const nci_box *a, const nci_box *b, nci_box *out);
nci_box nci_box_whole(int rank, const int64_t *shape);

typedef struct nci_axis {
    int64_t nchunks;
    int64_t *edge; /* nchunks + 1 values, strictly rising from 0 */
} nci_axis;

typedef struct nci_grid {
    int rank;
    nci_axis axis[NCG_MAX_RANK];
} nci_grid;

/* nci_axis_regular makes chunks of `chunk` positions, the last one smaller; an
 * axis of size 0 has no chunks. */
ncg_status nci_axis_regular(int64_t size, int64_t chunk, nci_axis *out,
                            ncg_error *err);
/* nci_axis_from_edges copies nchunks + 1 boundaries. */
ncg_status nci_axis_from_edges(const int64_t *edge, int64_t nchunks,
                               nci_axis *out, ncg_error *err);
/* nci_axis_merge joins each run of `every` chunks into one. */
ncg_status nci_axis_merge(const nci_axis *axis, int64_t every, nci_axis *out,
                          ncg_error *err);
void nci_axis_fini(nci_axis *axis);
int64_t nci_axis_size(const nci_axis *axis);
/* nci_axis_longest returns the positions of the longest chunk, at least 1. */
int64_t nci_axis_longest(const nci_axis *axis);
/* nci_axis_shortest returns those of the shortest one; 0: there is none. */
int64_t nci_axis_shortest(const nci_axis *axis);
/* nci_axis_find returns the chunk that holds `position`. */
int64_t nci_axis_find(const nci_axis *axis, int64_t position);
bool nci_axis_equal(const nci_axis *a, const nci_axis *b);

ncg_status nci_grid_regular(int rank, const int64_t *shape,
                            const int64_t *chunk, nci_grid *out,
                            ncg_error *err);
ncg_status nci_grid_copy(const nci_grid *grid, nci_grid *out, ncg_error *err);
void nci_grid_fini(nci_grid *grid);
int64_t nci_grid_nchunks(const nci_grid *grid);
/* nci_grid_index splits a chunk number into one index an axis. */
void nci_grid_index(const nci_grid *grid, int64_t chunk, int64_t *index);
int64_t nci_grid_number(const nci_grid *grid, const int64_t *index);
/* nci_grid_box returns the positions of a chunk. */
nci_box nci_grid_box(const nci_grid *grid, int64_t chunk);

#endif
