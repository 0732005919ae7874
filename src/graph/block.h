/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_BLOCK_H
#define NCI_GRAPH_BLOCK_H
/*
 * The grid of a FUSED layer: runs of storage chunks, fixed by grid and
 * operation alone. These runs are the groups within which values are added in
 * index order, so nothing here may depend on threads or memory.
 */
#include "graph/plan.h"

/* nci_block_axis gives the chunks of a domain axis that follows `pick` through
 * the chunks of an input's axis: a new chunk wherever the input's changes. */
ncg_status nci_block_axis(const nci_pick *pick, const nci_axis *input,
                          nci_axis *out, ncg_error *err);

/* What a fold does with the axes. */
typedef struct nci_fold_axes {
    const bool *over;
    int64_t cell_bytes; /* of one cell of the state */
    int label_axis;     /* -1: no labels */
    const int32_t *labels;
} nci_fold_axes;

/* What is known of where the values come from. */
typedef struct nci_block_hints {
    bool is_chunks; /* of chunks in memory, all alive while a task runs: groups
                       are small */
    bool is_turned; /* an array is wanted along other axes as well: blocks grow
                       along all axes alike, so that each has a counterpart
                       that needs the same chunks */
} nci_block_hints;

/* nci_block_grid merges chunks of `fine` into blocks of about the target size:
 * for folds (`fold` not NULL) reduced axes first, innermost first, then kept
 * axes as long as the state stays small; for stores innermost first. Blocks
 * end where the label changes, unless states are small. `item` is the bytes of
 * one position; hints NULL: none. */
ncg_status nci_block_grid(const nci_grid *fine, int64_t item,
                          const nci_fold_axes *fold,
                          const nci_block_hints *hints, nci_grid *out,
                          ncg_error *err);

/* nci_plain_pieces gives the lengths of the chunks of an array in memory: about
 * 4 MiB each, whole along the last axes. */
void nci_plain_pieces(int rank, const int64_t *shape, int64_t item,
                      int64_t *length);

#endif
