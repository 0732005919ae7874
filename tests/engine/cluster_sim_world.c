/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the machines stand in: chance, values, a network with messages and
 * transfers, the writer of what is put, threads and disks of workers.
 */
#include "cluster_sim_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- chance -------------------------------------------------------------- */

uint64_t csim_roll(csim *s)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return s->random >> 33;
}

int64_t csim_between(csim *s, int64_t low, int64_t high)
{
    uint64_t chance = csim_roll(s); /* 31 bits: times in ns need more */
    if (high - low > INT32_MAX)
        chance = chance << 31 | csim_roll(s);
    return low + (int64_t)(chance % (uint64_t)(high - low + 1));
}

uint64_t csim_mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9E3779B97F4A7C15);
    return a ^ (a >> 29);
}

/* Mostly quick, sometimes late. */
int64_t csim_latency(csim *s)
{
    return csim_roll(s) % 20 ? csim_between(s, 20000, 400000)
                             : csim_between(s, 1000000, 300000000);
}

/* ---- values -------------------------------------------------------------- */

uint64_t csim_value_in(const nci_task_map *map, int64_t task)
{
    return (uint64_t)(uintptr_t)nci_task_map_get(map, task);
}

void csim_put_value(csim *s, nci_task_map *map, int64_t task, uint64_t value)
{
    if (csim_value_in(map, task))
        csim_broken(s, "a chunk is put where it is", task);
    else if (nci_task_map_reserve(map))
        nci_task_map_put(map, task, (void *)(uintptr_t)value);
}

typedef struct hash_ctx {
    csim *sim;
    const nci_task_map *from; /* NULL: the reference */
    uint64_t hash;
} hash_ctx;

static void hash_input(void *ctx, int input, int64_t task)
{
    hash_ctx *h = ctx;
    uint64_t value =
        h->from ? csim_value_in(h->from, task) : h->sim->values[task];
    if (!value)
        csim_broken(h->sim, "a task runs without its inputs", task);
    h->hash = csim_mix(h->hash + (uint64_t)input, value);
}

uint64_t csim_value_of(csim *s, int64_t task, const nci_task_map *from)
{
    hash_ctx h = {s, from, csim_mix((uint64_t)task + 1, s->o->seed)};
    nci_plan_deps(s->plan, task, hash_input, &h);
    return h.hash | 1;
}

static int64_t stored_bytes(const csim *s, int64_t task)
{
    return 1 + nci_plan_bytes(s->plan, task) / 2;
}

int64_t csim_bytes_of(const csim *s, int64_t task)
{
    bool is_store = nci_plan_layer(s->plan, task)->kind == NCI_LAYER_STORE;
    return is_store ? stored_bytes(s, task) : nci_plan_bytes(s->plan, task);
}

/* ---- messages ------------------------------------------------------------ */

int csim_place_of(const csim *s, uint32_t number)
{
    for (int i = s->nworkers; i-- > 0;)
        if (s->workers[i].number == number)
            return i;
    return -1;
}

void csim_send_order(csim *s, int worker, const nci_action *order)
{
    sworker *w = &s->workers[worker];
    int64_t time = s->now + csim_latency(s);
    w->last_to = time > w->last_to ? time : w->last_to;
    w->to++;
    csim_later(
        s, w->last_to,
        (happening){.kind = AT_WORKER, .worker = worker, .order = *order});
}

static void send_event(csim *s, int worker, const nci_event *event)
{
    sworker *w = &s->workers[worker];
    int64_t time = s->now + csim_latency(s);
    w->last_from = time > w->last_from ? time : w->last_from;
    w->from++;
    csim_later(
        s, w->last_from,
        (happening){.kind = AT_SCHEDULER, .worker = worker, .event = *event});
}

/* ---- transfers ----------------------------------------------------------- */

void csim_end_request(csim *s, uint64_t id, ncg_status status, int64_t time)
{
    request *r = &s->requests[id - 1];
    happening h = {.kind = r->by < 0 ? AT_WRITER : END_FETCH,
                   .worker = r->by,
                   .task = r->task,
                   .attempt = r->attempt,
                   .request = id,
                   .status = status};
    if (r->is_over)
        return;
    r->is_over = true;
    csim_later(s, time, h);
}

static void ask(csim *s, int by, int64_t task, uint32_t attempt, uint32_t from)
{
    int peer = from == NCI_CHECKPOINT ? -1 : csim_place_of(s, from);
    if (!nci_grow(&s->requests, &s->requests_capacity, s->nrequests + 1,
                  sizeof *s->requests))
        abort();
    s->requests[s->nrequests++] = (request){by, peer, task, attempt, 0, 0};
    uint64_t id = s->nrequests;
    if (from == NCI_CHECKPOINT) {
        bool is_there = csim_value_in(&s->saved, task);
        csim_end_request(s, id, is_there ? NCG_OK : NCG_EIO,
                         s->now + csim_latency(s));
        return;
    }
    csim_later(
        s, s->now + csim_latency(s),
        (happening){
            .kind = AT_PEER, .worker = peer, .task = task, .request = id});
}

static void abort_fetch(csim *s, int worker, int64_t task, uint32_t attempt)
{
    for (size_t i = s->nrequests; i-- > 0;) {
        request *r = &s->requests[i];
        if (r->by != worker || r->task != task || r->attempt != attempt)
            continue;
        r->is_aborted = true;
        nci_worker_event gone = {
            .kind = NCI_WORKER_GONE, .task = task, .request = i + 1};
        if (!r->is_over && r->from >= 0)
            csim_later(s, s->now + csim_latency(s),
                       (happening){.kind = IN_WORKER,
                                   .worker = r->from,
                                   .inner = gone});
        csim_end_request(s, i + 1, NCG_ENET, s->now + 1000);
        return;
    }
    csim_broken(s, "a fetch that is not known is aborted", task);
}

/* ---- the writer ---------------------------------------------------------- */

static void write_next(csim *s)
{
    if (s->is_writing || !s->nwriter)
        return;
    s->is_writing = true;
    ask(s, -1, s->writer[0].task, s->writer[0].attempt, s->writer[0].from);
}

static void tell_put(csim *s, nci_event *event)
{
    int64_t time = s->now + csim_latency(s) / 10;
    s->last_put = time > s->last_put ? time : s->last_put;
    event->worker = NCI_NO_WORKER;
    csim_later(
        s, s->last_put,
        (happening){.kind = AT_SCHEDULER, .worker = -1, .event = *event});
}

static void give_back(csim *s, const nci_action *put)
{
    nci_event event = {
        .kind = NCI_EVENT_PUT_LOST, .task = put->task, .attempt = put->attempt};
    if (s->lost_put < 0)
        s->lost_put = put->task;
    tell_put(s, &event);
}

void csim_take_put(csim *s, const nci_action *put)
{
    if (s->lost_put >= 0 && s->lost_put != put->task) {
        give_back(s, put);
        return;
    }
    s->lost_put = -1;
    if (!nci_grow(&s->writer, &s->writer_capacity, s->nwriter + 1,
                  sizeof *s->writer))
        abort();
    s->writer[s->nwriter++] = *put;
    write_next(s);
}

void csim_end_put(csim *s, const happening *h)
{
    nci_event event = {
        .kind = NCI_EVENT_PUT_DONE, .task = h->task, .attempt = h->attempt};
    s->is_writing = false;
    if (!s->nwriter)
        return;
    if (h->status) { /* this one and all after it go back */
        for (size_t i = 0; i < s->nwriter; i++)
            give_back(s, &s->writer[i]);
        s->nwriter = 0;
        return;
    }
    if (s->puts[s->next_put] != h->task)
        csim_broken(s, "puts are out of order", h->task);
    s->next_put++;
    s->result->puts++;
    memmove(s->writer, s->writer + 1, --s->nwriter * sizeof *s->writer);
    tell_put(s, &event);
    write_next(s);
}

/* ---- what a worker's machine wants --------------------------------------- */

void csim_count_bytes(csim *s, sworker *w, int64_t bytes)
{
    w->bytes += bytes;
    if (w->bytes > w->limit)
        csim_broken(s, "a worker holds more than its limit", w->number);
}

int64_t csim_need_of(const csim *s, const nci_worker_action *a)
{
    return nci_plan_bytes(s->plan, a->task) +
           s->costs.scratch(s->costs.ctx, a->task, a->threads);
}

static int64_t length_of(csim *s, int64_t task)
{
    int64_t base =
        1000000 + (int64_t)(csim_mix((uint64_t)task, s->o->seed) % 64) *
                      (csim_roll(s) % 4 ? 100000 : 4000000);
    return csim_roll(s) % 60 ? base : base * 40;
}

/* When what a task reads is there: for most from the beginning. */
static int64_t arrival_of(const csim *s, int64_t task)
{
    uint64_t chance = csim_mix((uint64_t)task + 13, s->o->seed) >> 24;
    if (!s->o->has_arrivals || chance % 3)
        return 0;
    return (int64_t)(chance / 3 % 80) * (SECOND / 20);
}

bool csim_is_there(void *ctx, int64_t task)
{
    const csim *s = ctx;
    return arrival_of(s, task) <= s->now;
}

static void start_task(csim *s, int worker, const nci_worker_action *a)
{
    sworker *w = &s->workers[worker];
    if (!csim_is_there(s, a->task))
        csim_broken(s, "a task runs before what it reads is there", a->task);
    happening h = {.kind = END_TASK,
                   .worker = worker,
                   .task = a->task,
                   .attempt = a->attempt};
    h.inner.spent = length_of(s, a->task);
    h.order.threads = a->threads;
    csim_count_bytes(s, w, csim_need_of(s, a));
    s->started++;
    if (s->o->poison && a->task == s->puts[0] && s->o->poison-- > 0) {
        csim_later(s, s->now + 1000,
                   (happening){.kind = KILL, .worker = worker});
    }
    csim_later(s, s->now + h.inner.spent, h);
}

static void serve(csim *s, int worker, const nci_worker_action *a)
{
    sworker *w = &s->workers[worker];
    request *r = &s->requests[a->request - 1];
    uint64_t value = csim_value_in(a->on_disk ? &w->disk : &w->memory, a->task);
    int64_t takes = 50000 + csim_bytes_of(s, a->task) / 10;
    if (!value)
        csim_broken(s, "a worker sends what it has not got", a->task);
    if (a->on_disk && s->o->is_slow_disk)
        takes *= 50;
    takes += csim_latency(s);
    (void)r;
    csim_later(s, s->now + takes,
               (happening){.kind = END_SERVE,
                           .worker = worker,
                           .task = a->task,
                           .request = a->request});
}

static int64_t disk_time(csim *s, int64_t task)
{
    int64_t takes = 100000 + nci_plan_bytes(s->plan, task) * 2;
    return s->o->is_slow_disk ? takes * csim_between(s, 1, 500) : takes;
}

static void drop_value(csim *s, sworker *w, nci_task_map *map, int64_t task)
{
    if (!csim_value_in(map, task))
        csim_broken(s, "a chunk is dropped that is not there", task);
    nci_task_map_remove(map, task);
    if (map == &w->memory)
        w->bytes -= csim_bytes_of(s, task);
    else
        w->on_disk -= csim_bytes_of(s, task);
}

/* Whoever waits for a chunk of it sees the connection close. */
void csim_close_requests(csim *s, int worker)
{
    for (size_t i = 0; i < s->nrequests; i++)
        if (s->requests[i].from == worker)
            csim_end_request(s, i + 1, NCG_ENET, s->now + csim_latency(s));
}

/* When the scheduler notices that a connection has ended. */
int64_t csim_after_all(csim *s, const sworker *w)
{
    int64_t last = w->last_from > s->now ? w->last_from : s->now;
    return last + csim_latency(s);
}

static void leave(csim *s, int worker)
{
    s->workers[worker].is_alive = false;
    csim_later(s, csim_after_all(s, &s->workers[worker]),
               (happening){.kind = LEFT, .worker = worker});
    csim_close_requests(s, worker);
}

static void carry_out(csim *s, int worker, const nci_worker_action *a)
{
    sworker *w = &s->workers[worker];
    happening h = {.worker = worker, .task = a->task, .attempt = a->attempt};
    switch (a->kind) {
    case NCI_WORKER_START:
        start_task(s, worker, a);
        break;
    case NCI_WORKER_FETCH:
        csim_count_bytes(s, w, csim_bytes_of(s, a->task));
        ask(s, worker, a->task, a->attempt, a->from);
        break;
    case NCI_WORKER_ABORT:
        abort_fetch(s, worker, a->task, a->attempt);
        break;
    case NCI_WORKER_SERVE:
        serve(s, worker, a);
        break;
    case NCI_WORKER_REFUSE:
        csim_end_request(s, a->request, NCG_ENET, s->now + csim_latency(s));
        break;
    case NCI_WORKER_WRITE:
    case NCI_WORKER_CHECKPOINT:
        if (!csim_value_in(a->on_disk ? &w->disk : &w->memory, a->task))
            csim_broken(s, "a worker writes what it has not got", a->task);
        h.kind = a->kind == NCI_WORKER_WRITE ? END_WRITE : END_SAVE;
        csim_later(s, s->now + disk_time(s, a->task), h);
        break;
    case NCI_WORKER_READ_BACK:
        csim_count_bytes(s, w, csim_bytes_of(s, a->task));
        h.kind = END_READ;
        csim_later(s, s->now + disk_time(s, a->task), h);
        break;
    case NCI_WORKER_DROP:
        drop_value(s, w, &w->memory, a->task);
        break;
    case NCI_WORKER_DROP_COPY:
        drop_value(s, w, &w->disk, a->task);
        break;
    case NCI_WORKER_TELL:
        send_event(s, worker, &a->event);
        break;
    case NCI_WORKER_LEAVE:
        leave(s, worker);
        break;
    case NCI_WORKER_STOP:
        break;
    }
}

void csim_carry_out_all(csim *s, int worker)
{
    ncg_error err = {0};
    for (size_t i = 0; i < s->inner.count; i++) {
        nci_worker_action a = s->inner.items[i];
        carry_out(s, worker, &a);
    }
    s->inner.count = 0;
    if (!nci_worker_check(s->workers[worker].machine, &err))
        csim_broken(s, err.message, worker);
}

void csim_tell_worker(csim *s, int worker, const nci_worker_event *event)
{
    ncg_error err;
    if (nci_worker_handle(s->workers[worker].machine, event, &s->inner, &err))
        csim_broken(s, "a worker's machine failed", worker);
    csim_carry_out_all(s, worker);
}
