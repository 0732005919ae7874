/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run of a plan: room is made for it, the scheduler gets its tasks going
 * (run_tasks.c), and the calling thread waits, looks at `cancel` and reports
 * progress.
 */
#include <stdatomic.h>
#include <time.h>

#include "base/block.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/fills.h"
#include "engine/run_internal.h"
#include "engine/source_spill.h"
#include "engine/tile_cache.h"

enum { POLL_MS = 50 }; /* how often the caller looks at `cancel` */

/* ---- the run ----------------------------------------------------------------
 */

static void cancel_locked(nci_local_run *r)
{
    const nci_event event = {.kind = NCI_EVENT_CANCEL};
    if (!r->has_error) {
        nci_fail(&r->error, NCG_ECANCELED, "canceled");
        r->has_error = true;
    }
    atomic_store(&r->stopping, true);
    nci_sched_handle(r->sched, &event, &r->actions, NULL);
    nci_local_apply(r);
}

typedef struct watch {
    const _Atomic bool *cancel;
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed);
    void *ctx;
} watch;

/* Waits for the end; the lock is held except while `progress` runs. */
static void watch_locked(nci_local_run *r, const watch *w)
{
    bool canceled = false;
    int rounds = 0;
    while (!r->over || r->active > 0) {
        struct timespec until;
        nci_deadline(&until, POLL_MS);
        pthread_cond_timedwait(&r->ended, &r->lock, &until);
        if (!canceled && !r->over && w->cancel && atomic_load(w->cancel)) {
            canceled = true;
            cancel_locked(r);
        }
        if (!r->over)
            nci_local_help(r);
        if (!w->progress || r->over || ++rounds % 2)
            continue;
        nci_sched_stats now;
        nci_sched_get_stats(r->sched, &now);
        pthread_mutex_unlock(&r->lock);
        w->progress(w->ctx, now.finished, now.managed);
        pthread_mutex_lock(&r->lock);
    }
}

/* What persisted arrays take, and what the sink will keep of this run. */
int64_t nci_executor_held(const nci_source_table *sources, const nci_sink *sink)
{
    return (sources ? nci_source_table_held(sources) : 0) + sink->keeps;
}

static ncg_status check_budget(const nci_local_run *r, int64_t peak,
                               ncg_error *err)
{
    char need[32], limit[32], held[32];
    int64_t other = r->held;
    if (peak <= r->limit)
        return NCG_OK;
    nci_format_bytes((double)peak, need);
    nci_format_bytes((double)r->executor->limit, limit);
    if (other <= 0)
        return nci_fail(err, NCG_EBUDGET,
                        "this needs at least %s of memory (%lld bytes), the "
                        "limit is %s: raise it (--mem)",
                        need, (long long)peak, limit);
    return nci_fail(err, NCG_EBUDGET,
                    "this needs at least %s of memory (%lld bytes) beside the "
                    "%s of persisted arrays (%lld bytes), the limit is %s: "
                    "release some of them, or raise it",
                    need, (long long)peak,
                    nci_format_bytes((double)other, held), (long long)other,
                    limit);
}

/* Where the plan needs more than there is, its chunks go to disk and back, as
 * long as each task fits. */
static ncg_status allow_spill(nci_local_run *r, const nci_sched_costs *costs,
                              ncg_error *err)
{
    int64_t floor = 0;
    NCI_TRY(nci_sched_floor(r->plan, costs, &floor, err));
    NCI_TRY(check_budget(r, floor, err));
    NCI_TRY(nci_spill_file_create(&r->executor->spill, &r->spill, err));
    return nci_sched_allow_spill(r->sched, floor, err);
}

/* ---- room from persisted arrays ------------------------------------------ */

static bool is_read(void *ctx, uint32_t id)
{
    const nci_plan *plan = ctx;
    for (int i = 0; i < plan->nlayers; i++) {
        const nci_layer *layer = &plan->layers[i];
        for (int k = 0;
             layer->kind == NCI_LAYER_FUSED && k < layer->fused.noperands; k++)
            if (layer->fused.operands[k].kind == NCI_OPERAND_SOURCE &&
                layer->fused.operands[k].source == id)
                return true;
    }
    return false;
}

static bool reads_tasks(void *ctx, const nci_tasks *tasks)
{
    const nci_plan *plan = ctx;
    for (int i = 0; i < plan->nlayers; i++)
        if (plan->layers[i].kind == NCI_LAYER_TASKS &&
            plan->layers[i].tasks.tasks == tasks)
            return true;
    return false;
}

/* Held chunks go to disk until `need` fits beside the others; *freed: whether
 * any went. */
static ncg_status spill_held(nci_local_run *r, int64_t need, bool also_read,
                             int64_t *freed, ncg_error *err)
{
    nci_source_table *sources = (nci_source_table *)r->sources;
    const nci_spill_reader reader = {(void *)r->plan, is_read, reads_tasks};
    *freed = 0;
    if (need <= r->limit || !sources || !nci_source_table_held(sources))
        return NCG_OK;
    NCI_TRY(nci_source_table_spill(sources, &r->executor->spill,
                                   need - r->limit, &reader, also_read, freed,
                                   err));
    r->spilled_held += *freed;
    r->limit += *freed;
    r->held -= *freed;
    r->tasks.limit = r->limit;
    return NCG_OK;
}

/* First what this plan does not read goes, as far as that saves it from
 * spilling its own chunks; what it reads only where a task would not fit:
 * reading that takes scratch, so the order is chosen anew. */
static ncg_status make_room(nci_local_run *r, const nci_sched_costs *costs,
                            ncg_error *err)
{
    int64_t freed = 0, floor = 0;
    NCI_TRY(spill_held(r, r->choice.peak, false, &freed, err));
    if (r->choice.peak <= r->limit)
        return NCG_OK;
    bool again = false;
    do {
        NCI_TRY(nci_sched_floor(r->plan, costs, &floor, err));
        NCI_TRY(spill_held(r, floor, true, &freed, err));
        again = again || freed;
    } while (freed);
    if (!again)
        return NCG_OK;
    nci_sched_choice_fini(&r->choice);
    r->choice = (nci_sched_choice){0};
    return nci_sched_choose(r->plan, costs, &r->choice, err);
}

/* What the process holds beside chunks goes off the limit where that can be. */
static ncg_status leave_beside(nci_local_run *r, const nci_sched_costs *costs,
                               ncg_error *err)
{
    int64_t floor = r->choice.peak;
    if (r->choice.peak > r->limit - r->executor->beside)
        NCI_TRY(nci_sched_floor(r->plan, costs, &floor, err));
    r->limit = nci_executor_room(r->executor, r->limit, r->choice.peak, floor);
    r->tasks.limit = r->limit;
    return NCG_OK;
}

/* What threads take their tasks from: the scheduler never gives more at once.
 */
static ncg_status make_batches(nci_local_run *r, ncg_error *err)
{
    size_t threads = (size_t)r->executor->threads;
    r->batches = nci_calloc(threads, sizeof *r->batches);
    r->ring = nci_calloc(threads * NCI_BATCH, sizeof *r->ring);
    if (!r->batches || !r->ring)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

static ncg_status start_sched(nci_local_run *r, ncg_error *err)
{
    nci_sched_costs costs = {r->work->ctx, r->work->scratch, r->work->threads};
    int64_t room = nci_executor_room(r->executor, r->limit, 0, 0);
    const nci_sched_limits limits = {.most_scratch = r->work->most_scratch,
                                     .enough = (room - r->work->keep) / 2};
    NCI_TRY(nci_sched_choose_within(r->plan, &costs, &limits, &r->choice, err));
    NCI_TRY(leave_beside(r, &costs, err));
    if (r->choice.peak > r->limit)
        NCI_TRY(make_room(r, &costs, err));
    NCI_TRY(nci_sched_create(r->plan, &costs, &r->choice, &r->sched, err));
    return r->choice.peak > r->limit ? allow_spill(r, &costs, err) : NCG_OK;
}

/* Hands the plan to the threads and waits. */
static ncg_status drive(nci_local_run *r, const watch *w, ncg_error *err)
{
    const nci_event joined = {.kind = NCI_EVENT_WORKER_JOINED,
                              .threads = r->executor->threads,
                              .limit = r->limit - r->work->keep};
    pthread_mutex_lock(&r->lock);
    ncg_status st = nci_sched_handle(r->sched, &joined, &r->actions, err);
    if (!st) {
        nci_local_apply(r);
        watch_locked(r, w);
        st = r->status;
        if (st && err) {
            if (r->has_error)
                *err = r->error;
            else
                nci_fail(err, st, "%s", ncg_status_text(st));
        }
    }
    pthread_mutex_unlock(&r->lock);
    return st;
}

/* After a failure chunks are left in the store. */
static void fini(nci_local_run *r)
{
    for (size_t i = 0; i < r->store.capacity; i++) {
        nci_buf *buf = r->store.slots[i].value;
        nci_buf_release(&buf);
    }
    nci_task_map_fini(&r->store);
    for (size_t i = 0; i < r->disk.capacity; i++) {
        nci_extent *copy = r->disk.slots[i].value;
        nci_spill_file_drop(r->spill, &copy);
    }
    nci_task_map_fini(&r->disk);
    nci_spill_file_free(&r->spill);
    nci_tile_cache_free(&r->cache);
    nci_free(r->batches);
    nci_free(r->ring);
    nci_free((void *)r->tasks.fills);
    nci_free(r->actions.items);
    nci_sched_free(&r->sched);
    nci_sched_choice_fini(&r->choice);
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
}

static void report(const nci_local_run *r, bool is_done, double seconds,
                   nci_run_stats *stats)
{
    nci_sched_stats end;
    nci_sched_get_stats(r->sched, &end);
    int64_t kept = nci_tile_cache_bytes(r->cache);
    *stats = (nci_run_stats){
        .tasks = end.finished,
        .peak = end.peak + kept + r->held,
        .kept = kept,
        .spilled = end.spilled + r->spilled_held,
        .default_fills =
            is_done ? nci_fills_end(r->plan, r->sources, r->tasks.fills) : 0,
        .seconds = seconds,
        .failed = r->failed};
}

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ncg_status nci_executor_run_in_turn(
    nci_executor *x, const nci_plan *plan, const nci_source_table *sources,
    const nci_work *work, const nci_sink *sink, const _Atomic bool *cancel,
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
    void *progress_ctx, nci_run_stats *stats, ncg_error *err)
{
    double start = clock_seconds();
    watch w = {cancel, progress, progress_ctx};
    int64_t held = nci_executor_held(sources, sink);
    nci_local_run r = {.executor = x,
                       .plan = plan,
                       .sources = sources,
                       .work = work,
                       .sink = sink,
                       .held = held,
                       .limit = x->limit - held,
                       .failed = -1,
                       .last = -1};
    r.tasks = (nci_lane_run){.executor = x,
                             .plan = plan,
                             .sources = sources,
                             .work = work,
                             .limit = r.limit,
                             .stopping = &r.stopping,
                             .encode = sink->encode,
                             .encode_ctx = sink->ctx};
    pthread_mutex_init(&r.lock, NULL);
    nci_cond_init(&r.ended);
    nci_block_run_begins();
    ncg_status st = make_batches(&r, err);
    if (!st)
        st = nci_fills_create(plan, &r.tasks.fills, err);
    if (!st)
        st = start_sched(&r, err);
    if (!st) {
        nci_tile_cache_create(plan, sources, work->keep, &r.cache);
        st = drive(&r, &w, err);
    }
    if (stats && r.sched)
        report(&r, !st, clock_seconds() - start, stats);
    fini(&r);
    nci_block_run_ends();
    atomic_store(&x->managed, 0);
    return st;
}

ncg_status nci_executor_run_work(
    nci_executor *x, const nci_plan *plan, const nci_source_table *sources,
    const nci_work *work, const nci_sink *sink, const _Atomic bool *cancel,
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
    void *progress_ctx, nci_run_stats *stats, ncg_error *err)
{
    NCI_TRY(nci_executor_check(x, err));
    pthread_mutex_lock(&x->turn);
    ncg_status st =
        nci_executor_run_in_turn(x, plan, sources, work, sink, cancel, progress,
                                 progress_ctx, stats, err);
    pthread_mutex_unlock(&x->turn);
    return st;
}
