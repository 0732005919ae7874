/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which chunks of its inputs a chunk of an array is made of, before anything is
 * fused: for each axis of the input a list of chunks, marked position by
 * position or run by run.
 */
#include <string.h>

#include "api/walk.h"

/* Marks the chunks of positions [low, high). */
static void mark_run(const nci_axis *axis, int64_t low, int64_t high,
                     int64_t *marks)
{
    if (low >= high)
        return;
    int64_t last = nci_axis_find(axis, high - 1);
    for (int64_t i = nci_axis_find(axis, low); i <= last; i++)
        marks[i] = 1;
}

/* The input's axis that follows axis d of the operation. */
static void mark_operand(const nci_node *node, const nci_box *box, int input,
                         int axis, const nci_axis *from, int64_t *marks)
{
    const nci_operand *operand = &node->inputs[input];
    for (int d = 0; d < node->rank; d++)
        if (operand->axis[d] == axis) {
            mark_run(from, box->start[d], box->start[d] + box->count[d], marks);
            return;
        }
    mark_run(from, 0, nci_axis_size(from), marks);
}

static void mark_select(const nci_node *node, const nci_box *box, int axis,
                        const nci_axis *from, int64_t *marks)
{
    const nci_pick *pick = &node->picks[axis];
    int64_t end = box->start[axis] + box->count[axis];
    for (int64_t i = box->start[axis]; i < end; i++) {
        int64_t at =
            pick->index ? pick->index[i] : pick->start + i * pick->step;
        mark_run(from, at, at + 1, marks);
    }
}

/* Reduced axes are needed whole; weights lie in the input's axes. */
static void mark_reduce(const nci_node *node, const nci_box *box, int input,
                        int axis, const nci_axis *from, int64_t *marks)
{
    const nci_node *values = node->inputs[0].node;
    int axis_of[NCG_MAX_RANK], d = axis;
    int rank = nci_reduce_axes(&node->reduce, values->rank, axis_of);
    for (int k = 0; input > 0 && k < values->rank; k++)
        if (node->inputs[input].axis[k] == axis)
            d = k;
    for (int i = 0; i < rank; i++)
        if (axis_of[i] == d && !node->reduce.over[d]) {
            mark_run(from, box->start[i], box->start[i] + box->count[i], marks);
            return;
        }
    mark_run(from, 0, nci_axis_size(from), marks);
}

static void mark_block(const nci_node *node, const int64_t *index, int input,
                       int axis, const nci_axis *from, int64_t *marks)
{
    const nci_reach *reach = &node->block.reach[input * NCG_MAX_RANK + axis];
    if (reach->from < 0)
        mark_run(from, 0, nci_axis_size(from), marks);
    else
        mark_run(from, reach->low[index[reach->from]],
                 reach->high[index[reach->from]], marks);
}

static int64_t collect(int64_t *marks, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (marks[i])
            marks[count++] = i;
    return count;
}

void nci_node_deps(const nci_node *node, const nci_grid *grid,
                   const int64_t *index, int input, const nci_grid *from,
                   int64_t *memory, int64_t **lists, int64_t *count)
{
    nci_box box = nci_grid_box(grid, nci_grid_number(grid, index));
    for (int a = 0; a < from->rank; a++) {
        const nci_axis *axis = &from->axis[a];
        lists[a] = memory;
        memory += axis->nchunks;
        memset(lists[a], 0, (size_t)axis->nchunks * sizeof **lists);
        switch (node->kind) {
        case NCI_NODE_SELECT:
            mark_select(node, &box, a, axis, lists[a]);
            break;
        case NCI_NODE_REDUCE:
            mark_reduce(node, &box, input, a, axis, lists[a]);
            break;
        case NCI_NODE_BLOCK:
            mark_block(node, index, input, a, axis, lists[a]);
            break;
        default:
            mark_operand(node, &box, input, a, axis, lists[a]);
        }
        count[a] = collect(lists[a], axis->nchunks);
    }
}
