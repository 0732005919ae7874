/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's end. The calling thread of a run puts the chunks; the net's
 * threads bring them. Puts are in the order of the scheduler's PUT messages:
 * where a chunk cannot be fetched, it and all behind it are given back, and come
 * again in the same order once it has been made anew.
 */
#include "engine/cluster/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/cluster/client_internal.h"
#include "engine/executor_internal.h"
#include "engine/net/exchange.h"
#include "graph/codec_output.h"

enum { POLL_MS = 50, PATIENCE = 2 /* s */, CALL_SECONDS = 20 };

typedef nci_arrival arrival;

/* ---- chunks -------------------------------------------------------------- */

static void say_locked(nci_client *c, nci_event_kind kind, int64_t task,
                       uint32_t attempt, ncg_status status)
{
    nci_batch one = {0};
    nci_event event = {.kind = kind,
                       .task = task,
                       .attempt = attempt,
                       .status = status};
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
    ncg_status st = a && f ? NCG_OK
                           : nci_fail(err, NCG_ENOMEM, "out of memory");
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

static void take_put_locked(nci_client *c, const nci_message *message)
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

/* ---- what the net tells -------------------------------------------------- */

static void on_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    nci_client *c = ctx;
    (void)peer;
    pthread_mutex_lock(&c->lock);
    c->is_ready = c->is_ready || conn == c->conn;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void take_locked(nci_client *c, const nci_message *m)
{
    nci_unpack in = nci_dialogue_open(m);
    ncg_error err;
    ncg_status st = NCG_OK;
    if (m->type == NCI_WIRE_CALL) {
        st = nci_answer_unpack(&in, &c->said, &c->answer, &err);
        c->has_answer = !st;
    }
    if (m->type != NCI_WIRE_CALL && (!c->run || m->request != c->run))
        return; /* of a run that has ended here */
    if (m->type == NCI_WIRE_PUT) {
        take_put_locked(c, m);
    } else if (m->type == NCI_WIRE_PROGRESS) {
        st = nci_progress_unpack(&in, &c->news, &err);
    } else if (m->type == NCI_WIRE_FINISHED || m->type == NCI_WIRE_ERROR) {
        if (m->type == NCI_WIRE_FINISHED)
            st = nci_finished_unpack(&in, &c->end, &err);
        else
            nci_fail(&c->end.error, NCG_ENET,
                     "the scheduler refused the computation");
        c->is_over = true;
    }
    if (st)
        nci_net_close(c->net, c->conn);
    pthread_cond_broadcast(&c->changed);
}

static void on_message(void *ctx, nci_conn_id conn, const nci_message *message)
{
    nci_client *c = ctx;
    bool is_good = true;
    pthread_mutex_lock(&c->lock);
    bool is_mine = conn == c->conn;
    if (is_mine && message->type != NCI_WIRE_TELL)
        take_locked(c, message);
    pthread_mutex_unlock(&c->lock);
    if (is_mine && message->type == NCI_WIRE_TELL)
        is_good = nci_futures_told(c->futures, message);
    if (!is_good)
        nci_net_close(c->net, conn);
}

/* A scheduler that says nothing for so long is taken for dead. */
static void on_silence(void *ctx, nci_conn_id conn, nci_silence state)
{
    nci_client *c = ctx;
    if (state == NCI_SILENCE_DEAD)
        nci_net_close(c->net, conn);
}

static void on_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    nci_client *c = ctx;
    pthread_mutex_lock(&c->lock);
    if (conn == c->conn) {
        c->is_closed = true;
        c->why = *why;
        pthread_cond_broadcast(&c->changed);
    }
    bool was_mine = conn == c->conn && c->is_ready; /* else it is tried again */
    pthread_mutex_unlock(&c->lock);
    if (was_mine)
        nci_futures_fail(c->futures, why);
}

static void on_note(void *ctx, const char *sentence)
{
    nci_client *c = ctx;
    if (c->options.note)
        c->options.note(c->options.note_ctx, sentence);
}

/* ---- connecting ---------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void wait_locked(nci_client *c)
{
    struct timespec until;
    nci_deadline(&until, POLL_MS);
    pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

static ncg_status try_locked(nci_client *c, double until, ncg_error *err)
{
    c->is_ready = c->is_closed = false;
    NCI_TRY(nci_net_connect(c->net, c->options.addresses, NCI_PEER_CLIENT, 0,
                            &c->conn, err));
    while (!c->is_ready && !c->is_closed && seconds() < until)
        wait_locked(c);
    if (c->is_ready)
        return NCG_OK;
    if (c->is_closed && c->why.status) {
        *err = c->why;
        return err->status;
    }
    return nci_fail(err, NCG_ENET, "no answer from the scheduler at %.100s",
                    c->options.addresses);
}

static ncg_status connect_locked(nci_client *c, ncg_error *err)
{
    double until = seconds() + c->options.timeout;
    ncg_status st = try_locked(c, until, err);
    while (st && st != NCG_EAUTH && seconds() < until) {
        wait_locked(c);
        st = try_locked(c, until, err);
    }
    return st;
}

static ncg_status start(nci_client *c, ncg_error *err)
{
    char name[NCI_NAME_SIZE + 1];
    snprintf(name, sizeof name, "client %ld", (long)getpid());
    NCI_TRY(nci_keys_derive(c->options.secret, c->options.cluster, &c->keys,
                            err));
    nci_net_options net = {.name = name,
                           .keys = c->keys,
                           .wire = c->options.wire,
                           .hooks = {.ctx = c,
                                     .ready = on_ready,
                                     .message = on_message,
                                     .closed = on_closed,
                                     .silence = on_silence,
                                     .note = on_note}};
    nci_net_bound(&net, c->options.memory);
    NCI_TRY(nci_futures_create(c, &c->futures, err));
    NCI_TRY(nci_net_create(&net, &c->net, err));
    pthread_mutex_lock(&c->lock);
    ncg_status st = connect_locked(c, err);
    pthread_mutex_unlock(&c->lock);
    return st;
}

ncg_status nci_client_connect(const nci_client_options *options,
                              nci_client **out, ncg_error *err)
{
    nci_client *c = nci_calloc(1, sizeof *c);
    if (!c)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    c->options = *options;
    c->last = &c->first;
    c->lost = -1;
    pthread_mutex_init(&c->lock, NULL);
    nci_cond_init(&c->changed);
    ncg_status st = start(c, err);
    c->options.secret = c->options.cluster = NULL; /* the caller's */
    c->options.addresses = NULL;
    if (st)
        nci_client_close(&c);
    else
        *out = c;
    return st;
}

void nci_client_close(nci_client **slot)
{
    nci_client *c = *slot;
    *slot = NULL;
    if (!c)
        return;
    ncg_error over;
    nci_fail(&over, NCG_ENET, "the link to the cluster has ended");
    if (c->futures)
        nci_futures_close(c->futures, &over);
    if (c->net)
        nci_net_destroy(&c->net); /* hooks come until then */
    if (c->futures)
        nci_futures_release(&c->futures);
    nci_keys_wipe(&c->keys);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    nci_free(c);
}

ncg_status nci_client_call(nci_client *c, const char *word,
                           const char *argument, char **answer,
                           ncg_error *err)
{
    nci_pack pack = {0};
    nci_call_pack(&pack, word, argument);
    pthread_mutex_lock(&c->lock);
    c->has_answer = false;
    ncg_status st = nci_dialogue_send(c->net, c->conn, NCI_WIRE_CALL, 1, &pack,
                                      err);
    double until = seconds() + CALL_SECONDS;
    while (!st && !c->has_answer && !c->is_closed && seconds() < until)
        wait_locked(c);
    if (!st && !c->has_answer)
        st = nci_fail(err, NCG_ENET, "the scheduler does not answer");
    if (!st && c->said.status) {
        st = c->said.status;
        if (err)
            *err = c->said;
    }
    if (!st && answer) {
        *answer = c->answer;
        c->answer = NULL;
    }
    nci_free(c->answer);
    c->answer = NULL;
    pthread_mutex_unlock(&c->lock);
    return st;
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

static ncg_status submit_locked(nci_client *c, const nci_client_job *job,
                                const nci_sink *sink, ncg_error *err)
{
    static _Atomic uint32_t requests;
    nci_plan_message message = {.hash = nci_plan_hash(job->plan),
                                .retries = sink->retries,
                                .forms = (nci_encoding *)job->forms,
                                .nforms = job->forms ? job->plan->noutputs : 0,
                                .bytes = job->bytes,
                                .nbytes = job->nbytes};
    nci_pack pack = {0};
    if (c->is_closed)
        return nci_fail(err, NCG_ENET, "the cluster is gone");
    do
        c->run = atomic_fetch_add(&requests, 1) + 1;
    while (!c->run);
    c->is_over = false;
    c->lost = -1;
    c->ntasks = job->plan->ntasks;
    c->end = (nci_finished_message){.failed = -1};
    c->news = (nci_progress_message){0};
    nci_plan_message_pack(&pack, &message);
    return nci_dialogue_send(c->net, c->conn, NCI_WIRE_PLAN, c->run, &pack,
                             err);
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
        w->canceled = seconds();
        nci_net_send(c->net, c->conn, &cancel, NULL);
    }
    if (seconds() - w->told < 0.1)
        return;
    w->told = seconds();
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
        if (w->has_canceled && seconds() - w->canceled > CALL_SECONDS)
            break; /* nobody answers */
        if (c->first && c->first->chunk && !p->status)
            put_first_locked(p);
        else if (!c->is_over && !c->is_closed)
            wait_locked(c);
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
        return nci_fail(err, NCG_ENET, "the scheduler is gone (%s)",
                        c->why.status ? c->why.message : "it ended");
    if (first.status && err)
        *err = first;
    return first.status;
}

ncg_status nci_client_run(nci_client *c, const nci_client_job *job,
                          const nci_sink *sink, const _Atomic bool *cancel,
                          void (*progress)(void *ctx, int64_t tasks_done,
                                           int64_t managed),
                          void *progress_ctx, nci_run_stats *stats,
                          ncg_error *err)
{
    putting p = {.client = c, .job = job, .sink = sink, .failed = -1};
    watching w = {.cancel = cancel, .progress = progress, .ctx = progress_ctx};
    double start = seconds();
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
                                 .seconds = seconds() - start,
                                 .failed = p.status ? p.failed
                                                    : c->end.failed};
    drop_locked(c);
    pthread_mutex_unlock(&c->lock);
    return st;
}
