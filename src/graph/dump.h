/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_DUMP_H
#define NCI_GRAPH_DUMP_H
/* Plans for people: words for layers, a listing of them, a drawing in
 * Graphviz's language. */
#include "base/text.h"
#include "graph/plan.h"

/* nci_layer_kind_name returns fused, combine, block, store or tasks. */
const char *nci_layer_kind_name(const nci_layer *layer);
/* nci_layer_kernel returns what one task does: an operation or a kernel. */
const char *nci_layer_kernel(const nci_layer *layer);
void nci_plan_list(const nci_plan *plan, nci_text *out);
void nci_plan_draw(const nci_plan *plan, nci_text *out);

#endif
