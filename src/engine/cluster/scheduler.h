/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_SCHEDULER_H
#define NCI_ENGINE_CLUSTER_SCHEDULER_H
/*
 * The scheduler of a cluster: sockets and a clock around the scheduler's state
 * machine (sched/sched.h), which decides. It has threads of its own and lives
 * beside whatever else the process does. A few runs of all clients are under way
 * at a time; workers join and leave at any time.
 */
#include "engine/cluster/host.h"
#include "engine/http/report.h"
#include "engine/launch/handover.h"

typedef struct nci_scheduler nci_scheduler;

typedef struct nci_scheduler_options {
    const uint8_t *secret, *cluster;
    uint64_t epoch;
    const char *interface; /* a host or number to listen on; NULL: all */
    int port;              /* 0: any */
    ncg_wire_options wire;
    void (*note)(void *ctx, const char *sentence); /* any thread; NULL */
    void *note_ctx;
} nci_scheduler_options;

ncg_status nci_scheduler_create(const nci_scheduler_options *options,
                                const nci_plan_host *host, nci_scheduler **out,
                                ncg_error *err);
/* nci_scheduler_destroy tells the workers to end; runs under way fail. */
void nci_scheduler_destroy(nci_scheduler **scheduler);
/* nci_scheduler_addresses: "host:port", borrowed. */
const char *nci_scheduler_addresses(const nci_scheduler *scheduler);
/* nci_scheduler_tls: of its certificates' authority (nci_net_tls), borrowed. */
const char *nci_scheduler_tls(const nci_scheduler *scheduler);
/* nci_scheduler_is_stopped tells whether a client asked for the end. */
bool nci_scheduler_is_stopped(nci_scheduler *scheduler);
/* nci_scheduler_report tells what the cluster looks like now; any thread.
 * False without memory. */
bool nci_scheduler_report(nci_scheduler *scheduler, nci_report *out);

#endif
