/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_BOUND_H
#define NCI_ENGINE_SCHED_BOUND_H
/* What the files share that bound a plan's peak from its layers. */
#include "graph/plan.h"

/* nci_bound_owner finds, for a layer whose outputs several tasks need, the
 * layer of which each task has chunks of it for itself, and how many at most;
 * *owner -1: there is none. */
ncg_status nci_bound_owner(const nci_plan *plan, int layer, int *owner,
                           double *nchunks, ncg_error *err);

#endif
