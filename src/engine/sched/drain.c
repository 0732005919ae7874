/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaving on time. A member that leaves gets nothing new and gives back what it
 * has not started. Outputs that only it has go, in the order of their next use,
 * to members that stay longer and have room; what finds none is written to the
 * checkpoint directory; what there is no time for is made again by others. Once
 * nothing is needed from it any more it may end.
 *
 * Users of what lies in the directory read it there. Who puts does not look
 * there, so what is to be put comes back to a member when it is its turn.
 */
#include "engine/sched/cluster_internal.h"

enum { MAX_MOVES = 4, LOOKS = 16 };
#define PATIENCE INT64_C(5000000000) /* ns for a writer that fetches from it */

/* ---- what is left ------------------------------------------------------------------ */

/* Whether this is all there is of an output. */
static bool is_unique(const nci_copy *copy)
{
    const nci_record *r = copy->record;
    if (!nci_copy_is_there(copy) || r->at.is_checkpointed)
        return false;
    for (const nci_copy *other = r->at.copies; other; other = other->next)
        if (other != copy && nci_copy_is_there(other) &&
            other->member->state == NCI_MEMBER_ACTIVE)
            return false;
    return true;
}

static bool is_on_its_way(const nci_copy *copy)
{
    if (copy->is_saving)
        return true;
    for (const nci_copy *other = copy->record->at.copies; other;
         other = other->next)
        if (other->is_moving)
            return true;
    return false;
}

/* ---- where to ------------------------------------------------------------------------- */

static bool ends_later(const nci_member *a, const nci_member *b)
{
    return !a->end || (b->end && a->end > b->end);
}

/* What a STORE task left is as long as it is, whatever was planned. */
static int64_t bytes_of(const nci_copy *copy)
{
    return copy->record->output >= 0 ? copy->held : copy->record->bytes;
}

static bool has_room(const nci_sched *s, const nci_member *m,
                     const nci_record *r, int64_t bytes)
{
    if (r->output >= 0 && m->ahead + bytes > m->limit - s->floor)
        return false;
    return m->managed + bytes <= m->limit;
}

static nci_member *find_target(nci_sched *s, const nci_copy *copy)
{
    nci_cluster *c = s->cluster;
    nci_member *best = NULL;
    for (size_t i = 0; i < LOOKS && i < c->nactive; i++) {
        nci_member *m = c->active[c->cursor++ % c->nactive];
        if (!ends_later(m, copy->member) ||
            !has_room(s, m, copy->record, bytes_of(copy)) ||
            nci_copy_find(copy->record, m) || nci_lease_find(copy->record, m))
            continue;
        if (!best || m->limit - m->managed > best->limit - best->managed)
            best = m;
    }
    return best;
}

static bool move(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_member *target = find_target(s, copy);
    if (!target)
        return false;
    nci_copy *moved = nci_copy_add(s, copy->record, target, NCI_COPY_COMING,
                                   bytes_of(copy));
    if (!moved)
        return false;
    moved->is_moving = true;
    nci_copy_fetch(s, moved, actions);
    return true;
}

static void save(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_action action = {.kind = NCI_ACTION_CHECKPOINT,
                         .worker = copy->member->number,
                         .task = copy->record->task,
                         .attempt = copy->record->attempt};
    copy->is_saving = true;
    nci_cluster_say(s, actions, action);
}

/* ---- steps --------------------------------------------------------------------------------- */

typedef struct remains {
    nci_copy *next; /* the unique one that is used first and does not move */
    int waiting;    /* unique ones that are on their way */
    bool is_used;   /* others fetch from here, or the writer does */
} remains;

/* A writer has a while to fetch what it was told to; one that is slow finds it
 * elsewhere. */
static bool is_patient(const nci_sched *s, const nci_member *m)
{
    return s->cluster->now < m->since + PATIENCE &&
           (!m->end || s->cluster->now < m->end - m->grace / 2);
}

static remains look(nci_sched *s, const nci_member *m)
{
    remains left = {0};
    int64_t first = INT64_MAX;
    bool waits = is_patient(s, m);
    for (nci_copy *copy = m->copies; copy; copy = copy->after) {
        nci_record *r = copy->record;
        bool is_put = r->state == NCI_TASK_PUTTING && waits;
        left.is_used = left.is_used || copy->sources > 0 || is_put;
        if (!is_unique(copy) || is_put)
            continue;
        if (is_on_its_way(copy)) {
            left.waiting++;
            continue;
        }
        int64_t use = r->output >= 0 ? r->order : nci_spill_next_use(s, r);
        if (!left.next || use < first) {
            first = use;
            left.next = copy;
        }
    }
    return left;
}

/* Whether anybody might take its outputs, now or later. */
static bool has_heirs(const nci_sched *s, const nci_member *m)
{
    const nci_cluster *c = s->cluster;
    if (m->end && c->now >= m->end - m->grace / 2)
        return false;
    for (size_t i = 0; i < c->nactive && i < LOOKS; i++)
        if (ends_later(c->active[i], m))
            return true;
    return false;
}

void nci_drain_go_on(nci_sched *s, nci_member *m, nci_actions *actions)
{
    nci_action leave = {.kind = NCI_ACTION_LEAVE, .worker = m->number};
    remains left = {0};
    if (m->may_leave || s->failure)
        return;
    if (nci_spill_rank(s, NULL)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    for (;;) {
        left = look(s, m);
        if (!left.next || left.waiting >= MAX_MOVES)
            break;
        if (move(s, left.next, actions))
            continue;
        if (!s->cluster->options.can_checkpoint)
            break;
        save(s, left.next, actions);
    }
    if (m->leases || left.waiting || left.is_used ||
        (left.next && has_heirs(s, m)))
        return;
    m->may_leave = true;
    nci_cluster_say(s, actions, leave);
    nci_member_end_copies(s, m, actions);
}

void nci_drain_start(nci_sched *s, nci_member *m, nci_actions *actions)
{
    if (m->state == NCI_MEMBER_DRAINING)
        return;
    nci_member_set_state(s, m, NCI_MEMBER_DRAINING);
    m->since = s->cluster->now;
    nci_member_empty_queue(s, m);
    for (nci_lease *l = m->leases; l; l = l->after) {
        l->record->at.is_stray = true;
        if (l->is_ahead)
            nci_lease_void(s, l, actions);
        else
            nci_lease_ask(s, l, actions);
    }
}

/* What has to go is at most what it holds. */
static bool is_time(const nci_sched *s, const nci_member *m)
{
    const nci_cluster *c = s->cluster;
    double seconds = 1.5 * (double)m->managed / (double)m->bandwidth;
    return m->end && c->now >= m->end - (int64_t)(1e9 * seconds) - m->grace;
}

void nci_drain_tick(nci_sched *s, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    for (size_t i = 0; i < c->members.capacity; i++) {
        nci_member *m = c->members.slots[i].value;
        if (!m)
            continue;
        if (m->state == NCI_MEMBER_ACTIVE && is_time(s, m))
            nci_drain_start(s, m, actions);
        if (m->state == NCI_MEMBER_DRAINING)
            nci_drain_go_on(s, m, actions);
    }
}

void nci_drain_event(nci_sched *s, nci_member *m, const nci_event *event,
                     nci_actions *actions)
{
    nci_record *r = nci_records_find(&s->records, event->task);
    nci_copy *copy = r ? nci_copy_find(r, m) : NULL;
    nci_action drop = {.kind = NCI_ACTION_DROP_CHECKPOINT,
                       .worker = NCI_NO_WORKER,
                       .task = event->task};
    bool is_ok = event->kind == NCI_EVENT_CHECKPOINTED;
    if (!copy || !copy->is_saving) {
        if (is_ok && !(r && r->at.is_checkpointed))
            nci_cluster_say(s, actions, drop);
        return;
    }
    copy->is_saving = false;
    if (is_ok) {
        r->at.is_checkpointed = true;
        r->at.saved = bytes_of(copy);
        s->cluster->saves_puts |= r->output >= 0;
        s->cluster->moved += r->at.saved;
    } else {
        s->cluster->options.can_checkpoint = false;
    }
}

/* ---- back from the checkpoint directory ------------------------------------ */

/* What is to be put first is waited for by everything: room is made for it. */
static bool takes_back(nci_sched *s, nci_member *m, nci_record *r,
                       nci_actions *actions)
{
    return has_room(s, m, r, r->at.saved) ||
           (r == s->put_first &&
            nci_room_make(s, m, -1, r->at.saved, actions));
}

void nci_drain_bring_back(nci_sched *s, nci_record *r, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    if (!r->at.is_checkpointed || r->at.copies)
        return; /* or it is coming */
    for (size_t i = 0; i < LOOKS && i < c->nactive && !s->failure; i++) {
        nci_member *m = c->active[c->cursor++ % c->nactive];
        if (!takes_back(s, m, r, actions))
            continue;
        nci_copy *copy =
            nci_copy_add(s, r, m, NCI_COPY_COMING, r->at.saved);
        if (copy)
            nci_copy_fetch(s, copy, actions);
        return;
    }
}
