/* SPDX-License-Identifier: BSD-3-Clause */
/* The weights of the heavy candidate: what making a task's output needs at
 * most, beyond the output itself. What several tasks share counts for each, so
 * it is an estimate; the replay tells what it is worth. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/sched/choose.h"

typedef struct input {
    int64_t weight, bytes;
} input;

typedef struct weigher {
    const nci_plan *plan;
    const int64_t *weight;
    input *inputs; /* of the task in hand */
    size_t count, capacity;
    bool failed;
} weigher;

static void add_input(void *ctx, int number, int64_t task)
{
    weigher *w = ctx;
    (void)number;
    if (!nci_grow(&w->inputs, &w->capacity, w->count + 1, sizeof *w->inputs)) {
        w->failed = true;
        return;
    }
    w->inputs[w->count++] =
        (input){w->weight[task], nci_plan_bytes(w->plan, task)};
}

static int by_weight(const void *a, const void *b)
{
    int64_t x = ((const input *)a)->weight, y = ((const input *)b)->weight;
    return (x < y) - (x > y);
}

/* Inputs are made heaviest first; while one is made all before it are held. */
static int64_t weigh(weigher *w, const nci_sched_costs *costs, int64_t task)
{
    int64_t held = 0, peak = 0, bytes = nci_plan_bytes(w->plan, task);
    w->count = 0;
    if (nci_plan_layer(w->plan, task)->ninputs)
        nci_plan_deps(w->plan, task, add_input, w);
    if (w->count > 1)
        qsort(w->inputs, w->count, sizeof *w->inputs, by_weight);
    for (size_t i = 0; i < w->count; i++) {
        int64_t now = held + w->inputs[i].weight + w->inputs[i].bytes;
        peak = now > peak ? now : peak;
        held += w->inputs[i].bytes;
    }
    held += bytes + costs->scratch(costs->ctx, task, 1);
    return (held > peak ? held : peak) - bytes;
}

ncg_status nci_order_weights(const nci_plan *plan, const nci_sched_costs *costs,
                             int64_t *weight, ncg_error *err)
{
    weigher w = {.plan = plan, .weight = weight};
    nci_order order;
    int64_t task = 0;
    for (int64_t i = 0; i < plan->ntasks; i++)
        weight[i] = 0;
    NCI_TRY(nci_order_init(&order, plan, NULL, err));
    ncg_status st;
    while (!(st = nci_order_next(&order, &task, err)) && task >= 0)
        weight[task] = weigh(&w, costs, task);
    if (!st && w.failed)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_order_fini(&order);
    nci_free(w.inputs);
    return st;
}
