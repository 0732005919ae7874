/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has been sent and not answered. A lease pins the inputs of its task on
 * its member, and holds the task's output and scratch. It is on the books until
 * it is answered or its member has left; one that is void does not keep its
 * task from going elsewhere, and whichever answer comes first counts: all
 * attempts of a task leave the same bits.
 */
#include "engine/sched/cluster_internal.h"

/* ---- books --------------------------------------------------------------------- */

nci_lease *nci_lease_find(const nci_record *r, const nci_member *m)
{
    nci_lease *lease = r->at.leases;
    while (lease && lease->member != m)
        lease = lease->next;
    return lease;
}

nci_lease *nci_lease_live(const nci_record *r)
{
    nci_lease *lease = r->at.leases;
    while (lease && lease->is_void)
        lease = lease->next;
    return lease;
}

static void book(nci_sched *s, nci_lease *lease, int64_t held, int64_t charge)
{
    nci_member *m = lease->member;
    m->managed += held - lease->held;
    s->managed += held - lease->held;
    m->ahead += charge - lease->charge;
    lease->held = held;
    lease->charge = charge;
    if (s->managed > s->managed_peak)
        s->managed_peak = s->managed;
}

nci_lease *nci_lease_add(nci_sched *s, nci_record *r, nci_member *m,
                         int threads, int64_t held, int64_t charge)
{
    nci_cluster *c = s->cluster;
    nci_lease *lease = nci_copy_new_lease(s);
    if (!lease)
        return NULL;
    *lease = (nci_lease){.record = r,
                         .member = m,
                         .next = r->at.leases,
                         .before = m->last,
                         .attempt = ++r->attempt,
                         .threads = threads,
                         .estimate = nci_place_estimate(s, r),
                         .is_ahead = r->waiting > 0};
    r->at.leases = lease;
    *m->last = lease;
    m->last = &lease->after;
    m->load += lease->estimate;
    if (lease->is_ahead)
        m->nahead++;
    else
        m->cores += threads;
    book(s, lease, held, charge);
    s->running++;
    c->sent++;
    return lease;
}

void nci_lease_arrived(nci_sched *s, nci_lease *lease)
{
    nci_member *m = lease->member;
    if (!lease->is_ahead)
        return;
    lease->is_ahead = false;
    m->nahead--;
    m->cores += lease->threads;
    book(s, lease, lease->held, lease->record->output >= 0 ? lease->held : 0);
    nci_member_touch(s, m);
}

typedef struct unpin_ctx {
    nci_sched *sched;
    nci_member *member;
    nci_actions *actions;
} unpin_ctx;

static void unpin(void *ctx, int input, int64_t task)
{
    unpin_ctx *u = ctx;
    nci_record *r = nci_records_find(&u->sched->records, task);
    nci_copy *copy = r ? nci_copy_find(r, u->member) : NULL;
    (void)input;
    if (!copy || (u->sched->cluster->faults & NCI_FAULT_NO_PINS) ||
        --copy->pins > 0)
        return;
    /* Nobody is asked for it, nobody waits for it. */
    if (copy->state == NCI_COPY_COMING && copy->from == NCI_NO_WORKER)
        nci_copy_drop(u->sched, copy, u->actions);
}

/* A void lease has let go of its inputs before: they may be dropped, and asked
 * for again by others, while it is not answered. The worker keeps what it uses. */
static void unpin_inputs(nci_sched *s, nci_lease *lease, nci_actions *actions)
{
    const nci_record *r = lease->record;
    unpin_ctx u = {s, lease->member, actions};
    if (!lease->is_void && r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, unpin, &u);
}

bool nci_lease_end(nci_sched *s, nci_lease *lease, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    nci_record *r = lease->record;
    nci_member *m = lease->member;
    nci_lease **link = &r->at.leases;
    unpin_inputs(s, lease, actions);
    book(s, lease, 0, 0);
    if (lease->is_ahead)
        m->nahead--;
    else
        m->cores -= lease->threads;
    m->load -= lease->estimate;
    s->running--;
    while (*link != lease)
        link = &(*link)->next;
    *link = lease->next;
    *lease->before = lease->after;
    if (lease->after)
        lease->after->before = lease->before;
    else
        m->last = lease->before;
    lease->next = c->free_leases;
    c->free_leases = lease;
    if (r->state != NCI_TASK_GONE || r->at.leases)
        return true;
    nci_sched_release(s, r);
    return false;
}

/* ---- giving up ------------------------------------------------------------------- */

void nci_lease_ask(nci_sched *s, nci_lease *lease, nci_actions *actions)
{
    nci_action recall = {.kind = NCI_ACTION_RECALL,
                         .worker = lease->member->number,
                         .task = lease->record->task,
                         .attempt = lease->attempt};
    if (lease->is_asked)
        return;
    lease->is_asked = true;
    nci_cluster_say(s, actions, recall);
}

void nci_lease_void(nci_sched *s, nci_lease *lease, nci_actions *actions)
{
    if (lease->is_void)
        return;
    nci_lease_ask(s, lease, actions);
    unpin_inputs(s, lease, actions);
    lease->is_void = true;
    nci_lease_reassign(s, lease->record, actions);
}

void nci_lease_reassign(nci_sched *s, nci_record *r, nci_actions *actions)
{
    nci_copy *early = r->at.copies;
    if (r->state != NCI_TASK_RUNNING || nci_lease_live(r))
        return;
    while (early && !early->is_early)
        early = early->next;
    if (early) { /* it has been made */
        nci_cluster_finish(s, r, early->member, r->bytes, actions);
        return;
    }
    nci_cluster_unfinish(s, r);
    nci_ahead_unplaced(s, r, actions);
}

/* ---- events ------------------------------------------------------------------------ */

/* The mean of the last ones, by layer: queues are measured in time. */
static void learn(nci_sched *s, nci_member *m, const nci_record *r,
                  int64_t spent)
{
    int64_t *of_layer = &s->cluster->estimates[r->layer - s->plan->layers];
    if (spent <= 0)
        return;
    *of_layer = *of_layer ? *of_layer + (spent - *of_layer) / 8 : spent;
    m->spent = m->spent ? m->spent + (spent - m->spent) / 8 : spent;
}

static void add_replica(nci_sched *s, nci_record *r, nci_member *m,
                        nci_actions *actions)
{
    nci_action drop = {.kind = NCI_ACTION_RELEASE,
                       .worker = m->number,
                       .task = r->task};
    if (r->state == NCI_TASK_MEMORY && r->left &&
        m->managed + r->bytes <= m->limit && !nci_copy_find(r, m))
        nci_copy_add(s, r, m, NCI_COPY_MEMORY, r->bytes);
    else
        nci_cluster_say(s, actions, drop);
}

static void end_done(nci_sched *s, nci_member *m, nci_record *r,
                     const nci_event *event, nci_actions *actions)
{
    int64_t bytes = r->bytes;
    if (r->output >= 0 && event->bytes > 0)
        bytes = event->bytes;
    nci_action drop = {.kind = NCI_ACTION_RELEASE,
                       .worker = m->number,
                       .task = r->task};
    learn(s, m, r, event->spent);
    if (!nci_lease_end(s, nci_lease_find(r, m), actions))
        nci_cluster_say(s, actions, drop);
    else if (r->state > NCI_TASK_RUNNING)
        add_replica(s, r, m, actions);
    else
        nci_cluster_finish(s, r, m, bytes, actions);
}

void nci_lease_event(nci_sched *s, nci_member *m, const nci_event *event,
                     nci_actions *actions)
{
    nci_record *r = nci_records_find(&s->records, event->task);
    nci_lease *lease = r ? nci_lease_find(r, m) : NULL;
    bool is_old = lease && lease->attempt != event->attempt;
    if (!lease || (is_old && !(s->cluster->faults & NCI_FAULT_NO_EPOCH)))
        return;
    if (event->kind == NCI_EVENT_TASK_DONE) {
        end_done(s, m, r, event, actions);
        return;
    }
    bool was_void = lease->is_void;
    bool is_known = nci_lease_end(s, lease, actions);
    if (event->kind == NCI_EVENT_RECALLED && is_known)
        nci_lease_reassign(s, r, actions);
    else if (event->kind == NCI_EVENT_TASK_FAILED && !was_void)
        nci_sched_fail(s, event->status ? event->status : NCG_EBUG);
}
