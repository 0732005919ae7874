/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_DUMP_H
#define NCI_GRAPH_DUMP_H
/* Plans for people: a listing of layers, a drawing in Graphviz's language. */
#include "base/text.h"
#include "graph/plan.h"

void nci_plan_list(const nci_plan *plan, nci_text *out);
void nci_plan_draw(const nci_plan *plan, nci_text *out);

#endif
