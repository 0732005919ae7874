/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/pass_slice.h"

#include <string.h>

#include "base/mem.h"
#include "graph/fuse.h"
#include "graph/memo.h"
#include "graph/node_internal.h"

static bool is_whole(const nci_pick *pick, int64_t size)
{
    return !pick->index && pick->start == 0 && pick->step == 1 &&
           pick->count == size;
}

/* Splits the picks of a selection over a reduction: `below` for the axes of
 * the reduction's input that it keeps, `above` for the rest. True when there
 * is something to push. */
static bool split(const nci_pick *picks, const nci_node *reduction,
                  nci_pick *below, nci_pick *above)
{
    const nci_node *input = reduction->inputs[0].node;
    int axis_of[NCG_MAX_RANK];
    int rank = nci_reduce_axes(&reduction->reduce, input->rank, axis_of);
    bool any = false;
    for (int d = 0; d < input->rank; d++)
        below[d] = (nci_pick){.count = input->shape[d], .step = 1};
    for (int i = 0; i < rank; i++) {
        int d = axis_of[i];
        above[i] = picks[i];
        if (reduction->reduce.over[d])
            continue;
        any = any || !is_whole(&picks[i], input->shape[d]);
        below[d] = picks[i];
        above[i] = (nci_pick){.count = picks[i].count, .step = 1};
    }
    return any;
}

static bool can_push(const nci_pick *picks, const nci_node *reduction)
{
    nci_pick below[NCG_MAX_RANK], above[NCG_MAX_RANK];
    return split(picks, reduction, below, above);
}

/* Weights follow their input: the same picks on the axes they share. */
static ncg_status select_weights(const nci_node *reduction,
                                 const nci_pick *below, nci_operand *out,
                                 ncg_error *err)
{
    const nci_operand *weights = &reduction->inputs[1];
    nci_pick picks[NCG_MAX_RANK];
    for (int a = 0; a < NCG_MAX_RANK; a++) /* axes of size 1 not used */
        picks[a] = (nci_pick){.count = 1, .step = 1};
    for (int d = 0; d < reduction->inputs[0].node->rank; d++)
        if (weights->axis[d] >= 0)
            picks[weights->axis[d]] = below[d];
    *out = *weights;
    return nci_node_select(weights->node, picks, &out->node, err);
}

static ncg_status push(const nci_pick *picks, const nci_node *reduction,
                       nci_node **out, ncg_error *err)
{
    nci_pick below[NCG_MAX_RANK], above[NCG_MAX_RANK];
    nci_node *input = NULL, *reduced = NULL;
    nci_operand weights = {0};
    ncg_status st;
    split(picks, reduction, below, above);
    st = nci_node_select(reduction->inputs[0].node, below, &input, err);
    if (!st && reduction->ninputs > 1)
        st = select_weights(reduction, below, &weights, err);
    if (!st)
        st = nci_node_reduce(input, &reduction->reduce,
                             weights.node ? &weights : NULL, &reduced, err);
    if (!st)
        st = nci_node_select(reduced, above, out, err);
    nci_node_release(&input);
    nci_node_release(&weights.node);
    nci_node_release(&reduced);
    return st;
}

static ncg_status rewrite_select(nci_memo *memo, const nci_pick *picks,
                                 nci_node *input, nci_node **out,
                                 ncg_error *err);
static ncg_status slice(nci_memo *memo, nci_node *root, nci_node **out,
                        ncg_error *err);

/* Select of select: one select of composed picks. */
static ncg_status compose(nci_memo *memo, const nci_pick *picks,
                          nci_node *inner, nci_node **out, ncg_error *err)
{
    nci_pick both[NCG_MAX_RANK];
    memset(both, 0, sizeof both);
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < inner->rank; d++)
        st = nci_pick_compose(&picks[d], &inner->picks[d], &both[d], err);
    if (!st)
        st = rewrite_select(memo, both, inner->inputs[0].node, out, err);
    for (int d = 0; d < inner->rank; d++)
        nci_free((void *)both[d].index);
    return st;
}

/* Select of an element-wise node: the same on the selected operands. */
static ncg_status distribute(nci_memo *memo, const nci_pick *picks,
                             nci_node *map, nci_node **out, ncg_error *err)
{
    nci_operand operands[NCI_MAP_INPUTS];
    int64_t shape[NCG_MAX_RANK];
    ncg_status st = NCG_OK;
    int n = 0;
    for (int d = 0; d < map->rank; d++)
        shape[d] = picks[d].count;
    for (; n < map->ninputs; n++) {
        nci_pick own[NCG_MAX_RANK];
        operands[n] = map->inputs[n];
        for (int a = 0; a < NCG_MAX_RANK; a++) /* axes of size 1 not used */
            own[a] = (nci_pick){.count = 1, .step = 1};
        for (int d = 0; d < map->rank; d++)
            if (operands[n].axis[d] >= 0)
                own[operands[n].axis[d]] = picks[d];
        st = rewrite_select(memo, own, map->inputs[n].node, &operands[n].node,
                            err);
        if (st)
            break;
    }
    if (!st)
        st = nci_node_map(map->map, map->dtype, map->rank, shape, operands, n,
                          out, err);
    for (int i = 0; i < n; i++)
        nci_node_release(&operands[i].node);
    return st;
}

static ncg_status push_below(nci_memo *memo, const nci_pick *picks,
                             nci_node *reduction, nci_node **out,
                             ncg_error *err)
{
    nci_node *pushed = NULL;
    NCI_TRY(push(picks, reduction, &pushed, err));
    ncg_status st = slice(memo, pushed, out, err);
    nci_node_release(&pushed);
    return st;
}

static ncg_status push_select(nci_memo *memo, const nci_pick *picks,
                              nci_node *input, nci_node **out, ncg_error *err)
{
    if (input->kind == NCI_NODE_SELECT)
        return compose(memo, picks, input, out, err);
    if (input->kind == NCI_NODE_MAP)
        return distribute(memo, picks, input, out, err);
    if (input->kind == NCI_NODE_REDUCE && can_push(picks, input))
        return push_below(memo, picks, input, out, err);
    return nci_node_select(input, picks, out, err);
}

static nci_token token_of(const nci_pick *picks, const nci_node *input)
{
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.slice/1");
    nci_hash_token(&hash, input->token);
    for (int d = 0; d < input->rank; d++) {
        nci_hash_i64(&hash, picks[d].count);
        nci_hash_i64(&hash, picks[d].index ? -1 : picks[d].start);
        nci_hash_i64(&hash, picks[d].index ? 0 : picks[d].step);
        if (picks[d].index)
            nci_hash_bytes(&hash, picks[d].index,
                           (size_t)picks[d].count * sizeof *picks[d].index);
    }
    return nci_hash_done(&hash);
}

static ncg_status kept(nci_memo *memo, nci_token token, nci_node *made,
                       nci_node **out, ncg_error *err)
{
    ncg_status st = nci_memo_keep(memo, token, made, err);
    if (st)
        nci_node_release(&made);
    else
        *out = made;
    return st;
}

static ncg_status rewrite_select(nci_memo *memo, const nci_pick *picks,
                                 nci_node *input, nci_node **out,
                                 ncg_error *err)
{
    bool whole = true;
    for (int d = 0; d < input->rank; d++)
        whole = whole && is_whole(&picks[d], input->shape[d]);
    if (whole) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    nci_token token = token_of(picks, input);
    nci_node *known = nci_memo_find(memo, token), *made = NULL;
    if (known) {
        *out = nci_node_retain(known);
        return NCG_OK;
    }
    NCI_TRY(push_select(memo, picks, input, &made, err));
    return kept(memo, token, made, out, err);
}

static ncg_status rebuild(nci_memo *memo, nci_node *node, nci_operand *inputs,
                          nci_node **out, ncg_error *err)
{
    switch (node->kind) {
    case NCI_NODE_SELECT:
        return rewrite_select(memo, node->picks, inputs[0].node, out, err);
    case NCI_NODE_MAP:
        return nci_node_map(node->map, node->dtype, node->rank, node->shape,
                            inputs, node->ninputs, out, err);
    case NCI_NODE_REDUCE:
        return nci_node_reduce(inputs[0].node, &node->reduce,
                               node->ninputs > 1 ? &inputs[1] : NULL, out, err);
    case NCI_NODE_BLOCK:
        return nci_node_block_on(node, inputs, out, err);
    default:
        *out = nci_node_retain(node);
        return NCG_OK;
    }
}

static ncg_status slice_inputs(nci_memo *memo, nci_node *root, nci_node **out,
                               ncg_error *err)
{
    int n = 0;
    ncg_status st = NCG_OK;
    nci_operand *inputs =
        nci_alloc(((size_t)root->ninputs + 1) * sizeof *inputs);
    if (!inputs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (; !st && n < root->ninputs; n++) {
        inputs[n] = root->inputs[n];
        st = slice(memo, root->inputs[n].node, &inputs[n].node, err);
        if (st)
            break;
    }
    if (!st)
        st = rebuild(memo, root, inputs, out, err);
    for (int i = 0; i < n; i++)
        nci_node_release(&inputs[i].node);
    nci_free(inputs);
    return st;
}

static ncg_status slice(nci_memo *memo, nci_node *root, nci_node **out,
                        ncg_error *err)
{
    nci_node *known = nci_memo_find(memo, root->token), *made = NULL;
    if (known || !root->ninputs) {
        *out = nci_node_retain(known ? known : root);
        return NCG_OK;
    }
    NCI_TRY(slice_inputs(memo, root, &made, err));
    return kept(memo, root->token, made, out, err);
}

ncg_status nci_pass_slice(nci_node *root, nci_node **out, ncg_error *err)
{
    nci_memo memo = {0};
    ncg_status st = slice(&memo, root, out, err);
    nci_memo_fini(&memo);
    return st;
}
