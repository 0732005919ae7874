/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scans over chunks, after Blelloch ("Prefix sums and their applications"):
 *
 *     chunks    | a | b | c | d |
 *     totals      A   B   C            what a scan of each chunk ends with
 *     carries     A  AB  ABC           the totals, scanned: itself a scan of
 *                                      chunks of totals, where there are many
 *     result    | a | b | c | d |      each chunk scanned from its carry on
 *
 * Totals and result are one kernel. A fill with a limit carries two arrays,
 * the last value and its position. BFILL goes the other way round.
 */
#include "graph/ops/scan.h"

#include <string.h>

#include "base/mem.h"
#include "graph/ops/blocks.h"

enum {
    MOST_TOTALS = 64,        /* positions of a chunk of totals */
    CHUNK_TARGET = 8 << 20,  /* bytes of a chunk */
    SOURCE_SHARE = 64 << 20, /* bytes of chunks that one of ours gathers */
    FEWEST_POSITIONS = 8     /* along the axis, in a chunk */
};

typedef struct scanning {
    nci_scan_op op;
    int axis;
    bool skipna, is_reverse;
    int64_t limit;
    ncg_dtype total, result; /* dtypes */
} scanning;

/* ---- chunks
 * --------------------------------------------------------------------- */

/* Totals take as much room as a position along the axis: chunks that are short
 * along it are made longer and, along the other axes, smaller. */
static ncg_status lengthen(nci_grid *grid, int axis, int64_t item,
                           ncg_error *err)
{
    int64_t longest = nci_axis_longest(&grid->axis[axis]), plane = item;
    nci_axis made;
    for (int d = 0; d < grid->rank; d++)
        if (d != axis)
            plane *= nci_axis_longest(&grid->axis[d]);
    int64_t wanted = SOURCE_SHARE / plane;
    wanted = wanted < FEWEST_POSITIONS ? FEWEST_POSITIONS : wanted;
    wanted = wanted < MOST_TOTALS ? wanted : MOST_TOTALS;
    if (longest >= wanted || grid->axis[axis].nchunks < 2)
        return NCG_OK;
    NCI_TRY(nci_axis_fit(&grid->axis[axis], wanted, &made, err));
    nci_axis_fini(&grid->axis[axis]);
    grid->axis[axis] = made;
    int64_t bytes = plane * nci_axis_longest(&made);
    for (int d = 0; d < grid->rank && bytes > CHUNK_TARGET; d++) {
        if (d == axis)
            continue;
        longest = nci_axis_longest(&grid->axis[d]);
        int64_t most = longest * CHUNK_TARGET / bytes;
        NCI_TRY(nci_axis_cut(&grid->axis[d], most, &made, err));
        nci_axis_fini(&grid->axis[d]);
        grid->axis[d] = made;
        bytes = bytes / longest * nci_axis_longest(&made);
    }
    return NCG_OK;
}

static ncg_status scan_grid(const nci_node *input, int axis, nci_grid *out,
                            ncg_error *err)
{
    nci_grid grid = {0};
    NCI_TRY(nci_ops_work_grid(input, &grid, err));
    ncg_status st =
        lengthen(&grid, axis, (int64_t)ncg_dtype_size(input->dtype), err);
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

/* ---- nodes
 * ------------------------------------------------------------------------ */

static ncg_status make_block(const scanning *s, nci_scan_mode mode,
                             nci_node *const *inputs, int ninputs,
                             const nci_reach *reach, const nci_grid *grid,
                             nci_node **out, ncg_error *err)
{
    int64_t params[NCI_SCAN_NPARAMS] = {
        [NCI_SCAN_PARAM_OP] = s->op,
        [NCI_SCAN_PARAM_AXIS] = s->axis,
        [NCI_SCAN_PARAM_SKIPNA] = s->skipna,
        [NCI_SCAN_PARAM_MODE] = mode,
        [NCI_SCAN_PARAM_LIMIT] = mode == NCI_SCAN_APPLY ? s->limit : 0};
    nci_block_spec spec = {.kernel = "ncg.scan/1",
                           .params = params,
                           .nparams = sizeof params,
                           .has_missing = inputs[0]->has_missing,
                           .grid = grid,
                           .ninputs = ninputs,
                           .inputs = inputs,
                           .reach = reach};
    memcpy(spec.missing, inputs[0]->missing, sizeof spec.missing);
    spec.dtype = mode == NCI_SCAN_TOTAL ? s->total : s->result;
    if (mode == NCI_SCAN_WHERE) {
        spec.dtype = NCG_DTYPE_I64;
        spec.has_missing = true;
        memcpy(spec.missing, &(int64_t){-1}, sizeof spec.missing);
    }
    return nci_node_block(&spec, out, err);
}

/* One position a chunk along the axis; the last chunk's total (the first
 * one's, in reverse) is of no use to anybody. */
static ncg_status make_totals(const scanning *s, nci_scan_mode mode,
                              nci_node *input, const nci_grid *grid,
                              nci_node **out, ncg_error *err)
{
    nci_grid totals = {0};
    const nci_axis *axis = &grid->axis[s->axis];
    int64_t n = axis->nchunks - 1, skipped = s->is_reverse;
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = nci_reach_same_box(grid, reach, err);
    if (!st)
        st = nci_grid_copy(grid, &totals, err);
    if (!st) {
        nci_axis_fini(&totals.axis[s->axis]);
        totals.axis[s->axis] = (nci_axis){0};
        st = nci_axis_regular(n, 1, &totals.axis[s->axis], err);
    }
    for (int64_t i = 0; !st && i < n; i++) {
        reach[s->axis].low[i] = axis->edge[i + skipped];
        reach[s->axis].high[i] = axis->edge[i + skipped + 1];
    }
    if (!st)
        st = make_block(s, mode, &input, 1, reach, &totals, out, err);
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&totals);
    return st;
}

/* carries[ncarries]: one position for each chunk but the one where the scan
 * begins. */
static ncg_status make_result(const scanning *s, nci_node *input,
                              nci_node *const *carries, int ncarries,
                              const nci_grid *grid, nci_node **out,
                              ncg_error *err)
{
    nci_node *inputs[3] = {input};
    int64_t n = grid->axis[s->axis].nchunks, skipped = s->is_reverse ? 0 : 1;
    nci_reach *reach = nci_reach_array(1 + ncarries, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = nci_reach_same_box(grid, reach, err);
    for (int k = 1; !st && k <= ncarries; k++) {
        nci_reach *to = &reach[k * NCG_MAX_RANK];
        inputs[k] = carries[k - 1];
        st = nci_reach_same_box(grid, to, err);
        for (int64_t i = 0; !st && i < n; i++) {
            bool begins = i == (s->is_reverse ? n - 1 : 0);
            to[s->axis].low[i] = begins ? 0 : i - skipped;
            to[s->axis].high[i] = begins ? 0 : i - skipped + 1;
        }
    }
    if (!st)
        st = make_block(s, NCI_SCAN_APPLY, inputs, 1 + ncarries, reach, grid,
                        out, err);
    nci_reach_array_free(&reach, 1 + ncarries);
    return st;
}

static ncg_status scan_chunks(const scanning *s, nci_node *input,
                              const nci_grid *grid, nci_node **out,
                              ncg_error *err);

/* Scans totals, many of them in one chunk. What was skipped or filled is so
 * already; a NaN among sums is the sum of infinities and stays. */
static ncg_status scan_totals(const scanning *s, nci_node *totals,
                              nci_node **out, ncg_error *err)
{
    scanning inner = *s;
    nci_grid grid = {0};
    nci_axis merged = {0};
    inner.total = inner.result = totals->dtype;
    inner.limit = 0;
    if (s->op <= NCI_SCAN_PROD)
        inner.skipna = false;
    NCI_TRY(nci_node_grid(totals, &grid, err));
    ncg_status st =
        nci_axis_merge(&grid.axis[s->axis], MOST_TOTALS, &merged, err);
    if (!st) {
        nci_axis_fini(&grid.axis[s->axis]);
        grid.axis[s->axis] = merged;
        st = scan_chunks(&inner, totals, &grid, out, err);
    }
    nci_grid_fini(&grid);
    return st;
}

static ncg_status make_carry(const scanning *s, nci_scan_mode mode,
                             nci_node *input, const nci_grid *grid,
                             nci_node **out, ncg_error *err)
{
    nci_node *totals = NULL;
    ncg_status st = make_totals(s, mode, input, grid, &totals, err);
    if (!st)
        st = scan_totals(s, totals, out, err);
    nci_node_release(&totals);
    return st;
}

static ncg_status scan_chunks(const scanning *s, nci_node *input,
                              const nci_grid *grid, nci_node **out,
                              ncg_error *err)
{
    nci_node *carries[2] = {NULL, NULL};
    int n = 0;
    ncg_status st = NCG_OK;
    if (grid->axis[s->axis].nchunks > 1) {
        n = s->limit > 0 ? 2 : 1;
        st = make_carry(s, NCI_SCAN_TOTAL, input, grid, &carries[0], err);
        if (!st && n > 1)
            st = make_carry(s, NCI_SCAN_WHERE, input, grid, &carries[1], err);
    }
    if (!st)
        st = make_result(s, input, carries, n, grid, out, err);
    nci_node_release(&carries[0]);
    nci_node_release(&carries[1]);
    return st;
}

/* ---- the operation
 * ------------------------------------------------------------------ */

static bool fills(nci_scan_op op)
{
    return op == NCI_SCAN_FFILL || op == NCI_SCAN_BFILL;
}

/* Sums of integers are of 64 bits; with missing values they are floats. */
static ncg_status prepare(scanning *s, nci_node *input, nci_node **out,
                          ncg_error *err)
{
    ncg_dtype dtype = input->dtype;
    bool adds = s->op <= NCI_SCAN_PROD;
    if (adds && input->has_missing)
        dtype = nci_dtype_real(dtype);
    s->total = s->result = dtype;
    if (adds && nci_dtype_is_float(dtype))
        s->total = NCG_DTYPE_F64;
    else if (adds)
        s->total = s->result =
            nci_dtype_is_signed(dtype) || dtype == NCG_DTYPE_BOOL
                ? NCG_DTYPE_I64
                : NCG_DTYPE_U64;
    return nci_ops_cast(input, dtype, out, err);
}

static ncg_status check_scan(const nci_node *input, nci_scan_op op, int axis,
                             int64_t limit, ncg_error *err)
{
    NCI_TRY(nci_ops_check_axis(input, axis, "scan", err));
    NCI_TRY(nci_ops_check_numeric(input, "scan", err));
    if ((unsigned)op > NCI_SCAN_BFILL)
        return nci_fail(err, NCG_EINVAL, "scan: unknown operation %d", (int)op);
    if (limit < 0 || (limit && !fills(op)))
        return nci_fail(err, NCG_EINVAL, "scan: limit %lld", (long long)limit);
    return NCG_OK;
}

ncg_status nci_ops_scan(nci_node *input, nci_scan_op op, int axis, bool skipna,
                        int64_t limit, nci_node **out, ncg_error *err)
{
    scanning s = {.op = op, .axis = axis, .skipna = skipna, .limit = limit};
    NCI_TRY(check_scan(input, op, axis, limit, err));
    s.is_reverse = op == NCI_SCAN_BFILL;
    if (fills(op) && !nci_dtype_is_float(input->dtype) && !input->has_missing) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    nci_node *cast = NULL;
    nci_grid grid = {0};
    ncg_status st = prepare(&s, input, &cast, err);
    if (!st && nci_node_is_empty(input)) {
        st = nci_ops_cast(cast, s.result, out, err);
        goto done;
    }
    if (!st)
        st = scan_grid(cast, axis, &grid, err);
    if (!st)
        st = scan_chunks(&s, cast, &grid, out, err);
done:
    nci_grid_fini(&grid);
    nci_node_release(&cast);
    return st;
}
