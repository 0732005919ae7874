/* SPDX-License-Identifier: BSD-3-Clause */
/* Calling the module, and what a rank may take of its machine. */
#include "engine/launch/job.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/launch/module_open.h"

struct nci_job_peers {
    void *library;
    const nci_launch_module *module;
    nci_peers who;
};

static bool load(nci_job_peers *job, const char *name)
{
    job->library = nci_module_open(name);
    job->module = job->library
                      ? dlsym(job->library, NCI_LAUNCH_MODULE_SYMBOL)
                      : NULL;
    return job->module && job->module->version == NCI_LAUNCH_MODULE_VERSION;
}

/* ---- the job ------------------------------------------------------------- */

ncg_status nci_job_join(const nci_ranks *ranks, nci_job_peers **out,
                        ncg_error *err)
{
    const char *name =
        ranks->has_pmix ? "ncgraph_launch.so" : "ncgraph_launch_mpi.so";
    char why[300] = "";
    nci_job_peers *job = nci_calloc(1, sizeof *job);
    if (!job)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = NCG_OK;
    if (ranks->has_slurm && !ranks->has_pmix)
        st = nci_ranks_lonely(ranks, NULL, err); /* srun alone: no MPI */
    else if (!load(job, name)) {
        snprintf(why, sizeof why, "%s is not installed or does not load",
                 name);
        st = nci_ranks_lonely(ranks, why, err);
    } else if (job->module->start(&job->who, why, sizeof why)) {
        st = nci_ranks_lonely(ranks, why, err);
    } else if (job->who.size != ranks->size) {
        job->module->finish();
        st = nci_ranks_lonely(ranks, NULL, err);
    }
    if (st)
        nci_free(job);
    else
        *out = job;
    return st;
}

const nci_peers *nci_job_who(const nci_job_peers *job)
{
    return &job->who;
}

ncg_status nci_job_share(nci_job_peers *job, void *bytes, size_t nbytes,
                         ncg_error *err)
{
    char why[300] = "";
    if (!job->module->share(bytes, nbytes, why, sizeof why))
        return NCG_OK;
    return nci_fail(err, NCG_ENET, "the ranks cannot reach each other: %s",
                    why);
}

/* The library stays loaded: neither MPI nor PMIx likes to be taken away. */
void nci_job_leave(nci_job_peers **slot)
{
    nci_job_peers *job = *slot;
    *slot = NULL;
    if (job)
        job->module->finish();
    nci_free(job);
}

/* ---- cores --------------------------------------------------------------- */

static int own_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return CPU_COUNT(&set);
}

/* Takes all CPUs that the system lets this process have. */
static int widen(void)
{
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int i = 0; i < CPU_SETSIZE; i++)
        CPU_SET(i, &all);
    sched_setaffinity(0, sizeof all, &all);
    return own_cpus();
}

int nci_job_cores(const nci_job_peers *job, const char **note)
{
    int cores = 0, machine = 0, ranks = job->who.local_size;
    int cpus = own_cpus();
    *note = NULL;
    if (job->module->cores)
        job->module->cores(&cores, &machine);
    if (!machine)
        machine = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (!cores)
        cores = cpus;
    ranks = ranks > 0 ? ranks : 1;
    if (cores > 1 && cores < machine)
        return cpus; /* the launcher gave this rank its own cores */
    if (ranks >= machine)
        return 1;
    if (cores == 1 && machine > 1) {
        cpus = widen();
        *note = "the launcher bound each rank to one core of several: ranks "
                "share the machine's cores (`mpirun --bind-to none` says the "
                "same)";
    }
    return cpus / ranks > 0 ? cpus / ranks : 1;
}
