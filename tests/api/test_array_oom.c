/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that runs out: every operation of arrays, from making the source to
 * the last value. */
#include "api/oom.h"

typedef ncg_status (*operation)(ncg_array *x, ncg_array *y, ncg_array **out,
                                ncg_error *err);

static ncg_status op_map(ncg_array *x, ncg_array *y, ncg_array **out,
                         ncg_error *err)
{
    ncg_array *pair[] = {x, y};
    return ncg_array_map("add", pair, 2, out, err);
}

static ncg_status op_cast(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_cast(x, NCG_DTYPE_I32, out, err);
}

static ncg_status op_clip(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    return ncg_array_clip(x, y, y, out, err);
}

static ncg_status op_index(ncg_array *x, ncg_array *y, ncg_array **out,
                           ncg_error *err)
{
    static const int64_t list[] = {3, 0, 2};
    static const bool mask[] = {true, false, true, true, false, true};
    ncg_index index[] = {
        {.kind = NCG_INDEX_LIST, .list = list, .count = 3},
        {.kind = NCG_INDEX_NEWAXIS},
        {.kind = NCG_INDEX_MASK, .mask = mask, .count = 6}};
    (void)y;
    return ncg_array_index(x, index, 3, out, err);
}

static ncg_status op_transpose(ncg_array *x, ncg_array *y, ncg_array **out,
                               ncg_error *err)
{
    (void)y;
    return ncg_array_transpose(x, NULL, out, err);
}

static ncg_status op_reshape(ncg_array *x, ncg_array *y, ncg_array **out,
                             ncg_error *err)
{
    (void)y;
    return ncg_array_reshape(x, 3, (int64_t[]){2, 2, -1}, out, err);
}

static ncg_status op_broadcast(ncg_array *x, ncg_array *y, ncg_array **out,
                               ncg_error *err)
{
    (void)y;
    return ncg_array_broadcast_to(x, 3, (int64_t[]){2, 4, 6}, out, err);
}

static ncg_status op_join(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    ncg_array *parts[] = {x, x, x};
    (void)y;
    return ncg_array_concatenate(parts, 3, 1, out, err);
}

static ncg_status op_stack(ncg_array *x, ncg_array *y, ncg_array **out,
                           ncg_error *err)
{
    ncg_array *parts[] = {x, x};
    (void)y;
    return ncg_array_stack(parts, 2, 0, out, err);
}

static ncg_status op_pad(ncg_array *x, ncg_array *y, ncg_array **out,
                         ncg_error *err)
{
    static const int64_t one[] = {1, 1};
    (void)y;
    return ncg_array_pad(x, one, one, "constant", NULL, out, err);
}

static ncg_status op_diff(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_diff(x, 2, 1, out, err);
}

static ncg_status op_rechunk(ncg_array *x, ncg_array *y, ncg_array **out,
                             ncg_error *err)
{
    (void)y;
    return ncg_array_rechunk(x, (int64_t[]){-1, 2}, out, err);
}

static ncg_status op_reduce(ncg_array *x, ncg_array *y, ncg_array **out,
                            ncg_error *err)
{
    (void)y;
    return ncg_array_reduce(x, (int[]){0}, 1, NULL, out, err);
}

static ncg_status op_weighted(ncg_array *x, ncg_array *y, ncg_array **out,
                              ncg_error *err)
{
    return ncg_array_weighted(x, y, NULL, 0, NULL, out, err);
}

static ncg_status op_groupby(ncg_array *x, ncg_array *y, ncg_array **out,
                             ncg_error *err)
{
    (void)y;
    return ncg_array_groupby(x, NULL, 0, (int32_t[]){0, 1, 0, 1}, 2, NULL, out,
                             err);
}

static ncg_status op_scan(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_scan(x, NCG_SCAN_SUM, 1, true, 0, out, err);
}

static ncg_status op_tensordot(ncg_array *x, ncg_array *y, ncg_array **out,
                               ncg_error *err)
{
    (void)y;
    return ncg_array_tensordot(x, x, (int[]){1}, (int[]){1}, 1, out, err);
}

static ncg_status op_blocks(ncg_array *x, ncg_array *y, ncg_array **out,
                            ncg_error *err)
{
    ncg_array *pair[] = {x, y};
    return ncg_array_map_blocks("org.example.zero/1", pair, 2, NULL, out, err);
}

static ncg_status op_overlap(ncg_array *x, ncg_array *y, ncg_array **out,
                             ncg_error *err)
{
    (void)y;
    return ncg_array_map_overlap("org.example.zero/1", x, (int64_t[]){1, 1},
                                 "nearest", NULL, out, err);
}

static ncg_status op_slice(ncg_array *x, ncg_array *y, ncg_array **out,
                           ncg_error *err)
{
    (void)y;
    return ncg_array_slice(x, 1, 4, 0, -2, out, err);
}

static ncg_status op_roll(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_roll(x, 2, 1, out, err);
}

static ncg_status op_flip(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_flip(x, 1, out, err);
}

static ncg_status op_rechunk_to(ncg_array *x, ncg_array *y, ncg_array **out,
                                ncg_error *err)
{
    static const int64_t rows[] = {1, 3}, columns[] = {4, 2};
    const ncg_chunks chunks[] = {{2, rows}, {2, columns}};
    (void)y;
    return ncg_array_rechunk_to(x, chunks, out, err);
}

static ncg_status op_quantile(ncg_array *x, ncg_array *y, ncg_array **out,
                              ncg_error *err)
{
    (void)y;
    return ncg_array_quantile(x, (double[]){0.1, 0.9}, 2, (int[]){0}, 1, NULL,
                              out, err);
}

static ncg_status op_median(ncg_array *x, ncg_array *y, ncg_array **out,
                            ncg_error *err)
{
    (void)y;
    return ncg_array_median(x, NULL, 0, NULL, out, err);
}

static ncg_status op_quantile_by(ncg_array *x, ncg_array *y, ncg_array **out,
                                 ncg_error *err)
{
    (void)y;
    return ncg_array_quantile_by(x, 0, (int32_t[]){0, 1, 0, -1}, 2,
                                 (double[]){0.5}, 1, NULL, out, err);
}

static ncg_status op_fill(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_scan(x, NCG_SCAN_FFILL, 0, true, 2, out, err);
}

static ncg_status op_sort(ncg_array *x, ncg_array *y, ncg_array **out,
                          ncg_error *err)
{
    (void)y;
    return ncg_array_sort(x, 0, out, err);
}

static ncg_status op_rolling(ncg_array *x, ncg_array *y, ncg_array **out,
                             ncg_error *err)
{
    (void)y;
    return ncg_array_rolling(x, 0, 3, NULL, out, err);
}

static ncg_status op_coarsen(ncg_array *x, ncg_array *y, ncg_array **out,
                             ncg_error *err)
{
    (void)y;
    return ncg_array_coarsen(x, (int64_t[]){2, 3}, NULL, out, err);
}

static ncg_status op_matmul(ncg_array *x, ncg_array *y, ncg_array **out,
                            ncg_error *err)
{
    return ncg_array_matmul(x, y, out, err);
}

static ncg_status op_blockwise(ncg_array *x, ncg_array *y, ncg_array **out,
                               ncg_error *err)
{
    static const int64_t rows[] = {2, 2}, columns[] = {6};
    const ncg_chunks chunks[] = {{2, rows}, {1, columns}};
    ncg_array *pair[] = {x, y};
    return ncg_array_blockwise("org.example.zero/1", 2, chunks, pair, NULL, 2,
                               NULL, out, err);
}

static ncg_status op_reduction(ncg_array *x, ncg_array *y, ncg_array **out,
                               ncg_error *err)
{
    ncg_reduction_options how = NCG_REDUCTION_OPTIONS_INIT;
    how.chunk = how.combine = how.finish = "org.example.zero/1";
    (void)y;
    return ncg_array_reduction(x, NULL, 0, &how, out, err);
}

static ncg_status zero(const ncg_kernel_call *call, ncg_error *err)
{
    size_t n = ncg_dtype_size(call->output->dtype);
    (void)err;
    for (int d = 0; d < call->output->rank; d++)
        n *= (size_t)call->output->count[d];
    memset(call->output->data, 0, n);
    return NCG_OK;
}

static ncg_status source(ncg_context *ctx, int rank, const int64_t *shape,
                         const int64_t *chunks, ncg_array **out, ncg_error *err)
{
    static const double values[24] = {1, 2, 3};
    return ncg_array_from_memory(ctx, NCG_DTYPE_F64, rank, shape, chunks,
                                 values, NULL, NULL, NULL, out, err);
}

typedef struct bed {
    ncg_context *ctx;
    operation op;
} bed;

/* Makes two arrays, applies the operation, computes the result. */
static ncg_status all_of_it(void *arg, ncg_error *err)
{
    ncg_context *ctx = ((bed *)arg)->ctx;
    operation op = ((bed *)arg)->op;
    static const int64_t shape[] = {4, 6}, chunks[] = {2, 3};
    static char data[4096];
    ncg_array *x = NULL, *y = NULL, *z = NULL;
    ncg_status st = source(ctx, 2, shape, chunks, &x, err);
    if (!st)
        st = source(ctx, 1, shape + 1, NULL, &y, err);
    if (!st)
        st = op(x, y, &z, err);
    assert_true(!st == (z != NULL)); /* untouched on failure */
    if (!st)
        st = ncg_array_compute(z, data,
                               (size_t)ncg_array_size(z) *
                                   ncg_dtype_size(ncg_array_dtype(z)),
                               err);
    ncg_array_release(&z);
    ncg_array_release(&y);
    ncg_array_release(&x);
    return st;
}

static ncg_context *new_context(int threads)
{
    ncg_context *ctx = NULL;
    ncg_error err;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    CHECK_OK(ncg_kernel_register(ctx, "org.example.zero/1", zero, NULL, &err));
    return ctx;
}

static void fail_each(const char *name, operation op, int threads)
{
    bed b = {new_context(threads), op};
    fail_each_allocation(name, all_of_it, &b);
    ncg_context_destroy(&b.ctx);
}

static const struct {
    const char *name;
    operation op;
} operations[] = {
    {"map", op_map},           {"cast", op_cast},
    {"clip", op_clip},         {"index", op_index},
    {"transpose", op_transpose}, {"reshape", op_reshape},
    {"broadcast_to", op_broadcast}, {"concatenate", op_join},
    {"stack", op_stack},       {"pad", op_pad},
    {"diff", op_diff},         {"rechunk", op_rechunk},
    {"reduce", op_reduce},     {"weighted", op_weighted},
    {"groupby", op_groupby},   {"scan", op_scan},
    {"tensordot", op_tensordot}, {"map_blocks", op_blocks},
    {"map_overlap", op_overlap}, {"reduction", op_reduction},
    {"slice", op_slice},       {"roll", op_roll},
    {"flip", op_flip},         {"rechunk_to", op_rechunk_to},
    {"quantile", op_quantile}, {"median", op_median},
    {"quantile_by", op_quantile_by}, {"ffill", op_fill},
    {"sort", op_sort},         {"rolling", op_rolling},
    {"coarsen", op_coarsen},   {"matmul", op_matmul},
    {"blockwise", op_blockwise},
};

static void oom_of_every_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        fail_each(operations[i].name, operations[i].op, 1);
}

static void oom_with_threads(void **state)
{
    (void)state;
    fail_each("reduce", op_reduce, 4);
    fail_each("rechunk", op_rechunk, 4);
}

/* ---- sources ------------------------------------------------------------------ */

static ncg_status fill_zeros(void *payload, const int64_t *start,
                             const int64_t *count, void *out, ncg_error *err)
{
    (void)payload, (void)start, (void)err;
    memset(out, 0, (size_t)(count[0] * count[1]) * sizeof(double));
    return NCG_OK;
}

static ncg_status ignore_chunk(const ncg_chunk *chunk, void *payload,
                               ncg_error *err)
{
    (void)err;
    *(int64_t *)payload += chunk->count[0];
    return NCG_OK;
}

enum { SOURCES = 7 };

/* The source of a number, NULL where it was not made. */
static ncg_status make_source(ncg_context *ctx, int number, ncg_array **out,
                              ncg_error *err)
{
    static const int64_t shape[] = {4, 6}, chunks[] = {2, 3};
    const double one = 1;
    switch (number) {
    case 0:
        return ncg_array_full(ctx, NCG_DTYPE_F64, 2, shape, chunks, &one, out,
                              err);
    case 1:
        return ncg_array_arange(ctx, NCG_DTYPE_F64, 0, 9, 2, 2, out, err);
    case 2:
        return ncg_array_linspace(ctx, NCG_DTYPE_F64, 0, 9, 7, true, 2, out,
                                  err);
    case 3:
        return ncg_array_random(ctx, NCG_RANDOM_UNIFORM, 1, NCG_DTYPE_F64, 2,
                                shape, chunks, out, err);
    case 4:
        return ncg_array_random_integers(ctx, 0, 9, 1, NCG_DTYPE_I32, 2, shape,
                                         chunks, out, err);
    case 5:
        return ncg_array_from_callback(ctx, "org.example.zeros/1",
                                       NCG_DTYPE_F64, 2, shape, chunks, NULL,
                                       fill_zeros, NULL, NULL, out, err);
    default:
        return ncg_array_from_callback(ctx, NULL, NCG_DTYPE_F64, 2, shape,
                                       chunks, NULL, fill_zeros, NULL, NULL,
                                       out, err);
    }
}

/* Each source, its values chunk by chunk. */
static ncg_status all_sources(void *arg, ncg_error *err)
{
    ncg_status st = NCG_OK;
    for (int i = 0; !st && i < SOURCES; i++) {
        ncg_array *x = NULL;
        int64_t rows = 0;
        st = make_source(arg, i, &x, err);
        assert_true(!st == (x != NULL));
        if (!st)
            st = ncg_array_each_chunk(x, ignore_chunk, &rows, err);
        assert_true(st || rows >= 4);
        ncg_array_release(&x);
    }
    return st;
}

static void oom_of_sources(void **state)
{
    ncg_context *ctx = new_context(1);
    (void)state;
    fail_each_allocation("sources", all_sources, ctx);
    ncg_context_destroy(&ctx);
}

static ncg_status make_context(void *unused, ncg_error *err)
{
    ncg_context *ctx = NULL;
    (void)unused;
    ncg_status st = ncg_context_create(NULL, &ctx, err);
    assert_true(!st == (ctx != NULL));
    ncg_context_destroy(&ctx);
    return st;
}

static void oom_of_contexts(void **state)
{
    (void)state;
    fail_each_allocation("context", make_context, NULL);
}

NCG_TESTS(NCG_TEST(oom_of_every_operation), NCG_TEST(oom_with_threads),
          NCG_TEST(oom_of_sources), NCG_TEST(oom_of_contexts))
