/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler's life: workers that come and go, clients and what they ask.
 */
#include "engine/cluster/scheduler_kept.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/executor_internal.h"

enum { TICK_MS = 1000, NEWS_MS = 100 };

void nci_scheduler_note(const nci_scheduler *s, const char *format, ...)
{
    char text[600];
    va_list args;
    if (!s->options.note)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->options.note(s->options.note_ctx, text);
}

nci_roll *nci_scheduler_roll(nci_scheduler *s, uint32_t number)
{
    for (size_t i = 0; i < s->nrolls; i++)
        if (s->rolls[i].number == number)
            return &s->rolls[i];
    return NULL;
}

void nci_scheduler_tell(nci_scheduler *s, uint32_t worker,
                        const nci_service *service)
{
    const nci_roll *roll = nci_scheduler_roll(s, worker);
    if (roll)
        nci_service_send(s->net, roll->conn, NCI_WIRE_ASK, service, NULL);
}

nci_plan_run *nci_scheduler_run(const nci_scheduler *s, uint32_t id)
{
    nci_plan_run *r = s->runs;
    while (r && r->id != id)
        r = r->next;
    return r;
}

nci_plan_run *nci_scheduler_run_after(const nci_scheduler *s, uint32_t id)
{
    nci_plan_run *found = NULL;
    for (nci_plan_run *r = s->runs; r; r = r->next)
        if (r->id > id && (!found || r->id < found->id))
            found = r;
    return found;
}

static nci_plan_run *run_of_client(nci_scheduler *s, nci_conn_id client,
                                   uint32_t request)
{
    nci_plan_run *r = s->runs;
    while (r && (r->client != client || r->request != request))
        r = r->next;
    return r;
}

/* ---- workers ------------------------------------------------------------- */

static void failed_there(nci_scheduler *s, nci_conn_id conn,
                         const nci_message *message)
{
    nci_unpack in = nci_dialogue_open(message);
    nci_plan_run *r = nci_scheduler_run(s, message->request);
    nci_roll *roll = nci_roll_of(s, conn);
    int64_t task;
    ncg_error error, err;
    if (!r || !roll)
        return;
    if (nci_failure_unpack(&in, &task, &error, &err))
        nci_net_close(s->net, conn);
    else
        nci_run_failed(r, roll, task, &error);
}

static ncg_status have_read(nci_scheduler *s, const nci_message *message,
                            nci_unpack *in, ncg_error *err)
{
    nci_plan_run *r = nci_scheduler_run(s, message->request);
    nci_io_stats more;
    NCI_TRY(nci_reads_unpack(in, &more, err));
    if (r)
        nci_reads_add(&r->reads, &more);
    return NCG_OK;
}

/* ---- clients ------------------------------------------------------------- */

static nci_plan_run *last_of_client(const nci_scheduler *s, nci_conn_id client)
{
    nci_plan_run *last = NULL;
    for (nci_plan_run *r = s->runs; r; r = r->next)
        if (r->client == client && (!last || r->id > last->id))
            last = r;
    return last;
}

/* Later runs may read what earlier ones make, and want it. */
static void client_is_gone(nci_scheduler *s, nci_conn_id conn)
{
    nci_plan_run *r;
    nci_calls_forget(s, conn);
    nci_kept_forget(s, conn);
    while ((r = last_of_client(s, conn))) {
        r->client = 0;
        if (!nci_kept_is_wanted(r))
            nci_run_cancel(r);
    }
}

static void stop_all(nci_scheduler *s)
{
    nci_message stop = {.type = NCI_WIRE_STOP};
    for (size_t i = 0; i < s->nrolls; i++)
        nci_net_send(s->net, s->rolls[i].conn, &stop, NULL);
}

/* ---- calls --------------------------------------------------------------- */

static ncg_status retire(nci_scheduler *s, const char *name, ncg_error *err)
{
    for (size_t i = 0; i < s->nrolls; i++)
        if (!strcmp(s->rolls[i].who.name, name)) {
            nci_roll_let_go(s, &s->rolls[i]);
            return NCG_OK;
        }
    return nci_fail(err, NCG_ENOTFOUND, "the cluster has no worker '%s'", name);
}

static ncg_status answer_call(nci_scheduler *s, nci_conn_id conn,
                              const nci_message *m, ncg_error *err)
{
    char word[NCI_WORD_SIZE], argument[NCI_WORD_SIZE];
    nci_unpack in = nci_dialogue_open(m);
    nci_text text = {0};
    nci_pack pack = {0};
    ncg_error said;
    NCI_TRY(nci_call_unpack(&in, word, argument, err));
    nci_error_clear(&said);
    if (!strcmp(word, "status"))
        nci_scheduler_describe(s, &text);
    else if (!strcmp(word, "retire"))
        retire(s, argument, &said);
    else if (!strcmp(word, "stop"))
        s->is_stopped = true;
    else
        nci_fail(&said, NCG_EINVAL, "the scheduler does not know '%s'", word);
    pthread_cond_broadcast(&s->changed);
    nci_answer_pack(&pack, &said, text.data ? text.data : "");
    nci_text_fini(&text);
    return nci_dialogue_send(s->net, conn, NCI_WIRE_CALL, m->request, &pack,
                             err);
}

/* ---- what the net tells -------------------------------------------------- */

static ncg_status take_locked(nci_scheduler *s, nci_conn_id conn,
                              const nci_message *m, ncg_error *err)
{
    nci_unpack in = nci_dialogue_open(m);
    nci_plan_run *mine = run_of_client(s, conn, m->request);
    nci_plan_run *run = nci_scheduler_run(s, m->request);
    nci_roll *roll = nci_roll_of(s, conn);
    switch (m->type) {
    case NCI_WIRE_JOIN:
        return m->request ? nci_roll_open(s, conn, m->request, &in, err)
                          : nci_roll_enrol(s, conn, &in, err);
    case NCI_WIRE_DONE:
        return run && roll && nci_run_has(run, roll->number)
                   ? nci_run_records(run, m, false, roll->number, err)
                   : NCG_OK;
    case NCI_WIRE_FAILED:
        failed_there(s, conn, m);
        return NCG_OK;
    case NCI_WIRE_READS:
        return roll ? have_read(s, m, &in, err) : NCG_OK;
    case NCI_WIRE_LEAVING:
        if (roll)
            nci_roll_let_go(s, roll);
        return NCG_OK;
    case NCI_WIRE_PLAN:
        nci_run_submit(s, conn, m);
        return NCG_OK;
    case NCI_WIRE_PUT_DONE:
        return mine ? nci_run_records(mine, m, true, 0, err) : NCG_OK;
    case NCI_WIRE_CANCEL:
        if (mine)
            nci_run_cancel(mine);
        return NCG_OK;
    case NCI_WIRE_CALL:
        return roll ? NCG_OK : answer_call(s, conn, m, err);
    case NCI_WIRE_ASK:
        return roll ? NCG_OK : nci_scheduler_ask(s, conn, m, err);
    case NCI_WIRE_TELL:
        return roll ? nci_scheduler_told(s, roll, m, err) : NCG_OK;
    default:
        return NCG_OK;
    }
}

static void on_message(void *ctx, nci_conn_id conn, const nci_message *message)
{
    nci_scheduler *s = ctx;
    ncg_error err;
    pthread_mutex_lock(&s->lock);
    ncg_status st = s->is_ending ? NCG_OK
                                 : take_locked(s, conn, message, &err);
    pthread_mutex_unlock(&s->lock);
    if (st) {
        nci_scheduler_note(s, "%s", err.message);
        nci_net_close(s->net, conn);
    }
}

static void on_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    (void)ctx;
    (void)conn;
    (void)peer;
}

static void on_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    nci_scheduler *s = ctx;
    (void)why;
    pthread_mutex_lock(&s->lock);
    nci_roll *roll = s->is_ending ? NULL : nci_roll_of(s, conn);
    if (roll)
        nci_roll_strike(s, roll);
    else if (!s->is_ending)
        client_is_gone(s, conn);
    pthread_mutex_unlock(&s->lock);
}

static void on_silence(void *ctx, nci_conn_id conn, nci_silence state)
{
    nci_scheduler *s = ctx;
    pthread_mutex_lock(&s->lock);
    nci_roll *roll = nci_roll_of(s, conn);
    if (roll)
        nci_roll_silence(s, roll, state);
    pthread_mutex_unlock(&s->lock);
    if (roll && state == NCI_SILENCE_DEAD)
        nci_net_close(s->net, conn);
}

static void on_note(void *ctx, const char *sentence)
{
    nci_scheduler_note(ctx, "%s", sentence);
}

static void on_tick(void *ctx)
{
    nci_scheduler *s = ctx;
    nci_event tick = {.kind = NCI_EVENT_TICK};
    pthread_mutex_lock(&s->lock);
    for (nci_plan_run *r = nci_scheduler_run_after(s, 0); r;) {
        uint32_t id = r->id;
        nci_run_event(r, &tick);
        r = nci_scheduler_run_after(s, id);
    }
    nci_kept_tick(s);
    nci_names_tick(s);
    pthread_mutex_unlock(&s->lock);
}

static void on_news(void *ctx)
{
    nci_scheduler *s = ctx;
    pthread_mutex_lock(&s->lock);
    for (nci_plan_run *r = s->runs; r; r = r->next)
        nci_run_news(r);
    nci_kept_arrivals(s);
    pthread_mutex_unlock(&s->lock);
}

/* ---- life ---------------------------------------------------------------- */

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static ncg_status start(nci_scheduler *s, ncg_error *err)
{
    const nci_scheduler_options *o = &s->options;
    NCI_TRY(nci_keys_derive(o->secret, o->cluster, &s->keys, err));
    nci_net_options net = {.name = "scheduler",
                           .keys = s->keys,
                           .epoch = o->epoch,
                           .wire = o->wire,
                           .hooks = {.ctx = s,
                                     .ready = on_ready,
                                     .message = on_message,
                                     .closed = on_closed,
                                     .silence = on_silence,
                                     .note = on_note}};
    NCI_TRY(nci_values_create(&s->values, err));
    NCI_TRY(nci_errands_create(&s->plans, err));
    NCI_TRY(nci_errands_create(&s->services, err));
    NCI_TRY(nci_net_create(&net, &s->net, err));
    NCI_TRY(nci_net_timer_start(s->net, TICK_MS, true, on_tick, s, &s->tick,
                                err));
    NCI_TRY(nci_net_timer_start(s->net, NEWS_MS, true, on_news, s, &s->news,
                                err));
    return nci_net_listen(s->net, o->interface, o->port, NCI_MAY_ALL,
                          s->address, err);
}

ncg_status nci_scheduler_create(const nci_scheduler_options *options,
                                const nci_plan_host *host, nci_scheduler **out,
                                ncg_error *err)
{
    nci_scheduler *s = nci_calloc(1, sizeof *s);
    if (!s)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    s->options = *options;
    s->host = host;
    s->began = nanoseconds();
    pthread_mutex_init(&s->lock, NULL);
    nci_cond_init(&s->changed);
    ncg_status st = start(s, err);
    if (st)
        nci_scheduler_destroy(&s);
    else
        *out = s;
    return st;
}

void nci_scheduler_destroy(nci_scheduler **slot)
{
    nci_scheduler *s = *slot;
    *slot = NULL;
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_ending = true;
    for (nci_plan_run *r = s->runs; r; r = r->next)
        nci_run_sweep(r);
    stop_all(s);
    pthread_mutex_unlock(&s->lock);
    nci_errands_end(s->plans);
    nci_errands_end(s->services);
    if (s->tick)
        nci_net_timer_stop(&s->tick);
    if (s->news)
        nci_net_timer_stop(&s->news);
    if (s->net)
        nci_net_destroy(&s->net);
    nci_errands_free(&s->plans);
    nci_errands_free(&s->services);
    while (s->runs) {
        nci_plan_run *next = s->runs->next;
        nci_run_free(s->runs);
        s->runs = next;
    }
    nci_free(s->rolls);
    nci_kept_free(s);
    nci_names_free(s);
    nci_doings_free(s);
    nci_calls_free(s);
    nci_keys_wipe(&s->keys);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    nci_free(s);
}

const char *nci_scheduler_addresses(const nci_scheduler *s)
{
    return s->address;
}

const char *nci_scheduler_tls(const nci_scheduler *s)
{
    return nci_net_tls(s->net);
}

bool nci_scheduler_is_stopped(nci_scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_stopped = s->is_stopped;
    pthread_mutex_unlock(&s->lock);
    return is_stopped;
}
