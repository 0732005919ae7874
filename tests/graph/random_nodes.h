/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_GRAPH_RANDOM_NODES_H
#define NCG_TESTS_GRAPH_RANDOM_NODES_H
/* Random expressions over made-up sources, for property tests. */
#include "graph/plan.h"
#include "test.h"

static inline uint32_t rnd(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static inline int64_t rnd_range(uint64_t *seed, int64_t low, int64_t high)
{
    return low + (int64_t)(rnd(seed) % (uint64_t)(high - low + 1));
}

/* An axis of `size` in chunks of uneven length. */
static inline nci_axis rnd_axis(uint64_t *seed, int64_t size)
{
    int64_t edge[1024], n = 0;
    for (int64_t at = 0; at < size; at += rnd_range(seed, 1, 5))
        edge[n++] = at;
    edge[n] = size;
    nci_axis axis;
    ncg_error err;
    CHECK_OK(nci_axis_from_edges(edge, n, &axis, &err));
    return axis;
}

static inline nci_node *rnd_source(uint64_t *seed, uint32_t id, int rank,
                                   const int64_t *shape)
{
    nci_source_spec spec = {.rank = rank, .dtype = NCG_DTYPE_F32};
    nci_node *node = NULL;
    ncg_error err;
    spec.grid.rank = rank;
    spec.token = (nci_token){id + 1, 77};
    for (int d = 0; d < rank; d++) {
        spec.shape[d] = shape[d];
        spec.grid.axis[d] = rnd_axis(seed, shape[d]);
    }
    CHECK_OK(nci_node_source(id, &spec, &node, &err));
    nci_grid_fini(&spec.grid);
    return node;
}

static inline nci_node *rnd_select(uint64_t *seed, nci_node *input)
{
    nci_pick picks[NCG_MAX_RANK];
    int64_t lists[NCG_MAX_RANK][64];
    nci_node *node = NULL;
    ncg_error err;
    for (int d = 0; d < input->rank; d++) {
        int64_t n = input->shape[d];
        picks[d] = (nci_pick){.count = n, .step = 1};
        if (rnd(seed) % 3 == 0) {
            picks[d].start = rnd_range(seed, 0, n - 1);
            picks[d].step = rnd_range(seed, 1, 3);
            picks[d].count =
                (n - picks[d].start + picks[d].step - 1) / picks[d].step;
        } else if (rnd(seed) % 3 == 0) {
            picks[d].count = rnd_range(seed, 1, 20);
            for (int64_t i = 0; i < picks[d].count; i++)
                lists[d][i] = rnd_range(seed, 0, n - 1);
            picks[d].index = lists[d];
        }
    }
    CHECK_OK(nci_node_select(input, picks, &node, &err));
    return node;
}

static inline nci_node *rnd_reduce(uint64_t *seed, nci_node *input)
{
    nci_reduce r = {.op = (ncg_op)(rnd(seed) % NCG_OP_COUNT_),
                    .label_axis = -1,
                    .skipna = true,
                    .min_count = 1};
    int32_t labels[1024];
    nci_node *node = NULL;
    ncg_error err;
    for (int d = 0; d < input->rank; d++) {
        r.over[d] = rnd(seed) % 2;
        r.keep[d] = rnd(seed) % 4 == 0;
    }
    if (input->rank && r.over[0] && rnd(seed) % 2) {
        r.label_axis = 0;
        r.nlabels = (int32_t)rnd_range(seed, 1, 6);
        r.labels = labels;
        for (int64_t i = 0; i < input->shape[0]; i++)
            labels[i] = (int32_t)rnd_range(seed, -1, r.nlabels - 1);
    }
    CHECK_OK(nci_node_reduce(input, &r, NULL, &node, &err));
    return node;
}

/* x minus its selection-broadcast mean, as anomalies are. */
static inline nci_node *rnd_anomaly(nci_node *x)
{
    nci_reduce r = {.op = NCG_OP_MEAN,
                    .label_axis = 0,
                    .nlabels = 2,
                    .skipna = true,
                    .min_count = 1};
    int32_t labels[1024];
    int64_t index[1024];
    nci_pick picks[NCG_MAX_RANK];
    nci_node *mean = NULL, *spread = NULL, *out = NULL;
    ncg_error err;
    r.over[0] = true;
    r.labels = labels;
    for (int64_t i = 0; i < x->shape[0]; i++)
        index[i] = labels[i] = (int32_t)(i % 2);
    if (x->shape[0] < 2)
        r.nlabels = 1;
    CHECK_OK(nci_node_reduce(x, &r, NULL, &mean, &err));
    for (int d = 0; d < x->rank; d++)
        picks[d] = (nci_pick){.count = x->shape[d], .step = 1};
    picks[0].index = index;
    CHECK_OK(nci_node_select(mean, picks, &spread, &err));
    nci_operand operands[2] = {{.node = x}, {.node = spread}};
    for (int d = 0; d < x->rank; d++)
        operands[0].axis[d] = operands[1].axis[d] = d;
    CHECK_OK(nci_node_map(NCI_MAP_SUB, NCG_DTYPE_NONE, x->rank, x->shape,
                          operands, 2, &out, &err));
    nci_node_release(&mean);
    nci_node_release(&spread);
    return out;
}

/* A pipeline of a few random operations over one source. */
static inline nci_node *rnd_expression(uint64_t *seed)
{
    int64_t shape[3];
    int rank = (int)rnd_range(seed, 1, 3);
    for (int d = 0; d < rank; d++)
        shape[d] = rnd_range(seed, 1, 40);
    nci_node *node = rnd_source(seed, rnd(seed), rank, shape);
    for (int64_t k = rnd_range(seed, 0, 3); k > 0; k--) {
        nci_node *next = NULL;
        switch (rnd(seed) % 3) {
        case 0:
            next = rnd_select(seed, node);
            break;
        case 1:
            next = node->rank ? rnd_anomaly(node) : nci_node_retain(node);
            break;
        default:
            next = rnd_reduce(seed, node);
        }
        nci_node_release(&node);
        node = next;
    }
    return node;
}

static inline nci_plan *rnd_plan(uint64_t *seed, int noutputs)
{
    nci_output outputs[4] = {{0}};
    nci_grid grids[4];
    nci_plan *plan = NULL;
    ncg_error err;
    for (int i = 0; i < noutputs; i++) {
        nci_node *node = rnd_expression(seed);
        grids[i].rank = node->rank;
        for (int d = 0; d < node->rank; d++)
            grids[i].axis[d] = rnd_axis(seed, node->shape[d]);
        outputs[i] =
            (nci_output){.node = node, .dtype = node->dtype, .grid = &grids[i]};
    }
    CHECK_OK(nci_lower(outputs, noutputs, &plan, &err));
    for (int i = 0; i < noutputs; i++) {
        nci_node_release(&outputs[i].node);
        nci_grid_fini(&grids[i]);
    }
    return plan;
}

#endif
