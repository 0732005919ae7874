/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions with kernels of the program, as a tree: every chunk becomes a
 * state, neighbours are combined a few at a time, the last state is finished.
 * States have the input's axes, reduced ones with one position a chunk, and a
 * last axis of the numbers in a state.
 */
#include <string.h>

#include "api/arrays.h"
#include "base/dtype.h"
#include "base/mem.h"

enum { FAN_IN = 16 }; /* states combined at once, at most */

typedef struct level {
    const ncg_reduction_options *options;
    bool over[NCG_MAX_RANK];
    int rank; /* of the input, so the axis of the state's numbers */
    nci_grid grid;
    nci_reach reach[NCG_MAX_RANK];
} level;

static void level_fini(level *l)
{
    nci_grid_fini(&l->grid);
    for (int a = 0; a < NCG_MAX_RANK; a++)
        nci_reach_fini(&l->reach[a]);
}

static ncg_status make_node(level *l, const char *kernel, ncg_dtype dtype,
                            nci_node *input, nci_node **out, ncg_error *err)
{
    nci_block_spec spec = {.kernel = kernel,
                           .params = l->options->params,
                           .nparams = l->options->nparams,
                           .dtype = dtype,
                           .grid = &l->grid,
                           .ninputs = 1,
                           .inputs = &input,
                           .reach = l->reach};
    return nci_node_block(&spec, out, err);
}

/* Our axis d of n positions in chunks of one; position i needs [low[i],
 * high[i]) = [edge[i], edge[i + 1]) of the input. */
static ncg_status reach_edges(level *l, int d, int64_t n, const int64_t *edge,
                              ncg_error *err)
{
    nci_reach borrowed = {d, (int64_t *)(uintptr_t)edge,
                          (int64_t *)(uintptr_t)(edge + 1)};
    NCI_TRY(nci_axis_regular(n, 1, &l->grid.axis[d], err));
    return nci_reach_copy(&borrowed, n, &l->reach[d], err);
}

static ncg_status reach_same(level *l, int d, const nci_axis *axis,
                             ncg_error *err)
{
    NCI_TRY(nci_axis_from_edges(axis->edge, axis->nchunks, &l->grid.axis[d],
                                err));
    return nci_reach_follow(d, axis, 1, 1, 0, 0, nci_axis_size(axis),
                            &l->reach[d], err);
}

static ncg_status add_numbers(level *l, ncg_error *err)
{
    return nci_axis_regular(l->options->length, l->options->length,
                            &l->grid.axis[l->rank], err);
}

static void start_level(level *l, int rank)
{
    memset(&l->grid, 0, sizeof l->grid);
    l->grid.rank = rank;
    for (int a = 0; a < NCG_MAX_RANK; a++)
        l->reach[a] = (nci_reach){.from = -1};
}

static ncg_status chunks_to_states(level *l, nci_node *input, nci_node **out,
                                   ncg_error *err)
{
    nci_grid grid = {0};
    start_level(l, l->rank + 1);
    ncg_status st = nci_node_grid(input, &grid, err);
    for (int d = 0; !st && d < l->rank; d++)
        st = l->over[d] ? reach_edges(l, d, grid.axis[d].nchunks,
                                      grid.axis[d].edge, err)
                        : reach_same(l, d, &grid.axis[d], err);
    if (!st)
        st = add_numbers(l, err);
    if (!st)
        st = make_node(l, l->options->chunk, l->options->state, input, out,
                       err);
    nci_grid_fini(&grid);
    level_fini(l);
    return st;
}

/* How many neighbours along each of `naxes` axes are combined at once. */
static int64_t fan_in(int naxes)
{
    int64_t n = FAN_IN, each = FAN_IN;
    while (each > 2 && n > FAN_IN - 1) {
        n = 1;
        for (int i = 0; i < naxes; i++)
            n *= each;
        if (n <= FAN_IN)
            break;
        each--;
    }
    return each;
}

static ncg_status combine_axis(level *l, int d, const nci_node *states,
                               int64_t every, ncg_error *err)
{
    nci_axis groups = {0};
    NCI_TRY(nci_axis_regular(states->shape[d], every, &groups, err));
    ncg_status st = reach_edges(l, d, groups.nchunks, groups.edge, err);
    nci_axis_fini(&groups);
    return st;
}

static ncg_status combine_once(level *l, nci_node *states, int64_t every,
                               nci_node **out, ncg_error *err)
{
    start_level(l, l->rank + 1);
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < l->rank; d++)
        st = l->over[d] ? combine_axis(l, d, states, every, err)
                        : reach_same(l, d, &states->grid.axis[d], err);
    if (!st)
        st = add_numbers(l, err);
    if (!st)
        st = make_node(l, l->options->combine, l->options->state, states, out,
                       err);
    level_fini(l);
    return st;
}

static ncg_status combine_all(level *l, nci_node **states, ncg_error *err)
{
    for (;;) {
        int naxes = 0;
        nci_node *next = NULL;
        for (int d = 0; d < l->rank; d++)
            naxes += l->over[d] && (*states)->shape[d] > 1;
        if (!naxes)
            return NCG_OK;
        NCI_TRY(combine_once(l, *states, fan_in(naxes), &next, err));
        nci_node_release(states);
        *states = next;
    }
}

/* ---- the result ------------------------------------------------------------------ */

static ncg_status run_finish(level *l, nci_node *states, ncg_dtype dtype,
                             nci_node **out, ncg_error *err)
{
    ncg_status st = NCG_OK;
    int rank = 0;
    start_level(l, 0);
    for (int d = 0; !st && d < l->rank; d++) {
        const nci_axis *axis = &states->grid.axis[d];
        if (l->over[d] && !l->options->keepdims)
            continue;
        l->grid.rank = rank + 1;
        st = nci_axis_from_edges(axis->edge, axis->nchunks,
                                 &l->grid.axis[rank], err);
        if (!st)
            st = nci_reach_follow(rank, axis, 1, 1, 0, 0, nci_axis_size(axis),
                                  &l->reach[d], err);
        rank++;
    }
    if (!st)
        st = make_node(l, l->options->finish, dtype, states, out, err);
    level_fini(l);
    return st;
}

static ncg_status drop_axes(const level *l, nci_node *states, ncg_dtype dtype,
                            nci_node **out, ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK];
    int axis[NCG_MAX_RANK], rank = 0;
    nci_node *view = NULL;
    for (int d = 0; d < l->rank; d++)
        if (!l->over[d] || l->options->keepdims) {
            shape[rank] = states->shape[d];
            axis[rank++] = d;
        }
    ncg_status st = nci_ops_view(states, rank, shape, axis, &view, err);
    if (!st && dtype == states->dtype)
        *out = nci_node_retain(view);
    else if (!st)
        st = nci_ops_map(NCI_MAP_CAST, dtype, &view, 1, out, err);
    nci_node_release(&view);
    return st;
}

/* ---- checks ---------------------------------------------------------------------- */

static ncg_status check_kernel(const ncg_context *ctx, const char *role,
                               const char *kernel, ncg_error *err)
{
    if (!kernel)
        return nci_fail(err, NCG_EINVAL, "no kernel to %s is named", role);
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    if (!nci_kernel_find(nci_executor_kernels(ctx->executor), kernel))
        return nci_fail(err, NCG_ENOTFOUND,
                        "kernel %.200s is not known here: register it with "
                        "ncg_kernel_register",
                        kernel);
    return NCG_OK;
}

static bool is_number(ncg_dtype dtype)
{
    return (unsigned)dtype <= NCG_DTYPE_STRING && nci_dtype_is_numeric(dtype);
}

static ncg_status check(const ncg_array *array,
                        const ncg_reduction_options *options, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!options)
        return nci_array_null("the options, which name the kernels,", err);
    NCI_TRY(nci_options_check(options->struct_size, sizeof *options,
                              "NCG_REDUCTION_OPTIONS_INIT", err));
    NCI_TRY(check_kernel(array->ctx, "reduce a chunk", options->chunk, err));
    NCI_TRY(check_kernel(array->ctx, "combine states", options->combine, err));
    if (options->finish)
        NCI_TRY(check_kernel(array->ctx, "finish", options->finish, err));
    if (options->nparams && !options->params)
        return nci_array_null("the parameters of the kernels", err);
    if (!is_number(options->state) ||
        (options->dtype != NCG_DTYPE_NONE && !is_number(options->dtype)))
        return nci_fail(err, NCG_EINVAL,
                        "dtypes %d and %d: state and result are numbers",
                        (int)options->state, (int)options->dtype);
    if (options->length < 1 || (!options->finish && options->length > 1))
        return nci_fail(err, NCG_EINVAL,
                        "a state of %lld numbers: at least 1, and 1 where no "
                        "kernel finishes it",
                        (long long)options->length);
    if (array->node->rank == NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL,
                        "an array of %d axes leaves no axis for the state",
                        NCG_MAX_RANK);
    if (ncg_array_size(array) == 0)
        return nci_fail(err, NCG_EINVAL, "the array has no values");
    return NCG_OK;
}

ncg_status ncg_array_reduction(ncg_array *array, const int *axes, size_t naxes,
                               const ncg_reduction_options *options,
                               ncg_array **out, ncg_error *err)
{
    level l = {.options = options};
    nci_node *states = NULL, *node = NULL;
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(check(array, options, err));
    NCI_TRY(nci_array_axes(array, axes, naxes, l.over, err));
    l.rank = array->node->rank;
    ncg_dtype dtype = options->dtype ? options->dtype : options->state;
    ncg_status st = chunks_to_states(&l, array->node, &states, err);
    if (!st)
        st = combine_all(&l, &states, err);
    if (!st)
        st = options->finish ? run_finish(&l, states, dtype, &node, err)
                             : drop_axes(&l, states, dtype, &node, err);
    nci_node_release(&states);
    return nci_array_done(array->ctx, st, node, out, err);
}
