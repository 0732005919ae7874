/* SPDX-License-Identifier: BSD-3-Clause */
/* One large task of sorting or of quantiles is worth several cores, and gives
 * the same bits on any number of them. */
#include "api/handles.h"
#include "engine/costs.h"
#include "test.h"

/* Three do not divide what is shared evenly. */
enum { SOME_THREADS = 3, MOST_THREADS = 4 };

/* A field of one chunk; as integers or as floats with missing values. */
static ncg_array *field(ncg_context *ctx, int64_t rows, int64_t columns,
                        ncg_dtype dtype)
{
    const int64_t shape[2] = {rows, columns};
    ncg_array *x = NULL, *y = NULL, *z = NULL;
    ncg_error err;
    if (dtype != NCG_DTYPE_F64) {
        CHECK_OK(ncg_array_random_integers(ctx, -100, 100, 7, dtype, 2, shape,
                                           shape, &x, &err));
        return x;
    }
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_NORMAL, 7, dtype, 2, shape, shape,
                              &x, &err));
    CHECK_OK(ncg_array_map("sqrt", &x, 1, &y, &err)); /* NaN: about half */
    ncg_array *pair[2] = {x, y};
    CHECK_OK(ncg_array_map("add", pair, 2, &z, &err));
    ncg_array_release(&x);
    ncg_array_release(&y);
    return z;
}

typedef ncg_array *(*make_fn)(ncg_context *ctx);

static ncg_array *sorted(ncg_array *x, int axis)
{
    ncg_array *out = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_sort(x, axis, &out, &err));
    ncg_array_release(&x);
    return out;
}

static ncg_array *rows_sorted(ncg_context *ctx)
{
    return sorted(field(ctx, 701, 1003, NCG_DTYPE_F64), 1);
}

static ncg_array *columns_sorted(ncg_context *ctx)
{
    return sorted(field(ctx, 701, 1003, NCG_DTYPE_I16), 0);
}

static ncg_array *few_columns_sorted(ncg_context *ctx)
{
    return sorted(field(ctx, 90001, 7, NCG_DTYPE_F64), 0);
}

static ncg_array *quantiles(ncg_array *x, int axis)
{
    const double q[] = {0.1, 0.5, 0.99};
    ncg_quantile_options how = NCG_QUANTILE_OPTIONS_INIT;
    ncg_array *out = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_quantile(x, q, 3, &axis, 1, &how, &out, &err));
    ncg_array_release(&x);
    return out;
}

static ncg_array *quantiles_of_columns(ncg_context *ctx)
{
    return quantiles(field(ctx, 8000, 300, NCG_DTYPE_F64), 0);
}

static ncg_array *quantiles_of_rows(ncg_context *ctx)
{
    return quantiles(field(ctx, 600, 8000, NCG_DTYPE_I32), 1);
}

static ncg_array *quantiles_of_long_columns(ncg_context *ctx)
{
    return quantiles(field(ctx, 66001, 48, NCG_DTYPE_I32), 0);
}

static ncg_array *quantiles_of_groups(ncg_context *ctx)
{
    enum { ROWS = 8000 };
    const double q[] = {0.25, 0.75};
    int32_t labels[ROWS];
    ncg_quantile_options how = NCG_QUANTILE_OPTIONS_INIT;
    ncg_array *x = field(ctx, ROWS, 300, NCG_DTYPE_F64), *out = NULL;
    ncg_error err;
    for (int i = 0; i < ROWS; i++)
        labels[i] = i % 5 - 1;
    CHECK_OK(ncg_array_quantile_by(x, 0, labels, 4, q, 2, &how, &out, &err));
    ncg_array_release(&x);
    return out;
}

static ncg_context *new_context(int threads)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_error err;
    options.threads = threads;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

/* Cores that a task of the plan takes at most. */
static int most_threads(ncg_array *x)
{
    nci_output output = {.node = x->node, .dtype = x->node->dtype};
    nci_grid grid;
    nci_plan *plan = NULL;
    ncg_error err;
    int most = 0;
    CHECK_OK(nci_grid_regular(x->node->rank, x->node->shape, x->node->shape,
                              &grid, &err));
    output.grid = &grid;
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_costs costs = {.plan = plan, .sources = x->ctx->sources};
    for (int64_t task = 0; task < plan->ntasks; task++) {
        int n = nci_plan_layer(plan, task)->kind == NCI_LAYER_BLOCK
                    ? nci_costs_threads(&costs, task, MOST_THREADS)
                    : 0;
        most = n > most ? n : most;
    }
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    return most;
}

static void *values_of(const char *name, make_fn make, int threads,
                       size_t *nbytes)
{
    ncg_context *ctx = new_context(threads);
    ncg_array *x = make(ctx);
    ncg_error err;
    *nbytes = ncg_dtype_size(ncg_array_dtype(x));
    for (int d = 0; d < ncg_array_rank(x); d++)
        *nbytes *= (size_t)ncg_array_shape(x)[d];
    if (most_threads(x) < 2)
        fail_msg("%s: no task is worth two cores", name);
    void *values = malloc(*nbytes);
    CHECK_OK(ncg_array_compute(x, values, *nbytes, &err));
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
    return values;
}

static void check(const char *name, make_fn make)
{
    size_t nbytes, n;
    void *one = values_of(name, make, 1, &nbytes);
    void *some = values_of(name, make, SOME_THREADS, &n);
    if (n != nbytes || memcmp(one, some, n))
        fail_msg("%s: other bits on %d threads", name, SOME_THREADS);
    free(some);
    free(one);
}

static void sorting(void **state)
{
    (void)state;
    check("rows", rows_sorted);
    check("columns", columns_sorted);
    check("few columns", few_columns_sorted);
}

static void taking_quantiles(void **state)
{
    (void)state;
    check("columns", quantiles_of_columns);
    check("rows", quantiles_of_rows);
    check("long columns", quantiles_of_long_columns);
    check("groups", quantiles_of_groups);
}

NCG_TESTS(NCG_TEST(sorting), NCG_TEST(taking_quantiles))
