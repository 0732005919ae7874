/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_WORKER_H
#define NCI_ENGINE_CLUSTER_WORKER_H
/*
 * A worker process: threads, sockets, buffers and a disk around the worker's
 * state machine (sched/worker.h), which decides. Runs until the scheduler says
 * stop, or lets it leave, or is gone.
 */
#include <signal.h>

#include "engine/cluster/host.h"
#include "engine/executor.h"
#include "engine/launch/handover.h"

typedef struct nci_work_options {
    const char *addresses; /* of the scheduler, "host:port,host:port" */
    const char *scheduler_file; /* read again where nobody answers; NULL */
    const uint8_t *secret, *cluster;
    const char *name;      /* NULL: host and process id */
    const char *interface; /* to listen on: a host or number; NULL: all */
    const char *checkpoint_directory; /* NULL: none; seen by all workers */
    const char *resources; /* of this worker, sched/resources.h; NULL: none */
    double death_timeout; /* s to wait for a scheduler that does not answer */
    bool is_bound; /* the scheduler was there before: where nobody listens any
                      more, all is over, and well */
    ncg_wire_options wire;
    double lifetime;      /* s from now until this process must end; 0: open */
    /* 1: leave as soon as nothing here is needed; 2: at once. Set by a signal
     * handler, looked at ten times a second. NULL: never. */
    const volatile sig_atomic_t *leave;
    void (*note)(void *ctx, const char *sentence); /* NULL */
    void *note_ctx;
} nci_work_options;

/* nci_cluster_work serves with the executor's threads, memory and kernels.
 * OK: the cluster has ended, or let this worker go. EAUTH: wrong secret,
 * cluster or version. ENET: no scheduler within the death timeout. */
ncg_status nci_cluster_work(nci_executor *executor, const nci_plan_host *host,
                            const nci_work_options *options, ncg_error *err);

#endif
