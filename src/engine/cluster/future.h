/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_FUTURE_H
#define NCI_ENGINE_CLUSTER_FUTURE_H
/*
 * A client's calls: submitted to the scheduler, told by it how they go, their
 * values fetched from the workers that have them. A future may outlive the
 * client that made it; then it has failed. Any thread.
 */
#include "engine/cluster/client.h"
#include "engine/net/net.h"

typedef struct nci_future nci_future; /* counted */

/* One call. */
typedef struct nci_future_spec {
    const char *function;
    ncg_bytes argument;
    nci_future *const *inputs;
    size_t ninputs;
    const char *worker; /* NULL: any */
    int retries;
    const char *resources; /* that it takes while it runs; NULL: none */
} nci_future_spec;

/* nci_future_submit asks for n calls in as few messages as fit; `out` has room
 * for n. */
ncg_status nci_future_submit(nci_client *client, const nci_future_spec *specs,
                             size_t n, nci_future **out, ncg_error *err);
nci_future *nci_future_retain(nci_future *future);
void nci_future_release(nci_future **future);
ncg_run_state nci_future_state(const nci_future *future);
/* nci_future_wait: seconds < 0: as long as it takes. True: one of them, which
 * *which tells, has ended. */
bool nci_future_wait(nci_future *const *futures, size_t n, double seconds,
                     size_t *which);
/* nci_future_value waits and fetches: *out is the caller's. */
ncg_status nci_future_value(nci_future *future, nci_buf **out, ncg_error *err);
/* nci_future_take is nci_future_value of one that is done, as far as the value
 * is where it was said to be; it does not wait until it is made again. */
ncg_status nci_future_take(nci_future *future, nci_buf **out, ncg_error *err);
void nci_future_cancel(nci_future *future);

/* nci_client_run_on calls a function on workers ("*": all, "": the scheduler)
 * and waits for all answers; *out: nci_free each data, message and worker. */
ncg_status nci_client_run_on(nci_client *client, const char *function,
                             ncg_bytes argument, const char *where,
                             ncg_worker_answer **out, size_t *n,
                             ncg_error *err);

/* ---- for client.c */
typedef struct nci_futures nci_futures;

ncg_status nci_futures_create(nci_client *client, nci_futures **out,
                              ncg_error *err);
/* nci_futures_close: all have failed with `why`; nobody touches the client
 * from then on. */
void nci_futures_close(nci_futures *futures, const ncg_error *why);
/* nci_futures_release gives the client's count back: no hook comes any more. */
void nci_futures_release(nci_futures **futures);
/* nci_futures_told takes a TELL message; false: it is damaged. */
bool nci_futures_told(nci_futures *futures, const nci_message *message);
/* nci_futures_fail: the scheduler is gone. */
void nci_futures_fail(nci_futures *futures, const ncg_error *why);

#endif
