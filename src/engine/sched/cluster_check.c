/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The invariants of the scheduler with many workers, computed anew. Slow, for
 * tests and the simulator.
 */
#include "engine/sched/cluster_internal.h"

typedef struct links {
    const nci_sched *sched;
    int64_t missing, left, unplaced;
} links;

static void count_missing(void *ctx, int input, int64_t task)
{
    links *l = ctx;
    const nci_record *r = nci_records_find(&l->sched->records, task);
    (void)input;
    l->missing += !r || r->state != NCI_TASK_MEMORY;
    l->unplaced +=
        !r || (r->state != NCI_TASK_MEMORY && r->state != NCI_TASK_RUNNING);
}

static void count_left(void *ctx, int input, int64_t task)
{
    links *l = ctx;
    const nci_sched *s = l->sched;
    const nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (s->needed && !(s->needed[task >> 6] >> (task & 63) & 1))
        return;
    if (!nci_order_seen(&s->order, task))
        l->left++;
    else if (r)
        l->left += r->state < NCI_TASK_MEMORY;
}

static bool has_source(const nci_record *r)
{
    return r->at.is_checkpointed || nci_copy_source(r, NULL) ||
           (r->state == NCI_TASK_RUNNING && nci_lease_live(r));
}

static const char *check_copies(const nci_record *r)
{
    for (const nci_copy *c = r->at.copies; c; c = c->next) {
        if (c->record != r)
            return "a copy is in the wrong list";
        if (c->pins < 0 || c->sources < 0)
            return "a copy is used less than never";
        if (c->state == NCI_COPY_DISK && (c->held || !c->on_disk))
            return "an output on disk holds memory or has no copy there";
        if (c->state != NCI_COPY_COMING && r->state < NCI_TASK_MEMORY)
            return "a task that has not run has an output";
        if (c->state == NCI_COPY_COMING && !c->pins && !has_source(r))
            return "a fetch has no source and no user";
        for (const nci_copy *d = c->next; d; d = d->next)
            if (d->member == c->member)
                return "an output is twice on one worker";
    }
    return NULL;
}

static const char *check_state(const nci_sched *s, const nci_record *r)
{
    const nci_lease *live = nci_lease_live(r);
    if ((r->state == NCI_TASK_RUNNING) != (live != NULL))
        return "a task runs without a lease, or has one and does not";
    if (r->state == NCI_TASK_ADMITTED &&
        r->at.member->state != NCI_MEMBER_ACTIVE)
        return "a task is queued on a worker that takes none";
    if ((r->state == NCI_TASK_MEMORY || r->state == NCI_TASK_STORED) &&
        !has_source(r))
        return "an output is nowhere";
    if (live && live->is_ahead != (r->waiting > 0))
        return "a task waits for inputs and does not";
    if (r->order >= s->low && r->order < s->pulled && r->state != NCI_TASK_GONE &&
        *nci_sched_window(s, r->order) != r)
        return "a record is not in the window";
    return NULL;
}

static const char *check_record(const nci_sched *s, const nci_record *r)
{
    links l = {.sched = s};
    const char *broken = check_copies(r);
    if (!broken)
        broken = check_state(s, r);
    if (broken)
        return broken;
    nci_plan_deps(s->plan, r->task, count_missing, &l);
    if (r->state <= NCI_TASK_RUNNING && l.missing + r->at.is_parked != r->waiting)
        return "the count of missing inputs is wrong";
    if (r->state <= NCI_TASK_RUNNING && s->cluster->options.looks_ahead &&
        l.unplaced + r->at.is_parked != r->at.unplaced)
        return "the count of inputs without a place is wrong";
    if (r->state == NCI_TASK_READY && r->waiting)
        return "a ready task lacks inputs";
    nci_plan_dependents(s->plan, r->task, count_left, &l);
    if (r->state != NCI_TASK_GONE && l.left != r->left)
        return "the count of users is wrong";
    if (r->state == NCI_TASK_MEMORY && !r->left)
        return "an output without users is held";
    return NULL;
}

static void count_pins(void *ctx, int input, int64_t task);

typedef struct pin_sum {
    const nci_copy *copy;
    const nci_sched *sched;
    int64_t pins;
} pin_sum;

static void count_pins(void *ctx, int input, int64_t task)
{
    pin_sum *p = ctx;
    const nci_record *r = nci_records_find(&p->sched->records, task);
    (void)input;
    if (!r)
        return;
    for (const nci_lease *l = r->at.leases; l; l = l->next)
        p->pins += l->member == p->copy->member && !l->is_void;
}

static const char *check_member(const nci_sched *s, const nci_member *m)
{
    int64_t held = 0, ahead = 0, leaving = 0, load = 0;
    int cores = 0, nahead = 0;
    for (const nci_copy *c = m->copies; c; c = c->after) {
        pin_sum p = {c, s, 0};
        nci_plan_dependents(s->plan, c->record->task, count_pins, &p);
        if (p.pins != c->pins)
            return "the count of users under way is wrong";
        held += c->held;
        ahead += c->record->output >= 0 ? c->held : 0;
        leaving += c->state == NCI_COPY_SPILLING ? c->held : 0;
    }
    for (const nci_lease *l = m->leases; l; l = l->after) {
        held += l->held;
        ahead += l->charge;
        load += l->estimate;
        cores += l->is_ahead ? 0 : l->threads;
        nahead += l->is_ahead;
    }
    for (size_t i = 0; i < m->queue.count; i++)
        load += m->queue.items[i]->at.estimate;
    if (held != m->managed || ahead != m->ahead || leaving != m->leaving)
        return "the sum of managed bytes of a worker is wrong";
    if (m->managed > m->limit)
        return "managed bytes of a worker exceed its limit";
    if (cores != m->cores || nahead != m->nahead || load != m->load)
        return "the sum of cores or load of a worker is wrong";
    return NULL;
}

bool nci_cluster_check(const nci_sched *s, ncg_error *err)
{
    const nci_cluster *c = s->cluster;
    const char *broken = NULL;
    int64_t what = -1;
    if (s->failure || s->over)
        return true;
    for (size_t i = 0; i < s->records.map.capacity && !broken; i++) {
        const nci_record *r = s->records.map.slots[i].value;
        if (r)
            broken = check_record(s, r);
        what = broken ? r->task : -1;
    }
    for (size_t i = 0; i < c->members.capacity && !broken; i++) {
        const nci_member *m = c->members.slots[i].value;
        if (m)
            broken = check_member(s, m);
        what = broken ? (int64_t)m->number : -1;
    }
    if (broken)
        nci_fail(err, NCG_EBUG, "%s (task or worker %lld)", broken,
                 (long long)what);
    return !broken;
}
