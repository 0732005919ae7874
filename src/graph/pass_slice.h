/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PASS_SLICE_H
#define NCI_GRAPH_PASS_SLICE_H
/* Slice push-down through reductions: what is thrown away is not computed.
 * (Through element-wise nodes and other selections it happens in fusion.) */
#include "graph/node.h"

/* nci_pass_slice returns an equal expression in which selections of axes that
 * a reduction keeps lie below that reduction. The caller releases *out. */
ncg_status nci_pass_slice(nci_node *root, nci_node **out, ncg_error *err);

#endif
