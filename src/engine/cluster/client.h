/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_CLIENT_H
#define NCI_ENGINE_CLUSTER_CLIENT_H
/*
 * A client of a cluster: sends plans, fetches the chunks of their outputs and
 * puts them into the sink, in order. The counterpart of nci_executor_run for
 * work that others do.
 */
#include "engine/executor.h"
#include "engine/net/net.h"
#include "graph/plan.h"
#include "io/io.h"
#include "io/write/encode.h"

typedef struct nci_client nci_client;

typedef struct nci_client_options {
    const char *addresses; /* of the scheduler */
    const uint8_t *secret, *cluster;
    double timeout; /* s to wait for the scheduler's answer */
    ncg_wire_options wire;
    int64_t memory; /* this process's limit */
    void (*note)(void *ctx, const char *sentence); /* any thread; NULL */
    void *note_ctx;
    /* Ends waiting for chunks that sources read here; any thread; NULL. */
    bool (*is_canceled)(void *ctx);
    void *cancel_ctx;
    /* Where the scheduler is now, while it does not answer; NULL. */
    void (*look)(void *ctx, char addresses[NCI_NET_ADDRESSES]);
    void *look_ctx;
} nci_client_options;

/* nci_client_connect: EAUTH, ENET within the timeout. */
ncg_status nci_client_connect(const nci_client_options *options,
                              nci_client **out, ncg_error *err);
void nci_client_close(nci_client **client);

/* What the cluster is to run. */
typedef struct nci_client_job {
    const char *bytes; /* of the outputs (graph/codec_output.h) */
    size_t nbytes;
    const nci_plan *plan; /* that they make, here */
    /* How workers encode what they store, one an output; NULL: chunks come as
     * they are, and the sink encodes here. */
    const nci_encoding *forms;
    /* The set of chunks that each output becomes on the workers (zeros: it is
     * put); NULL: all are put. This client holds the sets then. */
    const nci_token *keeps;
    const nci_token *needs; /* sets that the outputs read: they stay until what
                               is kept of them is there and let go of */
    size_t nneeds;
    const nci_source_table *sources; /* of the plan, here: they are told of the
                                        default fills that workers met */
    /* Called now and then with what workers have read since the last time. */
    void (*reads)(void *ctx, const nci_io_stats *more);
    void *reads_ctx;
} nci_client_job;

/* nci_client_run: one run at a time. Waits for workers as long as it takes;
 * `cancel` ends that. ENET: the scheduler is gone. */
ncg_status nci_client_run(nci_client *client, const nci_client_job *job,
                          const nci_sink *sink, const _Atomic bool *cancel,
                          void (*progress)(void *ctx, int64_t tasks_done,
                                           int64_t managed),
                          void *progress_ctx, nci_run_stats *stats,
                          ncg_error *err);
/* nci_client_begin has a run begun whose outputs are all kept, and does not
 * wait: what becomes of it is told to those that read the sets. */
ncg_status nci_client_begin(nci_client *client, const nci_client_job *job,
                            int retries, ncg_error *err);
/* nci_client_call asks the scheduler: "status", "stop", "retire" (argument: a
 * worker's name). *answer (may be NULL): nci_free. */
ncg_status nci_client_call(nci_client *client, const char *word,
                           const char *argument, char **answer,
                           ncg_error *err);

#endif
