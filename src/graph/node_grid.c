/* SPDX-License-Identifier: BSD-3-Clause */
/* The chunks in which people see an array. Grids of element-wise nodes are kept
 * while one is made: an expression may use a node along many paths. */
#include <string.h>

#include "base/mem.h"
#include "graph/block.h"
#include "graph/node.h"

typedef struct known {
    nci_token token;
    nci_grid grid;
} known;

typedef struct grids {
    known *items;
    size_t count, capacity;
} grids;

static ncg_status grid_in(grids *made, const nci_node *node, nci_grid *out,
                          ncg_error *err);

static ncg_status one_chunk(int64_t size, nci_axis *out, ncg_error *err)
{
    return nci_axis_regular(size, size > 0 ? size : 1, out, err);
}

static ncg_status copy_axis(const nci_axis *axis, nci_axis *out, ncg_error *err)
{
    return nci_axis_from_edges(axis->edge, axis->nchunks, out, err);
}

static ncg_status grid_of_select(grids *made, const nci_node *node, nci_grid *out,
                                 ncg_error *err)
{
    nci_grid inner = {0};
    NCI_TRY(grid_in(made, node->inputs[0].node, &inner, err));
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < node->rank; d++)
        st = nci_block_axis(&node->picks[d], &inner.axis[d], &out->axis[d],
                            err);
    nci_grid_fini(&inner);
    return st;
}

/* Each axis as the input has it that cuts it into the most chunks. */
static ncg_status take_finer(grids *made, const nci_node *node,
                             const nci_operand *operand, nci_grid *out,
                             ncg_error *err)
{
    nci_grid inner = {0};
    NCI_TRY(grid_in(made, operand->node, &inner, err));
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < node->rank; d++) {
        int a = operand->axis[d];
        if (a < 0 || (out->axis[d].edge &&
                      inner.axis[a].nchunks <= out->axis[d].nchunks))
            continue;
        nci_axis_fini(&out->axis[d]);
        st = copy_axis(&inner.axis[a], &out->axis[d], err);
    }
    nci_grid_fini(&inner);
    return st;
}

static ncg_status grid_of_map(grids *made, const nci_node *node, nci_grid *out,
                              ncg_error *err)
{
    for (int i = 0; i < node->ninputs; i++)
        NCI_TRY(take_finer(made, node, &node->inputs[i], out, err));
    for (int d = 0; d < node->rank; d++)
        if (!out->axis[d].edge)
            NCI_TRY(one_chunk(node->shape[d], &out->axis[d], err));
    return NCG_OK;
}

static ncg_status grid_of_reduce(grids *made, const nci_node *node, nci_grid *out,
                                 ncg_error *err)
{
    const nci_node *input = node->inputs[0].node;
    int axis_of[NCG_MAX_RANK];
    nci_grid inner = {0};
    NCI_TRY(grid_in(made, input, &inner, err));
    int rank = nci_reduce_axes(&node->reduce, input->rank, axis_of);
    ncg_status st = NCG_OK;
    for (int i = 0; !st && i < rank; i++)
        st = node->reduce.over[axis_of[i]]
                 ? one_chunk(node->shape[i], &out->axis[i], err)
                 : copy_axis(&inner.axis[axis_of[i]], &out->axis[i], err);
    nci_grid_fini(&inner);
    return st;
}

static ncg_status grid_of_const(const nci_node *node, nci_grid *out,
                                ncg_error *err)
{
    int64_t length[NCG_MAX_RANK];
    nci_plain_pieces(node->rank, node->shape,
                     (int64_t)ncg_dtype_size(node->dtype), length);
    for (int d = 0; d < node->rank; d++)
        NCI_TRY(nci_axis_regular(node->shape[d], length[d], &out->axis[d],
                                 err));
    return NCG_OK;
}

static ncg_status fill_grid(grids *made, const nci_node *node, nci_grid *out,
                            ncg_error *err)
{
    switch (node->kind) {
    case NCI_NODE_SELECT:
        return grid_of_select(made, node, out, err);
    case NCI_NODE_MAP:
        return grid_of_map(made, node, out, err);
    case NCI_NODE_REDUCE:
        return grid_of_reduce(made, node, out, err);
    default:
        return grid_of_const(node, out, err);
    }
}

static ncg_status keep(grids *made, const nci_node *node, const nci_grid *grid,
                       ncg_error *err)
{
    if (!nci_grow(&made->items, &made->capacity, made->count + 1,
                  sizeof *made->items))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    known *item = &made->items[made->count];
    *item = (known){.token = node->token};
    NCI_TRY(nci_grid_copy(grid, &item->grid, err));
    made->count++;
    return NCG_OK;
}

static ncg_status grid_in(grids *made, const nci_node *node, nci_grid *out,
                          ncg_error *err)
{
    if (node->kind == NCI_NODE_SOURCE || node->kind == NCI_NODE_BLOCK)
        return nci_grid_copy(&node->grid, out, err);
    for (size_t i = 0; i < made->count; i++)
        if (nci_token_equal(made->items[i].token, node->token))
            return nci_grid_copy(&made->items[i].grid, out, err);
    nci_grid grid = {.rank = node->rank};
    ncg_status st = fill_grid(made, node, &grid, err);
    if (!st && node->kind == NCI_NODE_MAP && node->ninputs > 1)
        st = keep(made, node, &grid, err);
    if (st) {
        nci_grid_fini(&grid);
        return st;
    }
    *out = grid;
    return NCG_OK;
}

ncg_status nci_node_grid(const nci_node *node, nci_grid *out, ncg_error *err)
{
    grids made = {0};
    ncg_status st = grid_in(&made, node, out, err);
    for (size_t i = 0; i < made.count; i++)
        nci_grid_fini(&made.items[i].grid);
    nci_free(made.items);
    return st;
}
