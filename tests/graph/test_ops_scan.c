/* SPDX-License-Identifier: BSD-3-Clause */
/* Scans against plain loops along lines, in random chunks. */
#include "ops_check.h"

enum { ROUNDS = 60 };

static bool is_adding(nci_scan_op op)
{
    return op == NCI_SCAN_SUM || op == NCI_SCAN_PROD;
}

static ncg_dtype result_dtype(const tensor *t, nci_scan_op op)
{
    if (!is_adding(op))
        return t->dtype;
    if (t->has_missing)
        return nci_dtype_real(t->dtype);
    if (nci_dtype_is_float(t->dtype))
        return t->dtype;
    return nci_dtype_is_signed(t->dtype) || t->dtype == NCG_DTYPE_BOOL
               ? NCG_DTYPE_I64
               : NCG_DTYPE_U64;
}

typedef struct line {
    const tensor *t;
    int64_t first, stride, n;
} line;

static int64_t at(const line *l, int64_t i)
{
    return l->first + i * l->stride;
}

static double value_at(const line *l, int64_t i)
{
    int64_t k = at(l, i);
    return t_is_missing(l->t, k) ? NAN : t_get(l->t, k);
}

static double joined(nci_scan_op op, double a, double x, bool skipna)
{
    switch (op) {
    case NCI_SCAN_SUM:
        return a + (skipna && isnan(x) ? 0 : x);
    case NCI_SCAN_PROD:
        return a * (skipna && isnan(x) ? 1 : x);
    case NCI_SCAN_MIN:
        return skipna ? fmin(a, x) : isnan(a) || isnan(x) ? NAN : fmin(a, x);
    default:
        return skipna ? fmax(a, x) : isnan(a) || isnan(x) ? NAN : fmax(a, x);
    }
}

static void put(tensor *out, int64_t k, double x)
{
    if (isnan(x) && !nci_dtype_is_float(out->dtype))
        memcpy(t_at(out, k), out->missing, ncg_dtype_size(out->dtype));
    else
        nci_dtype_put(out->dtype, t_at(out, k), x);
}

/* Integers of products exceed what double holds exactly. */
static void wrapping_line(const line *l, nci_scan_op op, tensor *out)
{
    uint64_t a = op == NCI_SCAN_PROD;
    for (int64_t i = 0; i < l->n; i++) {
        uint64_t x =
            (uint64_t)nci_dtype_get_i64(l->t->dtype, t_at(l->t, at(l, i)));
        a = op == NCI_SCAN_PROD ? a * x : a + x;
        memcpy(t_at(out, at(l, i)), &a, 8);
    }
}

static void scan_line(const line *l, nci_scan_op op, bool skipna, tensor *out)
{
    double a = op == NCI_SCAN_SUM || op == NCI_SCAN_PROD
                   ? (double)(op == NCI_SCAN_PROD)
                   : value_at(l, 0);
    for (int64_t i = 0; i < l->n; i++) {
        a = joined(op, a, value_at(l, i), skipna);
        put(out, at(l, i), a);
    }
}

static void fill_line(const line *l, nci_scan_op op, int64_t limit, tensor *out)
{
    double last = NAN;
    int64_t since = 0;
    for (int64_t k = 0; k < l->n; k++) {
        int64_t i = op == NCI_SCAN_FFILL ? k : l->n - 1 - k;
        double x = value_at(l, i);
        since = isnan(x) ? since + 1 : 0;
        last = isnan(x) ? last : x;
        put(out, at(l, i), limit && since > limit ? NAN : last);
    }
}

static tensor reference(const tensor *t, nci_scan_op op, int axis, bool skipna,
                        int64_t limit)
{
    tensor out = t_make(result_dtype(t, op), t->rank, t->shape);
    out.has_missing = t->has_missing && !nci_dtype_is_float(out.dtype);
    memcpy(out.missing, t->missing, 8);
    int64_t stride = 1;
    for (int d = axis + 1; d < t->rank; d++)
        stride *= t->shape[d];
    for (int64_t i = 0; i < t->n; i++) {
        line l = {t, i, stride, t->shape[axis]};
        if (i / stride % l.n)
            continue;
        if (!is_adding(op) && op != NCI_SCAN_MIN && op != NCI_SCAN_MAX)
            fill_line(&l, op, limit, &out);
        else if (is_adding(op) && !nci_dtype_is_float(out.dtype))
            wrapping_line(&l, op, &out);
        else
            scan_line(&l, op, skipna, &out);
    }
    return out;
}

/* Chunks of a few positions along the axis, so that totals have totals. */
static nci_node *in_short_chunks(const tensor *t)
{
    ncg_error err;
    nci_node *plain = t_const(t), *node = NULL;
    int64_t chunk[NCG_MAX_RANK];
    nci_grid grid;
    for (int d = 0; d < t->rank; d++)
        chunk[d] = 1 + below(3);
    CHECK_OK(nci_grid_regular(t->rank, t->shape, chunk, &grid, &err));
    CHECK_OK(nci_ops_rechunk(plain, &grid, &node, &err));
    nci_grid_fini(&grid);
    nci_node_release(&plain);
    return node;
}

static void check_scan(const tensor *t, nci_node *node)
{
    ncg_error err;
    nci_scan_op op = (nci_scan_op)below(6);
    int axis = (int)below(t->rank);
    bool skipna = below(2);
    int64_t limit =
        op >= NCI_SCAN_FFILL && below(2) ? 1 + below(t->shape[axis]) : 0;
    nci_node *out = NULL;
    CHECK_OK(nci_ops_scan(node, op, axis, skipna, limit, &out, &err));
    tensor wanted = reference(t, op, axis, skipna, limit);
    /* sums of floats are rounded in another order */
    double near = is_adding(op) && nci_dtype_is_float(wanted.dtype)
                      ? wanted.dtype == NCG_DTYPE_F32 ? 2e-4 : 1e-9
                      : 0;
    t_check_near(out, &wanted, near);
}

static void scans_are_right(void **state)
{
    (void)state;
    for (int r = 0; r < 3 * ROUNDS; r++) {
        tensor t = t_any(1, 3, 14);
        nci_node *node = t_node(&t);
        check_scan(&t, node);
        nci_node_release(&node);
        t_free(&t);
    }
}

static void scans_of_long_lines_are_right(void **state)
{
    (void)state;
    for (int r = 0; r < ROUNDS / 2; r++) {
        int64_t shape[] = {1 + below(300), 1 + below(2)};
        ncg_dtype dtype = below(2) ? NCG_DTYPE_F64 : NCG_DTYPE_I16;
        tensor t = t_random(dtype, 2, shape);
        nci_node *node = in_short_chunks(&t);
        check_scan(&t, node);
        nci_node_release(&node);
        t_free(&t);
    }
}

/* Wide rows pass through the buffer in pieces. */
static void scans_of_wide_rows_are_right(void **state)
{
    (void)state;
    for (int r = 0; r < 12; r++) {
        int64_t shape[] = {1 + below(5), 1000 + below(3000)};
        tensor t = t_random(r % 2 ? NCG_DTYPE_F32 : NCG_DTYPE_U8, 2, shape);
        nci_node *node = t_const(&t);
        check_scan(&t, node);
        nci_node_release(&node);
        t_free(&t);
    }
}

static void infinities_stay(void **state)
{
    (void)state;
    ncg_error err;
    const double values[] = {1, INFINITY, -INFINITY, 2};
    tensor t = t_make(NCG_DTYPE_F64, 1, (int64_t[]){4});
    memcpy(t.data, values, sizeof values);
    nci_node *node = in_short_chunks(&t), *out = NULL;
    CHECK_OK(nci_ops_scan(node, NCI_SCAN_SUM, 0, true, 0, &out, &err));
    tensor wanted = t_make(NCG_DTYPE_F64, 1, (int64_t[]){4});
    memcpy(wanted.data, (double[]){1, INFINITY, NAN, NAN}, sizeof values);
    t_check(out, &wanted);
    nci_node_release(&node);
    t_free(&t);
}

static void bad_scans_are_refused(void **state)
{
    (void)state;
    ncg_error err;
    tensor t = t_random(NCG_DTYPE_F32, 1, (int64_t[]){5});
    nci_node *node = t_const(&t), *out = NULL;
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_scan(node, NCI_SCAN_SUM, 1, true, 0, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_scan(node, NCI_SCAN_SUM, 0, true, 3, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_scan(node, (nci_scan_op)9, 0, true, 0, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_scan(node, NCI_SCAN_FFILL, 0, true, -1, &out, &err));
    assert_null(out);
    nci_node_release(&node);
    t_free(&t);
}

static void failed_allocations_leave_nothing(void **state)
{
    (void)state;
    ncg_error err;
    tensor t = t_random(NCG_DTYPE_F32, 2, (int64_t[]){150, 2});
    nci_node *node = in_short_chunks(&t), *out = NULL;
    CHECK_ALLOCATIONS(out,
                      nci_ops_scan(node, NCI_SCAN_SUM, 0, true, 0, &out, &err));
    CHECK_ALLOCATIONS(
        out, nci_ops_scan(node, NCI_SCAN_BFILL, 0, true, 2, &out, &err));
    nci_node_release(&node);
    t_free(&t);
}

NCG_TESTS(NCG_TEST(scans_are_right), NCG_TEST(scans_of_long_lines_are_right),
          NCG_TEST(scans_of_wide_rows_are_right), NCG_TEST(infinities_stay),
          NCG_TEST(bad_scans_are_refused),
          NCG_TEST(failed_allocations_leave_nothing))
