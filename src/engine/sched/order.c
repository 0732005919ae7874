/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk. A task on the stack is looked at twice: first its inputs are
 * pushed above it (last one lowest, so that the first one comes off first),
 * then, when it is on top again, it is handed out. A task pushed by two users
 * is handed out once; what lies deeper in the stack is skipped.
 */
#include "engine/sched/order.h"

#include "base/mem.h"

ncg_status nci_order_init(nci_order *order, const nci_plan *plan,
                          const nci_order_way *way, ncg_error *err)
{
    size_t nwords = (size_t)(plan->ntasks / 64 + 1);
    *order = (nci_order){.plan = plan};
    if (way)
        order->way = *way;
    order->seen = nci_calloc(nwords, sizeof *order->seen);
    order->chunk =
        nci_calloc((size_t)plan->noutputs + 1, sizeof *order->chunk);
    if (order->seen && order->chunk)
        return NCG_OK;
    nci_order_fini(order);
    return nci_fail(err, NCG_ENOMEM, "out of memory (order of %lld tasks)",
                    (long long)plan->ntasks);
}

void nci_order_fini(nci_order *order)
{
    nci_free(order->seen);
    nci_free(order->chunk);
    nci_free(order->stack);
    *order = (nci_order){0};
}

static void push(nci_order *order, int64_t entry)
{
    if (order->depth == order->capacity &&
        !nci_grow(&order->stack, &order->capacity, order->depth + 1,
                  sizeof *order->stack))
        order->failed = true;
    else
        order->stack[order->depth++] = entry;
}

static void push_input(void *ctx, int input, int64_t task)
{
    nci_order *order = ctx;
    (void)input;
    if (!nci_order_seen(order, task))
        push(order, task);
}

/* Insertion sort: inputs are few, and nearly in order where layers alternate.
 * Equal weights keep their order. */
static void sort_by_weight(const int64_t *weight, int64_t *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int64_t item = items[i];
        size_t j = i;
        for (; j > 0 && weight[items[j - 1]] < weight[item]; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

static void reverse(int64_t *items, size_t count)
{
    for (size_t i = 0, j = count; i + 1 < j; i++) {
        int64_t swapped = items[i];
        items[i] = items[--j];
        items[j] = swapped;
    }
}

/* The output whose turn it is; -1 at the end. Woven: the one of which the
 * smallest part has been walked. */
static int next_output(const nci_order *order)
{
    const nci_plan *plan = order->plan;
    double least = 2;
    int found = -1;
    for (int i = 0; i < plan->noutputs; i++) {
        int64_t n = plan->layers[plan->outputs[i]].ntasks;
        double part = n ? (double)order->chunk[i] / (double)n : 1;
        if (order->chunk[i] >= n || part >= least)
            continue;
        found = i;
        if (!order->way.is_woven)
            break;
        least = part;
    }
    return found;
}

/* Puts the next chunk of the outputs on the empty stack; false at the end. */
static bool push_root(nci_order *order)
{
    const nci_plan *plan = order->plan;
    int output = next_output(order);
    if (output < 0)
        return false;
    push(order,
         plan->layers[plan->outputs[output]].base + order->chunk[output]++);
    return true;
}

static void mark_seen(nci_order *order, int64_t task)
{
    order->seen[task >> 6] |= UINT64_C(1) << (task & 63);
}

static void next_of_list(nci_order *order, int64_t *task)
{
    *task = -1;
    if (order->at == order->way.nlist)
        return;
    *task = order->way.list[order->at++];
    mark_seen(order, *task);
}

/* Puts the inputs of a task that have not been handed out above it. */
static void push_inputs(nci_order *order, int64_t task)
{
    size_t above = order->depth;
    if (nci_plan_layer(order->plan, task)->ninputs)
        nci_plan_deps(order->plan, task, push_input, order);
    if (order->way.weight)
        sort_by_weight(order->way.weight, order->stack + above,
                       order->depth - above);
    reverse(order->stack + above, order->depth - above);
}

ncg_status nci_order_next(nci_order *order, int64_t *task, ncg_error *err)
{
    if (order->way.list) {
        next_of_list(order, task);
        return NCG_OK;
    }
    for (;;) {
        if (!order->depth && !push_root(order)) {
            *task = -1;
            return NCG_OK;
        }
        if (order->failed)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        int64_t top = order->stack[order->depth - 1];
        if (top >= 0 && !nci_order_seen(order, top)) {
            size_t above = order->depth;
            order->stack[above - 1] = ~top;
            push_inputs(order, top);
            if (order->depth > above || order->failed)
                continue;
            top = ~top;
        }
        order->depth--;
        if (top >= 0)
            continue; /* handed out meanwhile, for another user */
        top = ~top;
        mark_seen(order, top);
        *task = top;
        return NCG_OK;
    }
}

/* Every chunk of the input has a user: each of its axes is either needed
 * whole or each of its chunks is somewhere in the relation. */
static bool covers_input(const nci_layer_input *input, int rank)
{
    for (int a = 0; a < rank; a++) {
        const nci_relation *r = &input->relation[a];
        if (input->from[a] < 0)
            continue;
        for (int64_t i = 0; i < r->nin; i++)
            if (r->rfirst[i] == r->rfirst[i + 1])
                return false;
    }
    return true;
}

/* Inputs come before their users, so one pass from the end settles it. */
static bool all_needed(const nci_plan *plan, bool *whole)
{
    for (int i = 0; i < plan->noutputs; i++)
        whole[plan->outputs[i]] = true;
    for (int l = plan->nlayers - 1; l >= 0; l--) {
        const nci_layer *layer = &plan->layers[l];
        if (!whole[l])
            return false;
        for (int i = 0; i < layer->ninputs; i++) {
            int from = layer->inputs[i].layer;
            if (layer->ntasks > 0 && !layer->inputs[i].is_partial &&
                covers_input(&layer->inputs[i], plan->layers[from].grid.rank))
                whole[from] = true;
        }
    }
    return true;
}

ncg_status nci_order_needed(const nci_plan *plan, uint64_t **out,
                            ncg_error *err)
{
    nci_order order;
    int64_t task = 0;
    bool *whole = nci_calloc((size_t)plan->nlayers, sizeof *whole);
    if (!whole)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    bool is_whole = all_needed(plan, whole);
    nci_free(whole);
    *out = NULL;
    if (is_whole)
        return NCG_OK;
    NCI_TRY(nci_order_init(&order, plan, NULL, err));
    ncg_status st = NCG_OK;
    while (!st && task >= 0)
        st = nci_order_next(&order, &task, err);
    if (!st) {
        *out = order.seen;
        order.seen = NULL;
    }
    nci_order_fini(&order);
    return st;
}

typedef struct count_ctx {
    const uint64_t *needed;
    int64_t count;
} count_ctx;

static void count_needed(void *ctx, int input, int64_t task)
{
    count_ctx *c = ctx;
    (void)input;
    c->count += c->needed[task >> 6] >> (task & 63) & 1;
}

int64_t nci_needed_dependents(const nci_plan *plan, const uint64_t *needed,
                              int64_t task)
{
    if (!needed)
        return nci_plan_ndependents(plan, task);
    count_ctx c = {needed, 0};
    nci_plan_dependents(plan, task, count_needed, &c);
    return c.count;
}
