/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_JOB_H
#define NCI_ENGINE_LAUNCH_JOB_H
/* The processes that a launcher started, through the module that finds them. */
#include "engine/launch/module.h"
#include "engine/launch/ranks.h"

typedef struct nci_job_peers nci_job_peers;

/* nci_job_join loads a module and meets the others. EINVAL with the remedy
 * where several tasks were started and there is no way to find them. */
ncg_status nci_job_join(const nci_ranks *ranks, nci_job_peers **out,
                        ncg_error *err);
const nci_peers *nci_job_who(const nci_job_peers *job);
/* nci_job_share gives rank 0's bytes to all; every rank calls it once. */
ncg_status nci_job_share(nci_job_peers *job, void *bytes, size_t nbytes,
                         ncg_error *err);
/* nci_job_leave takes leave of the launcher, which from then on does not mind
 * how this process ends. */
void nci_job_leave(nci_job_peers **job);
/* nci_job_cores says how many threads a worker of this rank should have.
 * *note (a text that stays) is set where its CPU set was too narrow and has
 * been widened: the launcher bound the rank to one core though the machine has
 * more for it. */
int nci_job_cores(const nci_job_peers *job, const char **note);

#endif
