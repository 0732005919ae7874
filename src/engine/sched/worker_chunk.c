/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks of a worker: coming, here, on disk, being sent. What the scheduler has
 * let go of stays as long as a task uses it or a peer is being sent it.
 */
#include "base/mem.h"
#include "engine/sched/worker_internal.h"

enum { BLOCK = 64, MAX_AGE = 3 };

typedef struct nci_worker_block {
    struct nci_worker_block *next;
    nci_chunk chunks[BLOCK];
    nci_job_here jobs[BLOCK];
    nci_waiter waiters[BLOCK];
} nci_worker_block;

static bool add_block(nci_worker *w)
{
    nci_worker_block *block = nci_alloc(sizeof *block);
    if (!block) {
        w->failed = true;
        return false;
    }
    block->next = w->blocks;
    w->blocks = block;
    for (int i = 0; i < BLOCK; i++) {
        block->chunks[i].next = w->free_chunks;
        w->free_chunks = &block->chunks[i];
        block->jobs[i].next = w->free_jobs;
        w->free_jobs = &block->jobs[i];
        block->waiters[i].next = w->free_waiters;
        w->free_waiters = &block->waiters[i];
    }
    return true;
}

void nci_chunk_free_blocks(nci_worker *w)
{
    while (w->blocks) {
        nci_worker_block *next = w->blocks->next;
        nci_free(w->blocks);
        w->blocks = next;
    }
}

nci_job_here *nci_chunk_new_job(nci_worker *w)
{
    if (!w->free_jobs && !add_block(w))
        return NULL;
    nci_job_here *job = w->free_jobs;
    w->free_jobs = job->next;
    return job;
}

nci_chunk *nci_chunk_get(nci_worker *w, int64_t task)
{
    nci_chunk *chunk = nci_chunk_find(w, task);
    if (chunk)
        return chunk;
    if (!nci_task_map_reserve(&w->chunks)) {
        w->failed = true;
        return NULL;
    }
    if (!w->free_chunks && !add_block(w))
        return NULL;
    chunk = w->free_chunks;
    w->free_chunks = chunk->next;
    *chunk = (nci_chunk){.task = task, .bytes = nci_plan_bytes(w->plan, task)};
    nci_task_map_put(&w->chunks, task, chunk);
    return chunk;
}

/* ---- letting go ---------------------------------------------------------------------- */

static void drop_memory(nci_worker_out *o, nci_chunk *chunk)
{
    nci_worker_action drop = {.kind = NCI_WORKER_DROP, .task = chunk->task};
    nci_worker_book(o->worker, -chunk->bytes);
    o->worker->nhere--;
    chunk->has = false;
    chunk->is_forgotten = false;
    nci_worker_do(o, drop);
}

static void drop_disk(nci_worker_out *o, nci_chunk *chunk)
{
    nci_worker_action drop = {.kind = NCI_WORKER_DROP_COPY,
                              .task = chunk->task};
    chunk->on_disk = false;
    nci_worker_do(o, drop);
}

void nci_chunk_settle(nci_worker_out *o, nci_chunk *chunk)
{
    nci_worker *w = o->worker;
    bool is_busy = chunk->users || chunk->sends || chunk->is_writing ||
                   chunk->is_saving;
    bool goes = chunk->is_released || w->over;
    if (!is_busy && chunk->has && (goes || chunk->is_forgotten))
        drop_memory(o, chunk);
    if (!is_busy && !chunk->is_reading && chunk->on_disk && goes)
        drop_disk(o, chunk);
    if (is_busy || chunk->has || chunk->on_disk || chunk->job ||
        chunk->waiters || chunk->is_fetching || chunk->is_reading ||
        chunk->aborted || chunk->is_queued)
        return;
    nci_task_map_remove(&w->chunks, chunk->task);
    chunk->next = w->free_chunks;
    w->free_chunks = chunk;
}

/* ---- peers -------------------------------------------------------------------------------- */

static void serve(nci_worker_out *o, nci_chunk *chunk, uint64_t request)
{
    nci_worker_action action = {.kind = NCI_WORKER_SERVE,
                                .task = chunk->task,
                                .request = request,
                                .bytes = chunk->bytes,
                                .on_disk = !chunk->has};
    chunk->sends++;
    nci_worker_do(o, action);
}

static void refuse(nci_worker_out *o, int64_t task, uint64_t request)
{
    nci_worker_action action = {.kind = NCI_WORKER_REFUSE,
                                .task = task,
                                .request = request};
    nci_worker_do(o, action);
}

static void take_waiter(nci_worker *w, nci_waiter **link)
{
    nci_waiter *waiter = *link;
    *link = waiter->next;
    waiter->next = w->free_waiters;
    w->free_waiters = waiter;
    w->nwaiters--;
}

static void serve_waiters(nci_worker_out *o, nci_chunk *chunk)
{
    while (chunk->waiters) {
        serve(o, chunk, chunk->waiters->request);
        take_waiter(o->worker, &chunk->waiters);
    }
}

void nci_chunk_refuse(nci_worker_out *o, nci_chunk *chunk)
{
    while (chunk->waiters) {
        refuse(o, chunk->task, chunk->waiters->request);
        take_waiter(o->worker, &chunk->waiters);
    }
}

static void want(nci_worker_out *o, const nci_worker_event *event)
{
    nci_worker *w = o->worker;
    nci_chunk *chunk = w->over ? NULL : nci_chunk_get(w, event->task);
    if (!chunk || (!w->free_waiters && !add_block(w))) {
        refuse(o, event->task, event->request);
        return;
    }
    if (chunk->has || chunk->on_disk) {
        serve(o, chunk, event->request);
        return;
    }
    nci_waiter *waiter = w->free_waiters;
    w->free_waiters = waiter->next;
    *waiter = (nci_waiter){.request = event->request, .next = chunk->waiters};
    chunk->waiters = waiter;
    w->nwaiters++;
}

static void forget_waiter(nci_worker_out *o, uint64_t request)
{
    nci_worker *w = o->worker;
    for (size_t i = 0; i < w->chunks.capacity && w->nwaiters; i++) {
        nci_chunk *chunk = w->chunks.slots[i].value;
        nci_waiter **link = chunk ? &chunk->waiters : NULL;
        while (link && *link && (*link)->request != request)
            link = &(*link)->next;
        if (!link || !*link)
            continue;
        take_waiter(w, link);
        nci_chunk_settle(o, chunk);
        return;
    }
}

/* Those that ask for what nobody has announced for too long. */
static void grow_old(nci_worker_out *o, nci_chunk *chunk)
{
    nci_waiter **link = &chunk->waiters;
    while (*link) {
        if (++(*link)->age < MAX_AGE) {
            link = &(*link)->next;
            continue;
        }
        refuse(o, chunk->task, (*link)->request);
        take_waiter(o->worker, link);
    }
}

static void tick(nci_worker_out *o)
{
    nci_worker *w = o->worker;
    size_t i = w->nwaiters ? 0 : w->chunks.capacity;
    while (i < w->chunks.capacity) {
        nci_chunk *chunk = w->chunks.slots[i].value;
        if (chunk && chunk->waiters && !chunk->job && !chunk->is_fetching) {
            grow_old(o, chunk);
            nci_chunk_settle(o, chunk);
        }
        /* Another one may have moved to this place. */
        i += w->chunks.slots[i].value == chunk || !chunk;
    }
}

/* ---- coming --------------------------------------------------------------------------------- */

void nci_chunk_arrived(nci_worker_out *o, nci_chunk *chunk)
{
    nci_worker *w = o->worker;
    if (chunk->has)
        return;
    chunk->has = true;
    w->nhere++;
    nci_worker_book(w, chunk->bytes);
    if (w->over)
        return;
    serve_waiters(o, chunk);
    nci_worker_wake(o, chunk->task);
}

static void queue_for_room(nci_worker *w, nci_chunk *chunk)
{
    chunk->has_room = false;
    if (chunk->is_queued)
        return;
    chunk->is_queued = true;
    chunk->next = NULL;
    if (w->room_last)
        w->room_last->next = chunk;
    else
        w->room_first = chunk;
    w->room_last = chunk;
}

void nci_chunk_start(nci_worker_out *o)
{
    nci_worker *w = o->worker;
    while (w->room_first) {
        nci_chunk *chunk = w->room_first;
        bool is_wanted = chunk->is_fetching || chunk->is_reading;
        nci_worker_action action = {.kind = chunk->is_fetching
                                                ? NCI_WORKER_FETCH
                                                : NCI_WORKER_READ_BACK,
                                    .task = chunk->task,
                                    .attempt = chunk->transfer,
                                    .from = chunk->from,
                                    .bytes = chunk->bytes};
        if (is_wanted && w->managed + chunk->bytes > w->limit)
            return;
        w->room_first = chunk->next;
        if (!w->room_first)
            w->room_last = NULL;
        chunk->is_queued = false;
        if (is_wanted) {
            chunk->has_room = true;
            nci_worker_book(w, chunk->bytes);
            nci_worker_do(o, action);
        }
        nci_chunk_settle(o, chunk);
    }
}

/* A fetch that is wanted no longer, or not from there. */
static void abort_fetch(nci_worker_out *o, nci_chunk *chunk)
{
    nci_worker_action action = {.kind = NCI_WORKER_ABORT,
                                .task = chunk->task,
                                .attempt = chunk->transfer};
    if (!chunk->is_fetching)
        return;
    chunk->is_fetching = false;
    o->worker->fetches--;
    if (!chunk->has_room)
        return;
    chunk->has_room = false;
    chunk->aborted++;
    nci_worker_do(o, action);
}

static void fetch(nci_worker_out *o, const nci_action *order)
{
    nci_chunk *chunk = nci_chunk_get(o->worker, order->task);
    nci_event told = {.kind = NCI_EVENT_FETCHED,
                      .task = order->task,
                      .attempt = order->attempt};
    if (!chunk)
        return;
    abort_fetch(o, chunk);
    chunk->is_released = false;
    if (order->bytes > 0 && !chunk->has && !chunk->aborted)
        chunk->bytes = order->bytes;
    if (chunk->has) { /* it was on its way out */
        chunk->is_forgotten = false;
        nci_worker_tell(o, told);
        return;
    }
    chunk->is_fetching = true;
    chunk->transfer = order->attempt;
    chunk->from = order->from;
    o->worker->fetches++;
    queue_for_room(o->worker, chunk);
}

static void end_fetch(nci_worker_out *o, nci_chunk *chunk,
                      const nci_worker_event *event)
{
    nci_event told = {.kind = NCI_EVENT_FETCHED,
                      .task = event->task,
                      .attempt = event->attempt,
                      .status = event->status};
    nci_worker_book(o->worker, -chunk->bytes);
    if (!chunk->is_fetching || !chunk->has_room ||
        chunk->transfer != event->attempt) {
        chunk->aborted--;
        nci_chunk_settle(o, chunk);
        return;
    }
    chunk->is_fetching = chunk->has_room = false;
    o->worker->fetches--;
    if (event->status)
        told.kind = NCI_EVENT_FETCH_FAILED;
    nci_worker_tell(o, told);
    if (!event->status)
        nci_chunk_arrived(o, chunk);
    else if (!chunk->job)
        nci_chunk_refuse(o, chunk);
    nci_chunk_settle(o, chunk);
}

/* ---- the disk ---------------------------------------------------------------------------------- */

static void write(nci_worker_out *o, const nci_action *order)
{
    nci_chunk *chunk = nci_chunk_find(o->worker, order->task);
    bool is_spill = order->kind == NCI_ACTION_SPILL;
    nci_worker_action action = {.kind = is_spill ? NCI_WORKER_WRITE
                                                 : NCI_WORKER_CHECKPOINT,
                                .task = order->task,
                                .attempt = order->attempt};
    if (!chunk || (!chunk->has && !(chunk->on_disk && !is_spill)))
        return;
    action.on_disk = !chunk->has;
    if (is_spill)
        chunk->is_writing = true;
    else
        chunk->is_saving = true;
    nci_worker_do(o, action);
}

static void end_write(nci_worker_out *o, nci_chunk *chunk,
                      const nci_worker_event *event)
{
    bool is_spill = event->kind == NCI_WORKER_WRITTEN;
    nci_event told = {.task = event->task,
                      .attempt = event->attempt,
                      .status = event->status};
    if (is_spill) {
        told.kind =
            event->status ? NCI_EVENT_SPILL_FAILED : NCI_EVENT_SPILLED;
        chunk->is_writing = false;
        chunk->on_disk = chunk->on_disk || !event->status;
    } else {
        told.kind = event->status ? NCI_EVENT_CHECKPOINT_FAILED
                                  : NCI_EVENT_CHECKPOINTED;
        chunk->is_saving = false;
    }
    nci_worker_tell(o, told);
    nci_chunk_settle(o, chunk);
}

static void load(nci_worker_out *o, const nci_action *order)
{
    nci_chunk *chunk = nci_chunk_find(o->worker, order->task);
    nci_event told = {.kind = NCI_EVENT_LOADED,
                      .task = order->task,
                      .attempt = order->attempt};
    if (!chunk || (!chunk->has && !chunk->on_disk))
        return;
    chunk->is_forgotten = false;
    if (chunk->has) {
        nci_worker_tell(o, told);
        return;
    }
    chunk->is_reading = true;
    chunk->transfer = order->attempt;
    queue_for_room(o->worker, chunk);
}

static void end_read(nci_worker_out *o, nci_chunk *chunk,
                     const nci_worker_event *event)
{
    nci_event told = {.kind = NCI_EVENT_LOADED,
                      .task = event->task,
                      .attempt = event->attempt,
                      .status = event->status};
    if (!chunk->is_reading || !chunk->has_room)
        return;
    nci_worker_book(o->worker, -chunk->bytes);
    chunk->is_reading = chunk->has_room = false;
    if (event->status)
        told.kind = NCI_EVENT_SPILL_FAILED;
    nci_worker_tell(o, told);
    if (!event->status)
        nci_chunk_arrived(o, chunk);
    nci_chunk_settle(o, chunk);
}

/* ---- orders and events ---------------------------------------------------------------------------- */

static void release(nci_worker_out *o, int64_t task)
{
    nci_chunk *chunk = nci_chunk_find(o->worker, task);
    if (!chunk)
        return;
    abort_fetch(o, chunk);
    if (chunk->is_reading && !chunk->has_room)
        chunk->is_reading = false;
    chunk->is_released = !chunk->job;
    if (!chunk->job)
        nci_chunk_refuse(o, chunk);
    nci_chunk_settle(o, chunk);
}

void nci_chunk_order(nci_worker_out *o, const nci_action *order)
{
    nci_chunk *chunk = NULL;
    switch (order->kind) {
    case NCI_ACTION_FETCH:
        fetch(o, order);
        break;
    case NCI_ACTION_RELEASE:
        release(o, order->task);
        break;
    case NCI_ACTION_SPILL:
    case NCI_ACTION_CHECKPOINT:
        write(o, order);
        break;
    case NCI_ACTION_LOAD:
        load(o, order);
        break;
    case NCI_ACTION_FORGET:
        chunk = nci_chunk_find(o->worker, order->task);
        if (!chunk)
            break;
        chunk->is_forgotten = chunk->has;
        nci_chunk_settle(o, chunk);
        break;
    default: /* not for a worker */
        break;
    }
}

void nci_chunk_event(nci_worker_out *o, const nci_worker_event *event)
{
    nci_chunk *chunk = nci_chunk_find(o->worker, event->task);
    switch (event->kind) {
    case NCI_WORKER_WANTED:
        want(o, event);
        return;
    case NCI_WORKER_GONE:
        forget_waiter(o, event->request);
        return;
    case NCI_WORKER_TICK:
        tick(o);
        return;
    default:
        break;
    }
    if (!chunk)
        return;
    if (event->kind == NCI_WORKER_SERVED) {
        chunk->sends--;
        nci_chunk_settle(o, chunk);
    } else if (event->kind == NCI_WORKER_ARRIVED) {
        end_fetch(o, chunk, event);
    } else if (event->kind == NCI_WORKER_READ) {
        end_read(o, chunk, event);
    } else {
        end_write(o, chunk, event);
    }
}

void nci_chunk_drop_all(nci_worker_out *o)
{
    nci_worker *w = o->worker;
    for (size_t i = 0; i < w->chunks.capacity;) {
        nci_chunk *chunk = w->chunks.slots[i].value;
        if (chunk) {
            nci_chunk_refuse(o, chunk);
            abort_fetch(o, chunk);
            if (chunk->is_reading && !chunk->has_room)
                chunk->is_reading = false;
            chunk->is_queued = false;
            nci_chunk_settle(o, chunk);
        }
        i += w->chunks.slots[i].value == chunk || !chunk;
    }
    w->room_first = w->room_last = NULL;
}
