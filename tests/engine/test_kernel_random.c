/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random arrays in random files, random selections, arithmetic and reductions,
 * lowered and run task by task, against a plain loop over all positions; the
 * bits must be the same for any number of threads and both tables of loops.
 */
#include "engine/kernel/isa.h"
#include "engine/kernel/task.h"
#include "random_referee.h"

/* ---- running
 * ----------------------------------------------------------------- */

typedef struct dep_list {
    nci_dep *items;
    int64_t count;
    nci_buf **bufs;
} dep_list;

static void add_dep(void *ctx, int input, int64_t task)
{
    dep_list *list = ctx;
    list->items[list->count++] = (nci_dep){input, task, list->bufs[task]};
}

/* Runs the whole plan; returns the output as one row-major array. */
static nci_buf *run_plan(const array *a, const nci_plan *plan, int threads,
                         const nci_isa *isa)
{
    ncg_error err;
    nci_scratch scratch = {0};
    nci_task_env env = {.plan = plan,
                        .sources = a->table,
                        .scratch = &scratch,
                        .threads = threads};
    nci_buf **bufs = calloc((size_t)plan->ntasks, sizeof *bufs);
    nci_isa_force(isa);
    for (int64_t task = 0; task < plan->ntasks; task++) {
        dep_list deps = {.bufs = bufs};
        deps.items =
            calloc((size_t)nci_plan_ndeps(plan, task) + 1, sizeof *deps.items);
        nci_plan_deps(plan, task, add_dep, &deps);
        CHECK_OK(nci_kernel_run(&env, task, deps.items, deps.count, &bufs[task],
                                &err));
        assert_true((int64_t)nci_buf_size(bufs[task]) ==
                    nci_plan_bytes(plan, task));
        assert_true(nci_kernel_scratch(plan, a->table, NULL, task, threads) >=
                    0);
        free(deps.items);
    }
    const nci_layer *store = &plan->layers[plan->outputs[0]];
    nci_buf *out = nci_buf_retain(bufs[store->base]);
    assert_int_equal(store->ntasks, 1);
    for (int64_t task = 0; task < plan->ntasks; task++)
        nci_buf_release(&bufs[task]);
    free(bufs);
    fake_scratch_fini(&scratch);
    nci_isa_force(NULL);
    return out;
}

static nci_plan *make_plan(nci_node *node)
{
    ncg_error err;
    nci_grid grid;
    nci_plan *plan;
    nci_output output = {.node = node, .dtype = node->dtype, .grid = &grid};
    CHECK_OK(
        nci_grid_regular(node->rank, node->shape, node->shape, &grid, &err));
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_grid_fini(&grid);
    return plan;
}

static nci_buf *run_alike(const array *a, nci_node *node)
{
    nci_plan *plan = make_plan(node);
    nci_buf *out = run_plan(a, plan, 1, &nci_isa_base);
    for (int threads = 1; threads <= 4; threads *= 2) {
        nci_buf *other = run_plan(a, plan, threads, NULL);
        assert_int_equal(nci_buf_size(out), nci_buf_size(other));
        assert_memory_equal(nci_buf_data(out), nci_buf_data(other),
                            nci_buf_size(out));
        nci_buf_release(&other);
    }
    int64_t strip = nci_piece_rules.strip;
    nci_piece_rules.strip = strip == 1 ? INT64_MAX : 1;
    nci_buf *other = run_plan(a, plan, 1 + (int)below(2), NULL);
    nci_piece_rules.strip = strip;
    assert_memory_equal(nci_buf_data(out), nci_buf_data(other),
                        nci_buf_size(out));
    nci_buf_release(&other);
    nci_plan_free(&plan);
    return out;
}

/* ---- tests
 * -------------------------------------------------------------------- */

static void make_reduction(const array *a, reduction *r)
{
    *r = (reduction){0};
    int reduced = 0;
    r->how.op = (ncg_op)below(NCG_OP_COUNT_);
    int only = (int)below(a->rank);
    for (int d = 0; d < a->rank; d++)
        reduced += r->how.over[d] = below(2);
    if (!reduced)
        r->how.over[only] = true;
    r->how.label_axis = -1;
    r->how.skipna = below(3);
    r->how.min_count = below(3);
    r->how.ddof = (int)below(2);
    int axis = (int)below(a->rank);
    if (r->how.over[axis] && below(2)) {
        int64_t n = a->shape[axis];
        r->how.label_axis = axis;
        r->how.nlabels = 1 + (int32_t)below(5);
        r->labels = malloc((size_t)n * sizeof *r->labels);
        for (int64_t i = 0; i < n; i++)
            r->labels[i] = (int32_t)below(r->how.nlabels + 1) - 1;
        r->how.labels = r->labels;
    }
    if (nci_op_takes_weights(r->how.op) && below(2)) {
        r->weight_axis = (int)below(a->rank);
        r->weights = malloc((size_t)a->shape[r->weight_axis] * 8);
        r->operand = make_const(a, r->weight_axis, r->weights);
    }
}

static void check_reduction(const array *a)
{
    ncg_error err;
    reduction r;
    nci_node *node;
    make_reduction(a, &r);
    CHECK_OK(nci_node_reduce(a->node, &r.how, r.weights ? &r.operand : NULL,
                             &node, &err));
    int64_t ncells = 1;
    for (int d = 0; d < node->rank; d++)
        ncells *= node->shape[d];
    cell *cells = calloc((size_t)ncells, sizeof *cells);
    reduce_plainly(a, &r, cells, ncells);
    nci_buf *out = run_alike(a, node);
    size_t size = ncg_dtype_size(node->dtype);
    for (int64_t c = 0; c < ncells; c++)
        check_cell(a, &r, &cells[c], node->dtype,
                   node->has_missing ? node->missing : NULL,
                   (uint8_t *)nci_buf_data(out) + (size_t)c * size);
    nci_buf_release(&out);
    free(cells);
    free(r.labels);
    free(r.weights);
    if (r.weights)
        nci_node_release(&r.operand.node);
    nci_node_release(&node);
}

/* The values less the mean of those with the same label, which another layer
 * makes, one chunk a label. Labels come in runs, in any order, or as a calendar
 * gives them. */
static void subtract_group_means(array *a)
{
    ncg_error err;
    nci_node *means, *picked, *node;
    nci_pick picks[NCG_MAX_RANK];
    nci_operand operands[2] = {{.node = a->node}};
    int axis = (int)below(a->rank), kind = (int)below(3);
    int64_t n = a->shape[axis], label = 0;
    nci_reduce how = {.op = NCG_OP_MEAN, .label_axis = axis, .skipna = true};
    int32_t *labels = malloc((size_t)n * sizeof *labels);
    int64_t *index = malloc((size_t)n * sizeof *index);
    how.nlabels = 1 + (int32_t)below(n + 3);
    label = below(how.nlabels);
    for (int64_t i = 0; i < n; i++) {
        if (kind == 0 || below(2))
            label = kind == 0 ? below(how.nlabels) : (label + 1) % how.nlabels;
        index[i] = labels[i] = (int32_t)label;
    }
    how.over[axis] = true;
    how.labels = labels;
    CHECK_OK(nci_node_reduce(a->node, &how, NULL, &means, &err));
    for (int d = 0; d < a->rank; d++) {
        operands[0].axis[d] = operands[1].axis[d] = d;
        picks[d] = (nci_pick){.count = a->shape[d], .step = 1};
    }
    picks[axis].index = index;
    CHECK_OK(nci_node_select(means, picks, &picked, &err));
    operands[1].node = picked;
    CHECK_OK(nci_node_map(NCI_MAP_SUB, NCG_DTYPE_NONE, a->rank, a->shape,
                          operands, 2, &node, &err));
    int64_t inner = 1, rows = a->size / n;
    for (int d = axis + 1; d < a->rank; d++)
        inner *= a->shape[d];
    for (int64_t row = 0; row < rows; row++) {
        double *x = a->values + row / inner * n * inner + row % inner;
        double *sum = calloc((size_t)how.nlabels * 2, sizeof *sum);
        double *count = sum + how.nlabels;
        for (int64_t i = 0; i < n; i++)
            if (!isnan(x[i * inner])) {
                sum[labels[i]] += x[i * inner];
                count[labels[i]]++;
            }
        for (int64_t i = 0; i < n; i++) {
            double mean = sum[labels[i]] / count[labels[i]];
            x[i * inner] -= means->dtype == NCG_DTYPE_F32 ? (float)mean : mean;
        }
        free(sum);
    }
    nci_node_release(&means);
    nci_node_release(&picked);
    take_node(a, node);
    a->decode.out = node->dtype;
    free(labels);
    free(index);
}

static void check_values(const array *a)
{
    nci_buf *out = run_alike(a, a->node);
    ncg_dtype dtype = a->node->dtype;
    size_t size = ncg_dtype_size(dtype);
    for (int64_t i = 0; i < a->size; i++) {
        const uint8_t *got = (uint8_t *)nci_buf_data(out) + (size_t)i * size;
        if (isnan(a->values[i]) && nci_dtype_is_float(dtype))
            assert_true(isnan(nci_dtype_get(dtype, got)));
        else if (isnan(a->values[i]))
            assert_memory_equal(got, a->node->missing, size);
        else if (nci_dtype_is_wide(dtype))
            assert_memory_equal(got, &a->wide[i], size);
        else
            CHECK_NEAR(nci_dtype_get(dtype, got), a->values[i], 1e-6);
    }
    nci_buf_release(&out);
}

/* Differences of nearly equal numbers: as near as float gives the means. */
static void check_anomalies(const array *a)
{
    nci_buf *out = run_alike(a, a->node);
    ncg_dtype dtype = a->node->dtype;
    size_t size = ncg_dtype_size(dtype);
    double near = nci_dtype_is_wide(a->raw) ? 1e4 : 1e-4;
    for (int64_t i = 0; i < a->size; i++) {
        const uint8_t *at = (uint8_t *)nci_buf_data(out) + (size_t)i * size;
        double got = nci_dtype_get(dtype, at), want = a->values[i];
        assert_int_equal(isnan(got), isnan(want));
        if (!isnan(got) && fabs(got - want) > near + 1e-6 * fabs(want))
            fail_msg("%.17g, not %.17g", got, want);
    }
    nci_buf_release(&out);
}

static void run_round(uint64_t round, int64_t max_side, bool reduces)
{
    array a;
    seed = round * 7919 + 17;
    for (int i = 0; i < 4; i++)
        below(2);
    array_init(&a, max_side);
    if (below(2))
        select_some(&a);
    bool maps = below(3) == 0;
    if (maps)
        map_some(&a);
    if (maps) /* results of arithmetic are floats */
        a.decode.out = a.node->dtype;
    if (reduces)
        check_reduction(&a);
    else
        check_values(&a);
    array_fini(&a);
}

static void reductions_match_plain_loops(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 1500; round++)
        run_round(round, MAX_SIDE, true);
}

static void values_match_plain_loops(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++)
        run_round(round + 100000, MAX_SIDE, false);
}

static void differences_from_group_means_match(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 400; round++) {
        array a;
        seed = round * 7919 + 400017;
        array_init(&a, MAX_SIDE);
        subtract_group_means(&a);
        if (below(2))
            select_some(&a);
        check_anomalies(&a);
        array_fini(&a);
    }
}

/* The same with pieces divided among threads, by rows and by slabs. */
static void divided_pieces_match(void **state)
{
    nci_piece_limits kept = nci_piece_rules;
    (void)state;
    nci_piece_rules =
        (nci_piece_limits){.large = 64, .slab = 16, .long_axis = 5, .strip = 1};
    for (uint64_t round = 0; round < 1000; round++)
        run_round(round + 200000, MAX_SIDE, true);
    nci_piece_rules = kept;
}

/* Runs longer than a block. */
static void long_rows_match(void **state)
{
    nci_piece_limits kept = nci_piece_rules;
    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        nci_piece_rules.large = round % 2 ? 2000 : kept.large;
        nci_piece_rules.slab = 1500;
        run_round(round + 300000, 40, true);
    }
    nci_piece_rules = kept;
}

NCG_TESTS(NCG_TEST(reductions_match_plain_loops),
          NCG_TEST(values_match_plain_loops),
          NCG_TEST(differences_from_group_means_match),
          NCG_TEST(divided_pieces_match), NCG_TEST(long_rows_match))
