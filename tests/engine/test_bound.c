/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of a plan from its layers alone is never less than what its
 * tasks take: scratch and bytes of each layer, the peak of the plain order. */
#include "api/handles.h"
#include "base/mem.h"
#include "engine/costs.h"
#include "engine/sched/choose.h"
#include "graph/random_nodes.h"

typedef struct sizes {
    nci_costs kernel; /* first: the costs' functions get a pointer to it */
    int unknown;      /* layers of which most_scratch does not know */
} sizes;

/* As the library tells it; where it does not know, by looking at each task. */
static int64_t most_scratch(void *ctx, int number)
{
    sizes *s = ctx;
    const nci_layer *layer = &s->kernel.plan->layers[number];
    int64_t told = nci_costs_most_scratch(&s->kernel, number), most = 0;
    for (int64_t i = 0; i < layer->ntasks; i++) {
        int64_t one = nci_costs_scratch(&s->kernel, layer->base + i, 1);
        most = one > most ? one : most;
    }
    if (told < 0) {
        s->unknown++;
        return most;
    }
    assert_true(told >= most);
    return told;
}

static void check_bytes(const nci_plan *plan)
{
    for (int l = 0; l < plan->nlayers; l++) {
        const nci_layer *layer = &plan->layers[l];
        int64_t most = nci_plan_most_bytes(plan, layer);
        for (int64_t i = 0; i < layer->ntasks; i++)
            assert_true(nci_plan_bytes(plan, layer->base + i) <= most);
    }
}

/* The bound and the peak of a plan. */
static void measure(const nci_costs *kernel, int64_t *bound, int64_t *peak)
{
    sizes s = {*kernel, 0};
    int64_t floor;
    nci_sched_costs costs = {&s, nci_costs_scratch, nci_costs_threads};
    ncg_error err;
    check_bytes(kernel->plan);
    CHECK_OK(nci_sched_bound(kernel->plan, most_scratch, &s, bound, &err));
    CHECK_OK(nci_sched_peak(kernel->plan, &costs, NULL, peak, &err));
    assert_true(*bound >= *peak);
    CHECK_OK(nci_sched_floor(kernel->plan, &costs, &floor, &err));
    int64_t most = nci_sched_floor_bound(kernel->plan, most_scratch, &s);
    assert_true(most >= floor);
    assert_int_equal(s.unknown, 0);
}

static nci_plan *lower(ncg_array *const *arrays, int n, uint64_t *seed)
{
    nci_output outputs[2] = {{0}};
    nci_grid grids[2] = {{0}};
    nci_plan *plan = NULL;
    ncg_error err;
    for (int i = 0; i < n; i++) {
        nci_node *node = arrays[i]->node;
        grids[i].rank = node->rank;
        for (int d = 0; d < node->rank; d++)
            grids[i].axis[d] = rnd_axis(seed, node->shape[d]);
        outputs[i] =
            (nci_output){.node = node, .dtype = node->dtype, .grid = &grids[i]};
    }
    CHECK_OK(nci_lower(outputs, n, &plan, &err));
    for (int i = 0; i < n; i++)
        nci_grid_fini(&grids[i]);
    return plan;
}

/* ---- random arrays ----------------------------------------- */

static ncg_status nothing(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

static void replace(ncg_array **x, ncg_status st, ncg_array **by,
                    const ncg_error *err)
{
    if (st == NCG_EUNSUPPORTED)
        return;
    if (st)
        fail_msg("%s", err->message);
    ncg_array_release(x);
    *x = *by;
}

static void add_turned(ncg_array **x)
{
    ncg_error err;
    ncg_array *turned, *both = NULL;
    const int64_t *shape = ncg_array_shape(*x);
    if (shape[0] != shape[1])
        return;
    CHECK_OK(ncg_array_transpose(*x, NULL, &turned, &err));
    ncg_array *pair[2] = {*x, turned};
    ncg_status st = ncg_array_map("add", pair, 2, &both, &err);
    ncg_array_release(&turned);
    replace(x, st, &both, &err);
}

static void subtract_mean(ncg_array **x)
{
    ncg_error err;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *mean, *both = NULL;
    const int axis = 0;
    how.keepdims = true;
    CHECK_OK(ncg_array_reduce(*x, &axis, 1, &how, &mean, &err));
    ncg_array *pair[2] = {*x, mean};
    ncg_status st = ncg_array_map("subtract", pair, 2, &both, &err);
    ncg_array_release(&mean);
    replace(x, st, &both, &err);
}

static void take_median(ncg_array **x, int axis)
{
    ncg_error err;
    ncg_quantile_options how = NCG_QUANTILE_OPTIONS_INIT;
    ncg_array *out = NULL;
    how.keepdims = true;
    ncg_status st = ncg_array_median(*x, &axis, 1, &how, &out, &err);
    replace(x, st, &out, &err);
}

static void multiply(ncg_array **x)
{
    ncg_error err;
    ncg_array *turned, *out = NULL;
    CHECK_OK(ncg_array_transpose(*x, NULL, &turned, &err));
    ncg_status st = ncg_array_matmul(*x, turned, &out, &err);
    ncg_array_release(&turned);
    replace(x, st, &out, &err);
}

static void join_with_itself(ncg_array **x)
{
    ncg_error err;
    ncg_array *parts[2] = {*x, *x}, *out = NULL;
    ncg_status st = ncg_array_concatenate(parts, 2, 0, &out, &err);
    replace(x, st, &out, &err);
}

static void grow(ncg_array **x, uint64_t *seed)
{
    ncg_block_options block = NCG_BLOCK_OPTIONS_INIT;
    ncg_window_options window = NCG_WINDOW_OPTIONS_INIT;
    ncg_array *out = NULL;
    ncg_error err;
    const int64_t depth[2] = {rnd_range(seed, 0, 1), 1};
    const int64_t chunk[2] = {rnd_range(seed, 1, 9), rnd_range(seed, 1, 9)};
    const int64_t factor[2] = {2, 1};
    const int axis = (int)rnd_range(seed, 0, 1);
    switch (rnd(seed) % 14) {
    case 0:
        add_turned(x);
        return;
    case 1:
        subtract_mean(x);
        return;
    case 2:
        join_with_itself(x);
        return;
    case 3:
        replace(x, ncg_array_rechunk(*x, chunk, &out, &err), &out, &err);
        return;
    case 4:
        replace(x, ncg_array_map_overlap("org.example.nothing/1", *x, depth,
                                         "none", &block, &out, &err),
                &out, &err);
        return;
    case 5:
        replace(x, ncg_array_map_blocks("org.example.nothing/1", x, 1, &block,
                                        &out, &err),
                &out, &err);
        return;
    case 6:
        replace(x, ncg_array_scan(*x, NCG_SCAN_SUM, axis, true, 0, &out, &err),
                &out, &err);
        return;
    case 7:
        replace(x, ncg_array_rolling(*x, axis, 1, &window, &out, &err), &out,
                &err);
        return;
    case 8:
        replace(x, ncg_array_sort(*x, axis, &out, &err), &out, &err);
        return;
    case 9:
        take_median(x, axis);
        return;
    case 10:
        multiply(x);
        return;
    case 11:
        window.boundary = "trim";
        replace(x, ncg_array_coarsen(*x, factor, &window, &out, &err), &out,
                &err);
        return;
    case 12:
        replace(x, ncg_array_flip(*x, axis, &out, &err), &out, &err);
        return;
    default:
        replace(x, ncg_array_slice(*x, axis, 0, NCG_OMIT, 2, &out, &err), &out,
                &err);
    }
}

static ncg_array *source(ncg_context *ctx, uint64_t *seed)
{
    const int64_t n = rnd_range(seed, 2, 30);
    const int64_t shape[2] = {n, rnd(seed) % 2 ? n : rnd_range(seed, 2, 30)};
    const int64_t chunk[2] = {rnd_range(seed, 1, 7), rnd_range(seed, 1, 7)};
    ncg_array *x;
    ncg_error err;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_UNIFORM, rnd(seed),
                              NCG_DTYPE_F64, 2, shape, chunk, &x, &err));
    return x;
}

static ncg_context *new_context(void)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx;
    ncg_error err;
    options.threads = 1;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    CHECK_OK(ncg_kernel_register(ctx, "org.example.nothing/1", nothing, NULL,
                                 &err));
    return ctx;
}

static nci_costs costs_of(const ncg_context *ctx, const nci_plan *plan)
{
    return (nci_costs){.plan = plan,
                       .sources = ctx->sources,
                       .kernels = nci_executor_kernels(ctx->executor),
                       .encodes = true};
}

static void bounds_hold(void **state)
{
    ncg_context *ctx = new_context();
    (void)state;
    for (uint64_t i = 0; i < 400; i++) {
        uint64_t seed = i;
        ncg_array *x[2];
        int64_t bound, peak;
        int n = 1 + (int)(i % 4 == 0);
        for (int k = 0; k < n; k++) {
            x[k] = k ? ncg_array_retain(x[0]) : source(ctx, &seed);
            for (int64_t left = rnd_range(&seed, 0, 4); left > 0; left--)
                grow(&x[k], &seed);
        }
        nci_plan *plan = lower(x, n, &seed);
        nci_costs kernel = costs_of(ctx, plan);
        measure(&kernel, &bound, &peak);
        nci_plan_free(&plan);
        for (int k = 0; k < n; k++)
            ncg_array_release(&x[k]);
    }
    ncg_context_destroy(&ctx);
}

/* Every chunk has one user: the bound is what a path from source to result
 * takes, not what the data take. */
static void paths_are_bounded_closely(void **state)
{
    ncg_context *ctx = new_context();
    const int64_t shape[2] = {60 * 128, 60 * 128}, chunk[2] = {128, 128};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_block_options block = NCG_BLOCK_OPTIONS_INIT;
    ncg_array *x, *y, *z;
    ncg_error err;
    int64_t bound, peak;
    uint64_t seed = 1;
    (void)state;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_NORMAL, 1, NCG_DTYPE_F64, 2,
                              shape, chunk, &x, &err));
    CHECK_OK(ncg_array_map_blocks("org.example.nothing/1", &x, 1, &block, &y,
                                  &err));
    CHECK_OK(ncg_array_reduce(y, NULL, 0, &how, &z, &err));
    nci_plan *plan = lower(&z, 1, &seed);
    nci_costs kernel = costs_of(ctx, plan);
    measure(&kernel, &bound, &peak);
    assert_true(bound <= 3 * peak);
    nci_plan_free(&plan);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_array_release(&z);
    ncg_context_destroy(&ctx);
}

/* Rows of chunks that neighbours share are alive a few at a time. */
static void shared_rows_are_few(void **state)
{
    ncg_context *ctx = new_context();
    const int64_t shape[2] = {100 * 64, 20 * 64}, chunk[2] = {64, 64};
    const int64_t depth[2] = {1, 1};
    ncg_block_options block = NCG_BLOCK_OPTIONS_INIT;
    ncg_array *x, *y;
    ncg_error err;
    int64_t bound = 0, all = shape[0] * shape[1] * 8;
    (void)state;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_NORMAL, 1, NCG_DTYPE_F64, 2,
                              shape, chunk, &x, &err));
    CHECK_OK(ncg_array_map_overlap("org.example.nothing/1", x, depth, "none",
                                   &block, &y, &err));
    nci_output output = {.node = y->node, .dtype = NCG_DTYPE_F64};
    nci_grid grid;
    nci_plan *plan;
    CHECK_OK(nci_grid_regular(2, shape, chunk, &grid, &err));
    output.grid = &grid;
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_costs kernel = costs_of(ctx, plan);
    CHECK_OK(nci_sched_bound(plan, nci_costs_most_scratch, &kernel, &bound,
                             &err));
    assert_true(bound > 0 && bound < all / 5);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
}

/* ---- plans of many tasks ----------------------------------------- */

typedef struct looks {
    nci_costs kernel; /* first, as in `sizes` */
    int64_t n;
} looks;

static int64_t counted_scratch(void *ctx, int64_t task, int threads)
{
    ((looks *)ctx)->n++;
    return nci_costs_scratch(ctx, task, threads);
}

/* 600 x 500 chunks, each sorted: what is asked of a plan that large is answered
 * without asking for each task. */
static void many_tasks_are_not_looked_at(void **state)
{
    ncg_context *ctx = new_context();
    const int64_t shape[2] = {600 * 4, 500 * 4}, chunk[2] = {4, 4};
    const int64_t rows[2] = {4, shape[1]};
    ncg_array *x, *y, *z;
    ncg_error err;
    nci_sched_choice choice;
    int64_t floor = 0;
    uint64_t seed = 1;
    (void)state;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_NORMAL, 1, NCG_DTYPE_F64, 2,
                              shape, chunk, &x, &err));
    CHECK_OK(ncg_array_rechunk(x, rows, &y, &err));
    CHECK_OK(ncg_array_sort(y, 1, &z, &err));
    nci_plan *plan = lower(&z, 1, &seed);
    looks seen = {costs_of(ctx, plan), 0};
    nci_sched_costs costs = {&seen, counted_scratch, nci_costs_threads};
    nci_sched_limits limits = {.most_scratch = nci_costs_most_scratch,
                               .enough = 64 << 20};
    assert_true(plan->ntasks > 300000);
    CHECK_OK(nci_sched_choose_within(plan, &costs, &limits, &choice, &err));
    assert_true(choice.is_bound && choice.peak > 0);
    nci_sched_choice_fini(&choice);
    limits.order_only = true;
    limits.enough = 0;
    CHECK_OK(nci_sched_choose_within(plan, &costs, &limits, &choice, &err));
    assert_true(choice.is_bound);
    nci_sched_choice_fini(&choice);
    limits.enough = 64 << 20;
    CHECK_OK(nci_sched_floor_within(plan, &costs, &limits, &floor, &err));
    assert_true(floor > 0 && seen.n == 0);
    limits.enough = floor - 1;
    CHECK_OK(nci_sched_floor_within(plan, &costs, &limits, &floor, &err));
    assert_true(floor <= limits.enough + 1 && seen.n > 0);
    nci_plan_free(&plan);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_array_release(&z);
    ncg_context_destroy(&ctx);
}

NCG_TESTS(NCG_TEST(bounds_hold), NCG_TEST(paths_are_bounded_closely),
          NCG_TEST(shared_rows_are_few),
          NCG_TEST(many_tasks_are_not_looked_at))
