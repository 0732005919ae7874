/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a run begins on a worker: its plan is opened, then it gets its share of
 * the memory, for which it may have to wait until others have ended.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/worker_internal.h"
#include "engine/pool.h"
#include "engine/sched/choose.h"

/* ---- opening ------------------------------------------------------------- */

static ncg_status encode(void *ctx, int output, const int64_t *index,
                         const int64_t *count, nci_buf *chunk_take,
                         nci_buf **out, ncg_error *err)
{
    const nci_hand_run *r = ctx;
    const nci_plan *plan = r->hosted.plan;
    const nci_plan_message *m = &r->message;
    (void)index;
    if (plan->layers[plan->outputs[output]].store.list.of_tasks) {
        NCI_TRY(nci_values_pack(chunk_take, out, err));
        nci_buf_release(&chunk_take);
        return NCG_OK;
    }
    if (!m->nforms) {
        *out = chunk_take;
        return NCG_OK;
    }
    if (output < 0 || output >= m->nforms)
        return nci_fail(err, NCG_EBUG, "output %d is unknown", output);
    const nci_encoding *form = &m->forms[output];
    NCI_TRY(nci_encode_chunk(&form->var, form->level, count,
                             nci_buf_data(chunk_take), out, err));
    nci_buf_release(&chunk_take);
    return NCG_OK;
}

/* Forms come over the net: a chunk must fit into what it is padded to. */
static ncg_status check_forms(const nci_hand_run *r, ncg_error *err)
{
    const nci_plan *plan = r->hosted.plan;
    const nci_plan_message *m = &r->message;
    if (m->nforms && m->nforms != plan->noutputs)
        return nci_fail(err, NCG_ENET, "a plan of %d outputs with %d forms",
                        plan->noutputs, m->nforms);
    for (int i = 0; i < m->nforms; i++) {
        const nci_layer *layer = &plan->layers[plan->outputs[i]];
        const nci_write_var *v = &m->forms[i].var;
        if (v->rank != layer->grid.rank || v->dtype != layer->store.to)
            return nci_fail(err, NCG_ENET, "output %d has another form", i);
    }
    return NCG_OK;
}

static ncg_status open_plan(nci_hand_run *r, ncg_error *err)
{
    NCI_TRY(nci_hosted_open(r->hand->host, r->body, "worker", &r->message,
                            &r->hosted, err));
    const nci_source_holder holder = nci_hand_holder(r);
    nci_source_table_set_holder(r->hosted.sources, &holder);
    NCI_TRY(check_forms(r, err));
    r->space = nci_run_space(r->message.hash, r->id);
    return NCG_OK;
}

static ncg_status prepare(nci_hand_run *r, ncg_error *err)
{
    nci_executor *x = r->hand->executor;
    r->costs = (nci_costs){r->hosted.plan, r->hosted.sources, x->kernels,
                           r->message.nforms > 0, r->message.retries};
    r->work = (nci_work){&r->costs, nci_costs_run, nci_costs_scratch,
                         nci_costs_threads, 0, nci_costs_most_scratch};
    r->tasks = (nci_lane_run){.executor = x,
                              .plan = r->hosted.plan,
                              .sources = r->hosted.sources,
                              .work = &r->work,
                              .limit = x->limit,
                              .stopping = &r->stopping,
                              .encode = encode,
                              .encode_ctx = r};
    nci_sched_costs costs = {&r->costs, nci_costs_scratch, nci_costs_threads};
    const nci_sched_limits limits = {.most_scratch = nci_costs_most_scratch,
                                     .enough = x->limit / 8};
    return nci_sched_floor_within(r->hosted.plan, &costs, &limits, &r->floor,
                                  err);
}

/* ---- shares of the memory -------------------------------------------------- */

/* What is kept between runs has half of the limit, or what the run's largest
 * task leaves; beside other runs half of what these leave. */
static int64_t room_for_kept_locked(const nci_hand_run *r, int64_t free)
{
    int64_t room = free / 2;
    if (room > free - r->floor)
        room = free > r->floor ? free - r->floor : 0;
    return room;
}

/* The bytes that a run may take here for chunks, 0: it has to wait. Where
 * nothing is kept there is more for runs. The first one leaves a quarter to
 * those that may come while it goes on, and the next ones half of what there is
 * then; the workers of one program's own cluster have one client, and its first
 * run gets all. What the largest task needs a run gets in any case. */
static int64_t share_locked(nci_hand_run *r)
{
    nci_hand *hand = r->hand;
    bool is_first = !hand->granted;
    int64_t free = hand->executor->limit - hand->granted;
    int64_t room = room_for_kept_locked(r, free);
    if (!is_first && free < r->floor)
        return 0;
    nci_hand_make_room_locked(hand, room);
    bool keeps = hand->kept_bytes || r->message.nkeeps;
    int64_t most = keeps ? free - room : free;
    most = nci_executor_room(hand->executor, most, r->floor, r->floor);
    int64_t share = is_first ? most - most / 4 : most / 2;
    if (is_first && hand->options->is_bound)
        share = most;
    return share < r->floor ? (most < r->floor ? most : r->floor) : share;
}

void nci_hand_give_back_locked(nci_hand_run *r)
{
    nci_hand *hand = r->hand;
    int64_t limit = hand->executor->limit;
    if (!r->is_started)
        return;
    hand->started--;
    hand->granted -= r->share;
    int64_t free = limit - hand->granted;
    if (hand->kept_room < free / 2)
        hand->kept_room = free / 2;
    pthread_cond_broadcast(&hand->changed);
}

static bool is_over_locked(const nci_hand_run *r)
{
    const nci_hand *hand = r->hand;
    return r->is_forgotten || hand->is_ending || hand->is_closed ||
           r->conn != hand->conn;
}

/* Plans are opened one after the other: a run that waits for others to end
 * holds up those behind it, or a large one might wait for ever. While room is
 * made the lock is free, and the run may be forgotten. */
static ncg_status wait_for_share_locked(nci_hand_run *r, ncg_error *err)
{
    nci_hand *hand = r->hand;
    while (!is_over_locked(r)) {
        r->share = hand->started < NCI_POOL_RUNS ? share_locked(r) : 0;
        if (is_over_locked(r))
            break;
        if (r->share)
            return NCG_OK;
        pthread_cond_wait(&hand->changed, &hand->lock);
    }
    return nci_fail(err, NCG_ECANCELED, "the computation is over");
}

static ncg_status start_locked(nci_hand_run *r, ncg_error *err)
{
    nci_hand *hand = r->hand;
    nci_sched_costs costs = {&r->costs, nci_costs_scratch, nci_costs_threads};
    nci_pack pack = {0};
    NCI_TRY(wait_for_share_locked(r, err));
    NCI_TRY(nci_worker_create(r->hosted.plan, &costs, hand->roster.number,
                              hand->executor->threads, r->share, &r->machine,
                              err));
    r->is_started = true;
    hand->started++;
    hand->granted += r->share;
    r->next = hand->runs;
    hand->runs = r;
    r->refs++;
    nci_opened_pack(&pack, r->message.hash, r->share);
    return nci_dialogue_send(hand->net, hand->conn, NCI_WIRE_JOIN, r->id, &pack,
                             err);
}

static void unlist_locked(nci_hand_run *r)
{
    nci_hand_run **at = &r->hand->opening;
    while (*at && *at != r)
        at = &(*at)->next_opening;
    if (*at)
        *at = r->next_opening;
}

static void open_errand(void *ctx)
{
    nci_hand_run *r = ctx;
    nci_hand *hand = r->hand;
    ncg_error err;
    nci_error_clear(&err);
    ncg_status st = open_plan(r, &err);
    if (!st)
        st = prepare(r, &err);
    pthread_mutex_lock(&hand->lock);
    if (!st)
        st = start_locked(r, &err);
    if (st && st != NCG_ECANCELED) {
        err.status = st;
        nci_hand_failure(hand, r->id, -1, &err);
    }
    hand->errands--;
    unlist_locked(r);
    nci_hand_run_release_locked(&r);
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

void nci_hand_open(nci_hand *hand, nci_conn_id conn,
                   const nci_message *message)
{
    ncg_error err;
    ncg_status st = NCG_OK;
    nci_hand_run *r = nci_calloc(1, sizeof *r);
    if (r) {
        *r = (nci_hand_run){.hand = hand,
                            .conn = conn,
                            .id = message->request,
                            .refs = 1,
                            .body = nci_buf_retain(message->body)};
        pthread_mutex_lock(&hand->lock);
        hand->errands++;
        r->next_opening = hand->opening;
        hand->opening = r;
        pthread_mutex_unlock(&hand->lock);
        st = nci_errands_add(hand->plans, open_errand, r, &err);
    }
    if (r && !st)
        return;
    if (!r)
        st = nci_fail(&err, NCG_ENOMEM, "out of memory");
    if (st != NCG_ECANCELED) /* else this process is about to end */
        nci_hand_failure(hand, message->request, -1, &err);
    pthread_mutex_lock(&hand->lock);
    hand->errands -= r != NULL;
    if (r)
        unlist_locked(r);
    nci_hand_run_release_locked(&r);
    pthread_mutex_unlock(&hand->lock);
}
