/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run on the scheduler: its plan is opened here and on every worker at the
 * same time, its machine is asked what to do, the actions go out as records.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/scheduler_internal.h"
#include "graph/codec_output.h"

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- the end ------------------------------------------------------------- */

void nci_run_free(nci_plan_run *r)
{
    nci_sched_free(&r->sched);
    nci_sched_choice_fini(&r->choice);
    nci_free(r->actions.items);
    if (r->hosted.plan)
        r->scheduler->host->close(r->scheduler->host->ctx, &r->hosted);
    nci_free(r->message.forms);
    nci_buf_release(&r->body);
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
    nci_finished_pack(&pack, &f);
    nci_dialogue_send(r->scheduler->net, r->client, NCI_WIRE_FINISHED,
                      r->request, &pack, NULL);
}

/* The run is over: client and workers are told, the next one begins. */
static void end_run(nci_plan_run *r)
{
    nci_scheduler *s = r->scheduler;
    nci_plan_run **at = &s->runs;
    nci_message forget = {.type = NCI_WIRE_FORGET, .request = r->id};
    r->state = NCI_RUN_OVER;
    if (r->client)
        tell_client(r);
    nci_scheduler_account(s, r);
    for (size_t i = 0; i < s->nrolls; i++) {
        nci_roll *roll = &s->rolls[i];
        roll->is_unfit = false;
        nci_net_send(s->net, roll->conn, &forget, NULL);
        roll->joined = roll->joined == r->id ? 0 : roll->joined;
        roll->has_no_tasks = roll->is_leaving;
        nci_scheduler_try_leave(s, roll);
    }
    while (*at && *at != r)
        at = &(*at)->next;
    if (*at)
        *at = r->next;
    nci_run_free(r);
    nci_run_next(s);
}

static void fail_run(nci_plan_run *r, const ncg_error *error)
{
    if (!r->has_error) {
        r->error = *error;
        r->has_error = true;
    }
}

/* ---- actions ------------------------------------------------------------- */

static void hand_put(nci_plan_run *r, const nci_action *action)
{
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
    nci_scheduler *s = r->scheduler;
    nci_roll *roll = nci_scheduler_roll(s, action->worker);
    for (size_t i = 0; action->worker == NCI_NO_WORKER && i < s->nrolls; i++)
        if (s->rolls[i].joined == r->id)
            roll = &s->rolls[i]; /* anybody may do it */
    if (roll && roll->joined == r->id)
        nci_batch_order(&roll->orders, action);
}

static void order_all(nci_plan_run *r, const nci_action *action)
{
    nci_scheduler *s = r->scheduler;
    for (size_t i = 0; i < s->nrolls; i++)
        if (s->rolls[i].joined == r->id)
            nci_batch_order(&s->rolls[i].orders, action);
}

/* The order goes out once nothing else is needed there, behind all orders of
 * this run. */
static void may_leave(nci_plan_run *r, const nci_action *action)
{
    nci_roll *roll = nci_scheduler_roll(r->scheduler, action->worker);
    if (!roll || roll->joined != r->id)
        return;
    roll->has_no_tasks = true;
    nci_scheduler_try_leave(r->scheduler, roll);
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
        fail_run(r, &error);
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
    for (size_t i = 0; i < s->nrolls; i++) {
        nci_roll *roll = &s->rolls[i];
        if (nci_batch_send(&roll->orders, s->net, roll->conn,
                             NCI_WIRE_ORDERS, r->id, NULL) == NCG_ENOMEM)
            nci_net_close(s->net, roll->conn);
    }
}

/* Carries out what the machine said; may end the run. */
static void apply(nci_plan_run *r)
{
    bool is_over = false;
    for (size_t i = 0; i < r->actions.count; i++)
        is_over |= act(r, &r->actions.items[i]);
    r->actions.count = 0;
    send_orders(r);
    if (is_over)
        end_run(r);
}

void nci_run_event(nci_plan_run *r, nci_event *event)
{
    if (r->state != NCI_RUN_RUNNING)
        return;
    event->now = nanoseconds();
    nci_sched_handle(r->sched, event, &r->actions, NULL);
    apply(r);
}

ncg_status nci_run_records(nci_plan_run *r, const nci_message *message,
                           bool is_client, uint32_t worker, ncg_error *err)
{
    const uint8_t *records = message->head;
    int64_t now = nanoseconds();
    ncg_status st = NCG_OK;
    if (r->state != NCI_RUN_RUNNING)
        return NCG_OK;
    for (size_t at = 0; !st && at + NCI_RECORD_SIZE <= message->nhead;
         at += NCI_RECORD_SIZE) {
        nci_event event;
        st = nci_event_decode(records + at, is_client, &event, err);
        if (!st && (event.task < 0 || event.task >= r->hosted.plan->ntasks))
            st = nci_fail(err, NCG_ENET, "task %lld is unknown",
                          (long long)event.task);
        if (st)
            break;
        event.worker = is_client ? NCI_NO_WORKER : worker;
        event.now = now;
        nci_sched_handle(r->sched, &event, &r->actions, NULL);
    }
    apply(r);
    return st;
}

/* ---- workers ------------------------------------------------------------- */

void nci_run_send_plan(nci_plan_run *r, const nci_roll *roll)
{
    nci_message message = {
        .type = NCI_WIRE_PLAN, .request = r->id, .body = r->body};
    nci_net_send(r->scheduler->net, roll->conn, &message, NULL);
}

void nci_run_announce(nci_plan_run *r, nci_roll *roll)
{
    ncg_error err;
    nci_event joined = {.kind = NCI_EVENT_WORKER_JOINED,
                        .worker = roll->number,
                        .threads = roll->who.threads,
                        .limit = roll->who.limit,
                        .bandwidth = roll->who.bandwidth,
                        .end = roll->end,
                        .now = nanoseconds()};
    if (r->state != NCI_RUN_RUNNING || roll->open != r->id ||
        roll->joined == r->id || roll->is_leaving)
        return;
    if (nci_sched_handle(r->sched, &joined, &r->actions, &err)) {
        roll->is_unfit = true;
        nci_error_wrap(&err, "worker %s", roll->who.name);
        nci_scheduler_note(r->scheduler, "%s", err.message);
        nci_run_failed(r, roll, -1, &err);
        return;
    }
    roll->joined = r->id;
    apply(r);
}

/* Nobody who is here can take the run up: it fails for the first reason. */
void nci_run_check(nci_plan_run *r)
{
    const nci_scheduler *s = r->scheduler;
    bool is_hopeless = r->unfit.status && s->nrolls > 0;
    for (size_t i = 0; i < s->nrolls; i++)
        is_hopeless = is_hopeless && s->rolls[i].is_unfit;
    if (!is_hopeless || r->state != NCI_RUN_RUNNING)
        return;
    fail_run(r, &r->unfit);
    end_run(r);
}

void nci_run_failed(nci_plan_run *r, nci_roll *roll, int64_t task,
                    const ncg_error *error)
{
    if (task >= 0) {
        if (!r->has_error)
            r->failed = task;
        fail_run(r, error);
        return; /* the record follows */
    }
    roll->is_unfit = true;
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
    fail_run(r, &error);
    if (r->state == NCI_RUN_RUNNING)
        nci_run_event(r, &cancel);
    else if (r->state == NCI_RUN_QUEUED)
        end_run(r);
}

void nci_run_news(nci_plan_run *r)
{
    nci_progress_message p = {0};
    nci_sched_stats stats = {0};
    nci_pack pack = {0};
    const char *waits = NULL;
    if (!r->client)
        return;
    if (r->state == NCI_RUN_RUNNING) {
        nci_sched_get_stats(r->sched, &stats);
        waits = nci_sched_waits_for(r->sched);
    } else if (r->state == NCI_RUN_QUEUED) {
        waits = "other computations";
    }
    p.done = stats.finished;
    p.managed = stats.managed;
    p.workers = (int64_t)r->scheduler->nrolls;
    p.reads = r->reads;
    snprintf(p.waits_for, sizeof p.waits_for, "%s", waits ? waits : "");
    nci_progress_pack(&pack, &p);
    nci_dialogue_send(r->scheduler->net, r->client, NCI_WIRE_PROGRESS,
                      r->request, &pack, NULL);
}

/* ---- beginning ----------------------------------------------------------- */

static ncg_status open_plan(nci_plan_run *r, ncg_error *err)
{
    const nci_plan_host *host = r->scheduler->host;
    nci_unpack in = {.data = nci_buf_data(r->body),
                     .size = nci_buf_size(r->body)};
    NCI_TRY(nci_plan_message_unpack(&in, &r->message, err));
    NCI_TRY(host->open(host->ctx, r->message.bytes, r->message.nbytes,
                       &r->hosted, err));
    if (!nci_token_equal(nci_plan_hash(r->hosted.plan), r->message.hash))
        return nci_fail(err, NCG_EMISMATCH,
                        "the scheduler comes to another plan than the client: "
                        "are both the same version of ncgraph?");
    r->space = nci_run_space(r->message.hash, r->id);
    return NCG_OK;
}

static ncg_status make_machine(nci_plan_run *r, ncg_error *err)
{
    nci_sched_costs costs = {&r->costs, nci_costs_scratch, nci_costs_threads};
    nci_cluster_options how = NCI_CLUSTER_OPTIONS_INIT;
    r->costs = (nci_costs){r->hosted.plan, r->hosted.sources,
                           r->scheduler->host->kernels, r->message.nforms > 0,
                           r->message.retries};
    NCI_TRY(nci_sched_choose(r->hosted.plan, &costs, &r->choice, err));
    NCI_TRY(nci_sched_floor(r->hosted.plan, &costs, &how.floor, err));
    NCI_TRY(nci_sched_create(r->hosted.plan, &costs, &r->choice, &r->sched,
                             err));
    how.can_checkpoint = r->scheduler->options.can_checkpoint;
    return nci_sched_open_cluster(r->sched, &how, err);
}

static void open_errand(void *ctx)
{
    nci_plan_run *r = ctx;
    nci_scheduler *s = r->scheduler;
    ncg_error err;
    nci_error_clear(&err);
    ncg_status st = open_plan(r, &err);
    if (!st)
        st = make_machine(r, &err);
    pthread_mutex_lock(&s->lock);
    if (st) {
        err.status = st;
        fail_run(r, &err);
    }
    r->state = NCI_RUN_RUNNING;
    if (st || r->is_canceled || s->is_ending) {
        r->state = NCI_RUN_QUEUED;
        end_run(r);
    } else {
        for (size_t i = 0; s->runs == r && i < s->nrolls; i++)
            nci_run_announce(r, &s->rolls[i]);
        if (s->runs == r)
            nci_run_check(r);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void nci_run_next(nci_scheduler *s)
{
    nci_plan_run *r = s->runs;
    ncg_error err;
    if (!r || r->state != NCI_RUN_QUEUED || s->is_ending)
        return;
    r->state = NCI_RUN_OPENING;
    for (size_t i = 0; i < s->nrolls; i++)
        nci_run_send_plan(r, &s->rolls[i]);
    if (!nci_errands_add(s->plans, open_errand, r, &err))
        return;
    fail_run(r, &err);
    end_run(r);
}

void nci_run_submit(nci_scheduler *s, nci_conn_id client,
                    const nci_message *message)
{
    ncg_error err;
    nci_pack pack = {0};
    nci_plan_run *r = nci_calloc(1, sizeof *r);
    nci_plan_run **last = &s->runs;
    if (!r) {
        nci_fail(&err, NCG_ENOMEM, "the scheduler is out of memory");
        nci_net_send_error(s->net, client, message->request, &err, NULL);
        return;
    }
    *r = (nci_plan_run){.scheduler = s,
                        .id = ++s->runs_made,
                        .client = client,
                        .request = message->request,
                        .body = nci_buf_retain(message->body),
                        .failed = -1};
    while (*last)
        last = &(*last)->next;
    *last = r;
    nci_pack_i64(&pack, r->id);
    nci_dialogue_send(s->net, client, NCI_WIRE_SUBMITTED, r->request, &pack,
                      NULL);
    nci_run_next(s);
}
