/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's runs. The calling thread of a run puts the chunks; the net's
 * threads bring them. Puts are in the order of the scheduler's PUT messages:
 * where a chunk cannot be fetched, it and all behind it are given back, and
 * come again in the same order once it has been made anew.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/future_internal.h"
#include "engine/executor_internal.h"
#include "engine/fills.h"
#include "engine/net/exchange.h"
#include "graph/codec_output.h"

enum { PATIENCE = 2 /* s */, CANCEL_SECONDS = 20 };

typedef nci_arrival arrival;

/* ---- chunks -------------------------------------------------------------- */

static void say_locked(nci_client *c, nci_event_kind kind, int64_t task,
                       uint32_t attempt, ncg_status status)
{
    nci_batch one = {0};
    nci_event event = {
        .kind = kind, .task = task, .attempt = attempt, .status = status};
    nci_batch_event(&one, &event);
    nci_batch_send(&one, c->net, c->conn, NCI_WIRE_PUT_DONE, c->run, NULL);
    nci_batch_fini(&one);
}

static void arrival_free(arrival *a)
{
    nci_buf_release(&a->chunk);
    nci_free(a);
}

static arrival *shift_locked(nci_client *c)
{
    arrival *a = c->first;
    c->first = a->next;
    if (!c->first)
        c->last = &c->first;
    return a;
}

/* Gives the first one that is lost back, with all behind it. */
static void give_back_locked(nci_client *c)
{
    arrival **at = &c->first;
    while (*at && !(*at)->is_lost)
        at = &(*at)->next;
    arrival *rest = *at;
    *at = NULL;
    c->last = at;
    if (rest)
        c->lost = rest->task;
    while (rest) {
        arrival *next = rest->next;
        say_locked(c, NCI_EVENT_PUT_LOST, rest->task, rest->attempt, NCG_OK);
        arrival_free(rest);
        rest = next;
    }
}

/* What a fetch is about: its arrival may be gone when it ends. */
typedef struct fetching {
    nci_client *client;
    uint32_t run;
    int64_t task;
    uint32_t attempt;
} fetching;

static void fetched(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    fetching f = *(fetching *)ctx;
    nci_client *c = f.client;
    (void)why;
    nci_free(ctx);
    pthread_mutex_lock(&c->lock);
    c->fetches--;
    arrival *a = c->first;
    while (a && (a->task != f.task || a->attempt != f.attempt))
        a = a->next;
    if (a && f.run == c->run) {
        a->chunk = nci_buf_retain(chunk);
        a->is_lost = !chunk;
        if (a->is_lost)
            give_back_locked(c);
    }
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static ncg_status fetch_locked(nci_client *c, const nci_put_message *put,
                               ncg_error *err)
{
    nci_fetch_spec spec = {.addresses = put->addresses,
                           .role = NCI_PEER_CLIENT,
                           .key = {put->space, put->task},
                           .nbytes = put->bytes};
    arrival *a = nci_calloc(1, sizeof *a);
    fetching *f = nci_calloc(1, sizeof *f);
    ncg_status st =
        a && f ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st) {
        *a = (arrival){.task = put->task, .attempt = put->attempt};
        *f = (fetching){c, c->run, put->task, put->attempt};
        st = nci_fetch(c->net, &spec, fetched, f, NULL, err);
    }
    if (st) {
        nci_free(a);
        nci_free(f);
        return st;
    }
    c->fetches++;
    *c->last = a;
    c->last = &a->next;
    return NCG_OK;
}

void nci_client_take_put_locked(nci_client *c, const nci_message *message)
{
    nci_unpack in = nci_dialogue_open(message);
    nci_put_message put;
    ncg_error err;
    if (nci_put_unpack(&in, &put, &err) || put.task >= c->ntasks) {
        nci_net_close(c->net, c->conn);
        return;
    }
    bool is_due = c->lost < 0 || c->lost == put.task;
    if (is_due && !fetch_locked(c, &put, &err)) {
        c->lost = -1;
        return;
    }
    if (is_due)
        c->lost = put.task;
    say_locked(c, NCI_EVENT_PUT_LOST, put.task, put.attempt, NCG_OK);
}

/* ---- a run --------------------------------------------------------------- */

typedef struct putting {
    nci_client *client;
    const nci_client_job *job;
    const nci_sink *sink;
    ncg_status status; /* of the first put that failed */
    ncg_error error;
    int64_t failed;
} putting;

static ncg_status send_plan_locked(nci_client *c, const nci_client_job *job,
                                   int retries, uint32_t *request,
                                   ncg_error *err)
{
    static _Atomic uint32_t requests;
    nci_plan_message message = {.hash = nci_plan_hash(job->plan),
                                .retries = retries,
                                .forms = (nci_encoding *)job->forms,
                                .nforms = job->forms ? job->plan->noutputs : 0,
                                .keeps = (nci_token *)job->keeps,
                                .nkeeps = job->keeps ? job->plan->noutputs : 0,
                                .needs = (nci_token *)job->needs,
                                .nneeds = job->keeps ? (int)job->nneeds : 0,
                                .bytes = job->bytes,
                                .nbytes = job->nbytes};
    nci_pack pack = {0};
    if (c->is_closed)
        return nci_fail(err, NCG_ENET, "the cluster is gone");
    do
        *request = atomic_fetch_add(&requests, 1) + 1;
    while (!*request);
    nci_plan_message_pack(&pack, &message);
    return nci_dialogue_send(c->net, c->conn, NCI_WIRE_PLAN, *request, &pack,
                             err);
}

static ncg_status submit_locked(nci_client *c, const nci_client_job *job,
                                const nci_sink *sink, ncg_error *err)
{
    c->is_over = false;
    c->lost = -1;
    c->ntasks = job->plan->ntasks;
    nci_finished_message_fini(&c->end);
    c->end = (nci_finished_message){.failed = -1};
    c->news = (nci_progress_message){0};
    return send_plan_locked(c, job, sink->retries, &c->run, err);
}

ncg_status nci_client_begin(nci_client *c, const nci_client_job *job,
                            int retries, ncg_error *err)
{
    uint32_t request;
    pthread_mutex_lock(&c->lock);
    ncg_status st = send_plan_locked(c, job, retries, &request, err);
    pthread_mutex_unlock(&c->lock);
    return st;
}

/* Values of tasks come as bytes; the sink wants them one by one. */
static ncg_status take_values(const nci_layer *layer, int64_t task,
                              nci_buf **chunk, ncg_error *err)
{
    nci_buf *values = NULL;
    const int64_t *edge = layer->grid.axis[0].edge + (task - layer->base);
    if (!layer->store.list.of_tasks)
        return NCG_OK;
    ncg_status st = nci_values_unpack(*chunk, edge[1] - edge[0], &values, err);
    nci_buf_release(chunk);
    *chunk = values;
    return st;
}

/* One chunk into the sink; no lock held. Takes it. */
static ncg_status put(const putting *p, int64_t task, nci_buf *chunk,
                      ncg_error *err)
{
    const nci_sink *sink = p->sink;
    const nci_layer *layer = nci_plan_layer(p->job->plan, task);
    int64_t index[NCG_MAX_RANK] = {0};
    nci_buf *encoded = NULL;
    if (layer->kind != NCI_LAYER_STORE) {
        nci_buf_release(&chunk);
        return nci_fail(err, NCG_ENET, "task %lld stores nothing",
                        (long long)task);
    }
    nci_box box = nci_grid_box(&layer->grid, task - layer->base);
    nci_grid_index(&layer->grid, task - layer->base, index);
    NCI_TRY(take_values(layer, task, &chunk, err));
    ncg_status st = NCG_OK;
    if (sink->encode && !p->job->forms)
        st = sink->encode(sink->ctx, layer->store.output, index, box.count,
                          chunk, &encoded, err);
    else
        encoded = chunk;
    if (st)
        nci_buf_release(&chunk);
    else
        st = sink->put(sink->ctx, layer->store.output, index, encoded, err);
    nci_buf_release(&encoded);
    return st;
}

static void put_first_locked(putting *p)
{
    nci_client *c = p->client;
    arrival *a = shift_locked(c);
    ncg_error err;
    pthread_mutex_unlock(&c->lock);
    nci_error_clear(&err);
    ncg_status st = put(p, a->task, a->chunk, &err);
    a->chunk = NULL;
    pthread_mutex_lock(&c->lock);
    if (st && !p->status) {
        p->status = st;
        p->error = err;
        p->error.status = st;
        p->failed = a->task;
    }
    say_locked(c, st ? NCI_EVENT_TASK_FAILED : NCI_EVENT_PUT_DONE, a->task,
               a->attempt, st);
    arrival_free(a);
}

/* Who watches a run. */
typedef struct watching {
    const _Atomic bool *cancel;
    void (*progress)(void *ctx, int64_t tasks_done, int64_t managed);
    void *ctx;
    bool has_canceled;
    double canceled; /* when */
    double told;
    nci_io_stats reads; /* told */
    char waits_for[64]; /* as it was said */
    char waiting[64];   /* since so long: */
    double since;
} watching;

/* Says once what a run waits for that stands still for some time. */
static void note_waiting(nci_client *c, watching *w,
                         const nci_progress_message *news)
{
    char sentence[128];
    if (strcmp(w->waiting, news->waits_for)) {
        memcpy(w->waiting, news->waits_for, sizeof w->waiting);
        w->since = w->told;
    }
    if (!strcmp(w->waits_for, news->waits_for) ||
        (*news->waits_for && w->told - w->since < PATIENCE))
        return;
    memcpy(w->waits_for, news->waits_for, sizeof w->waits_for);
    if (!*w->waits_for || !c->options.note)
        return;
    snprintf(sentence, sizeof sentence, "the cluster waits for %s",
             w->waits_for);
    c->options.note(c->options.note_ctx, sentence);
}

static void tell_reads(const putting *p, watching *w, const nci_io_stats *now)
{
    nci_io_stats more = nci_reads_since(now, &w->reads);
    if (more.bytes_disk < 0)
        return; /* a computation that was refused at its end */
    w->reads = *now;
    if (p->job->reads)
        p->job->reads(p->job->reads_ctx, &more);
}

static void look_around_locked(const putting *p, watching *w)
{
    nci_client *c = p->client;
    nci_message cancel = {.type = NCI_WIRE_CANCEL, .request = c->run};
    nci_progress_message news = c->news;
    if (!w->has_canceled && w->cancel && atomic_load(w->cancel)) {
        w->has_canceled = true;
        w->canceled = nci_futures_now();
        nci_net_send(c->net, c->conn, &cancel, NULL);
    }
    if (nci_futures_now() - w->told < 0.1)
        return;
    w->told = nci_futures_now();
    pthread_mutex_unlock(&c->lock);
    note_waiting(c, w, &news);
    tell_reads(p, w, &news.reads);
    if (w->progress)
        w->progress(w->ctx, news.done, news.managed);
    pthread_mutex_lock(&c->lock);
}

static void work_locked(putting *p, watching *w)
{
    nci_client *c = p->client;
    while (!c->is_over && !c->is_closed) {
        look_around_locked(p, w);
        if (w->has_canceled && nci_futures_now() - w->canceled > CANCEL_SECONDS)
            break; /* nobody answers */
        if (c->first && c->first->chunk && !p->status)
            put_first_locked(p);
        else if (!c->is_over && !c->is_closed)
            nci_client_wait_locked(c);
    }
}

/* What is still coming is of no use any more. */
static void drop_locked(nci_client *c)
{
    c->run = 0;
    while (c->first)
        arrival_free(shift_locked(c));
}

static ncg_status outcome(const putting *p, bool is_canceled, ncg_error *err)
{
    const nci_client *c = p->client;
    ncg_error first = c->end.error;
    if (p->status)
        first = p->error;
    else if (!c->is_over && is_canceled)
        nci_fail(&first, NCG_ECANCELED, "canceled");
    else if (!c->is_over)
        return nci_fail(err, NCG_ENET,
                        "the scheduler is gone (%s), and with it this "
                        "computation: connect and compute again once the "
                        "cluster stands",
                        c->why.status ? c->why.message : "it ended");
    if (first.status && err)
        *err = first;
    return first.status;
}

ncg_status
nci_client_run(nci_client *c, const nci_client_job *job, const nci_sink *sink,
               const _Atomic bool *cancel,
               void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
               void *progress_ctx, nci_run_stats *stats, ncg_error *err)
{
    putting p = {.client = c, .job = job, .sink = sink, .failed = -1};
    watching w = {.cancel = cancel, .progress = progress, .ctx = progress_ctx};
    double start = nci_futures_now();
    pthread_mutex_lock(&c->lock);
    ncg_status st = submit_locked(c, job, sink, err);
    if (!st) {
        work_locked(&p, &w);
        tell_reads(&p, &w, c->is_over ? &c->end.reads : &c->news.reads);
        st = outcome(&p, w.has_canceled, err);
    }
    if (stats)
        *stats = (nci_run_stats){.tasks = c->end.tasks,
                                 .peak = c->end.peak,
                                 .spilled = c->end.spilled,
                                 .fetched = c->end.fetched,
                                 .recomputed = c->end.recomputed,
                                 .moved = c->end.moved,
                                 .default_fills =
                                     st ? 0
                                        : nci_fills_given(job->plan,
                                                          job->sources,
                                                          c->end.fills,
                                                          c->end.nfills),
                                 .seconds = nci_futures_now() - start,
                                 .failed = p.status ? p.failed : c->end.failed};
    drop_locked(c);
    pthread_mutex_unlock(&c->lock);
    return st;
}
