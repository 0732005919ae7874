/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_STATE_H
#define NCI_GRAPH_STATE_H
/*
 * The state of a reduction in flight: what a group of chunks leaves behind and
 * what the tree combines. One buffer holds rows x kept cells; each component
 * is a plain array over all cells, 64-byte aligned:
 *
 *     | value[0] f64/i64 | value[1] | index i64 | count i32/i64 |
 *
 *     mean, sum       value[0] = sum of x (w x with weights: value[1] = sum w)
 *     prod            value[0]
 *     std, var        value[0] = mean, value[1] = sum of squared deviations
 *                     (weights: value[2] = sum of w)
 *     min, max        value[0]
 *     range           value[0] = min, value[1] = max
 *     first, last     value[0], index = position along the reduced axes
 *     any, all        value[0]: 1 where any (all) valid values are not zero
 *     argmin, argmax  value[0], index = position along the reduced axes
 *     count           -
 *
 * A cell with count 0 holds 0 in its components (NaN is never stored there).
 * `count` is of valid values. Integers of 64 bits keep values as int64 (U64:
 * wrapped), everything else as double.
 */
#include "graph/node.h"

enum { NCI_STATE_VALUES = 3 };

/* The part of a reduction that kernels need; plain values. */
typedef struct nci_fold {
    ncg_op op;
    bool is_weighted;
    bool is_wide;     /* values are int64 */
    bool is_unsigned; /* wide only: uint64 */
    bool wide_counts; /* count is int64, else int32 */
    bool skipna;
    int64_t min_count;
    int ddof;
    int64_t population; /* positions that fall into one cell where that is the
                           same for all; else -1 (groups: per label) */
    ncg_dtype out;      /* dtype of the result */
    uint8_t missing[8]; /* of the result, where it is an integer */
} nci_fold;

typedef struct nci_state_layout {
    int nvalues;
    bool has_index;
    size_t value[NCI_STATE_VALUES]; /* offsets in bytes */
    size_t index, count;
    size_t nbytes; /* of the whole buffer */
} nci_state_layout;

nci_state_layout nci_state_layout_of(const nci_fold *fold, int64_t ncells);

#endif
