/* SPDX-License-Identifier: BSD-3-Clause */
/* Fusion and slice push-down: what ends up in one program, what is pushed. */
#include "graph/fuse.h"
#include "graph/pass_slice.h"
#include "graph/random_nodes.h"

static nci_node *source(int64_t n, int64_t m)
{
    uint64_t seed = 3;
    return rnd_source(&seed, 5, 2, (int64_t[]){n, m});
}

static nci_node *take(nci_node *x, int64_t start, int64_t step, int64_t count)
{
    nci_pick picks[2] = {{count, start, step, NULL},
                         {x->rank > 1 ? x->shape[1] : 0, 0, 1, NULL}};
    nci_node *out = NULL;
    ncg_error err;
    CHECK_OK(nci_node_select(x, picks, &out, &err));
    return out;
}

static void fuse_composes_selections(void **state)
{
    (void)state;
    nci_node *x = source(40, 3), *a = take(x, 4, 2, 15),
             *b = take(a, 14, -1, 15);
    nci_program program;
    ncg_error err;
    CHECK_OK(nci_fuse(b, NULL, &program, &err));
    assert_int_equal(program.fused.noperands, 1);
    assert_int_equal(program.fused.operands[0].kind, NCI_OPERAND_SOURCE);
    assert_int_equal(program.fused.operands[0].picks[0].start, 32);
    assert_int_equal(program.fused.operands[0].picks[0].step, -2);
    nci_program_fini(&program);
    nci_node_release(&b);
    nci_node_release(&a);
    nci_node_release(&x);
}

static void fuse_puts_the_source_first(void **state)
{
    (void)state;
    nci_node *x = source(40, 3), *anomaly = rnd_anomaly(x);
    nci_program program;
    ncg_error err;
    CHECK_OK(nci_fuse(anomaly, NULL, &program, &err));
    assert_int_equal(program.fused.noperands, 2);
    assert_int_equal(program.fused.operands[0].kind, NCI_OPERAND_SOURCE);
    assert_int_equal(program.fused.operands[1].kind, NCI_OPERAND_LAYER);
    assert_int_equal(program.fused.nsteps, 1);
    assert_int_equal(program.fused.result, 2);
    nci_program_fini(&program);
    nci_node_release(&anomaly);
    nci_node_release(&x);
}

/* mean over axis 0, then one column: the column is taken before the mean. */
static void slice_moves_below_a_reduction(void **state)
{
    (void)state;
    nci_node *x = source(40, 9), *mean = NULL, *cut = NULL, *out = NULL;
    nci_reduce r = {.op = NCG_OP_MEAN, .label_axis = -1, .skipna = true};
    ncg_error err;
    r.over[0] = true;
    CHECK_OK(nci_node_reduce(x, &r, NULL, &mean, &err));
    nci_pick pick = {2, 4, 1, NULL};
    CHECK_OK(nci_node_select(mean, &pick, &cut, &err));
    CHECK_OK(nci_pass_slice(cut, &out, &err));
    assert_int_equal(out->kind, NCI_NODE_REDUCE);
    assert_int_equal(out->inputs[0].node->kind, NCI_NODE_SELECT);
    assert_int_equal(out->shape[0], 2);
    nci_node_release(&out);
    nci_node_release(&cut);
    nci_node_release(&mean);
    nci_node_release(&x);
}

/* A cut of an anomaly reaches the reduction inside it too. */
static void slice_moves_through_an_anomaly(void **state)
{
    (void)state;
    nci_node *x = source(40, 9), *anomaly = rnd_anomaly(x), *cut = NULL;
    nci_node *out = NULL;
    ncg_error err;
    nci_pick picks[2] = {{40, 0, 1, NULL}, {2, 4, 1, NULL}};
    CHECK_OK(nci_node_select(anomaly, picks, &cut, &err));
    CHECK_OK(nci_pass_slice(cut, &out, &err));
    assert_int_equal(out->kind, NCI_NODE_MAP);
    const nci_node *spread = out->inputs[1].node;
    assert_int_equal(spread->kind, NCI_NODE_SELECT);
    assert_int_equal(spread->inputs[0].node->kind, NCI_NODE_REDUCE);
    assert_int_equal(spread->inputs[0].node->shape[1], 2);
    nci_node_release(&out);
    nci_node_release(&cut);
    nci_node_release(&anomaly);
    nci_node_release(&x);
}

static void fuse_keeps_wide_expressions_within_limits(void **state)
{
    (void)state;
    nci_node *sum = source(10, 3);
    ncg_error err;
    for (uint32_t i = 0; i < 12; i++) {
        uint64_t seed = i;
        nci_node *y = rnd_source(&seed, 100 + i, 2, (int64_t[]){10, 3});
        nci_operand operands[2] = {{sum, {0, 1}}, {y, {0, 1}}};
        nci_node *next = NULL;
        CHECK_OK(nci_node_map(NCI_MAP_ADD, NCG_DTYPE_NONE, 2, sum->shape,
                              operands, 2, &next, &err));
        nci_node_release(&y);
        nci_node_release(&sum);
        sum = next;
    }
    nci_grid grid;
    nci_plan *plan = NULL;
    CHECK_OK(nci_grid_regular(2, sum->shape, sum->shape, &grid, &err));
    nci_output output = {.node = sum, .dtype = sum->dtype, .grid = &grid};
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    for (int i = 0; i < plan->nlayers; i++)
        assert_true(plan->layers[i].fused.noperands <= NCI_MAX_OPERANDS);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    nci_node_release(&sum);
}

NCG_TESTS(NCG_TEST(fuse_composes_selections),
          NCG_TEST(fuse_puts_the_source_first),
          NCG_TEST(slice_moves_below_a_reduction),
          NCG_TEST(slice_moves_through_an_anomaly),
          NCG_TEST(fuse_keeps_wide_expressions_within_limits))
