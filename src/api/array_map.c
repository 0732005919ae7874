/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations element by element. CAST and VIEW have functions of their own. */
#include <string.h>

#include "api/arrays.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"

static const nci_map_op first_op = NCI_MAP_ADD;

size_t ncg_map_op_count(void)
{
    return NCI_MAP_OP_COUNT - first_op;
}

const char *ncg_map_op_name(size_t op)
{
    return op < ncg_map_op_count() ? nci_map_op_name((nci_map_op)(op + first_op))
                                   : NULL;
}

int ncg_map_op_inputs(size_t op)
{
    return op < ncg_map_op_count()
               ? nci_map_op_ninputs((nci_map_op)(op + first_op))
               : 0;
}

static ncg_status find_op(const char *name, nci_map_op *out, ncg_error *err)
{
    const char *names[NCI_MAP_OP_COUNT];
    size_t n = ncg_map_op_count();
    if (!name)
        return nci_array_null("the name of the operation", err);
    if (nci_map_op_parse(name, out) && *out >= first_op)
        return NCG_OK;
    for (size_t i = 0; i < n; i++)
        names[i] = ncg_map_op_name(i);
    const char *near = nci_suggest(name, names, n);
    return nci_fail(err, NCG_EINVAL,
                    "no operation \"%.40s\"; %s%s (ncg_map_op_name lists them)",
                    name, near ? "did you mean " : "names are NumPy's",
                    near ? near : "");
}

ncg_status ncg_array_map(const char *op, ncg_array *const *inputs,
                         size_t ninputs, ncg_array **out, ncg_error *err)
{
    nci_map_op which;
    nci_node **nodes = NULL, *node = NULL;
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(find_op(op, &which, err));
    if (ninputs != (size_t)nci_map_op_ninputs(which))
        return nci_fail(err, NCG_EINVAL, "%s takes %d arrays, not %zu", op,
                        nci_map_op_ninputs(which), ninputs);
    NCI_TRY(nci_arrays_nodes(inputs, ninputs, &nodes, err));
    ncg_status st = nci_ops_map(which, NCG_DTYPE_NONE, nodes, (int)ninputs,
                                &node, err);
    nci_free(nodes);
    return nci_array_done(inputs[0]->ctx, st, node, out, err);
}

static ncg_status check_cast(const ncg_array *array, ncg_dtype dtype,
                             ncg_error *err)
{
    if ((unsigned)dtype > NCG_DTYPE_STRING || !nci_dtype_is_numeric(dtype))
        return nci_fail(err, NCG_EINVAL,
                        "dtype %d (%s) is none that numbers can have",
                        (int)dtype, ncg_dtype_name(dtype));
    if (!nci_dtype_is_numeric(array->node->dtype))
        return nci_fail(err, NCG_EINVAL, "values of dtype %s are no numbers",
                        ncg_dtype_name(array->node->dtype));
    return NCG_OK;
}

/* The CAST of floating-point numbers to integers rounds; here they are cut. */
ncg_status ncg_array_cast(ncg_array *array, ncg_dtype dtype, ncg_array **out,
                          ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(check_cast(array, dtype, err));
    nci_node *cut = NULL, *node = NULL, *input = array->node;
    ncg_status st = NCG_OK;
    if (dtype == input->dtype)
        return nci_array_done(array->ctx, st, nci_node_retain(input), out, err);
    if (nci_dtype_is_float(input->dtype) && nci_dtype_is_integer(dtype) &&
        dtype != NCG_DTYPE_BOOL)
        st = nci_ops_map(NCI_MAP_TRUNC, NCG_DTYPE_NONE, &input, 1, &cut, err);
    if (!st)
        st = nci_ops_map(NCI_MAP_CAST, dtype, cut ? &cut : &input, 1, &node,
                         err);
    nci_node_release(&cut);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_clip(ncg_array *array, ncg_array *low, ncg_array *high,
                          ncg_array **out, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return nci_array_null("the place for the result", err);
    if (low)
        NCI_TRY(nci_arrays_together(low, array, err));
    if (high)
        NCI_TRY(nci_arrays_together(high, array, err));
    nci_node *node = nci_node_retain(array->node);
    const nci_map_op ops[] = {NCI_MAP_MAX, NCI_MAP_MIN};
    ncg_array *const limits[] = {low, high};
    ncg_status st = NCG_OK;
    for (int i = 0; !st && i < 2; i++) {
        nci_node *next = NULL;
        if (!limits[i])
            continue;
        nci_node *inputs[] = {node, limits[i]->node};
        st = nci_ops_map(ops[i], NCG_DTYPE_NONE, inputs, 2, &next, err);
        nci_node_release(&node);
        node = next;
    }
    return nci_array_done(array->ctx, st, node, out, err);
}
