/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Orders, tasks and memory of a worker; worker_chunk.c has the chunks. Each
 * call changes the books, then starts what can start: fetches and reads that
 * have room, tasks that have inputs, a core and room.
 */
#include "base/mem.h"
#include "engine/sched/worker_internal.h"

/* ---- life ------------------------------------------------------------------------ */

ncg_status nci_worker_create(const nci_plan *plan, const nci_sched_costs *costs,
                             uint32_t number, int threads, int64_t limit,
                             nci_worker **out, ncg_error *err)
{
    nci_worker *w = nci_calloc(1, sizeof *w);
    if (!w)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    w->plan = plan;
    w->costs = *costs;
    w->number = number;
    w->threads = w->idle = threads;
    w->limit = limit;
    *out = w;
    return NCG_OK;
}

void nci_worker_free(nci_worker **slot)
{
    nci_worker *w = *slot;
    *slot = NULL;
    if (!w)
        return;
    nci_chunk_free_blocks(w);
    nci_task_map_fini(&w->chunks);
    nci_free(w->ready);
    nci_free(w);
}

void nci_worker_get_stats(const nci_worker *w, nci_worker_stats *out)
{
    *out = (nci_worker_stats){.managed = w->managed,
                              .peak = w->peak,
                              .chunks = w->nhere,
                              .tasks = w->tasks,
                              .running = w->running,
                              .threads = w->threads - w->idle,
                              .fetches = w->fetches};
}

bool nci_worker_has(const nci_worker *w, int64_t task)
{
    const nci_chunk *chunk = nci_chunk_find(w, task);
    return chunk && (chunk->has || chunk->on_disk);
}

/* ---- actions ----------------------------------------------------------------------- */

void nci_worker_do(nci_worker_out *o, nci_worker_action action)
{
    nci_worker_actions *a = o->actions;
    if (!nci_grow(&a->items, &a->capacity, a->count + 1, sizeof *a->items)) {
        o->worker->failed = true;
        return;
    }
    a->items[a->count++] = action;
}

void nci_worker_tell(nci_worker_out *o, nci_event event)
{
    nci_worker_action tell = {.kind = NCI_WORKER_TELL, .task = event.task};
    if (o->worker->over)
        return;
    tell.event = event;
    tell.event.worker = o->worker->number;
    nci_worker_do(o, tell);
}

void nci_worker_book(nci_worker *w, int64_t bytes)
{
    w->managed += bytes;
    if (w->managed > w->peak)
        w->peak = w->managed;
}

/* ---- tasks that can start ------------------------------------------------------------ */

static void put_at(nci_worker *w, size_t i, nci_job_here *job)
{
    w->ready[i] = job;
    job->place = i + 1;
}

static void sift_up(nci_worker *w, size_t i, nci_job_here *job)
{
    while (i > 0 && w->ready[(i - 1) / 2]->sequence > job->sequence) {
        put_at(w, i, w->ready[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put_at(w, i, job);
}

static void push_ready(nci_worker *w, nci_job_here *job)
{
    if (!nci_grow(&w->ready, &w->ready_capacity, w->nready + 1,
                  sizeof *w->ready)) {
        w->failed = true;
        return;
    }
    sift_up(w, w->nready++, job);
}

static void take_ready(nci_worker *w, nci_job_here *job)
{
    size_t i = job->place - 1;
    nci_job_here *last = w->ready[--w->nready];
    job->place = 0;
    if (last == job)
        return;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->nready)
            break;
        if (child + 1 < w->nready &&
            w->ready[child + 1]->sequence < w->ready[child]->sequence)
            child++;
        if (w->ready[child]->sequence > last->sequence)
            break;
        put_at(w, i, w->ready[child]);
        i = child;
    }
    sift_up(w, i, last);
}

/* ---- jobs ------------------------------------------------------------------------------ */

typedef struct input_ctx {
    nci_worker_out *out;
    int64_t missing;
    int change;
} input_ctx;

static void count_missing(void *ctx, int input, int64_t task)
{
    input_ctx *c = ctx;
    const nci_chunk *chunk = nci_chunk_find(c->out->worker, task);
    (void)input;
    c->missing += !chunk || !chunk->has;
}

static void use_input(void *ctx, int input, int64_t task)
{
    input_ctx *c = ctx;
    nci_chunk *chunk = nci_chunk_find(c->out->worker, task);
    (void)input;
    chunk->users += c->change;
    if (c->change < 0)
        nci_chunk_settle(c->out, chunk);
}

static void wake_job(void *ctx, int input, int64_t task)
{
    nci_worker_out *o = ctx;
    nci_chunk *chunk = nci_chunk_find(o->worker, task);
    (void)input;
    if (!chunk || !chunk->job || chunk->job->runs || chunk->job->missing == 0)
        return;
    if (--chunk->job->missing == 0)
        push_ready(o->worker, chunk->job);
}

void nci_worker_wake(nci_worker_out *o, int64_t task)
{
    if (o->worker->tasks)
        nci_plan_dependents(o->worker->plan, task, wake_job, o);
}

static void assign(nci_worker_out *o, const nci_action *order)
{
    nci_worker *w = o->worker;
    nci_chunk *chunk = nci_chunk_get(w, order->task);
    nci_job_here *job = chunk ? nci_chunk_new_job(w) : NULL;
    input_ctx c = {.out = o};
    if (!job)
        return;
    nci_plan_deps(w->plan, order->task, count_missing, &c);
    *job = (nci_job_here){.chunk = chunk,
                          .attempt = order->attempt,
                          .threads = order->threads,
                          .missing = c.missing,
                          .sequence = w->sequence++};
    if (job->threads > w->threads)
        job->threads = w->threads;
    job->need = chunk->bytes +
                w->costs.scratch(w->costs.ctx, order->task, job->threads);
    chunk->job = job;
    chunk->is_released = false;
    w->tasks++;
    if (!job->missing)
        push_ready(w, job);
}

static void forget_job(nci_worker *w, nci_job_here *job)
{
    if (job->place)
        take_ready(w, job);
    job->chunk->job = NULL;
    job->next = w->free_jobs;
    w->free_jobs = job;
    w->tasks--;
}

static void recall(nci_worker_out *o, const nci_action *order)
{
    nci_chunk *chunk = nci_chunk_find(o->worker, order->task);
    nci_event told = {.kind = NCI_EVENT_RECALLED,
                      .task = order->task,
                      .attempt = order->attempt};
    if (!chunk || !chunk->job || chunk->job->runs ||
        chunk->job->attempt != order->attempt)
        return;
    forget_job(o->worker, chunk->job);
    nci_worker_tell(o, told);
    nci_chunk_refuse(o, chunk);
    nci_chunk_settle(o, chunk);
}

static void start_job(nci_worker_out *o, nci_job_here *job)
{
    nci_worker *w = o->worker;
    input_ctx c = {.out = o, .change = 1};
    nci_worker_action start = {.kind = NCI_WORKER_START,
                               .task = job->chunk->task,
                               .attempt = job->attempt,
                               .threads = job->threads};
    take_ready(w, job);
    nci_plan_deps(w->plan, start.task, use_input, &c);
    job->runs = true;
    w->idle -= job->threads;
    w->running++;
    nci_worker_book(w, job->need);
    nci_worker_do(o, start);
}

/* An input may have gone again after a recall that came too late to matter. */
static bool has_inputs(nci_worker_out *o, nci_job_here *job)
{
    input_ctx c = {.out = o};
    nci_plan_deps(o->worker->plan, job->chunk->task, count_missing, &c);
    if (!c.missing)
        return true;
    take_ready(o->worker, job);
    job->missing = c.missing;
    return false;
}

static void start_jobs(nci_worker_out *o)
{
    nci_worker *w = o->worker;
    while (w->nready && !w->failed) {
        nci_job_here *job = w->ready[0];
        if (job->threads > w->idle || w->managed + job->need > w->limit)
            return;
        if (has_inputs(o, job))
            start_job(o, job);
    }
}

static void end_job(nci_worker_out *o, const nci_worker_event *event)
{
    nci_worker *w = o->worker;
    nci_chunk *chunk = nci_chunk_find(w, event->task);
    input_ctx c = {.out = o, .change = -1};
    nci_event told = {.kind = NCI_EVENT_TASK_DONE,
                      .task = event->task,
                      .attempt = event->attempt,
                      .bytes = event->bytes,
                      .status = event->status,
                      .spent = event->spent,
                      .fills = event->fills};
    if (!chunk || !chunk->job || !chunk->job->runs)
        return;
    nci_worker_book(w, -chunk->job->need);
    w->idle += chunk->job->threads;
    w->running--;
    forget_job(w, chunk->job);
    if (event->status)
        told.kind = NCI_EVENT_TASK_FAILED;
    if (event->bytes > 0 &&
        nci_plan_layer(w->plan, event->task)->kind == NCI_LAYER_STORE)
        chunk->bytes = event->bytes;
    nci_worker_tell(o, told);
    if (event->status)
        nci_chunk_refuse(o, chunk);
    else
        nci_chunk_arrived(o, chunk);
    nci_chunk_settle(o, chunk);
    nci_plan_deps(w->plan, event->task, use_input, &c);
}

/* ---- the run ends ------------------------------------------------------------------------ */

static void forget_waiting(nci_worker *w)
{
    for (size_t i = 0; i < w->chunks.capacity; i++) {
        nci_chunk *chunk = w->chunks.slots[i].value;
        if (chunk && chunk->job && !chunk->job->runs)
            forget_job(w, chunk->job);
    }
}

static void stop(nci_worker_out *o, ncg_status status)
{
    nci_worker_action action = {.kind = NCI_WORKER_STOP, .status = status};
    if (o->worker->over)
        return;
    o->worker->over = true;
    forget_waiting(o->worker);
    nci_worker_do(o, action);
    nci_chunk_drop_all(o);
}

/* ---- calls --------------------------------------------------------------------------------- */

static ncg_status start(nci_worker_out *o, ncg_error *err)
{
    if (!o->worker->over) {
        nci_chunk_start(o);
        start_jobs(o);
    }
    if (o->worker->failed)
        return nci_fail(err, NCG_ENOMEM, "out of memory (books of a worker)");
    return NCG_OK;
}

ncg_status nci_worker_order(nci_worker *w, const nci_action *order,
                            nci_worker_actions *actions, ncg_error *err)
{
    nci_worker_out o = {w, actions};
    nci_worker_action leave = {.kind = NCI_WORKER_LEAVE};
    if (w->over)
        return NCG_OK;
    switch (order->kind) {
    case NCI_ACTION_RUN:
        assign(&o, order);
        break;
    case NCI_ACTION_RECALL:
        recall(&o, order);
        break;
    case NCI_ACTION_DONE:
    case NCI_ACTION_FAILED:
        stop(&o, order->status);
        break;
    case NCI_ACTION_LEAVE:
        nci_worker_do(&o, leave);
        break;
    default:
        nci_chunk_order(&o, order);
    }
    return start(&o, err);
}

ncg_status nci_worker_handle(nci_worker *w, const nci_worker_event *event,
                             nci_worker_actions *actions, ncg_error *err)
{
    nci_worker_out o = {w, actions};
    if (event->kind == NCI_WORKER_ENDED)
        end_job(&o, event);
    else
        nci_chunk_event(&o, event);
    return start(&o, err);
}

bool nci_worker_check(const nci_worker *w, ncg_error *err)
{
    int64_t managed = 0, here = 0;
    int tasks = 0, threads = 0;
    for (size_t i = 0; i < w->chunks.capacity; i++) {
        const nci_chunk *chunk = w->chunks.slots[i].value;
        if (!chunk)
            continue;
        int64_t times = chunk->has + chunk->aborted;
        times += chunk->has_room && (chunk->is_fetching || chunk->is_reading);
        managed += times * chunk->bytes;
        here += chunk->has;
        tasks += chunk->job != NULL;
        if (chunk->job && chunk->job->runs) {
            managed += chunk->job->need;
            threads += chunk->job->threads;
        }
    }
    if (managed != w->managed || here != w->nhere)
        nci_fail(err, NCG_EBUG, "the sum of managed bytes is wrong");
    else if (managed > w->limit)
        nci_fail(err, NCG_EBUG, "managed bytes exceed the limit");
    else if (tasks != w->tasks || threads != w->threads - w->idle)
        nci_fail(err, NCG_EBUG, "the sum of cores is wrong");
    else
        return true;
    return false;
}
