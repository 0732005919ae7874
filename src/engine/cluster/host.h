/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_HOST_H
#define NCI_ENGINE_CLUSTER_HOST_H
/*
 * How the bytes of a plan become a plan in this process: given by whoever knows
 * how sources are found again (the api), to scheduler and workers alike.
 */
#include "engine/kernel/registry.h"
#include "engine/source.h"
#include "graph/plan.h"
#include "io/io.h"

typedef struct nci_hosted {
    nci_plan *plan;
    nci_source_table *sources;
} nci_hosted;

typedef struct nci_plan_host {
    void *ctx;
    /* open: any thread; reads headers of files. *out is closed by close. */
    ncg_status (*open)(void *ctx, const char *bytes, size_t nbytes,
                       nci_hosted *out, ncg_error *err);
    void (*close)(void *ctx, nci_hosted *hosted);
    /* select: the bytes (nci_free) and hash of a plan of some chunks,
     * ascending, of one output of another. */
    ncg_status (*select)(void *ctx, const char *bytes, size_t nbytes,
                         int output, const int64_t *chunks, int64_t nchunks,
                         char **out, size_t *nout, nci_token *hash,
                         ncg_error *err);
    /* reads: what this process has read of files so far. */
    void (*reads)(void *ctx, nci_io_stats *out);
    nci_kernel_table *kernels;
} nci_plan_host;

/* nci_hosted_open opens the plan of a PLAN message (dialogue.h), whose bytes
 * *message borrows (fini). `who` is this process, in errors. EMISMATCH: it
 * comes to another plan than the client. */
struct nci_plan_message;
ncg_status nci_hosted_open(const nci_plan_host *host, nci_buf *body,
                           const char *who, struct nci_plan_message *message,
                           nci_hosted *out, ncg_error *err);

#endif
