/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The greedy order. Among the users of all outputs that are alive the one is
 * next that costs least: the bytes of what is still missing for it and of its
 * own output, less what its inputs free. Where nothing is alive, the walk of
 * the outputs gives the next task. Each step looks at all that is alive, so
 * this is for small plans, and it gives up when it has looked too often.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/sched/choose.h"

enum { MOST_LOOKS = 1 << 20, MOST_MISSING = 64 };

typedef struct greedy {
    const nci_plan *plan;
    nci_order walk;     /* gives what is next where nothing is alive */
    uint8_t *done;      /* one a task */
    int64_t *left;      /* unfinished needed users, once an input */
    int64_t *live;      /* tasks whose output is alive */
    int64_t *live_at;   /* where a task stands in `live` */
    int64_t *stamp;     /* of the look that saw a task */
    int64_t *considered; /* the step that did, from 1 */
    int64_t step;
    uint64_t *needed;   /* NULL: all */
    int64_t nlive, look, looks;
    int64_t *list, count;
    /* of the task that is looked at: */
    int64_t missing[MOST_MISSING];
    int nmissing;
    int64_t cost, best_cost, best;
} greedy;

static bool is_needed(const greedy *g, int64_t task)
{
    return !g->needed || (g->needed[task >> 6] >> (task & 63) & 1);
}

static bool is_store(const greedy *g, int64_t task)
{
    return nci_plan_layer(g->plan, task)->kind == NCI_LAYER_STORE;
}

/* ---- doing a task -----------------------------------------------------------
 */

static void leave(greedy *g, int64_t task)
{
    int64_t at = g->live_at[task], last = g->live[--g->nlive];
    g->live[at] = last;
    g->live_at[last] = at;
}

static void use_input(void *ctx, int input, int64_t task)
{
    greedy *g = ctx;
    (void)input;
    if (--g->left[task] == 0)
        leave(g, task);
}

static void run_task(greedy *g, int64_t task)
{
    g->done[task] = 1;
    g->list[g->count++] = task;
    if (nci_plan_layer(g->plan, task)->ninputs)
        nci_plan_deps(g->plan, task, use_input, g);
    g->left[task] = nci_needed_dependents(g->plan, g->needed, task);
    if (is_store(g, task) || !g->left[task])
        return;
    g->live_at[task] = g->nlive;
    g->live[g->nlive++] = task;
}

/* ---- what a task costs -------------------------------------------------------
 */

static void note_missing(void *ctx, int input, int64_t task)
{
    greedy *g = ctx;
    (void)input;
    g->looks++;
    if (g->stamp[task] == g->look)
        return;
    g->stamp[task] = g->look;
    if (g->done[task]) {
        if (g->left[task] == 1)
            g->cost -= nci_plan_bytes(g->plan, task);
        return;
    }
    if (g->nmissing < MOST_MISSING)
        g->missing[g->nmissing++] = task;
    else
        g->cost += nci_plan_bytes(g->plan, task);
}

/* Everything that has to run for `task`, nearest first. */
static void look_at(greedy *g, int64_t task)
{
    g->look++;
    g->cost = 0;
    g->nmissing = 0;
    note_missing(g, 0, task);
    for (int i = 0; i < g->nmissing; i++) {
        int64_t next = g->missing[i];
        if (!is_store(g, next))
            g->cost += nci_plan_bytes(g->plan, next);
        if (nci_plan_layer(g->plan, next)->ninputs)
            nci_plan_deps(g->plan, next, note_missing, g);
    }
}

static void consider(void *ctx, int input, int64_t task)
{
    greedy *g = ctx;
    (void)input;
    if (g->done[task] || g->considered[task] == g->step ||
        g->looks >= MOST_LOOKS || !is_needed(g, task))
        return;
    g->considered[task] = g->step;
    look_at(g, task);
    if (g->best < 0 || g->cost < g->best_cost ||
        (g->cost == g->best_cost && task < g->best)) {
        g->best = task;
        g->best_cost = g->cost;
    }
}

/* ---- the list -----------------------------------------------------------------
 */

typedef struct first_missing {
    const greedy *greedy;
    const int64_t *weight;
    int64_t task;
} first_missing;

static void find_first(void *ctx, int input, int64_t task)
{
    first_missing *f = ctx;
    (void)input;
    if (f->greedy->done[task])
        return;
    if (f->task < 0 || f->weight[task] > f->weight[f->task])
        f->task = task;
}

/* The first task to run for `task`: itself, or one that it needs. */
static int64_t descend(const greedy *g, const int64_t *weight, int64_t task)
{
    for (;;) {
        first_missing f = {g, weight, -1};
        if (nci_plan_layer(g->plan, task)->ninputs)
            nci_plan_deps(g->plan, task, find_first, &f);
        if (f.task < 0)
            return task;
        task = f.task;
    }
}

static ncg_status step(greedy *g, const int64_t *weight, bool *is_end,
                       ncg_error *err)
{
    int64_t task = -1;
    g->best = -1;
    g->step++;
    for (int64_t i = 0; i < g->nlive; i++)
        nci_plan_dependents(g->plan, g->live[i], consider, g);
    if (g->best < 0) {
        do
            NCI_TRY(nci_order_next(&g->walk, &task, err));
        while (task >= 0 && g->done[task]);
        *is_end = task < 0;
    } else {
        task = descend(g, weight, g->best);
    }
    if (task >= 0)
        run_task(g, task);
    return NCG_OK;
}

static ncg_status start(greedy *g, const nci_plan *plan, ncg_error *err)
{
    size_t n = (size_t)plan->ntasks + 1;
    NCI_TRY(nci_order_init(&g->walk, plan, NULL, err));
    g->done = nci_calloc(n, sizeof *g->done);
    g->left = nci_calloc(n, sizeof *g->left);
    g->live = nci_calloc(n, sizeof *g->live);
    g->live_at = nci_calloc(n, sizeof *g->live_at);
    g->stamp = nci_calloc(n, sizeof *g->stamp);
    g->considered = nci_calloc(n, sizeof *g->considered);
    if (!g->done || !g->left || !g->live || !g->live_at || !g->stamp ||
        !g->considered)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_order_needed(plan, &g->needed, err);
}

ncg_status nci_order_greedy(const nci_plan *plan, const int64_t *weight,
                            int64_t *list, int64_t *n, ncg_error *err)
{
    greedy g = {.plan = plan, .list = list};
    bool is_end = false;
    ncg_status st = start(&g, plan, err);
    while (!st && !is_end && g.looks < MOST_LOOKS)
        st = step(&g, weight, &is_end, err);
    *n = is_end ? g.count : 0;
    nci_order_fini(&g.walk);
    nci_free(g.done);
    nci_free(g.left);
    nci_free(g.live);
    nci_free(g.live_at);
    nci_free(g.stamp);
    nci_free(g.considered);
    nci_free(g.needed);
    return st;
}
