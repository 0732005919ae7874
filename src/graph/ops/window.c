/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows along an axis and blocks of all axes. A task of windows also takes
 * what lies around its chunk: chunks are at least twice as long as windows. */
#include "graph/ops/window.h"

#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/ops/blocks.h"

enum {
    TILE = 8 << 20,      /* bytes that a task takes */
    MOST_ROWS = 64 << 10 /* positions of a chunk along windows */
};

/* ---- results -------------------------------------------------------------------- */

static const char *const names[] = {
#define NAME(name, value, verb, method) [value] = verb,
    NCG_OP_MAP(NAME)
#undef NAME
};

/* Integers of a result mark missing ones as reductions do. */
static void set_missing(nci_block_spec *spec, const nci_node *input)
{
    spec->has_missing = nci_dtype_is_integer(spec->dtype);
    if (spec->dtype == input->dtype && input->has_missing)
        memcpy(spec->missing, input->missing, sizeof spec->missing);
    else if (spec->dtype == NCG_DTYPE_I64)
        nci_dtype_put_i64(NCG_DTYPE_I64, spec->missing, -9223372036854775806);
    else if (spec->dtype == NCG_DTYPE_U64)
        memcpy(spec->missing, &(uint64_t){18446744073709551614u}, 8);
    else if (spec->has_missing)
        nci_dtype_put(spec->dtype, spec->missing,
                      nci_dtype_default_fill(spec->dtype));
}

static ncg_dtype real_of(ncg_dtype dtype)
{
    return dtype == NCG_DTYPE_F32 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
}

/* ---- rolling ------------------------------------------------------------------------ */

static ncg_status check_rolling(const nci_node *input, ncg_op op, int axis,
                                int64_t window, int64_t min_count, int ddof,
                                ncg_error *err)
{
    NCI_TRY(nci_ops_check_axis(input, axis, "rolling", err));
    NCI_TRY(nci_ops_check_numeric(input, "rolling", err));
    bool has_op = op == NCG_OP_MEAN || op == NCG_OP_SUM || op == NCG_OP_MIN ||
                  op == NCG_OP_MAX || op == NCG_OP_STD || op == NCG_OP_VAR ||
                  op == NCG_OP_COUNT;
    if (!has_op)
        return nci_fail(err, NCG_EINVAL,
                        "rolling: no %s; there are mean sum min max std var "
                        "count",
                        (unsigned)op < NCG_OP_COUNT_ ? names[op] : "such one");
    if (window < 1 || window > INT32_MAX)
        return nci_fail(err, NCG_EINVAL, "rolling: a window of %lld positions",
                        (long long)window);
    if (min_count < 0 || min_count > window || ddof < 0)
        return nci_fail(err, NCG_EINVAL,
                        "rolling: min_count %lld, ddof %d with a window of "
                        "%lld positions",
                        (long long)min_count, ddof, (long long)window);
    return NCG_OK;
}

static ncg_status rolling_grid(const nci_node *input, int axis, int64_t window,
                               nci_grid *out, ncg_error *err)
{
    nci_grid seen = {0}, grid = {0};
    nci_axis along = {0};
    bool whole[NCG_MAX_RANK] = {false};
    int64_t shape[NCG_MAX_RANK], size = input->shape[axis];
    NCI_TRY(nci_node_grid(input, &seen, err));
    int64_t rows = nci_axis_longest(&seen.axis[axis]);
    rows = rows > MOST_ROWS ? MOST_ROWS : rows;
    rows = rows < 2 * window ? 2 * window : rows;
    rows = rows > size ? size : rows;
    memcpy(shape, input->shape, sizeof shape);
    whole[axis] = true;
    shape[axis] = rows;
    ncg_status st = nci_ops_uniform_grid(
        input->rank, shape, ncg_dtype_size(input->dtype), whole, &seen, TILE,
        &grid, err);
    if (!st)
        st = nci_axis_regular(size, rows < 1 ? 1 : rows, &along, err);
    nci_grid_fini(&seen);
    if (st) {
        nci_grid_fini(&grid);
        return st;
    }
    nci_axis_fini(&grid.axis[axis]);
    grid.axis[axis] = along;
    *out = grid;
    return NCG_OK;
}

ncg_status nci_ops_rolling(nci_node *input, ncg_op op, int axis, int64_t window,
                           int64_t min_count, bool center, int ddof,
                           nci_node **out, ncg_error *err)
{
    NCI_TRY(check_rolling(input, op, axis, window, min_count, ddof, err));
    int64_t before = center ? window / 2 : window - 1;
    int64_t params[NCI_ROLLING_NPARAMS] = {
        [NCI_ROLLING_OP] = op,          [NCI_ROLLING_AXIS] = axis,
        [NCI_ROLLING_WINDOW] = window,  [NCI_ROLLING_BEFORE] = before,
        [NCI_ROLLING_DDOF] = ddof,      [NCI_ROLLING_MIN_COUNT] = min_count};
    nci_grid grid = {0};
    NCI_TRY(rolling_grid(input, axis, window, &grid, err));
    nci_reach *reach = nci_reach_array(1, err);
    ncg_status st = reach ? NCG_OK : NCG_ENOMEM;
    for (int d = 0; !st && d < input->rank; d++)
        st = nci_reach_follow(d, &grid.axis[d], 1, 1, d == axis ? before : 0,
                              d == axis ? window - 1 - before : 0,
                              input->shape[d], &reach[d], err);
    nci_block_spec spec = {.name = input->name,
                           .kernel = "ncg.rolling/1",
                           .params = params,
                           .nparams = sizeof params,
                           .dtype = op == NCG_OP_COUNT ? NCG_DTYPE_I64
                                                       : real_of(input->dtype),
                           .grid = &grid,
                           .ninputs = 1,
                           .inputs = &input,
                           .reach = reach};
    set_missing(&spec, input);
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&grid);
    return st;
}

/* ---- coarsen ------------------------------------------------------------------------- */

static ncg_dtype coarsen_dtype(ncg_op op, ncg_dtype dtype)
{
    switch (op) {
    case NCG_OP_COUNT:
        return NCG_DTYPE_I64;
    case NCG_OP_MIN:
    case NCG_OP_MAX:
        return dtype;
    case NCG_OP_SUM:
    case NCG_OP_PROD:
        if (nci_dtype_is_float(dtype))
            return dtype;
        return nci_dtype_is_signed(dtype) || dtype == NCG_DTYPE_BOOL
                   ? NCG_DTYPE_I64
                   : NCG_DTYPE_U64;
    default:
        return real_of(dtype);
    }
}

static ncg_status check_coarsen(const nci_node *input, ncg_op op,
                                const int64_t *factor, nci_boundary boundary,
                                int64_t min_count, int ddof, ncg_error *err)
{
    NCI_TRY(nci_ops_check_numeric(input, "coarsen", err));
    bool has_op = op == NCG_OP_MEAN || op == NCG_OP_SUM || op == NCG_OP_MIN ||
                  op == NCG_OP_MAX || op == NCG_OP_STD || op == NCG_OP_VAR ||
                  op == NCG_OP_COUNT || op == NCG_OP_PROD;
    if (!has_op)
        return nci_fail(err, NCG_EINVAL,
                        "coarsen: no %s; there are mean sum min max std var "
                        "count prod",
                        (unsigned)op < NCG_OP_COUNT_ ? names[op] : "such one");
    if (min_count < 0 || ddof < 0 || (unsigned)boundary > NCI_BOUNDARY_PAD)
        return nci_fail(err, NCG_EINVAL,
                        "coarsen: min_count %lld, ddof %d, boundary %d",
                        (long long)min_count, ddof, (int)boundary);
    for (int d = 0; d < input->rank; d++) {
        if (factor[d] < 1)
            return nci_fail(err, NCG_EINVAL, "coarsen: factor %lld for axis %d",
                            (long long)factor[d], d);
        if (boundary == NCI_BOUNDARY_EXACT && input->shape[d] % factor[d])
            return nci_fail(err, NCG_EINVAL,
                            "coarsen: %lld positions of axis %d are no "
                            "multiple of %lld: trim or pad",
                            (long long)input->shape[d], d,
                            (long long)factor[d]);
    }
    return NCG_OK;
}

/* Chunks whose part of the input is about as large as a task's. */
static ncg_status coarsen_grid(const nci_node *input, const int64_t *factor,
                               nci_boundary boundary, nci_grid *out,
                               ncg_error *err)
{
    const bool whole[NCG_MAX_RANK] = {false};
    int64_t shape[NCG_MAX_RANK], item = (int64_t)ncg_dtype_size(input->dtype);
    for (int d = 0; d < input->rank; d++) {
        int64_t rest = boundary == NCI_BOUNDARY_PAD ? factor[d] - 1 : 0;
        shape[d] = (input->shape[d] + rest) / factor[d];
        item = item < TILE ? item * factor[d] : TILE;
    }
    return nci_ops_uniform_grid(input->rank, shape, (size_t)item, whole, NULL,
                                TILE, out, err);
}

ncg_status nci_ops_coarsen(nci_node *input, ncg_op op, const int64_t *factor,
                           nci_boundary boundary, bool skipna,
                           int64_t min_count, int ddof, nci_node **out,
                           ncg_error *err)
{
    NCI_TRY(check_coarsen(input, op, factor, boundary, min_count, ddof, err));
    int64_t params[NCI_COARSEN_NPARAMS] = {
        [NCI_COARSEN_OP] = op,
        [NCI_COARSEN_SKIPNA] = skipna,
        [NCI_COARSEN_MIN_COUNT] = min_count,
        [NCI_COARSEN_DDOF] = ddof};
    memcpy(params + NCI_COARSEN_FACTOR, factor,
           (size_t)input->rank * sizeof *factor);
    nci_grid grid = {0};
    NCI_TRY(coarsen_grid(input, factor, boundary, &grid, err));
    nci_reach *reach = nci_reach_array(1, err);
    ncg_status st = reach ? NCG_OK : NCG_ENOMEM;
    for (int d = 0; !st && d < input->rank; d++)
        st = nci_reach_follow(d, &grid.axis[d], factor[d], 1, 0, 0,
                              input->shape[d], &reach[d], err);
    nci_block_spec spec = {.name = input->name,
                           .kernel = "ncg.coarsen/1",
                           .params = params,
                           .nparams = sizeof params,
                           .dtype = coarsen_dtype(op, input->dtype),
                           .grid = &grid,
                           .ninputs = 1,
                           .inputs = &input,
                           .reach = reach};
    set_missing(&spec, input);
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&grid);
    return st;
}
