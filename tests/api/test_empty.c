/* SPDX-License-Identifier: BSD-3-Clause */
/* Selections of nothing: arrays without values, what operations make of them,
 * and reductions over nothing, as NumPy has them. */
#include "test.h"

enum { ROWS = 6, COLUMNS = 4 };

typedef struct bed {
    ncg_context *ctx;
    ncg_array *x;     /* 6 x 4, two chunks an axis */
    ncg_array *none;  /* 0 x 4 */
    ncg_array *whole; /* 0 x 4 of i4 */
} bed;

static ncg_array *sliced(ncg_array *x, int axis, int64_t start, int64_t stop)
{
    ncg_array *out = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_slice(x, axis, start, stop, 1, &out, &err));
    return out;
}

static int set_up(void **state)
{
    static bed b;
    static double values[ROWS * COLUMNS];
    ncg_error err;
    ncg_array *i4 = NULL;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = i;
    CHECK_OK(ncg_context_create(NULL, &b.ctx, &err));
    CHECK_OK(ncg_array_from_memory(
        b.ctx, NCG_DTYPE_F64, 2, (int64_t[]){ROWS, COLUMNS}, (int64_t[]){3, 2},
        values, NULL, NULL, NULL, &b.x, &err));
    CHECK_OK(ncg_array_cast(b.x, NCG_DTYPE_I32, &i4, &err));
    b.none = sliced(b.x, 0, 2, 2);
    b.whole = sliced(i4, 0, 4, 1);
    ncg_array_release(&i4);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bed *b = *state;
    ncg_array_release(&b->x);
    ncg_array_release(&b->none);
    ncg_array_release(&b->whole);
    ncg_context_destroy(&b->ctx);
    return 0;
}

static void check_shape(const ncg_array *x, int rank, const int64_t *shape)
{
    assert_int_equal(ncg_array_rank(x), rank);
    for (int d = 0; d < rank; d++)
        assert_int_equal(ncg_array_shape(x)[d], shape[d]);
}

/* Computing it is fine, in all ways. */
static void check_computes(bed *b, ncg_array *x)
{
    ncg_collection c = ncg_array_collection(x), kept = {0};
    void *result = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_compute(x, NULL, 0, &err));
    CHECK_OK(ncg_compute(b->ctx, &c, 1, NULL, &result, &err));
    assert_int_equal(ncg_array_size(result), 0);
    c.type->release_result(result);
    CHECK_OK(ncg_persist(b->ctx, &c, 1, &kept, &err));
    ncg_collection_release(&kept);
}

static void selections_of_nothing(void **state)
{
    bed *b = *state;
    static const bool mask[ROWS];
    const ncg_index indices[] = {
        {.kind = NCG_INDEX_SLICE, .start = 0, .stop = 0, .step = 1},
        {.kind = NCG_INDEX_SLICE, .start = 1, .stop = 5, .step = -2},
        {.kind = NCG_INDEX_LIST, .list = (int64_t[]){0}, .count = 0},
        {.kind = NCG_INDEX_MASK, .mask = mask, .count = ROWS}};
    ncg_error err;
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        ncg_array *x = NULL;
        CHECK_OK(ncg_array_index(b->x, &indices[i], 1, &x, &err));
        check_shape(x, 2, (int64_t[]){0, COLUMNS});
        assert_int_equal(ncg_array_dtype(x), NCG_DTYPE_F64);
        check_computes(b, x);
        ncg_array_release(&x);
    }
    ncg_array *again = sliced(b->none, 0, NCG_OMIT, NCG_OMIT);
    check_shape(again, 2, (int64_t[]){0, COLUMNS});
    ncg_array_release(&again);
    ncg_index at = {.kind = NCG_INDEX_AT, .start = 0};
    CHECK_STATUS(NCG_EINVAL, ncg_array_index(b->none, &at, 1, &again, &err));
    CHECK_MESSAGE("outside axis 0");
}

/* ---- operations ------------------------------------------------------------
 */

static void operations_on_nothing(void **state)
{
    bed *b = *state;
    ncg_array *y[10] = {NULL}, *row = sliced(b->x, 0, 0, 1);
    ncg_array *both[] = {b->none, row}, *joined[] = {b->x, b->none};
    ncg_error err;
    CHECK_OK(ncg_array_map("add", both, 2, &y[0], &err));
    check_shape(y[0], 2, (int64_t[]){0, COLUMNS});
    CHECK_OK(ncg_array_cast(b->none, NCG_DTYPE_I16, &y[1], &err));
    CHECK_OK(ncg_array_transpose(b->none, NULL, &y[2], &err));
    check_shape(y[2], 2, (int64_t[]){COLUMNS, 0});
    CHECK_OK(ncg_array_reshape(b->none, 3, (int64_t[]){2, 0, 7}, &y[3], &err));
    CHECK_OK(ncg_array_scan(b->none, NCG_SCAN_SUM, 0, true, 0, &y[4], &err));
    CHECK_OK(ncg_array_sort(b->none, 0, &y[5], &err));
    CHECK_OK(ncg_array_flip(b->none, 0, &y[6], &err));
    CHECK_OK(ncg_array_roll(b->none, 3, 0, &y[7], &err));
    CHECK_OK(ncg_array_rechunk(b->none, (int64_t[]){-1, 1}, &y[8], &err));
    CHECK_OK(ncg_array_diff(b->none, 1, 1, &y[9], &err));
    for (int i = 0; i < 10; i++) {
        check_computes(b, y[i]);
        ncg_array_release(&y[i]);
    }
    CHECK_OK(ncg_array_concatenate(joined, 2, 0, &y[0], &err));
    check_shape(y[0], 2, (int64_t[]){ROWS, COLUMNS});
    double values[ROWS * COLUMNS];
    CHECK_OK(ncg_array_compute(y[0], values, sizeof values, &err));
    assert_true(values[ROWS * COLUMNS - 1] == ROWS * COLUMNS - 1);
    ncg_array_release(&y[0]);
    CHECK_OK(ncg_array_tensordot(b->x, b->none, (int[]){1}, (int[]){1}, 1,
                                 &y[0], &err));
    check_shape(y[0], 2, (int64_t[]){ROWS, 0});
    ncg_array_release(&y[0]);
    ncg_array_release(&row);
}

/* ---- reductions
 * --------------------------------------------------------------- */

static ncg_status reduce(ncg_array *x, ncg_op op, int axis, int64_t min_count,
                         ncg_array **out, ncg_error *err)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    how.op = op;
    how.min_count = min_count;
    return ncg_array_reduce(x, &axis, 1, &how, out, err);
}

/* What each of four results is. */
static void check_all(ncg_array *x, ncg_dtype dtype, double want)
{
    double values[COLUMNS];
    ncg_array *as_f8 = NULL;
    ncg_error err;
    assert_int_equal(ncg_array_dtype(x), dtype);
    bool is_float = dtype == NCG_DTYPE_F64; /* whose NaN is the mark */
    assert_int_equal(ncg_array_missing(x, NULL), is_float);
    check_shape(x, 1, (int64_t[]){COLUMNS});
    CHECK_OK(ncg_array_cast(x, NCG_DTYPE_F64, &as_f8, &err));
    CHECK_OK(ncg_array_compute(as_f8, values, sizeof values, &err));
    for (int i = 0; i < COLUMNS; i++)
        CHECK_NEAR(values[i], want, 0);
    ncg_array_release(&as_f8);
}

static void reductions_over_nothing(void **state)
{
    bed *b = *state;
    static const struct {
        ncg_op op;
        ncg_dtype of_f8, of_i4;
        double want;
    } cases[] = {{NCG_OP_SUM, NCG_DTYPE_F64, NCG_DTYPE_I64, 0},
                 {NCG_OP_PROD, NCG_DTYPE_F64, NCG_DTYPE_I64, 1},
                 {NCG_OP_COUNT, NCG_DTYPE_I64, NCG_DTYPE_I64, 0},
                 {NCG_OP_ANY, NCG_DTYPE_BOOL, NCG_DTYPE_BOOL, 0},
                 {NCG_OP_ALL, NCG_DTYPE_BOOL, NCG_DTYPE_BOOL, 1},
                 {NCG_OP_MEAN, NCG_DTYPE_F64, NCG_DTYPE_F64, NAN},
                 {NCG_OP_STD, NCG_DTYPE_F64, NCG_DTYPE_F64, NAN},
                 {NCG_OP_VAR, NCG_DTYPE_F64, NCG_DTYPE_F64, NAN}};
    ncg_error err;
    ncg_array *y = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(reduce(b->none, cases[i].op, 0, 1, &y, &err));
        check_all(y, cases[i].of_f8, cases[i].want);
        ncg_array_release(&y);
        CHECK_OK(reduce(b->whole, cases[i].op, 0, 1, &y, &err));
        check_all(y, cases[i].of_i4, cases[i].want);
        ncg_array_release(&y);
    }
    CHECK_OK(reduce(b->none, NCG_OP_SUM, 0, 2, &y, &err));
    check_all(y, NCG_DTYPE_F64, NAN); /* two values are asked for */
    ncg_array_release(&y);
    CHECK_OK(reduce(b->whole, NCG_OP_SUM, 0, 2, &y, &err));
    assert_true(ncg_array_missing(y, NULL));
    ncg_array_release(&y);
}

/* No mark among truth values, so what follows takes them for integers. */
static void truth_values_are_all_there(void **state)
{
    static const uint8_t values[6] = {1, 0, 0, 0, 1, 1};
    static const struct {
        ncg_op op;
        bool of_truth, of_floats; /* whether one may be missing */
    } cases[] = {{NCG_OP_ANY, false, false}, {NCG_OP_ALL, false, false},
                 {NCG_OP_MIN, false, true},  {NCG_OP_MAX, false, true},
                 {NCG_OP_SUM, false, true},  {NCG_OP_ARGMAX, false, true}};
    bed *b = *state;
    ncg_error err;
    ncg_array *x = NULL, *f = NULL, *y = NULL;
    CHECK_OK(ncg_array_from_memory(b->ctx, NCG_DTYPE_BOOL, 2, (int64_t[]){3, 2},
                                   (int64_t[]){2, 1}, values, NULL, NULL, NULL,
                                   &x, &err));
    CHECK_OK(ncg_array_cast(x, NCG_DTYPE_F64, &f, &err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(reduce(x, cases[i].op, 0, 0, &y, &err));
        assert_int_equal(ncg_array_missing(y, NULL), cases[i].of_truth);
        ncg_array_release(&y);
        CHECK_OK(reduce(f, cases[i].op, 0, 0, &y, &err));
        assert_int_equal(ncg_array_missing(y, NULL), cases[i].of_floats);
        ncg_array_release(&y);
    }
    CHECK_OK(reduce(x, NCG_OP_ANY, 0, 4, &y, &err)); /* there are three */
    assert_true(ncg_array_missing(y, NULL));
    ncg_array_release(&y);
    ncg_array_release(&f);
    ncg_array_release(&x);
}

static void choices_of_nothing_are_refused(void **state)
{
    bed *b = *state;
    static const ncg_op ops[] = {NCG_OP_MIN,   NCG_OP_MAX,  NCG_OP_RANGE,
                                 NCG_OP_FIRST, NCG_OP_LAST, NCG_OP_ARGMIN,
                                 NCG_OP_ARGMAX};
    ncg_error err;
    ncg_array *y = NULL;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        CHECK_STATUS(NCG_EINVAL, reduce(b->none, ops[i], 0, 1, &y, &err));
        CHECK_MESSAGE("of no values: axis 0 has no positions");
        CHECK_OK(reduce(b->none, ops[i], 1, 1, &y, &err)); /* there is none */
        check_shape(y, 1, (int64_t[]){0});
        ncg_array_release(&y);
    }
}

/* As a group that has no positions beside others that have. */
static void groups_of_nothing(void **state)
{
    bed *b = *state;
    ncg_error err;
    double all[3 * COLUMNS], none[3 * COLUMNS];
    const int32_t labels[ROWS] = {2, 2, 2, 2, 2, 2};
    for (int op = 0; op < NCG_OP_COUNT_; op++)
        for (int least = 0; least < 3; least++) {
            ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
            ncg_array *x = NULL, *y = NULL, *z = NULL, *empty = NULL;
            how.op = (ncg_op)op;
            how.min_count = least;
            CHECK_OK(
                ncg_array_groupby(b->x, NULL, 0, labels, 3, &how, &x, &err));
            CHECK_OK(ncg_array_groupby(b->none, NULL, 0, NULL, 3, &how, &empty,
                                       &err));
            assert_int_equal(ncg_array_dtype(x), ncg_array_dtype(empty));
            check_shape(empty, 2, (int64_t[]){3, COLUMNS});
            CHECK_OK(ncg_array_cast(x, NCG_DTYPE_F64, &y, &err));
            CHECK_OK(ncg_array_cast(empty, NCG_DTYPE_F64, &z, &err));
            CHECK_OK(ncg_array_compute(y, all, sizeof all, &err));
            CHECK_OK(ncg_array_compute(z, none, sizeof none, &err));
            for (int i = 0; i < 3 * COLUMNS; i++) /* group 0 has none */
                if (memcmp(&none[i], &all[i % COLUMNS], sizeof *none) &&
                    !(isnan(none[i]) && isnan(all[i % COLUMNS])))
                    fail_msg("op %d min_count %d: %g, not %g", op, least,
                             none[i], all[i % COLUMNS]);
            ncg_array_release(&x);
            ncg_array_release(&y);
            ncg_array_release(&z);
            ncg_array_release(&empty);
        }
}

static void quantiles_of_groups_of_nothing(void **state)
{
    bed *b = *state;
    static const double q[] = {0.1, 0.9};
    double values[2 * 3 * COLUMNS];
    ncg_error err;
    ncg_array *y = NULL;
    CHECK_OK(ncg_array_quantile_by(b->none, 0, (int32_t[]){0}, 3, q, 2, NULL,
                                   &y, &err));
    check_shape(y, 3, (int64_t[]){2, 3, COLUMNS});
    CHECK_OK(ncg_array_compute(y, values, sizeof values, &err));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(isnan(values[i]));
    ncg_array_release(&y);
}

/* One position less each time, until there is none. */
static void differences_of_nothing(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_array *y = NULL;
    CHECK_OK(ncg_array_diff(b->x, COLUMNS, 1, &y, &err));
    check_shape(y, 2, (int64_t[]){ROWS, 0});
    check_computes(b, y);
    ncg_array_release(&y);
    CHECK_OK(ncg_array_diff(b->x, 1000000000, 1, &y, &err));
    check_shape(y, 2, (int64_t[]){ROWS, 0});
    ncg_array_release(&y);
    CHECK_OK(ncg_array_diff(b->none, 2, 0, &y, &err));
    check_shape(y, 2, (int64_t[]){0, COLUMNS});
    check_computes(b, y);
    ncg_array_release(&y);
    CHECK_STATUS(NCG_EINVAL, ncg_array_diff(b->x, -1, 1, &y, &err));
    ncg_array *many = NULL; /* at once, however many differences there are */
    CHECK_OK(
        ncg_array_arange(b->ctx, NCG_DTYPE_I32, 0, 1e8, 1, 0, &many, &err));
    CHECK_OK(ncg_array_diff(many, 1000000000, 0, &y, &err));
    check_shape(y, 1, (int64_t[]){0});
    assert_int_equal(ncg_array_dtype(y), NCG_DTYPE_I32);
    check_computes(b, y);
    ncg_array_release(&y);
    ncg_array_release(&many);
}

static void other_reductions_of_nothing(void **state)
{
    bed *b = *state;
    ncg_quantile_options how = NCG_QUANTILE_OPTIONS_INIT;
    static const double q[] = {0.1, 0.5, 0.9};
    double values[3 * COLUMNS];
    ncg_error err;
    ncg_array *y = NULL;
    how.keepdims = true;
    CHECK_OK(ncg_array_quantile(b->whole, q, 3, (int[]){0}, 1, &how, &y, &err));
    check_shape(y, 3, (int64_t[]){3, 1, COLUMNS});
    CHECK_OK(ncg_array_compute(y, values, sizeof values, &err));
    for (int i = 0; i < 3 * COLUMNS; i++)
        assert_true(isnan(values[i]));
    ncg_array_release(&y);
    CHECK_OK(ncg_array_median(b->none, NULL, 0, NULL, &y, &err));
    CHECK_OK(ncg_array_compute(y, values, sizeof *values, &err));
    assert_true(isnan(values[0]));
    ncg_array_release(&y);
    ncg_array *weights = sliced(b->x, 0, 0, 1);
    CHECK_OK(
        ncg_array_weighted(b->none, weights, (int[]){0}, 1, NULL, &y, &err));
    check_all(y, NCG_DTYPE_F64, NAN);
    ncg_array_release(&y);
    ncg_array_release(&weights);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(selections_of_nothing),
                                       NCG_TEST(operations_on_nothing),
                                       NCG_TEST(reductions_over_nothing),
                                       NCG_TEST(truth_values_are_all_there),
                                       NCG_TEST(choices_of_nothing_are_refused),
                                       NCG_TEST(groups_of_nothing),
                                       NCG_TEST(quantiles_of_groups_of_nothing),
                                       NCG_TEST(differences_of_nothing),
                                       NCG_TEST(other_reductions_of_nothing)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
