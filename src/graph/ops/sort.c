/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting along an axis: a task takes lines whole, and many of them. */
#include "base/mem.h"
#include "graph/ops/blocks.h"

enum { TILE = 8 << 20 /* bytes of a chunk, as far as lines allow */ };

static ncg_status lines_grid(const nci_node *input, int axis, nci_grid *out,
                             ncg_error *err)
{
    nci_grid seen = {0};
    bool whole[NCG_MAX_RANK] = {false};
    whole[axis] = true;
    NCI_TRY(nci_node_grid(input, &seen, err));
    ncg_status st = nci_ops_uniform_grid(input->rank, input->shape,
                                         ncg_dtype_size(input->dtype), whole,
                                         &seen, TILE, out, err);
    nci_grid_fini(&seen);
    return st;
}

/* A task gathers its lines right into its chunk. */
static ncg_status sort_chunks(nci_node *lines, int axis, const nci_grid *grid,
                              nci_node **out, ncg_error *err)
{
    int64_t params = axis;
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = nci_reach_same_box(grid, reach, err);
    nci_block_spec spec = {.kernel = "ncg.sort/1",
                           .params = &params,
                           .nparams = sizeof params,
                           .dtype = lines->dtype,
                           .has_missing = lines->has_missing,
                           .grid = grid,
                           .ninputs = 1,
                           .inputs = &lines,
                           .reach = reach};
    for (size_t i = 0; i < sizeof spec.missing; i++)
        spec.missing[i] = lines->missing[i];
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 1);
    return st;
}

ncg_status nci_ops_sort_within(nci_node *input, int axis, int64_t limit,
                               nci_node **out, ncg_error *err)
{
    nci_grid grid = {0};
    nci_node *lines = NULL;
    NCI_TRY(nci_ops_check_axis(input, axis, "sort", err));
    NCI_TRY(nci_ops_check_numeric(input, "sort", err));
    NCI_TRY(lines_grid(input, axis, &grid, err));
    ncg_status st = limit > 0 ? nci_ops_rechunk_within(input, &grid, limit,
                                                       &lines, err)
                              : NCG_OK;
    if (!st)
        st = sort_chunks(lines ? lines : input, axis, &grid, out, err);
    nci_node_release(&lines);
    nci_grid_fini(&grid);
    return st;
}

ncg_status nci_ops_sort(nci_node *input, int axis, nci_node **out,
                        ncg_error *err)
{
    return nci_ops_sort_within(input, axis, 0, out, err);
}
