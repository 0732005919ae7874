/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes that reduce: what can be reduced, shape and dtype of the result, and
 * whether it needs a value that says "missing". */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/node_internal.h"

int nci_reduce_axes(const nci_reduce *reduce, int rank, int *axis_of)
{
    int n = 0;
    for (int d = 0; d < rank; d++)
        if (!reduce->over[d] || reduce->keep[d] ||
            (d == reduce->label_axis && !reduce->pools))
            axis_of[n++] = d;
    return n;
}

static ncg_dtype result_dtype(ncg_op op, ncg_dtype dtype, bool weighted)
{
    bool is_float = nci_dtype_is_float(dtype);
    ncg_dtype real = dtype == NCG_DTYPE_F32 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
    switch (op) {
    case NCG_OP_MEAN:
    case NCG_OP_STD:
    case NCG_OP_VAR:
    case NCG_OP_RANGE:
        return real;
    case NCG_OP_SUM:
    case NCG_OP_PROD:
        if (is_float || weighted)
            return real;
        return nci_dtype_is_signed(dtype) || dtype == NCG_DTYPE_BOOL
                   ? NCG_DTYPE_I64
                   : NCG_DTYPE_U64;
    case NCG_OP_COUNT:
    case NCG_OP_ARGMIN:
    case NCG_OP_ARGMAX:
        return NCG_DTYPE_I64;
    case NCG_OP_ANY:
    case NCG_OP_ALL:
        return NCG_DTYPE_BOOL;
    default:
        return dtype;
    }
}

bool nci_op_takes_weights(ncg_op op)
{
    return op == NCG_OP_MEAN || op == NCG_OP_SUM || op == NCG_OP_STD ||
           op == NCG_OP_VAR;
}

static ncg_status check_reduce(const nci_node *input, const nci_reduce *reduce,
                               const nci_operand *weights, ncg_error *err)
{
    if (!nci_dtype_is_numeric(input->dtype))
        return nci_fail(err, NCG_EINVAL, "%s values cannot be reduced",
                        ncg_dtype_name(input->dtype));
    if ((unsigned)reduce->op >= NCG_OP_COUNT_)
        return nci_fail(err, NCG_EINVAL, "unknown reduction %d", reduce->op);
    if (weights && !nci_op_takes_weights(reduce->op))
        return nci_fail(err, NCG_EINVAL,
                        "weights have a meaning for mean, sum, std and var "
                        "only");
    if (reduce->label_axis >= 0 && !reduce->over[reduce->label_axis])
        return nci_fail(err, NCG_EINVAL, "the grouped axis is not reduced");
    if (reduce->pools &&
        (reduce->label_axis < 0 || weights ||
         (reduce->op != NCG_OP_STD && reduce->op != NCG_OP_VAR)))
        return nci_fail(err, NCG_EINVAL,
                        "only std and var of groups, without weights, can be "
                        "pooled");
    if (weights)
        return nci_operand_check(weights, input->rank, input->shape, err);
    return NCG_OK;
}

/* None of these is what marks missing ones: a sum or a position may well be
 * equal to it. */
bool nci_op_picks_a_value(ncg_op op)
{
    return op == NCG_OP_MIN || op == NCG_OP_MAX || op == NCG_OP_FIRST ||
           op == NCG_OP_LAST;
}

/* How many positions the smallest group has; 0 where some group has none. */
static ncg_status fewest_values(const nci_reduce *r, const nci_node *input,
                                int64_t *out, ncg_error *err)
{
    int64_t n = 1, fewest = INT64_MAX;
    for (int d = 0; d < input->rank; d++)
        if (r->over[d] && d != r->label_axis)
            n *= input->shape[d];
    *out = n;
    if (r->label_axis < 0)
        return NCG_OK;
    if (r->nlabels > input->shape[r->label_axis]) {
        *out = 0; /* more groups than positions: no need to count */
        return NCG_OK;
    }
    int64_t *count = nci_calloc((size_t)r->nlabels + 1, sizeof *count);
    if (!count)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < input->shape[r->label_axis]; i++)
        if (r->labels[i] >= 0)
            count[r->labels[i]]++;
    for (int32_t g = 0; g < r->nlabels; g++)
        fewest = count[g] < fewest ? count[g] : fewest;
    nci_free(count);
    *out = fewest * n;
    return NCG_OK;
}

/* Whether a reduction of no values has a value: 0, 1, false, true. */
static bool has_value_of_nothing(ncg_op op)
{
    return op == NCG_OP_SUM || op == NCG_OP_PROD || op == NCG_OP_ANY ||
           op == NCG_OP_ALL;
}

/* Whether a result may have fewer than min_count valid values. */
static ncg_status may_be_missing(const nci_reduce *r, const nci_node *input,
                                 bool *out, ncg_error *err)
{
    int64_t least = r->min_count > 1 ? r->min_count : 1, fewest = 0;
    bool any_number =
        r->skipna && r->min_count <= 0 && has_value_of_nothing(r->op);
    *out = !any_number;
    if (any_number || nci_dtype_is_float(input->dtype) || input->has_missing)
        return NCG_OK;
    NCI_TRY(fewest_values(r, input, &fewest, err));
    *out = fewest < least; /* else all values are there, and enough of them */
    return NCG_OK;
}

/* Results of integer dtype need a value that says "missing": the input's own
 * for those that are among its values, NetCDF's default fill for the others. */
static ncg_status set_reduced_missing(nci_node *node, const nci_node *input,
                                      ncg_error *err)
{
    bool counts = node->reduce.op == NCG_OP_COUNT;
    if (!nci_dtype_is_integer(node->dtype) ||
        (counts && node->reduce.min_count <= 1))
        return NCG_OK; /* no count is missing unless fewer than min_count are */
    NCI_TRY(may_be_missing(&node->reduce, input, &node->has_missing, err));
    if (!node->has_missing)
        return NCG_OK;
    if (nci_op_picks_a_value(node->reduce.op) && input->has_missing)
        nci_node_set_missing(node, input);
    else if (node->dtype == NCG_DTYPE_I64)
        nci_dtype_put_i64(NCG_DTYPE_I64, node->missing, -9223372036854775806);
    else if (node->dtype == NCG_DTYPE_U64)
        memcpy(node->missing, &(uint64_t){18446744073709551614u}, 8);
    else if (node->dtype == NCG_DTYPE_BOOL)
        nci_dtype_put(NCG_DTYPE_I8, node->missing, -127);
    else
        nci_dtype_put(node->dtype, node->missing,
                      nci_dtype_default_fill(node->dtype));
    return NCG_OK;
}

static void hash_reduce(const nci_node *node, int rank, nci_hash *hash)
{
    const nci_reduce *r = &node->reduce;
    nci_hash_i64(hash, r->op);
    nci_hash_bytes(hash, r->over, (size_t)rank);
    nci_hash_bytes(hash, r->keep, (size_t)rank);
    nci_hash_i64(hash, r->label_axis);
    nci_hash_i64(hash, r->skipna);
    nci_hash_i64(hash, r->min_count);
    nci_hash_i64(hash, r->ddof);
    nci_hash_i64(hash, r->pools);
    if (r->labels)
        nci_hash_bytes(hash, r->labels,
                       (size_t)node->inputs[0].node->shape[r->label_axis] *
                           sizeof *r->labels);
}

static ncg_status copy_labels(nci_node *node, const nci_node *input,
                              ncg_error *err)
{
    nci_reduce *r = &node->reduce;
    if (r->label_axis < 0) {
        r->labels = NULL;
        return NCG_OK;
    }
    size_t nbytes = (size_t)input->shape[r->label_axis] * sizeof *r->labels;
    int32_t *copy = nci_alloc(nbytes ? nbytes : 1);
    if (copy && nbytes)
        memcpy(copy, r->labels, nbytes);
    r->labels = copy;
    return copy ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

/* The first reduced axis that has no positions, -1: none. */
static int empty_axis(const nci_node *input, const nci_reduce *reduce)
{
    for (int d = 0; d < input->rank; d++)
        if (reduce->over[d] && input->shape[d] == 0)
            return d;
    return -1;
}

/* Picked values may be any of the input's: where one may be missing and no
 * value says so, they are picked in the next wider dtype. */
static ncg_status find_room(const nci_node *input, const nci_reduce *reduce,
                            ncg_dtype *out, ncg_error *err)
{
    static const ncg_dtype wider[] = {0, NCG_DTYPE_I16, NCG_DTYPE_I32, 0,
                                      NCG_DTYPE_I64};
    size_t size = ncg_dtype_size(input->dtype);
    bool may_be;
    *out = input->dtype;
    if (!nci_op_picks_a_value(reduce->op) || input->has_missing || size > 4 ||
        !nci_dtype_is_integer(input->dtype) || input->dtype == NCG_DTYPE_BOOL)
        return NCG_OK;
    NCI_TRY(may_be_missing(reduce, input, &may_be, err));
    if (may_be)
        *out = wider[size];
    return NCG_OK;
}

static ncg_status make_reduce(nci_node *input, const nci_reduce *reduce,
                              const nci_operand *weights, nci_node **out,
                              ncg_error *err)
{
    int axis_of[NCG_MAX_RANK];
    int rank = nci_reduce_axes(reduce, input->rank, axis_of);
    nci_node *node = nci_node_alloc(
        NCI_NODE_REDUCE,
        result_dtype(reduce->op, input->dtype, weights != NULL), rank, 2, err);
    if (!node)
        return NCG_ENOMEM;
    node->reduce = *reduce;
    ncg_status st = copy_labels(node, input, err);
    if (st)
        goto done;
    for (int i = 0; i < rank; i++) {
        int d = axis_of[i];
        node->shape[i] = input->shape[d];
        if (reduce->over[d])
            node->shape[i] =
                d == reduce->label_axis && !reduce->pools ? reduce->nlabels : 1;
    }
    node->inputs[node->ninputs] = (nci_operand){.node = nci_node_retain(input)};
    for (int d = 0; d < input->rank; d++)
        node->inputs[0].axis[d] = d;
    node->ninputs = 1;
    if (weights) {
        node->inputs[1] = *weights;
        nci_node_retain(weights->node);
        node->ninputs = 2;
    }
    node->name = input->name;
    st = nci_node_deepen(node, err);
    if (!st)
        st = set_reduced_missing(node, input, err);
    if (st)
        goto done;
    int nothing = empty_axis(input, reduce);
    if (nothing >= 0) {
        st = nci_reduce_nothing(node, nothing, out, err);
        goto done;
    }
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    if (weights)
        nci_hash_bytes(&hash, weights->axis, (size_t)input->rank * sizeof(int));
    hash_reduce(node, input->rank, &hash);
    node->token = nci_hash_done(&hash);
    *out = node;
    return NCG_OK;
done:
    nci_node_release(&node);
    return st;
}

ncg_status nci_node_reduce(nci_node *input, const nci_reduce *reduce,
                           const nci_operand *weights, nci_node **out,
                           ncg_error *err)
{
    ncg_dtype dtype;
    NCI_TRY(check_reduce(input, reduce, weights, err));
    NCI_TRY(find_room(input, reduce, &dtype, err));
    if (dtype == input->dtype)
        return make_reduce(input, reduce, weights, out, err);
    nci_operand operand = {.node = input};
    nci_node *wide = NULL;
    for (int d = 0; d < input->rank; d++)
        operand.axis[d] = d;
    NCI_TRY(nci_node_map(NCI_MAP_CAST, dtype, input->rank, input->shape,
                         &operand, 1, &wide, err));
    ncg_status st = make_reduce(wide, reduce, NULL, out, err);
    nci_node_release(&wide);
    return st;
}
