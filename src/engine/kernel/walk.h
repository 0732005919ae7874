/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_WALK_H
#define NCI_ENGINE_KERNEL_WALK_H
/*
 * Walks over the positions of a piece (a product of one list of positions an
 * axis) in row-major order, seen by one stream of values: operand, state cell,
 * output. Each stream has a table of offsets an axis; the offset of a position
 * is the sum. Neighbouring axes are joined where the offsets allow it, so that
 * a whole chunk is one run.
 *
 *     axis 0  table {0, 720, 1440}   \  joined: count 2160, stride 1
 *     axis 1  table {0, 1, .. 719}   /
 */
#include "base/grid.h"

typedef struct nci_walk_axis {
    int64_t count, stride;
    const int64_t *table; /* offsets that no stride gives, else NULL */
} nci_walk_axis;

typedef struct nci_walk {
    int rank; /* at least 1 */
    nci_walk_axis axis[NCG_MAX_RANK];
    int64_t at[NCG_MAX_RANK];
    int64_t base;  /* offset of axes with one position */
    int64_t outer; /* offset of all axes but the innermost */
} nci_walk;

/* Offsets of consecutive positions: offset + i * stride, or
 * offset + table[i]. */
typedef struct nci_run {
    int64_t count, offset, stride;
    const int64_t *table;
} nci_run;

void nci_walk_init(nci_walk *walk, int rank, const int64_t *count,
                   const int64_t *const *table);
/* nci_walk_init_even does so where the tables in `even` (bits) are known to
 * rise in even steps. */
void nci_walk_init_even(nci_walk *walk, int rank, const int64_t *count,
                        const int64_t *const *table, uint32_t even);
/* nci_walk_init_strides does so where every offset is a multiple of a stride:
 * without tables. */
void nci_walk_init_strides(nci_walk *walk, int rank, const int64_t *count,
                           const int64_t *stride);
/* nci_walk_next returns the next run of at most `max` positions. */
nci_run nci_walk_next(nci_walk *walk, int64_t max);

static inline bool nci_walk_is_row(const nci_walk *walk)
{
    const nci_walk_axis *inner = &walk->axis[walk->rank - 1];
    return !inner->table && inner->stride == 0;
}

static inline int64_t nci_run_at(const nci_run *run, int64_t i)
{
    return run->offset + (run->table ? run->table[i] : i * run->stride);
}

#endif
