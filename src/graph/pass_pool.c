/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is recognised, with L the labels of the groups along axis t:
 *
 *     std(t) --- SUB --- x
 *                  \---- SELECT(t: L[i]) --- mean(t by L) --- x
 *
 * and the same without groups, where the mean is broadcast along t. Without
 * groups std may go over one axis more: each position along it is a group then,
 * years and months being an axis each.
 */
#include "graph/pass_pool.h"

#include <string.h>

#include "base/mem.h"

/* What the states of all groups may take in a task: a run that has little
 * memory goes on. Each cell has a mean, squared deviations and a count. */
enum { MOST_BYTES = 48 << 20, CELL_BYTES = 20 };

static int64_t pick_at(const nci_pick *pick, int64_t i)
{
    return pick->index ? pick->index[i] : pick->start + i * pick->step;
}

/* Along the label axis each position takes the mean of its own group; along
 * the others everything is taken. */
static bool lays_back(const nci_node *select, const nci_node *mean)
{
    const nci_reduce *r = &mean->reduce;
    const nci_node *x = mean->inputs[0].node;
    int axis_of[NCG_MAX_RANK];
    int rank = nci_reduce_axes(r, x->rank, axis_of);
    for (int a = 0; a < rank; a++) {
        const nci_pick *pick = &select->picks[a];
        bool by_label = axis_of[a] == r->label_axis;
        if (pick->count !=
            (by_label ? x->shape[r->label_axis] : mean->shape[a]))
            return false;
        for (int64_t i = 0; i < pick->count; i++)
            if (pick_at(pick, i) != (by_label ? r->labels[i] : i))
                return false;
    }
    return true;
}

/* The reduction behind the second operand of the subtraction. */
static const nci_node *mean_of(const nci_node *map)
{
    const nci_node *node = map->inputs[1].node, *mean = node;
    if (node->kind == NCI_NODE_SELECT)
        mean = node->inputs[0].node;
    if (mean->kind != NCI_NODE_REDUCE || mean->reduce.op != NCG_OP_MEAN ||
        mean->ninputs != 1 || !mean->reduce.skipna ||
        mean->reduce.min_count > 1)
        return NULL;
    bool is_grouped = mean->reduce.label_axis >= 0;
    if (is_grouped != (node != mean) || (is_grouped && !lays_back(node, mean)))
        return NULL;
    return mean;
}

/* The mean lies along the axes it came from, and is broadcast along those it
 * has lost. */
static bool is_aligned(const nci_node *map, const nci_node *mean)
{
    const nci_node *x = map->inputs[0].node;
    const nci_reduce *r = &mean->reduce;
    int axis_of[NCG_MAX_RANK], own[NCG_MAX_RANK];
    int rank = nci_reduce_axes(r, x->rank, axis_of);
    if (map->rank != x->rank)
        return false;
    for (int d = 0; d < x->rank; d++)
        own[d] = -1;
    for (int a = 0; a < rank; a++)
        if (!r->over[axis_of[a]] || axis_of[a] == r->label_axis)
            own[axis_of[a]] = a;
    for (int d = 0; d < x->rank; d++) {
        if (map->inputs[0].axis[d] != d || map->shape[d] != x->shape[d])
            return false;
        if (map->shape[d] > 1 && map->inputs[1].axis[d] != own[d])
            return false;
    }
    return true;
}

/* The axes of both reductions are the same, or *extra is the one that the mean
 * has kept. */
static bool has_axes_of(const nci_reduce *r, const nci_node *mean, int rank,
                        int *extra)
{
    *extra = -1;
    for (int d = 0; d < rank; d++) {
        if (r->over[d] == mean->reduce.over[d])
            continue;
        if (!r->over[d] || *extra >= 0)
            return false;
        *extra = d;
    }
    return *extra < 0 || mean->reduce.label_axis < 0;
}

/* Whether the states of the groups along axis `extra` are small enough. */
static ncg_status has_room(const nci_node *x, const nci_reduce *r, int extra,
                           bool *out, ncg_error *err)
{
    nci_grid grid = {0};
    int64_t cells = extra < 0 ? 0 : x->shape[extra];
    NCI_TRY(nci_node_grid(x, &grid, err));
    for (int d = 0; extra >= 0 && d < x->rank; d++)
        if (!r->over[d] &&
            !nci_mul_i64(cells, nci_axis_longest(&grid.axis[d]), &cells))
            cells = INT64_MAX; /* stays too large */
    nci_grid_fini(&grid);
    *out = cells <= MOST_BYTES / CELL_BYTES;
    return NCG_OK;
}

static bool is_pooled(const nci_node *node, const nci_node **out, int *extra)
{
    const nci_reduce *r = &node->reduce;
    const nci_node *map = node->inputs[0].node;
    if ((r->op != NCG_OP_STD && r->op != NCG_OP_VAR) || node->ninputs != 1 ||
        r->label_axis >= 0 || map->kind != NCI_NODE_MAP ||
        map->map != NCI_MAP_SUB)
        return false;
    const nci_node *x = map->inputs[0].node, *mean = mean_of(map);
    if (!mean || !nci_token_equal(mean->inputs[0].node->token, x->token) ||
        !is_aligned(map, mean) || !has_axes_of(r, mean, x->rank, extra))
        return false;
    *out = mean;
    return true;
}

static ncg_status pool(const nci_node *node, const nci_node *mean, int extra,
                       nci_node **out, ncg_error *err)
{
    nci_node *x = mean->inputs[0].node;
    nci_reduce reduce = node->reduce;
    int32_t *own = NULL;
    reduce.label_axis = mean->reduce.label_axis;
    reduce.nlabels = mean->reduce.nlabels;
    reduce.labels = mean->reduce.labels;
    if (extra >= 0) {
        reduce.label_axis = extra;
        reduce.nlabels = (int32_t)x->shape[extra];
        own = nci_alloc((size_t)(reduce.nlabels + 1) * sizeof *own);
        if (!own)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        for (int32_t i = 0; i < reduce.nlabels; i++)
            own[i] = i;
        reduce.labels = own;
    }
    reduce.pools = reduce.label_axis >= 0;
    ncg_status st = nci_node_reduce(x, &reduce, NULL, out, err);
    nci_free(own);
    return st;
}

ncg_status nci_pass_pool(const nci_node *node, nci_node **out, ncg_error *err)
{
    const nci_node *mean = NULL;
    int extra = -1;
    *out = NULL;
    bool fits = false;
    if (!is_pooled(node, &mean, &extra))
        return NCG_OK;
    NCI_TRY(has_room(mean->inputs[0].node, &node->reduce, extra, &fits, err));
    if (!fits)
        return NCG_OK;
    NCI_TRY(pool(node, mean, extra, out, err));
    if ((*out)->dtype != node->dtype)
        nci_node_release(out);
    return NCG_OK;
}
