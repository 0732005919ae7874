/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls on a worker. Each has a thread of its own, because what a function does
 * (wait, take Python's lock) must not stop tasks or messages; the scheduler
 * sends no more than there are cores.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/functions.h"
#include "engine/cluster/worker_internal.h"

typedef struct nci_hand_call {
    nci_hand *hand;
    nci_conn_id conn; /* the scheduler that asked */
    bool is_at_once;  /* DO: the value goes with the answer */
    int64_t id;
    uint32_t attempt;
    char name[NCI_WORD_SIZE];
    nci_buf *body; /* of the message, where the argument lies */
    const void *argument;
    size_t nargument;
    nci_service_input *inputs;
    ncg_bytes *values;
    nci_buf **chunks;
    size_t ninputs;
    _Atomic bool is_canceled;
    struct nci_hand_call *next;
} hand_call;

static void call_free(hand_call *c)
{
    for (size_t i = 0; c->chunks && i < c->ninputs; i++)
        nci_buf_release(&c->chunks[i]);
    nci_buf_release(&c->body);
    nci_free(c->inputs);
    nci_free(c->values);
    nci_free(c->chunks);
    nci_free(c);
}

/* ---- inputs -------------------------------------------------------------- */

typedef struct waiting {
    hand_call *call;
    size_t at;
    bool is_over;
    ncg_error error;
} waiting;

static void came(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    waiting *w = ctx;
    nci_hand *hand = w->call->hand;
    pthread_mutex_lock(&hand->lock);
    w->call->chunks[w->at] = nci_buf_retain(chunk);
    if (!chunk)
        w->error = *why;
    w->is_over = true;
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

static ncg_status fetch_input(hand_call *c, size_t at, ncg_error *err)
{
    nci_hand *hand = c->hand;
    const nci_service_input *input = &c->inputs[at];
    waiting w = {.call = c, .at = at};
    uint64_t number = 0;
    bool has_aborted = false;
    nci_fetch_spec spec = {.addresses = input->where,
                           .role = NCI_PEER_WORKER,
                           .key = {nci_value_space(), input->id},
                           .nbytes = input->bytes};
    if (!*input->where)
        return nci_fail(err, NCG_ENOTFOUND, "value %lld is not here",
                        (long long)input->id);
    NCI_TRY(nci_fetch(hand->net, &spec, came, &w, &number, err));
    pthread_mutex_lock(&hand->lock);
    while (!w.is_over) {
        bool ends = hand->is_ending || atomic_load(&c->is_canceled);
        if (ends && !has_aborted) {
            has_aborted = true;
            pthread_mutex_unlock(&hand->lock);
            nci_fetch_abort(hand->net, number);
            pthread_mutex_lock(&hand->lock);
        } else {
            pthread_cond_wait(&hand->changed, &hand->lock);
        }
    }
    pthread_mutex_unlock(&hand->lock);
    if (!c->chunks[at])
        *err = w.error;
    return c->chunks[at] ? NCG_OK : w.error.status;
}

static ncg_status gather_inputs(hand_call *c, ncg_error *err)
{
    nci_hand *hand = c->hand;
    for (size_t i = 0; i < c->ninputs; i++) {
        nci_chunk_key key = {nci_value_space(), c->inputs[i].id};
        NCI_TRY(nci_hand_kept(hand, &key, &c->chunks[i], err));
        if (!c->chunks[i] && c->inputs[i].bytes)
            NCI_TRY(fetch_input(c, i, err));
        c->values[i] = (ncg_bytes){nci_buf_data(c->chunks[i]),
                                   nci_buf_size(c->chunks[i])};
    }
    return NCG_OK;
}

/* ---- one call ------------------------------------------------------------ */

static void tell(const hand_call *c, nci_service_kind kind, nci_buf *value,
                 const ncg_error *error)
{
    nci_service told = {.kind = kind,
                        .id = c->id,
                        .attempt = c->attempt,
                        .bytes = (int64_t)nci_buf_size(value),
                        .error = *error};
    if (c->is_at_once) {
        told.kind = NCI_SERVICE_DID;
        told.data = nci_buf_data(value);
        told.ndata = nci_buf_size(value);
    }
    nci_service_send(c->hand->net, c->conn, NCI_WIRE_TELL, &told, NULL);
}

/* Keeps the value and tells that it is there. */
static void keep_and_tell(hand_call *c, nci_buf *value)
{
    nci_hand *hand = c->hand;
    nci_chunk_key key = {nci_value_space(), c->id};
    nci_buf *empty = NULL;
    ncg_error err;
    ncg_status st = NCG_OK;
    nci_error_clear(&err);
    if (!value)
        st = nci_buf_create(0, &empty, &err);
    pthread_mutex_lock(&hand->lock);
    if (!st && c->conn == hand->conn)
        st = nci_hand_retain_locked(hand, &key, value ? value : empty, &err);
    err.status = st;
    tell(c, st ? NCI_SERVICE_FAILED : NCI_SERVICE_ENDED, value, &err);
    pthread_mutex_unlock(&hand->lock);
    nci_buf_release(&empty);
}

static void do_call(hand_call *c)
{
    ncg_error err;
    nci_buf *value = NULL;
    nci_function_frame frame = {.call = {.argument = {c->argument,
                                                      c->nargument},
                                         .inputs = c->values,
                                         .ninputs = c->ninputs,
                                         .process = c->hand->name},
                                .is_canceled = &c->is_canceled};
    nci_error_clear(&err);
    if (gather_inputs(c, &err)) {
        tell(c, NCI_SERVICE_MISSED, NULL, &err);
        return;
    }
    if (atomic_load(&c->is_canceled))
        nci_fail(&err, NCG_ECANCELED, "canceled");
    else
        nci_function_run(c->name, &frame, &value, &err);
    if (err.status)
        tell(c, NCI_SERVICE_FAILED, NULL, &err);
    else if (c->is_at_once)
        tell(c, NCI_SERVICE_DID, value, &err);
    else
        keep_and_tell(c, value);
    nci_buf_release(&value);
}

static void *thread_main(void *arg)
{
    hand_call *c = arg;
    nci_hand *hand = c->hand;
    do_call(c);
    pthread_mutex_lock(&hand->lock);
    hand_call **at = &hand->calls;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
    call_free(c);
    return NULL;
}

/* The thread ends by itself; whoever ends the process waits for `calls`. */
static ncg_status start_thread_locked(hand_call *c, ncg_error *err)
{
    sigset_t all, before;
    pthread_attr_t how;
    pthread_t thread;
    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->next = c->hand->calls;
    c->hand->calls = c;
    int bad = pthread_create(&thread, &how, thread_main, c);
    if (bad)
        c->hand->calls = c->next;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    return bad ? nci_fail_sys(err, NCG_ENOMEM, bad, "cannot start a thread")
               : NCG_OK;
}

static ncg_status read_call(hand_call *c, const nci_service *ask,
                            nci_unpack *in, ncg_error *err)
{
    size_t n = ask->ninputs + 1;
    c->inputs = nci_calloc(n, sizeof *c->inputs);
    c->values = nci_calloc(n, sizeof *c->values);
    c->chunks = nci_calloc(n, sizeof *c->chunks);
    if (!c->inputs || !c->values || !c->chunks)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (; c->ninputs < ask->ninputs; c->ninputs++)
        NCI_TRY(nci_service_unpack_input(in, &c->inputs[c->ninputs], err));
    return NCG_OK;
}

static ncg_status begin_locked(nci_hand *hand, const nci_service *ask,
                               nci_unpack *in, nci_buf *body, ncg_error *err)
{
    hand_call *c = nci_calloc(1, sizeof *c);
    if (!c)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *c = (hand_call){.hand = hand,
                     .conn = hand->conn,
                     .is_at_once = ask->kind == NCI_SERVICE_DO,
                     .id = ask->id,
                     .attempt = ask->attempt,
                     .body = nci_buf_retain(body),
                     .argument = ask->data,
                     .nargument = ask->ndata};
    memcpy(c->name, ask->name, sizeof c->name);
    ncg_status st = read_call(c, ask, in, err);
    if (st) {
        call_free(c);
        return st;
    }
    st = start_thread_locked(c, err);
    if (!st)
        return NCG_OK;
    tell(c, NCI_SERVICE_FAILED, NULL, err);
    call_free(c);
    return NCG_OK;
}

static void stop_locked(nci_hand *hand, const nci_service *ask)
{
    for (hand_call *c = hand->calls; c; c = c->next)
        if (!c->is_at_once && c->id == ask->id && c->attempt == ask->attempt)
            atomic_store(&c->is_canceled, true);
    pthread_cond_broadcast(&hand->changed);
}

void nci_hand_cancel_calls_locked(nci_hand *hand)
{
    for (hand_call *c = hand->calls; c; c = c->next)
        atomic_store(&c->is_canceled, true);
    pthread_cond_broadcast(&hand->changed);
}

void nci_hand_asked(nci_hand *hand, const nci_message *message)
{
    nci_unpack in = nci_dialogue_open(message);
    ncg_error err;
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&hand->lock);
    while (!st && !hand->is_ending && !nci_service_is_end(&in)) {
        nci_service ask;
        st = nci_service_unpack(&in, &ask, &err);
        nci_chunk_key key = {ask.space, ask.key};
        if (st)
            break;
        if (ask.kind == NCI_SERVICE_RUN || ask.kind == NCI_SERVICE_DO)
            st = begin_locked(hand, &ask, &in, message->body, &err);
        else if (ask.kind == NCI_SERVICE_STOP)
            stop_locked(hand, &ask);
        else if (ask.kind == NCI_SERVICE_TAKE)
            nci_hand_take_locked(hand, &ask);
        else if (ask.kind == NCI_SERVICE_DROP)
            nci_hand_let_go_locked(hand, &key);
        else if (ask.kind == NCI_SERVICE_KEEP)
            nci_hand_keep_output_locked(hand, &ask);
        else if (ask.kind == NCI_SERVICE_MEMO)
            st = nci_hand_memo_locked(hand, &ask, &err);
        else if (ask.kind == NCI_SERVICE_LOCATED)
            nci_hand_located_locked(hand, &ask);
        else
            st = nci_fail(&err, NCG_ENET, "asked for %d", ask.kind);
    }
    if (st)
        nci_net_close(hand->net, hand->conn);
    pthread_mutex_unlock(&hand->lock);
}
