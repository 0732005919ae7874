/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_MODULE_H
#define NCI_ENGINE_LAUNCH_MODULE_H
/*
 * What finds the other processes of a job: two modules that are loaded only
 * where a launcher started several, ncgraph_launch.so by PMIx and
 * ncgraph_launch_mpi.so by MPI. They hand out what rank 0 says (the scheduler's
 * address, the secret), once, and are then done: no data goes through MPI.
 *
 * This header is all that a module and the library share.
 */
#include <stddef.h>
#include <stdint.h>

enum { NCI_LAUNCH_MODULE_VERSION = 1 };

typedef struct nci_peers {
    int rank, size;
    int local_rank, local_size; /* on this machine */
} nci_peers;

/* Functions return 0, or something else and say why in `why`. */
typedef struct nci_launch_module {
    uint32_t version;
    /* start meets the launcher: who am I, of how many? */
    int (*start)(nci_peers *out, char *why, size_t nwhy);
    /* share gives rank 0's bytes to all; every rank calls it, once. */
    int (*share)(void *bytes, size_t nbytes, char *why, size_t nwhy);
    /* finish takes leave of the launcher; also after a failure. */
    void (*finish)(void);
    /* cores counts cores, not hardware threads: those of this process's CPU
     * set, and those of the machine that the job may use. 0: not known. */
    void (*cores)(int *mine, int *machine);
} nci_launch_module;

/* The symbol that a module shows. */
#define NCI_LAUNCH_MODULE_SYMBOL "ncg_launch_module"

#endif
