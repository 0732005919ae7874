/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run of a plan. A pool thread that ends a task takes the run's lock,
 * stores the result, tells the scheduler, and carries out what it answers: it
 * goes on with the first task itself and hands the others to the pool, so a
 * chain of small tasks costs no hand-over. The calling thread only waits, looks
 * at `cancel` and reports progress.
 *
 * What runs without the lock: kernels, encoding, putting, freeing of buffers.
 * Inputs of a running task stay in the store until the scheduler releases
 * them, which it does not before the task has ended.
 */
#include <stdatomic.h>
#include <time.h>

#include "base/block.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/executor_internal.h"
#include "engine/lane.h"
#include "engine/sched/choose.h"
#include "engine/sched/task_map.h"
#include "engine/source_spill.h"
#include "engine/spill_file.h"
#include "engine/tile_cache.h"

enum { POLL_MS = 50 }; /* how often the caller looks at `cancel` */

typedef struct run {
    nci_executor *executor;
    const nci_plan *plan;
    const nci_source_table *sources;
    const nci_work *work;
    const nci_sink *sink;
    nci_lane_run tasks; /* what they have in common */
    int64_t held;  /* bytes of persisted arrays, and of what is put */
    int64_t limit; /* the executor's, without that and what is beside */
    int64_t spilled_held; /* of persisted arrays, for want of room */
    nci_tile_cache *cache; /* NULL: no source is read twice */
    nci_spill_file *spill; /* NULL: everything stays in memory */
    _Atomic bool stopping; /* kernels look at it between tiles */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    nci_sched_choice choice; /* of the order */
    nci_sched *sched;
    nci_actions actions;
    nci_task_map store; /* task -> what it left */
    nci_task_map disk;  /* task -> its copy on disk */
    int active;         /* jobs queued or on a thread */
    bool over;
    ncg_status status;
    bool has_error;
    ncg_error error; /* of the first failure */
    int64_t failed;  /* its task, -1 */
} run;

/* ---- actions ----------------------------------------------------------------
 */

static void run_job(const nci_job *job, int thread);

static void drop_locked(run *r, nci_lane *lane, int64_t task)
{
    nci_buf *buf = nci_task_map_remove(&r->store, task);
    if (!buf)
        return;
    if (nci_grow(&lane->drops, &lane->drops_capacity, lane->ndrops + 1,
                 sizeof *lane->drops))
        lane->drops[lane->ndrops++] = buf;
    else
        nci_buf_release(&buf);
}

static void drop_copy_locked(run *r, int64_t task)
{
    nci_extent *copy = nci_task_map_remove(&r->disk, task);
    if (copy)
        nci_spill_file_drop(r->spill, &copy);
}

static void drop_all(nci_lane *lane)
{
    while (lane->ndrops)
        nci_buf_release(&lane->drops[--lane->ndrops]);
}

static void submit_locked(run *r, int thread, const nci_action *action)
{
    nci_job job = {.run = run_job,
                   .ctx = r,
                   .task = action->task,
                   .attempt = action->attempt,
                   .threads = action->threads,
                   .kind = (int)action->kind};
    r->active++;
    nci_pool_submit(r->executor->pool, thread, &job);
}

static void end_locked(run *r, ncg_status status)
{
    r->over = true;
    r->status = status;
    atomic_store(&r->stopping, true);
    pthread_cond_signal(&r->ended);
}

/* Carries out the scheduler's actions. With `mine` (on a pool thread) the
 * first task stays with the caller; true when there is one. */
static bool apply_locked(run *r, int thread, nci_lane *lane, nci_action *mine)
{
    bool has_mine = false;
    for (size_t i = 0; i < r->actions.count; i++) {
        const nci_action *action = &r->actions.items[i];
        switch (action->kind) {
        case NCI_ACTION_RUN:
        case NCI_ACTION_PUT:
        case NCI_ACTION_SPILL:
        case NCI_ACTION_LOAD:
            if (mine && !has_mine) {
                *mine = *action;
                has_mine = true;
            } else {
                submit_locked(r, thread, action);
            }
            break;
        case NCI_ACTION_RELEASE:
            drop_locked(r, lane, action->task);
            drop_copy_locked(r, action->task);
            break;
        case NCI_ACTION_FORGET:
            drop_locked(r, lane, action->task);
            break;
        case NCI_ACTION_DONE:
            end_locked(r, NCG_OK);
            break;
        case NCI_ACTION_FAILED:
            end_locked(r, action->status);
            break;
        default: /* of a cluster */
            break;
        }
    }
    r->actions.count = 0;
    return has_mine;
}

/* ---- a task -----------------------------------------------------------------
 */

/* What an action works on beside the inputs of a task. */
typedef struct subject {
    nci_buf *chunk;   /* PUT, SPILL: owned */
    nci_extent *copy; /* LOAD: borrowed; SPILL: made by it */
} subject;

static void prepare_locked(run *r, nci_lane *lane, const nci_action *action,
                           subject *what)
{
    lane->ndeps = 0;
    lane->failed = false;
    *what = (subject){0};
    if (action->kind == NCI_ACTION_PUT)
        what->chunk = nci_task_map_remove(&r->store, action->task);
    else if (action->kind == NCI_ACTION_SPILL)
        what->chunk =
            nci_buf_retain(nci_task_map_get(&r->store, action->task));
    else if (action->kind == NCI_ACTION_LOAD)
        what->copy = nci_task_map_get(&r->disk, action->task);
    else
        nci_lane_gather(lane, r->plan, &r->store, action->task);
}

static ncg_status put_chunk(run *r, const nci_action *action,
                            const nci_buf *stored, ncg_error *err)
{
    const nci_layer *layer = nci_plan_layer(r->plan, action->task);
    int64_t index[NCG_MAX_RANK] = {0};
    nci_grid_index(&layer->grid, action->task - layer->base, index);
    return r->sink->put(r->sink->ctx, layer->store.output, index, stored, err);
}

static ncg_status work_off(run *r, nci_lane *lane, const nci_action *action,
                           subject *what, nci_buf **out, nci_event *event,
                           ncg_error *err)
{
    switch (action->kind) {
    case NCI_ACTION_PUT:
        event->kind = NCI_EVENT_PUT_DONE;
        return put_chunk(r, action, what->chunk, err);
    case NCI_ACTION_SPILL:
        event->kind = NCI_EVENT_SPILLED;
        return nci_spill_file_write(r->spill, what->chunk, &what->copy, err);
    case NCI_ACTION_LOAD:
        event->kind = NCI_EVENT_LOADED;
        return nci_spill_file_read(r->spill, what->copy, out, err);
    default:
        event->kind = NCI_EVENT_TASK_DONE;
        return nci_lane_execute(&r->tasks, lane, action->task, action->threads,
                                out, err);
    }
}

/* Of a task or put, or of a transfer. */
static void set_failed(nci_event *event, ncg_status status)
{
    bool is_task = event->kind == NCI_EVENT_TASK_DONE ||
                   event->kind == NCI_EVENT_PUT_DONE;
    event->kind = is_task ? NCI_EVENT_TASK_FAILED : NCI_EVENT_SPILL_FAILED;
    event->status = status;
}

/* Does the work of an action; *event tells how it ended. The output moves into
 * *out, what was put is let go. */
static void execute(run *r, nci_lane *lane, const nci_action *action,
                    subject *what, nci_buf **out, nci_event *event,
                    ncg_error *err)
{
    *event = (nci_event){.task = action->task, .attempt = action->attempt};
    nci_error_clear(err);
    ncg_status st = work_off(r, lane, action, what, out, event, err);
    if (st) {
        set_failed(event, st);
        nci_buf_release(out);
    }
    event->bytes = (int64_t)nci_buf_size(*out);
    nci_buf_release(&what->chunk);
}

static void keep_error_locked(run *r, const nci_event *event,
                              const ncg_error *err)
{
    if (r->has_error)
        return;
    r->error = *err;
    r->failed = event->task;
    r->error.status = event->status;
    r->has_error = true;
    atomic_store(&r->stopping, true);
}

/* Puts something under the task's number; false without memory. */
static bool keep_locked(nci_task_map *map, int64_t task, void *value)
{
    if (!nci_task_map_reserve(map))
        return false;
    nci_task_map_put(map, task, value);
    return true;
}

static void report_locked(run *r, nci_event *event, subject *what,
                          nci_buf **out, ncg_error *err)
{
    bool is_kept = true;
    if (event->kind == NCI_EVENT_TASK_DONE)
        nci_tile_cache_task_done(r->cache,
                                 nci_plan_layer(r->plan, event->task));
    if (event->kind == NCI_EVENT_SPILLED) {
        is_kept = keep_locked(&r->disk, event->task, what->copy);
        if (!is_kept)
            nci_spill_file_drop(r->spill, &what->copy);
    } else if (event->kind == NCI_EVENT_TASK_DONE ||
               event->kind == NCI_EVENT_LOADED) {
        is_kept = keep_locked(&r->store, event->task, *out);
        if (is_kept)
            *out = NULL;
    }
    if (!is_kept)
        set_failed(event, nci_fail(err, NCG_ENOMEM, "out of memory"));
    if (event->status)
        keep_error_locked(r, event, err);
    nci_sched_handle(r->sched, event, &r->actions, NULL);
    nci_sched_stats now;
    nci_sched_get_stats(r->sched, &now);
    atomic_store_explicit(&r->executor->managed, now.managed,
                          memory_order_relaxed);
}

/* Runs tasks until the scheduler has none for this thread. */
static void run_job(const nci_job *job, int thread)
{
    run *r = job->ctx;
    nci_lane *lane = &r->executor->lanes[thread];
    nci_action action = {.kind = (nci_action_kind)job->kind,
                         .task = job->task,
                         .attempt = job->attempt,
                         .threads = job->threads};
    nci_buf *out = NULL;
    subject what;
    nci_event event;
    ncg_error err;
    bool go_on = true;
    pthread_mutex_lock(&r->lock);
    prepare_locked(r, lane, &action, &what);
    pthread_mutex_unlock(&r->lock);
    while (go_on) {
        execute(r, lane, &action, &what, &out, &event, &err);
        pthread_mutex_lock(&r->lock);
        report_locked(r, &event, &what, &out, &err);
        go_on = apply_locked(r, thread, lane, &action);
        if (go_on)
            prepare_locked(r, lane, &action, &what);
        pthread_mutex_unlock(&r->lock);
        nci_buf_release(&out);
        drop_all(lane);
    }
    pthread_mutex_lock(&r->lock);
    if (--r->active == 0)
        pthread_cond_signal(&r->ended);
    pthread_mutex_unlock(&r->lock);
}

/* ---- the run ----------------------------------------------------------------
 */

static void cancel_locked(run *r)
{
    const nci_event event = {.kind = NCI_EVENT_CANCEL};
    if (!r->has_error) {
        nci_fail(&r->error, NCG_ECANCELED, "canceled");
        r->has_error = true;
    }
    atomic_store(&r->stopping, true);
    nci_sched_handle(r->sched, &event, &r->actions, NULL);
    apply_locked(r, -1, NULL, NULL);
}

typedef struct watch {
    const _Atomic bool *cancel;
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed);
    void *ctx;
} watch;

/* Waits for the end; the lock is held except while `progress` runs. */
static void watch_locked(run *r, const watch *w)
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

static ncg_status check_budget(const run *r, int64_t peak, ncg_error *err)
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
static ncg_status allow_spill(run *r, const nci_sched_costs *costs,
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
        for (int k = 0; layer->kind == NCI_LAYER_FUSED &&
                        k < layer->fused.noperands;
             k++)
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
static ncg_status spill_held(run *r, int64_t need, bool also_read,
                             int64_t *freed, ncg_error *err)
{
    nci_source_table *sources = (nci_source_table *)r->sources;
    const nci_spill_reader reader = {(void *)r->plan, is_read, reads_tasks};
    *freed = 0;
    if (need <= r->limit || !sources || !nci_source_table_held(sources))
        return NCG_OK;
    NCI_TRY(nci_source_table_spill(
        sources, &r->executor->spill, need - r->limit, &reader, also_read,
        freed, err));
    r->spilled_held += *freed;
    r->limit += *freed;
    r->held -= *freed;
    r->tasks.limit = r->limit;
    return NCG_OK;
}

/* First what this plan does not read goes, as far as that saves it from
 * spilling its own chunks; what it reads only where a task would not fit:
 * reading that takes scratch, so the order is chosen anew. */
static ncg_status make_room(run *r, const nci_sched_costs *costs,
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
static ncg_status leave_beside(run *r, const nci_sched_costs *costs,
                               ncg_error *err)
{
    int64_t floor = r->choice.peak;
    if (r->choice.peak > r->limit - r->executor->beside)
        NCI_TRY(nci_sched_floor(r->plan, costs, &floor, err));
    r->limit =
        nci_executor_room(r->executor, r->limit, r->choice.peak, floor);
    r->tasks.limit = r->limit;
    return NCG_OK;
}

static ncg_status start_sched(run *r, ncg_error *err)
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
static ncg_status drive(run *r, const watch *w, ncg_error *err)
{
    const nci_event joined = {.kind = NCI_EVENT_WORKER_JOINED,
                              .threads = r->executor->threads,
                              .limit = r->limit - r->work->keep};
    pthread_mutex_lock(&r->lock);
    ncg_status st = nci_sched_handle(r->sched, &joined, &r->actions, err);
    if (!st) {
        apply_locked(r, -1, NULL, NULL);
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
static void fini(run *r)
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
    nci_free(r->actions.items);
    nci_sched_free(&r->sched);
    nci_sched_choice_fini(&r->choice);
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
}

static void report(const run *r, double seconds, nci_run_stats *stats)
{
    nci_sched_stats end;
    nci_sched_get_stats(r->sched, &end);
    int64_t kept = nci_tile_cache_bytes(r->cache);
    *stats = (nci_run_stats){.tasks = end.finished,
                             .peak = end.peak + kept + r->held,
                             .kept = kept,
                             .spilled = end.spilled + r->spilled_held,
                             .seconds = seconds,
                             .failed = r->failed};
}

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ncg_status nci_executor_run_work(
    nci_executor *x, const nci_plan *plan, const nci_source_table *sources,
    const nci_work *work, const nci_sink *sink, const _Atomic bool *cancel,
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
    void *progress_ctx, nci_run_stats *stats, ncg_error *err)
{
    NCI_TRY(nci_executor_check(x, err));
    double start = clock_seconds();
    watch w = {cancel, progress, progress_ctx};
    int64_t held = nci_executor_held(sources, sink);
    run r = {.executor = x,
             .plan = plan,
             .sources = sources,
             .work = work,
             .sink = sink,
             .held = held,
             .limit = x->limit - held,
             .failed = -1};
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
    pthread_mutex_lock(&x->turn);
    nci_block_run_begins();
    ncg_status st = start_sched(&r, err);
    if (!st) {
        nci_tile_cache_create(plan, sources, work->keep, &r.cache);
        st = drive(&r, &w, err);
    }
    if (stats && r.sched)
        report(&r, clock_seconds() - start, stats);
    fini(&r);
    nci_block_run_ends();
    atomic_store(&x->managed, 0);
    pthread_mutex_unlock(&x->turn);
    return st;
}
