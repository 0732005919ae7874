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

#endif
