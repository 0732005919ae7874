/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes that map values one by one: shapes that broadcast, dtypes. */
#include <string.h>

#include "base/dtype.h"
#include "graph/node_internal.h"

/* The dtype in which an operand takes part. */
static ncg_dtype part_dtype(const nci_node *node)
{
    return node->has_missing ? nci_dtype_real(node->dtype) : node->dtype;
}

ncg_status nci_operand_check(const nci_operand *operand, int rank,
                             const int64_t *shape, ncg_error *err)
{
    const nci_node *node = operand->node;
    if (!nci_dtype_is_numeric(node->dtype))
        return nci_fail(err, NCG_EINVAL, "arithmetic on %s values",
                        ncg_dtype_name(node->dtype));
    unsigned seen = 0;
    for (int d = 0; d < rank; d++) {
        int axis = operand->axis[d];
        if (axis < 0)
            continue;
        if (axis >= node->rank || node->shape[axis] != shape[d])
            return nci_fail(err, NCG_EINVAL, "shapes do not broadcast");
        seen |= 1u << axis;
    }
    for (int a = 0; a < node->rank; a++)
        if (!(seen & 1u << a) && node->shape[a] != 1)
            return nci_fail(err, NCG_EINVAL,
                            "an axis of an operand is not used");
    return NCG_OK;
}

static ncg_status map_dtype(nci_map_op op, const nci_operand *operands,
                            ncg_dtype *dtype, ncg_error *err)
{
    ncg_dtype inputs[NCI_MAP_INPUTS];
    int n = nci_map_op_ninputs(op);
    if (op == NCI_MAP_CAST)
        return NCG_OK;
    if (op == NCI_MAP_VIEW) {
        *dtype = operands[0].node->dtype;
        return NCG_OK;
    }
    for (int i = 0; i < n; i++)
        inputs[i] = part_dtype(operands[i].node);
    return nci_map_dtype(op, inputs, n, dtype, err);
}

/* Integers made from floats, or from integers with missing values, need a
 * value that says so. */
static void set_map_missing(nci_node *node, const nci_node *from)
{
    if (node->map == NCI_MAP_VIEW)
        nci_node_set_missing(node, from);
    if (node->map != NCI_MAP_CAST || !nci_dtype_is_integer(node->dtype) ||
        node->dtype == NCG_DTYPE_BOOL) /* NaN is true */
        return;
    node->has_missing = from->has_missing || nci_dtype_is_float(from->dtype);
    nci_dtype_put(node->dtype, node->missing,
                  nci_dtype_default_fill(node->dtype));
}

ncg_status nci_node_map(nci_map_op op, ncg_dtype dtype, int rank,
                        const int64_t *shape, const nci_operand *operands,
                        int noperands, nci_node **out, ncg_error *err)
{
    if (noperands != nci_map_op_ninputs(op))
        return nci_fail(err, NCG_EINVAL, "%s takes %d operands, not %d",
                        nci_map_op_name(op), nci_map_op_ninputs(op), noperands);
    for (int i = 0; i < noperands; i++)
        NCI_TRY(nci_operand_check(&operands[i], rank, shape, err));
    NCI_TRY(map_dtype(op, operands, &dtype, err));
    nci_node *node = nci_node_alloc(NCI_NODE_MAP, dtype, rank, noperands, err);
    if (!node)
        return NCG_ENOMEM;
    memcpy(node->shape, shape, (size_t)rank * sizeof *shape);
    node->map = op;
    node->ninputs = noperands;
    for (int i = 0; i < noperands; i++) {
        node->inputs[i] = operands[i];
        nci_node_retain(operands[i].node);
    }
    ncg_status st = nci_node_deepen(node, err);
    if (st) {
        nci_node_release(&node);
        return st;
    }
    set_map_missing(node, operands[0].node);
    node->name = operands[0].node->name;
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    nci_hash_i64(&hash, op);
    node->token = nci_hash_done(&hash);
    *out = node;
    return NCG_OK;
}
