/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_POOL_H
#define NCI_ENGINE_POOL_H
/*
 * A work-stealing pool: each thread has a queue of its own and takes from the
 * others when it is empty; idle threads sleep. The pool knows nothing of
 * cores or order: whoever submits sees to it that at most `threads` jobs of a run
 * are queued at any time, which the scheduler's sum of cores implies, and of no
 * more than NCI_POOL_RUNS runs.
 */
#include "base/error.h"

typedef struct nci_pool nci_pool;

enum { NCI_POOL_RUNS = 8 };

typedef struct nci_job {
    /* Runs on pool thread `thread`, 0 <= thread < threads; no lock held. */
    void (*run)(const struct nci_job *job, int thread);
    void *ctx;
    int64_t task;
    uint32_t attempt;
    int threads;
    int kind;
} nci_job;

/* nci_pool_create starts the threads; they take no signals. */
ncg_status nci_pool_create(int threads, nci_pool **out, ncg_error *err);
/* nci_pool_destroy waits for running jobs and joins; queued jobs are dropped.
 */
void nci_pool_destroy(nci_pool **pool);
/* nci_pool_is_own tells whether the calling thread is one of this pool, which
 * need not be there any more. */
bool nci_pool_is_own(const nci_pool *pool);
/* nci_pool_submit queues a job: on thread `thread`'s own queue when called
 * from it, on any with thread == -1. Any thread. */
void nci_pool_submit(nci_pool *pool, int thread, const nci_job *job);

#endif
