/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker process from its first connection to its end: who it is, what comes
 * over the control connection, when to leave.
 */
#include "engine/cluster/worker_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/launch/scheduler_file.h"

enum { POLL_MS = 100, LAST_SECONDS = 10, CALLS_SECONDS = 10 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- what the net tells -------------------------------------------------- */

static void joining_of(const nci_hand *hand, nci_joining *out)
{
    const nci_work_options *o = hand->options;
    *out = (nci_joining){.threads = hand->executor->threads,
                         .limit = hand->executor->limit,
                         .pid = getpid(),
                         .left = -1};
    if (gethostname(out->host, sizeof out->host - 1))
        strcpy(out->host, "?");
    if (o->name)
        snprintf(out->name, sizeof out->name, "%s", o->name);
    else
        snprintf(out->name, sizeof out->name, "%.48s:%ld", out->host,
                 (long)getpid());
    memcpy(out->addresses, hand->addresses, sizeof out->addresses);
    memcpy(out->checkpoint, hand->checkpoint, sizeof out->checkpoint);
    if (o->resources)
        snprintf(out->resources, sizeof out->resources, "%s", o->resources);
    if (o->lifetime > 0) {
        double left = hand->begin + o->lifetime - seconds();
        out->left = left > 0 ? (int64_t)(left * 1e9) : 0;
    }
}

static void on_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    nci_hand *hand = ctx;
    nci_joining joining;
    nci_pack pack = {0};
    if (!peer->listens)
        return; /* a peer of ours that fetches */
    joining_of(hand, &joining);
    nci_joining_pack(&pack, &joining);
    nci_dialogue_send(hand->net, conn, NCI_WIRE_JOIN, 0, &pack, NULL);
    pthread_mutex_lock(&hand->lock);
    nci_hand_report_kept_locked(hand, conn);
    hand->is_ready = hand->is_ready || conn == hand->conn;
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

static void on_roster(nci_hand *hand, const nci_message *message)
{
    nci_unpack in = nci_dialogue_open(message);
    ncg_error err;
    pthread_mutex_lock(&hand->lock);
    ncg_status st = nci_roster_unpack(&in, &hand->roster, &err);
    pthread_mutex_unlock(&hand->lock);
    if (st)
        nci_net_close(hand->net, hand->conn);
}

static void on_forget(nci_hand *hand, uint32_t run)
{
    pthread_mutex_lock(&hand->lock);
    for (nci_hand_run *r = hand->opening; r; r = r->next_opening)
        r->is_forgotten |= r->id == run;
    nci_hand_run *r = nci_hand_find_locked(hand, run);
    if (r)
        nci_hand_forget_locked(hand, r);
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

static void on_stop(nci_hand *hand)
{
    pthread_mutex_lock(&hand->lock);
    hand->is_leaving = true;
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

static void on_message(void *ctx, nci_conn_id conn, const nci_message *message)
{
    nci_hand *hand = ctx;
    switch (message->type) {
    case NCI_WIRE_WELCOME:
        on_roster(hand, message);
        break;
    case NCI_WIRE_PLAN:
        nci_hand_open(hand, conn, message);
        break;
    case NCI_WIRE_ORDERS:
        nci_hand_orders(hand, message);
        break;
    case NCI_WIRE_FORGET:
        on_forget(hand, message->request);
        break;
    case NCI_WIRE_ASK:
        nci_hand_asked(hand, message);
        break;
    case NCI_WIRE_STOP:
        on_stop(hand);
        break;
    default:
        break;
    }
}

/* A scheduler that says nothing for so long is taken for dead. */
static void on_silence(void *ctx, nci_conn_id conn, nci_silence state)
{
    nci_hand *hand = ctx;
    if (state == NCI_SILENCE_DEAD)
        nci_net_close(hand->net, conn);
}

static void on_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    nci_hand *hand = ctx;
    pthread_mutex_lock(&hand->lock);
    if (conn == hand->conn) {
        hand->is_closed = true;
        hand->why = *why;
        pthread_cond_broadcast(&hand->changed);
    }
    pthread_mutex_unlock(&hand->lock);
}

/* Questions that wait too long are refused by the machine. */
static void on_tick(void *ctx)
{
    nci_hand *hand = ctx;
    const nci_worker_event tick = {.kind = NCI_WORKER_TICK};
    pthread_mutex_lock(&hand->lock);
    nci_hand_run *r = hand->runs;
    if (r)
        r->refs++;
    while (r) {
        nci_hand_event_locked(r, &tick);
        nci_hand_apply_locked(r, NULL);
        nci_hand_leave(r);
        pthread_mutex_lock(&hand->lock);
        nci_hand_run *next = r->next;
        if (next)
            next->refs++;
        nci_hand_run_release_locked(&r);
        r = next;
    }
    pthread_mutex_unlock(&hand->lock);
}

/* ---- connecting ---------------------------------------------------------- */

static void wait_locked(nci_hand *hand)
{
    struct timespec until;
    nci_deadline(&until, POLL_MS);
    pthread_cond_timedwait(&hand->changed, &hand->lock, &until);
}

static int leave_asked(const nci_hand *hand)
{
    return hand->options->leave ? (int)*hand->options->leave : 0;
}

/* One attempt; the lock is held except while waiting. */
static ncg_status try_locked(nci_hand *hand, double until, ncg_error *err)
{
    const char *addresses = hand->scheduler;
    hand->is_ready = hand->is_closed = false;
    NCI_TRY(nci_net_connect(hand->net, addresses, NCI_PEER_WORKER, 0,
                            &hand->conn, err));
    while (!hand->is_ready && !hand->is_closed && seconds() < until &&
           !leave_asked(hand))
        wait_locked(hand);
    if (hand->is_ready)
        return NCG_OK;
    if (hand->is_closed && hand->why.status) {
        *err = hand->why;
        return err->status;
    }
    return nci_fail(err, NCG_ENET, "no answer from the scheduler at %.100s",
                    addresses);
}

/* The scheduler has come to its end before this process had begun. */
static bool is_too_late(const nci_hand *hand, const ncg_error *err)
{
    return hand->options->is_bound && err->sys == ECONNREFUSED;
}

/* A scheduler that was started again listens elsewhere. */
static void look_again_locked(nci_hand *hand)
{
    const nci_work_options *o = hand->options;
    nci_scheduler_file file;
    if (!o->scheduler_file)
        return;
    pthread_mutex_unlock(&hand->lock);
    ncg_status st = nci_scheduler_file_read(o->scheduler_file, &file, NULL);
    pthread_mutex_lock(&hand->lock);
    if (!st && !memcmp(file.cluster, o->cluster, sizeof file.cluster))
        memcpy(hand->scheduler, file.addresses, sizeof hand->scheduler);
}

static ncg_status connect_locked(nci_hand *hand, ncg_error *err)
{
    double until = seconds() + hand->options->death_timeout;
    ncg_status st = try_locked(hand, until, err);
    while (st && st != NCG_EAUTH && seconds() < until && !leave_asked(hand) &&
           !is_too_late(hand, err)) {
        wait_locked(hand);
        look_again_locked(hand);
        st = try_locked(hand, until, err);
    }
    return st;
}


/* ---- serving ------------------------------------------------------------- */

/* A lost scheduler knows nothing of our runs when it comes back; sets of chunks
 * it learns of by us. */
static void drop_runs_locked(nci_hand *hand)
{
    while (hand->runs)
        nci_hand_forget_locked(hand, hand->runs);
    nci_hand_cancel_calls_locked(hand);
    nci_hand_let_go_values_locked(hand);
    for (nci_hand_run *r = hand->opening; r; r = r->next_opening)
        r->is_forgotten = true;
    pthread_cond_broadcast(&hand->changed);
    hand->roster.count = 0;
}

static void ask_to_leave(nci_hand *hand)
{
    nci_pack pack = {0};
    nci_pack_i64(&pack, 0);
    nci_dialogue_send(hand->net, hand->conn, NCI_WIRE_LEAVING, 0, &pack, NULL);
}

/* The machine lets a worker drain in time; between runs, or when it has not,
 * the worker itself asks, shortly before its end. */
static bool is_time(double begin, double lifetime)
{
    double left = lifetime / 4 < LAST_SECONDS ? lifetime / 4 : LAST_SECONDS;
    return lifetime > 0 && seconds() - begin > lifetime - left;
}

/* Until the connection ends or this process may; lock held. */
static void serve_locked(nci_hand *hand)
{
    bool has_asked = false;
    while (!hand->is_closed && !hand->is_leaving) {
        int asked = leave_asked(hand);
        if (!asked && is_time(hand->begin, hand->options->lifetime))
            asked = 1;
        if (asked && !has_asked)
            ask_to_leave(hand);
        has_asked = has_asked || asked;
        if (asked > 1)
            hand->is_leaving = true;
        else
            wait_locked(hand);
    }
}

static ncg_status work_locked(nci_hand *hand, ncg_error *err)
{
    for (;;) {
        ncg_status st = connect_locked(hand, err);
        if (st)
            return is_too_late(hand, err) || leave_asked(hand) ? NCG_OK : st;
        serve_locked(hand);
        drop_runs_locked(hand);
        if (hand->is_leaving || hand->why.status == NCG_OK)
            return NCG_OK;
        if (hand->why.status == NCG_EAUTH || leave_asked(hand)) {
            *err = hand->why;
            return leave_asked(hand) ? NCG_OK : hand->why.status;
        }
    }
}

/* ---- life ---------------------------------------------------------------- */

/* Others stand elsewhere: they get the whole path. */
static ncg_status find_folder(nci_hand *hand, ncg_error *err)
{
    char whole[PATH_MAX];
    const char *path = hand->options->checkpoint_directory;
    struct stat info;
    if (!path)
        return NCG_OK;
    if (!realpath(path, whole) || stat(whole, &info))
        return nci_fail_sys(err, NCG_EOUTPUT, errno,
                            "%.200s (--checkpoint-dir): %s", path,
                            strerror(errno));
    if (!S_ISDIR(info.st_mode) || access(whole, W_OK | X_OK) ||
        strlen(whole) >= sizeof hand->checkpoint)
        return nci_fail(err, NCG_EOUTPUT,
                        "%.200s (--checkpoint-dir) is no directory that can "
                        "be written to",
                        path);
    strcpy(hand->checkpoint, whole);
    return NCG_OK;
}

static ncg_status start(nci_hand *hand, ncg_error *err)
{
    const nci_work_options *o = hand->options;
    nci_joining self;
    NCI_TRY(find_folder(hand, err));
    snprintf(hand->scheduler, sizeof hand->scheduler, "%s", o->addresses);
    joining_of(hand, &self);
    memcpy(hand->name, self.name, sizeof hand->name);
    NCI_TRY(nci_keys_derive(o->secret, o->cluster, &hand->keys, err));
    nci_net_options net = {
        .name = self.name,
        .keys = hand->keys,
        .wire = o->wire,
        .hooks = {.ctx = hand,
                  .ready = on_ready,
                  .message = on_message,
                  .closed = on_closed,
                  .silence = on_silence}};
    nci_net_bound(&net, hand->executor->limit);
    NCI_TRY(nci_errands_create(&hand->plans, err));
    NCI_TRY(nci_errands_create(&hand->disk, err));
    NCI_TRY(nci_net_create(&net, &hand->net, err));
    const nci_serve_hooks serve = {hand, nci_hand_wanted, nci_hand_gone};
    nci_net_serve(hand->net, &serve);
    NCI_TRY(nci_net_timer_start(hand->net, 1000, true, on_tick, hand,
                                &hand->tick, err));
    return nci_net_listen(hand->net, o->interface, 0,
                          NCI_MAY_WORKER | NCI_MAY_CLIENT, hand->addresses, err);
}

/* A function that does not end must not keep a process that is to end: this
 * one was started for nothing else. */
static void wait_for_calls_locked(nci_hand *hand)
{
    double until = seconds() + CALLS_SECONDS;
    while (hand->calls && seconds() < until)
        wait_locked(hand);
    if (!hand->calls)
        return;
    if (hand->options->note)
        hand->options->note(hand->options->note_ctx,
                            "a function does not end: the worker ends "
                            "without it");
    _exit(0);
}

/* Kernels stop soon; errands end; then no hook may come any more. */
static void stop(nci_hand *hand)
{
    pthread_mutex_lock(&hand->lock);
    hand->is_ending = true;
    drop_runs_locked(hand);
    pthread_cond_broadcast(&hand->changed);
    while (hand->active > 0 || hand->errands > 0)
        wait_locked(hand);
    wait_for_calls_locked(hand);
    pthread_mutex_unlock(&hand->lock);
    nci_errands_end(hand->plans);
    nci_errands_end(hand->disk);
    if (hand->tick)
        nci_net_timer_stop(&hand->tick);
    pthread_mutex_lock(&hand->lock); /* it may be about to stop itself */
    if (hand->clock)
        nci_net_timer_stop(&hand->clock);
    pthread_mutex_unlock(&hand->lock);
    if (hand->net)
        nci_net_destroy(&hand->net);
    nci_errands_free(&hand->plans); /* messages came until now */
    nci_errands_free(&hand->disk);
    nci_keys_wipe(&hand->keys);
    nci_hand_let_go_all_locked(hand);
    nci_hand_forget_memos(hand);
    nci_spill_file_free(&hand->kept_disk);
    nci_free(hand->roster.entries);
    pthread_cond_destroy(&hand->changed);
    pthread_mutex_destroy(&hand->lock);
}

ncg_status nci_cluster_work(nci_executor *executor, const nci_plan_host *host,
                            const nci_work_options *options, ncg_error *err)
{
    nci_hand hand = {.executor = executor,
                     .host = host,
                     .options = options,
                     .kept_room = executor->limit / 2,
                     .begin = seconds()};
    pthread_mutex_init(&hand.lock, NULL);
    nci_cond_init(&hand.changed);
    ncg_status st = start(&hand, err);
    if (!st) {
        pthread_mutex_lock(&hand.lock);
        st = work_locked(&hand, err);
        pthread_mutex_unlock(&hand.lock);
    }
    stop(&hand);
    return st;
}
