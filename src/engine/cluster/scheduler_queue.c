/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which runs are under way. Each has a machine of its own (sched/sched.h); they
 * share what workers have: a worker gives each run a part of its memory when it
 * opens the plan, and its cores to the tasks of all, by turns
 * (worker_open.c, worker_run.c).
 *
 * A few runs are under way at a time, so that parts stay large: the first ones,
 * but no more than MOST_OF_ONE of one client while there is room for others.
 * What was lost with a worker is made again before other runs begin: one that
 * reads it would only end and begin again. So do runs whose sets others read
 * while they are made, when they have to begin again. Among these each waits
 * for what it reads itself. One that reads what a run makes that has not begun
 * waits until that has.
 */
#include "base/mem.h"
#include "engine/cluster/scheduler_kept.h"

enum { MOST_RUNS = 4, MOST_OF_ONE = 3 };

static void add(nci_scheduler *s, nci_plan_run *r)
{
    nci_plan_run **at = &s->runs;
    while (*at)
        at = &(*at)->next;
    r->next = NULL;
    *at = r;
}

static int under_way(const nci_scheduler *s, nci_conn_id client)
{
    int n = 0;
    for (const nci_plan_run *r = s->runs; r; r = r->next)
        n += r->state != NCI_RUN_QUEUED && (!client || r->client == client);
    return n;
}

/* Others wait for it. */
static bool is_urgent(const nci_plan_run *r)
{
    return r->repairs || (r->state == NCI_RUN_QUEUED && nci_kept_remakes(r) &&
                          !nci_kept_awaits(r));
}

static bool has_urgent(const nci_scheduler *s)
{
    const nci_plan_run *r = s->runs;
    while (r && !is_urgent(r))
        r = r->next;
    return r != NULL;
}

static bool is_repairing(const nci_scheduler *s)
{
    const nci_plan_run *r = s->runs;
    while (r && (!r->repairs || r->state == NCI_RUN_QUEUED))
        r = r->next;
    return r != NULL;
}

/* What a set was made of is not always known (after a scheduler's death): one
 * that has failed to find it lets the others be first. */
static bool urgent_may_begin(const nci_scheduler *s, const nci_plan_run *r)
{
    bool is_patient = r->repairs && r->begun && is_repairing(s);
    return !is_patient && nci_kept_may_begin(r);
}

/* The run that may begin now, NULL: none. */
static nci_plan_run *choose(const nci_scheduler *s)
{
    bool urgent = has_urgent(s);
    bool has_room = under_way(s, 0) < MOST_RUNS;
    for (nci_plan_run *r = s->runs; r; r = r->next) {
        if (r->state != NCI_RUN_QUEUED || nci_kept_awaits(r))
            continue;
        if (is_urgent(r) ? urgent_may_begin(s, r)
                         : !urgent && has_room &&
                               (r->begun ||
                                under_way(s, r->client) < MOST_OF_ONE))
            return r;
    }
    return NULL;
}

/* Those that have begun stand first, in that order: so workers that come later
 * open them. */
static void move_forward(nci_scheduler *s, nci_plan_run *r)
{
    nci_plan_run **at = &s->runs;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    for (at = &s->runs; *at && (*at)->state != NCI_RUN_QUEUED;)
        at = &(*at)->next;
    r->next = *at;
    *at = r;
    r->turn = ++s->turns;
}

void nci_run_next(nci_scheduler *s)
{
    nci_plan_run *r;
    while (!s->is_ending && !nci_kept_is_early(s) && (r = choose(s))) {
        move_forward(s, r);
        nci_run_begin(r);
    }
}

ncg_status nci_run_repair(nci_scheduler *s, uint32_t serial, ncg_error *err)
{
    nci_plan_run *r = nci_calloc(1, sizeof *r);
    if (!r)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    *r = (nci_plan_run){.scheduler = s,
                        .id = ++s->runs_made,
                        .repairs = serial,
                        .failed = -1};
    add(s, r);
    nci_run_next(s);
    return NCG_OK;
}

/* A run of a client's message; 0: it is gone. */
static nci_plan_run *add_run(nci_scheduler *s, nci_conn_id client,
                             uint32_t request, nci_buf *body)
{
    nci_plan_run *r = nci_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (nci_plan_run){.scheduler = s,
                        .id = ++s->runs_made,
                        .client = client,
                        .request = request,
                        .body = nci_buf_retain(body),
                        .failed = -1};
    add(s, r);
    return r;
}

static void fail(nci_plan_run *r, const ncg_error *err)
{
    nci_run_fail(r, err);
    nci_run_end(r);
}

/* What is put nobody would take. */
ncg_status nci_run_make(nci_scheduler *s, nci_buf *body, ncg_error *err)
{
    nci_plan_run *r = add_run(s, 0, 0, body);
    ncg_error why;
    if (!r)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    if (nci_kept_promise(r, &why))
        fail(r, &why);
    else if (!r->keeps_all) {
        nci_fail(&why, NCG_ENET,
                 "its computation was lost with the scheduler");
        fail(r, &why);
    }
    return NCG_OK;
}

void nci_run_again(nci_plan_run *r)
{
    nci_scheduler *s = r->scheduler;
    nci_run_clear(r);
    r->id = ++s->runs_made;
    r->state = NCI_RUN_QUEUED;
    r->is_waiting = r->is_held = false;
    r->begun++;
    add(s, r);
}

void nci_run_submit(nci_scheduler *s, nci_conn_id client,
                    const nci_message *message)
{
    ncg_error err;
    nci_pack pack = {0};
    nci_plan_run *r = add_run(s, client, message->request, message->body);
    if (!r) {
        nci_fail(&err, NCG_ENOMEM, "the scheduler is out of memory");
        nci_net_send_error(s->net, client, message->request, &err, NULL);
        return;
    }
    nci_pack_i64(&pack, r->id);
    nci_dialogue_send(s->net, client, NCI_WIRE_SUBMITTED, r->request, &pack,
                      NULL);
    if (nci_kept_promise(r, &err))
        fail(r, &err);
    else
        nci_run_next(s);
}
