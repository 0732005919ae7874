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

/* Sums of x and its transpose, by columns and of all: read row by row, whatever
 * the number of threads. */
static void array_and_its_transpose_are_folded(void **state)
{
    enum { N = 1100 };
    static float values[N][N], columns[2][N], all[2];
    int64_t shape[2] = {N, N};
    ncg_error err;
    (void)state;
    for (int i = 0; i < N * N; i++)
        values[i / N][i % N] = (float)(i % 1009) / 7;
    for (int threads = 1; threads <= 2; threads++) {
        int first = 0;
        ncg_context *ctx = new_context(threads);
        ncg_array *x = NULL, *turned = NULL, *sum = NULL, *out = NULL;
        ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
        how.op = NCG_OP_MEAN;
        CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F32, 2, shape, NULL,
                                       values, NULL, NULL, NULL, &x, &err));
        CHECK_OK(ncg_array_transpose(x, NULL, &turned, &err));
        ncg_array *both[2] = {x, turned};
        CHECK_OK(ncg_array_map("add", both, 2, &sum, &err));
        CHECK_OK(ncg_array_reduce(sum, &first, 1, &how, &out, &err));
        CHECK_OK(ncg_array_compute(out, columns[threads - 1], sizeof *columns,
                                   &err));
        ncg_array_release(&out);
        CHECK_OK(ncg_array_reduce(sum, NULL, 0, &how, &out, &err));
        CHECK_OK(ncg_array_compute(out, &all[threads - 1], 4, &err));
        ncg_array_release(&out);
        ncg_array_release(&sum);
        ncg_array_release(&turned);
        ncg_array_release(&x);
        ncg_context_destroy(&ctx);
    }
    double whole = 0;
    for (int j = 0; j < N; j++) {
        double want = 0;
        for (int i = 0; i < N; i++)
            want += (double)(values[i][j] + values[j][i]);
        CHECK_NEAR(columns[0][j], want / N, 1e-4);
        whole += want / N / N;
    }
    CHECK_NEAR(all[0], whole, 1e-4);
    assert_memory_equal(columns[0], columns[1], sizeof *columns);
    assert_memory_equal(&all[0], &all[1], 4);
}

static ncg_status fill_numbers(void *payload, const int64_t *start,
                               const int64_t *count, void *out, ncg_error *err)
{
    float *to = out;
    (void)err;
    ++*(int *)payload;
    for (int64_t t = 0; t < count[0]; t++)
        for (int64_t y = 0; y < count[1]; y++)
            *to++ = (float)((start[0] + t) * 10 + start[1] + y);
    return NCG_OK;
}

/* Years of months: no chunk is copied, and a box that is less than a run of
 * months is picked out. */
static void array_of_a_function_is_reshaped(void **state)
{
    enum { YEARS = 6, MONTHS = 12, NY2 = 10 };
    int64_t shape[2] = {YEARS * MONTHS, NY2}, chunks[2] = {24, 5};
    int64_t years[3] = {YEARS, MONTHS, NY2}, odd[3] = {8, 9, NY2};
    static float got[YEARS][MONTHS][NY2], part[3][2][4];
    int calls = 0;
    ncg_context *ctx = new_context(1);
    ncg_array *x = NULL, *split = NULL, *other = NULL, *box = NULL;
    int64_t *sizes;
    size_t nsizes;
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_array_from_callback(ctx, "test.numbers/1", NCG_DTYPE_F32, 2,
                                     shape, chunks, NULL, fill_numbers, NULL,
                                     &calls, &x, &err));
    CHECK_OK(ncg_array_reshape(x, 3, years, &split, &err));
    CHECK_OK(ncg_array_chunks(split, 0, &sizes, &nsizes, &err));
    assert_int_equal(nsizes, 3);
    assert_int_equal(sizes[0], 2);
    ncg_free(sizes);
    CHECK_OK(ncg_array_compute(split, got, sizeof got, &err));
    assert_int_equal(calls, 6);
    for (int i = 0; i < YEARS * MONTHS * NY2; i++)
        assert_true((&got[0][0][0])[i] == (float)i);
    CHECK_OK(ncg_array_slice(split, 0, 1, 4, 1, &other, &err));
    CHECK_OK(ncg_array_slice(other, 1, 5, 7, 1, &box, &err));
    ncg_array_release(&other);
    CHECK_OK(ncg_array_slice(box, 2, 3, 7, 1, &other, &err));
    CHECK_OK(ncg_array_compute(other, part, sizeof part, &err));
    for (int i = 0; i < 24; i++)
        assert_true((&part[0][0][0])[i] ==
                    got[1 + i / 8][5 + i / 4 % 2][3 + i % 4]);
    ncg_array_release(&box);
    ncg_array_release(&other);
    CHECK_OK(ncg_array_reshape(x, 3, odd, &other, &err)); /* 24 is not 9s */
    CHECK_OK(ncg_array_compute(other, got, sizeof got, &err));
    for (int i = 0; i < YEARS * MONTHS * NY2; i++)
        assert_true((&got[0][0][0])[i] == (float)i);
    ncg_array_release(&other);
    ncg_array_release(&split);
    ncg_array_release(&x);
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
        NCG_TEST(array_and_its_transpose_are_folded),
        NCG_TEST(array_of_a_function_is_reshaped),
        NCG_TEST(array_slice_follows_python), NCG_TEST(array_map_broadcasts),
        NCG_TEST(array_reductions_match_loops),
        NCG_TEST(array_sum_of_integers_does_not_wrap)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
