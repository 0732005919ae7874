/* SPDX-License-Identifier: BSD-3-Clause */
/* One task: which kernel, how much memory, how many threads. */
#include "engine/kernel/kernel.h"

#include "base/dtype.h"
#include "engine/kernel/task.h"

ncg_status nci_kernel_run(const nci_task_env *env, int64_t task,
                          const nci_dep *deps, int64_t ndeps, nci_buf **out,
                          ncg_error *err)
{
    const nci_layer *layer = nci_plan_layer(env->plan, task);
    int64_t chunk = task - layer->base;
    switch (layer->kind) {
    case NCI_LAYER_FUSED:
        return nci_run_fused(env, layer, chunk, deps, ndeps, out, err);
    case NCI_LAYER_COMBINE:
        return nci_run_combine(env, layer, chunk, deps, ndeps, out, err);
    case NCI_LAYER_BLOCK:
        return nci_run_block(env, layer, chunk, deps, ndeps, out, err);
    case NCI_LAYER_STORE:
        return nci_run_store(env, layer, chunk, deps, ndeps, out, err);
    case NCI_LAYER_TASKS:
        return nci_run_explicit(env, layer, chunk, deps, ndeps, out, err);
    }
    return nci_fail(err, NCG_EBUG, "%s: layer of kind %d", layer->name,
                    (int)layer->kind);
}

static const nci_source *source_of(const nci_layer *layer,
                                   const nci_source_table *sources)
{
    const nci_fused *f = &layer->fused;
    if (layer->kind != NCI_LAYER_FUSED || !f->noperands ||
        f->operands[0].kind != NCI_OPERAND_SOURCE)
        return NULL;
    return nci_source_table_get(sources, f->operands[0].source);
}

/* Elements of the largest tile: of the storage grid's largest chunk. */
static int64_t tile_elements(const nci_source *source)
{
    const nci_grid *grid = &source->spec->grid;
    int64_t n = 1;
    for (int d = 0; d < grid->rank; d++) {
        int64_t longest = 1;
        const nci_axis *axis = &grid->axis[d];
        for (int64_t i = 0; i < axis->nchunks && i < 2; i++)
            if (axis->edge[i + 1] - axis->edge[i] > longest)
                longest = axis->edge[i + 1] - axis->edge[i];
        n *= longest;
    }
    return n;
}

/* Tiles that wait for others: see strips.h. */
static int64_t kept_bytes(const nci_layer *layer, const nci_source *source)
{
    int64_t nbytes = source->tile_bytes, each = nbytes + nbytes / 64 + 4096;
    int most = 0;
    for (int i = 0; layer->fused.folds && i <= layer->fused.nmore; i++) {
        int n = nci_strips_keep(&nci_fused_part(&layer->fused, i)->fold, nbytes);
        most = n > most ? n : most;
    }
    return most * each;
}

static int64_t fold_scratch(const nci_layer *layer, int64_t chunk)
{
    int64_t ncells = nci_plan_cells(layer, chunk), bytes = 0;
    for (int i = 0; i <= layer->fused.nmore; i++) {
        const nci_fold *fold = &nci_fused_part(&layer->fused, i)->fold;
        bytes += nci_acc_extra(fold, ncells) + nci_slab_bytes(fold, ncells);
    }
    return bytes;
}

/* Memory of one thread for all folds, and what each fold keeps of itself. */
static int64_t lanes_bytes(const nci_fused *fused)
{
    int64_t bytes = 0;
    for (int i = 0; i <= fused->nmore; i++)
        bytes += nci_task_lane_bytes(nci_fused_part(fused, i));
    return bytes;
}

int64_t nci_kernel_scratch(const nci_plan *plan,
                           const nci_source_table *sources,
                           nci_kernel_table *kernels, int64_t task, int threads)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    int64_t chunk = task - layer->base;
    if (layer->kind == NCI_LAYER_STORE || layer->kind == NCI_LAYER_TASKS)
        return 0;
    if (layer->kind == NCI_LAYER_BLOCK)
        return nci_block_scratch(plan, kernels, layer, chunk, threads);
    if (layer->kind == NCI_LAYER_COMBINE)
        return layer->combine.is_final
                   ? (int64_t)nci_state_layout_of(&layer->combine.fold,
                                                  nci_plan_cells(layer, chunk))
                         .nbytes
                   : 0;
    const nci_source *source = source_of(layer, sources);
    nci_box box = nci_grid_box(&layer->grid, chunk);
    int64_t bytes = nci_task_operand_bytes(plan, layer, &box);
    int64_t width = 1 + NCG_MAX_RANK;
    for (int d = 0; d < box.rank; d++)
        width += nci_task_is_even(&layer->fused) ? 0 : box.count[d];
    bytes += (layer->fused.nmore + 1) * width * 8 * (2 * NCI_NSTREAMS + 2);
    bytes += (threads > 1 ? threads : 1) *
             (lanes_bytes(&layer->fused) +
              nci_turn_bytes(&layer->fused, &box));
    if (source)
        bytes += nci_source_scratch(source) + kept_bytes(layer, source);
    if (layer->fused.folds)
        bytes += fold_scratch(layer, chunk);
    return bytes;
}

/* Memory for small states is a step: nothing above some number of cells, and
 * no more than doubles where cells do. */
static int64_t most_fold_scratch(const nci_layer *layer)
{
    int64_t ncells = nci_plan_most_cells(layer), bytes = 0;
    for (int i = 0; i <= layer->fused.nmore; i++) {
        const nci_fold *fold = &nci_fused_part(&layer->fused, i)->fold;
        int64_t n = ncells;
        while (n > 1 && !nci_slab_bytes(fold, n))
            n /= 2;
        bytes += nci_acc_extra(fold, ncells) +
                 (n < ncells ? 2 : 1) * nci_slab_bytes(fold, n);
    }
    return bytes;
}

static int64_t most_fused_scratch(const nci_plan *plan,
                                  const nci_source *source,
                                  const nci_layer *layer)
{
    int64_t width = 1 + NCG_MAX_RANK;
    int64_t bytes = nci_task_most_operand_bytes(plan, layer);
    for (int d = 0; d < layer->grid.rank; d++)
        width += nci_axis_longest(&layer->grid.axis[d]);
    bytes += (layer->fused.nmore + 1) * width * 8 * (2 * NCI_NSTREAMS + 2);
    bytes += lanes_bytes(&layer->fused) +
             nci_turn_most_bytes(&layer->fused, &layer->grid);
    if (source)
        bytes += nci_source_scratch(source) + kept_bytes(layer, source);
    return bytes + (layer->fused.folds ? most_fold_scratch(layer) : 0);
}

int64_t nci_kernel_most_scratch(const nci_plan *plan,
                                const nci_source_table *sources,
                                nci_kernel_table *kernels,
                                const nci_layer *layer)
{
    switch (layer->kind) {
    case NCI_LAYER_BLOCK:
        return nci_block_most_scratch(plan, kernels, layer);
    case NCI_LAYER_COMBINE:
        return layer->combine.is_final
                   ? (int64_t)nci_state_layout_of(&layer->combine.fold,
                                                  nci_plan_most_cells(layer))
                         .nbytes
                   : 0;
    case NCI_LAYER_FUSED:
        return most_fused_scratch(plan, source_of(layer, sources), layer);
    default:
        return 0;
    }
}

int nci_kernel_threads(const nci_plan *plan, const nci_source_table *sources,
                       int64_t task, int available)
{
    enum { WORTH = 1 << 21 }; /* elements a thread */
    const nci_layer *layer = nci_plan_layer(plan, task);
    if (available < 2)
        return 1;
    if (layer->kind == NCI_LAYER_BLOCK)
        return nci_block_threads(layer, task - layer->base, available);
    if (layer->kind != NCI_LAYER_FUSED)
        return 1;
    const nci_source *source = source_of(layer, sources);
    nci_box box = nci_grid_box(&layer->grid, task - layer->base);
    int64_t elements = nci_box_size(&box);
    if (source && tile_elements(source) < elements)
        elements = tile_elements(source);
    int64_t threads = elements / WORTH;
    return threads < 2 ? 1 : threads < available ? (int)threads : available;
}
