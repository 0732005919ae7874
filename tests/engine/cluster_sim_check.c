/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The promises: what must be true after every event; and a look at everybody
 * for a seed that breaks one.
 */
#include "cluster_sim_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/sched/cluster_internal.h"

/* ---- promises ------------------------------------------------------------ */

void csim_broken(csim *s, const char *text, int64_t which)
{
    if (s->is_broken)
        return;
    s->is_broken = true;
    snprintf(s->result->message, sizeof s->result->message,
             "seed %llu, event %lld: %s (%lld)", (unsigned long long)s->o->seed,
             (long long)s->result->events, text, (long long)which);
}

/* ---- invariants ---------------------------------------------------------- */

/* What the scheduler takes to be there is there; with no message on its way
 * both have the same tasks in hand. */
static void check_member(csim *s, const nci_member *m)
{
    int place = csim_place_of(s, m->number);
    sworker *w = &s->workers[place];
    int64_t leases = 0;
    nci_worker_stats stats;
    if (!w->is_alive || m->may_leave)
        return;
    for (const nci_copy *c = m->copies; c; c = c->after)
        if (nci_copy_is_there(c) &&
            !nci_worker_has(w->machine, c->record->task))
            csim_broken(s, "the map of outputs is wrong", c->record->task);
    if (w->to || w->from || w->is_stopped)
        return;
    for (const nci_lease *l = m->leases; l; l = l->after)
        leases++;
    nci_worker_get_stats(w->machine, &stats);
    if (leases != stats.tasks)
        csim_broken(s, "a task is assigned and nobody has it", m->number);
}

void csim_check_all(csim *s)
{
    const nci_cluster *c = s->sched->cluster;
    ncg_error err;
    if (s->sched->failure || s->over)
        return;
    if (!nci_sched_check(s->sched, &err))
        csim_broken(s, err.message, 0);
    for (size_t i = 0; i < c->members.capacity; i++)
        if (c->members.slots[i].value)
            check_member(s, c->members.slots[i].value);
}

/* ---- showing ------------------------------------------------------------- */

/* What everybody is at, for a seed that fails. */
void csim_show(const csim *s)
{
    const nci_cluster *c = s->sched->cluster;
    nci_worker_stats stats;
    if (!getenv("NCG_SIM_SHOW"))
        return;
    for (size_t i = 0; i < s->sched->records.map.capacity; i++) {
        const nci_record *r = s->sched->records.map.slots[i].value;
        if (!r)
            continue;
        fprintf(stderr,
                "task %lld state %d order %lld waiting %lld left %lld\n",
                (long long)r->task, (int)r->state, (long long)r->order,
                (long long)r->waiting, (long long)r->left);
        for (const nci_copy *k = r->at.copies; k; k = k->next)
            fprintf(stderr, "   copy on %u state %d pins %d from %u\n",
                    k->member->number, (int)k->state, k->pins, k->from);
        for (const nci_lease *l = r->at.leases; l; l = l->next)
            fprintf(stderr, "   lease on %u ahead %d void %d\n",
                    l->member->number, l->is_ahead, l->is_void);
    }
    for (size_t i = 0; i < c->members.capacity; i++) {
        const nci_member *m = c->members.slots[i].value;
        if (!m)
            continue;
        nci_worker_get_stats(s->workers[csim_place_of(s, m->number)].machine,
                             &stats);
        fprintf(stderr,
                "worker %u state %d managed %lld of %lld ahead %lld queue %zu "
                "cores %d of %d blocked %d hungry %d | managed %lld tasks %d "
                "running %d fetches %d\n",
                m->number, (int)m->state, (long long)m->managed,
                (long long)m->limit, (long long)m->ahead, m->queue.count,
                m->cores, m->threads, m->is_blocked, m->is_hungry,
                (long long)stats.managed, stats.tasks, stats.running,
                stats.fetches);
    }
    fprintf(stderr,
            "low %lld pulled %lld walked %d loose %zu ready %zu floor "
            "%lld puts %d waiting %lld\n",
            (long long)s->sched->low, (long long)s->sched->pulled,
            s->sched->walked, c->loose.count, s->sched->ready.count,
            (long long)s->floor, c->puts, (long long)s->sched->nwaiting);
}
