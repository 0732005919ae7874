/* SPDX-License-Identifier: BSD-3-Clause */
/* Putting known values in the place of expressions. */
#include "graph/pass_replace.h"

#include "base/mem.h"
#include "graph/memo.h"
#include "graph/node_internal.h"

typedef struct replacing {
    nci_replace_fn replace;
    void *ctx;
    nci_memo memo;
} replacing;

static ncg_status again(const nci_node *node, const nci_operand *inputs,
                        nci_node **out, ncg_error *err)
{
    switch (node->kind) {
    case NCI_NODE_SELECT:
        return nci_node_select(inputs[0].node, node->picks, out, err);
    case NCI_NODE_MAP:
        return nci_node_map(node->map, node->dtype, node->rank, node->shape,
                            inputs, node->ninputs, out, err);
    case NCI_NODE_REDUCE:
        return nci_node_reduce(inputs[0].node, &node->reduce,
                               node->ninputs > 1 ? &inputs[1] : NULL, out, err);
    case NCI_NODE_BLOCK:
        return nci_node_block_on((nci_node *)node, inputs, out, err);
    default:
        return nci_fail(err, NCG_EBUG, "a node of kind %d with inputs",
                        (int)node->kind);
    }
}

static ncg_status visit(replacing *r, nci_node *node, nci_node **out,
                        ncg_error *err);

static ncg_status visit_inputs(replacing *r, nci_node *node, nci_node **out,
                               ncg_error *err)
{
    size_t n = (size_t)node->ninputs, done = 0;
    bool changed = false;
    ncg_status st = NCG_OK;
    nci_operand *inputs = nci_alloc((n + 1) * sizeof *inputs);
    if (!inputs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (; done < n; done++) {
        inputs[done] = node->inputs[done];
        st = visit(r, node->inputs[done].node, &inputs[done].node, err);
        if (st)
            break;
        changed = changed || inputs[done].node != node->inputs[done].node;
    }
    if (!st && changed)
        st = again(node, inputs, out, err);
    else if (!st)
        *out = nci_node_retain(node);
    for (size_t i = 0; i < done; i++)
        nci_node_release(&inputs[i].node);
    nci_free(inputs);
    return st;
}

static ncg_status visit(replacing *r, nci_node *node, nci_node **out,
                        ncg_error *err)
{
    nci_node *made = nci_node_retain(nci_memo_find(&r->memo, node->token));
    if (made) {
        *out = made;
        return NCG_OK;
    }
    NCI_TRY(r->replace(r->ctx, node, &made, err));
    if (!made && node->ninputs)
        NCI_TRY(visit_inputs(r, node, &made, err));
    else if (!made)
        made = nci_node_retain(node);
    ncg_status st = nci_memo_keep(&r->memo, node->token, made, err);
    if (st)
        nci_node_release(&made);
    else
        *out = made;
    return st;
}

ncg_status nci_pass_replace(nci_node *root, nci_replace_fn replace, void *ctx,
                            nci_node **out, ncg_error *err)
{
    replacing r = {.replace = replace, .ctx = ctx};
    ncg_status st = visit(&r, root, out, err);
    nci_memo_fini(&r.memo);
    return st;
}
