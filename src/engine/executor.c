/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The executor's life, and loops over independent items. Runs of plans are in
 * run.c. Threads belong to the process that made them: after fork() every call
 * answers with an error instead of waiting for threads that are not there.
 */
#include "engine/executor_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/block.h"
#include "base/mem.h"

/* ---- life ---------------------------------------------------------------- */

/* How much freed memory may stay with the process: little beside the limit. */
static size_t free_bytes(int64_t limit)
{
    const int64_t few = INT64_C(16) << 20;
    return (size_t)(limit / 16 > few ? limit / 16 : few);
}

/* Resident bytes of the process now; 0 where the system does not tell. */
static int64_t resident_bytes(void)
{
    long long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &pages, &resident) != 2)
        resident = 0;
    fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* What is in memory beside chunks and scratch: the program with its libraries
 * as it is now, freed blocks that are kept, stacks and small things of the
 * threads. A limit that is hardly more than that bounds the chunks alone, and
 * never more than a quarter of a limit is kept back: a program may hold much
 * that is not for us to count. */
static int64_t bytes_beside(const nci_executor *x)
{
    const int64_t small = INT64_C(64) << 20, of_thread = INT64_C(1) << 20;
    if (x->limit < small)
        return 0;
    int64_t bytes = resident_bytes() + (int64_t)free_bytes(x->limit) +
                    x->threads * of_thread;
    return bytes < x->limit / 4 ? bytes : x->limit / 4;
}

ncg_status nci_executor_create(const nci_executor_options *options,
                               nci_executor **out, ncg_error *err)
{
    if (options->threads < 1 || options->memory_limit < 1)
        return nci_fail(err, NCG_EINVAL,
                        "threads and memory limit must be positive");
    size_t threads = (size_t)options->threads;
    nci_executor *x = nci_calloc(1, sizeof *x);
    if (!x)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    x->pid = getpid();
    x->threads = options->threads;
    x->limit = options->memory_limit;
    pthread_mutex_init(&x->turn, NULL);
    nci_block_bound(free_bytes(x->limit));
    x->beside = bytes_beside(x);
    ncg_status st = NCG_OK;
    x->lanes = nci_calloc(threads, sizeof *x->lanes);
    x->spill.how = options->compression;
    if (options->spill_directory)
        x->spill.directory = nci_strdup(options->spill_directory);
    if (!x->lanes || (options->spill_directory && !x->spill.directory))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = nci_kernel_table_create(&x->kernels, err);
    if (!st)
        st = nci_pool_create(x->threads, &x->pool, err);
    if (st)
        nci_executor_destroy(&x);
    else
        *out = x;
    return st;
}

void nci_executor_destroy(nci_executor **slot)
{
    nci_executor *x = *slot;
    *slot = NULL;
    /* In a forked child the threads are gone and what they held is not known:
     * the memory is left to the end of the process. */
    if (!x || x->pid != getpid())
        return;
    nci_pool_destroy(&x->pool);
    for (int i = 0; x->lanes && i < x->threads; i++) {
        nci_scratch_destroy(&x->lanes[i].scratch);
        nci_free(x->lanes[i].deps);
        nci_free(x->lanes[i].drops);
    }
    nci_free(x->lanes);
    nci_free((char *)x->spill.directory);
    nci_kernel_table_free(&x->kernels);
    pthread_mutex_destroy(&x->turn);
    nci_free(x);
}

const struct nci_pool *nci_executor_crew(const nci_executor *x)
{
    return x->pool;
}

nci_kernel_table *nci_executor_kernels(const nci_executor *x)
{
    return x->kernels;
}

int nci_executor_threads(const nci_executor *x)
{
    return x->threads;
}

int64_t nci_executor_room(const nci_executor *x, int64_t limit, int64_t peak,
                          int64_t floor)
{
    int64_t room = limit - x->beside;
    return peak <= room || floor <= room ? room : limit;
}

int64_t nci_executor_limit(const nci_executor *x)
{
    return x->limit;
}

int64_t nci_executor_managed(const nci_executor *x)
{
    return atomic_load_explicit(&x->managed, memory_order_relaxed);
}

ncg_status nci_executor_check(const nci_executor *x, ncg_error *err)
{
    if (x->pid == getpid())
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL,
                    "a context does not work in a forked process: create a "
                    "new one there");
}

void nci_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void nci_deadline(struct timespec *out, int64_t milliseconds)
{
    clock_gettime(CLOCK_MONOTONIC, out);
    int64_t nanos = out->tv_nsec + milliseconds * 1000000;
    out->tv_sec += nanos / 1000000000;
    out->tv_nsec = nanos % 1000000000;
}

/* ---- loops ------------------------------------------------------------------
 */

typedef struct loop {
    ncg_status (*body)(void *arg, size_t i, ncg_error *err);
    void *arg;
    size_t n;
    _Atomic size_t next;
    _Atomic bool failed;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    int active;
    size_t failed_at; /* lowest index that failed */
    ncg_error error;
} loop;

/* Items are handed out in ascending order, so all below a failed one have been
 * started: the lowest failure is the same whatever the timing. */
static void run_loop(const nci_job *job, int thread)
{
    loop *l = job->ctx;
    ncg_error err;
    (void)thread;
    while (!atomic_load(&l->failed)) {
        size_t i = atomic_fetch_add(&l->next, 1);
        if (i >= l->n)
            break;
        nci_error_clear(&err);
        ncg_status st = l->body(l->arg, i, &err);
        if (!st)
            continue;
        err.status = st;
        pthread_mutex_lock(&l->lock);
        if (!atomic_exchange(&l->failed, true) || i < l->failed_at) {
            l->failed_at = i;
            l->error = err;
        }
        pthread_mutex_unlock(&l->lock);
    }
    pthread_mutex_lock(&l->lock);
    if (--l->active == 0)
        pthread_cond_signal(&l->ended);
    pthread_mutex_unlock(&l->lock);
}

ncg_status nci_executor_parallel(nci_executor *x, size_t n,
                                 ncg_status (*body)(void *arg, size_t i,
                                                    ncg_error *err),
                                 void *arg, ncg_error *err)
{
    NCI_TRY(nci_executor_check(x, err));
    if (n == 0)
        return NCG_OK;
    loop l = {.body = body, .arg = arg, .n = n};
    nci_job job = {.run = run_loop, .ctx = &l};
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.ended, NULL);
    int jobs = n < (size_t)x->threads ? (int)n : x->threads;
    l.active = jobs;
    pthread_mutex_lock(&x->turn);
    for (int i = 0; i < jobs; i++)
        nci_pool_submit(x->pool, -1, &job);
    pthread_mutex_lock(&l.lock);
    while (l.active > 0)
        pthread_cond_wait(&l.ended, &l.lock);
    pthread_mutex_unlock(&l.lock);
    pthread_mutex_unlock(&x->turn);
    pthread_cond_destroy(&l.ended);
    pthread_mutex_destroy(&l.lock);
    if (!atomic_load(&l.failed))
        return NCG_OK;
    if (err)
        *err = l.error;
    return l.error.status;
}
