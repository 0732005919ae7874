/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_CLIENT_INTERNAL_H
#define NCI_ENGINE_CLUSTER_CLIENT_INTERNAL_H
/* client.c: connection. client_run.c: runs. client_future.c: calls.
 * client_kept.c: what stays on workers. */
#include <pthread.h>

#include "engine/cluster/client.h"
#include "engine/cluster/future.h"
#include "engine/cluster/service.h"

/* A chunk that is to be put. */
typedef struct nci_arrival {
    nci_client *client;
    uint32_t run; /* request */
    int64_t task;
    uint32_t attempt;
    nci_buf *chunk; /* NULL: not there yet */
    bool is_lost;
    struct nci_arrival *next;
} nci_arrival;

struct nci_client {
    nci_client_options options;
    nci_keys keys;
    char addresses[NCI_NET_ADDRESSES]; /* of the scheduler */
    nci_net *net;
    nci_futures *futures; /* has a lock of its own */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    nci_conn_id conn;
    bool is_ready, is_closed;
    ncg_error why; /* it was closed */
    uint32_t run;  /* request of the run under way, 0: none */
    nci_arrival *first, **last;
    int64_t lost; /* task that must come before all others, -1: none */
    int fetches;  /* under way, of all runs */
    bool is_over;
    nci_finished_message end;
    nci_progress_message news;
    int64_t ntasks;
    struct nci_client_hold *holds; /* sets of chunks that sources read */
    bool has_answer; /* to a call */
    ncg_error said;
    char *answer;
};

/* ---- client.c */

/* nci_client_wait_locked waits for a change, or for a moment. */
void nci_client_wait_locked(nci_client *client);

/* ---- client_run.c */

/* nci_client_take_put_locked begins to fetch what a PUT message names. */
void nci_client_take_put_locked(nci_client *client,
                                const nci_message *message);

#endif
