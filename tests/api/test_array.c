/* SPDX-License-Identifier: BSD-3-Clause */
/* The public functions of arrays against plain loops. */
#include "api/files.h"

static ncg_array *tas(ncg_context *ctx)
{
    ncg_dataset *ds = open_all(ctx);
    ncg_array *array = NULL;
    ncg_error err;
    CHECK_OK(ncg_dataset_array(ds, "tas", &array, &err));
    ncg_dataset_release(&ds);
    return array;
}

static void array_compute_gives_all_values(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx);
    static float got[NT * NFILES][NY][NX];
    ncg_error err;
    assert_int_equal(ncg_array_rank(x), 3);
    assert_int_equal(ncg_array_shape(x)[0], NT * NFILES);
    CHECK_OK(ncg_array_compute(x, got, sizeof got, &err));
    for (int t = 0; t < NT * NFILES; t++)
        for (int y = 0; y < NY; y++)
            for (int k = 0; k < NX; k++) {
                float want = field(t, y, k);
                if (want == FILL)
                    assert_true(isnan(got[t][y][k]));
                else
                    assert_true(got[t][y][k] == want);
            }
    CHECK_STATUS(NCG_EINVAL, ncg_array_compute(x, got, 4, &err));
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void let_go(void *data, void *payload)
{
    (void)data;
    ++*(int *)payload;
}

/* Arrays in the caller's memory are read where they lie, however they are
 * turned; what is handed out is a copy. */
static void array_in_memory_is_taken_as_it_lies(void **state)
{
    enum { N = 700 };
    static double values[N][N], got[N][N];
    int64_t shape[2] = {N, N}, chunks[2] = {300, 150};
    int freed = 0;
    ncg_context *ctx = new_context(2);
    ncg_array *x = NULL, *turned = NULL, *sum = NULL;
    ncg_error err;
    (void)state;
    for (int i = 0; i < N * N; i++)
        values[i / N][i % N] = i;
    for (int k = 0; k < 2; k++) {
        CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F64, 2, shape,
                                       k ? chunks : NULL, values, NULL, let_go,
                                       &freed, &x, &err));
        CHECK_OK(ncg_array_transpose(x, NULL, &turned, &err));
        CHECK_OK(ncg_array_compute(turned, got, sizeof got, &err));
        for (int i = 0; i < N * N; i++)
            assert_true(got[i % N][i / N] == values[i / N][i % N]);
        ncg_array *both[2] = {x, turned};
        CHECK_OK(ncg_array_map("add", both, 2, &sum, &err));
        CHECK_OK(ncg_array_compute(sum, got, sizeof got, &err));
        for (int i = 0; i < N * N; i++)
            assert_true(got[i / N][i % N] ==
                        values[i / N][i % N] + values[i % N][i / N]);
        ncg_array_release(&sum);
        ncg_array_release(&turned);
        CHECK_OK(ncg_array_compute(x, got, sizeof got, &err));
        assert_memory_equal(got, values, sizeof got);
        ncg_array_release(&x);
        assert_int_equal(freed, k + 1);
    }
    ncg_context_destroy(&ctx);
}

static void array_slice_follows_python(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = tas(ctx), *a = NULL, *b = NULL;
    float got[3];
    ncg_error err;
    CHECK_OK(ncg_array_slice(x, 0, -1, -8, -3, &a, &err)); /* 29 26 23 */
    assert_int_equal(ncg_array_shape(a)[0], 3);
    CHECK_OK(ncg_array_slice(a, 1, 2, 3, 1, &b, &err));
    ncg_array_release(&a);
    CHECK_OK(ncg_array_slice(b, 2, 5, 6, 1, &a, &err));
    CHECK_OK(ncg_array_compute(a, got, sizeof got, &err));
    for (int i = 0; i < 3; i++) {
        float want = field(29 - 3 * i, 2, 5);
        assert_true(want == FILL ? isnan(got[i]) : got[i] == want);
    }
    ncg_array_release(&a);
    CHECK_STATUS(NCG_EINVAL, ncg_array_slice(x, 0, 5, 5, 1, &a, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_array_slice(x, 7, 0, 1, 1, &a, &err));
    ncg_array_release(&b);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* x - mean(x over the two inner axes), then the sum of each step is 0. */
static void array_map_broadcasts(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(3);
    ncg_array *x = tas(ctx), *mean = NULL, *diff = NULL, *sum = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    int axes[] = {-1, 1};
    double got[NT * NFILES];
    ncg_error err;
    how.keepdims = true;
    CHECK_OK(ncg_array_reduce(x, axes, 2, &how, &mean, &err));
    ncg_array *pair[] = {x, mean};
    CHECK_OK(ncg_array_map("subtract", pair, 2, &diff, &err));
    how.keepdims = false;
    how.op = NCG_OP_SUM;
    CHECK_OK(ncg_array_reduce(diff, axes, 2, &how, &sum, &err));
    assert_int_equal(ncg_array_dtype(sum), NCG_DTYPE_F32);
    float sums[NT * NFILES];
    CHECK_OK(ncg_array_compute(sum, sums, sizeof sums, &err));
    for (int t = 0; t < NT * NFILES; t++) {
        got[t] = sums[t];
        assert_true(fabs(got[t]) < 0.01);
    }
    ncg_array_release(&sum);
    ncg_array_release(&diff);
    ncg_array_release(&mean);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void array_reductions_match_loops(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx);
    ncg_error err;
    double sum = 0, low = 1e30, high = -1e30;
    int64_t n = 0;
    for (int t = 0; t < NT * NFILES; t++)
        for (int y = 0; y < NY; y++)
            for (int k = 0; k < NX; k++) {
                double v = field(t, y, k);
                if (v == FILL)
                    continue;
                sum += v;
                n++;
                low = v < low ? v : low;
                high = v > high ? v : high;
            }
    int axes[] = {0, 1, 2};
    struct {
        ncg_op op;
        double want;
    } cases[] = {{NCG_OP_SUM, sum},
                 {NCG_OP_MEAN, sum / (double)n},
                 {NCG_OP_MIN, low},
                 {NCG_OP_MAX, high},
                 {NCG_OP_RANGE, high - low}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
        ncg_array *r = NULL;
        float got;
        how.op = cases[i].op;
        CHECK_OK(ncg_array_reduce(x, axes, 3, &how, &r, &err));
        CHECK_OK(ncg_array_compute(r, &got, sizeof got, &err));
        CHECK_NEAR(got, cases[i].want, 1e-6);
        ncg_array_release(&r);
    }
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *r = NULL;
    int64_t count;
    how.op = NCG_OP_COUNT;
    CHECK_OK(ncg_array_reduce(x, axes, 3, &how, &r, &err));
    CHECK_OK(ncg_array_compute(r, &count, sizeof count, &err));
    assert_int_equal(count, n);
    ncg_array_release(&r);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void write_big_integers(const char *path)
{
    int nc, dim, v;
    int64_t data[4] = {INT64_MAX - 1, 5, -7, 1};
    nc_ok(nc_create(path, NC_NETCDF4, &nc));
    nc_ok(nc_def_dim(nc, "x", 4, &dim));
    nc_ok(nc_def_var(nc, "big", NC_INT64, 1, &dim, &v));
    nc_ok(nc_put_var_longlong(nc, v, (const long long *)data));
    nc_ok(nc_close(nc));
}

/* 64-bit sums are exact, or an error: never a wrapped number. */
static void array_sum_of_integers_does_not_wrap(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    const char *paths[] = {in_workdir("big.nc")};
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL, *part = NULL, *sum = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    int axis = 0;
    int64_t got = 0;
    ncg_error err;
    how.op = NCG_OP_SUM;
    write_big_integers(paths[0]);
    CHECK_OK(ncg_dataset_open(ctx, paths, 1, NULL, &ds, &err));
    CHECK_OK(ncg_dataset_array(ds, "big", &x, &err));
    CHECK_OK(ncg_array_reduce(x, &axis, 1, &how, &sum, &err));
    CHECK_STATUS(NCG_EKERNEL, ncg_array_compute(sum, &got, 8, &err));
    CHECK_MESSAGE("64-bit");
    ncg_array_release(&sum);
    CHECK_OK(ncg_array_slice(x, 0, 0, 3, 2, &part, &err));
    CHECK_OK(ncg_array_reduce(part, &axis, 1, &how, &sum, &err));
    CHECK_OK(ncg_array_compute(sum, &got, 8, &err));
    assert_true(got == INT64_MAX - 8);
    ncg_array_release(&sum);
    ncg_array_release(&part);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(array_compute_gives_all_values),
        NCG_TEST(array_in_memory_is_taken_as_it_lies),
        NCG_TEST(array_slice_follows_python), NCG_TEST(array_map_broadcasts),
        NCG_TEST(array_reductions_match_loops),
        NCG_TEST(array_sum_of_integers_does_not_wrap)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
