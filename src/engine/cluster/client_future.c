/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Futures: a table that the client and each future hold, so that a future may
 * be asked and released when its client is gone.
 */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/functions.h"
#include "engine/cluster/future_internal.h"
#include "engine/executor_internal.h"
#include "engine/net/exchange.h"

enum { AT_ONCE = 16 << 20 /* bytes of a message, about */ };

/* So long a value may be on its way to another worker: */
static const double lost_seconds = 60;

struct nci_future {
    nci_futures *table;
    int refs; /* guarded by the table's lock, as all of it */
    uint32_t number;
    ncg_run_state state;
    ncg_error error;
    int64_t key, bytes;
    char *where;
    uint32_t version; /* of where */
};

double nci_futures_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool nci_futures_wait_locked(nci_futures *t, double until)
{
    struct timespec when;
    if (until < 0) {
        pthread_cond_wait(&t->changed, &t->lock);
        return true;
    }
    double left = until - nci_futures_now();
    if (left <= 0)
        return false;
    nci_deadline(&when, (int64_t)(left > 1e6 ? 1e9 : left * 1000 + 1));
    pthread_cond_timedwait(&t->changed, &t->lock, &when);
    return true;
}

/* ---- the table ----------------------------------------------------------- */

ncg_status nci_futures_create(nci_client *client, nci_futures **out,
                              ncg_error *err)
{
    nci_futures *t = nci_calloc(1, sizeof *t);
    if (!t)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_init(&t->lock, NULL);
    nci_cond_init(&t->changed);
    t->refs = 1;
    t->client = client;
    *out = t;
    return NCG_OK;
}

/* Unlocks; the last one frees. */
static void leave_table(nci_futures *t, int refs)
{
    t->refs -= refs;
    bool is_last = t->refs == 0;
    pthread_mutex_unlock(&t->lock);
    if (!is_last)
        return;
    nci_task_map_fini(&t->table);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    nci_free(t);
}

static bool has_ended(const nci_future *f)
{
    return f->state >= NCG_RUN_DONE;
}

static void fail_all_locked(nci_futures *t, const ncg_error *why)
{
    if (t->is_gone)
        return; /* what came first is the reason */
    t->is_gone = true;
    t->why = *why;
    if (!t->why.status)
        nci_fail(&t->why, NCG_ENET, "the scheduler has ended");
    for (size_t i = 0; i < t->table.capacity; i++) {
        nci_future *f = t->table.slots[i].value;
        if (!f || has_ended(f))
            continue;
        f->state = NCG_RUN_FAILED;
        f->error = t->why;
    }
    pthread_cond_broadcast(&t->changed);
}

void nci_futures_fail(nci_futures *t, const ncg_error *why)
{
    pthread_mutex_lock(&t->lock);
    fail_all_locked(t, why);
    pthread_mutex_unlock(&t->lock);
}

void nci_futures_close(nci_futures *t, const ncg_error *why)
{
    pthread_mutex_lock(&t->lock);
    fail_all_locked(t, why);
    while (t->busy)
        pthread_cond_wait(&t->changed, &t->lock);
    t->client = NULL;
    pthread_mutex_unlock(&t->lock);
}

void nci_futures_release(nci_futures **slot)
{
    nci_futures *t = *slot;
    *slot = NULL;
    pthread_mutex_lock(&t->lock);
    leave_table(t, 1);
}

static nci_conn_id conn_of(nci_client *c)
{
    pthread_mutex_lock(&c->lock);
    nci_conn_id conn = c->conn;
    pthread_mutex_unlock(&c->lock);
    return conn;
}

/* ---- what the scheduler tells -------------------------------------------- */

static void told_locked(nci_futures *t, const nci_service *told)
{
    nci_future *f = nci_task_map_get(&t->table, told->id);
    if (!f || t->is_gone || f->state == NCG_RUN_CANCELED)
        return;
    if (told->kind == NCI_SERVICE_ERRED) {
        f->state = told->error.status == NCG_ECANCELED ? NCG_RUN_CANCELED
                                                       : NCG_RUN_FAILED;
        f->error = told->error;
        return;
    }
    char *where = nci_strdup(told->where);
    if (!where) {
        f->state = NCG_RUN_FAILED;
        nci_fail(&f->error, NCG_ENOMEM, "out of memory");
        return;
    }
    nci_free(f->where);
    f->where = where;
    f->key = told->key;
    f->bytes = told->bytes;
    f->version++;
    f->state = NCG_RUN_DONE;
}

bool nci_futures_told(nci_futures *t, const nci_message *message)
{
    nci_unpack in = nci_dialogue_open(message);
    ncg_error err;
    bool is_good = true;
    pthread_mutex_lock(&t->lock);
    while (is_good && !nci_service_is_end(&in)) {
        nci_service told;
        is_good = !nci_service_unpack(&in, &told, &err) && !told.ninputs;
        if (is_good && (told.kind == NCI_SERVICE_READY ||
                        told.kind == NCI_SERVICE_ERRED))
            told_locked(t, &told);
        else if (is_good)
            nci_asking_told_locked(t, &told);
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    return is_good;
}

/* ---- submitting ---------------------------------------------------------- */

static ncg_status make_locked(nci_futures *t, nci_future **out, ncg_error *err)
{
    nci_future *f = nci_calloc(1, sizeof *f);
    if (!f || !nci_task_map_reserve(&t->table)) {
        nci_free(f);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *f = (nci_future){.table = t, .refs = 1, .number = ++t->numbers};
    f->state = NCG_RUN_RUNNING;
    nci_task_map_put(&t->table, f->number, f);
    t->refs++;
    *out = f;
    return NCG_OK;
}

static void pack_locked(nci_pack *pack, const nci_future_spec *spec,
                        const nci_future *f)
{
    nci_service call = {.kind = NCI_SERVICE_CALL,
                        .id = f->number,
                        .bytes = spec->retries,
                        .data = spec->argument.data,
                        .ndata = spec->argument.size,
                        .ninputs = spec->ninputs};
    strcpy(call.name, spec->function);
    strcpy(call.where, spec->worker ? spec->worker : "");
    strcpy(call.needs, spec->resources ? spec->resources : "");
    nci_service_pack(pack, &call);
    for (size_t i = 0; i < spec->ninputs; i++) {
        nci_service_input input = {.id = spec->inputs[i]->number};
        nci_service_pack_input(pack, &input);
    }
}

static ncg_status check_spec(const nci_futures *t, const nci_future_spec *spec,
                             ncg_error *err)
{
    if (strlen(spec->function) >= NCI_WORD_SIZE ||
        (spec->worker && strlen(spec->worker) >= NCI_NET_ADDRESSES))
        return nci_fail(err, NCG_EINVAL, "a name is too long");
    if (spec->retries < 0)
        return nci_fail(err, NCG_EINVAL, "a negative number of retries");
    nci_resources needs;
    NCI_TRY(nci_resources_read(spec->resources, &needs, err));
    for (size_t i = 0; i < spec->ninputs; i++)
        if (!spec->inputs[i] || spec->inputs[i]->table != t)
            return nci_fail(err, NCG_EINVAL,
                            "input %zu is no future of this context", i);
    return NCG_OK;
}

static ncg_status send_locked(nci_futures *t, nci_pack *pack, ncg_error *err)
{
    ncg_status st = nci_dialogue_send(t->client->net, conn_of(t->client),
                                      NCI_WIRE_ASK, 0, pack, err);
    *pack = (nci_pack){0};
    return st;
}

static ncg_status submit_locked(nci_futures *t, const nci_future_spec *specs,
                                size_t n, nci_future **out, ncg_error *err)
{
    nci_pack pack = {0};
    ncg_status st = NCG_OK;
    if (t->is_gone)
        return nci_fail(err, NCG_ENET, "%s", t->why.message);
    for (size_t i = 0; !st && i < n; i++) {
        st = check_spec(t, &specs[i], err);
        if (!st)
            st = make_locked(t, &out[i], err);
        if (!st)
            pack_locked(&pack, &specs[i], out[i]);
        if (!st && (pack.text.length > AT_ONCE || i + 1 == n))
            st = send_locked(t, &pack, err);
    }
    nci_text_fini(&pack.text);
    return st;
}

ncg_status nci_future_submit(nci_client *c, const nci_future_spec *specs,
                             size_t n, nci_future **out, ncg_error *err)
{
    nci_futures *t = c->futures;
    memset(out, 0, n * sizeof *out);
    pthread_mutex_lock(&t->lock);
    ncg_status st = submit_locked(t, specs, n, out, err);
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; st && i < n; i++)
        nci_future_release(&out[i]);
    return st;
}

nci_future *nci_future_retain(nci_future *f)
{
    if (!f)
        return NULL;
    pthread_mutex_lock(&f->table->lock);
    f->refs++;
    pthread_mutex_unlock(&f->table->lock);
    return f;
}

static void say_locked(const nci_future *f, nci_service_kind kind)
{
    nci_futures *t = f->table;
    nci_service service = {.kind = kind, .id = f->number};
    if (t->client && !t->is_gone)
        nci_service_send(t->client->net, conn_of(t->client), NCI_WIRE_ASK,
                         &service, NULL);
}

void nci_future_release(nci_future **slot)
{
    nci_future *f = *slot;
    *slot = NULL;
    if (!f)
        return;
    nci_futures *t = f->table;
    pthread_mutex_lock(&t->lock);
    if (--f->refs) {
        pthread_mutex_unlock(&t->lock);
        return;
    }
    say_locked(f, NCI_SERVICE_RELEASE);
    nci_task_map_remove(&t->table, f->number);
    nci_free(f->where);
    nci_free(f);
    leave_table(t, 1);
}

void nci_future_cancel(nci_future *f)
{
    nci_futures *t = f->table;
    pthread_mutex_lock(&t->lock);
    if (!has_ended(f)) {
        f->state = NCG_RUN_CANCELED;
        nci_fail(&f->error, NCG_ECANCELED, "canceled");
        say_locked(f, NCI_SERVICE_CANCEL);
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
}

ncg_run_state nci_future_state(const nci_future *f)
{
    pthread_mutex_lock(&f->table->lock);
    ncg_run_state state = f->state;
    pthread_mutex_unlock(&f->table->lock);
    return state;
}

/* ---- waiting and fetching ------------------------------------------------ */

bool nci_future_wait(nci_future *const *futures, size_t n, double seconds,
                     size_t *which)
{
    double until = seconds < 0 ? -1 : nci_futures_now() + seconds;
    if (!n)
        return false;
    nci_futures *t = futures[0]->table;
    bool found = false, goes_on = true;
    pthread_mutex_lock(&t->lock);
    while (!found && goes_on) {
        for (size_t i = 0; !found && i < n; i++)
            if (has_ended(futures[i])) {
                found = true;
                *which = i;
            }
        if (!found)
            goes_on = nci_futures_wait_locked(t, until);
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}

typedef struct fetching {
    nci_futures *table;
    bool is_over;
    nci_buf *chunk;
    ncg_error error;
} fetching;

static void fetched(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    fetching *g = ctx;
    nci_futures *t = g->table;
    pthread_mutex_lock(&t->lock);
    g->chunk = nci_buf_retain(chunk);
    if (!chunk)
        g->error = *why;
    g->is_over = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static ncg_status wait_fetch_locked(nci_futures *t, const nci_fetch_spec *spec,
                                    nci_buf **out, ncg_error *err)
{
    fetching g = {.table = t};
    uint64_t number = 0;
    bool has_aborted = false;
    if (t->is_gone)
        return nci_fail(err, NCG_ENET, "%s", t->why.message);
    t->busy++;
    ncg_status st = nci_fetch(t->client->net, spec, fetched, &g, &number, err);
    while (!st && !g.is_over) {
        if (t->is_gone && !has_aborted) {
            has_aborted = true;
            nci_net *net = t->client->net;
            pthread_mutex_unlock(&t->lock);
            nci_fetch_abort(net, number);
            pthread_mutex_lock(&t->lock);
        } else {
            pthread_cond_wait(&t->changed, &t->lock);
        }
    }
    t->busy--;
    pthread_cond_broadcast(&t->changed);
    if (st)
        return st;
    *out = g.chunk;
    if (!g.chunk && err)
        *err = g.error;
    return g.error.status;
}

static ncg_status fetch_locked(nci_future *f, nci_buf **out, ncg_error *err)
{
    nci_fetch_spec spec = {.addresses = f->where,
                           .role = NCI_PEER_CLIENT,
                           .key = {nci_value_space(), f->key},
                           .nbytes = f->bytes};
    return f->bytes ? wait_fetch_locked(f->table, &spec, out, err)
                    : nci_buf_create(0, out, err);
}

ncg_status nci_client_fetch(nci_client *c, const char *where,
                            const nci_fetch_request *what, nci_buf **out,
                            ncg_error *err)
{
    nci_futures *t = c->futures;
    nci_fetch_spec spec = {.addresses = where,
                           .role = NCI_PEER_CLIENT,
                           .key = what->key,
                           .part = nci_part_of(&what->part),
                           .nbytes = nci_part_bytes(&what->part)};
    pthread_mutex_lock(&t->lock);
    ncg_status st = wait_fetch_locked(t, &spec, out, err);
    pthread_mutex_unlock(&t->lock);
    return st;
}

bool nci_futures_pause(nci_futures *t)
{
    double until = nci_futures_now() + 0.05;
    pthread_mutex_lock(&t->lock);
    while (!t->is_gone && nci_futures_wait_locked(t, until))
        ;
    bool is_gone = t->is_gone;
    pthread_mutex_unlock(&t->lock);
    return !is_gone;
}

static ncg_status value_locked(nci_future *f, nci_buf **out, ncg_error *err)
{
    nci_futures *t = f->table;
    for (;;) {
        while (!has_ended(f))
            pthread_cond_wait(&t->changed, &t->lock);
        if (f->state != NCG_RUN_DONE) {
            if (err)
                *err = f->error;
            return f->error.status;
        }
        if (t->is_gone)
            return nci_fail(err, NCG_ENET, "%s", t->why.message);
        uint32_t version = f->version;
        ncg_status st = fetch_locked(f, out, err);
        if (!st || t->is_gone || st == NCG_ENOMEM)
            return st;
        /* The scheduler will tell where it is now, or is made again. */
        double until = nci_futures_now() + lost_seconds;
        bool goes_on = true;
        while (goes_on && f->state == NCG_RUN_DONE && f->version == version &&
               !t->is_gone)
            goes_on = nci_futures_wait_locked(t, until);
        if (!goes_on)
            return st;
    }
}

ncg_status nci_future_value(nci_future *f, nci_buf **out, ncg_error *err)
{
    nci_futures *t = f->table;
    pthread_mutex_lock(&t->lock);
    ncg_status st = value_locked(f, out, err);
    pthread_mutex_unlock(&t->lock);
    return st;
}

ncg_status nci_future_take(nci_future *f, nci_buf **out, ncg_error *err)
{
    nci_futures *t = f->table;
    pthread_mutex_lock(&t->lock);
    ncg_status st =
        f->state == NCG_RUN_DONE && !t->is_gone
            ? fetch_locked(f, out, err)
            : nci_fail(err, NCG_ENOTFOUND, "the value is not there");
    pthread_mutex_unlock(&t->lock);
    return st;
}
