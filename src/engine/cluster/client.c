/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's end: its connection, what it asks the scheduler. */
#include "engine/cluster/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/cluster/future_internal.h"
#include "engine/executor_internal.h"
#include "engine/net/exchange.h"
#include "graph/codec_output.h"

enum { POLL_MS = 50, CALL_SECONDS = 20 };

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
        nci_client_take_put_locked(c, m);
    } else if (m->type == NCI_WIRE_PROGRESS) {
        st = nci_progress_unpack(&in, &c->news, &err);
    } else if (m->type == NCI_WIRE_FINISHED || m->type == NCI_WIRE_ERROR) {
        nci_finished_message_fini(&c->end);
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

void nci_client_wait_locked(nci_client *c)
{
    struct timespec until;
    nci_deadline(&until, POLL_MS);
    pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

static ncg_status try_locked(nci_client *c, double until, ncg_error *err)
{
    c->is_ready = c->is_closed = false;
    NCI_TRY(nci_net_connect(c->net, c->addresses, NCI_PEER_CLIENT, 0, &c->conn,
                            err));
    while (!c->is_ready && !c->is_closed && nci_futures_now() < until)
        nci_client_wait_locked(c);
    if (c->is_ready)
        return NCG_OK;
    if (c->is_closed && c->why.status) {
        *err = c->why;
        return err->status;
    }
    return nci_fail(err, NCG_ENET, "no answer from the scheduler at %.100s",
                    c->addresses);
}

/* A scheduler that was started again listens elsewhere. */
static void look_again_locked(nci_client *c)
{
    char now[NCI_NET_ADDRESSES] = "";
    if (!c->options.look)
        return;
    pthread_mutex_unlock(&c->lock);
    c->options.look(c->options.look_ctx, now);
    pthread_mutex_lock(&c->lock);
    if (*now)
        memcpy(c->addresses, now, sizeof now);
}

static ncg_status connect_locked(nci_client *c, ncg_error *err)
{
    double until = nci_futures_now() + c->options.timeout;
    ncg_status st = try_locked(c, until, err);
    while (st && st != NCG_EAUTH && nci_futures_now() < until) {
        nci_client_wait_locked(c);
        look_again_locked(c);
        st = try_locked(c, until, err);
    }
    return st;
}

static ncg_status start(nci_client *c, ncg_error *err)
{
    char name[NCI_NAME_SIZE + 1];
    snprintf(name, sizeof name, "client %ld", (long)getpid());
    NCI_TRY(
        nci_keys_derive(c->options.secret, c->options.cluster, &c->keys, err));
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
    snprintf(c->addresses, sizeof c->addresses, "%s", options->addresses);
    c->last = &c->first;
    c->lost = -1;
    pthread_mutex_init(&c->lock, NULL);
    nci_cond_init(&c->changed);
    ncg_status st = start(c, err);
    c->options.secret = c->options.cluster = NULL; /* the caller's */
    c->options.addresses = NULL;
    c->options.look = NULL;
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
    nci_client_holds_free(c);
    nci_finished_message_fini(&c->end);
    nci_keys_wipe(&c->keys);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    nci_free(c);
}

ncg_status nci_client_call(nci_client *c, const char *word,
                           const char *argument, char **answer, ncg_error *err)
{
    nci_pack pack = {0};
    nci_call_pack(&pack, word, argument);
    pthread_mutex_lock(&c->lock);
    c->has_answer = false;
    ncg_status st =
        nci_dialogue_send(c->net, c->conn, NCI_WIRE_CALL, 1, &pack, err);
    double until = nci_futures_now() + CALL_SECONDS;
    while (!st && !c->has_answer && !c->is_closed && nci_futures_now() < until)
        nci_client_wait_locked(c);
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
