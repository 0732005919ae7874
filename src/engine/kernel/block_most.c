/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The most scratch that a task of a BLOCK layer takes, without looking at each.
 * What is gathered is a product of what the axes have, so the largest of each
 * axis bounds it. What a kernel of the library asks for follows from the counts
 * of its chunks: positions of an axis that have equal counts are alike, and one
 * task stands for all that are alike along every axis. In a regular grid those
 * are the first, the last and one in the middle.
 */
#include "engine/kernel/registry.h"
#include "engine/kernel/task.h"

/* Kinds of positions of an axis, and tasks that stand for others. */
enum { MOST_KINDS = 64, MOST_TASKS = 4096 };

static const nci_grid *input_grid(const nci_plan *plan, const nci_layer *layer,
                                  int i)
{
    return &plan->layers[layer->inputs[i].layer].array;
}

/* ---- gathered boxes ------------------------------------------ */

/* Whether positions low .. high - 1 are one chunk. */
static bool is_chunk(const nci_axis *axis, int64_t low, int64_t high)
{
    int64_t chunk = nci_axis_find(axis, low);
    return axis->edge[chunk] == low && axis->edge[chunk + 1] == high;
}

/* Positions of an argument's axis that a chunk takes at most; *aligned stays
 * where that is one chunk of the input each time. */
static int64_t most_reach(const nci_reach *reach, const nci_axis *axis,
                          int64_t nout, bool *aligned)
{
    int64_t most = 0;
    if (reach->from < 0) {
        *aligned = *aligned && axis->nchunks == 1;
        return nci_axis_size(axis);
    }
    for (int64_t i = 0; i < nout; i++) {
        int64_t low = reach->low[i], n = reach->high[i] - low;
        if (n <= 0)
            continue;
        *aligned = *aligned && is_chunk(axis, low, low + n);
        most = n > most ? n : most;
    }
    return most;
}

static int64_t most_gathered(const nci_plan *plan, const nci_layer *layer)
{
    int64_t bytes = 0;
    for (int i = 0; i < layer->block.nargs; i++) {
        const nci_block_arg *arg = &layer->block.args[i];
        const nci_grid *from = input_grid(plan, layer, i);
        int64_t n = (int64_t)ncg_dtype_size(arg->dtype);
        bool aligned = true;
        for (int a = 0; a < arg->rank; a++) {
            int d = arg->reach[a].from;
            n *= most_reach(&arg->reach[a], &from->axis[a],
                            d < 0 ? 0 : layer->grid.axis[d].nchunks, &aligned);
        }
        bytes += aligned ? 0 : n;
    }
    return bytes;
}

/* ---- tasks that stand for others ------------------------------------------
 */

static int64_t length(const nci_axis *axis, int64_t i)
{
    return axis->edge[i + 1] - axis->edge[i];
}

/* Whether an input's axis gives positions i and j of an axis as many values, as
 * one chunk or as none. */
static bool is_reach_alike(const nci_reach *reach, const nci_axis *axis,
                           int64_t i, int64_t j)
{
    int64_t n = reach->high[i] - reach->low[i];
    if (n != reach->high[j] - reach->low[j])
        return false;
    return n <= 0 || is_chunk(axis, reach->low[i], reach->high[i]) ==
                         is_chunk(axis, reach->low[j], reach->high[j]);
}

static bool is_alike(const nci_plan *plan, const nci_layer *layer, int d,
                     int64_t i, int64_t j)
{
    if (length(&layer->grid.axis[d], i) != length(&layer->grid.axis[d], j))
        return false;
    for (int k = 0; k < layer->block.nargs; k++) {
        const nci_block_arg *arg = &layer->block.args[k];
        const nci_grid *from = input_grid(plan, layer, k);
        for (int a = 0; a < arg->rank; a++)
            if (arg->reach[a].from == d &&
                !is_reach_alike(&arg->reach[a], &from->axis[a], i, j))
                return false;
    }
    return true;
}

/* One position of each kind; 0: there are too many. */
static int find_kinds(const nci_plan *plan, const nci_layer *layer, int d,
                      int64_t kinds[MOST_KINDS])
{
    int n = 0;
    for (int64_t i = 0; i < layer->grid.axis[d].nchunks; i++) {
        int k = 0;
        while (k < n && !is_alike(plan, layer, d, i, kinds[k]))
            k++;
        if (k == MOST_KINDS)
            return 0;
        if (k == n)
            kinds[n++] = i;
    }
    return n;
}

/* -1: too many kinds. */
static int64_t most_of_kinds(const nci_plan *plan, nci_kernel_table *kernels,
                             const nci_layer *layer)
{
    int64_t kinds[NCG_MAX_RANK][MOST_KINDS], most = 0, ntasks = 1;
    int n[NCG_MAX_RANK];
    if (!layer->ntasks)
        return 0;
    for (int d = 0; d < layer->grid.rank; d++) {
        n[d] = find_kinds(plan, layer, d, kinds[d]);
        ntasks *= n[d];
        if (!n[d] || ntasks > MOST_TASKS)
            return -1;
    }
    for (int64_t i = 0; i < ntasks; i++) {
        int64_t index[NCG_MAX_RANK], rest = i;
        for (int d = 0; d < layer->grid.rank; d++) {
            index[d] = kinds[d][rest % n[d]];
            rest /= n[d];
        }
        int64_t bytes = nci_block_scratch(
            plan, kernels, layer, nci_grid_number(&layer->grid, index), 1);
        most = bytes > most ? bytes : most;
    }
    return most;
}

int64_t nci_block_most_scratch(const nci_plan *plan, nci_kernel_table *kernels,
                               const nci_layer *layer)
{
    const nci_kernel *kernel = nci_kernel_find(kernels, layer->block.kernel);
    if (kernel && kernel->scratch)
        return kernel->is_even ? most_of_kinds(plan, kernels, layer) : -1;
    return kernel && kernel->gathers ? 0 : most_gathered(plan, layer);
}
