/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_FOLD_H
#define NCI_ENGINE_KERNEL_FOLD_H
/*
 * Accumulators of one group while it is read, and what they become: a state
 * (graph/state.h). While folding, `count` holds the number of missing values
 * of each cell: how many positions a cell sees is known beforehand, so that
 * data without gaps never touches it. Standard deviations are sums of x - k
 * and (x - k)^2 with k the cell's first valid value.
 */
#include "engine/kernel/isa.h"
#include "engine/kernel/walk.h"
#include "graph/state.h"

/* How integers are packed: x = p * scale + offset. */
typedef struct nci_packing {
    double scale, offset;
} nci_packing;

typedef struct nci_acc {
    const nci_fold *fold;
    const nci_isa *isa;
    nci_state_layout layout;
    int64_t ncells;
    uint8_t *state; /* borrowed: layout.nbytes */
    double *value[NCI_STATE_VALUES];
    int64_t *wide[NCI_STATE_VALUES]; /* the same memory, of wide folds */
    int64_t *index;                  /* of folds by position */
    int64_t *missed64;
    int32_t *missed32;
    double *k;
    bool is_packed; /* values come as they are stored (packed.h); k is 0 */
    nci_packing packing;
    void *extra; /* owned */
} nci_acc;

/* One block of values on their way into the accumulators. */
typedef struct nci_fold_block {
    int64_t n;
    const double *x;      /* NaN where missing */
    const double *weight; /* NULL: none */
    const int64_t *wide;  /* the values, for wide folds */
    bool any_missing;
    double *temp, *temp2; /* NCI_BLOCK values each */
    int64_t row;          /* a row is this many positions long; 1: columns */
    int64_t start;        /* position of the block, from the start of a row */
} nci_fold_block;

/* nci_fold_is_wide: sums, extremes and picks of 64-bit integers are kept as
 * int64; means and deviations of them are doubles. */
bool nci_fold_is_wide(const nci_fold *fold);
/* nci_add_wide adds 64-bit integers. A sum that leaves the range becomes the
 * bound it left by and stays there (nci_is_overflow), so that finishing can
 * tell. */
static inline bool nci_is_overflow(bool is_unsigned, int64_t sum)
{
    return is_unsigned ? (uint64_t)sum == UINT64_MAX
                       : sum == INT64_MAX || sum == INT64_MIN;
}

static inline int64_t nci_add_wide(bool is_unsigned, int64_t a, int64_t b)
{
    int64_t sum;
    uint64_t usum;
    if (nci_is_overflow(is_unsigned, a))
        return a;
    if (nci_is_overflow(is_unsigned, b))
        return b;
    if (is_unsigned)
        return __builtin_add_overflow((uint64_t)a, (uint64_t)b, &usum)
                   ? (int64_t)UINT64_MAX
                   : (int64_t)usum;
    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* nci_fold_by_position: the position of a value decides. */
bool nci_fold_by_position(const nci_fold *fold);

/* nci_acc_extra: bytes beside the state. */
int64_t nci_acc_extra(const nci_fold *fold, int64_t ncells);
/* nci_acc_init: of values, or, with a packing, of packed integers. */
ncg_status nci_acc_init(nci_acc *acc, const nci_fold *fold,
                        const nci_packing *packing, int64_t ncells, void *state,
                        ncg_error *err);
void nci_acc_fini(nci_acc *acc);
/* nci_acc_reset makes all cells empty. */
void nci_acc_reset(nci_acc *acc);
/* nci_acc_block folds a block; `cells` gives the cell of each value, `places`
 * its position along the reduced axes (by_position only). */
void nci_acc_block(nci_acc *acc, const nci_fold_block *block, nci_walk *cells,
                   nci_walk *places);
/* nci_acc_takes_f32 tells whether nci_acc_f32 may fold raw floats, none of them
 * missing, that go to these cells: the same bits without a pass over them as
 * doubles. */
bool nci_acc_takes_f32(const nci_fold *fold, const nci_walk *cells);
void nci_acc_f32(nci_acc *acc, const void *raw, int64_t n, nci_walk *cells);
/* nci_acc_add_sum adds the sum of n values, none of them missing, to the sum
 * or mean of one cell; all have the same weight, where there are weights. */
void nci_acc_add_sum(nci_acc *acc, double sum, int64_t n, double weight,
                     int64_t cell);
/* nci_acc_finish turns the accumulators into a state; seen[row] positions fell
 * into each cell of row `row`, which has ncells / nrows cells. */
void nci_acc_finish(nci_acc *acc, const int64_t *seen, int64_t nrows);

/* Cell by cell, for wide values, positions and irregular cells. */
void nci_acc_scalar(nci_acc *acc, const nci_fold_block *block, int64_t from,
                    const nci_run *cells, nci_walk *places);

/* ---- states ---------------------------------------------------------------
 */

typedef struct nci_state {
    const nci_fold *fold;
    nci_state_layout layout;
    uint8_t *data;
} nci_state;

nci_state nci_state_of(const nci_fold *fold, int64_t ncells, void *data);
void nci_state_clear(const nci_state *state);
void nci_state_clear_cells(const nci_state *state, int64_t cell, int64_t n);
/* nci_state_copy copies n cells over those of `into`. */
void nci_state_copy(const nci_state *into, int64_t into_cell,
                    const nci_state *from, int64_t from_cell, int64_t n);
int64_t nci_state_count(const nci_state *state, int64_t cell);
/* nci_state_merge merges n cells from `from` on into those of `into`. */
void nci_state_merge(const nci_state *into, int64_t into_cell,
                     const nci_state *from, int64_t from_cell, int64_t n);
/* nci_state_pool adds squared deviations and counts of cells whose means are
 * each its own; the mean of the sum has no meaning. */
void nci_state_pool(const nci_state *into, int64_t into_cell,
                    const nci_state *from, int64_t from_cell, int64_t n);
/* nci_state_finish stores the results of n cells as the fold's dtype at `out`.
 * `population` positions fell into each cell. */
void nci_state_finish(const nci_state *state, const nci_isa *isa, int64_t cell,
                      int64_t n, int64_t population, void *out);

#endif
