/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Admission: a task is sent to a member once its output, its scratch and those
 * of its inputs that are not in memory there have room, all at once. From then
 * on it needs nothing more, so that what has been sent comes to its end.
 */
#include "engine/sched/cluster_internal.h"

typedef struct admission {
    nci_sched *sched;
    nci_member *member;
    nci_actions *actions;
    int64_t missing; /* bytes to come */
    int64_t inputs;  /* bytes of all inputs */
    bool is_barred;  /* an old answer has to come first */
} admission;

static void look_at_input(void *ctx, int input, int64_t task)
{
    admission *a = ctx;
    const nci_record *r = nci_records_find(&a->sched->records, task);
    const nci_copy *copy = nci_copy_find(r, a->member);
    const nci_lease *lease = nci_lease_find(r, a->member);
    (void)input;
    a->inputs += r->bytes;
    if (lease && lease->is_void)
        a->is_barred = true;
    if (copy ? copy->state == NCI_COPY_DISK : !lease)
        a->missing += r->bytes;
}

static void pin_input(void *ctx, int input, int64_t task)
{
    admission *a = ctx;
    nci_sched *s = a->sched;
    nci_record *r = nci_records_find(&s->records, task);
    nci_copy *copy = nci_copy_find(r, a->member);
    bool is_booked = !(s->cluster->faults & NCI_FAULT_NO_BOOKING);
    (void)input;
    if (!copy && nci_lease_find(r, a->member))
        return; /* it is made there: see nci_cluster_finish */
    if (!copy) {
        copy = nci_copy_add(s, r, a->member, NCI_COPY_COMING,
                            is_booked ? r->bytes : 0);
        if (!copy)
            return;
        nci_copy_fetch(s, copy, a->actions);
    } else if (copy->state == NCI_COPY_DISK) {
        nci_copy_load(s, copy, a->actions);
    }
    copy->pins += !(s->cluster->faults & NCI_FAULT_NO_PINS);
}

/* STORE outputs stay until it is their turn, and so do tasks that wait for
 * inputs: what these take leaves room for the largest task. */
static bool fits_ahead(const nci_sched *s, const nci_member *m,
                       const nci_record *r, int64_t charge)
{
    if (r->output >= 0 && r == s->put_first && !r->waiting)
        return true;
    return m->ahead + charge <= m->limit - s->floor;
}

typedef struct keeping {
    const admission *admission;
    int change;
} keeping;

static void keep_input(void *ctx, int input, int64_t task)
{
    const keeping *k = ctx;
    const admission *a = k->admission;
    nci_copy *copy =
        nci_copy_find(nci_records_find(&a->sched->records, task), a->member);
    (void)input;
    if (copy)
        copy->pins += k->change;
}

/* What is used after `order` makes room, but for its inputs. */
static bool make_room(const admission *a, const nci_record *r, int64_t order,
                      int64_t need)
{
    nci_sched *s = a->sched;
    keeping k = {a, 1};
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, keep_input, &k);
    bool has_room = nci_room_make(s, a->member, order, need, a->actions);
    k.change = -1;
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, keep_input, &k);
    return has_room;
}

static bool find_room(const admission *a, const nci_record *r, int threads,
                      int64_t need)
{
    const nci_member *m = a->member;
    if (m->managed + need <= m->limit)
        return true;
    if (r->waiting || threads > 1)
        return false;
    /* More to hold while there is something to finish: let that end first. */
    if (r->at.is_root && m->leases)
        return false;
    /* With nothing else under way there all makes room. */
    return make_room(a, r, m->leases ? r->order : -1, need);
}

bool nci_admit(nci_sched *s, nci_member *m, nci_record *r, int threads,
               nci_actions *actions)
{
    admission a = {.sched = s, .member = m, .actions = actions};
    int64_t held = r->need, charge = 0;
    if (nci_lease_find(r, m))
        return false;
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, look_at_input, &a);
    if (threads > 1)
        held = r->bytes + s->costs.scratch(s->costs.ctx, r->task, threads);
    if (r->waiting)
        charge = held + a.inputs;
    else if (r->output >= 0)
        charge = held;
    if (a.is_barred || (charge && !fits_ahead(s, m, r, charge)) ||
        !find_room(&a, r, threads, held + a.missing))
        return false;
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, pin_input, &a);
    nci_lease *lease = nci_lease_add(s, r, m, threads, held, charge);
    if (!lease)
        return false;
    nci_action run = {.kind = NCI_ACTION_RUN,
                      .worker = m->number,
                      .task = r->task,
                      .attempt = lease->attempt,
                      .threads = threads};
    nci_cluster_say(s, actions, run);
    r->state = NCI_TASK_RUNNING;
    nci_ahead_placed(s, r, actions);
    return true;
}
