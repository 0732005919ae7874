/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_TYPED_H
#define NCI_GRAPH_TYPED_H
/*
 * The steps that an element-wise node becomes: in which class it computes, and
 * the CASTs that bring its inputs there. Equal steps are one.
 */
#include "graph/plan.h"

/* Registers of steps are numbered from here while operands are found. */
enum { NCI_STEP_BASE = 1000 };

/* nci_node_class gives the class in which an array takes part: integers with a
 * missing value as floating-point numbers. */
nci_class nci_node_class(const nci_node *node);
/* nci_typed_emit adds the steps of a MAP node to `fused`, whose inputs are in
 * the registers `in`; *reg is where the result is. EUNSUPPORTED, without a
 * text: they do not fit. */
ncg_status nci_typed_emit(nci_fused *fused, const nci_node *node, const int *in,
                          int *reg);
/* nci_typed_tidy lets operands that are only cast come in as what they are cast
 * to: a packed variable that is wanted in double is unpacked to double, never
 * rounded before. `result` is as in the program. */
void nci_typed_tidy(nci_fused *fused);

#endif
