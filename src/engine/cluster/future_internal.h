/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_FUTURE_INTERNAL_H
#define NCI_ENGINE_CLUSTER_FUTURE_INTERNAL_H
/* client_future.c: calls. client_run_on.c: functions called at once. */
#include "engine/cluster/client_internal.h"
#include "engine/sched/task_map.h"

/* Functions that were called at once, and what they answered. */
typedef struct nci_asking {
    int64_t id;
    int64_t expected; /* -1: not told yet */
    ncg_error error;
    ncg_worker_answer *answers;
    size_t count, capacity;
    bool is_starved;
    struct nci_asking *next;
} nci_asking;

/* Counted by the client and by each future. */
struct nci_futures {
    pthread_mutex_t lock; /* guards all of it */
    pthread_cond_t changed;
    int refs;
    nci_client *client; /* NULL: closed */
    bool is_gone;       /* the scheduler is */
    ncg_error why;
    nci_task_map table; /* by number, not counted */
    uint32_t numbers;   /* given so far */
    int busy;           /* threads that use the client's net */
    nci_asking *askings;
};

/* nci_futures_wait_locked waits for a change, at most until `until` (of
 * nci_futures_now; negative: no end); false: that time has come. */
bool nci_futures_wait_locked(nci_futures *t, double until);
double nci_futures_now(void);
/* nci_asking_told_locked takes BEGUN and ANSWER. */
void nci_asking_told_locked(nci_futures *t, const nci_service *told);
/* nci_client_ask asks and waits for BEGUN and as many ANSWERs; *out:
 * nci_answers_free. */
ncg_status nci_client_ask(nci_client *client, const nci_service *what,
                          ncg_worker_answer **out, size_t *n, ncg_error *err);
void nci_answers_free(ncg_worker_answer *answers, size_t n);

/* nci_client_fetch waits for a part of a chunk from a worker. */
ncg_status nci_client_fetch(nci_client *client, const char *where,
                            const nci_fetch_request *what, nci_buf **out,
                            ncg_error *err);
/* nci_futures_pause waits for a moment; false: the scheduler is gone. */
bool nci_futures_pause(nci_futures *t);
/* client_kept.c: with the client. */
void nci_client_holds_free(nci_client *client);

#endif
