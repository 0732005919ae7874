/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounds over all tasks of a layer, without looking at each: sizes are products
 * of what the axes have, so the largest of each axis bounds them. Time follows
 * the chunks along the axes; listed tasks are looked at one by one.
 */
#include "graph/plan_internal.h"

static int64_t most_rows(const nci_rows *rows)
{
    int64_t most = rows->first ? 0 : 1;
    for (int64_t i = 0; rows->first && i < rows->nchunks; i++)
        if (rows->first[i + 1] - rows->first[i] > most)
            most = rows->first[i + 1] - rows->first[i];
    return most;
}

int64_t nci_plan_most_cells(const nci_layer *layer)
{
    bool is_fused = layer->kind == NCI_LAYER_FUSED;
    const bool *over = is_fused ? layer->fused.over : layer->combine.over;
    int axis = is_fused ? layer->fused.label_axis : layer->combine.label_axis;
    int64_t cells = 1;
    for (int d = 0; d < layer->grid.rank; d++)
        if (!over[d])
            cells *= nci_axis_longest(&layer->grid.axis[d]);
    if (axis < 0)
        return cells;
    return cells * most_rows(is_fused ? &layer->fused.rows
                                      : &layer->combine.out_rows);
}

static int64_t most_of_list(const nci_plan *plan, const nci_layer *layer)
{
    int64_t most = 0;
    for (int64_t i = 0; i < layer->ntasks; i++) {
        int64_t bytes = nci_listed_bytes(plan, layer, i);
        most = bytes > most ? bytes : most;
    }
    return most;
}

int64_t nci_plan_most_bytes(const nci_plan *plan, const nci_layer *layer)
{
    if (nci_is_listed(layer))
        return most_of_list(plan, layer);
    bool is_combine = layer->kind == NCI_LAYER_COMBINE;
    if (layer->kind == NCI_LAYER_FUSED && layer->fused.nmore)
        return (int64_t)nci_fused_state(&layer->fused, layer->fused.nmore + 1,
                                        nci_plan_most_cells(layer));
    if (is_combine ? !layer->combine.is_final
                   : layer->kind == NCI_LAYER_FUSED && layer->fused.folds)
        return (int64_t)nci_state_layout_of(
                   is_combine ? &layer->combine.fold : &layer->fused.fold,
                   nci_plan_most_cells(layer))
            .nbytes;
    bool stores = layer->kind == NCI_LAYER_STORE;
    const nci_grid *grid = stores ? &layer->grid : &layer->array;
    int64_t bytes =
        (int64_t)ncg_dtype_size(stores ? layer->store.to : layer->dtype);
    for (int d = 0; d < grid->rank; d++)
        bytes *= nci_axis_longest(&grid->axis[d]);
    return bytes;
}
