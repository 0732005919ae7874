/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which member a ready task goes to. A task with inputs goes where it would
 * start first; candidates are those that have inputs of it, and a few that have
 * nothing to do. Tasks without inputs belong together where they have the same
 * first user (a cohort): they wait, loose, for a member with free cores, which
 * then gets all of the cohort.
 */
#include "base/mem.h"
#include "engine/sched/cluster_internal.h"

enum { MAX_CANDIDATES = 8, MAX_IDLE = 2, DEFAULT_NS = 1000000 };

/* ---- costs ----------------------------------------------------------------------- */

int64_t nci_place_estimate(const nci_sched *s, const nci_record *r)
{
    int64_t known = s->cluster->estimates[r->layer - s->plan->layers];
    return known ? known : DEFAULT_NS;
}

static int64_t transfer_ns(const nci_member *m, int64_t bytes)
{
    return (int64_t)(1e9 * (double)bytes / (double)m->bandwidth);
}

int64_t nci_place_cost(const nci_sched *s, const nci_record *r,
                       const nci_member *m, int64_t missing)
{
    const nci_cluster *c = s->cluster;
    int64_t cost = m->load / m->threads;
    int64_t estimate = nci_place_estimate(s, r);
    if (missing)
        cost += c->options.latency + transfer_ns(m, missing);
    /* What does not fit has to wait for something to be written. */
    int64_t over = m->managed + r->need + missing - m->limit;
    if (over > 0)
        cost += transfer_ns(m, over);
    if (m->end && c->now + cost + estimate > m->end)
        return INT64_MAX; /* it would not come to its end */
    return cost;
}

/* ---- candidates ------------------------------------------------------------------- */

typedef struct candidate {
    nci_member *member;
    int64_t local; /* bytes of the inputs there */
} candidate;

typedef struct survey {
    const nci_sched *sched;
    candidate list[MAX_CANDIDATES];
    int count, ninputs;
    int64_t total; /* bytes of all inputs */
} survey;

static void credit(survey *v, nci_member *m, int64_t bytes)
{
    int i = 0;
    if (m->state != NCI_MEMBER_ACTIVE)
        return;
    while (i < v->count && v->list[i].member != m)
        i++;
    if (i == MAX_CANDIDATES)
        return;
    if (i == v->count)
        v->list[v->count++] = (candidate){m, 0};
    v->list[i].local += bytes;
}

static void survey_input(void *ctx, int input, int64_t task)
{
    survey *v = ctx;
    const nci_record *r = nci_records_find(&v->sched->records, task);
    (void)input;
    v->ninputs++;
    v->total += r->bytes;
    for (const nci_copy *copy = r->at.copies; copy; copy = copy->next)
        credit(v, copy->member, r->bytes);
    const nci_lease *live =
        r->state == NCI_TASK_RUNNING ? nci_lease_live(r) : NULL;
    if (live)
        credit(v, live->member, r->bytes);
}

/* Those with nothing to do, or else just any: their turn comes in a circle. */
static void add_others(nci_sched *s, survey *v)
{
    nci_cluster *c = s->cluster;
    nci_member *m = c->hungry;
    for (int i = 0; m && i < MAX_IDLE; i++, m = m->next_hungry)
        credit(v, m, 0);
    if (!v->count && c->nactive)
        credit(v, c->active[c->cursor++ % c->nactive], 0);
}

static nci_member *choose(const nci_sched *s, const nci_record *r,
                          const survey *v)
{
    nci_member *best = NULL, *last = NULL;
    int64_t least = INT64_MAX;
    for (int i = 0; i < v->count; i++) {
        nci_member *m = v->list[i].member;
        int64_t cost = nci_place_cost(s, r, m, v->total - v->list[i].local);
        if (!last || !m->end || (last->end && m->end > last->end))
            last = m;
        if (cost < least && !nci_lease_find(r, m)) {
            least = cost;
            best = m;
        }
    }
    return best ? best : last;
}

nci_member *nci_place_choose(nci_sched *s, const nci_record *r)
{
    survey v = {.sched = s};
    nci_plan_deps(s->plan, r->task, survey_input, &v);
    if (r->waiting == 0)
        add_others(s, &v);
    return choose(s, r, &v);
}

/* ---- queues ------------------------------------------------------------------------ */

void nci_place_push(nci_sched *s, nci_member *m, nci_record *r)
{
    if (!nci_heap_reserve(&m->queue, m->queue.count + 1)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    nci_heap_push(&m->queue, r);
    r->state = NCI_TASK_ADMITTED;
    r->at.member = m;
    r->at.estimate = nci_place_estimate(s, r);
    m->load += r->at.estimate;
    s->cluster->unsent++;
    nci_member_touch(s, m);
}

void nci_place_unqueue(nci_sched *s, nci_record *r)
{
    nci_cluster *c = s->cluster;
    if (r->state == NCI_TASK_READY && !nci_heap_remove(&c->loose, r))
        nci_heap_remove(&s->ready, r);
    if (r->state != NCI_TASK_ADMITTED)
        return;
    nci_member *m = r->at.member;
    bool was_lowest = m->queue.items[0] == r;
    if (was_lowest)
        nci_heap_pop(&m->queue);
    else
        nci_heap_remove(&m->queue, r);
    m->load -= r->at.estimate;
    c->unsent--;
    r->at.member = NULL;
    r->state = NCI_TASK_READY;
    if (m->is_blocked && was_lowest && m->queue.count)
        nci_member_touch(s, m);
}

/* ---- cohorts ------------------------------------------------------------------------- */

typedef struct first_user {
    const uint64_t *needed;
    int64_t task;
} first_user;

static void keep_first(void *ctx, int input, int64_t task)
{
    first_user *f = ctx;
    (void)input;
    if (f->task < 0 &&
        (!f->needed || (f->needed[task >> 6] >> (task & 63) & 1)))
        f->task = task;
}

static int64_t cohort_of(const nci_sched *s, const nci_record *r)
{
    first_user f = {s->needed, -1};
    nci_plan_dependents(s->plan, r->task, keep_first, &f);
    return f.task;
}

static nci_member *cohort_member(const nci_sched *s, int64_t cohort)
{
    const nci_cluster *c = s->cluster;
    uintptr_t number = (uintptr_t)nci_task_map_get(&c->cohorts, cohort);
    nci_member *m =
        number ? nci_cluster_member(c, (uint32_t)(number - 1)) : NULL;
    return m && m->state == NCI_MEMBER_ACTIVE ? m : NULL;
}

void nci_place_reserve(nci_sched *s, const nci_record *r, const nci_member *m)
{
    nci_cluster *c = s->cluster;
    int64_t cohort = r->at.cohort;
    if (cohort < 0)
        return;
    nci_task_map_remove(&c->cohorts, cohort);
    if (nci_task_map_reserve(&c->cohorts)) /* else it is not kept together */
        nci_task_map_put(&c->cohorts, cohort,
                         (void *)((uintptr_t)m->number + 1));
}

void nci_place_forget_cohort(nci_sched *s, const nci_record *user)
{
    nci_task_map_remove(&s->cluster->cohorts, user->task);
}

/* ---- placing ---------------------------------------------------------------------------- */

/* What it reads is there, so it is not moved: one that has nothing to do may
 * take it away all the same (steal.c). */
static nci_member *home_member(const nci_sched *s, const nci_record *r)
{
    const nci_cluster_options *o = &s->cluster->options;
    uint32_t number = o->home ? o->home(o->home_ctx, r->task) : NCI_NO_WORKER;
    nci_member *m = number == NCI_NO_WORKER
                        ? NULL
                        : nci_cluster_member(s->cluster, number);
    return m && m->state == NCI_MEMBER_ACTIVE ? m : NULL;
}

static void place(nci_sched *s, nci_record *r)
{
    nci_cluster *c = s->cluster;
    nci_member *m = NULL;
    r->at.is_root = !r->layer->ninputs || !nci_plan_ndeps(s->plan, r->task);
    if (r->at.is_root)
        r->at.cohort = cohort_of(s, r);
    if (c->nactive && !r->at.is_root)
        m = nci_place_choose(s, r);
    else if (c->nactive && !r->at.is_stray)
        m = home_member(s, r);
    bool may_join = r->at.is_root && !r->at.is_stray && c->cohorts.count;
    if (!m && c->nactive && may_join)
        m = cohort_member(s, r->at.cohort);
    if (m) {
        nci_place_push(s, m, r);
        return;
    }
    if (nci_heap_reserve(&c->loose, c->loose.count + 1))
        nci_heap_push(&c->loose, r);
    else
        nci_sched_fail(s, NCG_ENOMEM);
}

void nci_place_ready(nci_sched *s)
{
    while (s->ready.count && !s->failure)
        place(s, nci_heap_pop(&s->ready));
}

bool nci_place_take(nci_sched *s, nci_member *m)
{
    nci_cluster *c = s->cluster;
    while (c->loose.count) {
        nci_record *r = nci_heap_pop(&c->loose);
        nci_member *other = NULL;
        if (!r->at.is_root)
            other = nci_place_choose(s, r);
        else if (!r->at.is_stray)
            other = cohort_member(s, r->at.cohort);
        if (other && other != m) {
            nci_place_push(s, other, r);
            continue;
        }
        if (r->at.is_root && !other && !r->at.is_stray)
            nci_place_reserve(s, r, m);
        nci_place_push(s, m, r);
        return true;
    }
    return false;
}
