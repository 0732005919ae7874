/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_FOLD_PLAIN_H
#define NCI_ENGINE_KERNEL_FOLD_PLAIN_H
#include "engine/kernel/fold.h"
#include "engine/kernel/isa_map.h"

/* nci_acc_plain_row folds n values of one class that all go to one cell; `row`
 * is how many more do so, at least. is_small: integers below 2^32, whose sum
 * over a block is exact. False: nothing was done, and nci_acc_block must do
 * it: a value may be missing, or it is another operation. */
bool nci_acc_plain_row(nci_acc *acc, const nci_isa_map *map, nci_class c,
                       bool is_small, const void *values, int64_t n,
                       int64_t row, nci_walk *cells);

/* How a fold takes what the last step of a program makes of its inputs, without
 * storing it: one of three ways, or none. nci_acc_sums_of tells, for cells like
 * those of a block to be. nci_acc_add_row adds n values that go to one cell:
 * false: nothing was done, as above. nci_acc_add_run takes those of a run of
 * cells and tells whether nci_acc_settle must see the values before the next
 * one: some are missing, or are the first ones of their cells. */
typedef struct nci_sums_of {
    nci_row_of_fn row;
    nci_column_of_fn column;
    nci_squares_of_fn squares;
} nci_sums_of;
nci_sums_of nci_acc_sums_of(const nci_fold *fold, const nci_isa_map *map,
                            const nci_step *last, const nci_walk *cells);
bool nci_acc_add_row(nci_acc *acc, const nci_sums_of *of, const void *a,
                     const void *b, int64_t n, int64_t row, nci_walk *cells);
bool nci_acc_add_run(nci_acc *acc, const nci_sums_of *of, const void *a,
                     const void *b, const nci_run *run);
void nci_acc_settle(nci_acc *acc, const double *x, const nci_run *run);

#endif
