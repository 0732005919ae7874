/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs with the real kernels, and what is kept for later passes. */
#include "engine/costs.h"
#include "engine/executor_internal.h"
#include "engine/predict.h"
#include "engine/tile_cache.h"

ncg_status nci_executor_run(
    nci_executor *x, const nci_plan *plan, const nci_source_table *sources,
    const nci_sink *sink, const _Atomic bool *cancel,
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
    void *progress_ctx, nci_run_stats *stats, ncg_error *err)
{
    nci_costs costs = {plan, sources, x->kernels,
                       sink->encode && !sink->is_plain, sink->retries};
    nci_prediction memory = {0};
    NCI_TRY(nci_executor_check(x, err));
    if (nci_tile_cache_want(plan, sources))
        NCI_TRY(nci_predict(x, plan, sources, &memory, err));
    pthread_mutex_lock(&x->turn);
    int64_t limit = x->limit - nci_executor_held(sources, sink);
    limit = nci_executor_room(x, limit, memory.peak, memory.peak);
    memory.kept = nci_tile_cache_room(memory.want, limit, memory.peak);
    nci_work work = {&costs,
                     nci_costs_run,
                     nci_costs_scratch,
                     nci_costs_threads,
                     memory.kept,
                     nci_costs_most_scratch};
    ncg_status st =
        nci_executor_run_in_turn(x, plan, sources, &work, sink, cancel,
                                 progress, progress_ctx, stats, err);
    pthread_mutex_unlock(&x->turn);
    return st;
}
