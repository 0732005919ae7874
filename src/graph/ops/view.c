/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations that only say where values lie: they become positions of axes and
 * are fused into whatever reads the array; no task is made for them. Exceptions
 * are padding with a constant, which needs room for new values, and axes of so
 * many positions that a list of them would be large: their parts are joined.
 */
#include <string.h>

#include "base/mem.h"
#include "graph/ops/blocks.h"

/* ---- axes -------------------------------------------------------------------
 */

static ncg_status check_view(const nci_node *input, int rank,
                             const int64_t *shape, const int *axis,
                             ncg_error *err)
{
    unsigned seen = 0;
    if (rank < 0 || rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "rank %d: at most %d axes", rank,
                        NCG_MAX_RANK);
    for (int d = 0; d < rank; d++) {
        if (shape[d] < 0)
            return nci_fail(err, NCG_EINVAL, "axis %d of size %lld", d,
                            (long long)shape[d]);
        if (axis[d] < 0)
            continue;
        if (axis[d] >= input->rank || seen & 1u << axis[d])
            return nci_fail(err, NCG_EINVAL,
                            "axis %d of an array of rank %d named twice or "
                            "not there",
                            axis[d], input->rank);
        seen |= 1u << axis[d];
        if (input->shape[axis[d]] != shape[d])
            return nci_fail(
                err, NCG_EINVAL, "axis %d has %lld positions, not %lld",
                axis[d], (long long)input->shape[axis[d]], (long long)shape[d]);
    }
    for (int a = 0; a < input->rank; a++)
        if (!(seen & 1u << a) && input->shape[a] != 1)
            return nci_fail(err, NCG_EINVAL,
                            "axis %d of size %lld cannot be left out", a,
                            (long long)input->shape[a]);
    return NCG_OK;
}

static bool is_identity(const nci_node *input, int rank, const int *axis)
{
    for (int d = 0; d < rank; d++)
        if (axis[d] != d)
            return false;
    return rank == input->rank;
}

ncg_status nci_ops_view(nci_node *input, int rank, const int64_t *shape,
                        const int *axis, nci_node **out, ncg_error *err)
{
    NCI_TRY(check_view(input, rank, shape, axis, err));
    if (is_identity(input, rank, axis)) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    int64_t whole[NCG_MAX_RANK] = {0};
    nci_operand operand = {.node = input};
    for (int d = 0; d < rank; d++) {
        whole[d] = shape[d];
        operand.axis[d] = axis[d] < 0 ? -1 : axis[d];
    }
    return nci_node_map(NCI_MAP_VIEW, input->dtype, rank, whole, &operand, 1,
                        out, err);
}

ncg_status nci_ops_transpose(nci_node *input, const int *order, nci_node **out,
                             ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK] = {0};
    for (int d = 0; d < input->rank; d++) {
        NCI_TRY(nci_ops_check_axis(input, order[d], "transpose", err));
        shape[d] = input->shape[order[d]];
    }
    return nci_ops_view(input, input->rank, shape, order, out, err);
}

/* ---- broadcasting
 * --------------------------------------------------------------- */

static ncg_status cannot_meet(const nci_node *node, int rank,
                              const int64_t *shape, ncg_error *err)
{
    char a[NCI_SHAPE_TEXT], b[NCI_SHAPE_TEXT];
    return nci_fail(err, NCG_EINVAL,
                    "shapes %.150s and %.150s do not "
                    "broadcast",
                    nci_shape_text(node->rank, node->shape, a),
                    nci_shape_text(rank, shape, b));
}

ncg_status nci_ops_broadcast_shape(nci_node *const *inputs, int n, int *rank,
                                   int64_t *shape, ncg_error *err)
{
    int most = 0;
    for (int i = 0; i < n; i++)
        most = inputs[i]->rank > most ? inputs[i]->rank : most;
    for (int d = 0; d < most; d++)
        shape[d] = 1;
    for (int i = 0; i < n; i++) {
        const nci_node *node = inputs[i];
        int64_t *last = shape + (most - node->rank);
        for (int a = 0; a < node->rank; a++) {
            if (last[a] == 1)
                last[a] = node->shape[a];
            else if (node->shape[a] != 1 && node->shape[a] != last[a])
                return cannot_meet(node, most, shape, err);
        }
    }
    *rank = most;
    return NCG_OK;
}

/* The axes of an input within `shape`, to which it broadcasts. */
static void lie_in(const nci_node *node, int rank, const int64_t *shape,
                   int *axis)
{
    int skipped = rank - node->rank;
    for (int d = 0; d < rank; d++) {
        int a = d - skipped;
        axis[d] = a < 0 || node->shape[a] != shape[d] ? -1 : a;
    }
}

ncg_status nci_ops_broadcast(nci_node *input, int rank, const int64_t *shape,
                             nci_node **out, ncg_error *err)
{
    int axis[NCG_MAX_RANK];
    if (rank < input->rank || rank > NCG_MAX_RANK)
        return cannot_meet(input, rank > NCG_MAX_RANK ? 0 : rank, shape, err);
    for (int a = 0, skipped = rank - input->rank; a < input->rank; a++)
        if (input->shape[a] != 1 && input->shape[a] != shape[a + skipped])
            return cannot_meet(input, rank, shape, err);
    lie_in(input, rank, shape, axis);
    return nci_ops_view(input, rank, shape, axis, out, err);
}

ncg_status nci_ops_map(nci_map_op op, ncg_dtype dtype, nci_node *const *inputs,
                       int n, nci_node **out, ncg_error *err)
{
    nci_operand operands[NCI_MAP_INPUTS];
    int64_t shape[NCG_MAX_RANK] = {0};
    int rank;
    if ((unsigned)op >= NCI_MAP_OP_COUNT || n != nci_map_op_ninputs(op))
        return nci_fail(err, NCG_EINVAL, "%d inputs of operation %d", n,
                        (int)op);
    if (op == NCI_MAP_CAST && !nci_dtype_is_numeric(dtype))
        return nci_fail(err, NCG_EINVAL, "cast to %s", ncg_dtype_name(dtype));
    ncg_status st = nci_ops_broadcast_shape(inputs, n, &rank, shape, err);
    if (st)
        return nci_error_wrap(err, "%s", nci_map_op_name(op));
    for (int i = 0; i < n; i++) {
        operands[i].node = inputs[i];
        lie_in(inputs[i], rank, shape, operands[i].axis);
    }
    return nci_node_map(op, dtype, rank, shape, operands, n, out, err);
}

/* ---- positions
 * ------------------------------------------------------------------- */

enum { LONG_AXIS = 1 << 20 }; /* more positions than these are not listed */

/* Takes index[count] of one axis; takes the list, too. */
static ncg_status take_list(nci_node *input, int axis, int64_t *index_take,
                            int64_t count, nci_node **out, ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK];
    for (int d = 0; d < input->rank; d++)
        picks[d] = (nci_pick){.count = input->shape[d], .step = 1};
    picks[axis] = (nci_pick){.count = count, .step = 1, .index = index_take};
    ncg_status st = nci_node_select(input, picks, out, err);
    nci_free(index_take);
    return st;
}

static ncg_status make_list(int64_t count, int64_t **out, ncg_error *err)
{
    size_t nbytes = 0;
    *out = NULL;
    if (count >= 0 && nci_mul_size((size_t)count, sizeof **out, &nbytes))
        *out = nci_alloc(nbytes);
    return *out ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static ncg_status roll_long(nci_node *input, int axis, int64_t shift,
                            nci_node **out, ncg_error *err)
{
    nci_node *parts[2] = {NULL, NULL};
    int64_t stay = input->shape[axis] - shift;
    ncg_status st = nci_ops_slice(input, axis, stay, shift, 1, &parts[0], err);
    if (!st)
        st = nci_ops_slice(input, axis, 0, stay, 1, &parts[1], err);
    if (!st)
        st = nci_ops_concat(parts, 2, axis, out, err);
    nci_node_release(&parts[0]);
    nci_node_release(&parts[1]);
    return st;
}

ncg_status nci_ops_roll(nci_node *input, int axis, int64_t shift,
                        nci_node **out, ncg_error *err)
{
    NCI_TRY(nci_ops_check_axis(input, axis, "roll", err));
    int64_t n = input->shape[axis], *index;
    shift = n ? (shift % n + n) % n : 0;
    if (shift == 0) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    if (n > LONG_AXIS)
        return roll_long(input, axis, shift, out, err);
    NCI_TRY(make_list(n, &index, err));
    for (int64_t i = 0; i < n; i++)
        index[i] = i < shift ? i - shift + n : i - shift;
    return take_list(input, axis, index, n, out, err);
}

ncg_status nci_ops_flip(nci_node *input, int axis, nci_node **out,
                        ncg_error *err)
{
    NCI_TRY(nci_ops_check_axis(input, axis, "flip", err));
    int64_t n = input->shape[axis];
    if (n < 2) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    return nci_ops_slice(input, axis, n - 1, n, -1, out, err);
}

static ncg_status diff_once(nci_node *input, int axis, nci_node **out,
                            ncg_error *err)
{
    nci_node *pair[2] = {NULL, NULL};
    int64_t size = input->shape[axis], n = size > 0 ? size - 1 : 0;
    bool is_bool = input->dtype == NCG_DTYPE_BOOL && !input->has_missing;
    ncg_status st = nci_ops_slice(input, axis, size - n, n, 1, &pair[0], err);
    if (!st)
        st = nci_ops_slice(input, axis, 0, n, 1, &pair[1], err);
    if (!st)
        st = nci_ops_map(is_bool ? NCI_MAP_NE : NCI_MAP_SUB, NCG_DTYPE_NONE,
                         pair, 2, out, err);
    nci_node_release(&pair[0]);
    nci_node_release(&pair[1]);
    return st;
}

ncg_status nci_ops_diff(nci_node *input, int axis, int n, nci_node **out,
                        ncg_error *err)
{
    NCI_TRY(nci_ops_check_axis(input, axis, "diff", err));
    NCI_TRY(nci_ops_check_numeric(input, "diff", err));
    if (n < 0)
        return nci_fail(err, NCG_EINVAL, "diff: order %d is negative", n);
    int64_t size = input->shape[axis];
    nci_node *node = NULL;
    if (n >= size && n > 0) /* nothing is left: of nothing once is enough */
        NCI_TRY(nci_ops_slice(input, axis, 0, 0, 1, &node, err));
    else
        node = nci_node_retain(input);
    ncg_status st = NCG_OK;
    for (int times = n < size || n < 1 ? n : 1; !st && times > 0; times--) {
        nci_node *next = NULL;
        st = diff_once(node, axis, &next, err);
        nci_node_release(&node);
        node = next;
    }
    if (!st)
        *out = node;
    return st;
}

/* ---- padding
 * ----------------------------------------------------------------------- */

/* The position of an axis of size n that is seen at `i`, which may lie outside
 * of it on either side. */
static int64_t seen_at(nci_pad_mode mode, int64_t i, int64_t n)
{
    int64_t period = mode == NCI_PAD_WRAP        ? n
                     : mode == NCI_PAD_SYMMETRIC ? 2 * n
                                                 : 2 * (n - 1);
    if (mode == NCI_PAD_EDGE)
        return i < 0 ? 0 : i >= n ? n - 1 : i;
    if (n == 1)
        return 0;
    i = (i % period + period) % period;
    if (i < n)
        return i;
    return mode == NCI_PAD_SYMMETRIC ? period - 1 - i : period - i;
}

/* What is seen at `count` positions from `first` on. */
static ncg_status take_seen(nci_node *input, int axis, nci_pad_mode mode,
                            int64_t first, int64_t count, nci_node **out,
                            ncg_error *err)
{
    int64_t *index;
    NCI_TRY(make_list(count, &index, err));
    for (int64_t i = 0; i < count; i++)
        index[i] = seen_at(mode, first + i, input->shape[axis]);
    return take_list(input, axis, index, count, out, err);
}

static ncg_status pad_long(nci_node *input, int axis, int64_t before,
                           int64_t after, nci_pad_mode mode, nci_node **out,
                           ncg_error *err)
{
    nci_node *parts[3] = {NULL, input, NULL};
    ncg_status st =
        take_seen(input, axis, mode, -before, before, &parts[0], err);
    if (!st)
        st = take_seen(input, axis, mode, input->shape[axis], after, &parts[2],
                       err);
    if (!st)
        st = nci_ops_concat(parts, 3, axis, out, err);
    nci_node_release(&parts[0]);
    nci_node_release(&parts[2]);
    return st;
}

static ncg_status pad_axis(nci_node *input, int axis, int64_t before,
                           int64_t after, nci_pad_mode mode, nci_node **out,
                           ncg_error *err)
{
    int64_t n = input->shape[axis];
    if (!before && !after) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    if (n == 0)
        return nci_fail(err, NCG_EINVAL,
                        "pad: axis %d is empty, only a constant can be added",
                        axis);
    if (n > LONG_AXIS)
        return pad_long(input, axis, before, after, mode, out, err);
    return take_seen(input, axis, mode, -before, before + n + after, out, err);
}

/* Chunks of the padded axis: those of the input, the first and the last one
 * with the new positions, unless these are many. */
static ncg_status padded_axis(const nci_axis *inner, int64_t before,
                              int64_t after, nci_axis *out, ncg_error *err)
{
    int64_t longest = nci_axis_longest(inner), n = nci_axis_size(inner);
    nci_axis ends[2] = {{0}}, joined = {0};
    const nci_axis *parts[3] = {&ends[0], inner, &ends[1]};
    ncg_status st = nci_axis_regular(before, longest, &ends[0], err);
    if (!st)
        st = nci_axis_regular(after, longest, &ends[1], err);
    if (!st)
        st = nci_axis_join(parts, 3, &joined, err);
    if (!st && n && before > 0 && before <= longest) {
        joined.nchunks--;
        memmove(joined.edge + 1, joined.edge + 2,
                (size_t)joined.nchunks * sizeof *joined.edge);
    }
    if (!st && n && after > 0 && after <= longest) {
        joined.edge[joined.nchunks - 1] = joined.edge[joined.nchunks];
        joined.nchunks--;
    }
    nci_axis_fini(&ends[0]);
    nci_axis_fini(&ends[1]);
    if (st)
        nci_axis_fini(&joined);
    else
        *out = joined;
    return st;
}

/* Parameters: 8 bytes of value, then what each axis has before it. */
static ncg_status pad_constant(nci_node *input, const int64_t *before,
                               const int64_t *after, const void *value,
                               nci_node **out, ncg_error *err)
{
    int64_t params[1 + NCG_MAX_RANK] = {0};
    nci_grid inner = {0}, grid = {.rank = input->rank};
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    memcpy(params, value, ncg_dtype_size(input->dtype));
    ncg_status st = nci_ops_work_grid(input, &inner, err);
    for (int d = 0; !st && d < grid.rank; d++) {
        params[1 + d] = before[d];
        st = padded_axis(&inner.axis[d], before[d], after[d], &grid.axis[d],
                         err);
        if (!st)
            st = nci_reach_follow(d, &grid.axis[d], 1, 1, before[d], -before[d],
                                  input->shape[d], &reach[d], err);
    }
    nci_block_spec spec = {.kernel = "ncg.pad/1",
                           .params = params,
                           .nparams = ((size_t)input->rank + 1) * 8,
                           .dtype = input->dtype,
                           .has_missing = input->has_missing,
                           .grid = &grid,
                           .ninputs = 1,
                           .inputs = &input,
                           .reach = reach};
    memcpy(spec.missing, input->missing, sizeof spec.missing);
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&inner);
    nci_grid_fini(&grid);
    return st;
}

static ncg_status check_pad(const nci_node *input, const int64_t *before,
                            const int64_t *after, nci_pad_mode mode,
                            const void *value, ncg_error *err)
{
    NCI_TRY(nci_ops_check_numeric(input, "pad", err));
    if ((unsigned)mode > NCI_PAD_WRAP)
        return nci_fail(err, NCG_EINVAL, "pad: unknown mode %d", (int)mode);
    if (mode == NCI_PAD_CONSTANT && !value)
        return nci_fail(err, NCG_EINVAL, "pad: no value to pad with");
    for (int d = 0; d < input->rank; d++) {
        int64_t most = ((int64_t)1 << 60) - input->shape[d];
        if (before[d] < 0 || after[d] < 0 || before[d] > most / 2 ||
            after[d] > most / 2)
            return nci_fail(err, NCG_EINVAL,
                            "pad: %lld and %lld positions at axis %d",
                            (long long)before[d], (long long)after[d], d);
    }
    return NCG_OK;
}

ncg_status nci_ops_pad(nci_node *input, const int64_t *before,
                       const int64_t *after, nci_pad_mode mode,
                       const void *value, nci_node **out, ncg_error *err)
{
    NCI_TRY(check_pad(input, before, after, mode, value, err));
    bool any = false;
    for (int d = 0; d < input->rank; d++)
        any = any || before[d] || after[d];
    if (any && mode == NCI_PAD_CONSTANT)
        return pad_constant(input, before, after, value, out, err);
    nci_node *node = nci_node_retain(input);
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < input->rank; d++) {
        nci_node *next = NULL;
        st = pad_axis(node, d, before[d], after[d], mode, &next, err);
        nci_node_release(&node);
        node = next;
    }
    if (!st)
        *out = node;
    return st;
}
