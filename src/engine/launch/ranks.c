/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/ranks.h"

#include <stdlib.h>
#include <string.h>

/* What launchers say, one row each; the first that names a size counts. In a
 * batch script itself Slurm sets no SLURM_STEP_NUM_TASKS. */
static const struct {
    const char *size, *rank, *local_size, *local_rank;
} sayings[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", NULL, "SLURM_LOCALID"},
    {"PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"},
};

static int number(char *(*look)(const char *), const char *name, int otherwise)
{
    const char *text = name ? look(name) : NULL;
    char *end = NULL;
    long n = text ? strtol(text, &end, 10) : -1;
    if (!text || end == text || *end || n < 0 || n > 1 << 24)
        return otherwise;
    return (int)n;
}

void nci_ranks_detect(char *(*look)(const char *name), nci_ranks *out)
{
    *out = (nci_ranks){.size = 1};
    out->has_pmix = look("PMIX_NAMESPACE") != NULL;
    out->has_slurm = look("SLURM_STEP_NUM_TASKS") != NULL;
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) {
        int size = number(look, sayings[i].size, 0);
        if (size < 1)
            continue;
        out->size = size;
        out->rank = number(look, sayings[i].rank, 0);
        out->local_size = number(look, sayings[i].local_size, 0);
        out->local_rank = number(look, sayings[i].local_rank, 0);
        return;
    }
}

ncg_status nci_ranks_lonely(const nci_ranks *ranks, const char *why,
                            ncg_error *err)
{
    const char *remedy =
        ranks->has_slurm
            ? "start with `srun --mpi=pmix`, or one task alone"
            : "start with the mpirun of the MPI that ncgraph was built "
              "with (Open MPI), or one process alone";
    return nci_fail(err, NCG_EINVAL,
                    "%d tasks were started and cannot find each other%s%s%s: "
                    "%s",
                    ranks->size, why ? " (" : "", why ? why : "",
                    why ? ")" : "", remedy);
}
