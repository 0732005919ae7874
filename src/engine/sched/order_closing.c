/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The closing order: a depth-first walk, but whatever has become ready comes
 * next where it leaves no more than its share of its inputs, the bytes of each
 * divided among the users that it still has. So a tile of x and its mirror are
 * both worked off while they are there (x + x.T), where the walk alone would
 * hold one of them until it comes to the other's row. One look a dependency,
 * at any size of plan.
 */
#include "base/mem.h"
#include "engine/sched/choose.h"

typedef struct closing {
    const nci_plan *plan;
    nci_order walk;     /* gives what is next where nothing is ready */
    uint8_t *done;      /* one a task */
    int64_t *missing;   /* unfinished inputs; 0: not looked at yet */
    int64_t *left;      /* unfinished needed users, once an input */
    uint64_t *needed;   /* NULL: all */
    int64_t *ready;     /* a stack */
    int64_t nready;
    int64_t *list, count;
    int64_t share; /* of the task that is looked at */
} closing;

static void use_input(void *ctx, int input, int64_t task)
{
    closing *c = ctx;
    (void)input;
    c->left[task]--;
}

static void tell_user(void *ctx, int input, int64_t task)
{
    closing *c = ctx;
    (void)input;
    if (c->needed && !(c->needed[task >> 6] >> (task & 63) & 1))
        return;
    if (!c->missing[task])
        c->missing[task] = nci_plan_ndeps(c->plan, task);
    bool is_store = nci_plan_layer(c->plan, task)->kind == NCI_LAYER_STORE;
    if (--c->missing[task] == 0 && !is_store) /* those keep their order */
        c->ready[c->nready++] = task;
}

static void run_task(closing *c, int64_t task)
{
    int64_t first = c->nready;
    c->done[task] = 1;
    c->list[c->count++] = task;
    if (nci_plan_layer(c->plan, task)->ninputs)
        nci_plan_deps(c->plan, task, use_input, c);
    c->left[task] = nci_needed_dependents(c->plan, c->needed, task);
    nci_plan_dependents(c->plan, task, tell_user, c);
    for (int64_t last = c->nready - 1; first < last; first++, last--) {
        int64_t other = c->ready[first];
        c->ready[first] = c->ready[last];
        c->ready[last] = other;
    }
}

static void add_share(void *ctx, int input, int64_t task)
{
    closing *c = ctx;
    (void)input;
    c->share += nci_plan_bytes(c->plan, task) / c->left[task];
}

static bool is_worth(closing *c, int64_t task)
{
    c->share = 0;
    nci_plan_deps(c->plan, task, add_share, c);
    return nci_plan_bytes(c->plan, task) <= c->share;
}

/* The next task, -1 at the end. */
static ncg_status next(closing *c, int64_t *task, ncg_error *err)
{
    while (c->nready) {
        *task = c->ready[--c->nready];
        if (!c->done[*task] && is_worth(c, *task))
            return NCG_OK;
    }
    do
        NCI_TRY(nci_order_next(&c->walk, task, err));
    while (*task >= 0 && c->done[*task]);
    return NCG_OK;
}

static ncg_status start(closing *c, ncg_error *err)
{
    size_t n = (size_t)c->plan->ntasks + 1;
    NCI_TRY(nci_order_init(&c->walk, c->plan, NULL, err));
    c->done = nci_calloc(n, sizeof *c->done);
    c->missing = nci_calloc(n, sizeof *c->missing);
    c->left = nci_calloc(n, sizeof *c->left);
    c->ready = nci_alloc(n * sizeof *c->ready);
    if (!c->done || !c->missing || !c->left || !c->ready)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_order_needed(c->plan, &c->needed, err);
}

ncg_status nci_order_closing(const nci_plan *plan, int64_t *list, int64_t *n,
                             ncg_error *err)
{
    closing c = {.plan = plan, .list = list};
    int64_t task = 0;
    ncg_status st = start(&c, err);
    while (!st && task >= 0) {
        st = next(&c, &task, err);
        if (!st && task >= 0)
            run_task(&c, task);
    }
    *n = c.count;
    nci_order_fini(&c.walk);
    nci_free(c.done);
    nci_free(c.missing);
    nci_free(c.left);
    nci_free(c.ready);
    nci_free(c.needed);
    return st;
}
