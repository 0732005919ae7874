/* SPDX-License-Identifier: BSD-3-Clause */
/* Quantiles against sorted lines, every method, in random chunks. */
#include "graph/ops/quantile_build.h"
#include "ops_check.h"

enum {
    ROUNDS = 100,
    MOST_VALUES = 20000,
    MOST_QUANTILES = 39
};

static int compare(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

/* NumPy's formulas, written down once more. */
static double wanted_of(const double *x, int64_t n, double q,
                        nci_quantile_method method)
{
    static const double alpha[] = {[NCI_QUANTILE_INTERPOLATED_INVERTED_CDF] = 0,
                                   [NCI_QUANTILE_HAZEN] = 0.5,
                                   [NCI_QUANTILE_WEIBULL] = 0,
                                   [NCI_QUANTILE_LINEAR] = 1,
                                   [NCI_QUANTILE_MEDIAN_UNBIASED] = 1 / 3.0,
                                   [NCI_QUANTILE_NORMAL_UNBIASED] = 3 / 8.0};
    double N = (double)n, a, b, v, g;
    switch (method) {
    case NCI_QUANTILE_INVERTED_CDF:
        v = ceil(N * q) - 1;
        return x[(int64_t)fmax(v, 0)];
    case NCI_QUANTILE_AVERAGED_INVERTED_CDF:
        v = N * q - 1;
        if (v < 0)
            return x[0];
        g = v == floor(v) ? 0.5 : 1;
        a = x[(int64_t)floor(v)];
        b = x[(int64_t)fmin(floor(v) + 1, N - 1)];
        return a + (b - a) * g;
    case NCI_QUANTILE_CLOSEST_OBSERVATION:
        v = N * q - 1.5;
        g = v == floor(v) && fabs(fmod(floor(v), 2)) == 1 ? floor(v)
                                                          : floor(v) + 1;
        return x[(int64_t)fmin(fmax(g, 0), N - 1)];
    case NCI_QUANTILE_LOWER:
        return x[(int64_t)floor((N - 1) * q)];
    case NCI_QUANTILE_HIGHER:
        return x[(int64_t)ceil((N - 1) * q)];
    case NCI_QUANTILE_NEAREST:
        return x[(int64_t)nearbyint((N - 1) * q)];
    case NCI_QUANTILE_MIDPOINT:
        return (x[(int64_t)floor((N - 1) * q)] +
                x[(int64_t)ceil((N - 1) * q)]) /
               2;
    case NCI_QUANTILE_INTERPOLATED_INVERTED_CDF:
        v = N * q - 1;
        break;
    case NCI_QUANTILE_LINEAR:
        v = (N - 1) * q;
        break;
    default:
        v = N * q + (alpha[method] + q * (1 - 2 * alpha[method])) - 1;
    }
    if (v <= 0 || v >= N - 1)
        return x[v <= 0 ? 0 : n - 1];
    a = x[(int64_t)floor(v)];
    b = x[(int64_t)floor(v) + 1];
    return a + (b - a) * (v - floor(v));
}

typedef struct request {
    bool over[NCG_MAX_RANK], keep[NCG_MAX_RANK];
    double q[MOST_QUANTILES];
    int nq;
    bool scalar, skipna;
    nci_quantile_method method;
    int label_axis; /* -1 */
    int32_t nlabels, labels[64];
} request;

static request random_request(const tensor *t)
{
    static const double some[] = {0, 1, 0.5, 0.25, 0.9};
    request r = {.label_axis = -1, .skipna = below(3) != 0};
    bool any = false;
    for (int d = 0; d < t->rank; d++) {
        any |= r.over[d] = below(2);
        r.keep[d] = below(3) == 0;
    }
    if (!any)
        r.over[below(t->rank)] = true;
    r.nq = 1 + (int)below(3);
    for (int i = 0; i < r.nq; i++)
        r.q[i] = below(2) ? some[below(5)] : (double)below(1001) / 1000;
    r.scalar = r.nq == 1 && below(2);
    r.method = (nci_quantile_method)below(13);
    return r;
}

static void add_labels(const tensor *t, request *r)
{
    r->label_axis = (int)below(t->rank);
    r->over[r->label_axis] = true;
    r->keep[r->label_axis] = false;
    r->nlabels = 1 + (int32_t)below(4);
    for (int64_t i = 0; i < t->shape[r->label_axis]; i++)
        r->labels[i] = (int32_t)below(r->nlabels + 1) - 1;
}

static double line_quantile(const tensor *t, const request *r,
                            const int64_t *at, double q)
{
    static double x[MOST_VALUES];
    int64_t n = 0, index[NCG_MAX_RANK];
    bool misses = false;
    for (int64_t i = 0; i < t->n; i++) {
        bool is_mine = true;
        t_index(t, i, index);
        for (int d = 0; d < t->rank; d++)
            if (d == r->label_axis)
                is_mine &= r->labels[index[d]] == at[d];
            else if (!r->over[d])
                is_mine &= index[d] == at[d];
        if (!is_mine)
            continue;
        misses |= t_is_missing(t, i);
        if (!t_is_missing(t, i))
            x[n++] = t_get(t, i);
    }
    if (n == 0 || (misses && !r->skipna))
        return NAN;
    qsort(x, (size_t)n, sizeof *x, compare);
    return wanted_of(x, n, q, r->method);
}

static tensor reference(const tensor *t, const request *r)
{
    int64_t shape[NCG_MAX_RANK], index[NCG_MAX_RANK], at[NCG_MAX_RANK];
    int rank = 0;
    if (!r->scalar)
        shape[rank++] = r->nq;
    for (int d = 0; d < t->rank; d++)
        if (d == r->label_axis)
            shape[rank++] = r->nlabels;
        else if (!r->over[d])
            shape[rank++] = t->shape[d];
        else if (r->keep[d])
            shape[rank++] = 1;
    bool is_f4 = t->dtype == NCG_DTYPE_F32;
    tensor out = t_make(is_f4 ? NCG_DTYPE_F32 : NCG_DTYPE_F64, rank, shape);
    for (int64_t i = 0; i < out.n; i++) {
        t_index(&out, i, index);
        int o = !r->scalar;
        for (int d = 0; d < t->rank; d++) {
            bool stays = d == r->label_axis || !r->over[d] || r->keep[d];
            at[d] = stays ? index[o] : 0;
            o += stays;
        }
        double x = line_quantile(t, r, at, r->q[r->scalar ? 0 : index[0]]);
        if (is_f4)
            memcpy(t_at(&out, i), &(float){(float)x}, 4);
        else
            memcpy(t_at(&out, i), &x, 8);
    }
    return out;
}

static ncg_status build(nci_node *node, const request *r, int64_t limit,
                        nci_node **out, ncg_error *err)
{
    if (r->label_axis < 0)
        return nci_ops_quantile_within(node, r->over, r->keep, r->q, r->nq,
                                       r->scalar, r->method, r->skipna, limit,
                                       out, err);
    return nci_ops_quantile_groups(node, r->over, r->keep, r->label_axis,
                                   r->labels, r->nlabels, r->q, r->nq,
                                   r->scalar, r->method, r->skipna, limit, out,
                                   err);
}

static void check_request(const tensor *t, const request *r, int64_t limit)
{
    ncg_error err;
    nci_node *node = t_node(t), *made = NULL;
    CHECK_OK(build(node, r, limit, &made, &err));
    tensor wanted = reference(t, r);
    t_check_near(made, &wanted, 1e-6);
    nci_node_release(&node);
}

static void random_quantiles(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        tensor t = t_any(1, 4, 7);
        request r = random_request(&t);
        if (below(3) == 0)
            add_labels(&t, &r);
        check_request(&t, &r, 0);
        t_free(&t);
    }
}

/* Every method at every place between two values: many quantiles in one
 * run, because a run on 1, 2 and 4 threads costs more than its values. */
static void methods(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 9; n++) {
        int64_t shape[2] = {n, 3};
        tensor t = t_random(NCG_DTYPE_F64, 2, shape);
        for (int m = 0; m < 13; m++) {
            request r = {.over = {true},
                         .nq = MOST_QUANTILES,
                         .skipna = true,
                         .label_axis = -1,
                         .method = (nci_quantile_method)m};
            for (int k = 0; k < MOST_QUANTILES; k += 3) {
                r.q[k] = k / 36.0;
                r.q[k + 1] = k / 72.0;
                r.q[k + 2] = 1 - k / 36.0;
            }
            check_request(&t, &r, 0);
        }
        t_free(&t);
    }
}

/* Longer than columns: lines, side by side and not. */
static void long_lines(void **state)
{
    static const ncg_dtype dtypes[] = {NCG_DTYPE_F32, NCG_DTYPE_F64,
                                       NCG_DTYPE_I16, NCG_DTYPE_I64,
                                       NCG_DTYPE_U64, NCG_DTYPE_BOOL};
    (void)state;
    for (int i = 0; i < 12; i++) {
        int64_t shape[2] = {i % 2 ? 2 : 9001, i % 2 ? 9001 : 2};
        tensor t = t_random(dtypes[i / 2], 2, shape);
        request r = {.over = {i % 2 == 0, i % 2 == 1},
                     .q = {0.5, 0.999, (double)below(1000) / 1000},
                     .nq = 3,
                     .skipna = true,
                     .label_axis = -1,
                     .method = NCI_QUANTILE_LINEAR};
        check_request(&t, &r, 0);
        t_free(&t);
    }
}

/* Extreme values: infinities, both zeros, the limits of integers. */
static void extremes(void **state)
{
    static const double some[] = {-INFINITY, INFINITY, 0.0, -0.0, 5e-324, NAN,
                                  1.7e308,   -1.7e308};
    static const uint64_t ends[] = {0, 1, UINT64_MAX, (uint64_t)1 << 63,
                                    INT64_MAX, 2, 3};
    int64_t shape[2] = {24, 40};
    (void)state;
    for (int k = 0; k < 8; k++) {
        ncg_dtype dtype = k % 3 == 0   ? NCG_DTYPE_F64
                          : k % 3 == 1 ? NCG_DTYPE_I64
                                       : NCG_DTYPE_U64;
        tensor t = t_make(dtype, 2, shape);
        t.has_missing = k % 3 && k > 3;
        memcpy(t.missing, &ends[below(7)], 8);
        for (int64_t i = 0; i < t.n; i++)
            if (k % 3 == 0)
                memcpy(t_at(&t, i), &some[below(8)], 8);
            else
                memcpy(t_at(&t, i), &ends[below(7)], 8);
        request r = {.over = {true},
                     .q = {(double)below(24) / 23},
                     .nq = 1,
                     .scalar = true,
                     .skipna = true,
                     .label_axis = -1,
                     .method = NCI_QUANTILE_LOWER};
        check_request(&t, &r, 0);
        t_free(&t);
    }
}

/* Element-wise results can be read again, part by part. */
static void parts(void **state)
{
    int64_t shape[3] = {1200, 10, 7};
    ncg_error err;
    (void)state;
    tensor t = t_random(NCG_DTYPE_F32, 3, shape);
    for (int64_t limit = 128 << 10; limit <= 1 << 20; limit *= 8) {
        nci_node *plain = t_const(&t), *inputs[2] = {plain, plain};
        nci_node *node = NULL, *made = NULL;
        request r = {.over = {true},
                     .q = {0.9, 0.1},
                     .nq = 2,
                     .skipna = true,
                     .label_axis = -1,
                     .method = NCI_QUANTILE_LINEAR};
        CHECK_OK(nci_ops_map(NCI_MAP_MAX, NCG_DTYPE_F32, inputs, 2, &node,
                             &err));
        CHECK_OK(build(node, &r, limit, &made, &err));
        assert_int_equal(made->ninputs > 1, limit < 300 << 10);
        tensor wanted = reference(&t, &r);
        t_check_near(made, &wanted, 1e-6);
        nci_node_release(&node);
        nci_node_release(&plain);
    }
    t_free(&t);
}

static nci_node *widened(nci_node *narrow)
{
    ncg_error err;
    nci_node *wide = NULL;
    CHECK_OK(nci_ops_map(NCI_MAP_CAST, NCG_DTYPE_F64, &narrow, 1, &wide, &err));
    return wide;
}

/* Quantiles in double of single values, without a copy of these in double:
 * the same bits as with one. */
static void single_values_in_double(void **state)
{
    int64_t shape[3] = {60, 9, 4};
    ncg_error err;
    (void)state;
    tensor t = t_random(NCG_DTYPE_F32, 3, shape);
    tensor wide = t_make(NCG_DTYPE_F64, 3, shape);
    for (int64_t i = 0; i < t.n; i++)
        nci_dtype_put(NCG_DTYPE_F64, t_at(&wide, i), t_get(&t, i));
    request r = {.over = {true, false, true},
                 .q = {0.9, 0.123, 0},
                 .nq = 3,
                 .skipna = true,
                 .label_axis = -1,
                 .method = NCI_QUANTILE_LINEAR};
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        nci_node *narrow = t_const(&t), *full = t_const(&wide);
        nci_node *cast = widened(narrow), *made = NULL, *same = NULL;
        tensor wanted;
        CHECK_OK(build(is_wide ? cast : narrow, &r, 0, &made, &err));
        CHECK_OK(build(is_wide ? full : narrow, &r, 0, &same, &err));
        CHECK_OK(t_run(same, 1, &wanted, &err));
        assert_int_equal(made->dtype, is_wide ? NCG_DTYPE_F64 : NCG_DTYPE_F32);
        assert_ptr_equal(made->inputs[0].node, narrow);
        t_check(made, &wanted);
        nci_node_release(&same);
        nci_node_release(&cast);
        nci_node_release(&full);
        nci_node_release(&narrow);
    }
    t_free(&wide);
    t_free(&t);
}

static int64_t results_of(const tensor *t, const request *r)
{
    int64_t n = r->nq;
    for (int d = 0; d < t->rank; d++)
        n *= r->over[d] ? 1 : t->shape[d];
    return n;
}

/* Results have tables of counts of their own, of 16 bits of the key each where
 * there are few results and of 8 bits where there are many; between the two a
 * run is long and shows no more. */
static bool is_quick(const tensor *t, const request *r)
{
    int64_t n = results_of(t, r);
    return n <= 3 || n > 32;
}

/* The way of data without end, each method three times. */
static void counted(void **state)
{
    ncg_error err;
    int few = 0, many = 0;
    (void)state;
    for (int round = 0; round < 39; round++) {
        tensor t = t_any(round % 3 ? 1 : 3, 3, 6);
        request r = random_request(&t);
        while (!is_quick(&t, &r))
            r = random_request(&t);
        r.method = (nci_quantile_method)(round % 13);
        nci_quantiles s = {.q = r.q,
                           .nq = r.nq,
                           .scalar = r.scalar,
                           .method = r.method,
                           .skipna = r.skipna,
                           .label_axis = -1};
        for (int d = 0; d < t.rank; d++) {
            s.over[d] = r.over[d];
            s.keep[d] = r.over[d] && r.keep[d];
        }
        nci_node *node = t_node(&t), *made = NULL;
        if (nci_quantile_can_count(node, &s)) {
            CHECK_OK(nci_quantile_count(node, &s, &made, &err));
            tensor wanted = reference(&t, &r);
            t_check_near(made, &wanted, 1e-6);
            few += results_of(&t, &r) <= 3;
            many += results_of(&t, &r) > 32;
        }
        nci_node_release(&node);
        t_free(&t);
    }
    if (few < 10 || many < 4)
        fail_msg("%d with few results, %d with many", few, many);
}

static void bad_calls(void **state)
{
    int64_t shape[2] = {4, 5};
    ncg_error err;
    nci_node *out = NULL;
    const bool over[2] = {true, false}, keep[2] = {false, false};
    const int32_t labels[4] = {0, 1, 2, 0};
    double q[2] = {0.5, 1.5};
    (void)state;
    tensor t = t_random(NCG_DTYPE_F64, 2, shape);
    nci_node *node = t_const(&t);
    CHECK_STATUS(nci_ops_quantile(node, over, keep, q, 2, false,
                                  NCI_QUANTILE_LINEAR, true, &out, &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_quantile(node, over, keep, q, 0, false,
                                  NCI_QUANTILE_LINEAR, true, &out, &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_quantile_by(node, 0, labels, 2, q, 1, true,
                                     NCI_QUANTILE_LINEAR, true, &out, &err),
                 NCG_EINVAL);
    CHECK_STATUS(nci_ops_quantile_by(node, 2, labels, 3, q, 1, true,
                                     NCI_QUANTILE_LINEAR, true, &out, &err),
                 NCG_EINVAL);
    assert_null(out);
    CHECK_ALLOCATIONS(out, nci_ops_quantile_by(node, 0, labels, 3, q, 1, true,
                                               NCI_QUANTILE_LINEAR, true, &out,
                                               &err));
    nci_node_release(&node);
    t_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_quantiles), cmocka_unit_test(methods),
        cmocka_unit_test(long_lines),       cmocka_unit_test(extremes),
        cmocka_unit_test(parts),            cmocka_unit_test(counted),
        cmocka_unit_test(bad_calls),
        cmocka_unit_test(single_values_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
