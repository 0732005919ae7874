/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PASS_SHARE_H
#define NCI_GRAPH_PASS_SHARE_H
/* Several reductions of one source in one read of it. */
#include "graph/plan.h"

/* nci_pass_share looks at a plan whose tasks are not numbered yet. FUSED layers
 * that fold the tiles of one source, over the same axes and groups, become one
 * layer, as long as their states are not large together; the COMBINE layers
 * above take each its part of what a task leaves.
 * Which values meet in which order stays as it is: the bits are the same. */
ncg_status nci_pass_share(nci_plan *plan, ncg_error *err);

#endif
