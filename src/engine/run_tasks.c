/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tasks of a run, on the threads of the pool. A thread that ends its tasks
 * takes the run's lock, stores what they left, tells the scheduler, carries out
 * what it answers, and takes the next ones. Of long tasks that is one; of short
 * ones the scheduler gives more than there are cores, and a thread takes its
 * share of them: the lock, and the scheduler's books that move from one core's
 * cache to the other's, then cost little a task.
 *
 * The scheduler is one at a time. Where it takes longer for a task than the
 * task itself, a second thread would wait for it most of the time, and take its
 * books to another core's cache: then one thread goes on alone.
 *
 * A thread that finds nothing takes half of what another one has not begun.
 * When it finds nothing there either it sleeps; whoever gets more to do than
 * pays for waking it does so.
 *
 * What runs without the lock: kernels, encoding, putting, freeing of buffers.
 * Inputs of a running task stay in the store until the scheduler releases
 * them, which it does not before the task has ended.
 */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/run_internal.h"

/* Work that is worth waking a thread; of single tasks, one in how many is
 * timed once it is known how long they take. */
enum { WAKE_NS = 20000, SHORT_BATCH_NS = 100000, TIMED = 16, SPINS = 40 };
/* The scheduler never needs more for a task: a thread was interrupted. */
enum { MOST_BOOKS_NS = 2000 };

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The lock is held for some microseconds where tasks are short; to sleep that
 * long and be woken costs more. Of long tasks hardly ever two end at once. */
static void take_lock(nci_local_run *r)
{
    for (int i = 0; i < SPINS; i++) {
        if (!pthread_mutex_trylock(&r->lock))
            return;
        for (int k = 0; k < 32; k++)
            pause_briefly();
    }
    pthread_mutex_lock(&r->lock);
}

/* ---- what waits ------------------------------------------------------------
 */

static size_t ring_size(const nci_local_run *r)
{
    return (size_t)r->executor->threads * NCI_BATCH;
}

static void push_locked(nci_local_run *r, const nci_action *action)
{
    NCI_ASSERT(r->nring < ring_size(r));
    r->ring[(r->ring_first + r->nring++) % ring_size(r)] = *action;
}

static nci_action pop_locked(nci_local_run *r)
{
    nci_action action = r->ring[r->ring_first];
    r->ring_first = (r->ring_first + 1) % ring_size(r);
    r->nring--;
    return action;
}

static void run_job(const nci_job *job, int thread);

/* Gets up to `want` threads that have nothing to do; `thread`: who asks, -1:
 * none of the pool. */
static void call_locked(nci_local_run *r, int thread, size_t want)
{
    nci_job job = {.run = run_job, .ctx = r};
    for (; want > 0 && r->active < r->executor->threads; want--) {
        r->active++;
        nci_pool_submit(r->executor->pool, thread, &job);
    }
}

/* ---- how many threads ------------------------------------------------------
 */

/* Threads that tasks keep busy while one at a time is with the scheduler.
 * `slack`: how much longer than now tasks would have to take. */
static int64_t useful_locked(const nci_local_run *r, int64_t slack)
{
    if (!r->pace || !r->books)
        return r->executor->threads;
    return 1 + r->pace / (slack * r->books);
}

/* A thread ends where there are too many, and another one goes on: that has
 * come by since this one took tasks. */
static bool is_one_too_many_locked(const nci_local_run *r, int thread)
{
    return r->last >= 0 && r->last != thread && r->active > 1 &&
           r->active > useful_locked(r, 1);
}

static void learn_books_locked(nci_local_run *r, int64_t since, uint32_t tasks)
{
    if (!since || !tasks)
        return;
    int64_t each = (clock_ns() - since) / tasks + 1;
    each = each < MOST_BOOKS_NS ? each : MOST_BOOKS_NS;
    r->books = r->books ? (7 * r->books + each) / 8 : each;
}

/* ---- batches ---------------------------------------------------------------
 */

static uint32_t end_of(uint64_t span)
{
    return (uint32_t)span;
}

static uint32_t left_in(uint64_t span)
{
    return end_of(span) - (uint32_t)(span >> 32);
}

/* The next item of the thread's own batch, NULL at its end. */
static nci_local_item *claim(nci_batch *batch)
{
    uint64_t span = atomic_load(&batch->span);
    while (left_in(span))
        if (atomic_compare_exchange_weak(&batch->span, &span,
                                         span + (UINT64_C(1) << 32)))
            return &batch->items[span >> 32];
    return NULL;
}

static bool copy_deps(nci_lane *to, const nci_lane *from, nci_local_item *item)
{
    size_t at = to->ndeps;
    if (!nci_grow(&to->deps, &to->deps_capacity, at + item->ndeps + 1,
                  sizeof *to->deps))
        return false;
    if (item->ndeps)
        memcpy(to->deps + at, from->deps + item->first_dep,
               item->ndeps * sizeof *to->deps);
    item->first_dep = at;
    to->ndeps += item->ndeps;
    return true;
}

/* Takes the end of another thread's batch; how many items that are. */
static uint32_t steal_locked(nci_local_run *r, nci_lane *lane, nci_batch *batch,
                             int victim)
{
    nci_batch *other = &r->batches[victim];
    uint64_t span = atomic_load(&other->span);
    uint32_t n = 0;
    do {
        n = (left_in(span) + 1) / 2;
        if (!n)
            return 0;
    } while (!atomic_compare_exchange_weak(&other->span, &span, span - n));
    for (uint32_t i = 0; i < n; i++) {
        batch->items[i] = other->items[end_of(span) - n + i];
        if (!copy_deps(lane, &r->executor->lanes[victim], &batch->items[i]))
            batch->items[i].lacks_memory = true;
    }
    return n;
}

static void prepare_locked(nci_local_run *r, nci_lane *lane,
                           nci_local_item *item)
{
    nci_action action = pop_locked(r);
    *item = (nci_local_item){.action = action, .first_dep = lane->ndeps};
    if (action.kind == NCI_ACTION_PUT)
        item->chunk = nci_task_map_remove(&r->store, action.task);
    else if (action.kind == NCI_ACTION_SPILL)
        item->chunk = nci_buf_retain(nci_task_map_get(&r->store, action.task));
    else if (action.kind == NCI_ACTION_LOAD)
        item->copy = nci_task_map_get(&r->disk, action.task);
    else
        item->lacks_memory =
            !nci_lane_gather_more(lane, r->plan, &r->store, action.task);
    item->ndeps = lane->ndeps - item->first_dep;
}

/* How many of those that wait one thread takes. What it has just been given
 * are, where tasks are short, about as many as it has ended: its own core has
 * the scheduler's records of them in its cache. */
static size_t share_locked(const nci_local_run *r)
{
    size_t sharers = r->active > 0 ? (size_t)r->active : 1;
    bool is_short = r->pace && r->pace * NCI_BATCH < SHORT_BATCH_NS;
    return is_short ? r->nring : (r->nring + sharers - 1) / sharers;
}

/* A share of what waits, or of what another thread has: false where there is
 * nothing. */
static bool take_locked(nci_local_run *r, int thread)
{
    nci_lane *lane = &r->executor->lanes[thread];
    nci_batch *batch = &r->batches[thread];
    size_t share = share_locked(r);
    uint32_t n = 0;
    lane->ndeps = 0;
    while (n < share && n < NCI_BATCH)
        prepare_locked(r, lane, &batch->items[n++]);
    for (int i = 1; !n && i < r->executor->threads; i++)
        n = steal_locked(r, lane, batch, (thread + i) % r->executor->threads);
    batch->reported = 0;
    atomic_store(&batch->done, 0);
    atomic_store(&batch->span, (uint64_t)n);
    size_t others = r->nring + (n > 1 ? n - 1 : 0);
    batch->is_timed = n > 1 || !r->pace || ++batch->untimed % TIMED == 0;
    if ((!r->pace || (int64_t)others * r->pace > WAKE_NS) &&
        r->active < useful_locked(r, 2))
        call_locked(r, thread, others);
    return n > 0;
}

/* ---- actions ----------------------------------------------------------------
 */

static void drop_locked(nci_local_run *r, nci_lane *lane, int64_t task)
{
    nci_buf *buf = nci_task_map_remove(&r->store, task);
    if (!buf)
        return;
    if (lane && nci_grow(&lane->drops, &lane->drops_capacity, lane->ndrops + 1,
                         sizeof *lane->drops))
        lane->drops[lane->ndrops++] = buf;
    else
        nci_buf_release(&buf);
}

static void drop_copy_locked(nci_local_run *r, int64_t task)
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

static void end_locked(nci_local_run *r, ncg_status status)
{
    r->over = true;
    r->status = status;
    atomic_store(&r->stopping, true);
    pthread_cond_signal(&r->ended);
}

/* `lane`: where buffers wait to be let go of without the lock; may be NULL. */
static void apply_locked(nci_local_run *r, nci_lane *lane)
{
    for (size_t i = 0; i < r->actions.count; i++) {
        const nci_action *action = &r->actions.items[i];
        switch (action->kind) {
        case NCI_ACTION_RUN:
        case NCI_ACTION_PUT:
        case NCI_ACTION_SPILL:
        case NCI_ACTION_LOAD:
            push_locked(r, action);
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
}

void nci_local_apply(nci_local_run *r)
{
    apply_locked(r, NULL);
    call_locked(r, -1, r->nring);
}

/* ---- what has ended ---------------------------------------------------------
 */

/* Works a batch off, as far as nobody takes some of it; ns an item, 0: not
 * known. */
static int64_t execute_batch(nci_local_run *r, nci_lane *lane, nci_batch *batch)
{
    int64_t start = batch->is_timed ? clock_ns() : 0;
    bool has_failed = false;
    ncg_error later;
    nci_local_item *item;
    uint32_t done = 0;
    while ((item = claim(batch))) {
        has_failed |=
            nci_local_execute(r, lane, item,
                              has_failed ? &later : &batch->error) != NCG_OK;
        atomic_store_explicit(&batch->done, ++done, memory_order_release);
    }
    return done && batch->is_timed ? (clock_ns() - start) / done + 1 : 0;
}

static void keep_error_locked(nci_local_run *r, const nci_event *event,
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

/* Where the result of an item stays. */
static bool keep_result_locked(nci_local_run *r, nci_local_item *item)
{
    bool is_kept = true;
    switch (item->event.kind) {
    case NCI_EVENT_SPILLED:
        is_kept = keep_locked(&r->disk, item->event.task, item->copy);
        if (!is_kept)
            nci_spill_file_drop(r->spill, &item->copy);
        break;
    case NCI_EVENT_TASK_DONE:
    case NCI_EVENT_LOADED:
        is_kept = keep_locked(&r->store, item->event.task, item->out);
        if (!is_kept)
            nci_buf_release(&item->out);
        break;
    default:
        break;
    }
    item->out = NULL;
    return is_kept;
}

static void report_locked(nci_local_run *r, nci_local_item *item,
                          const ncg_error *err)
{
    nci_event *event = &item->event;
    ncg_error own;
    if (r->cache && event->kind == NCI_EVENT_TASK_DONE)
        nci_tile_cache_task_done(r->cache,
                                 nci_plan_layer(r->plan, event->task));
    if (!keep_result_locked(r, item)) {
        nci_local_set_failed(event,
                             nci_fail(&own, NCG_ENOMEM, "out of memory"));
        err = &own;
    }
    if (event->status)
        keep_error_locked(r, event, err);
    nci_sched_handle(r->sched, event, &r->actions, NULL);
}

/* Tells of what has ended in a batch since this was done last. */
static void report_batch_locked(nci_local_run *r, nci_batch *batch,
                                int64_t spent)
{
    nci_sched_stats now;
    uint32_t done = atomic_load_explicit(&batch->done, memory_order_acquire);
    if (batch->reported == done)
        return;
    for (; batch->reported < done; batch->reported++) {
        nci_local_item *item = &batch->items[batch->reported];
        item->event.spent = spent;
        report_locked(r, item, &batch->error);
    }
    nci_sched_get_stats(r->sched, &now);
    r->pace = now.pace;
    atomic_store_explicit(&r->executor->managed, now.managed,
                          memory_order_relaxed);
}

/* What has ended in the batches of others, while they are at something that
 * takes long: what needs it need not wait for them. */
static void report_others_locked(nci_local_run *r, int thread, nci_lane *lane)
{
    for (int i = 0; i < r->executor->threads; i++)
        if (i != thread)
            report_batch_locked(r, &r->batches[i], 0);
    apply_locked(r, lane);
}

void nci_local_help(nci_local_run *r)
{
    report_others_locked(r, -1, NULL);
    size_t waiting = r->nring;
    for (int i = 0; i < r->executor->threads; i++)
        waiting += left_in(atomic_load(&r->batches[i].span));
    call_locked(r, -1, waiting);
}

/* Tasks for a thread that has none: also those that wait for what another one
 * has not told yet. */
static bool find_locked(nci_local_run *r, int thread)
{
    if (take_locked(r, thread))
        return true;
    report_others_locked(r, thread, &r->executor->lanes[thread]);
    return r->nring && take_locked(r, thread);
}

/* Tells how a batch ended, and what that leads to; the tasks in it. */
static uint32_t settle_locked(nci_local_run *r, nci_lane *lane,
                              nci_batch *batch, int64_t spent)
{
    uint32_t told = batch->reported;
    report_batch_locked(r, batch, spent);
    apply_locked(r, lane);
    return batch->reported - told;
}

static void end_thread_locked(nci_local_run *r, int thread)
{
    if (r->last == thread)
        r->last = -1;
    if (--r->active == 0)
        pthread_cond_signal(&r->ended);
}

/* Runs tasks until there are none for this thread. */
static void run_job(const nci_job *job, int thread)
{
    nci_local_run *r = job->ctx;
    nci_lane *lane = &r->executor->lanes[thread];
    nci_batch *batch = &r->batches[thread];
    int64_t since = 0;
    uint32_t tasks = 0;
    bool is_new = true;
    take_lock(r);
    while ((is_new || !is_one_too_many_locked(r, thread)) &&
           find_locked(r, thread)) {
        is_new = false;
        r->last = thread;
        learn_books_locked(r, since, tasks);
        pthread_mutex_unlock(&r->lock);
        drop_all(lane);
        int64_t spent = execute_batch(r, lane, batch);
        take_lock(r);
        since = spent ? clock_ns() : 0;
        tasks = settle_locked(r, lane, batch, spent);
    }
    if (lane->ndrops) {
        pthread_mutex_unlock(&r->lock);
        drop_all(lane);
        take_lock(r);
    }
    end_thread_locked(r, thread);
    pthread_mutex_unlock(&r->lock);
}
