/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events of a cluster and what follows from them. Each event changes the books
 * of the member and tasks that it names; then what was lost is made again, what
 * is ready is placed, and members with free cores are fed.
 */
#include "base/mem.h"
#include "engine/sched/cluster_internal.h"

enum { WAITING_BASE = 1024, WAITING_PER_THREAD = 16 };

/* ---- life ---------------------------------------------------------------- */

ncg_status nci_sched_open_cluster(nci_sched *s,
                                  const nci_cluster_options *options,
                                  ncg_error *err)
{
    nci_cluster *c = nci_calloc(1, sizeof *c);
    if (!c)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    c->options = *options;
    c->last_dirty = &c->dirty;
    size_t nlayers = (size_t)s->plan->nlayers + 1;
    c->estimates = nci_calloc(nlayers, sizeof *c->estimates);
    if (!c->estimates) {
        nci_free(c);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    s->cluster = c;
    s->floor = options->floor;
    return NCG_OK;
}

void nci_cluster_free(nci_sched *s)
{
    nci_cluster *c = s->cluster;
    if (!c)
        return;
    for (size_t i = 0; i < c->members.capacity; i++)
        nci_member_free(c->members.slots[i].value);
    nci_copy_free_blocks(c);
    nci_task_map_fini(&c->members);
    nci_task_map_fini(&c->cohorts);
    nci_heap_fini(&c->loose);
    nci_free(c->active);
    nci_free(c->estimates);
    nci_free(c);
    s->cluster = NULL;
}

const char *nci_sched_waits_for(const nci_sched *s)
{
    const nci_cluster *c = s->cluster;
    if (!c || s->over)
        return NULL;
    if (!c->nactive)
        return "workers";
    if (s->running)
        return NULL;
    return c->nfull    ? "room on a disk for spilled chunks (--spill-dir)"
           : c->parked ? "chunks that others compute"
                       : NULL;
}

void nci_cluster_say(nci_sched *s, nci_actions *actions, nci_action action)
{
    if (!nci_sched_emit(actions, action))
        nci_sched_fail(s, NCG_ENOMEM);
}

/* ---- tasks ------------------------------------------------------------------ */

void nci_cluster_drop(nci_sched *s, nci_record *r, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    while (r->at.copies) {
        nci_copy *copy = r->at.copies;
        nci_action drop = {.kind = NCI_ACTION_RELEASE,
                           .worker = copy->member->number,
                           .task = r->task};
        if (!(c->faults & NCI_FAULT_NO_RELEASE))
            nci_cluster_say(s, actions, drop);
        nci_member_touch(s, copy->member);
        nci_copy_remove(s, copy);
    }
    if (r->at.is_checkpointed) {
        nci_action drop = {.kind = NCI_ACTION_DROP_CHECKPOINT,
                           .worker = NCI_NO_WORKER,
                           .task = r->task};
        nci_cluster_say(s, actions, drop);
        r->at.is_checkpointed = false;
    }
    for (nci_lease *l = r->at.leases; l; l = l->next)
        nci_lease_void(s, l, actions);
    if (!r->at.leases) {
        nci_sched_release(s, r);
        return;
    }
    /* The record stays until the last answer has come. */
    r->state = NCI_TASK_GONE;
    if (r->order >= s->low && *nci_sched_window(s, r->order) == r)
        *nci_sched_window(s, r->order) = NULL;
}

typedef struct visit {
    nci_sched *sched;
    nci_actions *actions;
} visit;

static void use_input(void *ctx, int input, int64_t task)
{
    visit *v = ctx;
    nci_record *r = nci_records_find(&v->sched->records, task);
    (void)input;
    r->next_use = -1;
    if (--r->left == 0 && r->state == NCI_TASK_MEMORY)
        nci_cluster_drop(v->sched, r, v->actions);
}

typedef struct waking {
    nci_sched *sched;
    nci_actions *actions;
    nci_copy *copy; /* what has been made */
    bool is_made;   /* here; else fetched before */
} waking;

/* A task that was sent ahead of this input, to where it was made or to where
 * it will be fetched. */
static void wake_ahead(const waking *w, nci_record *r)
{
    nci_lease *lease = nci_lease_live(r);
    if (!lease)
        return;
    if (lease->member == w->copy->member)
        w->copy->pins += w->is_made; /* else it has been fetched for it */
    else if (!nci_copy_find(w->copy->record, lease->member)) {
        nci_lease_void(w->sched, lease, w->actions); /* made elsewhere */
        return;
    }
    if (!r->waiting)
        nci_lease_arrived(w->sched, lease);
}

static void wake_user(void *ctx, int input, int64_t task)
{
    waking *w = ctx;
    nci_sched *s = w->sched;
    nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (!r || r->state > NCI_TASK_RUNNING)
        return;
    r->waiting--;
    if (r->state == NCI_TASK_RUNNING) {
        wake_ahead(w, r);
    } else if (r->state == NCI_TASK_WAITING && !r->waiting) {
        s->nwaiting--;
        nci_cluster_unfinish(s, r);
    }
}

/* Those that wait for it at another member ask this one. */
static void serve_waiting(nci_sched *s, nci_copy *made, nci_actions *actions)
{
    nci_copy *copy = made->record->at.copies;
    for (; copy; copy = copy->next) {
        if (copy->state != NCI_COPY_COMING)
            continue;
        if (copy->is_early) {
            copy->from = NCI_NO_WORKER;
            nci_copy_came(copy);
        } else if (copy->from == made->member->number) {
            made->sources++;
        } else {
            nci_copy_fetch(s, copy, actions);
        }
    }
}

void nci_cluster_finish(nci_sched *s, nci_record *r, nci_member *m,
                        int64_t bytes, nci_actions *actions)
{
    visit v = {s, actions};
    bool is_placed = r->state == NCI_TASK_RUNNING;
    if (r->state == NCI_TASK_WAITING)
        s->nwaiting--;
    nci_place_unqueue(s, r);
    r->waiting = 0;
    r->state = r->output >= 0 ? NCI_TASK_STORED : NCI_TASK_MEMORY;
    waking w = {s, actions, nci_copy_find(r, m), false};
    w.is_made = !w.copy;
    if (w.copy)
        nci_copy_came(w.copy);
    else
        w.copy = nci_copy_add(s, r, m, NCI_COPY_MEMORY, bytes);
    if (!w.copy)
        return;
    for (nci_lease *l = r->at.leases; l; l = l->next)
        nci_lease_void(s, l, actions);
    if (r->layer->ninputs) {
        nci_plan_deps(s->plan, r->task, use_input, &v);
        nci_place_forget_cohort(s, r);
    }
    if (r->output >= 0)
        return;
    s->finished += !r->at.is_again;
    serve_waiting(s, w.copy, actions);
    nci_plan_dependents(s->plan, r->task, wake_user, &w);
    if (!is_placed) /* after that: who is sent now finds it there */
        nci_ahead_placed(s, r, actions);
    nci_sched_advance(s);
    if (!r->left) /* its users have been finished by others meanwhile */
        nci_cluster_drop(s, r, actions);
}

bool nci_cluster_pull(nci_sched *s, nci_actions *actions)
{
    if (!nci_sched_pull(s))
        return false;
    nci_ahead_came(s, *nci_sched_window(s, s->pulled - 1), actions);
    return true;
}

void nci_cluster_unfinish(nci_sched *s, nci_record *r)
{
    if (r->waiting) {
        r->state = NCI_TASK_WAITING;
        s->nwaiting++;
        return;
    }
    r->state = NCI_TASK_READY;
    if (!nci_heap_reserve(&s->ready,
                          s->ready.count + (size_t)s->nwaiting + 1)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    nci_heap_push(&s->ready, r);
}

void nci_cluster_get_stats(const nci_sched *s, nci_sched_stats *out)
{
    const nci_cluster *c = s->cluster;
    *out = (nci_sched_stats){
        .managed = s->managed,
        .peak = s->managed_peak,
        .records = (int64_t)s->records.map.count,
        .finished = s->finished,
        .running = s->running,
        .threads = c->threads,
        .spilled = s->spilled,
        .workers = (int)c->nactive,
        .fetched = c->fetched,
        .recomputed = c->recomputed,
        .stolen = c->stolen,
        .moved = c->moved,
    };
}

/* ---- puts -------------------------------------------------------------------- */

/* Those that can be handed out soon, from `r` on, come back meanwhile. */
static void bring_back(nci_sched *s, nci_record *r, nci_actions *actions)
{
    for (int n = s->cluster->puts; r && n < s->cluster->options.put_depth; n++) {
        if (r->state == NCI_TASK_STORED)
            nci_drain_bring_back(s, r, actions);
        r = r->next;
    }
}

static void hand_out_puts(nci_sched *s, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    if (c->puts && c->put_lost)
        return; /* until all that were handed out have come back */
    c->put_lost = false;
    while (c->puts < c->options.put_depth) {
        nci_record *r = c->puts ? c->put_last->next : s->put_first;
        const nci_copy *copy =
            r && r->state == NCI_TASK_STORED ? nci_copy_source(r, NULL) : NULL;
        if (!copy) {
            if (c->saves_puts)
                bring_back(s, r, actions);
            return;
        }
        nci_action put = {.kind = NCI_ACTION_PUT,
                          .worker = NCI_NO_WORKER,
                          .task = r->task,
                          .attempt = ++c->transfers,
                          .from = copy->member->number,
                          .bytes = copy->held};
        nci_cluster_say(s, actions, put);
        r->at.put = put.attempt;
        r->state = NCI_TASK_PUTTING;
        c->puts++;
        c->put_last = r;
    }
}

static void end_put(nci_sched *s, const nci_event *event, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    nci_record *r = nci_records_find(&s->records, event->task);
    if (!r || r->state != NCI_TASK_PUTTING || r->at.put != event->attempt)
        return;
    c->puts--;
    if (event->kind == NCI_EVENT_PUT_LOST) {
        r->state = NCI_TASK_STORED;
        c->put_lost = true;
        nci_lineage_check_copies(s, r, actions);
        return;
    }
    if (r != s->put_first) { /* its file is not what it should be */
        nci_sched_fail(s, NCG_EBUG);
        return;
    }
    s->put_first = r->next;
    if (!s->put_first)
        s->put_last = NULL;
    else if (s->put_first->state == NCI_TASK_ADMITTED)
        nci_member_touch(s, s->put_first->at.member);
    r->next = NULL;
    r->state = NCI_TASK_MEMORY; /* finished: the window may pass it */
    nci_sched_advance(s);
    nci_cluster_drop(s, r, actions);
    s->finished++;
}

/* ---- events -------------------------------------------------------------------- */

static void member_event(nci_sched *s, const nci_event *event,
                         nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    nci_member *m = nci_cluster_member(c, event->worker);
    if (!m && (c->faults & NCI_FAULT_NO_EPOCH) && c->nactive)
        m = c->active[c->nactive - 1];
    if (!m)
        return; /* it has left */
    switch (event->kind) {
    case NCI_EVENT_TASK_DONE:
    case NCI_EVENT_TASK_FAILED:
    case NCI_EVENT_RECALLED:
        nci_lease_event(s, m, event, actions);
        break;
    case NCI_EVENT_WORKER_LEFT:
        nci_member_leave(s, m, actions);
        return;
    case NCI_EVENT_WORKER_SUSPECT:
        nci_member_suspect(s, m, actions);
        break;
    case NCI_EVENT_WORKER_BACK:
        nci_member_back(s, m);
        break;
    case NCI_EVENT_WORKER_DRAIN:
        nci_drain_start(s, m, actions);
        break;
    case NCI_EVENT_CHECKPOINTED:
    case NCI_EVENT_CHECKPOINT_FAILED:
        nci_drain_event(s, m, event, actions);
        break;
    default:
        nci_copy_event(s, m, event, actions);
    }
    if (m->state == NCI_MEMBER_DRAINING)
        nci_drain_go_on(s, m, actions);
    nci_member_touch(s, m);
}

static void handle(nci_sched *s, const nci_event *event, nci_actions *actions)
{
    switch (event->kind) {
    case NCI_EVENT_PUT_DONE:
    case NCI_EVENT_PUT_LOST:
        end_put(s, event, actions);
        break;
    case NCI_EVENT_TICK:
        nci_drain_tick(s, actions);
        nci_room_tick(s);
        break;
    case NCI_EVENT_ARRIVED:
        nci_arrive_look(s, actions);
        break;
    case NCI_EVENT_CANCEL:
        nci_sched_fail(s, NCG_ECANCELED);
        break;
    case NCI_EVENT_TASK_FAILED:
        if (event->worker == NCI_NO_WORKER) { /* a put */
            nci_sched_fail(s, event->status ? event->status : NCG_EBUG);
            break;
        }
        member_event(s, event, actions);
        break;
    default:
        member_event(s, event, actions);
    }
}

static void say_end(nci_sched *s, nci_actions *actions)
{
    nci_action last = {.kind = NCI_ACTION_FAILED,
                       .worker = NCI_NO_WORKER,
                       .status = s->failure};
    if (!s->failure && (!s->walked || s->low < s->pulled))
        return;
    if (!s->failure)
        last.kind = NCI_ACTION_DONE;
    s->over = nci_sched_emit(actions, last);
}

ncg_status nci_cluster_handle(nci_sched *s, const nci_event *event,
                              nci_actions *actions, ncg_error *err)
{
    nci_cluster *c = s->cluster;
    if (event->now > c->now)
        c->now = event->now;
    if (s->over)
        return NCG_OK;
    if (event->kind == NCI_EVENT_WORKER_JOINED) {
        nci_action none = {0}; /* the last action has room from now on */
        if (!nci_sched_emit(actions, none))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        actions->count--;
        NCI_TRY(nci_member_join(s, event, err));
        s->max_waiting = WAITING_BASE + WAITING_PER_THREAD * (int64_t)c->threads;
    } else {
        handle(s, event, actions);
    }
    if (!s->failure)
        nci_lineage_recover(s, actions);
    if (!s->failure)
        nci_feed_all(s, actions);
    if (!s->failure)
        hand_out_puts(s, actions);
    say_end(s, actions);
    return NCG_OK;
}
