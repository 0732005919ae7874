/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens, one thing at a time, and what the scheduler says to it. */
#include "cluster_sim_internal.h"

#include <stdlib.h>

/* ---- the scheduler ------------------------------------------------------- */

static void end_run(csim *s, const nci_action *action)
{
    s->over = true;
    s->result->status = action->status;
    for (int i = 0; i < s->nworkers; i++)
        if (s->workers[i].is_known)
            csim_send_order(s, i, action);
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
            csim_take_put(s, &a);
            break;
        case NCI_ACTION_DROP_CHECKPOINT:
            csim_later(s, s->now + csim_latency(s),
                       (happening){.kind = DROP_SAVED, .task = a.task});
            break;
        default:
            csim_send_order(s, csim_place_of(s, a.worker), &a);
        }
    }
    s->actions.count = 0;
}

void csim_tell(csim *s, const nci_event *event)
{
    ncg_error err = {0};
    nci_event e = *event;
    e.now = s->now;
    s->result->events++;
    if (nci_sched_handle(s->sched, &e, &s->actions, &err))
        csim_broken(s, err.message, (int64_t)event->kind);
    apply(s);
    if (s->o->is_checked)
        csim_check_all(s);
}

/* ---- what happens -------------------------------------------------------- */

static void tell_of(csim *s, int worker, nci_event_kind kind)
{
    nci_event event = {.kind = kind, .worker = s->workers[worker].number};
    csim_tell(s, &event);
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
    csim_tell(s, &event);
    if (w->end)
        csim_later(s, w->end, (happening){.kind = KILL, .worker = worker});
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
    csim_later(s, csim_after_all(s, w) + (csim_roll(s) % 4 ? 0 : SECOND),
               (happening){.kind = LEFT, .worker = worker});
    csim_close_requests(s, worker);
}

static void stop_worker(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    if (!w->is_alive || w->is_stopped)
        return;
    int64_t length = csim_between(s, SECOND / 10, 20 * SECOND);
    w->is_stopped = true;
    w->resumes = s->now + length;
    csim_later(s, w->resumes, (happening){.kind = GO_ON, .worker = worker});
    if (length > 2 * SECOND)
        csim_later(s, s->now + 2 * SECOND,
                   (happening){.kind = SILENT, .worker = worker, .status = 0});
    if (length > 10 * SECOND)
        csim_later(s, s->now + 10 * SECOND,
                   (happening){.kind = LEFT, .worker = worker});
}

/* It has noticed that it was declared dead. */
static void come_back(csim *s, int worker)
{
    if (!s->workers[worker].is_alive)
        return;
    for (size_t i = 0; i < s->nrequests; i++)
        if (s->requests[i].from == worker)
            csim_end_request(s, i + 1, NCG_ENET, s->now + csim_latency(s));
    join_again(s, worker);
}

/* Who was declared dead works on as if nothing had been, for a moment: what it
 * says then comes too late. */
static void go_on(csim *s, int worker)
{
    sworker *w = &s->workers[worker];
    w->is_stopped = false;
    if (w->is_alive && !w->is_known)
        csim_later(s, s->now + csim_latency(s),
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
                              .bytes = csim_bytes_of(s, h->task),
                              .spent = h->inner.spent};
    nci_worker_action a = {.task = h->task, .threads = h->order.threads};
    s->result->tasks++;
    csim_count_bytes(s, w, -csim_need_of(s, &a));
    uint64_t value = csim_value_of(s, h->task, &w->memory);
    if (value != s->values[h->task])
        csim_broken(s, "a wrong value", h->task);
    /* It may be made again while a task still reads it as it was before. */
    if (!csim_value_in(&w->memory, h->task)) {
        csim_put_value(s, &w->memory, h->task, value);
        csim_count_bytes(s, w, csim_bytes_of(s, h->task));
    }
    csim_tell_worker(s, h->worker, &event);
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
    csim_count_bytes(s, w, -csim_bytes_of(s, h->task));
    if (r->is_aborted)
        event.status = NCG_ENET;
    if (!event.status) {
        csim_put_value(s, &w->memory, h->task, s->values[h->task]);
        csim_count_bytes(s, w, csim_bytes_of(s, h->task));
    }
    csim_tell_worker(s, h->worker, &event);
}

static void end_serve(csim *s, const happening *h)
{
    nci_worker_event event = {
        .kind = NCI_WORKER_SERVED, .task = h->task, .request = h->request};
    csim_end_request(s, h->request, NCG_OK, s->now + 1000);
    csim_tell_worker(s, h->worker, &event);
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
    int64_t bytes = csim_bytes_of(s, h->task);
    uint64_t value = s->values[h->task];
    if (h->kind == END_READ) {
        event.kind = NCI_WORKER_READ;
        if (!csim_value_in(&w->disk, h->task))
            csim_broken(s, "what is read back is not on disk", h->task);
        csim_count_bytes(s, w, -bytes);
        csim_put_value(s, &w->memory, h->task, value);
        csim_count_bytes(s, w, bytes);
    } else if (h->kind == END_SAVE) {
        event.kind = NCI_WORKER_SAVED;
        if (!csim_value_in(&s->saved, h->task))
            csim_put_value(s, &s->saved, h->task, value);
    } else {
        event.kind = NCI_WORKER_WRITTEN;
        if (is_full(s, w, bytes)) {
            event.status = NCG_EOUTPUT;
            s->result->refusals++;
        } else {
            csim_put_value(s, &w->disk, h->task, value);
            w->on_disk += bytes;
        }
    }
    csim_tell_worker(s, h->worker, &event);
}

static void at_peer(csim *s, const happening *h)
{
    nci_worker_event wanted = {
        .kind = NCI_WORKER_WANTED, .task = h->task, .request = h->request};
    const request *r = &s->requests[h->request - 1];
    if (r->is_over)
        return;
    if (!s->workers[h->worker].is_alive) {
        csim_end_request(s, h->request, NCG_ENET, s->now + csim_latency(s));
        return;
    }
    csim_tell_worker(s, h->worker, &wanted);
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
            csim_tell_worker(s, i, &inner);
    }
    csim_tell(s, &event);
    if (!any && !s->over) { /* somebody starts a worker */
        int place = s->nworkers++;
        s->workers[place] = (sworker){
            .number = (uint32_t)place + 1, .threads = 1, .limit = s->floor * 2};
        join(s, place);
    }
    csim_later(s, s->now + SECOND, (happening){.kind = TICK});
}

/* Somebody tells about what has come by now. */
static void arrive(csim *s)
{
    nci_event event = {.kind = NCI_EVENT_ARRIVED};
    if (s->over)
        return;
    csim_tell(s, &event);
    if (s->now <= 5 * SECOND)
        csim_later(s, s->now + csim_latency(s), (happening){.kind = ARRIVE});
}

static void at_worker(csim *s, const happening *h)
{
    ncg_error err;
    if (nci_worker_order(s->workers[h->worker].machine, &h->order, &s->inner,
                         &err))
        csim_broken(s, "a worker's machine failed", h->worker);
    csim_carry_out_all(s, h->worker);
}

static void at_scheduler(csim *s, const happening *h)
{
    if (!s->over)
        csim_tell(s, &h->event);
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

void csim_happen(csim *s, const happening *h)
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
        csim_later(s, w->resumes, *h);
        return;
    }
    switch (h->kind) {
    case AT_SCHEDULER:
        at_scheduler(s, h);
        break;
    case AT_WORKER:
        at_worker(s, h);
        break;
    case IN_WORKER:
        csim_tell_worker(s, h->worker, &h->inner);
        break;
    case AT_PEER:
        at_peer(s, h);
        break;
    case END_TASK:
        end_task(s, h);
        break;
    case END_FETCH:
        end_fetch(s, h);
        break;
    case END_WRITE:
    case END_READ:
    case END_SAVE:
        end_disk(s, h);
        break;
    case END_SERVE:
        end_serve(s, h);
        break;
    case AT_WRITER:
        csim_end_put(s, h);
        break;
    case JOIN:
        join(s, h->worker);
        break;
    case KILL:
        kill_worker(s, h->worker);
        break;
    case LEFT:
        left(s, h->worker);
        break;
    case STOP:
        stop_worker(s, h->worker);
        break;
    case SILENT:
        if (w->is_known && w->is_stopped && !s->over)
            tell_of(s, h->worker, NCI_EVENT_WORKER_SUSPECT);
        break;
    case GO_ON:
        go_on(s, h->worker);
        break;
    case COME_BACK:
        come_back(s, h->worker);
        break;
    case DRAIN:
        if (w->is_known && !s->over)
            tell_of(s, h->worker, NCI_EVENT_WORKER_DRAIN);
        break;
    case TICK:
        tick(s);
        break;
    case DROP_SAVED:
        nci_task_map_remove(&s->saved, h->task);
        break;
    case ARRIVE:
        arrive(s);
        break;
    }
}
