/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_ERRANDS_H
#define NCI_ENGINE_CLUSTER_ERRANDS_H
/* One thread that does what takes long, one thing after the other, so that the
 * threads of the net never wait: opening plans, the local disk. */
#include "base/error.h"

typedef struct nci_errands nci_errands;

ncg_status nci_errands_create(nci_errands **out, ncg_error *err);
/* nci_errands_add calls fn(ctx) in its turn. Any thread. ENOMEM; ECANCELED:
 * nothing is done any more. */
ncg_status nci_errands_add(nci_errands *errands, void (*fn)(void *ctx),
                           void *ctx, ncg_error *err);
/* nci_errands_end does what waits, and takes nothing more: the net may still
 * bring work. nci_errands_free ends it, if it has not been. */
void nci_errands_end(nci_errands *errands);
void nci_errands_free(nci_errands **errands);

#endif
