/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run on the scheduler: its machine is asked what to do, the actions go out
 * as records.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/scheduler_kept.h"

enum { MOST_BEGUN = 20 }; /* times that a run begins */

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void order_all(nci_plan_run *r, const nci_action *action);
static void send_orders(nci_plan_run *r);

/* ---- the end ------------------------------------------------------------- */

void nci_run_clear(nci_plan_run *r)
{
    nci_sched_free(&r->sched);
    nci_sched_choice_fini(&r->choice);
    r->choice = (nci_sched_choice){0};
    nci_free(r->actions.items);
    r->actions = (nci_actions){0};
    if (r->hosted.plan)
        r->scheduler->host->close(r->scheduler->host->ctx, &r->hosted);
    r->hosted = (nci_hosted){0};
    nci_plan_message_fini(&r->message);
    while (r->nshares)
        nci_run_drop_share(r, r->shares[0].worker);
}

void nci_run_free(nci_plan_run *r)
{
    nci_run_clear(r);
    nci_free(r->shares);
    nci_buf_release(&r->body);
    nci_fills_told_fini(&r->fills);
    nci_free(r->put);
    nci_free(r);
}

static void tell_client(const nci_plan_run *r)
{
    nci_finished_message f = {.failed = r->failed};
    nci_sched_stats stats = {0};
    nci_pack pack = {0};
    if (r->sched)
        nci_sched_get_stats(r->sched, &stats);
    if (r->has_error)
        f.error = r->error;
    f.tasks = stats.finished;
    f.peak = stats.peak;
    f.spilled = stats.spilled;
    f.fetched = stats.fetched;
    f.recomputed = stats.recomputed;
    f.moved = stats.moved;
    f.reads = r->reads;
    f.fills = r->fills.of_layer;
    f.nfills = r->fills.nlayers;
    nci_finished_pack(&pack, &f);
    nci_dialogue_send(r->scheduler->net, r->client, NCI_WIRE_FINISHED,
                      r->request, &pack, NULL);
}

/* Everybody does it, behind what it was told to write: one that is writing at
 * the end is later than the others. */
void nci_run_sweep(nci_plan_run *r)
{
    const nci_action drop = {.kind = NCI_ACTION_DROP_CHECKPOINT,
                             .worker = NCI_NO_WORKER,
                             .task = -1};
    if (!r->has_saved)
        return;
    order_all(r, &drop);
    send_orders(r);
    r->has_saved = false;
}

/* The run is over: client and workers are told, the next one begins. */
void nci_run_end(nci_plan_run *r)
{
    nci_scheduler *s = r->scheduler;
    nci_plan_run **at = &s->runs;
    nci_message forget = {.type = NCI_WIRE_FORGET, .request = r->id};
    bool goes_on = r->is_waiting && !r->has_error && r->begun < MOST_BEGUN;
    if (r->is_waiting && !r->has_error && !goes_on) {
        nci_fail(&r->error, NCG_ENET,
                 "chunks that it reads were lost again and again");
        r->has_error = true;
    }
    r->state = NCI_RUN_OVER;
    nci_kept_end(r, goes_on);
    nci_run_sweep(r);
    if (r->client && !goes_on)
        tell_client(r);
    nci_scheduler_account(s, r);
    for (size_t i = 0; i < s->nrolls; i++)
        nci_net_send(s->net, s->rolls[i].conn, &forget, NULL);
    while (*at && *at != r)
        at = &(*at)->next;
    if (*at)
        *at = r->next;
    for (size_t i = 0; i < s->nrolls; i++)
        nci_scheduler_try_leave(s, &s->rolls[i]);
    if (goes_on) {
        nci_run_again(r);
        nci_kept_hold_up(r);
    } else {
        nci_run_free(r);
    }
    nci_run_next(s);
}

void nci_run_fail(nci_plan_run *r, const ncg_error *error)
{
    if (!r->has_error) {
        r->error = *error;
        r->has_error = true;
    }
}

/* ---- actions ------------------------------------------------------------- */

static bool was_put(const nci_plan_run *r, int64_t task)
{
    return r->put && r->put[task >> 6] >> (task & 63) & 1;
}

static void put_again(nci_plan_run *r, const nci_action *action)
{
    nci_event done = {.kind = NCI_EVENT_PUT_DONE,
                      .worker = NCI_NO_WORKER,
                      .task = action->task,
                      .attempt = action->attempt};
    nci_sched_handle(r->sched, &done, &r->actions, NULL);
}

void nci_run_note_put(nci_plan_run *r, int64_t task)
{
    if (r->put && task >= 0 && task < r->ntasks)
        r->put[task >> 6] |= UINT64_C(1) << (task & 63);
}

static void hand_put(nci_plan_run *r, const nci_action *action)
{
    if (was_put(r, action->task)) {
        put_again(r, action);
        return;
    }
    if (nci_kept_put(r, action))
        return;
    const nci_roll *roll = nci_scheduler_roll(r->scheduler, action->from);
    nci_put_message put = {.task = action->task,
                           .attempt = action->attempt,
                           .bytes = action->bytes,
                           .space = r->space};
    nci_pack pack = {0};
    if (!roll || !r->client)
        return; /* it has left: the machine will know in a moment */
    memcpy(put.addresses, roll->who.addresses, sizeof put.addresses);
    nci_put_pack(&pack, &put);
    nci_dialogue_send(r->scheduler->net, r->client, NCI_WIRE_PUT, r->request,
                      &pack, NULL);
}

static void order_one(nci_plan_run *r, const nci_action *action)
{
    nci_share *share = nci_run_share(r, action->worker);
    for (size_t i = 0; action->worker == NCI_NO_WORKER && i < r->nshares; i++)
        if (r->shares[i].has_joined)
            share = &r->shares[i]; /* anybody may do it */
    r->has_saved |= action->kind == NCI_ACTION_CHECKPOINT;
    if (share && share->has_joined)
        nci_batch_order(&share->orders, action);
}

static void order_all(nci_plan_run *r, const nci_action *action)
{
    for (size_t i = 0; i < r->nshares; i++)
        if (r->shares[i].has_joined)
            nci_batch_order(&r->shares[i].orders, action);
}

/* It is told so once nobody else needs it, behind all orders of this run. */
static void may_leave(nci_plan_run *r, const nci_action *action)
{
    nci_share *share = nci_run_share(r, action->worker);
    if (share)
        share->has_no_tasks = true;
}

/* True when the run is over. */
static bool act(nci_plan_run *r, const nci_action *action)
{
    ncg_error error;
    switch (action->kind) {
    case NCI_ACTION_PUT:
        hand_put(r, action);
        return false;
    case NCI_ACTION_DONE:
        order_all(r, action);
        return true;
    case NCI_ACTION_FAILED:
        order_all(r, action);
        nci_fail(&error, action->status, "%s",
                 ncg_status_text(action->status));
        if (!r->is_waiting)
            nci_run_fail(r, &error);
        return true;
    case NCI_ACTION_LEAVE:
        may_leave(r, action);
        return false;
    default:
        order_one(r, action);
        return false;
    }
}

static void send_orders(nci_plan_run *r)
{
    nci_scheduler *s = r->scheduler;
    for (size_t i = 0; i < r->nshares; i++) {
        nci_share *share = &r->shares[i];
        nci_roll *roll = nci_scheduler_roll(s, share->worker);
        if (!roll)
            continue;
        if (nci_batch_send(&share->orders, s->net, roll->conn,
                             NCI_WIRE_ORDERS, r->id, NULL) == NCG_ENOMEM)
            nci_net_close(s->net, roll->conn);
        if (share->has_no_tasks)
            nci_scheduler_try_leave(s, roll);
    }
}

void nci_run_apply(nci_plan_run *r)
{
    bool is_over = false;
    for (size_t i = 0; i < r->actions.count; i++)
        is_over |= act(r, &r->actions.items[i]);
    r->actions.count = 0;
    send_orders(r);
    if (is_over)
        nci_run_end(r);
}

void nci_run_event(nci_plan_run *r, nci_event *event)
{
    if (r->state != NCI_RUN_RUNNING)
        return;
    event->now = nanoseconds();
    nci_sched_handle(r->sched, event, &r->actions, NULL);
    nci_run_apply(r);
}

ncg_status nci_run_records(nci_plan_run *r, const nci_message *message,
                           bool is_client, uint32_t worker, ncg_error *err)
{
    const uint8_t *records = message->head;
    int64_t now = nanoseconds();
    ncg_status st = NCG_OK;
    if (r->state != NCI_RUN_RUNNING && !(is_client && r->put))
        return NCG_OK;
    for (size_t at = 0; !st && at + NCI_RECORD_SIZE <= message->nhead;
         at += NCI_RECORD_SIZE) {
        nci_event event;
        st = nci_event_decode(records + at, is_client, &event, err);
        if (!st && (event.task < 0 || event.task >= r->ntasks))
            st = nci_fail(err, NCG_ENET, "task %lld is unknown",
                          (long long)event.task);
        if (st)
            break;
        if (is_client && event.kind == NCI_EVENT_PUT_DONE)
            nci_run_note_put(r, event.task);
        if (r->state != NCI_RUN_RUNNING)
            continue;
        event.worker = is_client ? NCI_NO_WORKER : worker;
        event.now = now;
        if (event.kind == NCI_EVENT_TASK_DONE && event.fills)
            nci_fills_tell(&r->fills, r->hosted.plan, event.task, event.fills);
        nci_sched_handle(r->sched, &event, &r->actions, NULL);
    }
    if (r->state == NCI_RUN_RUNNING)
        nci_run_apply(r);
    return st;
}

/* ---- workers ------------------------------------------------------------- */

nci_share *nci_run_share(const nci_plan_run *r, uint32_t worker)
{
    for (size_t i = 0; i < r->nshares; i++)
        if (r->shares[i].worker == worker)
            return &r->shares[i];
    return NULL;
}

bool nci_run_has(const nci_plan_run *r, uint32_t worker)
{
    const nci_share *share = nci_run_share(r, worker);
    return share && share->has_joined;
}

nci_share *nci_run_add_share(nci_plan_run *r, uint32_t worker)
{
    nci_share *share = nci_run_share(r, worker);
    if (share)
        return share;
    if (!nci_grow(&r->shares, &r->shares_capacity, r->nshares + 1,
                  sizeof *r->shares))
        return NULL;
    share = &r->shares[r->nshares++];
    *share = (nci_share){.worker = worker};
    return share;
}

void nci_run_drop_share(nci_plan_run *r, uint32_t worker)
{
    nci_share *share = nci_run_share(r, worker);
    if (!share)
        return;
    nci_batch_fini(&share->orders);
    *share = r->shares[--r->nshares];
}

void nci_run_send_plan(nci_plan_run *r, const nci_roll *roll)
{
    nci_message message = {
        .type = NCI_WIRE_PLAN, .request = r->id, .body = r->body};
    nci_net_send(r->scheduler->net, roll->conn, &message, NULL);
}

void nci_run_announce(nci_plan_run *r, nci_roll *roll)
{
    ncg_error err;
    nci_share *share = nci_run_share(r, roll->number);
    nci_event joined = {.kind = NCI_EVENT_WORKER_JOINED,
                        .worker = roll->number,
                        .threads = roll->who.threads,
                        .limit = share ? share->limit : 0,
                        .bandwidth = roll->who.bandwidth,
                        .end = roll->end,
                        .can_checkpoint = *r->scheduler->checkpoint != '\0',
                        .now = nanoseconds()};
    if (r->state != NCI_RUN_RUNNING || !share || !share->is_open ||
        share->has_joined || roll->is_leaving)
        return;
    if (nci_sched_handle(r->sched, &joined, &r->actions, &err)) {
        nci_error_wrap(&err, "worker %s", roll->who.name);
        nci_scheduler_note(r->scheduler, "%s", err.message);
        nci_run_failed(r, roll, -1, &err);
        return;
    }
    share->has_joined = true;
    nci_run_apply(r);
}

static bool is_unfit(const nci_plan_run *r, uint32_t worker)
{
    const nci_share *share = nci_run_share(r, worker);
    return share && share->is_unfit;
}

/* Nobody who is here can take the run up: it fails for the first reason. */
void nci_run_check(nci_plan_run *r)
{
    const nci_scheduler *s = r->scheduler;
    bool is_hopeless = r->unfit.status && s->nrolls > 0;
    for (size_t i = 0; i < s->nrolls; i++)
        is_hopeless = is_hopeless && is_unfit(r, s->rolls[i].number);
    if (!is_hopeless || r->state != NCI_RUN_RUNNING)
        return;
    nci_run_fail(r, &r->unfit);
    nci_run_end(r);
}

void nci_run_failed(nci_plan_run *r, nci_roll *roll, int64_t task,
                    const ncg_error *error)
{
    bool is_lost = error->status == NCG_ENET || error->status == NCG_ENOTFOUND;
    if (task >= 0 && !r->has_error && is_lost &&
        nci_kept_is_waited_for(r, task))
        r->is_waiting = true;
    if (task >= 0 && r->is_waiting)
        return;
    if (task >= 0) {
        if (!r->has_error)
            r->failed = task;
        nci_run_fail(r, error);
        return; /* the record follows */
    }
    nci_share *share = nci_run_add_share(r, roll->number);
    if (share)
        share->is_unfit = true;
    nci_scheduler_note(r->scheduler, "worker %s: %s", roll->who.name,
                       error->message);
    if (!r->unfit.status)
        r->unfit = *error;
    nci_run_check(r);
}

void nci_run_cancel(nci_plan_run *r)
{
    nci_event cancel = {.kind = NCI_EVENT_CANCEL};
    ncg_error error;
    nci_fail(&error, NCG_ECANCELED, "canceled");
    r->is_canceled = true;
    nci_run_fail(r, &error);
    if (r->state == NCI_RUN_RUNNING)
        nci_run_event(r, &cancel);
    else if (r->state == NCI_RUN_QUEUED)
        nci_run_end(r);
}

const char *nci_run_waits_for(const nci_plan_run *r)
{
    if (r->state == NCI_RUN_QUEUED)
        return "other computations";
    if (r->state != NCI_RUN_RUNNING)
        return NULL;
    for (size_t i = 0; i < r->nshares; i++)
        if (r->shares[i].has_joined)
            return nci_sched_waits_for(r->sched);
    return r->scheduler->nrolls ? "workers to open it and to have memory"
                                : nci_sched_waits_for(r->sched);
}

void nci_run_news(nci_plan_run *r)
{
    nci_progress_message p = {0};
    nci_sched_stats stats = {0};
    nci_pack pack = {0};
    const char *waits = nci_run_waits_for(r);
    if (!r->client)
        return;
    if (r->state == NCI_RUN_RUNNING)
        nci_sched_get_stats(r->sched, &stats);
    p.done = stats.finished;
    p.managed = stats.managed;
    p.workers = (int64_t)r->scheduler->nrolls;
    p.reads = r->reads;
    snprintf(p.waits_for, sizeof p.waits_for, "%s", waits ? waits : "");
    nci_progress_pack(&pack, &p);
    nci_dialogue_send(r->scheduler->net, r->client, NCI_WIRE_PROGRESS,
                      r->request, &pack, NULL);
}
