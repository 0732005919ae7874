/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exact quantiles of more values than fit into memory: what a value's key
 * begins with is counted in every chunk, the counts are summed, and the bits
 * with which the wanted rank begins are known; the next level counts the next
 * bits of those keys only. Two to eight passes over the data, whatever its
 * size; see quantile.h for the kernels.
 *
 *     data ---> count ---> sum ---> step ---> value
 *       \______________________> count        (of the next level, with the
 *                                              state that step gave)
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/ops/blocks.h"
#include "graph/ops/quantile_build.h"

enum {
    MANY_BITS = 16,
    FEW_BITS = 8,
    MOST_COUNTS = 32 << 20 /* bytes of the counts of one chunk */
};

typedef struct counting {
    nci_node *input;
    const nci_quantiles *s;
    int bits, levels;
    nci_grid grid; /* of the tasks that count */
} counting;

/* ---- shapes ----------------------------------------------------------------------- */

static double counts_of(const nci_node *input, const nci_quantiles *s, int bits)
{
    double n = 8.0 * (double)(((int64_t)1 << bits) + 1) * 2 * s->nq;
    for (int d = 0; d < input->rank; d++)
        n *= s->over[d] ? 1 : (double)input->shape[d];
    return n;
}

static int bits_of(const nci_node *input, const nci_quantiles *s)
{
    return counts_of(input, s, MANY_BITS) <= MOST_COUNTS ? MANY_BITS : FEW_BITS;
}

bool nci_quantile_can_count(const nci_node *input, const nci_quantiles *s)
{
    return !s->labels && input->rank + 2 <= NCG_MAX_RANK &&
           counts_of(input, s, FEW_BITS) <= MOST_COUNTS;
}

static int key_bits(ncg_dtype dtype)
{
    return dtype == NCG_DTYPE_F32 || ncg_dtype_size(dtype) <= 2 ? 32 : 64;
}

static int64_t ranks_of(const counting *c, int level)
{
    return level ? 2 * c->s->nq : 1;
}

/* The kept axes, in one chunk, then two more. */
static ncg_status whole_grid(const counting *c, int64_t ranks, int64_t last,
                             nci_grid *out, ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK], chunk[NCG_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < c->input->rank; d++)
        if (!c->s->over[d])
            shape[rank++] = c->input->shape[d];
    shape[rank++] = ranks;
    shape[rank++] = last;
    for (int d = 0; d < rank; d++)
        chunk[d] = shape[d] < 1 ? 1 : shape[d];
    return nci_grid_regular(rank, shape, chunk, out, err);
}

/* ---- nodes ------------------------------------------------------------------------- */

static ncg_status make(const counting *c, const char *kernel, int level,
                       ncg_dtype dtype, nci_node *const *inputs, int n,
                       const nci_grid *grid, const nci_reach *reach,
                       nci_node **out, ncg_error *err)
{
    uint8_t *params = NULL;
    nci_block_spec spec = {.name = c->input->name,
                           .kernel = kernel,
                           .dtype = dtype,
                           .grid = grid,
                           .ninputs = n,
                           .inputs = inputs,
                           .reach = reach};
    NCI_TRY(nci_quantile_params(c->input, c->s, level, c->bits, &params,
                                &spec.nparams, err));
    spec.params = params;
    ncg_status st = nci_node_block(&spec, out, err);
    nci_free(params);
    return st;
}

/* One position a chunk along reduced axes, then ranks and counts. */
static ncg_status count_grid(const counting *c, int level, nci_grid *out,
                             ncg_error *err)
{
    int64_t ranks = ranks_of(c, level), counts = ((int64_t)1 << c->bits) + 1;
    nci_grid grid = {.rank = c->input->rank + 2};
    ncg_status st = NCG_OK;
    int d = 0;
    for (; !st && d < c->input->rank; d++) {
        const nci_axis *axis = &c->grid.axis[d];
        st = c->s->over[d]
                 ? nci_axis_regular(axis->nchunks, 1, &grid.axis[d], err)
                 : nci_axis_join(&axis, 1, &grid.axis[d], err);
    }
    if (!st)
        st = nci_axis_regular(ranks, ranks, &grid.axis[d], err);
    if (!st)
        st = nci_axis_regular(counts, counts, &grid.axis[d + 1], err);
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

static ncg_status reach_data(const counting *c, nci_reach *data,
                             nci_reach *state, ncg_error *err)
{
    int kept = 0;
    for (int d = 0; d < c->input->rank; d++) {
        const nci_axis *axis = &c->grid.axis[d];
        NCI_TRY(nci_reach_same(d, axis, &data[d], err));
        if (!c->s->over[d] && state)
            NCI_TRY(nci_reach_same(d, axis, &state[kept++], err));
    }
    return NCG_OK;
}

static ncg_status count_level(const counting *c, int level, nci_node *state,
                              nci_node **out, ncg_error *err)
{
    nci_node *inputs[2] = {c->input, state};
    int n = state ? 2 : 1;
    nci_grid grid = {0};
    NCI_TRY(count_grid(c, level, &grid, err));
    nci_reach *reach = nci_reach_array(n, err);
    ncg_status st = reach ? reach_data(c, reach,
                                       state ? reach + NCG_MAX_RANK : NULL, err)
                          : NCG_ENOMEM;
    if (!st)
        st = make(c, "ncg.quantile_count/1", level, NCG_DTYPE_I64, inputs, n,
                  &grid, reach, out, err);
    nci_reach_array_free(&reach, n);
    nci_grid_fini(&grid);
    return st;
}

static ncg_status sum_counts(const counting *c, nci_node *counts,
                             nci_node **out, ncg_error *err)
{
    nci_reduce reduce = {.op = NCG_OP_SUM, .label_axis = -1, .skipna = true};
    memcpy(reduce.over, c->s->over, sizeof reduce.over);
    return nci_node_reduce(counts, &reduce, NULL, out, err);
}

static ncg_status take_step(const counting *c, int level, nci_node *sums,
                            nci_node *state, nci_node **out, ncg_error *err)
{
    nci_node *inputs[2] = {sums, state};
    int n = state ? 2 : 1;
    nci_grid grid = {0};
    NCI_TRY(whole_grid(c, 2 * c->s->nq, NCI_STATE_SIZE, &grid, err));
    nci_reach *reach = nci_reach_array(n, err);
    ncg_status st = reach ? make(c, "ncg.quantile_step/1", level, NCG_DTYPE_I64,
                                 inputs, n, &grid, reach, out, err)
                          : NCG_ENOMEM;
    nci_reach_array_free(&reach, n);
    nci_grid_fini(&grid);
    return st;
}

/* Replaces *state by the next one. */
static ncg_status next_level(const counting *c, int level, nci_node **state,
                             ncg_error *err)
{
    nci_node *counts = NULL, *sums = NULL, *next = NULL;
    ncg_status st = count_level(c, level, *state, &counts, err);
    if (!st)
        st = sum_counts(c, counts, &sums, err);
    if (!st)
        st = take_step(c, level, sums, *state, &next, err);
    if (!st) {
        nci_node_release(state);
        *state = next;
    }
    nci_node_release(&counts);
    nci_node_release(&sums);
    return st;
}

static ncg_status take_value(const counting *c, nci_node *state,
                             nci_node **out, ncg_error *err)
{
    int axis_of[NCG_MAX_RANK];
    int64_t whole[NCG_MAX_RANK];
    const nci_node *input = c->input;
    nci_grid tiles = {0}, grid = {0};
    for (int d = 0; d < input->rank; d++)
        whole[d] = input->shape[d] < 1 ? 1 : input->shape[d];
    NCI_TRY(nci_grid_regular(input->rank, input->shape, whole, &tiles, err));
    ncg_status st = nci_quantile_grid(input, c->s, &tiles, &grid, axis_of, err);
    nci_grid_fini(&tiles);
    if (st)
        return st;
    nci_reach *reach = nci_reach_array(1, err);
    ncg_dtype dtype = nci_quantile_dtype(input, c->s);
    st = reach ? make(c, "ncg.quantile_value/1", c->levels, dtype, &state, 1,
                      &grid, reach, out, err)
               : NCG_ENOMEM;
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&grid);
    return st;
}

ncg_status nci_quantile_count(nci_node *input, const nci_quantiles *s,
                              nci_node **out, ncg_error *err)
{
    counting c = {.input = input, .s = s, .bits = bits_of(input, s)};
    nci_node *state = NULL;
    c.levels = key_bits(input->dtype) / c.bits;
    NCI_TRY(nci_ops_work_grid(input, &c.grid, err));
    ncg_status st = NCG_OK;
    for (int level = 0; !st && level < c.levels; level++)
        st = next_level(&c, level, &state, err);
    if (!st)
        st = take_value(&c, state, out, err);
    nci_node_release(&state);
    nci_grid_fini(&c.grid);
    return st;
}
