/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_EXECUTOR_INTERNAL_H
#define NCI_ENGINE_EXECUTOR_INTERNAL_H
/* The executor's parts, and the run with kernels from outside (for tests). */
#include <pthread.h>
#include <sys/types.h>

#include "engine/executor.h"
#include "engine/pool.h"
#include "engine/spill_file.h"

/* What one pool thread keeps between tasks; only that thread touches it. */
typedef struct nci_lane {
    nci_scratch *scratch; /* NULL: made with the next task */
    nci_dep *deps;
    size_t ndeps, deps_capacity;
    nci_buf **drops; /* outputs to let go when no lock is held */
    size_t ndrops, drops_capacity;
    bool failed; /* memory ran out while deps were gathered */
    _Atomic int64_t fills; /* that the last task met (fills.h), where the run
                              has no counters */
} nci_lane;

struct nci_executor {
    pid_t pid; /* of the process that owns the threads */
    int threads;
    int64_t limit;
    int64_t beside; /* of the limit, for what the process holds beside chunks */
    nci_spill_place spill; /* its name is owned */
    _Atomic int64_t managed; /* of the run under way, for those who ask */
    pthread_mutex_t turn; /* guards the pool: one run or loop at a time */
    nci_pool *pool;
    nci_lane *lanes;           /* one a thread */
    nci_kernel_table *kernels; /* that programs registered */
};

/* How a task is run and what it costs (nci_sched_costs); the kernels and
 * nci_costs_* in production. */
typedef struct nci_work {
    void *ctx;
    ncg_status (*run)(void *ctx, const nci_task_env *env, int64_t task,
                      const nci_dep *deps, int64_t ndeps, nci_buf **out,
                      ncg_error *err);
    int64_t (*scratch)(void *ctx, int64_t task, int threads);
    int (*threads)(void *ctx, int64_t task, int available);
    int64_t keep; /* bytes of the limit for decoded tiles (tile_cache.h) */
    int64_t (*most_scratch)(void *ctx, int layer); /* NULL: not known */
} nci_work;

/* nci_executor_room: bytes of `limit`, the executor's or what is left of it, for
 * the managed bytes of a plan that needs `peak`, or `floor` with spilling: all
 * but what the process holds beside them, so that the resident set stays under
 * the limit. A plan that fits under the limit only without that gets all. */
int64_t nci_executor_room(const nci_executor *executor, int64_t limit,
                          int64_t peak, int64_t floor);
/* nci_executor_held: bytes of the memory limit that a run cannot use: those of
 * persisted arrays, and what the sink will keep. */
int64_t nci_executor_held(const nci_source_table *sources,
                          const nci_sink *sink);
/* nci_executor_check refuses after fork: EINVAL. */
ncg_status nci_executor_check(const nci_executor *executor, ncg_error *err);

ncg_status nci_executor_run_work(
    nci_executor *executor, const nci_plan *plan,
    const nci_source_table *sources, const nci_work *work, const nci_sink *sink,
    const _Atomic bool *cancel,
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
    void *progress_ctx, nci_run_stats *stats, ncg_error *err);
/* nci_executor_run_in_turn is the same for a caller that has `turn`. The limit
 * of a run is found in its turn: the run before may have left chunks that are
 * held. */
ncg_status nci_executor_run_in_turn(
    nci_executor *executor, const nci_plan *plan,
    const nci_source_table *sources, const nci_work *work, const nci_sink *sink,
    const _Atomic bool *cancel,
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
    void *progress_ctx, nci_run_stats *stats, ncg_error *err);

/* nci_deadline adds milliseconds to the monotonic clock. */
void nci_deadline(struct timespec *out, int64_t milliseconds);
/* nci_cond_init makes a condition that waits by the monotonic clock. */
void nci_cond_init(pthread_cond_t *cond);

#endif
