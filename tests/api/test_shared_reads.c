/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions of one array over the same axes: computed together they read it
 * once, and each has the bits that it has alone. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "test.h"

enum { MOST = 12, ROUNDS = 60 };

static const ncg_op ops[] = {NCG_OP_MEAN,  NCG_OP_STD,    NCG_OP_MAX,
                             NCG_OP_COUNT, NCG_OP_ARGMIN, NCG_OP_SUM,
                             NCG_OP_FIRST, NCG_OP_RANGE,  NCG_OP_PROD};
enum { NOPS = sizeof ops / sizeof *ops };

static uint64_t seed;
static atomic_int calls;

static int64_t below(int64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

typedef struct cube {
    int64_t shape[3], chunk[3];
    ncg_dtype dtype;
} cube;

/* Values by place, some of them missing, steps of one size. */
static ncg_status fill(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err)
{
    const cube *c = payload;
    int64_t at = 0;
    (void)err;
    atomic_fetch_add(&calls, 1);
    for (int64_t i = start[0]; i < start[0] + count[0]; i++)
        for (int64_t j = start[1]; j < start[1] + count[1]; j++)
            for (int64_t k = start[2]; k < start[2] + count[2]; k++, at++) {
                int64_t n = (i * c->shape[1] + j) * c->shape[2] + k;
                double x = n % 7 == 3 ? NAN : sin((double)n) * 9 + 1;
                if (c->dtype == NCG_DTYPE_F32)
                    ((float *)out)[at] = (float)x;
                else
                    ((double *)out)[at] = x;
            }
    return NCG_OK;
}

static cube any_cube(void)
{
    cube c = {.dtype = below(2) ? NCG_DTYPE_F32 : NCG_DTYPE_F64};
    for (int d = 0; d < 3; d++) {
        c.shape[d] = 1 + below(d == 2 ? 300 : 20);
        c.chunk[d] = 1 + below(c.shape[d]);
    }
    return c;
}

static ncg_array *source(ncg_context *ctx, cube *c)
{
    ncg_array *x = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_callback(ctx, NULL, c->dtype, 3, c->shape, c->chunk,
                                     NULL, fill, NULL, c, &x, &err));
    return x;
}

/* The same axes for all; groups along the first one, or none. */
typedef struct way {
    int axes[3];
    size_t naxes;
    bool by_group;
    int32_t labels[20];
} way;

static way any_way(const cube *c)
{
    way w = {.by_group = below(3) == 0};
    for (int d = 0; d < 3; d++)
        if (w.by_group ? d == 0 : below(2))
            w.axes[w.naxes++] = d;
    for (int64_t i = 0; i < c->shape[0]; i++)
        w.labels[i] = (int32_t)below(4) - 1;
    return w;
}

static ncg_array *reduced(ncg_array *x, const way *w, ncg_op op)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out = NULL;
    ncg_error err;
    how.op = op;
    if (w->by_group)
        CHECK_OK(ncg_array_groupby(x, NULL, 0, w->labels, 3, &how, &out, &err));
    else
        CHECK_OK(ncg_array_reduce(x, w->axes, w->naxes, &how, &out, &err));
    return out;
}

/* Those of the values themselves, then some of what is computed of them. */
static size_t make_all(ncg_array *x, const way *w, ncg_array **out)
{
    size_t n = 0, nops = 2 + (size_t)below(NOPS - 1);
    ncg_array *root = NULL;
    ncg_error err;
    for (size_t i = 0; i < nops; i++)
        out[n++] = reduced(x, w, ops[i]);
    CHECK_OK(ncg_array_map("negative", &x, 1, &root, &err));
    out[n++] = reduced(root, w, NCG_OP_VAR);
    ncg_array_release(&root);
    return n;
}

static void compute(ncg_context *ctx, ncg_array **arrays, size_t n,
                    ncg_array **results)
{
    ncg_collection c[MOST] = {{0}};
    void *made[MOST] = {NULL};
    ncg_error err;
    for (size_t i = 0; i < n; i++)
        c[i] = ncg_array_collection(arrays[i]);
    CHECK_OK(ncg_compute(ctx, c, n, NULL, made, &err));
    for (size_t i = 0; i < n; i++)
        results[i] = made[i];
}

static void check_same(ncg_array *a, ncg_array *b)
{
    size_t nbytes =
        (size_t)ncg_array_size(a) * ncg_dtype_size(ncg_array_dtype(a));
    assert_int_equal(ncg_array_size(a), ncg_array_size(b));
    if (nbytes)
        assert_memory_equal(ncg_array_data(a), ncg_array_data(b), nbytes);
}

static ncg_context *new_context(int threads, int64_t limit)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_error err;
    options.threads = threads;
    options.memory_limit = limit;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

static void check_together(int threads, int64_t limit)
{
    ncg_context *ctx = new_context(threads, limit);
    cube c = any_cube();
    way w = any_way(&c);
    ncg_array *x = source(ctx, &c), *in[MOST], *alone[MOST], *all[MOST];
    size_t n = make_all(x, &w, in);
    int most = 0;
    for (size_t i = 0; i < n; i++) {
        int before = atomic_load(&calls);
        compute(ctx, &in[i], 1, &alone[i]);
        before = atomic_load(&calls) - before;
        most = before > most ? before : most;
    }
    int before = atomic_load(&calls);
    compute(ctx, in, n, all);
    /* Folds share a read, but for those that would need much memory. */
    assert_in_range(atomic_load(&calls) - before, 1,
                    (int64_t)(n < 6 ? 1 : 3) * most);
    for (size_t i = 0; i < n; i++) {
        check_same(alone[i], all[i]);
        ncg_array_release(&alone[i]);
        ncg_array_release(&all[i]);
        ncg_array_release(&in[i]);
    }
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void reductions_share_their_read(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        seed = (uint64_t)round * 7919 + 5;
        check_together(1 + round % 3, round % 4 ? 0 : 64 << 20);
    }
}

/* Two together, then each alone; releases them. */
static void check_pair(ncg_context *ctx, ncg_array **in)
{
    ncg_array *both[2];
    compute(ctx, in, 2, both);
    for (size_t i = 0; i < 2; i++) {
        ncg_array *alone = NULL;
        compute(ctx, &in[i], 1, &alone);
        check_same(alone, both[i]);
        ncg_array_release(&alone);
        ncg_array_release(&both[i]);
        ncg_array_release(&in[i]);
    }
}

/* Over other axes the groups are others: each has its own read. */
static void other_axes_are_read_apart(void **state)
{
    ncg_context *ctx = new_context(2, 0);
    cube c = {.shape = {8, 6, 40}, .chunk = {2, 3, 40}, .dtype = NCG_DTYPE_F64};
    const way by_first = {.axes = {0}, .naxes = 1}, all = {.naxes = 0};
    ncg_array *x = source(ctx, &c), *in[2];
    (void)state;
    in[0] = reduced(x, &by_first, NCG_OP_MEAN);
    in[1] = reduced(x, &all, NCG_OP_MEAN);
    check_pair(ctx, in);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* ---- two arrays ------------------------------------------------------------
 */

static int64_t chunks_of(const cube *c)
{
    int64_t n = 1;
    for (int d = 0; d < 3; d++)
        n *= (c->shape[d] + c->chunk[d] - 1) / c->chunk[d];
    return n;
}

static ncg_array *product(ncg_array *a, ncg_array *b)
{
    ncg_array *both[2] = {a, b}, *out = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_map("multiply", both, 2, &out, &err));
    return out;
}

/* Reductions of x x, y y, x, y and, second, of x y. */
static size_t make_products(ncg_array *x, ncg_array *y, const way *w,
                            ncg_array **out)
{
    ncg_array *of[] = {product(x, x), product(x, y), product(y, y), x, y};
    size_t n = 0;
    for (size_t i = 0; i < 5; i++) {
        ncg_op op = i == 1 ? NCG_OP_MEAN : ops[below(NOPS)];
        out[n++] = reduced(of[i], w, op);
    }
    for (size_t i = 0; i < 3; i++)
        ncg_array_release(&of[i]);
    return n;
}

static int compute_counted(ncg_context *ctx, ncg_array **in, size_t n,
                           ncg_array **out)
{
    int before = atomic_load(&calls);
    compute(ctx, in, n, out);
    return atomic_load(&calls) - before;
}

/* Returns how many chunks were read for all of them. */
static int check_products(int threads, cube *c, const way *w)
{
    ncg_context *ctx = new_context(threads, 0);
    ncg_array *x = source(ctx, c), *y = source(ctx, c);
    ncg_array *in[MOST], *alone[MOST], *all[MOST];
    size_t n = make_products(x, y, w, in);
    for (size_t i = 0; i < n; i++)
        compute(ctx, &in[i], 1, &alone[i]);
    int read = compute_counted(ctx, in, n, all);
    for (size_t i = 0; i < n; i++) {
        check_same(alone[i], all[i]);
        ncg_array_release(&alone[i]);
        ncg_array_release(&all[i]);
        ncg_array_release(&in[i]);
    }
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
    return read;
}

static void products_share_their_reads(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        seed = (uint64_t)round * 104729 + 11;
        cube c = any_cube();
        way w = any_way(&c);
        int read = check_products(1 + round % 3, &c, &w);
        /* x once; y as a layer, and again where bits could differ. Steps that
         * are in no group are not read. */
        int64_t n = chunks_of(&c);
        assert_in_range(read, w.by_group ? 1 : 2 * n, 3 * n);
    }
}

/* x y and y y together, then each alone. */
static void check_product_alone(cube *c, cube *other, const way *how)
{
    ncg_context *ctx = new_context(1, 0);
    ncg_array *x = source(ctx, c), *y = source(ctx, other);
    ncg_array *of[] = {product(x, y), product(y, y)}, *in[2];
    for (size_t i = 0; i < 2; i++)
        in[i] = reduced(of[i], how, NCG_OP_SUM);
    check_pair(ctx, in);
    for (size_t i = 0; i < 2; i++)
        ncg_array_release(&of[i]);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
}

/* Tiles of y, which come in another order than those of x, are cut otherwise.
 */
static void products_of_other_chunks_have_their_bits(void **state)
{
    const way both = {.axes = {0, 1}, .naxes = 2};
    cube c = {
        .shape = {3, 33, 64}, .chunk = {2, 18, 64}, .dtype = NCG_DTYPE_F64};
    cube other = {
        .shape = {3, 33, 64}, .chunk = {1, 13, 64}, .dtype = NCG_DTYPE_F64};
    (void)state;
    check_product_alone(&c, &other, &both);
}

/* Tiles of few cells are folded otherwise than rows of many, whichever array
 * has them. */
static void products_of_narrow_chunks_have_their_bits(void **state)
{
    const way steps = {.axes = {0}, .naxes = 1};
    cube narrow = {
        .shape = {100, 1, 64}, .chunk = {100, 1, 1}, .dtype = NCG_DTYPE_F64};
    cube wide = {
        .shape = {100, 1, 64}, .chunk = {100, 1, 64}, .dtype = NCG_DTYPE_F64};
    (void)state;
    check_product_alone(&narrow, &wide, &steps);
    check_product_alone(&wide, &narrow, &steps);
}

/* Long rows that are kept, chunks beyond the caches: each chunk once. */
static void columns_read_both_arrays_once(void **state)
{
    const way steps = {.axes = {0}, .naxes = 1};
    (void)state;
    for (int round = 0; round < 4; round++) {
        cube c = {.shape = {11, 40, 500}, .chunk = {11, 40, 500}};
        c.dtype = round % 2 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
        c.chunk[0] = round < 2 ? 11 : 4;
        seed = (uint64_t)round * 31 + 7;
        int read = check_products(1 + round % 2, &c, &steps);
        assert_int_equal(read, 2 * chunks_of(&c));
    }
}

/* Of one group, the sums are those of a plain loop. */
static void products_of_large_chunks_are_right(void **state)
{
    enum { STEPS = 9, CELLS = 40 * 500 };
    const way steps = {.axes = {0}, .naxes = 1};
    ncg_context *ctx = new_context(1, 0);
    cube c = {.shape = {STEPS, 40, 500},
              .chunk = {STEPS, 40, 500},
              .dtype = NCG_DTYPE_F64};
    ncg_array *x = source(ctx, &c), *square = product(x, x);
    ncg_array *sum = reduced(square, &steps, NCG_OP_SUM), *made = NULL;
    (void)state;
    compute(ctx, &sum, 1, &made);
    const double *found = ncg_array_data(made);
    for (int64_t cell = 0; cell < CELLS; cell++) {
        double wanted = 0;
        for (int64_t n = cell; n < STEPS * CELLS; n += CELLS) {
            double v = sin((double)n) * 9 + 1;
            wanted += n % 7 == 3 ? 0 : v * v;
        }
        assert_memory_equal(&found[cell], &wanted, sizeof wanted);
    }
    ncg_array_release(&made);
    ncg_array_release(&sum);
    ncg_array_release(&square);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* What the first fold's result goes into cannot be folded with it. */
static void departures_from_a_mean_wait_for_it(void **state)
{
    const way steps = {.axes = {0}, .naxes = 1};
    ncg_context *ctx = new_context(2, 0);
    cube c = {
        .shape = {12, 6, 40}, .chunk = {3, 6, 40}, .dtype = NCG_DTYPE_F64};
    ncg_array *x = source(ctx, &c), *in[2];
    ncg_array *departures = NULL;
    ncg_error err;
    (void)state;
    in[0] = reduced(x, &steps, NCG_OP_MEAN);
    ncg_array *pair[2] = {x, in[0]};
    CHECK_OK(ncg_array_map("subtract", pair, 2, &departures, &err));
    in[1] = reduced(departures, &steps, NCG_OP_MAX);
    check_pair(ctx, in);
    ncg_array_release(&departures);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* ---- years and months ------------------------------------------------------
 */

enum { YEARS = 6, MONTHS = 12, PLACES = 500 };

/* x less the mean of its month over all years, then the deviation. */
static ncg_array *deviation_of_anomalies(ncg_array *x)
{
    static const int axes[] = {0, 1};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *mean = NULL, *anomalies = NULL, *out = NULL;
    ncg_error err;
    how.op = NCG_OP_MEAN;
    how.keepdims = true;
    CHECK_OK(ncg_array_reduce(x, axes, 1, &how, &mean, &err));
    ncg_array *pair[2] = {x, mean};
    CHECK_OK(ncg_array_map("subtract", pair, 2, &anomalies, &err));
    how.op = NCG_OP_STD;
    how.keepdims = false;
    CHECK_OK(ncg_array_reduce(anomalies, axes, 2, &how, &out, &err));
    ncg_array_release(&mean);
    ncg_array_release(&anomalies);
    return out;
}

static double value_at(int64_t year, int64_t month, int64_t place)
{
    int64_t n = (year * MONTHS + month) * PLACES + place;
    return n % 7 == 3 ? NAN : sin((double)n) * 9 + 1;
}

static double plain_deviation(int64_t place)
{
    double squares = 0;
    int64_t all = 0;
    for (int64_t m = 0; m < MONTHS; m++) {
        double sum = 0;
        int64_t n = 0;
        for (int64_t y = 0; y < YEARS; y++)
            if (!isnan(value_at(y, m, place))) {
                sum += value_at(y, m, place);
                n++;
            }
        for (int64_t y = 0; n && y < YEARS; y++) {
            double d = value_at(y, m, place) - sum / (double)n;
            squares += isnan(d) ? 0 : d * d;
        }
        all += n;
    }
    return sqrt(squares / (double)all);
}

static void anomalies_by_month_are_read_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        ncg_context *ctx = new_context(threads, 0);
        cube c = {.shape = {YEARS, MONTHS, PLACES},
                  .chunk = {threads + 1, MONTHS, PLACES},
                  .dtype = NCG_DTYPE_F64};
        ncg_array *x = source(ctx, &c), *made = NULL;
        ncg_array *std = deviation_of_anomalies(x);
        assert_int_equal(compute_counted(ctx, &std, 1, &made), chunks_of(&c));
        const double *found = ncg_array_data(made);
        for (int64_t p = 0; p < PLACES; p++)
            CHECK_NEAR(found[p], plain_deviation(p), 1e-12);
        ncg_array_release(&made);
        ncg_array_release(&std);
        ncg_array_release(&x);
        ncg_context_destroy(&ctx);
    }
}

NCG_TESTS(NCG_TEST(reductions_share_their_read),
          NCG_TEST(other_axes_are_read_apart),
          NCG_TEST(products_share_their_reads),
          NCG_TEST(products_of_other_chunks_have_their_bits),
          NCG_TEST(products_of_narrow_chunks_have_their_bits),
          NCG_TEST(columns_read_both_arrays_once),
          NCG_TEST(products_of_large_chunks_are_right),
          NCG_TEST(departures_from_a_mean_wait_for_it),
          NCG_TEST(anomalies_by_month_are_read_once))
