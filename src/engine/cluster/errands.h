/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_ERRANDS_H
#define NCI_ENGINE_CLUSTER_ERRANDS_H
/* One thread that does what takes long, one thing after the other, so that the
 * threads of the net never wait: opening plans, the local disk. */
#include "base/error.h"

typedef struct nci_errands nci_errands;

ncg_status nci_errands_create(nci_errands **out, ncg_error *err);
/* nci_errands_add calls fn(ctx) in its turn. Any thread; ENOMEM. */
ncg_status nci_errands_add(nci_errands *errands, void (*fn)(void *ctx),
                           void *ctx, ncg_error *err);
/* nci_errands_free does what waits and joins. */
void nci_errands_free(nci_errands **errands);

#endif
