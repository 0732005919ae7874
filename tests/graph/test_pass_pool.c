/* SPDX-License-Identifier: BSD-3-Clause */
/* Deviations of anomalies in one read against the same in two steps, where the
 * anomalies are an array in memory and nothing is there to be recognised. */
#include "graph/pass_pool.h"
#include "ops_check.h"

enum { ROUNDS = 80 };

typedef struct anomaly {
    tensor t;
    nci_node *x, *node;
    nci_reduce mean;
    int32_t labels[64];
    bool is_grouped;
} anomaly;

static void choose(anomaly *a)
{
    a->t = t_any(1, 3, 14);
    a->x = t_node(&a->t);
    a->is_grouped = below(4) > 0;
    int axis = (int)below(a->t.rank);
    int64_t n = a->t.shape[axis];
    a->mean = (nci_reduce){.op = NCG_OP_MEAN,
                           .label_axis = -1,
                           .skipna = true,
                           .min_count = below(2)};
    for (int d = 0; d < a->t.rank; d++)
        a->mean.over[d] = d == axis || below(4) == 0;
    if (!a->is_grouped)
        return;
    a->mean.label_axis = axis;
    a->mean.labels = a->labels;
    a->mean.nlabels = 1 + (int32_t)below(below(2) ? 40 : 4);
    for (int64_t i = 0; i < n; i++)
        a->labels[i] = (int32_t)below(a->mean.nlabels);
}

/* x less the mean of its group, as the anomalies of a dataset are made. */
static void subtract(anomaly *a)
{
    ncg_error err;
    nci_node *mean = NULL, *laid = NULL;
    nci_operand operands[2] = {{.node = a->x}};
    nci_pick picks[NCG_MAX_RANK];
    int64_t index[64];
    int rank = 0;
    for (int d = 0; d < a->x->rank; d++) {
        bool by_label = d == a->mean.label_axis;
        operands[0].axis[d] = d;
        operands[1].axis[d] = a->mean.over[d] && !by_label ? -1 : rank;
        if (operands[1].axis[d] < 0)
            continue;
        picks[rank] = (nci_pick){.count = a->x->shape[d], .step = 1};
        picks[rank++].index = by_label ? index : NULL;
        for (int64_t i = 0; by_label && i < a->x->shape[d]; i++)
            index[i] = a->labels[i];
    }
    CHECK_OK(nci_node_reduce(a->x, &a->mean, NULL, &mean, &err));
    if (a->is_grouped)
        CHECK_OK(nci_node_select(mean, picks, &laid, &err));
    operands[1].node = laid ? laid : mean;
    CHECK_OK(nci_node_map(NCI_MAP_SUB, NCG_DTYPE_NONE, a->x->rank, a->x->shape,
                          operands, 2, &a->node, &err));
    nci_node_release(&mean);
    nci_node_release(&laid);
}

static nci_reduce deviation(const anomaly *a)
{
    nci_reduce r = {.op = below(2) ? NCG_OP_STD : NCG_OP_VAR,
                    .label_axis = -1,
                    .skipna = below(3),
                    .min_count = below(3),
                    .ddof = (int)below(3)};
    int more = a->is_grouped ? -1 : (int)below(2 * a->t.rank);
    for (int d = 0; d < a->t.rank; d++) {
        r.over[d] = a->mean.over[d] || d == more;
        r.keep[d] = r.over[d] && below(3) == 0;
    }
    return r;
}

static void check(const anomaly *a)
{
    ncg_error err;
    nci_reduce r = deviation(a);
    nci_node *std = NULL, *pooled = NULL, *plain = NULL;
    tensor anomalies, wanted;
    CHECK_OK(nci_node_reduce(a->node, &r, NULL, &std, &err));
    CHECK_OK(nci_pass_pool(std, &pooled, &err));
    assert_non_null(pooled);
    assert_ptr_equal(pooled->inputs[0].node, a->x);
    assert_int_equal(pooled->rank, std->rank);
    nci_node_release(&pooled);
    CHECK_OK(t_run(a->node, 1, &anomalies, &err));
    nci_node *steps = t_const(&anomalies);
    CHECK_OK(nci_node_reduce(steps, &r, NULL, &plain, &err));
    CHECK_OK(t_run(plain, 1, &wanted, &err));
    t_check_near(std, &wanted, std->dtype == NCG_DTYPE_F32 ? 2e-6 : 1e-12);
    t_free(&anomalies);
    nci_node_release(&steps);
    nci_node_release(&plain);
}

static void pooled_like_in_two_steps(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        anomaly a = {0};
        ops_seed = (uint64_t)round * 7919 + 17;
        choose(&a);
        subtract(&a);
        check(&a);
        nci_node_release(&a.x);
        nci_node_release(&a.node);
        t_free(&a.t);
    }
}

/* Groups along an axis of their own would have states of 80 MB. */
static void large_groups_are_left_alone(void **state)
{
    ncg_error err;
    anomaly a = {0};
    nci_node *std = NULL, *pooled = NULL;
    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t shape[3] = {1, 4, i ? 1000 : 1000000};
        a.t = t_random(NCG_DTYPE_F32, 3, shape);
        a.x = t_node(&a.t);
        a.mean = (nci_reduce){.op = NCG_OP_MEAN,
                              .label_axis = -1,
                              .skipna = true,
                              .over = {true}};
        subtract(&a);
        nci_reduce r = {.op = NCG_OP_STD,
                        .label_axis = -1,
                        .skipna = true,
                        .over = {true, true}};
        CHECK_OK(nci_node_reduce(a.node, &r, NULL, &std, &err));
        CHECK_OK(nci_pass_pool(std, &pooled, &err));
        assert_int_equal(pooled != NULL, i);
        nci_node_release(&pooled);
        nci_node_release(&std);
        nci_node_release(&a.x);
        nci_node_release(&a.node);
        t_free(&a.t);
    }
}

/* A std over other axes, by groups, or about something else stays. */
static void others_are_left_alone(void **state)
{
    ncg_error err;
    anomaly a = {0};
    nci_node *std = NULL, *pooled = NULL;
    (void)state;
    ops_seed = 5;
    a.t = t_random(NCG_DTYPE_F64, 2, (int64_t[]){6, 4});
    a.x = t_node(&a.t);
    a.is_grouped = true;
    a.mean = (nci_reduce){.op = NCG_OP_MEAN,
                          .label_axis = 0,
                          .nlabels = 2,
                          .labels = a.labels,
                          .skipna = true};
    a.mean.over[0] = true;
    a.labels[1] = a.labels[4] = 1;
    subtract(&a);
    for (int kind = 0; kind < 4; kind++) {
        nci_reduce r = {.op = kind == 0 ? NCG_OP_MEAN : NCG_OP_STD,
                        .label_axis = kind == 1 ? 0 : -1,
                        .nlabels = 2,
                        .labels = kind == 1 ? a.labels : NULL,
                        .skipna = true};
        r.over[0] = kind != 2;
        r.over[1] = kind == 2;
        CHECK_OK(
            nci_node_reduce(kind == 3 ? a.x : a.node, &r, NULL, &std, &err));
        CHECK_OK(nci_pass_pool(std, &pooled, &err));
        assert_null(pooled);
        nci_node_release(&std);
    }
    nci_node_release(&a.x);
    nci_node_release(&a.node);
    t_free(&a.t);
}

NCG_TESTS(NCG_TEST(pooled_like_in_two_steps),
          NCG_TEST(large_groups_are_left_alone),
          NCG_TEST(others_are_left_alone))
