/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layer of a list of explicit tasks, and outputs of which only some chunks
 * (tasks) are wanted. Arrays among the inputs of tasks are made in the chunks
 * that people see, since those are what keys name.
 */
#include <string.h>

#include "base/mem.h"
#include "graph/lower.h"
#include "graph/ops/ops.h"
#include "graph/pass_slice.h"

/* ---- arrays in the chunks that people see -----------------------------------
 */

/* One reach an axis: chunk i needs itself. */
static ncg_status copy_in_grid(nci_node *node, const nci_grid *grid,
                               nci_node **out, ncg_error *err)
{
    nci_reach reach[NCG_MAX_RANK];
    for (int d = 0; d < NCG_MAX_RANK; d++)
        reach[d] = (nci_reach){.from = -1};
    nci_block_spec spec = {.kernel = "ncg.copy/1",
                           .dtype = node->dtype,
                           .has_missing = node->has_missing,
                           .grid = grid,
                           .ninputs = 1,
                           .inputs = &node,
                           .reach = reach};
    memcpy(spec.missing, node->missing, sizeof spec.missing);
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < grid->rank; d++)
        st = nci_reach_follow(d, &grid->axis[d], 1, 1, 0, 0, node->shape[d],
                              &reach[d], err);
    if (!st)
        st = nci_node_block(&spec, out, err);
    for (int d = 0; d < grid->rank; d++)
        nci_reach_fini(&reach[d]);
    return st;
}

static ncg_status lower_seen(nci_lowering *lw, nci_node *array, int *out,
                             ncg_error *err)
{
    nci_grid grid = {0};
    nci_node *own = NULL, *sliced = NULL, *seen = NULL;
    NCI_TRY(nci_node_grid(array, &grid, err));
    ncg_status st = NCG_OK;
    if (lw->replace)
        st = nci_pass_replace(array, lw->replace, lw->replace_ctx, &own, err);
    else
        own = nci_node_retain(array);
    if (!st)
        st = nci_pass_slice(own, &sliced, err);
    if (!st && sliced->kind == NCI_NODE_BLOCK)
        seen = nci_node_retain(sliced);
    else if (!st)
        st = copy_in_grid(sliced, &grid, &seen, err);
    if (!st)
        st = nci_lower_array(lw, seen, out, err);
    nci_node_release(&seen);
    nci_node_release(&sliced);
    nci_node_release(&own);
    nci_grid_fini(&grid);
    return st;
}

/* ---- TASKS ------------------------------------------------------------------
 */

static bool need_one_another(const nci_tasks *tasks)
{
    int64_t n = nci_tasks_count(tasks), count = 0;
    for (int64_t t = 0; t < n; t++) {
        nci_tasks_users(tasks, t, &count);
        if (count)
            return true;
    }
    return false;
}

static ncg_status add_inputs(nci_lowering *lw, nci_layer *layer,
                             nci_tasks *tasks, const int *arrays, int narrays,
                             ncg_error *err)
{
    int self = (int)(layer - lw->plan->layers);
    for (int i = 0; i <= narrays; i++) {
        if (i == narrays && !need_one_another(tasks))
            break;
        nci_layer_input *input =
            nci_lower_add_input(layer, i < narrays ? arrays[i] : self, err);
        if (!input)
            return NCG_ENOMEM;
        input->is_partial = i < narrays;
        if (i == narrays)
            layer->tasks.self = i;
    }
    return NCG_OK;
}

ncg_status nci_lower_tasks(nci_lowering *lw, nci_tasks *tasks, int *out,
                           ncg_error *err)
{
    int narrays = 0;
    nci_node *const *arrays = nci_tasks_arrays(tasks, &narrays);
    nci_node name = {.token = nci_tasks_token(tasks), .name = "tasks"};
    if (nci_lower_find(lw, name.token, out))
        return NCG_OK;
    int *layers = nci_alloc(((size_t)narrays + 1) * sizeof *layers);
    ncg_status st =
        layers ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < narrays; i++)
        st = lower_seen(lw, arrays[i], &layers[i], err);
    nci_layer *layer = NULL;
    if (!st && !(layer = nci_lower_add_layer(lw, NCI_LAYER_TASKS, &name,
                                             "explicit", err)))
        st = NCG_ENOMEM;
    if (!st) {
        *out = (int)(layer - lw->plan->layers);
        layer->tasks = (nci_task_layer){nci_tasks_retain(tasks), -1};
        st = add_inputs(lw, layer, tasks, layers, narrays, err);
    }
    if (!st)
        st = nci_lower_remember(lw, name.token, *out, err);
    nci_free(layers);
    return st;
}

/* ---- lists of chunks and of tasks
 * -------------------------------------------- */

/* Every task runs where all that nobody needs are wanted. */
static bool wants_all(const nci_output *output)
{
    int64_t n = nci_tasks_count(output->tasks), at = 0, count = 0;
    for (int64_t t = 0; t < n; t++) {
        while (at < output->nlist && output->list[at] < t)
            at++;
        nci_tasks_users(output->tasks, t, &count);
        if (!count && (at == output->nlist || output->list[at] != t))
            return false;
    }
    return true;
}

/* Tasks may be tiny: their values are stored many at a time. */
ncg_status nci_lower_list(nci_layer *layer, const nci_output *output,
                          ncg_error *err)
{
    nci_store_list *list = &layer->store.list;
    size_t n = (size_t)output->nlist;
    list->items = nci_alloc((n + 1) * sizeof *list->items);
    if (!list->items)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(list->items, output->list, n * sizeof *list->items);
    list->count = output->nlist;
    list->of_tasks = output->tasks != NULL;
    if (output->grid)
        NCI_TRY(nci_grid_copy(output->grid, &list->whole, err));
    layer->inputs[0].is_partial = !output->tasks || !wants_all(output);
    nci_grid_fini(&layer->grid);
    layer->grid = (nci_grid){.rank = 1};
    return nci_axis_regular(output->nlist, output->tasks ? NCI_STORE_TASKS : 1,
                            &layer->grid.axis[0], err);
}
