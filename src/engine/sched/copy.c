/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The books of where outputs are: bytes are held on a member from the moment at
 * which an output is made, asked for or read back there, until it is dropped or
 * written. A member never holds an output twice: who asks for one that is
 * coming waits for that.
 */
#include "base/mem.h"
#include "engine/sched/cluster_internal.h"

enum { BLOCK = 128, MAX_REFUSALS = 4 };

/* Copies and leases, in blocks, used again. */
struct nci_copy_block {
    nci_copy_block *next;
    nci_copy copies[BLOCK];
    nci_lease leases[BLOCK];
};

static bool add_block(nci_cluster *c)
{
    nci_copy_block *block = nci_alloc(sizeof *block);
    if (!block)
        return false;
    block->next = c->blocks;
    c->blocks = block;
    for (int i = 0; i < BLOCK; i++) {
        block->copies[i].next = c->free_copies;
        c->free_copies = &block->copies[i];
        block->leases[i].next = c->free_leases;
        c->free_leases = &block->leases[i];
    }
    return true;
}

nci_lease *nci_copy_new_lease(nci_sched *s)
{
    nci_cluster *c = s->cluster;
    if (!c->free_leases && !add_block(c)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return NULL;
    }
    nci_lease *lease = c->free_leases;
    c->free_leases = lease->next;
    return lease;
}

void nci_copy_free_blocks(nci_cluster *c)
{
    while (c->blocks) {
        nci_copy_block *next = c->blocks->next;
        nci_free(c->blocks);
        c->blocks = next;
    }
}

/* ---- books --------------------------------------------------------------------- */

nci_copy *nci_copy_find(const nci_record *r, const nci_member *m)
{
    nci_copy *copy = r->at.copies;
    while (copy && copy->member != m)
        copy = copy->next;
    return copy;
}

void nci_copy_hold(nci_sched *s, nci_copy *copy, int64_t held)
{
    nci_member *m = copy->member;
    m->managed += held - copy->held;
    s->managed += held - copy->held;
    if (copy->record->output >= 0)
        m->ahead += held - copy->held;
    if (s->managed > s->managed_peak)
        s->managed_peak = s->managed;
    copy->held = held;
}

nci_copy *nci_copy_add(nci_sched *s, nci_record *r, nci_member *m,
                       nci_copy_state state, int64_t held)
{
    nci_cluster *c = s->cluster;
    if (!c->free_copies && !add_block(c)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return NULL;
    }
    nci_copy *copy = c->free_copies;
    c->free_copies = copy->next;
    *copy = (nci_copy){.record = r,
                       .member = m,
                       .state = state,
                       .from = NCI_NO_WORKER,
                       .next = r->at.copies,
                       .after = m->copies,
                       .before = &m->copies};
    r->at.copies = copy;
    if (m->copies)
        m->copies->before = &copy->after;
    m->copies = copy;
    nci_copy_hold(s, copy, held);
    return copy;
}

/* The member that a fetch asks has one fetch less. */
static void end_source(nci_copy *copy)
{
    if (copy->from == NCI_NO_WORKER)
        return;
    for (nci_copy *source = copy->record->at.copies; source;
         source = source->next)
        if (source->member->number == copy->from)
            source->sources--;
    copy->from = NCI_NO_WORKER;
}

/* Who fetches it from here has nobody to ask any more. */
static void end_fetches(nci_copy *copy)
{
    nci_copy *other = copy->sources ? copy->record->at.copies : NULL;
    for (; other; other = other->next)
        if (other->state == NCI_COPY_COMING &&
            other->from == copy->member->number)
            other->from = NCI_NO_WORKER;
}

void nci_copy_remove(nci_sched *s, nci_copy *copy)
{
    nci_cluster *c = s->cluster;
    nci_copy **link = &copy->record->at.copies;
    if (copy->state == NCI_COPY_COMING)
        end_source(copy);
    else
        end_fetches(copy);
    if (copy->state == NCI_COPY_SPILLING)
        copy->member->leaving -= copy->held;
    nci_copy_hold(s, copy, 0);
    while (*link != copy)
        link = &(*link)->next;
    *link = copy->next;
    *copy->before = copy->after;
    if (copy->after)
        copy->after->before = copy->before;
    copy->next = c->free_copies;
    c->free_copies = copy;
}

/* ---- fetching ------------------------------------------------------------------- */

/* Rather from memory than from disk, from one that answers, from one that
 * serves few. */
static int64_t rate(const nci_copy *copy)
{
    int64_t rating = copy->sources;
    if (copy->member->state == NCI_MEMBER_SUSPECT)
        rating += 1 << 20;
    if (copy->state == NCI_COPY_DISK)
        rating += 4;
    return rating;
}

nci_copy *nci_copy_source(const nci_record *r, const nci_member *target)
{
    nci_copy *best = NULL;
    for (nci_copy *copy = r->at.copies; copy; copy = copy->next)
        if (nci_copy_is_there(copy) && copy->member != target &&
            (!best || rate(copy) < rate(best)))
            best = copy;
    return best;
}

/* Where it is about to be made. */
static const nci_lease *find_maker(const nci_record *r,
                                   const nci_member *target)
{
    const nci_lease *live =
        r->state == NCI_TASK_RUNNING ? nci_lease_live(r) : NULL;
    return live && live->member != target ? live : NULL;
}

bool nci_copy_fetch(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_record *r = copy->record;
    nci_copy *source = nci_copy_source(r, copy->member);
    const nci_lease *maker = source ? NULL : find_maker(r, copy->member);
    nci_action fetch = {.kind = NCI_ACTION_FETCH,
                        .worker = copy->member->number,
                        .task = r->task,
                        .attempt = ++s->cluster->transfers,
                        .from = NCI_CHECKPOINT,
                        .bytes = r->output >= 0 ? copy->held : r->bytes};
    if (source)
        fetch.from = source->member->number;
    else if (maker)
        fetch.from = maker->member->number;
    else if (!r->at.is_checkpointed)
        return false;
    copy->transfer = fetch.attempt;
    copy->from = fetch.from;
    if (source)
        source->sources++;
    nci_cluster_say(s, actions, fetch);
    return true;
}

void nci_copy_load(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_action load = {.kind = NCI_ACTION_LOAD,
                       .worker = copy->member->number,
                       .task = copy->record->task,
                       .attempt = ++s->cluster->transfers};
    copy->state = NCI_COPY_LOADING;
    copy->transfer = load.attempt;
    nci_copy_hold(s, copy, copy->record->bytes);
    nci_cluster_say(s, actions, load);
}

void nci_copy_came(nci_copy *copy)
{
    end_source(copy);
    copy->state = NCI_COPY_MEMORY;
    copy->is_early = copy->is_moving = false;
}

/* It is here before its maker's answer; or its task was given up meanwhile, and
 * need not run again. */
static void end_early(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_record *r = copy->record;
    s->cluster->fetched += r->bytes;
    if (r->state == NCI_TASK_RUNNING && nci_lease_live(r))
        copy->is_early = true;
    else
        nci_cluster_finish(s, r, copy->member, r->bytes, actions);
}

static void end_fetch(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    uint32_t from = copy->from;
    bool is_moving = copy->is_moving;
    nci_record *r = copy->record;
    if (r->state <= NCI_TASK_RUNNING) {
        end_early(s, copy, actions);
        return;
    }
    nci_copy_came(copy);
    s->cluster->fetched += r->bytes;
    if (!r->left && r->output < 0) { /* nobody needs it any more */
        nci_cluster_drop(s, r, actions);
        return;
    }
    nci_member *source = nci_cluster_member(s->cluster, from);
    if (is_moving && source && source->state == NCI_MEMBER_DRAINING) {
        s->cluster->moved += r->bytes;
        nci_drain_go_on(s, source, actions);
    }
}

/* A fetch that failed: from somebody else, or from the same once more. Who
 * refuses again and again has not got it. */
static void retry_fetch(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_record *r = copy->record;
    nci_member *asked = nci_cluster_member(s->cluster, copy->from);
    bool was_checkpoint = copy->from == NCI_CHECKPOINT;
    end_source(copy);
    copy->refusals++;
    if (copy->refusals >= MAX_REFUSALS) {
        nci_copy *dead = asked ? nci_copy_find(r, asked) : NULL;
        copy->refusals = 0;
        if (dead && nci_copy_is_there(dead) && !dead->pins)
            nci_copy_drop(s, dead, actions);
        if (was_checkpoint)
            r->at.is_checkpointed = false;
    }
    if (!nci_copy_fetch(s, copy, actions))
        nci_lineage_check_copies(s, r, actions);
}

/* ---- room --------------------------------------------------------------------------- */

void nci_copy_drop(nci_sched *s, nci_copy *copy, nci_actions *actions)
{
    nci_action drop = {.kind = NCI_ACTION_RELEASE,
                       .worker = copy->member->number,
                       .task = copy->record->task};
    nci_cluster_say(s, actions, drop);
    nci_member_touch(s, copy->member);
    nci_copy_remove(s, copy);
}

/* ---- events ----------------------------------------------------------------------------- */

static void handle_copy(nci_sched *s, nci_copy *copy, const nci_event *event,
                        nci_actions *actions)
{
    nci_copy_state state = copy->state;
    switch (event->kind) {
    case NCI_EVENT_FETCHED:
        if (state == NCI_COPY_COMING && !copy->is_early)
            end_fetch(s, copy, actions);
        break;
    case NCI_EVENT_FETCH_FAILED:
        if (state == NCI_COPY_COMING)
            retry_fetch(s, copy, actions);
        break;
    case NCI_EVENT_SPILLED:
        if (state == NCI_COPY_SPILLING)
            nci_room_spilled(s, copy, actions);
        break;
    case NCI_EVENT_LOADED:
        if (state == NCI_COPY_LOADING)
            copy->state = NCI_COPY_MEMORY;
        break;
    case NCI_EVENT_SPILL_FAILED:
        if (state == NCI_COPY_SPILLING || state == NCI_COPY_LOADING)
            nci_room_failed(s, copy, event->status);
        break;
    default:
        break;
    }
}

void nci_copy_event(nci_sched *s, nci_member *m, const nci_event *event,
                    nci_actions *actions)
{
    nci_record *r = nci_records_find(&s->records, event->task);
    nci_copy *copy = r ? nci_copy_find(r, m) : NULL;
    if (copy && (copy->transfer == event->attempt ||
                 (s->cluster->faults & NCI_FAULT_NO_EPOCH)))
        handle_copy(s, copy, event, actions);
}
