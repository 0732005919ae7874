/* SPDX-License-Identifier: BSD-3-Clause */
/* Properties of every plan: dependencies and dependents are each other's
 * inverse, inputs come first, grids cover their arrays. */
#include "graph/random_nodes.h"

typedef struct edge_list {
    int64_t tasks[1 << 16];
    int inputs[1 << 16];
    int n;
} edge_list;

static void collect(void *ctx, int input, int64_t task)
{
    edge_list *list = ctx;
    assert_true(list->n < 1 << 16);
    list->inputs[list->n] = input;
    list->tasks[list->n++] = task;
}

static bool has(const edge_list *list, int input, int64_t task)
{
    for (int i = 0; i < list->n; i++)
        if (list->inputs[i] == input && list->tasks[i] == task)
            return true;
    return false;
}

static void check_edges(const nci_plan *plan)
{
    static edge_list deps, users;
    int64_t down = 0, up = 0;
    for (int64_t t = 0; t < plan->ntasks; t++) {
        deps.n = users.n = 0;
        nci_plan_deps(plan, t, collect, &deps);
        assert_int_equal(deps.n, nci_plan_ndeps(plan, t));
        assert_int_equal(
            nci_plan_ndependents(plan, t),
            (nci_plan_dependents(plan, t, collect, &users), users.n));
        down += deps.n;
        up += users.n;
        for (int i = 0; i < deps.n; i++) {
            assert_true(deps.tasks[i] < t);
            if (i && deps.inputs[i] == deps.inputs[i - 1])
                assert_true(deps.tasks[i] > deps.tasks[i - 1]);
            users.n = 0;
            nci_plan_dependents(plan, deps.tasks[i], collect, &users);
            assert_true(has(&users, deps.inputs[i], t));
        }
    }
    assert_int_equal(down, up);
}

static void plan_edges_are_inverse(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 150; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 3));
        if (plan->ntasks < 1500)
            check_edges(plan);
        nci_plan_free(&plan);
    }
}

/* Each STORE chunk depends on exactly the chunks that overlap it. */
static void plan_store_needs_overlapping_chunks(void **state)
{
    (void)state;
    static edge_list deps;
    for (uint64_t seed = 200; seed < 260; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1);
        const nci_layer *store = &plan->layers[plan->outputs[0]];
        const nci_layer *from = &plan->layers[store->inputs[0].layer];
        for (int64_t c = 0; c < store->ntasks; c++) {
            nci_box want = nci_grid_box(&store->grid, c), clip;
            deps.n = 0;
            nci_plan_deps(plan, store->base + c, collect, &deps);
            int64_t covered = 0;
            for (int i = 0; i < deps.n; i++) {
                nci_box have =
                    nci_grid_box(&from->array, deps.tasks[i] - from->base);
                assert_true(nci_box_clip(&want, &have, &clip));
                covered += nci_box_size(&clip);
            }
            assert_int_equal(covered, nci_box_size(&want));
        }
        nci_plan_free(&plan);
    }
}

/* Every label's positions reach its final chunk exactly once: count them by
 * walking the tree with the groups' own positions. */
static int64_t positions_below(const nci_plan *plan, int64_t task,
                               int32_t label)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    int64_t n = 0;
    if (layer->kind == NCI_LAYER_FUSED) {
        nci_box box = nci_grid_box(&layer->grid, task - layer->base);
        int64_t k = 1;
        for (int d = 0; d < box.rank; d++)
            if (layer->fused.over[d] && d != layer->fused.label_axis)
                k *= box.count[d];
        int axis = layer->fused.label_axis;
        if (axis < 0)
            return k;
        for (int64_t i = 0; i < box.count[axis]; i++)
            n += layer->fused.labels[box.start[axis] + i] == label;
        return n * k;
    }
    edge_list *deps = calloc(1, sizeof *deps);
    nci_plan_deps(plan, task, collect, deps);
    for (int i = 0; i < deps->n; i++)
        n += positions_below(plan, deps->tasks[i], label);
    free(deps);
    return n;
}

static void plan_tree_reaches_every_position_once(void **state)
{
    (void)state;
    for (uint64_t seed = 300; seed < 360; seed++) {
        uint64_t s = seed;
        int64_t shape[3] = {rnd_range(&s, 1, 200), rnd_range(&s, 1, 12),
                            rnd_range(&s, 1, 9)};
        nci_node *x = rnd_source(&s, 1, 3, shape), *r = rnd_reduce(&s, x);
        nci_grid grid;
        ncg_error err;
        nci_plan *plan = NULL;
        CHECK_OK(nci_grid_regular(r->rank, r->shape, r->shape, &grid, &err));
        nci_output output = {.node = r, .dtype = r->dtype, .grid = &grid};
        CHECK_OK(nci_lower(&output, 1, &plan, &err));
        const nci_layer *store = &plan->layers[plan->outputs[0]];
        const nci_layer *last = &plan->layers[store->inputs[0].layer];
        assert_true(last->combine.is_final);
        for (int64_t c = 0; c < last->ntasks; c++) {
            int64_t index[NCG_MAX_RANK], want = 1;
            nci_grid_index(&last->grid, c, index);
            int axis = r->reduce.label_axis;
            int32_t label = axis < 0 ? 0 : (int32_t)index[axis];
            for (int d = 0; d < 3; d++)
                if (r->reduce.over[d] && d != axis)
                    want *= shape[d];
            int64_t hits = axis < 0 ? 1 : 0;
            for (int64_t i = 0; axis >= 0 && i < shape[axis]; i++)
                hits += r->reduce.labels[i] == label;
            assert_int_equal(positions_below(plan, last->base + c, label),
                             want * hits);
        }
        nci_plan_free(&plan);
        nci_grid_fini(&grid);
        nci_node_release(&r);
        nci_node_release(&x);
    }
}

static void plan_shares_equal_work(void **state)
{
    (void)state;
    uint64_t s = 9;
    int64_t shape[2] = {30, 10};
    nci_node *x = rnd_source(&s, 1, 2, shape);
    nci_reduce r = {.op = NCG_OP_MEAN, .label_axis = -1, .skipna = true};
    r.over[0] = true;
    nci_node *a = NULL, *b = NULL;
    ncg_error err;
    CHECK_OK(nci_node_reduce(x, &r, NULL, &a, &err));
    CHECK_OK(nci_node_reduce(x, &r, NULL, &b, &err));
    assert_true(nci_token_equal(a->token, b->token));
    nci_grid grid;
    CHECK_OK(nci_grid_regular(1, a->shape, a->shape, &grid, &err));
    nci_output outputs[2] = {{.node = a, .dtype = a->dtype, .grid = &grid},
                             {.node = b, .dtype = b->dtype, .grid = &grid}};
    nci_plan *plan = NULL;
    CHECK_OK(nci_lower(outputs, 2, &plan, &err));
    int folds = 0;
    for (int i = 0; i < plan->nlayers; i++)
        folds += plan->layers[i].kind == NCI_LAYER_FUSED;
    assert_int_equal(folds, 1);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    nci_node_release(&a);
    nci_node_release(&b);
    nci_node_release(&x);
}

NCG_TESTS(NCG_TEST(plan_edges_are_inverse),
          NCG_TEST(plan_store_needs_overlapping_chunks),
          NCG_TEST(plan_tree_reaches_every_position_once),
          NCG_TEST(plan_shares_equal_work))
