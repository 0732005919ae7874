/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_EXECUTOR_H
#define NCI_ENGINE_EXECUTOR_H
/*
 * The driver of the scheduler in one process: a clock, a pool of threads, a
 * store of chunks. It carries out the scheduler's actions; decisions are the
 * scheduler's alone.
 */
#include "engine/kernel/kernel.h"
#include "engine/sched/sched.h"

typedef struct nci_executor nci_executor; /* the pool; lives in a context */

typedef struct nci_executor_options {
    int threads;          /* > 0 */
    int64_t memory_limit; /* > 0 */
    const char *spill_directory; /* copied; NULL: $TMPDIR or /tmp */
    ncg_wire_compression compression; /* of what is spilled */
} nci_executor_options;

/* What becomes of the chunks of STORE layers. encode: any thread, no lock
 * held; put: serialised, output after output in row-major chunk order. Encoded
 * chunks that wait for their turn are counted as managed bytes. */
struct nci_encoding; /* io/write/encode.h */
typedef struct nci_sink {
    void *ctx;
    ncg_status (*encode)(void *ctx, int output, const int64_t *index,
                         const int64_t *count, nci_buf *chunk_take,
                         nci_buf **out, ncg_error *err);
    ncg_status (*put)(void *ctx, int output, const int64_t *index,
                      const nci_buf *encoded, ncg_error *err);
    bool is_plain; /* encode takes no memory worth counting */
    /* How `encode` does it, for processes that do it instead; NULL: it can be
     * done here only. */
    ncg_status (*form)(void *ctx, int output, struct nci_encoding *out,
                       ncg_error *err);
    int retries;   /* a task that fails runs so many times more */
    /* On a cluster: the sets of chunks (engine/source_remote.h) that outputs
     * become on the workers, zeros: put; NULL: all are put. *stays tells
     * whether that was done. */
    const nci_token *sets;
    bool *stays;
    int64_t keeps; /* bytes of what is put that stay in memory; they and held
                      chunks are taken off the memory limit of the run */
    /* After a run that succeeded, before another one of the context begins:
     * what stays is held from now on. NULL: nothing does. */
    ncg_status (*settle)(void *ctx, ncg_error *err);
} nci_sink;

typedef struct nci_run_stats {
    int64_t tasks;
    int64_t peak;     /* managed bytes, highest; with those kept and held */
    int64_t kept;     /* of decoded tiles for later passes */
    int64_t spilled;  /* written to disk for want of memory */
    int64_t fetched;  /* bytes that workers fetched from each other */
    int64_t moved;    /* bytes of them that left with a worker */
    int64_t recomputed; /* tasks run again because a worker was lost */
    int64_t default_fills; /* values that were missing as such */
    double seconds;
    int64_t failed; /* the first task that failed, -1: none */
} nci_run_stats;

ncg_status nci_executor_create(const nci_executor_options *options,
                               nci_executor **out, ncg_error *err);
void nci_executor_destroy(nci_executor **executor);
/* nci_executor_crew: whose threads it has, for nci_pool_is_own. */
const struct nci_pool *nci_executor_crew(const nci_executor *executor);
/* nci_executor_kernels: the kernels of this process; borrowed. */
nci_kernel_table *nci_executor_kernels(const nci_executor *executor);
int nci_executor_threads(const nci_executor *executor);
int64_t nci_executor_limit(const nci_executor *executor);
/* nci_executor_managed: managed bytes of the run under way; 0 without one. */
int64_t nci_executor_managed(const nci_executor *executor);
/* nci_executor_parallel runs body(arg, i) for 0 <= i < n on the pool (dynamic),
 * returns when all are done; first error wins. Not from inside the pool. */
ncg_status nci_executor_parallel(nci_executor *executor, size_t n,
                                 ncg_status (*body)(void *arg, size_t i,
                                                    ncg_error *err),
                                 void *arg, ncg_error *err);
/* nci_executor_run runs a plan; returns when every output has been put, or
 * with the first error, which cancels the rest. `progress` (may be NULL) is
 * called about ten times a second from the calling thread, which does no
 * tasks itself. `cancel` is looked at as well. EBUDGET states what is needed
 * and what is allowed. After fork: EINVAL, never a hang. */
ncg_status nci_executor_run(nci_executor *executor, const nci_plan *plan,
                            const nci_source_table *sources,
                            const nci_sink *sink, const _Atomic bool *cancel,
                            void (*progress)(void *ctx, int64_t tasks_done,
                                             int64_t managed),
                            void *progress_ctx, nci_run_stats *stats,
                            ncg_error *err);

#endif
