/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One list of what happens, by time. What happens at a worker that is stopped
 * happens when it goes on; what happens at one that is dead does not.
 */
#include "cluster_sim.h"

#include <stdio.h>

#include "base/mem.h"
#include "engine/sched/cluster_internal.h"
#include "engine/sched/task_map.h"
#include "simulator.h"
#include "test.h"

#define SECOND INT64_C(1000000000)

typedef enum what {
    AT_SCHEDULER, /* event */
    AT_WORKER,    /* order */
    IN_WORKER,    /* inner */
    AT_PEER,      /* a request comes: task, request */
    END_TASK, END_FETCH, END_WRITE, END_READ, END_SAVE, END_SERVE,
    AT_WRITER,    /* a put has its chunk, or not */
    JOIN, KILL, LEFT, STOP, SILENT, GO_ON, COME_BACK, DRAIN, TICK, DROP_SAVED,
    ARRIVE
} what;

typedef struct happening {
    int64_t time, number;
    what kind;
    int worker; /* place in the list */
    int64_t task;
    uint32_t attempt;
    uint64_t request;
    ncg_status status;
    nci_event event;
    nci_action order;
    nci_worker_event inner;
} happening;

typedef struct sworker {
    nci_worker *machine;
    uint32_t number;
    int threads;
    int64_t limit, end;
    bool is_alive, is_stopped, is_known, is_late; /* late: declared dead */
    int64_t last_to, last_from; /* times of the last messages */
    int to, from;               /* messages on their way */
    int64_t bytes, on_disk;
    int64_t resumes;
    nci_task_map memory, disk; /* task -> value */
} sworker;

/* A fetch by a worker, or by the writer (worker < 0). */
typedef struct request {
    int by, from;
    int64_t task;
    uint32_t attempt;
    bool is_over, is_aborted;
} request;

typedef struct csim {
    const nci_plan *plan;
    csim_options *o;
    csim_result *result;
    uint64_t random;
    int64_t now, numbers;
    nci_sched *sched;
    nci_sched_choice choice;
    nci_sched_costs costs;
    nci_actions actions;
    nci_worker_actions inner;
    happening *list; /* heap */
    size_t count, capacity;
    sworker *workers;
    int nworkers;
    request *requests;
    size_t nrequests, requests_capacity;
    nci_task_map saved;  /* the checkpoint directory */
    uint64_t *values;    /* what each task leaves */
    int64_t *puts;       /* STORE tasks in their order */
    int64_t next_put;
    nci_action *writer;  /* handed out, the first is under way */
    size_t nwriter, writer_capacity;
    bool is_writing;
    int64_t last_put; /* time of its last message */
    int64_t lost_put; /* the writer takes nothing before this one; -1 */
    int64_t floor;
    int64_t started; /* tasks */
    bool over, is_broken;
} csim;

/* ---- chance ------------------------------------------------------------------ */

static uint64_t roll(csim *s)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return s->random >> 33;
}

static int64_t between(csim *s, int64_t low, int64_t high)
{
    uint64_t chance = roll(s); /* 31 bits: times in ns need more */
    if (high - low > INT32_MAX)
        chance = chance << 31 | roll(s);
    return low + (int64_t)(chance % (uint64_t)(high - low + 1));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9E3779B97F4A7C15);
    return a ^ (a >> 29);
}

/* Mostly quick, sometimes late. */
static int64_t latency(csim *s)
{
    return roll(s) % 20 ? between(s, 20000, 400000)
                        : between(s, 1000000, 300000000);
}

/* ---- promises ------------------------------------------------------------------ */

static void broken(csim *s, const char *text, int64_t which)
{
    if (s->is_broken)
        return;
    s->is_broken = true;
    snprintf(s->result->message, sizeof s->result->message,
             "seed %llu, event %lld: %s (%lld)",
             (unsigned long long)s->o->seed, (long long)s->result->events,
             text, (long long)which);
}

/* ---- the list -------------------------------------------------------------------- */

static bool is_before(const happening *a, const happening *b)
{
    return a->time != b->time ? a->time < b->time : a->number < b->number;
}

static void later(csim *s, int64_t time, happening h)
{
    h.time = time;
    h.number = s->numbers++;
    if (!nci_grow(&s->list, &s->capacity, s->count + 1, sizeof *s->list))
        abort();
    size_t i = s->count++;
    while (i > 0 && is_before(&h, &s->list[(i - 1) / 2])) {
        s->list[i] = s->list[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->list[i] = h;
}

static happening next(csim *s)
{
    happening top = s->list[0], last = s->list[--s->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->count)
            break;
        if (child + 1 < s->count &&
            is_before(&s->list[child + 1], &s->list[child]))
            child++;
        if (is_before(&last, &s->list[child]))
            break;
        s->list[i] = s->list[child];
        i = child;
    }
    s->list[i] = last;
    return top;
}

/* ---- values ----------------------------------------------------------------------- */

static uint64_t value_in(const nci_task_map *map, int64_t task)
{
    return (uint64_t)(uintptr_t)nci_task_map_get(map, task);
}

static void put_value(csim *s, nci_task_map *map, int64_t task, uint64_t value)
{
    if (value_in(map, task))
        broken(s, "a chunk is put where it is", task);
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
        h->from ? value_in(h->from, task) : h->sim->values[task];
    if (!value)
        broken(h->sim, "a task runs without its inputs", task);
    h->hash = mix(h->hash + (uint64_t)input, value);
}

static uint64_t value_of(csim *s, int64_t task, const nci_task_map *from)
{
    hash_ctx h = {s, from, mix((uint64_t)task + 1, s->o->seed)};
    nci_plan_deps(s->plan, task, hash_input, &h);
    return h.hash | 1;
}

static int64_t stored_bytes(const csim *s, int64_t task)
{
    return 1 + nci_plan_bytes(s->plan, task) / 2;
}

static int64_t bytes_of(const csim *s, int64_t task)
{
    bool is_store =
        nci_plan_layer(s->plan, task)->kind == NCI_LAYER_STORE;
    return is_store ? stored_bytes(s, task) : nci_plan_bytes(s->plan, task);
}

/* ---- messages ---------------------------------------------------------------------- */

static int place_of(const csim *s, uint32_t number)
{
    for (int i = s->nworkers; i-- > 0;)
        if (s->workers[i].number == number)
            return i;
    return -1;
}

static void send_order(csim *s, int worker, const nci_action *order)
{
    sworker *w = &s->workers[worker];
    int64_t time = s->now + latency(s);
    w->last_to = time > w->last_to ? time : w->last_to;
    w->to++;
    later(s, w->last_to,
          (happening){.kind = AT_WORKER, .worker = worker, .order = *order});
}

static void send_event(csim *s, int worker, const nci_event *event)
{
    sworker *w = &s->workers[worker];
    int64_t time = s->now + latency(s);
    w->last_from = time > w->last_from ? time : w->last_from;
    w->from++;
    later(s, w->last_from, (happening){.kind = AT_SCHEDULER,
                                       .worker = worker,
                                       .event = *event});
}

/* ---- transfers ------------------------------------------------------------------------ */

static void end_request(csim *s, uint64_t id, ncg_status status, int64_t time)
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
    later(s, time, h);
}

static void ask(csim *s, int by, int64_t task, uint32_t attempt, uint32_t from)
{
    int peer = from == NCI_CHECKPOINT ? -1 : place_of(s, from);
    if (!nci_grow(&s->requests, &s->requests_capacity, s->nrequests + 1,
                  sizeof *s->requests))
        abort();
    s->requests[s->nrequests++] = (request){by, peer, task, attempt, 0, 0};
    uint64_t id = s->nrequests;
    if (from == NCI_CHECKPOINT) {
        bool is_there = value_in(&s->saved, task);
        end_request(s, id, is_there ? NCG_OK : NCG_EIO, s->now + latency(s));
        return;
    }
    later(s, s->now + latency(s), (happening){.kind = AT_PEER,
                                              .worker = peer,
                                              .task = task,
                                              .request = id});
}

static void abort_fetch(csim *s, int worker, int64_t task, uint32_t attempt)
{
    for (size_t i = s->nrequests; i-- > 0;) {
        request *r = &s->requests[i];
        if (r->by != worker || r->task != task || r->attempt != attempt)
            continue;
        r->is_aborted = true;
        nci_worker_event gone = {.kind = NCI_WORKER_GONE,
                                 .task = task,
                                 .request = i + 1};
        if (!r->is_over && r->from >= 0)
            later(s, s->now + latency(s), (happening){.kind = IN_WORKER,
                                                      .worker = r->from,
                                                      .inner = gone});
        end_request(s, i + 1, NCG_ENET, s->now + 1000);
        return;
    }
    broken(s, "a fetch that is not known is aborted", task);
}

/* ---- the writer ------------------------------------------------------------------------- */

static void write_next(csim *s)
{
    if (s->is_writing || !s->nwriter)
        return;
    s->is_writing = true;
    ask(s, -1, s->writer[0].task, s->writer[0].attempt, s->writer[0].from);
}

static void tell_put(csim *s, nci_event *event)
{
    int64_t time = s->now + latency(s) / 10;
    s->last_put = time > s->last_put ? time : s->last_put;
    event->worker = NCI_NO_WORKER;
    later(s, s->last_put, (happening){.kind = AT_SCHEDULER,
                                      .worker = -1,
                                      .event = *event});
}

static void give_back(csim *s, const nci_action *put)
{
    nci_event event = {.kind = NCI_EVENT_PUT_LOST,
                       .task = put->task,
                       .attempt = put->attempt};
    if (s->lost_put < 0)
        s->lost_put = put->task;
    tell_put(s, &event);
}

static void take_put(csim *s, const nci_action *put)
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

static void tell(csim *s, const nci_event *event);

static void end_put(csim *s, const happening *h)
{
    nci_event event = {.kind = NCI_EVENT_PUT_DONE,
                       .task = h->task,
                       .attempt = h->attempt};
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
        broken(s, "puts are out of order", h->task);
    s->next_put++;
    s->result->puts++;
    memmove(s->writer, s->writer + 1, --s->nwriter * sizeof *s->writer);
    tell_put(s, &event);
    write_next(s);
}

/* ---- what a worker's machine wants ---------------------------------------------------------- */

static void count_bytes(csim *s, sworker *w, int64_t bytes)
{
    w->bytes += bytes;
    if (w->bytes > w->limit)
        broken(s, "a worker holds more than its limit", w->number);
}

static int64_t need_of(const csim *s, const nci_worker_action *a)
{
    return nci_plan_bytes(s->plan, a->task) +
           s->costs.scratch(s->costs.ctx, a->task, a->threads);
}

static int64_t length_of(csim *s, int64_t task)
{
    int64_t base = 1000000 + (int64_t)(mix((uint64_t)task, s->o->seed) % 64) *
                                 (roll(s) % 4 ? 100000 : 4000000);
    return roll(s) % 60 ? base : base * 40;
}

/* When what a task reads is there: for most from the beginning. */
static int64_t arrival_of(const csim *s, int64_t task)
{
    uint64_t chance = mix((uint64_t)task + 13, s->o->seed) >> 24;
    if (!s->o->has_arrivals || chance % 3)
        return 0;
    return (int64_t)(chance / 3 % 80) * (SECOND / 20);
}

static bool is_there(void *ctx, int64_t task)
{
    const csim *s = ctx;
    return arrival_of(s, task) <= s->now;
}

static void start_task(csim *s, int worker, const nci_worker_action *a)
{
    sworker *w = &s->workers[worker];
    if (!is_there(s, a->task))
        broken(s, "a task runs before what it reads is there", a->task);
    happening h = {.kind = END_TASK,
                   .worker = worker,
                   .task = a->task,
                   .attempt = a->attempt};
    h.inner.spent = length_of(s, a->task);
    h.order.threads = a->threads;
    count_bytes(s, w, need_of(s, a));
    s->started++;
    if (s->o->poison && a->task == s->puts[0] && s->o->poison-- > 0) {
        later(s, s->now + 1000, (happening){.kind = KILL, .worker = worker});
    }
    later(s, s->now + h.inner.spent, h);
}

static void serve(csim *s, int worker, const nci_worker_action *a)
{
    sworker *w = &s->workers[worker];
    request *r = &s->requests[a->request - 1];
    uint64_t value = value_in(a->on_disk ? &w->disk : &w->memory, a->task);
    int64_t takes = 50000 + bytes_of(s, a->task) / 10;
    if (!value)
        broken(s, "a worker sends what it has not got", a->task);
    if (a->on_disk && s->o->is_slow_disk)
        takes *= 50;
    takes += latency(s);
    (void)r;
    later(s, s->now + takes, (happening){.kind = END_SERVE,
                                         .worker = worker,
                                         .task = a->task,
                                         .request = a->request});
}

static int64_t disk_time(csim *s, int64_t task)
{
    int64_t takes = 100000 + nci_plan_bytes(s->plan, task) * 2;
    return s->o->is_slow_disk ? takes * between(s, 1, 500) : takes;
}

static void drop_value(csim *s, sworker *w, nci_task_map *map, int64_t task)
{
    if (!value_in(map, task))
        broken(s, "a chunk is dropped that is not there", task);
    nci_task_map_remove(map, task);
    if (map == &w->memory)
        w->bytes -= bytes_of(s, task);
    else
        w->on_disk -= bytes_of(s, task);
}

/* Whoever waits for a chunk of it sees the connection close. */
static void close_requests(csim *s, int worker)
{
    for (size_t i = 0; i < s->nrequests; i++)
        if (s->requests[i].from == worker)
            end_request(s, i + 1, NCG_ENET, s->now + latency(s));
}

/* When the scheduler notices that a connection has ended. */
static int64_t after_all(csim *s, const sworker *w)
{
    int64_t last = w->last_from > s->now ? w->last_from : s->now;
    return last + latency(s);
}

static void leave(csim *s, int worker)
{
    s->workers[worker].is_alive = false;
    later(s, after_all(s, &s->workers[worker]),
          (happening){.kind = LEFT, .worker = worker});
    close_requests(s, worker);
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
        count_bytes(s, w, bytes_of(s, a->task));
        ask(s, worker, a->task, a->attempt, a->from);
        break;
    case NCI_WORKER_ABORT:
        abort_fetch(s, worker, a->task, a->attempt);
        break;
    case NCI_WORKER_SERVE:
        serve(s, worker, a);
        break;
    case NCI_WORKER_REFUSE:
        end_request(s, a->request, NCG_ENET, s->now + latency(s));
        break;
    case NCI_WORKER_WRITE:
    case NCI_WORKER_CHECKPOINT:
        if (!value_in(a->on_disk ? &w->disk : &w->memory, a->task))
            broken(s, "a worker writes what it has not got", a->task);
        h.kind = a->kind == NCI_WORKER_WRITE ? END_WRITE : END_SAVE;
        later(s, s->now + disk_time(s, a->task), h);
        break;
    case NCI_WORKER_READ_BACK:
        count_bytes(s, w, bytes_of(s, a->task));
        h.kind = END_READ;
        later(s, s->now + disk_time(s, a->task), h);
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

static void carry_out_all(csim *s, int worker)
{
    ncg_error err = {0};
    for (size_t i = 0; i < s->inner.count; i++) {
        nci_worker_action a = s->inner.items[i];
        carry_out(s, worker, &a);
    }
    s->inner.count = 0;
    if (!nci_worker_check(s->workers[worker].machine, &err))
        broken(s, err.message, worker);
}

static void tell_worker(csim *s, int worker, const nci_worker_event *event)
{
    ncg_error err;
    if (nci_worker_handle(s->workers[worker].machine, event, &s->inner, &err))
        broken(s, "a worker's machine failed", worker);
    carry_out_all(s, worker);
}

/* ---- invariants --------------------------------------------------------------------------------- */

/* What the scheduler takes to be there is there; with no message on its way
 * both have the same tasks in hand. */
static void check_member(csim *s, const nci_member *m)
{
    int place = place_of(s, m->number);
    sworker *w = &s->workers[place];
    int64_t leases = 0;
    nci_worker_stats stats;
    if (!w->is_alive || m->may_leave)
        return;
    for (const nci_copy *c = m->copies; c; c = c->after)
        if (nci_copy_is_there(c) && !nci_worker_has(w->machine, c->record->task))
            broken(s, "the map of outputs is wrong", c->record->task);
    if (w->to || w->from || w->is_stopped)
        return;
    for (const nci_lease *l = m->leases; l; l = l->after)
        leases++;
    nci_worker_get_stats(w->machine, &stats);
    if (leases != stats.tasks)
        broken(s, "a task is assigned and nobody has it", m->number);
}

static void check_all(csim *s)
{
    const nci_cluster *c = s->sched->cluster;
    ncg_error err;
    if (s->sched->failure || s->over)
        return;
    if (!nci_sched_check(s->sched, &err))
        broken(s, err.message, 0);
    for (size_t i = 0; i < c->members.capacity; i++)
        if (c->members.slots[i].value)
            check_member(s, c->members.slots[i].value);
}

/* ---- the scheduler ------------------------------------------------------------------------------- */

static void end_run(csim *s, const nci_action *action)
{
    s->over = true;
    s->result->status = action->status;
    for (int i = 0; i < s->nworkers; i++)
        if (s->workers[i].is_known)
            send_order(s, i, action);
}

static void apply(csim *s)
{
    for (size_t i = 0; i < s->actions.count; i++) {
        nci_action a = s->actions.items[i];
        switch (a.kind) {
        case NCI_ACTION_DONE:
        case NCI_ACTION_FAILED:
            end_run(s, &a);
            break;
        case NCI_ACTION_PUT:
            take_put(s, &a);
            break;
        case NCI_ACTION_DROP_CHECKPOINT:
            later(s, s->now + latency(s),
                  (happening){.kind = DROP_SAVED, .task = a.task});
            break;
        default:
            send_order(s, place_of(s, a.worker), &a);
        }
    }
    s->actions.count = 0;
}

static void tell(csim *s, const nci_event *event)
{
    ncg_error err = {0};
    nci_event e = *event;
    e.now = s->now;
    s->result->events++;
    if (nci_sched_handle(s->sched, &e, &s->actions, &err))
        broken(s, err.message, (int64_t)event->kind);
    apply(s);
    if (s->o->is_checked)
        check_all(s);
}

/* ---- what happens ---------------------------------------------------------------------------------- */

static void tell_of(csim *s, int worker, nci_event_kind kind)
{
    nci_event event = {.kind = kind, .worker = s->workers[worker].number};
    tell(s, &event);
}

static void join(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    ncg_error err;
    nci_event event = {.kind = NCI_EVENT_WORKER_JOINED,
                       .worker = w->number,
                       .threads = w->threads,
                       .limit = w->limit,
                       .bandwidth = SECOND,
                       .end = w->end};
    if (s->over || w->is_alive)
        return;
    if (nci_worker_create(s->plan, &s->costs, w->number, w->threads, w->limit,
                          &w->machine, &err))
        abort();
    w->is_alive = w->is_known = true;
    tell(s, &event);
    if (w->end)
        later(s, w->end, (happening){.kind = KILL, .worker = worker});
}

/* A worker that was declared dead comes back under a new number, without what
 * it had. */
static void join_again(csim *s, int old)
{
    sworker *w = &s->workers[s->nworkers], *before = &s->workers[old];
    int place = s->nworkers++;
    *w = (sworker){.number = (uint32_t)place + 1,
                   .threads = before->threads,
                   .limit = before->limit};
    before->is_alive = false;
    join(s, place);
}

static void kill_worker(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    if (!w->is_alive)
        return;
    w->is_alive = false;
    later(s, after_all(s, w) + (roll(s) % 4 ? 0 : SECOND),
          (happening){.kind = LEFT, .worker = worker});
    close_requests(s, worker);
}

static void stop_worker(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    if (!w->is_alive || w->is_stopped)
        return;
    int64_t length = between(s, SECOND / 10, 20 * SECOND);
    w->is_stopped = true;
    w->resumes = s->now + length;
    later(s, w->resumes, (happening){.kind = GO_ON, .worker = worker});
    if (length > 2 * SECOND)
        later(s, s->now + 2 * SECOND,
              (happening){.kind = SILENT, .worker = worker, .status = 0});
    if (length > 10 * SECOND)
        later(s, s->now + 10 * SECOND,
              (happening){.kind = LEFT, .worker = worker});
}

/* It has noticed that it was declared dead. */
static void come_back(csim *s, int worker)
{
    if (!s->workers[worker].is_alive)
        return;
    for (size_t i = 0; i < s->nrequests; i++)
        if (s->requests[i].from == worker)
            end_request(s, i + 1, NCG_ENET, s->now + latency(s));
    join_again(s, worker);
}

/* Who was declared dead works on as if nothing had been, for a moment: what it
 * says then comes too late. */
static void go_on(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    w->is_stopped = false;
    if (w->is_alive && !w->is_known)
        later(s, s->now + latency(s),
              (happening){.kind = COME_BACK, .worker = worker});
    else if (w->is_alive)
        tell_of(s, worker, NCI_EVENT_WORKER_BACK);
}

static void end_task(csim *s, const happening *h)
{
    sworker *w = &s->workers[h->worker];
    nci_worker_event event = {.kind = NCI_WORKER_ENDED,
                              .task = h->task,
                              .attempt = h->attempt,
                              .bytes = bytes_of(s, h->task),
                              .spent = h->inner.spent};
    nci_worker_action a = {.task = h->task, .threads = h->order.threads};
    s->result->tasks++;
    count_bytes(s, w, -need_of(s, &a));
    uint64_t value = value_of(s, h->task, &w->memory);
    if (value != s->values[h->task])
        broken(s, "a wrong value", h->task);
    /* It may be made again while a task still reads it as it was before. */
    if (!value_in(&w->memory, h->task)) {
        put_value(s, &w->memory, h->task, value);
        count_bytes(s, w, bytes_of(s, h->task));
    }
    tell_worker(s, h->worker, &event);
}

/* The chunk is in the memory of whom asked, or it never will be. */
static void end_fetch(csim *s, const happening *h)
{
    sworker *w = &s->workers[h->worker];
    const request *r = &s->requests[h->request - 1];
    nci_worker_event event = {.kind = NCI_WORKER_ARRIVED,
                              .task = h->task,
                              .attempt = h->attempt,
                              .status = h->status};
    count_bytes(s, w, -bytes_of(s, h->task));
    if (r->is_aborted)
        event.status = NCG_ENET;
    if (!event.status) {
        put_value(s, &w->memory, h->task, s->values[h->task]);
        count_bytes(s, w, bytes_of(s, h->task));
    }
    tell_worker(s, h->worker, &event);
}

static void end_serve(csim *s, const happening *h)
{
    nci_worker_event event = {.kind = NCI_WORKER_SERVED,
                              .task = h->task,
                              .request = h->request};
    end_request(s, h->request, NCG_OK, s->now + 1000);
    tell_worker(s, h->worker, &event);
}

static bool is_full(const csim *s, const sworker *w, int64_t bytes)
{
    const csim_options *o = s->o;
    bool is_bound =
        o->disk && (!o->disk_until || s->now < o->disk_until * SECOND);
    return is_bound && w->on_disk + bytes > o->disk;
}

static void end_disk(csim *s, const happening *h)
{
    sworker *w = &s->workers[h->worker];
    nci_worker_event event = {.task = h->task, .attempt = h->attempt};
    int64_t bytes = bytes_of(s, h->task);
    uint64_t value = s->values[h->task];
    if (h->kind == END_READ) {
        event.kind = NCI_WORKER_READ;
        if (!value_in(&w->disk, h->task))
            broken(s, "what is read back is not on disk", h->task);
        count_bytes(s, w, -bytes);
        put_value(s, &w->memory, h->task, value);
        count_bytes(s, w, bytes);
    } else if (h->kind == END_SAVE) {
        event.kind = NCI_WORKER_SAVED;
        if (!value_in(&s->saved, h->task))
            put_value(s, &s->saved, h->task, value);
    } else {
        event.kind = NCI_WORKER_WRITTEN;
        if (is_full(s, w, bytes)) {
            event.status = NCG_EOUTPUT;
            s->result->refusals++;
        } else {
            put_value(s, &w->disk, h->task, value);
            w->on_disk += bytes;
        }
    }
    tell_worker(s, h->worker, &event);
}

static void at_peer(csim *s, const happening *h)
{
    nci_worker_event wanted = {.kind = NCI_WORKER_WANTED,
                               .task = h->task,
                               .request = h->request};
    const request *r = &s->requests[h->request - 1];
    if (r->is_over)
        return;
    if (!s->workers[h->worker].is_alive) {
        end_request(s, h->request, NCG_ENET, s->now + latency(s));
        return;
    }
    tell_worker(s, h->worker, &wanted);
}

static void tick(csim *s)
{
    nci_event event = {.kind = NCI_EVENT_TICK};
    nci_worker_event inner = {.kind = NCI_WORKER_TICK};
    bool any = false;
    if (s->over)
        return;
    for (int i = 0; i < s->nworkers; i++) {
        any = any || s->workers[i].is_alive;
        if (s->workers[i].is_alive && !s->workers[i].is_stopped)
            tell_worker(s, i, &inner);
    }
    tell(s, &event);
    if (!any && !s->over) { /* somebody starts a worker */
        int place = s->nworkers++;
        s->workers[place] = (sworker){.number = (uint32_t)place + 1,
                                      .threads = 1,
                                      .limit = s->floor * 2};
        join(s, place);
    }
    later(s, s->now + SECOND, (happening){.kind = TICK});
}

/* Somebody tells about what has come by now. */
static void arrive(csim *s)
{
    nci_event event = {.kind = NCI_EVENT_ARRIVED};
    if (s->over)
        return;
    tell(s, &event);
    if (s->now <= 5 * SECOND)
        later(s, s->now + latency(s), (happening){.kind = ARRIVE});
}

static void at_worker(csim *s, const happening *h)
{
    ncg_error err;
    if (nci_worker_order(s->workers[h->worker].machine, &h->order, &s->inner,
                         &err))
        broken(s, "a worker's machine failed", h->worker);
    carry_out_all(s, h->worker);
}

static void at_scheduler(csim *s, const happening *h)
{
    if (!s->over)
        tell(s, &h->event);
}

static void left(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    if (!w->is_known)
        return;
    w->is_known = false;
    if (!s->over)
        tell_of(s, worker, NCI_EVENT_WORKER_LEFT);
}

static bool is_in_worker(what kind)
{
    return kind == AT_WORKER || kind == IN_WORKER || kind == AT_PEER ||
           (kind >= END_TASK && kind <= END_SERVE);
}

static void happen(csim *s, const happening *h)
{
    sworker *w = h->worker >= 0 ? &s->workers[h->worker] : NULL;
    if (h->kind == AT_WORKER)
        w->to--;
    if (h->kind == AT_SCHEDULER && w)
        w->from--;
    if (is_in_worker(h->kind) && w && !w->is_alive && h->kind != AT_PEER)
        return;
    if (is_in_worker(h->kind) && w && w->is_stopped && w->is_alive) {
        w->to += h->kind == AT_WORKER;
        later(s, w->resumes, *h);
        return;
    }
    switch (h->kind) {
    case AT_SCHEDULER: at_scheduler(s, h); break;
    case AT_WORKER: at_worker(s, h); break;
    case IN_WORKER: tell_worker(s, h->worker, &h->inner); break;
    case AT_PEER: at_peer(s, h); break;
    case END_TASK: end_task(s, h); break;
    case END_FETCH: end_fetch(s, h); break;
    case END_WRITE: case END_READ: case END_SAVE: end_disk(s, h); break;
    case END_SERVE: end_serve(s, h); break;
    case AT_WRITER: end_put(s, h); break;
    case JOIN: join(s, h->worker); break;
    case KILL: kill_worker(s, h->worker); break;
    case LEFT: left(s, h->worker); break;
    case STOP: stop_worker(s, h->worker); break;
    case SILENT:
        if (w->is_known && w->is_stopped && !s->over)
            tell_of(s, h->worker, NCI_EVENT_WORKER_SUSPECT);
        break;
    case GO_ON: go_on(s, h->worker); break;
    case COME_BACK: come_back(s, h->worker); break;
    case DRAIN:
        if (w->is_known && !s->over)
            tell_of(s, h->worker, NCI_EVENT_WORKER_DRAIN);
        break;
    case TICK: tick(s); break;
    case DROP_SAVED: nci_task_map_remove(&s->saved, h->task); break;
    case ARRIVE: arrive(s); break;
    }
}

/* What everybody is at, for a seed that fails. */
static void show(const csim *s)
{
    const nci_cluster *c = s->sched->cluster;
    nci_worker_stats stats;
    if (!getenv("NCG_SIM_SHOW"))
        return;
    for (size_t i = 0; i < s->sched->records.map.capacity; i++) {
        const nci_record *r = s->sched->records.map.slots[i].value;
        if (!r)
            continue;
        fprintf(stderr, "task %lld state %d order %lld waiting %lld left %lld\n",
                (long long)r->task, (int)r->state, (long long)r->order,
                (long long)r->waiting, (long long)r->left);
        for (const nci_copy *k = r->at.copies; k; k = k->next)
            fprintf(stderr, "   copy on %u state %d pins %d from %u\n",
                    k->member->number, (int)k->state, k->pins, k->from);
        for (const nci_lease *l = r->at.leases; l; l = l->next)
            fprintf(stderr, "   lease on %u ahead %d void %d\n",
                    l->member->number, l->is_ahead, l->is_void);
    }
    for (size_t i = 0; i < c->members.capacity; i++) {
        const nci_member *m = c->members.slots[i].value;
        if (!m)
            continue;
        nci_worker_get_stats(s->workers[place_of(s, m->number)].machine, &stats);
        fprintf(stderr,
                "worker %u state %d managed %lld of %lld ahead %lld queue %zu "
                "cores %d of %d blocked %d hungry %d | managed %lld tasks %d "
                "running %d fetches %d\n",
                m->number, (int)m->state, (long long)m->managed,
                (long long)m->limit, (long long)m->ahead, m->queue.count,
                m->cores, m->threads, m->is_blocked, m->is_hungry,
                (long long)stats.managed, stats.tasks, stats.running,
                stats.fetches);
    }
    fprintf(stderr, "low %lld pulled %lld walked %d loose %zu ready %zu floor "
                    "%lld puts %d waiting %lld\n",
            (long long)s->sched->low, (long long)s->sched->pulled,
            s->sched->walked, c->loose.count, s->sched->ready.count,
            (long long)s->floor, c->puts, (long long)s->sched->nwaiting);
}

/* ---- a run --------------------------------------------------------------------------------------------- */

static void set_values(csim *s)
{
    nci_order order;
    ncg_error err;
    int64_t task = 0, n = 0;
    if (nci_order_init(&order, s->plan, &s->choice.way, &err))
        abort();
    while (!nci_order_next(&order, &task, &err) && task >= 0) {
        s->values[task] = value_of(s, task, NULL);
        if (nci_plan_layer(s->plan, task)->kind == NCI_LAYER_STORE)
            s->puts[n++] = task;
    }
    nci_order_fini(&order);
}

static int64_t limit_of(csim *s)
{
    int64_t all = 0;
    for (int64_t t = 0; t < s->plan->ntasks; t++)
        all += nci_plan_bytes(s->plan, t);
    double part = (double)(roll(s) % 100) / 100.0;
    return s->floor + (int64_t)(s->o->room * part * (double)all);
}

/* Something happens to a worker that is there by then. */
static void plan_one(csim *s, what kind, int count)
{
    int total = s->o->workers + s->o->joins;
    for (int i = 0; i < count; i++)
        later(s, between(s, 0, 4 * SECOND) + (int64_t)s->o->late_start * SECOND,
              (happening){.kind = kind,
                          .worker = (int)(roll(s) % (uint64_t)total)});
}

static void plan_workers(csim *s)
{
    const csim_options *o = s->o;
    for (int i = 0; i < o->workers + o->joins; i++) {
        sworker *w = &s->workers[s->nworkers++];
        int64_t start = (int64_t)o->late_start * SECOND;
        w->number = (uint32_t)i + 1;
        w->threads = (int)between(s, 1, o->threads);
        w->limit = limit_of(s);
        start += i < o->workers ? (int64_t)(roll(s) % 1000)
                                : between(s, 0, 4 * SECOND);
        if (i > 0 && i <= o->ends)
            w->end = start + between(s, SECOND, 100 * SECOND);
        later(s, start, (happening){.kind = JOIN, .worker = i});
    }
    plan_one(s, KILL, o->kills);
    plan_one(s, STOP, o->stops);
    plan_one(s, DRAIN, o->drains);
    later(s, SECOND, (happening){.kind = TICK});
    if (o->has_arrivals)
        later(s, 0, (happening){.kind = ARRIVE});
}

/* One that has not come yet, or is dead, is a home too. */
static uint32_t home_of(void *ctx, int64_t task)
{
    const csim *s = ctx;
    uint64_t chance = mix((uint64_t)task + 7, s->o->seed) >> 20;
    int most = s->o->workers + s->o->joins;
    return chance % 4 ? 1 + (uint32_t)(chance % (uint64_t)most) : NCI_NO_WORKER;
}

static void open_sched(csim *s)
{
    nci_cluster_options options = NCI_CLUSTER_OPTIONS_INIT;
    ncg_error err;
    s->costs = (nci_sched_costs){(void *)&s->o->seed, sim_scratch, sim_threads};
    if (nci_sched_choose(s->plan, &s->costs, &s->choice, &err) ||
        nci_sched_floor(s->plan, &s->costs, &s->floor, &err) ||
        nci_sched_create(s->plan, &s->costs, &s->choice, &s->sched, &err))
        abort();
    options.floor = s->floor;
    options.can_checkpoint = s->o->can_checkpoint;
    options.looks_ahead = s->o->looks_ahead;
    options.strikes = s->o->poison ? 3 : 1000000;
    options.grace = 2 * SECOND;
    options.home = s->o->has_homes ? home_of : NULL;
    options.is_there = s->o->has_arrivals ? is_there : NULL;
    options.home_ctx = s;
    if (nci_sched_open_cluster(s->sched, &options, &err))
        abort();
    s->sched->cluster->faults = s->o->faults;
}

/* After the end nobody keeps anything. */
static void check_empty(csim *s)
{
    for (int i = 0; i < s->nworkers; i++) {
        sworker *w = &s->workers[i];
        if (!w->is_alive || !w->is_known)
            continue;
        if (w->memory.count || w->disk.count || w->bytes)
            broken(s, "a worker keeps chunks after the end", i);
    }
    nci_sched_get_stats(s->sched, &s->result->stats);
    if (s->result->status || s->is_broken)
        return;
    int64_t nputs = 0;
    for (int i = 0; i < s->plan->noutputs; i++)
        nputs += s->plan->layers[s->plan->outputs[i]].ntasks;
    if (s->next_put != nputs)
        broken(s, "not everything has been put", nputs);
    /* Tasks that were given to others too may still be unanswered, and so may
     * those that turned out not to be needed again. */
    for (size_t i = 0; i < s->sched->records.map.capacity; i++) {
        const nci_record *r = s->sched->records.map.slots[i].value;
        if (r && r->state != NCI_TASK_GONE && !r->at.is_again)
            broken(s, "the scheduler keeps books of what is gone", r->task);
    }
}

static void fini(csim *s)
{
    for (int i = 0; i < s->nworkers; i++) {
        nci_worker_free(&s->workers[i].machine);
        nci_task_map_fini(&s->workers[i].memory);
        nci_task_map_fini(&s->workers[i].disk);
    }
    nci_sched_free(&s->sched);
    nci_sched_choice_fini(&s->choice);
    nci_task_map_fini(&s->saved);
    nci_free(s->actions.items);
    nci_free(s->inner.items);
    nci_free(s->list);
    nci_free(s->requests);
    nci_free(s->writer);
    free(s->workers);
    free(s->values);
    free(s->puts);
}

static void run(csim *s)
{
    const nci_event cancel = {.kind = NCI_EVENT_CANCEL};
    int64_t progress = 0, since = 0;
    while (s->count && !s->is_broken) {
        happening h = next(s);
        s->now = h.time;
        happen(s, &h);
        if (s->o->cancel_at && s->result->events >= s->o->cancel_at && !s->over)
            tell(s, &cancel);
        if (s->result->tasks + s->result->puts != progress) {
            progress = s->result->tasks + s->result->puts;
            since = s->now;
        }
        if (!s->over && s->now > since + 900 * SECOND)
            broken(s, "the run stands still", s->result->tasks);
    }
    if (!s->is_broken)
        check_empty(s);
    if (s->is_broken)
        show(s);
}

void csim_run(const nci_plan *plan, const csim_options *options,
              csim_result *result)
{
    size_t ntasks = (size_t)plan->ntasks + 1;
    size_t most = 2 * (size_t)(options->workers + options->joins) + 4096;
    csim s = {.plan = plan,
              .result = result,
              .lost_put = -1,
              .random = options->seed * 2654435761u + 17};
    csim_options own = *options;
    s.o = &own;
    *result = (csim_result){0};
    s.workers = calloc(most, sizeof *s.workers);
    s.values = calloc(ntasks, sizeof *s.values);
    s.puts = calloc(ntasks, sizeof *s.puts);
    open_sched(&s);
    set_values(&s);
    plan_workers(&s);
    run(&s);
    result->is_broken = s.is_broken;
    result->seconds = (double)s.now / 1e9;
    fini(&s);
}
