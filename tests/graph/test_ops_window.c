/* SPDX-License-Identifier: BSD-3-Clause */
/* Rolling windows and coarsening against plain loops, in random chunks. */
#include "ops_check.h"

static const ncg_op rolling_ops[] = {NCG_OP_MEAN, NCG_OP_SUM, NCG_OP_MIN,
                                     NCG_OP_MAX,  NCG_OP_STD, NCG_OP_VAR,
                                     NCG_OP_COUNT};
static const ncg_op coarsen_ops[] = {NCG_OP_MEAN, NCG_OP_SUM, NCG_OP_MIN,
                                     NCG_OP_MAX,  NCG_OP_STD, NCG_OP_VAR,
                                     NCG_OP_COUNT, NCG_OP_PROD};

static double joined(ncg_op op, const double *x, int64_t n, int64_t min_count,
                     int ddof)
{
    double sum = 0, least = INFINITY, most = -INFINITY, squares = 0, prod = 1;
    if (n < min_count)
        return NAN;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        prod *= x[i];
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
    }
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
    switch (op) {
    case NCG_OP_COUNT:
        return (double)n;
    case NCG_OP_SUM:
        return sum;
    case NCG_OP_PROD:
        return prod;
    case NCG_OP_MEAN:
        return n ? sum / (double)n : NAN;
    case NCG_OP_MIN:
        return n ? least : NAN;
    case NCG_OP_MAX:
        return n ? most : NAN;
    case NCG_OP_VAR:
        return n > ddof ? squares / (double)(n - ddof) : NAN;
    default:
        return n > ddof ? sqrt(squares / (double)(n - ddof)) : NAN;
    }
}

static void put(tensor *out, int64_t i, double x)
{
    if (isnan(x) && !nci_dtype_is_float(out->dtype))
        memcpy(t_at(out, i), out->missing, ncg_dtype_size(out->dtype));
    else if (out->dtype == NCG_DTYPE_F32)
        memcpy(t_at(out, i), &(float){(float)x}, 4);
    else if (out->dtype == NCG_DTYPE_F64)
        memcpy(t_at(out, i), &x, 8);
    else
        nci_dtype_put(out->dtype, t_at(out, i), x);
}

static tensor like_node(const nci_node *node)
{
    tensor out = t_make(node->dtype, node->rank, node->shape);
    out.has_missing = node->has_missing;
    memcpy(out.missing, node->missing, 8);
    return out;
}

/* Differences of nearly equal spreads: near the values' own rounding. */
static void near(nci_node *node, tensor *wanted)
{
    for (int64_t i = 0; i < wanted->n; i++)
        if (nci_dtype_is_float(wanted->dtype) && fabs(t_get(wanted, i)) < 1e-6)
            put(wanted, i, 0);
    t_check_near(node, wanted, 2e-6);
}

static void check_rolling(const tensor *t, int64_t most)
{
    ncg_error err;
    double *x = malloc(((size_t)most + 1) * sizeof *x);
    int axis = (int)below(t->rank), ddof = (int)below(2);
    ncg_op op = rolling_ops[below(7)];
    int64_t window = 1 + below(most), min_count = below(window + 1);
    bool center = below(2);
    nci_node *node = t_node(t), *made = NULL;
    CHECK_OK(nci_ops_rolling(node, op, axis, window, min_count, center, ddof,
                             &made, &err));
    tensor wanted = like_node(made);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t index[NCG_MAX_RANK] = {0}, n = 0;
        t_index(t, i, index);
        int64_t at = index[axis];
        int64_t low = at - (center ? window / 2 : window - 1);
        for (int64_t k = low; k < low + window; k++) {
            if (k < 0 || k >= t->shape[axis])
                continue;
            index[axis] = k;
            int64_t from = t_number(t, index);
            if (!t_is_missing(t, from))
                x[n++] = t_get(t, from);
        }
        put(&wanted, i, joined(op, x, n, min_count, ddof));
    }
    near(made, &wanted);
    nci_node_release(&node);
    free(x);
}

static void rolling(void **state)
{
    (void)state;
    for (int round = 0; round < 120; round++) {
        tensor t = t_any(1, 3, 8);
        check_rolling(&t, 9);
        t_free(&t);
    }
    for (int round = 0; round < 30; round++) {
        int64_t shape[2] = {1 + below(400), 1 + below(20)};
        if (below(2)) {
            shape[1] = shape[0];
            shape[0] = 1 + below(20);
        }
        tensor t = t_random(below(2) ? NCG_DTYPE_F64 : NCG_DTYPE_I16, 2, shape);
        check_rolling(&t, 150);
        t_free(&t);
    }
}

/* The bits of a window do not depend on chunks. */
static void same_bits(void **state)
{
    int64_t shape[2] = {500, 3};
    ncg_error err;
    (void)state;
    tensor t = t_random(NCG_DTYPE_F64, 2, shape), first = {0};
    for (int i = 0; i < 6; i++) {
        nci_node *node = t_node(&t), *made = NULL;
        tensor got;
        CHECK_OK(nci_ops_rolling(node, NCG_OP_SUM, 0, 37, 1, false, 0, &made,
                                 &err));
        CHECK_OK(t_run(made, 2, &got, &err));
        if (i == 0) {
            first = got;
        } else {
            assert_memory_equal(first.data, got.data, (size_t)got.n * 8);
            t_free(&got);
        }
        nci_node_release(&made);
        nci_node_release(&node);
    }
    t_free(&first);
    t_free(&t);
}

static void check_coarsen(const tensor *t)
{
    ncg_error err;
    ncg_op op = coarsen_ops[below(8)];
    int64_t factor[NCG_MAX_RANK], most = 1, min_count = below(3);
    int ddof = (int)below(2);
    bool skipna = below(3) != 0;
    nci_boundary boundary = below(2) ? NCI_BOUNDARY_TRIM : NCI_BOUNDARY_PAD;
    for (int d = 0; d < t->rank; d++) {
        factor[d] = 1 + below(3);
        if (factor[d] > t->shape[d])
            factor[d] = 1;
        most *= factor[d];
    }
    if (op == NCG_OP_PROD && most > 8)
        op = NCG_OP_SUM;
    nci_node *node = t_node(t), *made = NULL;
    CHECK_OK(nci_ops_coarsen(node, op, factor, boundary, skipna, min_count,
                             ddof, &made, &err));
    tensor wanted = like_node(made);
    double *x = malloc((size_t)most * sizeof *x);
    for (int64_t i = 0; i < wanted.n; i++) {
        int64_t at[NCG_MAX_RANK], index[NCG_MAX_RANK], n = 0;
        bool misses = false;
        t_index(&wanted, i, at);
        for (int64_t k = 0; k < t->n; k++) {
            bool is_mine = true;
            t_index(t, k, index);
            for (int d = 0; d < t->rank; d++)
                is_mine &= index[d] / factor[d] == at[d];
            if (!is_mine)
                continue;
            misses |= t_is_missing(t, k);
            if (!t_is_missing(t, k))
                x[n++] = t_get(t, k);
        }
        double y = joined(op, x, n, min_count, ddof);
        put(&wanted, i, misses && !skipna && op != NCG_OP_COUNT ? NAN : y);
    }
    free(x);
    near(made, &wanted);
    nci_node_release(&node);
}

static void coarsening(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        tensor t = t_any(1, 3, 8);
        check_coarsen(&t);
        t_free(&t);
    }
}

static void bad_calls(void **state)
{
    int64_t shape[2] = {4, 5}, two[2] = {2, 2}, none[2] = {0, 1};
    ncg_error err;
    nci_node *out = NULL;
    (void)state;
    tensor t = t_random(NCG_DTYPE_F64, 2, shape);
    nci_node *node = t_const(&t);
    CHECK_STATUS(nci_ops_rolling(node, NCG_OP_SUM, 0, 0, 1, false, 0, &out,
                                 &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_rolling(node, NCG_OP_SUM, 0, 3, 4, false, 0, &out,
                                 &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_rolling(node, NCG_OP_FIRST, 0, 3, 1, false, 0, &out,
                                 &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_coarsen(node, NCG_OP_SUM, two, NCI_BOUNDARY_EXACT,
                                 true, 1, 0, &out, &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_coarsen(node, NCG_OP_SUM, none, NCI_BOUNDARY_TRIM,
                                 true, 1, 0, &out, &err),
                 NCG_EINVAL);
    assert_null(out);
    CHECK_ALLOCATIONS(out, nci_ops_rolling(node, NCG_OP_VAR, 0, 3, 1, true, 0,
                                           &out, &err));
    CHECK_ALLOCATIONS(out, nci_ops_coarsen(node, NCG_OP_SUM, two,
                                           NCI_BOUNDARY_PAD, true, 1, 0, &out,
                                           &err));
    nci_node_release(&node);
    t_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(coarsening),
        cmocka_unit_test(bad_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
