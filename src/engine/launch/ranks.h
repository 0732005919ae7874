/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_RANKS_H
#define NCI_ENGINE_LAUNCH_RANKS_H
/*
 * Which process of how many this is, as the environment says that mpirun, srun
 * or another launcher set. Nothing of MPI is loaded for it: a program that was
 * started alone learns here that it was.
 */
#include "base/error.h"

typedef struct nci_ranks {
    int rank, size;             /* size 1: started alone */
    int local_rank, local_size; /* on this machine; size 0: not known */
    bool has_pmix;              /* a PMIx server started us */
    bool has_slurm;             /* srun did */
} nci_ranks;

/* nci_ranks_detect asks `look` (getenv; NULL of it: not set). */
void nci_ranks_detect(char *(*look)(const char *name), nci_ranks *out);
/* nci_ranks_lonely says what is wrong and how to start instead where several
 * tasks were started that cannot find each other; EINVAL. `why`: what was
 * tried, NULL: nothing. */
ncg_status nci_ranks_lonely(const nci_ranks *ranks, const char *why,
                            ncg_error *err);

#endif
