/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results in double where doubles are to be written. Arithmetic on float data
 * runs in double and is rounded to float at the end of each step; a cast of
 * the last result would only add zeros. So the steps are made anew from the
 * data on, on values that were widened first.
 */
#include "dataset/ops.h"

static ncg_status cast(nci_node *node, nci_node **out, ncg_error *err)
{
    nci_operand operand = {.node = node};
    for (int a = 0; a < node->rank; a++)
        operand.axis[a] = a;
    return nci_node_map(NCI_MAP_CAST, NCG_DTYPE_F64, node->rank, node->shape,
                        &operand, 1, out, err);
}

static ncg_status widen_reduce(const nci_node *node, nci_node **out,
                               ncg_error *err)
{
    nci_node *input = NULL;
    NCI_TRY(nci_widen(node->inputs[0].node, &input, err));
    ncg_status st =
        nci_node_reduce(input, &node->reduce,
                        node->ninputs > 1 ? &node->inputs[1] : NULL, out, err);
    nci_node_release(&input);
    return st;
}

static ncg_status widen_select(const nci_node *node, nci_node **out,
                               ncg_error *err)
{
    nci_node *input = NULL;
    NCI_TRY(nci_widen(node->inputs[0].node, &input, err));
    ncg_status st = nci_node_select(input, node->picks, out, err);
    nci_node_release(&input);
    return st;
}

static ncg_status widen_map(const nci_node *node, nci_node **out,
                            ncg_error *err)
{
    nci_operand operands[NCI_MAP_INPUTS];
    ncg_status st = NCG_OK;
    int n = 0;
    for (; !st && n < node->ninputs; n++) {
        operands[n] = node->inputs[n];
        operands[n].node = NULL;
        st = nci_widen(node->inputs[n].node, &operands[n].node, err);
    }
    if (!st)
        st = nci_node_map(node->map, NCG_DTYPE_NONE, node->rank, node->shape,
                          operands, n, out, err);
    while (n-- > 0)
        nci_node_release(&operands[n].node);
    return st;
}

ncg_status nci_widen(nci_node *node, nci_node **out, ncg_error *err)
{
    if (node->dtype != NCG_DTYPE_F32) {
        *out = nci_node_retain(node);
        return NCG_OK;
    }
    switch (node->kind) {
    case NCI_NODE_REDUCE:
        return widen_reduce(node, out, err);
    case NCI_NODE_SELECT:
        return widen_select(node, out, err);
    case NCI_NODE_MAP:
        if (node->map != NCI_MAP_CAST)
            return widen_map(node, out, err);
        return cast(node, out, err);
    default:
        return cast(node, out, err);
    }
}
