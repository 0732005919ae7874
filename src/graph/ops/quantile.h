/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_QUANTILE_H
#define NCI_GRAPH_OPS_QUANTILE_H
/*
 * Parameters of the kernels of quantiles: 64-bit integers in this order, then
 * double q[nq], then int32_t labels[nlabelled].
 *
 * "ncg.quantile/1" has whole reduced axes in its box. Of several inputs one
 * has a box that is not empty: they are parts of one array.
 *
 * Where not even one cell's values fit, they are counted by the bits of their
 * keys, the highest first. A state is, for each cell and quantile, two ranks
 * (the value and the next one) of three integers: the bits known so far, the
 * rank among the keys that begin so, how many values there are.
 *
 *     "ncg.quantile_count/1"  data, state (not at level 0) -> counts of a
 *                             chunk by the next bits; the last count is of
 *                             missing values
 *     "ncg.quantile_step/1"   summed counts, state (not at level 0) -> state
 *     "ncg.quantile_value/1"  state -> quantiles
 */
#include "graph/ops/ops.h"

typedef enum nci_quantile_param {
    NCI_QUANTILE_METHOD,
    NCI_QUANTILE_SKIPNA,
    NCI_QUANTILE_NQ,
    NCI_QUANTILE_SCALAR, /* no axis of quantiles */
    NCI_QUANTILE_OVER,   /* bit d: axis d is reduced */
    NCI_QUANTILE_KEEP,   /* bit d: it stays with size 1 */
    NCI_QUANTILE_LABEL_AXIS, /* -1: no groups */
    NCI_QUANTILE_NLABELS,
    NCI_QUANTILE_NLABELLED, /* positions of the label axis */
    NCI_QUANTILE_LEVEL,     /* streaming: which bits */
    NCI_QUANTILE_BITS,      /* streaming: how many a level */
    NCI_QUANTILE_DTYPE,     /* streaming: of the data */
    NCI_QUANTILE_MISSING,   /* streaming: has a missing value: this one */
    NCI_QUANTILE_MISSING_VALUE,
    NCI_QUANTILE_NPARAMS
} nci_quantile_param;

enum {
    NCI_STATE_PREFIX, /* of the key's bits, the sign flipped: unsigned */
    NCI_STATE_RANK,
    NCI_STATE_VALID, /* values that are not missing; -1: the result is */
    NCI_STATE_SIZE
};

#endif
