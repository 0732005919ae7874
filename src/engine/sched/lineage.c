/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was lost is made again: a finished task whose output is nowhere any more
 * waits for its inputs once more. Inputs that had been dropped, because all
 * their users had run, come back into the books as tasks to run, and so on down
 * to outputs that are in memory, on a disk that answers or in the checkpoint
 * directory, and to tasks that read sources.
 *
 * Such a task has its old place in the order, so it comes before whatever comes
 * after it; it lies in no window where the window has moved on.
 */
#include "engine/sched/cluster_internal.h"

typedef struct visit {
    nci_sched *sched;
    nci_record *record;
    nci_actions *actions;
} visit;

/* It waits for what recover() finds. */
static void list_lost(nci_sched *s, nci_record *r)
{
    nci_cluster *c = s->cluster;
    r->state = NCI_TASK_WAITING;
    r->waiting = 1;
    r->at.is_again = true;
    r->next_use = -1;
    r->at.lost = c->lost;
    c->lost = r;
    s->nwaiting++;
    c->recomputed++;
}

static void miss_input(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    nci_sched *s = v->sched;
    nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (!r || r->state > NCI_TASK_RUNNING)
        return;
    r->waiting++;
    if (r->state == NCI_TASK_READY || r->state == NCI_TASK_ADMITTED) {
        nci_place_unqueue(s, r);
        nci_cluster_unfinish(s, r);
    }
}

/* Users that were sent have to come back where they have not got it. */
static void recall_user(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    nci_record *r = nci_records_find(&v->sched->records, task);
    (void)input;
    if (!r || r->state != NCI_TASK_RUNNING)
        return;
    nci_lease *live = nci_lease_live(r);
    if (live)
        nci_lease_void(v->sched, live, v->actions);
}

static void lose(nci_sched *s, nci_record *r, nci_actions *actions)
{
    visit v = {s, r, actions};
    bool was_stored = r->state == NCI_TASK_STORED;
    if (s->cluster->faults & NCI_FAULT_NO_LINEAGE)
        return;
    list_lost(s, r);
    if (was_stored)
        return;
    nci_plan_dependents(s->plan, r->task, miss_input, &v);
    nci_ahead_unplaced(s, r, actions);
    nci_plan_dependents(s->plan, r->task, recall_user, &v);
}

void nci_lineage_check_copies(nci_sched *s, nci_record *r,
                              nci_actions *actions)
{
    if (r->state < NCI_TASK_MEMORY || r->state == NCI_TASK_GONE ||
        r->at.is_checkpointed || nci_copy_source(r, NULL))
        return;
    if (r->state != NCI_TASK_PUTTING) /* else the writer may have it */
        lose(s, r, actions);
    /* Nobody has it, nobody makes it yet. */
    for (nci_copy *copy = r->at.copies, *next; copy; copy = next) {
        next = copy->next;
        copy->from = NCI_NO_WORKER;
        if (!copy->pins)
            nci_copy_drop(s, copy, actions);
    }
}

/* ---- recovery -------------------------------------------------------------------- */

static nci_record *bring_back(nci_sched *s, int64_t task)
{
    nci_record *r = nci_records_find(&s->records, task);
    bool is_new = !r;
    if (is_new)
        r = nci_records_add(&s->records, task);
    if (!r) {
        nci_sched_fail(s, NCG_ENOMEM);
        return NULL;
    }
    if (is_new) {
        r->layer = nci_plan_layer(s->plan, task);
        r->output = -1;
        r->bytes = nci_plan_bytes(s->plan, task);
        r->need = r->bytes + s->costs.scratch(s->costs.ctx, task, 1);
    }
    r->order = s->rank[task];
    if (r->order >= s->low)
        *nci_sched_window(s, r->order) = r;
    r->left = 0;
    list_lost(s, r);
    return r;
}

static void need_input(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    nci_sched *s = v->sched;
    nci_record *user = v->record;
    nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (!r || r->state == NCI_TASK_GONE)
        r = bring_back(s, task);
    if (!r)
        return;
    r->left++;
    r->next_use = -1; /* perhaps this one, before those that were left */
    user->waiting += r->state != NCI_TASK_MEMORY;
}

void nci_lineage_recover(nci_sched *s, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    if (c->lost && nci_spill_rank(s, NULL))
        nci_sched_fail(s, NCG_ENOMEM);
    while (c->lost && !s->failure) {
        nci_record *r = c->lost;
        visit v = {s, r, actions};
        c->lost = r->at.lost;
        r->waiting = 0;
        if (r->layer->ninputs)
            nci_plan_deps(s->plan, r->task, need_input, &v);
        if (s->failure)
            return;
        if (r->waiting) {
            nci_ahead_came(s, r, actions);
        } else {
            s->nwaiting--;
            nci_cluster_unfinish(s, r);
        }
    }
}
