/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lookahead: once it is known of all inputs of a task where they are or will
 * be, the task is sent to its member at once and the inputs are asked for from
 * those that make them. The members then hand outputs to each other without
 * asking here. A few such tasks a core, of short ones as many as take about as
 * long as a question and its answer, and only where memory is plentiful.
 */
#include "engine/sched/cluster_internal.h"

enum { AHEAD_PER_THREAD = 2, MOST_PER_THREAD = 32 };

typedef struct visit {
    nci_sched *sched;
    nci_record *record;
    nci_actions *actions;
    int64_t count;
} visit;

static int most_ahead(const nci_sched *s, const nci_member *m)
{
    int64_t a_thread = AHEAD_PER_THREAD;
    if (m->spent)
        a_thread += 2 * s->cluster->options.latency / m->spent;
    return m->threads *
           (int)(a_thread < MOST_PER_THREAD ? a_thread : MOST_PER_THREAD);
}

void nci_ahead_try(nci_sched *s, nci_record *r, nci_actions *actions)
{
    nci_member *m = nci_place_choose(s, r);
    if (!m || m->nahead >= most_ahead(s, m) || s->failure)
        return;
    s->nwaiting--;
    if (!nci_admit(s, m, r, 1, actions)) {
        s->nwaiting++;
        r->state = NCI_TASK_WAITING;
    }
}

static void user_placed(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    nci_sched *s = v->sched;
    nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (!r || r->state > NCI_TASK_RUNNING || --r->at.unplaced > 0)
        return;
    if (r->state == NCI_TASK_WAITING)
        nci_ahead_try(s, r, v->actions);
}

void nci_ahead_placed(nci_sched *s, nci_record *r, nci_actions *actions)
{
    visit v = {s, r, actions, 0};
    if (s->cluster->options.looks_ahead && r->left)
        nci_plan_dependents(s->plan, r->task, user_placed, &v);
}

static void user_unplaced(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    nci_record *r = nci_records_find(&v->sched->records, task);
    (void)input;
    if (!r || r->state > NCI_TASK_RUNNING)
        return;
    r->at.unplaced++;
    nci_lease *live = r->state == NCI_TASK_RUNNING ? nci_lease_live(r) : NULL;
    if (live && live->is_ahead)
        nci_lease_void(v->sched, live, v->actions);
}

void nci_ahead_unplaced(nci_sched *s, nci_record *r, nci_actions *actions)
{
    visit v = {s, r, actions, 0};
    if (!s->cluster->options.looks_ahead || !r->left)
        return;
    /* Those it was to be fetched from by others will not make it. */
    for (nci_copy *copy = r->at.copies, *next; copy; copy = next) {
        next = copy->next;
        if (copy->state != NCI_COPY_COMING)
            continue;
        copy->from = NCI_NO_WORKER;
        if (!copy->pins)
            nci_copy_drop(s, copy, actions);
    }
    nci_plan_dependents(s->plan, r->task, user_unplaced, &v);
}

static void count_unplaced(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    const nci_record *r = nci_records_find(&v->sched->records, task);
    (void)input;
    v->count +=
        !r || (r->state != NCI_TASK_RUNNING && r->state != NCI_TASK_MEMORY);
}

void nci_ahead_came(nci_sched *s, nci_record *r, nci_actions *actions)
{
    visit v = {s, r, actions, 0};
    if (!s->cluster->options.looks_ahead || r->state != NCI_TASK_WAITING)
        return;
    nci_plan_deps(s->plan, r->task, count_unplaced, &v);
    r->at.unplaced = v.count + r->at.is_parked;
    if (!r->at.unplaced)
        nci_ahead_try(s, r, actions);
}
