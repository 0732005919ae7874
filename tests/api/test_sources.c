/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays of memory, numbers and functions, computed through the whole engine. */
#include "test.h"

static ncg_context *new_context(int threads, int64_t limit)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx;
    ncg_error err;
    options.threads = threads;
    options.memory_limit = limit;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

static void compute(ncg_array *array, void *out)
{
    ncg_error err;
    CHECK_OK(ncg_array_compute(array, out,
                               (size_t)ncg_array_size(array) *
                                   ncg_dtype_size(ncg_array_dtype(array)),
                               &err));
}

static ncg_array *reduce(ncg_array *array, ncg_op op, int axis)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out;
    ncg_error err;
    how.op = op;
    CHECK_OK(ncg_array_reduce(array, &axis, 1, &how, &out, &err));
    return out;
}

static int releases;

static void note_release(void *data, void *payload)
{
    (void)data;
    *(int *)payload += 1;
}

static void memory_is_used_and_released(void **state)
{
    enum { NY = 300, NX = 1000 };
    ncg_context *ctx = new_context(2, 0);
    float *values = malloc(sizeof *values * NY * NX), *back;
    double column = 0;
    int64_t shape[2] = {NY, NX}, chunks[2] = {70, 333};
    ncg_array *x = NULL, *mean;
    ncg_error err;
    (void)state;
    for (int i = 0; i < NY * NX; i++)
        values[i] = (float)(i % 977) * 0.25F;
    for (int y = 0; y < NY; y++)
        column += values[y * NX + 17];
    releases = 0;
    for (int round = 0; round < 2; round++) {
        CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F32, 2, shape,
                                       round ? chunks : NULL, values, NULL,
                                       note_release, &releases, &x, &err));
        back = malloc(sizeof *back * NY * NX);
        compute(x, back);
        assert_memory_equal(back, values, sizeof *back * NY * NX);
        mean = reduce(x, NCG_OP_MEAN, 0);
        compute(mean, back);
        CHECK_NEAR(back[17], column / NY, 1e-6);
        ncg_array_release(&mean);
        assert_int_equal(releases, round);
        ncg_array_release(&x);
        assert_int_equal(releases, round + 1);
        free(back);
    }
    CHECK_STATUS(NCG_EINVAL,
                 ncg_array_from_memory(ctx, NCG_DTYPE_STRING, 2, shape, NULL,
                                       values, NULL, note_release, &releases,
                                       &x, &err));
    assert_int_equal(releases, 3);
    free(values);
    ncg_context_destroy(&ctx);
}

/* Without release the values are copied; -1 marks missing ones. */
static void memory_may_be_copied(void **state)
{
    ncg_context *ctx = new_context(1, 0);
    int16_t values[6] = {5, -1, 7, 9, -1, -1}, missing = -1, back[3];
    int64_t shape[2] = {2, 3}, chunks[2] = {1, 2};
    (void)state;
    for (int round = 0; round < 2; round++) {
        ncg_array *x, *most;
        ncg_error err;
        int16_t own[6];
        memcpy(own, values, sizeof own);
        CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_I16, 2, shape,
                                       round ? chunks : NULL, own, &missing,
                                       NULL, NULL, &x, &err));
        memset(own, 0, sizeof own);
        most = reduce(x, NCG_OP_MAX, 0);
        compute(most, back);
        assert_int_equal(back[0], 9);
        assert_int_equal(back[1], -1);
        assert_int_equal(back[2], 7);
        ncg_array_release(&most);
        ncg_array_release(&x);
    }
    ncg_context_destroy(&ctx);
}

static void numbers_in_order(void **state)
{
    ncg_context *ctx = new_context(2, 0);
    ncg_array *x;
    ncg_error err;
    double f8[12];
    int32_t i4[4];
    (void)state;
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, 1, 2, 0.1, 3, &x, &err));
    assert_int_equal(ncg_array_size(x), 10);
    compute(x, f8);
    for (int i = 0; i < 10; i++)
        CHECK_NEAR(f8[i], 1 + i * (1.1 - 1), 0);
    ncg_array_release(&x);
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_I32, 7, -2, -3, 0, &x, &err));
    assert_int_equal(ncg_array_size(x), 3);
    compute(x, i4);
    assert_int_equal(i4[2], 1);
    ncg_array_release(&x);
    CHECK_OK(ncg_array_linspace(ctx, NCG_DTYPE_F64, 0, 1, 12, true, 5, &x,
                                &err));
    compute(x, f8);
    CHECK_NEAR(f8[11], 1, 0);
    CHECK_NEAR(f8[4], 4 * (1.0 / 11), 0);
    ncg_array_release(&x);
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, 5, 2, 1, 0, &x, &err));
    assert_int_equal(ncg_array_size(x), 0);
    compute(x, f8);
    ncg_array_release(&x);
    CHECK_STATUS(NCG_EINVAL, ncg_array_arange(ctx, NCG_DTYPE_I32, 0, 5, 0.5, 0,
                                              &x, &err));
    CHECK_MESSAGE("0.5");
    CHECK_STATUS(NCG_EINVAL, ncg_array_arange(ctx, NCG_DTYPE_F64, 0, 5, 0, 0,
                                              &x, &err));
    ncg_context_destroy(&ctx);
}

/* A billion values take no memory. */
static void large_numbers_are_not_stored(void **state)
{
    ncg_context *ctx = new_context(2, INT64_C(24) << 20);
    int64_t shape[2] = {1 << 13, 1 << 14};
    double value = 1.5, sums[1 << 13];
    ncg_array *x, *sum;
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_array_full(ctx, NCG_DTYPE_F64, 2, shape, NULL, &value, &x,
                            &err));
    sum = reduce(x, NCG_OP_SUM, 1);
    compute(sum, sums);
    for (int i = 0; i < 1 << 13; i++)
        CHECK_NEAR(sums[i], 1.5 * (1 << 14), 0);
    ncg_array_release(&sum);
    ncg_array_release(&x);
    CHECK_STATUS(NCG_EINVAL, ncg_array_full(ctx, NCG_DTYPE_F64, 2,
                                            (int64_t[]){INT64_MAX, 2}, NULL,
                                            &value, &x, &err));
    ncg_context_destroy(&ctx);
}

static void random_numbers_do_not_depend_on_chunks(void **state)
{
    enum { N = 100 * 200 };
    static double a[N], b[N];
    int64_t shape[2] = {100, 200}, one[2] = {7, 33}, two[2] = {64, 200};
    ncg_context *ctx = new_context(2, 0);
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        ncg_array *x[2];
        ncg_error err;
        for (int i = 0; i < 2; i++) {
            const int64_t *chunks = i ? one : two;
            if (kind < 2)
                CHECK_OK(ncg_array_random(ctx, (ncg_random)kind, 99,
                                          NCG_DTYPE_F64, 2, shape, chunks,
                                          &x[i], &err));
            else
                CHECK_OK(ncg_array_random_integers(ctx, -3, 4, 99,
                                                   NCG_DTYPE_F64, 2, shape,
                                                   chunks, &x[i], &err));
            compute(x[i], i ? b : a);
            ncg_array_release(&x[i]);
        }
        assert_memory_equal(a, b, sizeof a);
        assert_true(a[0] != a[1] || a[1] != a[2] || a[2] != a[3]);
    }
    ncg_context_destroy(&ctx);
}

static ncg_status fill(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err)
{
    double *x = out;
    (void)payload, (void)err;
    for (int64_t i = 0; i < count[0]; i++)
        *x++ = (double)((start[0] + i) * (start[0] + i));
    return NCG_OK;
}

static void forget(void *payload)
{
    *(int *)payload += 1;
}

static void functions_give_values(void **state)
{
    ncg_context *ctx = new_context(2, 0);
    int64_t shape[1] = {1000}, chunks[1] = {77};
    ncg_array *x, *part, *sum;
    ncg_error err;
    double back[1000], total = 0;
    (void)state;
    releases = 0;
    CHECK_OK(ncg_array_from_callback(ctx, NULL, NCG_DTYPE_F64, 1, shape, chunks,
                                     NULL, fill, forget, &releases, &x, &err));
    compute(x, back);
    for (int i = 0; i < 1000; i++)
        CHECK_NEAR(back[i], i * i, 0);
    CHECK_OK(ncg_array_slice(x, 0, 900, 5, -7, &part, &err));
    sum = reduce(part, NCG_OP_SUM, 0);
    compute(sum, back);
    for (int i = 900; i > 5; i -= 7)
        total += i * i;
    CHECK_NEAR(back[0], total, 1e-15);
    ncg_array_release(&sum);
    ncg_array_release(&part);
    assert_int_equal(releases, 0);
    ncg_array_release(&x);
    assert_int_equal(releases, 1);
    CHECK_STATUS(NCG_EINVAL,
                 ncg_array_from_callback(ctx, NULL, NCG_DTYPE_F64, 17, shape,
                                         chunks, NULL, fill, forget, &releases,
                                         &x, &err));
    CHECK_MESSAGE("rank 17");
    assert_int_equal(releases, 2);
    ncg_context_destroy(&ctx);
}

NCG_TESTS(NCG_TEST(memory_is_used_and_released),
          NCG_TEST(memory_may_be_copied), NCG_TEST(numbers_in_order),
          NCG_TEST(large_numbers_are_not_stored),
          NCG_TEST(random_numbers_do_not_depend_on_chunks),
          NCG_TEST(functions_give_values))
