/* SPDX-License-Identifier: BSD-3-Clause */
/* The operations: selection, element-wise maps, reductions. All checks of
 * shapes and dtypes are here, before any byte is read. */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/node_internal.h"

/* ---- selection ---------------------------------------------------------- */

static int64_t pick_at(const nci_pick *pick, int64_t i)
{
    return pick->index ? pick->index[i] : pick->start + i * pick->step;
}

static ncg_status check_pick(const nci_pick *pick, int axis, int64_t size,
                             ncg_error *err)
{
    if (pick->count < 0)
        return nci_fail(err, NCG_EINVAL, "%lld positions of axis %d",
                        (long long)pick->count, axis);
    if (pick->count == 0)
        return NCG_OK;
    int64_t first = pick_at(pick, 0), last = pick_at(pick, pick->count - 1);
    bool outside = first < 0 || first >= size || last < 0 || last >= size;
    for (int64_t i = 0; pick->index && i < pick->count && !outside; i++)
        outside = pick->index[i] < 0 || pick->index[i] >= size;
    if (outside)
        return nci_fail(err, NCG_EINVAL,
                        "position outside axis %d of size %lld", axis,
                        (long long)size);
    return NCG_OK;
}

static ncg_status copy_pick(const nci_pick *from, nci_pick *to, ncg_error *err)
{
    *to = *from;
    to->index = NULL;
    if (!from->index)
        return NCG_OK;
    size_t nbytes = (size_t)from->count * sizeof *from->index;
    int64_t *index = nci_alloc(nbytes);
    if (!index)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(index, from->index, nbytes);
    to->index = index;
    return NCG_OK;
}

/* Few values of a constant are selected at once. */
enum { FEW_BYTES = 1 << 16 };

static bool is_few(const nci_node *input, const nci_pick *picks)
{
    int64_t n = (int64_t)ncg_dtype_size(input->dtype);
    for (int d = 0; d < input->rank && n <= FEW_BYTES; d++)
        n *= picks[d].count;
    return n <= FEW_BYTES;
}

static ncg_status select_const(const nci_node *input, const nci_pick *picks,
                               nci_node **out, ncg_error *err)
{
    size_t size = ncg_dtype_size(input->dtype);
    int64_t n = 1, shape[NCG_MAX_RANK], at[NCG_MAX_RANK] = {0};
    for (int d = 0; d < input->rank; d++)
        n *= shape[d] = picks[d].count;
    nci_buf *buf = NULL;
    NCI_TRY(nci_buf_create((size_t)n * size, &buf, err));
    char *to = nci_buf_data(buf);
    const char *from = nci_buf_data(input->data);
    for (int64_t i = 0; i < n; i++) {
        int64_t offset = 0;
        for (int d = 0; d < input->rank; d++)
            offset = offset * input->shape[d] + pick_at(&picks[d], at[d]);
        memcpy(to + (size_t)i * size, from + (size_t)offset * size, size);
        for (int d = input->rank - 1; d >= 0 && ++at[d] == shape[d]; d--)
            at[d] = 0;
    }
    ncg_status st =
        nci_node_const(input->dtype, input->rank, shape, buf,
                       input->has_missing ? input->missing : NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

static ncg_status select_nothing(const nci_node *input, const nci_pick *picks,
                                 nci_node **out, ncg_error *err)
{
    nci_node like = *input;
    for (int d = 0; d < input->rank; d++)
        like.shape[d] = picks[d].count;
    return nci_node_everywhere(&like, NULL, out, err);
}

static void hash_picks(const nci_node *node, nci_hash *hash)
{
    for (int d = 0; d < node->rank; d++) {
        const nci_pick *pick = &node->picks[d];
        nci_hash_i64(hash, pick->index ? -1 : pick->start);
        nci_hash_i64(hash, pick->index ? 0 : pick->step);
        if (pick->index)
            nci_hash_bytes(hash, pick->index,
                           (size_t)pick->count * sizeof *pick->index);
    }
}

ncg_status nci_node_select(nci_node *input, const nci_pick *picks,
                           nci_node **out, ncg_error *err)
{
    for (int d = 0; d < input->rank; d++)
        NCI_TRY(check_pick(&picks[d], d, input->shape[d], err));
    bool is_empty = false;
    for (int d = 0; d < input->rank; d++)
        is_empty = is_empty || !picks[d].count;
    if (is_empty)
        return select_nothing(input, picks, out, err);
    if (input->kind == NCI_NODE_CONST && is_few(input, picks))
        return select_const(input, picks, out, err);
    nci_node *node =
        nci_node_alloc(NCI_NODE_SELECT, input->dtype, input->rank, 1, err);
    if (!node)
        return NCG_ENOMEM;
    ncg_status st = NCG_OK;
    node->ninputs = 1;
    node->inputs[0].node = nci_node_retain(input);
    node->name = input->name;
    nci_node_set_missing(node, input);
    node->picks = nci_calloc((size_t)input->rank + 1, sizeof *node->picks);
    if (!node->picks)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int d = 0; !st && d < input->rank; d++) {
        node->shape[d] = picks[d].count;
        node->inputs[0].axis[d] = d;
        st = copy_pick(&picks[d], &node->picks[d], err);
    }
    if (st) {
        nci_node_release(&node);
        return st;
    }
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    hash_picks(node, &hash);
    node->token = nci_hash_done(&hash);
    *out = node;
    return NCG_OK;
}

/* ---- element-wise ------------------------------------------------------- */

/* The dtype in which an operand takes part. */
static ncg_dtype part_dtype(const nci_node *node)
{
    return node->has_missing ? nci_dtype_real(node->dtype) : node->dtype;
}

static ncg_status check_operand(const nci_operand *operand, int rank,
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
        NCI_TRY(check_operand(&operands[i], rank, shape, err));
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
    set_map_missing(node, operands[0].node);
    node->name = operands[0].node->name;
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    nci_hash_i64(&hash, op);
    node->token = nci_hash_done(&hash);
    *out = node;
    return NCG_OK;
}

/* ---- reductions --------------------------------------------------------- */

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
        return check_operand(weights, input->rank, input->shape, err);
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
