/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The books of the workers, and how these come and go. A member that leaves is
 * taken off all books at once; a suspect keeps its place in them, but what it
 * was given is given to others too.
 */
#include "base/mem.h"
#include "engine/sched/cluster_internal.h"

/* ---- lists --------------------------------------------------------------------- */

void nci_member_touch(nci_sched *s, nci_member *m)
{
    nci_cluster *c = s->cluster;
    if (m->is_dirty || m->state != NCI_MEMBER_ACTIVE || m == c->fed)
        return;
    m->is_dirty = true;
    m->next_dirty = NULL;
    *c->last_dirty = m;
    c->last_dirty = &m->next_dirty;
}

nci_member *nci_member_next_dirty(nci_sched *s)
{
    nci_cluster *c = s->cluster;
    nci_member *m = c->dirty;
    if (!m)
        return NULL;
    c->dirty = m->next_dirty;
    if (!c->dirty)
        c->last_dirty = &c->dirty;
    m->is_dirty = false;
    return m;
}

static void forget_dirty(nci_sched *s, nci_member *m)
{
    nci_cluster *c = s->cluster;
    nci_member **link = &c->dirty;
    if (!m->is_dirty)
        return;
    while (*link != m)
        link = &(*link)->next_dirty;
    *link = m->next_dirty;
    if (c->last_dirty == &m->next_dirty)
        c->last_dirty = link;
    m->is_dirty = false;
}

void nci_member_set_hungry(nci_sched *s, nci_member *m, bool is_hungry)
{
    nci_cluster *c = s->cluster;
    if (m->is_hungry == is_hungry)
        return;
    m->is_hungry = is_hungry;
    if (is_hungry) {
        m->next_hungry = c->hungry;
        m->hungry = &c->hungry;
        if (m->next_hungry)
            m->next_hungry->hungry = &m->next_hungry;
        c->hungry = m;
        return;
    }
    *m->hungry = m->next_hungry;
    if (m->next_hungry)
        m->next_hungry->hungry = m->hungry;
}

void nci_member_set_state(nci_sched *s, nci_member *m, nci_member_state state)
{
    nci_cluster *c = s->cluster;
    bool was_active = m->state == NCI_MEMBER_ACTIVE;
    m->state = state;
    if (was_active == (state == NCI_MEMBER_ACTIVE))
        return;
    if (!was_active) { /* room was kept for it */
        m->place = c->nactive;
        c->active[c->nactive++] = m;
        c->threads += m->threads;
        return;
    }
    forget_dirty(s, m);
    nci_member_set_hungry(s, m, false);
    c->nblocked -= m->is_blocked;
    m->is_blocked = false;
    c->threads -= m->threads;
    c->active[m->place] = c->active[--c->nactive];
    c->active[m->place]->place = m->place;
}

/* ---- coming --------------------------------------------------------------------- */

ncg_status nci_member_join(nci_sched *s, const nci_event *event,
                           ncg_error *err)
{
    nci_cluster *c = s->cluster;
    if (event->worker >= NCI_CHECKPOINT ||
        nci_cluster_member(c, event->worker))
        return nci_fail(err, NCG_EINVAL, "worker %u has joined before",
                        event->worker);
    if (event->threads < 1)
        return nci_fail(err, NCG_EINVAL, "a worker needs at least one thread");
    if (event->limit < s->floor)
        return nci_fail(err, NCG_EBUDGET,
                        "a task of this plan needs %lld bytes, the worker's "
                        "limit is %lld: raise it (--mem)",
                        (long long)s->floor, (long long)event->limit);
    nci_member *m = nci_calloc(1, sizeof *m);
    if (!m || !nci_task_map_reserve(&c->members) ||
        !nci_grow(&c->active, &c->active_capacity, c->members.count + 1,
                  sizeof *c->active)) {
        nci_free(m);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    c->options.can_checkpoint |= event->can_checkpoint;
    m->number = event->worker;
    m->threads = event->threads;
    m->limit = event->limit;
    m->end = event->end;
    m->grace = m->end > c->now ? (m->end - c->now) / 4 : 0;
    if (m->grace > c->options.grace) /* short ones work, too */
        m->grace = c->options.grace;
    m->bandwidth =
        event->bandwidth > 0 ? event->bandwidth : c->options.bandwidth;
    m->last = &m->leases;
    m->state = NCI_MEMBER_SUSPECT;
    nci_task_map_put(&c->members, m->number, m);
    nci_member_set_state(s, m, NCI_MEMBER_ACTIVE);
    nci_member_touch(s, m);
    return NCG_OK;
}

void nci_member_free(nci_member *m)
{
    if (m)
        nci_heap_fini(&m->queue);
    nci_free(m);
}

/* ---- going ------------------------------------------------------------------------ */

void nci_member_empty_queue(nci_sched *s, nci_member *m)
{
    while (m->queue.count) {
        nci_record *r = m->queue.items[m->queue.count - 1];
        nci_place_unqueue(s, r);
        nci_cluster_unfinish(s, r);
    }
}

/* The tasks that ran on a worker that died are suspected: the oldest on as many
 * cores as it has. */
static void blame(nci_sched *s, nci_member *m)
{
    int cores = m->threads;
    if (m->may_leave)
        return;
    for (nci_lease *l = m->leases; l && cores > 0; l = l->after) {
        if (l->is_ahead)
            continue;
        cores -= l->threads;
        if (++l->record->at.strikes >= s->cluster->options.strikes)
            nci_sched_fail(s, NCG_ENET);
    }
}

static void end_leases(nci_sched *s, nci_member *m, nci_actions *actions)
{
    while (m->leases) {
        nci_lease *l = m->leases;
        nci_record *r = l->record;
        bool is_known = nci_lease_end(s, l, actions);
        if (is_known && !(s->cluster->faults & NCI_FAULT_LOST_LEASE))
            nci_lease_reassign(s, r, actions);
    }
}

/* Whoever fetches from it asks somebody else. */
void nci_member_end_copies(nci_sched *s, nci_member *m, nci_actions *actions)
{
    while (m->copies) {
        nci_record *r = m->copies->record;
        nci_copy_remove(s, m->copies);
        for (nci_copy *other = r->at.copies; other; other = other->next)
            if (other->state == NCI_COPY_COMING &&
                other->from == NCI_NO_WORKER) {
                other->is_moving = false;
                nci_copy_fetch(s, other, actions);
            }
        nci_lineage_check_copies(s, r, actions);
    }
}

void nci_member_leave(nci_sched *s, nci_member *m, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    blame(s, m);
    nci_member_set_state(s, m, NCI_MEMBER_DRAINING);
    nci_task_map_remove(&c->members, m->number);
    c->nfull -= m->is_full;
    nci_member_empty_queue(s, m);
    end_leases(s, m, actions);
    nci_member_end_copies(s, m, actions);
    nci_member_free(m);
}

void nci_member_suspect(nci_sched *s, nci_member *m, nci_actions *actions)
{
    if (m->state != NCI_MEMBER_ACTIVE)
        return;
    nci_member_set_state(s, m, NCI_MEMBER_SUSPECT);
    nci_member_empty_queue(s, m);
    for (nci_lease *l = m->leases; l; l = l->after)
        nci_lease_void(s, l, actions);
}

void nci_member_back(nci_sched *s, nci_member *m)
{
    if (m->state == NCI_MEMBER_SUSPECT)
        nci_member_set_state(s, m, NCI_MEMBER_ACTIVE);
}

bool nci_sched_member_stats(const nci_sched *s, uint32_t worker,
                            nci_member_stats *out)
{
    const nci_member *m =
        s->cluster ? nci_cluster_member(s->cluster, worker) : NULL;
    if (!m)
        return false;
    *out = (nci_member_stats){.managed = m->managed,
                              .queued = (int64_t)m->queue.count};
    for (const nci_lease *lease = m->leases; lease; lease = lease->after)
        out->sent++;
    out->running = out->sent - m->nahead;
    return true;
}
