/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room on a member: outputs that are used last leave its memory, at once where
 * there is another copy or one on its disk, else by being written. A disk that
 * takes no more pauses that: what needs room waits, and it is tried again now
 * and then.
 */
#include "engine/sched/cluster_internal.h"

static const int64_t FULL_NS = INT64_C(5000000000);

/* ---- victims ------------------------------------------------------------- */

/* Whether nothing is lost with this copy. */
static bool is_spare(const nci_copy *copy)
{
    if (copy->state == NCI_COPY_COMING)
        return true;
    if (copy->sources || copy->is_saving)
        return false;
    if (copy->record->at.is_checkpointed)
        return true;
    for (nci_copy *other = copy->record->at.copies; other; other = other->next)
        if (other != copy && nci_copy_is_there(other) &&
            other->member->state == NCI_MEMBER_ACTIVE)
            return true;
    return false;
}

static void forget(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_action action = {.kind = NCI_ACTION_FORGET,
                         .worker = copy->member->number,
                         .task = copy->record->task};
    copy->state = NCI_COPY_DISK;
    nci_copy_hold(s, copy, 0);
    nci_cluster_say(s, actions, action);
}

static void evict(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_action spill = {.kind = NCI_ACTION_SPILL,
                        .worker = copy->member->number,
                        .task = copy->record->task};
    if (is_spare(copy)) {
        nci_copy_drop(s, copy, actions);
        return;
    }
    if (copy->on_disk) {
        forget(s, copy, actions);
        return;
    }
    spill.attempt = copy->transfer = ++s->cluster->transfers;
    copy->state = NCI_COPY_SPILLING;
    copy->member->leaving += copy->held;
    nci_cluster_say(s, actions, spill);
}

/* What is used last, after order number `order`. */
static nci_copy *find_victim(const nci_sched *s, const nci_member *m,
                             int64_t order)
{
    nci_copy *best = NULL;
    int64_t farthest = order;
    for (nci_copy *copy = m->copies; copy; copy = copy->after) {
        nci_record *r = copy->record;
        if (copy->pins || !copy->held || r->output >= 0 ||
            (copy->state != NCI_COPY_MEMORY && copy->state != NCI_COPY_COMING))
            continue;
        if (copy->is_moving || (m->is_full && !copy->on_disk && !is_spare(copy)))
            continue;
        int64_t use = nci_spill_next_use(s, r);
        if (use > farthest) {
            farthest = use;
            best = copy;
        }
    }
    return best;
}

bool nci_room_make(nci_sched *s, nci_member *m, int64_t order,
                        int64_t need, nci_actions *actions)
{
    if (nci_spill_rank(s, NULL))
        nci_sched_fail(s, NCG_ENOMEM);
    while (!s->failure && m->managed - m->leaving + need > m->limit) {
        nci_copy *victim = find_victim(s, m, order);
        if (!victim)
            break;
        evict(s, victim, actions);
    }
    return !s->failure && m->managed + need <= m->limit;
}

void nci_room_spilled(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    copy->on_disk = true;
    copy->state = NCI_COPY_MEMORY;
    copy->member->leaving -= copy->held;
    s->spilled += copy->held;
    if (!copy->pins) /* else somebody wants it after all */
        forget(s, copy, actions);
}

/* ---- a full disk --------------------------------------------------------- */

/* Nothing more goes there for a while: what needs room waits, what has been sent
 * goes on, and what is dropped makes room again. */
static void set_full(nci_sched *s, nci_member *m, bool is_full)
{
    s->cluster->nfull += is_full - m->is_full;
    m->is_full = is_full;
    m->full_since = s->cluster->now;
}

void nci_room_failed(nci_sched *s, nci_copy *copy, ncg_status status)
{
    if (copy->state != NCI_COPY_SPILLING || status != NCG_EOUTPUT) {
        nci_sched_fail(s, status ? status : NCG_EOUTPUT);
        return;
    }
    copy->state = NCI_COPY_MEMORY;
    copy->member->leaving -= copy->held;
    set_full(s, copy->member, true);
}

void nci_room_tick(nci_sched *s)
{
    nci_cluster *c = s->cluster;
    for (size_t i = 0; c->nfull && i < c->members.capacity; i++) {
        nci_member *m = c->members.slots[i].value;
        if (!m || !m->is_full || c->now < m->full_since + FULL_NS)
            continue;
        set_full(s, m, false);
        nci_member_touch(s, m);
    }
}
