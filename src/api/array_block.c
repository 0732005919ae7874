/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays whose chunks a kernel of the program makes: map_blocks, map_overlap,
 * blockwise. */
#include <string.h>

#include "api/array_block.h"
#include "base/dtype.h"
#include "base/mem.h"

/* ---- what all have in common --------------------------------------------------- */

static ncg_status check_kernel(const ncg_context *ctx, const char *kernel,
                               ncg_error *err)
{
    if (!kernel)
        return nci_array_null("the name of the kernel", err);
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    if (!nci_kernel_find(nci_executor_kernels(ctx->executor), kernel))
        return nci_fail(err, NCG_ENOTFOUND,
                        "kernel %.200s is not known here: register it with "
                        "ncg_kernel_register",
                        kernel);
    return NCG_OK;
}

static ncg_status check_options(const ncg_block_options *options,
                                ncg_error *err)
{
    NCI_TRY(nci_options_check(options->struct_size, sizeof *options,
                              "NCG_BLOCK_OPTIONS_INIT", err));
    if (options->nparams && !options->params)
        return nci_array_null("the parameters of the kernel", err);
    if (options->dtype != NCG_DTYPE_NONE &&
        ((unsigned)options->dtype > NCG_DTYPE_STRING ||
         !nci_dtype_is_numeric(options->dtype)))
        return nci_fail(err, NCG_EINVAL, "a kernel cannot make dtype %d (%s)",
                        (int)options->dtype, ncg_dtype_name(options->dtype));
    return NCG_OK;
}

ncg_status nci_block_begin(nci_block_make *make, const char *kernel,
                           ncg_array *const *inputs, size_t ninputs,
                           const ncg_block_options *options, ncg_error *err)
{
    static const ncg_block_options defaults = NCG_BLOCK_OPTIONS_INIT;
    memset(make, 0, sizeof *make);
    options = options ? options : &defaults;
    NCI_TRY(check_options(options, err));
    NCI_TRY(nci_arrays_nodes(inputs, ninputs, &make->nodes, err));
    make->spec = (nci_block_spec){.name = options->name,
                                  .kernel = kernel,
                                  .params = options->params,
                                  .nparams = options->nparams,
                                  .dtype = options->dtype,
                                  .has_missing = options->missing != NULL,
                                  .grid = &make->grid,
                                  .ninputs = (int)ninputs,
                                  .inputs = make->nodes};
    if (!make->spec.dtype)
        make->spec.dtype = make->nodes[0]->dtype;
    if (options->missing)
        memcpy(make->spec.missing, options->missing,
               ncg_dtype_size(make->spec.dtype));
    NCI_TRY(check_kernel(inputs[0]->ctx, kernel, err));
    make->reach = nci_calloc(ninputs * NCG_MAX_RANK, sizeof *make->reach);
    if (!make->reach)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < ninputs * NCG_MAX_RANK; i++)
        make->reach[i].from = -1;
    make->spec.reach = make->reach;
    return NCG_OK;
}

ncg_status nci_block_end(nci_block_make *make, ncg_context *ctx, ncg_status st,
                         ncg_array **out, ncg_error *err)
{
    nci_node *node = NULL;
    if (!st)
        st = nci_node_block(&make->spec, &node, err);
    for (int i = 0; make->reach && i < make->spec.ninputs * NCG_MAX_RANK; i++)
        nci_reach_fini(&make->reach[i]);
    nci_free(make->reach);
    nci_free(make->nodes);
    nci_grid_fini(&make->grid);
    return nci_array_done(ctx, st, node, out, err);
}

/* ---- map_blocks ------------------------------------------------------------------ */

/* Each axis in the chunks of the input that cuts it most. */
static ncg_status finest_grid(const nci_block_make *make, int rank,
                              const int64_t *shape, nci_grid *out,
                              ncg_error *err)
{
    nci_grid best = {0};
    int64_t one[NCG_MAX_RANK];
    for (int d = 0; d < rank; d++)
        one[d] = shape[d] > 0 ? shape[d] : 1;
    NCI_TRY(nci_grid_regular(rank, shape, one, &best, err));
    ncg_status st = NCG_OK;
    for (int i = 0; !st && i < make->spec.ninputs; i++) {
        const nci_node *node = make->nodes[i];
        nci_grid grid = {0};
        st = nci_node_grid(node, &grid, err);
        for (int a = 0; !st && a < node->rank; a++) {
            int d = a + rank - node->rank;
            if (grid.axis[a].nchunks <= best.axis[d].nchunks ||
                node->shape[a] != shape[d])
                continue;
            nci_axis_fini(&best.axis[d]);
            best.axis[d] = grid.axis[a];
            grid.axis[a] = (nci_axis){0};
        }
        nci_grid_fini(&grid);
    }
    if (st)
        nci_grid_fini(&best);
    else
        *out = best;
    return st;
}

/* Input i lies at the end of the result's axes; where it has one position it
 * is the same for all. */
static ncg_status reach_alike(nci_block_make *make, int i, ncg_error *err)
{
    const nci_node *node = make->nodes[i];
    int ahead = make->grid.rank - node->rank;
    if (ahead < 0)
        return nci_fail(err, NCG_EINVAL,
                        "input %d has %d axes, the result %d: say what it "
                        "needs by a reach",
                        i, node->rank, make->grid.rank);
    for (int a = 0; a < node->rank; a++) {
        const nci_axis *ours = &make->grid.axis[a + ahead];
        int64_t size = node->shape[a];
        if (size == 1)
            continue;
        if (size != nci_axis_size(ours))
            return nci_fail(err, NCG_EINVAL,
                            "axis %d of input %d has %lld positions, that of "
                            "the result %lld: say what is needed by a reach",
                            a, i, (long long)size,
                            (long long)nci_axis_size(ours));
        NCI_TRY(nci_reach_follow(a + ahead, ours, 1, 1, 0, 0, size,
                                 &make->reach[i * NCG_MAX_RANK + a], err));
    }
    return NCG_OK;
}

ncg_status ncg_array_map_blocks(const char *kernel, ncg_array *const *inputs,
                                size_t ninputs,
                                const ncg_block_options *options,
                                ncg_array **out, ncg_error *err)
{
    nci_block_make make;
    int rank = 0;
    int64_t shape[NCG_MAX_RANK] = {0};
    if (!out)
        return nci_array_null("the place for the result", err);
    ncg_status st =
        nci_block_begin(&make, kernel, inputs, ninputs, options, err);
    if (!st)
        st = nci_ops_broadcast_shape(make.nodes, (int)ninputs, &rank, shape,
                                     err);
    if (!st)
        st = finest_grid(&make, rank, shape, &make.grid, err);
    for (int i = 0; !st && i < (int)ninputs; i++)
        st = reach_alike(&make, i, err);
    return nci_block_end(&make, st ? NULL : inputs[0]->ctx, st, out, err);
}

/* ---- map_overlap ------------------------------------------------------------------- */

typedef enum boundary { NONE, REFLECT, PERIODIC, NEAREST } boundary;

static ncg_status find_boundary(const char *name, boundary *out, ncg_error *err)
{
    static const char *const names[] = {[NONE] = "none",
                                        [REFLECT] = "reflect",
                                        [PERIODIC] = "periodic",
                                        [NEAREST] = "nearest"};
    int which = nci_word_find("the boundary", name ? name : "none", names,
                              sizeof names / sizeof names[0], err);
    if (which < 0)
        return NCG_EINVAL;
    *out = (boundary)which;
    return NCG_OK;
}

static ncg_status check_depth(const nci_node *node, const int64_t *depth,
                              ncg_error *err)
{
    if (node->rank && !depth)
        return nci_array_null("the list of depths", err);
    for (int d = 0; d < node->rank; d++)
        if (depth[d] < 0 || depth[d] > node->shape[d])
            return nci_fail(err, NCG_EINVAL,
                            "depth %lld along axis %d: 0 to its size, which "
                            "is %lld",
                            (long long)depth[d], d, (long long)node->shape[d]);
    return NCG_OK;
}

/* The array with what lies beyond its ends; dask's "reflect" repeats the end,
 * which is NumPy's "symmetric". */
static ncg_status extend(nci_node *node, const int64_t *depth, boundary which,
                         nci_node **out, ncg_error *err)
{
    static const nci_pad_mode modes[] = {[REFLECT] = NCI_PAD_SYMMETRIC,
                                         [PERIODIC] = NCI_PAD_WRAP,
                                         [NEAREST] = NCI_PAD_EDGE};
    static const uint8_t zero[8];
    if (which != NONE)
        return nci_ops_pad(node, depth, depth, modes[which], zero, out, err);
    *out = nci_node_retain(node);
    return NCG_OK;
}

ncg_status ncg_array_map_overlap(const char *kernel, ncg_array *array,
                                 const int64_t *depth, const char *boundary_,
                                 const ncg_block_options *options,
                                 ncg_array **out, ncg_error *err)
{
    nci_block_make make;
    boundary which;
    nci_node *wide = NULL;
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(find_boundary(boundary_, &which, err));
    NCI_TRY(check_depth(array->node, depth, err));
    ncg_status st = nci_block_begin(&make, kernel, &array, 1, options, err);
    if (!st)
        st = nci_node_grid(array->node, &make.grid, err);
    if (!st)
        st = extend(array->node, depth, which, &wide, err);
    for (int d = 0; !st && d < wide->rank; d++)
        st = nci_reach_follow(d, &make.grid.axis[d], 1, 1,
                              which == NONE ? depth[d] : 0,
                              which == NONE ? depth[d] : 2 * depth[d],
                              wide->shape[d], &make.reach[d], err);
    if (!st)
        make.nodes[0] = wide;
    st = nci_block_end(&make, array->ctx, st, out, err);
    nci_node_release(&wide);
    return st;
}

/* ---- blockwise ---------------------------------------------------------------------- */

static ncg_status reach_listed(const ncg_reach *from, const nci_axis *ours,
                               nci_reach *out, ncg_error *err)
{
    nci_reach borrowed = {from->axis, (int64_t *)(uintptr_t)from->low,
                          (int64_t *)(uintptr_t)from->high};
    if (!from->low || !from->high)
        return nci_array_null("one of the lists low and high", err);
    return nci_reach_copy(&borrowed, ours->nchunks, out, err);
}

static ncg_status reach_axis(nci_block_make *make, int i, int a,
                             const ncg_reach *from, ncg_error *err)
{
    nci_reach *to = &make->reach[i * NCG_MAX_RANK + a];
    int64_t mul = from->mul ? from->mul : 1, div = from->div ? from->div : 1;
    if (from->axis == -1)
        return NCG_OK;
    if (from->axis < 0 || from->axis >= make->grid.rank)
        return nci_fail(err, NCG_EINVAL,
                        "axis %d of input %d follows axis %d of a result of "
                        "rank %d",
                        a, i, from->axis, make->grid.rank);
    const nci_axis *ours = &make->grid.axis[from->axis];
    if (from->low || from->high)
        return reach_listed(from, ours, to, err);
    if (mul < 1 || div < 1 || from->before < 0 || from->after < 0)
        return nci_fail(err, NCG_EINVAL,
                        "the reach into axis %d of input %d has a negative "
                        "number",
                        a, i);
    if (nci_axis_size(ours) > INT64_MAX / mul - div ||
        from->before > INT64_MAX / 4 || from->after > INT64_MAX / 4)
        return nci_fail(err, NCG_EINVAL,
                        "the reach into axis %d of input %d is too large", a,
                        i);
    return nci_reach_follow(from->axis, ours, mul, div, from->before,
                            from->after, make->nodes[i]->shape[a], to, err);
}

ncg_status ncg_array_blockwise(const char *kernel, int rank,
                               const ncg_chunks *chunks,
                               ncg_array *const *inputs,
                               const ncg_reach *const *reach, size_t ninputs,
                               const ncg_block_options *options,
                               ncg_array **out, ncg_error *err)
{
    nci_block_make make;
    if (!out)
        return nci_array_null("the place for the result", err);
    ncg_status st =
        nci_block_begin(&make, kernel, inputs, ninputs, options, err);
    if (!st)
        st = nci_grid_of_chunks(rank, chunks, NULL, &make.grid, err);
    for (int i = 0; !st && i < (int)ninputs; i++) {
        if (!reach || !reach[i])
            st = reach_alike(&make, i, err);
        for (int a = 0; !st && reach && reach[i] && a < make.nodes[i]->rank;
             a++)
            st = reach_axis(&make, i, a, &reach[i][a], err);
    }
    return nci_block_end(&make, st ? NULL : inputs[0]->ctx, st, out, err);
}
