/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_STENCIL_H
#define NCG_TESTS_ENGINE_STENCIL_H
/*
 * The plan of the programs that replay the scheduler alone: layers of chunks,
 * each of which needs its neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "engine/sched/choose.h"

enum { SIDE = 4 }; /* positions along a chunk */

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void must(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

/* Each chunk needs itself and one position of its neighbours. */
static inline void set_reach(const nci_axis *axis, int from, nci_reach *reach)
{
    int64_t n = axis->nchunks, size = axis->edge[n];
    reach->from = from;
    reach->low = malloc((size_t)n * sizeof *reach->low);
    reach->high = malloc((size_t)n * sizeof *reach->high);
    for (int64_t i = 0; i < n; i++) {
        reach->low[i] = axis->edge[i] > 0 ? axis->edge[i] - 1 : 0;
        reach->high[i] =
            axis->edge[i + 1] < size ? axis->edge[i + 1] + 1 : size;
    }
}

static inline nci_node *make_layer(nci_node *input, const nci_grid *grid, int number)
{
    nci_reach reach[NCG_MAX_RANK] = {0};
    nci_node *node = NULL;
    ncg_error err;
    nci_block_spec spec = {.name = "stencil",
                           .kernel = "bench.stencil/1",
                           .params = &number,
                           .nparams = sizeof number,
                           .dtype = NCG_DTYPE_F64,
                           .grid = grid,
                           .ninputs = input ? 1 : 0,
                           .inputs = &input,
                           .reach = reach};
    for (int d = 0; d < grid->rank; d++)
        set_reach(&grid->axis[d], d, &reach[d]);
    must(nci_node_block(&spec, &node, &err), &err);
    nci_node_release(&input);
    for (int d = 0; d < grid->rank; d++) {
        free(reach[d].low);
        free(reach[d].high);
    }
    return node;
}

static inline nci_plan *make_plan(int64_t rows, int64_t columns, int layers)
{
    const int64_t shape[] = {rows * SIDE, columns * SIDE};
    const int64_t chunk[] = {SIDE, SIDE};
    nci_node *node = NULL;
    nci_plan *plan = NULL;
    nci_grid grid;
    ncg_error err;
    must(nci_grid_regular(2, shape, chunk, &grid, &err), &err);
    for (int l = 0; l < layers; l++)
        node = make_layer(node, &grid, l);
    nci_output output = {.node = node, .dtype = node->dtype, .grid = &grid};
    must(nci_lower(&output, 1, &plan, &err), &err);
    nci_node_release(&node);
    nci_grid_fini(&grid);
    return plan;
}

/* What tasks cost comes from outside: it is not measured here. */
static inline int64_t no_scratch(void *ctx, int64_t task, int threads)
{
    (void)ctx, (void)task, (void)threads;
    return 0;
}

static inline int one_thread(void *ctx, int64_t task, int available)
{
    (void)ctx, (void)task, (void)available;
    return 1;
}

#endif
