/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler itself tells what a plan will hold: it is driven with tasks
 * that end in the order they began, as they do where all take about as long.
 * What another timing may add is bounded by one task more on every thread.
 */
#include "engine/predict.h"

#include <string.h>

#include "base/mem.h"
#include "engine/costs.h"
#include "engine/executor_internal.h"
#include "engine/sched/choose.h"
#include "engine/tile_cache.h"

/* Of a plan whose tasks are too many to look at each, so many are rehearsed: the
 * bound on its peak stands for the others. */
enum { MANY_EVENTS = 1 << 18 };

typedef struct rehearsal {
    const nci_plan *plan;
    nci_sched *sched;
    nci_actions actions;
    nci_action *queue; /* begun, not ended; a ring would do as well */
    size_t first, count, capacity;
    int64_t largest; /* bytes that one task takes at most */
    const nci_costs *costs;
} rehearsal;

static ncg_status enqueue(rehearsal *r, const nci_action *action,
                          ncg_error *err)
{
    if (r->first > 4096 && 2 * r->first > r->count) {
        memmove(r->queue, r->queue + r->first,
                (r->count - r->first) * sizeof *r->queue);
        r->count -= r->first;
        r->first = 0;
    }
    if (!nci_grow(&r->queue, &r->capacity, r->count + 1, sizeof *r->queue))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    r->queue[r->count++] = *action;
    if (action->kind == NCI_ACTION_RUN) {
        int64_t bytes =
            nci_plan_bytes(r->plan, action->task) +
            nci_costs_scratch((void *)r->costs, action->task, action->threads);
        r->largest = bytes > r->largest ? bytes : r->largest;
    }
    return NCG_OK;
}

/* Takes the actions that the last event gave; true in *over at the end. */
static ncg_status follow(rehearsal *r, bool *over, ncg_error *err)
{
    for (size_t i = 0; i < r->actions.count; i++) {
        const nci_action *action = &r->actions.items[i];
        if (action->kind == NCI_ACTION_RUN || action->kind == NCI_ACTION_PUT)
            NCI_TRY(enqueue(r, action, err));
        else if (action->kind == NCI_ACTION_DONE ||
                 action->kind == NCI_ACTION_FAILED)
            *over = true;
    }
    r->actions.count = 0;
    return NCG_OK;
}

static ncg_status rehearse(rehearsal *r, int threads, int64_t limit,
                           int64_t nevents, ncg_error *err)
{
    bool over = false;
    nci_event event = {
        .kind = NCI_EVENT_WORKER_JOINED, .threads = threads, .limit = limit};
    for (int64_t i = 0; i < nevents; i++) {
        NCI_TRY(nci_sched_handle(r->sched, &event, &r->actions, err));
        NCI_TRY(follow(r, &over, err));
        if (over || r->first == r->count)
            return NCG_OK;
        const nci_action *next = &r->queue[r->first++];
        event = (nci_event){.kind = next->kind == NCI_ACTION_RUN
                                        ? NCI_EVENT_TASK_DONE
                                        : NCI_EVENT_PUT_DONE,
                            .task = next->task,
                            .attempt = next->attempt,
                            .bytes = nci_plan_bytes(r->plan, next->task)};
    }
    return NCG_OK;
}

/* Of tasks that were not rehearsed: what one of any layer takes at most. */
static int64_t largest_of_layers(const nci_plan *plan, nci_costs *costs)
{
    int64_t most = 0;
    for (int l = 0; l < plan->nlayers; l++) {
        int64_t bytes = nci_plan_most_bytes(plan, &plan->layers[l]) +
                        nci_costs_most_scratch(costs, l);
        most = bytes > most ? bytes : most;
    }
    return most;
}

ncg_status nci_predict(const nci_executor *executor, const nci_plan *plan,
                       const nci_source_table *sources, nci_prediction *out,
                       ncg_error *err)
{
    nci_costs kernel = {.plan = plan,
                        .sources = sources,
                        .kernels = nci_executor_kernels(executor),
                        .encodes = true};
    nci_sched_costs costs = {&kernel, nci_costs_scratch, nci_costs_threads};
    rehearsal r = {.plan = plan, .costs = &kernel};
    int threads = nci_executor_threads(executor);
    nci_prediction found = {0};
    nci_sched_choice choice = {0};
    int64_t room =
        nci_executor_room(executor, nci_executor_limit(executor), 0, 0);
    const nci_sched_limits limits = {.most_scratch = nci_costs_most_scratch,
                                     .enough = room / 2};
    NCI_TRY(nci_sched_choose_within(plan, &costs, &limits, &choice, err));
    ncg_status st =
        nci_sched_floor_within(plan, &costs, &limits, &found.least, err);
    if (found.least > choice.peak)
        found.least = choice.peak;
    int64_t given = nci_executor_room(executor, nci_executor_limit(executor),
                                      choice.peak, found.least);
    int64_t limit = given;
    if (limit < choice.peak) /* it will spill, which is not rehearsed */
        limit = choice.peak;
    if (!st)
        st = nci_sched_create(plan, &costs, &choice, &r.sched, err);
    nci_sched_stats stats = {0};
    if (!st) {
        st = rehearse(&r, threads, limit,
                      choice.is_bound ? MANY_EVENTS : INT64_MAX, err);
        nci_sched_get_stats(r.sched, &stats);
    }
    if (choice.is_bound) {
        int64_t most = largest_of_layers(plan, &kernel);
        r.largest = most > r.largest ? most : r.largest;
        stats.peak = stats.peak > choice.peak ? stats.peak : choice.peak;
    }
    found.peak = stats.peak + threads * r.largest;
    if (found.peak > given)
        found.peak = given > found.least ? given : found.least;
    found.spills = choice.peak > given;
    found.want = nci_tile_cache_want(plan, sources);
    found.kept = nci_tile_cache_room(found.want, given, found.peak);
    nci_sched_free(&r.sched);
    nci_sched_choice_fini(&choice);
    nci_free(r.queue);
    nci_free(r.actions.items);
    if (!st)
        *out = found;
    return st;
}
