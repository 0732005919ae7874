/* SPDX-License-Identifier: BSD-3-Clause */
/* ncgraph_launch_mpi.so: the peers by MPI, where the launcher has no PMIx. */
#include "engine/launch/module.h"

#include <mpi.h>
#include <stdio.h>

static int failed(const char *what, int rc, char *why, size_t nwhy)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(rc, text, &length);
    snprintf(why, nwhy, "%s: %s", what, text);
    return 1;
}

static int start(nci_peers *out, char *why, size_t nwhy)
{
    MPI_Comm here = MPI_COMM_NULL;
    int rc = MPI_Init(NULL, NULL);
    if (rc)
        return failed("MPI_Init", rc, why, nwhy);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &out->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &out->size);
    rc = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0,
                             MPI_INFO_NULL, &here);
    if (rc)
        return failed("MPI_Comm_split_type", rc, why, nwhy);
    MPI_Comm_rank(here, &out->local_rank);
    MPI_Comm_size(here, &out->local_size);
    MPI_Comm_free(&here);
    return 0;
}

static int share(void *bytes, size_t nbytes, char *why, size_t nwhy)
{
    int rc = MPI_Bcast(bytes, (int)nbytes, MPI_BYTE, 0, MPI_COMM_WORLD);
    return rc ? failed("MPI_Bcast", rc, why, nwhy) : 0;
}

static void finish(void)
{
    int is_up = 0;
    MPI_Initialized(&is_up);
    if (is_up)
        MPI_Finalize();
}

extern const nci_launch_module ncg_launch_module;
__attribute__((visibility("default")))
const nci_launch_module ncg_launch_module = {
    NCI_LAUNCH_MODULE_VERSION, start, share, finish, NULL};
