/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_START_H
#define NCI_ENGINE_LAUNCH_START_H
/*
 * What a rank does that a launcher started: it becomes a nanny. On rank 0 it
 * starts the first process (scheduler and client, or a scheduler that stands),
 * gives its address to the other ranks, and starts a worker beside it; on the
 * others it starts a worker.
 */
#include "engine/launch/nanny.h"
#include "engine/launch/ranks.h"

typedef struct nci_start_options {
    nci_child_kind first; /* NCI_CHILD_CLIENT, or NCI_CHILD_SCHEDULER */
    bool is_exclusive;    /* no worker beside it on rank 0 */
    const nci_handover *like; /* secret, cluster and epoch; NULL: new ones */
    int restarts;         /* of a worker that crashes */
    void (*note)(void *ctx, const char *sentence); /* NULL */
    void *note_ctx;
} nci_start_options;

/* nci_start_rank returns when all children have ended. *code: what the process
 * should end with; *is_first: rank 0. EINVAL: tasks without peers. */
ncg_status nci_start_rank(const nci_ranks *ranks,
                          const nci_start_options *options, bool *is_first,
                          int *code, ncg_error *err);
/* nci_start_alone is the same for a process without a launcher. */
ncg_status nci_start_alone(const nci_start_options *options, int *code,
                           ncg_error *err);
/* nci_start_worker watches one worker of the cluster that `who` names. */
ncg_status nci_start_worker(const nci_handover *who, int restarts, int *code,
                            ncg_error *err);

#endif
