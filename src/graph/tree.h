/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_TREE_H
#define NCI_GRAPH_TREE_H
/* Reductions as layers: groups fold, a tree of fixed arity combines. */
#include "graph/lower.h"

/* nci_lower_reduce adds the layers of a reduction; *out makes its array. */
ncg_status nci_lower_reduce(nci_lowering *lw, nci_node *node, int *out,
                            ncg_error *err);

#endif
