/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues are short rings under a mutex each: a job is a chunk's work, so the
 * few dozen nanoseconds of a lock do not show, and thieves and owner stay easy
 * to reason about.
 *
 * Sleeping. A submitter adds to `queued` and then looks at `sleepers`; a thread
 * adds itself to `sleepers` and then looks at `queued`; both are sequentially
 * consistent, so one of the two sees the other and no job is left lying.
 * Lock order: none is held while another is taken.
 */
#include "engine/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/mem.h"

typedef struct queue {
    pthread_mutex_t lock; /* guards what follows */
    nci_job *ring;
    size_t first, count;
} queue;

typedef struct worker {
    nci_pool *pool;
    int index;
    pthread_t thread;
    queue queue;
} worker;

struct nci_pool {
    int nthreads, nstarted;
    size_t ring_size; /* every queue could hold all jobs there can be */
    worker *workers;
    _Atomic int queued, sleepers;
    _Atomic unsigned next; /* queue for submitters from outside */
    pthread_mutex_t lock;  /* guards stopping, and sleeping on `wake` */
    pthread_cond_t wake;
    bool stopping;
};

static _Thread_local const nci_pool *own; /* of a thread of a pool */

bool nci_pool_is_own(const nci_pool *pool)
{
    return pool && pool == own;
}

static bool take(nci_pool *pool, queue *q, nci_job *out)
{
    pthread_mutex_lock(&q->lock);
    bool found = q->count > 0;
    if (found) {
        *out = q->ring[q->first];
        q->first = (q->first + 1) % pool->ring_size;
        q->count--;
        atomic_fetch_sub(&pool->queued, 1);
    }
    pthread_mutex_unlock(&q->lock);
    return found;
}

/* The own queue first, then the others round about. */
static bool find_job(worker *w, nci_job *out)
{
    nci_pool *pool = w->pool;
    if (atomic_load(&pool->queued) <= 0)
        return false;
    for (int i = 0; i < pool->nthreads; i++)
        if (take(pool, &pool->workers[(w->index + i) % pool->nthreads].queue,
                 out))
            return true;
    return false;
}

/* Sleeps until there is something to find; false when the pool ends. */
static bool wait_for_job(nci_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->queued) <= 0 && !pool->stopping)
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    bool go_on = !pool->stopping;
    pthread_mutex_unlock(&pool->lock);
    return go_on;
}

static void *thread_main(void *arg)
{
    worker *w = arg;
    nci_job job;
    own = w->pool;
    do {
        while (find_job(w, &job))
            job.run(&job, w->index);
    } while (wait_for_job(w->pool));
    return NULL;
}

void nci_pool_submit(nci_pool *pool, int thread, const nci_job *job)
{
    if (thread < 0)
        thread =
            (int)(atomic_fetch_add(&pool->next, 1) % (unsigned)pool->nthreads);
    queue *q = &pool->workers[thread].queue;
    pthread_mutex_lock(&q->lock);
    NCI_ASSERT(q->count < pool->ring_size);
    q->ring[(q->first + q->count++) % pool->ring_size] = *job;
    atomic_fetch_add(&pool->queued, 1);
    pthread_mutex_unlock(&q->lock);
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

/* Signals belong to the program's own threads. */
static ncg_status start_threads(nci_pool *pool, ncg_error *err)
{
    sigset_t all, before;
    int failure = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->nstarted < pool->nthreads && !failure) {
        worker *w = &pool->workers[pool->nstarted];
        failure = pthread_create(&w->thread, NULL, thread_main, w);
        pool->nstarted += !failure;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        return nci_fail_sys(err, NCG_ENOMEM, failure,
                            "cannot start thread %d of %d; fewer threads (-j) "
                            "may do",
                            pool->nstarted + 1, pool->nthreads);
    return NCG_OK;
}

ncg_status nci_pool_create(int threads, nci_pool **out, ncg_error *err)
{
    nci_pool *pool = nci_calloc(1, sizeof *pool);
    worker *workers = nci_calloc((size_t)threads, sizeof *workers);
    if (!pool || !workers) {
        nci_free(pool);
        nci_free(workers);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    pool->nthreads = threads;
    pool->workers = workers;
    pool->ring_size = NCI_POOL_RUNS * (size_t)threads + 1;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    bool has_rings = true;
    for (int i = 0; i < threads; i++) {
        worker *w = &workers[i];
        *w = (worker){.pool = pool, .index = i};
        pthread_mutex_init(&w->queue.lock, NULL);
        w->queue.ring = nci_calloc(pool->ring_size, sizeof *w->queue.ring);
        has_rings = has_rings && w->queue.ring;
    }
    ncg_status st = has_rings ? start_threads(pool, err)
                              : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st)
        nci_pool_destroy(&pool);
    else
        *out = pool;
    return st;
}

void nci_pool_destroy(nci_pool **slot)
{
    nci_pool *pool = *slot;
    *slot = NULL;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->nstarted; i++)
        pthread_join(pool->workers[i].thread, NULL);
    for (int i = 0; i < pool->nthreads; i++) {
        pthread_mutex_destroy(&pool->workers[i].queue.lock);
        nci_free(pool->workers[i].queue.ring);
    }
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    nci_free(pool->workers);
    nci_free(pool);
}
