/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The invariants of the scheduler, computed anew from its records. Slow, for
 * tests and the simulator. After a failure only the sums still hold.
 */
#include "engine/sched/cluster_internal.h"

typedef struct sums {
    int64_t held, ahead, waiting;
    int threads, running;
} sums;

typedef struct links {
    const nci_sched *sched;
    int64_t missing, left;
} links;

static void count_missing(void *ctx, int input, int64_t task)
{
    links *l = ctx;
    const nci_record *r = nci_records_find(&l->sched->records, task);
    (void)input;
    l->missing += !r || r->state != NCI_TASK_MEMORY;
}

/* A user has used its inputs when it has run: no record, or one beyond. */
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

static void count_pins(void *ctx, int input, int64_t task)
{
    links *l = ctx;
    const nci_record *r = nci_records_find(&l->sched->records, task);
    (void)input;
    l->left += r && (r->state == NCI_TASK_ADMITTED ||
                     r->state == NCI_TASK_RUNNING);
}

static void count_coming(void *ctx, int input, int64_t task)
{
    links *l = ctx;
    const nci_record *r = nci_records_find(&l->sched->records, task);
    (void)input;
    l->missing += r->place > NCI_PLACE_SPILLING;
}

static const char *check_place(const nci_sched *s, const nci_record *r)
{
    links l = {.sched = s};
    nci_plan_dependents(s->plan, r->task, count_pins, &l);
    if (r->state == NCI_TASK_MEMORY && l.left != r->pins)
        return "the count of users under way is wrong";
    if (r->place == NCI_PLACE_DISK && (r->held || r->pins))
        return "an output on disk holds memory or is in use";
    if (r->place != NCI_PLACE_DISK && r->state == NCI_TASK_MEMORY &&
        r->held != r->bytes)
        return "an output in memory does not hold its bytes";
    if (r->place == NCI_PLACE_DISK && !r->on_disk)
        return "an output on disk has no copy there";
    if (r->state == NCI_TASK_RUNNING)
        nci_plan_deps(s->plan, r->task, count_coming, &l);
    return l.missing ? "a task runs without its inputs in memory" : NULL;
}

static const char *check_record(const nci_sched *s, const nci_record *r,
                                sums *sum)
{
    links l = {.sched = s};
    sum->held += r->held;
    sum->ahead += nci_sched_share_ahead(s, r);
    sum->threads += r->threads;
    sum->running += r->threads > 0;
    sum->waiting += r->state == NCI_TASK_WAITING;
    if (s->failure)
        return NULL;
    if (r->order >= s->pulled ||
        (r->order >= s->low && *nci_sched_window(s, r->order) != r))
        return "a record is not in the window";
    if (r->order < s->low && r->state != NCI_TASK_MEMORY)
        return "an unfinished task lies below the lowest one";
    nci_plan_deps(s->plan, r->task, count_missing, &l);
    if (r->state <= NCI_TASK_RUNNING && l.missing != r->waiting)
        return "the count of missing inputs is wrong";
    nci_plan_dependents(s->plan, r->task, count_left, &l);
    if (l.left != r->left)
        return "the count of users is wrong";
    if (r->state == NCI_TASK_MEMORY && !r->left && !r->is_dropped)
        return "an output without users is held";
    bool is_busy = r->state == NCI_TASK_RUNNING || r->state == NCI_TASK_PUTTING;
    if (s->rank)
        return check_place(s, r);
    if (is_busy != (r->threads > 0))
        return "the cores of a task do not fit its state";
    if (r->state <= NCI_TASK_READY && r->held)
        return "a task that does not run holds memory";
    return NULL;
}

static const char *check_sums(const nci_sched *s, const sums *sum)
{
    if (sum->held != s->managed)
        return "the sum of managed bytes is wrong";
    if (sum->threads != s->threads - s->idle ||
        s->idle < -s->threads * NCI_SCHED_AHEAD)
        return "the sum of cores is wrong";
    if (sum->running != s->running)
        return "the number of running tasks is wrong";
    if (s->has_worker && s->managed > s->limit)
        return "managed bytes exceed the limit";
    if (s->failure)
        return NULL;
    if (sum->ahead != s->ahead)
        return "the sum of bytes ahead is wrong";
    if (sum->waiting != s->nwaiting)
        return "the number of waiting tasks is wrong";
    if (s->has_worker && !s->over && !s->running)
        return "nothing runs, but the run is not over";
    return NULL;
}

bool nci_sched_check(const nci_sched *s, ncg_error *err)
{
    const char *broken = NULL;
    int64_t task = -1;
    sums sum = {0};
    if (s->cluster)
        return nci_cluster_check(s, err);
    for (size_t i = 0; i < s->records.map.capacity && !broken; i++) {
        const nci_record *r = s->records.map.slots[i].value;
        if (!r)
            continue;
        task = r->task;
        broken = check_record(s, r, &sum);
    }
    if (!broken) {
        task = -1;
        broken = check_sums(s, &sum);
    }
    if (broken)
        nci_fail(err, NCG_EBUG, "%s (task %lld)", broken, (long long)task);
    return !broken;
}
