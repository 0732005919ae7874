/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_WINDOW_H
#define NCI_GRAPH_OPS_WINDOW_H
/* Parameters of the kernels of windows, 64-bit integers in this order. */
#include "graph/ops/ops.h"

typedef enum nci_rolling_param { /* "ncg.rolling/1" */
    NCI_ROLLING_OP,
    NCI_ROLLING_AXIS,
    NCI_ROLLING_WINDOW,
    NCI_ROLLING_BEFORE, /* positions of the window before its own */
    NCI_ROLLING_MIN_COUNT,
    NCI_ROLLING_DDOF,
    NCI_ROLLING_NPARAMS
} nci_rolling_param;

typedef enum nci_coarsen_param { /* "ncg.coarsen/1" */
    NCI_COARSEN_OP,
    NCI_COARSEN_SKIPNA,
    NCI_COARSEN_MIN_COUNT,
    NCI_COARSEN_DDOF,
    NCI_COARSEN_FACTOR, /* then one an axis */
    NCI_COARSEN_NPARAMS = NCI_COARSEN_FACTOR + NCG_MAX_RANK
} nci_coarsen_param;

#endif
