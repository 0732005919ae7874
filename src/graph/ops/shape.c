/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joining arrays. A chunk of the result lies in one input: no chunk waits for
 * two of them, and each input keeps its own chunks along the axis.
 */
#include <string.h>

#include "base/mem.h"
#include "graph/ops/blocks.h"

/* Inputs of one BLOCK node, at most; more are joined group by group. Each
 * input has a list of all chunks along the axis. */
enum { MOST_INPUTS = 64 };

/* ---- what fits together
 * -------------------------------------------------------- */

static ncg_status check_shapes(nci_node *const *inputs, int n, int axis,
                               ncg_error *err)
{
    char a[NCI_SHAPE_TEXT], b[NCI_SHAPE_TEXT];
    const nci_node *first = inputs[0];
    for (int i = 0; i < n; i++) {
        const nci_node *node = inputs[i];
        bool fits = node->rank == first->rank;
        for (int d = 0; fits && d < node->rank; d++)
            fits = d == axis || node->shape[d] == first->shape[d];
        if (!fits)
            return nci_fail(err, NCG_EINVAL,
                            "concat: array %d of shape %.150s does not join "
                            "one of shape %.150s along axis %d",
                            i, nci_shape_text(node->rank, node->shape, a),
                            nci_shape_text(first->rank, first->shape, b), axis);
        NCI_TRY(nci_ops_check_numeric(node, "concat", err));
    }
    return NCG_OK;
}

/* The inputs that have values, of one dtype, each with a reference. */
typedef struct parts {
    nci_node **nodes;
    int n;
} parts;

static void parts_fini(parts *p)
{
    for (int i = 0; i < p->n; i++)
        nci_node_release(&p->nodes[i]);
    nci_free(p->nodes);
}

/* Floats first, as NumPy does: i2, u2 and f4 meet in f4, though i2 and u2 alone
 * do so in i4. */
static ncg_dtype meeting_dtype(nci_node *const *inputs, int n)
{
    ncg_dtype dtype = NCG_DTYPE_NONE;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            ncg_dtype one = inputs[i]->dtype;
            if (nci_dtype_is_float(one) == (pass == 0))
                dtype = dtype ? nci_dtype_promote(dtype, one) : one;
        }
    return dtype;
}

static ncg_status parts_of(nci_node *const *inputs, int n, int axis, parts *out,
                           ncg_error *err)
{
    ncg_dtype dtype = meeting_dtype(inputs, n);
    *out = (parts){.nodes = nci_calloc((size_t)n, sizeof *out->nodes)};
    if (!out->nodes)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < n; i++) {
        bool is_last_chance = i == n - 1 && out->n == 0;
        if (inputs[i]->shape[axis] == 0 && !is_last_chance)
            continue;
        NCI_TRY(nci_ops_cast(inputs[i], dtype, &out->nodes[out->n], err));
        out->n++;
    }
    return NCG_OK;
}

/* ---- the node
 * ------------------------------------------------------------------ */

static int64_t size_of(const nci_node *node)
{
    int64_t n = 1;
    for (int d = 0; d < node->rank; d++)
        n *= node->shape[d];
    return n;
}

/* Chunks of the inputs along the axis; along the others those of the largest
 * one. */
static ncg_status joined_grid(const parts *p, int axis, nci_grid *out,
                              ncg_error *err)
{
    nci_grid *grids = nci_calloc((size_t)p->n, sizeof *grids);
    const nci_axis **axes = nci_calloc((size_t)p->n, sizeof *axes);
    int largest = 0;
    ncg_status st =
        grids && axes ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < p->n; i++) {
        st = nci_ops_work_grid(p->nodes[i], &grids[i], err);
        if (st)
            break;
        if (size_of(p->nodes[i]) > size_of(p->nodes[largest]))
            largest = i;
        axes[i] = &grids[i].axis[axis];
    }
    if (!st)
        st = nci_grid_copy(&grids[largest], out, err);
    if (!st) {
        nci_axis_fini(&out->axis[axis]);
        out->axis[axis] = (nci_axis){0};
        st = nci_axis_join(axes, p->n, &out->axis[axis], err);
    }
    for (int i = 0; grids && i < p->n; i++)
        nci_grid_fini(&grids[i]);
    nci_free(grids);
    nci_free(axes);
    return st;
}

static ncg_status reach_input(const nci_grid *grid, int axis, int64_t start,
                              const nci_node *node, nci_reach *reach,
                              ncg_error *err)
{
    const nci_axis *ours = &grid->axis[axis];
    int64_t size = node->shape[axis];
    NCI_TRY(nci_reach_same_box(grid, reach, err));
    for (int64_t c = 0; c < ours->nchunks; c++) {
        bool is_inside =
            ours->edge[c] >= start && ours->edge[c + 1] <= start + size;
        reach[axis].low[c] = is_inside ? ours->edge[c] - start : 0;
        reach[axis].high[c] = is_inside ? ours->edge[c + 1] - start : 0;
    }
    return NCG_OK;
}

/* The marker of integers: that of the first input which has one. */
static void set_missing(const parts *p, nci_block_spec *spec)
{
    for (int i = 0; i < p->n && !spec->has_missing; i++) {
        if (!p->nodes[i]->has_missing)
            continue;
        spec->has_missing = true;
        memcpy(spec->missing, p->nodes[i]->missing, sizeof spec->missing);
    }
}

static ncg_status join(const parts *p, int axis, nci_node **out, ncg_error *err)
{
    nci_grid grid = {0};
    int64_t start = 0;
    nci_reach *reach = nci_reach_array(p->n, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = joined_grid(p, axis, &grid, err);
    for (int i = 0; !st && i < p->n; i++) {
        st = reach_input(&grid, axis, start, p->nodes[i],
                         &reach[i * NCG_MAX_RANK], err);
        start += p->nodes[i]->shape[axis];
    }
    nci_block_spec spec = {.kernel = "ncg.concat/1",
                           .dtype = p->nodes[0]->dtype,
                           .grid = &grid,
                           .ninputs = p->n,
                           .inputs = p->nodes,
                           .reach = reach};
    set_missing(p, &spec);
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, p->n);
    nci_grid_fini(&grid);
    return st;
}

static ncg_status join_all(const parts *p, int axis, nci_node **out,
                           ncg_error *err)
{
    if (p->n == 1) {
        *out = nci_node_retain(p->nodes[0]);
        return NCG_OK;
    }
    if (p->n <= MOST_INPUTS)
        return join(p, axis, out, err);
    int ngroups = (p->n + MOST_INPUTS - 1) / MOST_INPUTS;
    parts groups = {.nodes = nci_calloc((size_t)ngroups, sizeof *groups.nodes)};
    ncg_status st =
        groups.nodes ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int g = 0; !st && g < ngroups; g++) {
        int low = g * MOST_INPUTS, rest = p->n - low;
        parts part = {p->nodes + low, rest < MOST_INPUTS ? rest : MOST_INPUTS};
        st = join_all(&part, axis, &groups.nodes[g], err);
        if (!st)
            groups.n++;
    }
    if (!st)
        st = join_all(&groups, axis, out, err);
    parts_fini(&groups);
    return st;
}

ncg_status nci_ops_concat(nci_node *const *inputs, int n, int axis,
                          nci_node **out, ncg_error *err)
{
    if (n < 1)
        return nci_fail(err, NCG_EINVAL, "concat: no arrays");
    NCI_TRY(nci_ops_check_axis(inputs[0], axis, "concat", err));
    NCI_TRY(check_shapes(inputs, n, axis, err));
    parts p = {0};
    ncg_status st = parts_of(inputs, n, axis, &p, err);
    if (!st)
        st = join_all(&p, axis, out, err);
    parts_fini(&p);
    return st;
}

/* ---- a new axis
 * ------------------------------------------------------------------ */

static ncg_status with_axis(nci_node *input, int axis, nci_node **out,
                            ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK];
    int from[NCG_MAX_RANK];
    for (int d = 0; d <= input->rank; d++) {
        from[d] = d == axis ? -1 : d < axis ? d : d - 1;
        shape[d] = d == axis ? 1 : input->shape[from[d]];
    }
    return nci_ops_view(input, input->rank + 1, shape, from, out, err);
}

ncg_status nci_ops_stack(nci_node *const *inputs, int n, int axis,
                         nci_node **out, ncg_error *err)
{
    if (n < 1)
        return nci_fail(err, NCG_EINVAL, "stack: no arrays");
    int rank = inputs[0]->rank;
    if (axis < 0 || axis > rank || rank == NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL,
                        "stack: new axis %d of arrays of rank %d", axis, rank);
    NCI_TRY(check_shapes(inputs, n, -1, err));
    parts p = {.nodes = nci_calloc((size_t)n, sizeof *p.nodes)};
    ncg_status st =
        p.nodes ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < n; i++) {
        st = with_axis(inputs[i], axis, &p.nodes[i], err);
        if (!st)
            p.n++;
    }
    if (!st)
        st = nci_ops_concat(p.nodes, n, axis, out, err);
    parts_fini(&p);
    return st;
}
