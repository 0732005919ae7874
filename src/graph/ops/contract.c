/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums of products over pairs of axes, in chunks. A chunk of the result sums
 * over chunks of the pairs: one task makes the part of one of them, and parts
 * are added four at a time, so that few of them live at once.
 *
 *     a: i k      parts: (k), i, j      (k / 4), i, j      ...     i, j
 *     b: k j
 *
 * Floats are multiplied and added in double up to the end, f4 is rounded once
 * (BLAS rounds each sum). Integers wrap, bool is "or" of "and", as in NumPy.
 */
#include "graph/ops/contract.h"

#include <string.h>

#include "base/mem.h"
#include "graph/ops/blocks.h"

enum {
    SIDE = 1024,      /* positions of a chunk along i, j and k together */
    DEEP_SIDE = 4096, /* along k, where i or j are few */
    FEW = 64,
    BATCH_VALUES = 1 << 20, /* of an input, in the chunks of a batch */
    ARITY = 4               /* parts that are added at a time */
};

/* a, b: where the axes go; see contract.h. */
typedef struct contraction {
    nci_node *in[2];
    nci_contract_params params;
    int rank;                    /* of the result */
    int64_t shape[NCG_MAX_RANK]; /* of the result */
    ncg_dtype dtype, part;       /* of the result, of partial sums */
    nci_grid grid;               /* of the result */
    nci_axis pair[NCG_MAX_RANK]; /* chunks of the pairs */
    int64_t nparts;
} contraction;

static const int64_t *targets_of(const contraction *c, int side)
{
    return side ? c->params.b : c->params.a;
}

static int find(const contraction *c, int side, int64_t target)
{
    const int64_t *targets = targets_of(c, side);
    for (int a = 0; a < c->in[side]->rank; a++)
        if (targets[a] == target)
            return a;
    return -1;
}

static ncg_dtype part_dtype(const nci_node *node)
{
    return node->has_missing ? nci_dtype_real(node->dtype) : node->dtype;
}

static void set_dtypes(contraction *c)
{
    c->dtype = nci_dtype_promote(part_dtype(c->in[0]), part_dtype(c->in[1]));
    c->part = nci_dtype_is_float(c->dtype) ? NCG_DTYPE_F64
              : c->dtype == NCG_DTYPE_BOOL ? NCG_DTYPE_BOOL
                                           : NCG_DTYPE_I64;
}

static void contraction_fini(contraction *c)
{
    nci_grid_fini(&c->grid);
    for (int n = 0; n < NCG_MAX_RANK; n++)
        nci_axis_fini(&c->pair[n]);
}

/* ---- chunks
 * --------------------------------------------------------------------- */

typedef enum part_of { IS_I, IS_J, IS_BATCH } part_of;

static part_of part_of_axis(const contraction *c, int d)
{
    bool in_a = find(c, 0, d) >= 0, in_b = find(c, 1, d) >= 0;
    return in_a && in_b ? IS_BATCH : in_a ? IS_I : IS_J;
}

static double size_of(const contraction *c, part_of part)
{
    double n = 1;
    for (int d = 0; d < c->rank; d++)
        if (part_of_axis(c, d) == part)
            n *= (double)c->shape[d];
    return n;
}

/* Axes of one part of the result, the last ones longest, `most` positions
 * together; returns how many there are. */
static ncg_status chunk_part(contraction *c, const nci_grid *seen, part_of part,
                             int64_t most, int64_t *made, ncg_error *err)
{
    *made = 1;
    for (int d = c->rank - 1; d >= 0; d--) {
        if (part_of_axis(c, d) != part)
            continue;
        int side = find(c, 0, d) >= 0 ? 0 : 1;
        const nci_axis *axis = &seen[side].axis[find(c, side, d)];
        NCI_TRY(nci_axis_fit(axis, most / *made < 1 ? 1 : most / *made,
                             &c->grid.axis[d], err));
        *made *= nci_axis_longest(&c->grid.axis[d]);
    }
    return NCG_OK;
}

static ncg_status chunk_pairs(contraction *c, const nci_grid *seen,
                              int64_t most, int64_t *made, ncg_error *err)
{
    *made = 1;
    c->nparts = 1;
    for (int n = (int)c->params.npairs - 1; n >= 0; n--) {
        const nci_axis *axis = &seen[0].axis[find(c, 0, -1 - n)];
        NCI_TRY(nci_axis_fit(axis, most / *made < 1 ? 1 : most / *made,
                             &c->pair[n], err));
        *made *= nci_axis_longest(&c->pair[n]);
        c->nparts *= c->pair[n].nchunks;
    }
    return NCG_OK;
}

static ncg_status chunk_all(contraction *c, const nci_grid *seen,
                            ncg_error *err)
{
    int64_t i, j, k, batch;
    bool is_thin = size_of(c, IS_I) < FEW || size_of(c, IS_J) < FEW;
    c->grid.rank = c->rank;
    NCI_TRY(chunk_part(c, seen, IS_I, SIDE, &i, err));
    NCI_TRY(chunk_part(c, seen, IS_J, SIDE, &j, err));
    NCI_TRY(chunk_pairs(c, seen, is_thin ? DEEP_SIDE : SIDE, &k, err));
    int64_t most = i * k > k * j ? i * k : k * j;
    most = most > i * j ? most : i * j;
    return chunk_part(c, seen, IS_BATCH,
                      most < BATCH_VALUES ? BATCH_VALUES / most : 1, &batch,
                      err);
}

static ncg_status choose_chunks(contraction *c, ncg_error *err)
{
    nci_grid seen[2] = {{0}};
    ncg_status st = nci_node_grid(c->in[0], &seen[0], err);
    if (!st)
        st = nci_node_grid(c->in[1], &seen[1], err);
    if (!st)
        st = chunk_all(c, seen, err);
    nci_grid_fini(&seen[0]);
    nci_grid_fini(&seen[1]);
    return st;
}

/* ---- parts
 * -------------------------------------------------------------------------- */

/* Part p is chunk p of all pairs in row-major order. */
static ncg_status reach_pair(const contraction *c, int n, nci_reach *reach,
                             ncg_error *err)
{
    int64_t below = 1;
    if (c->nparts == 1)
        return NCG_OK; /* the whole axis */
    for (int m = n + 1; m < c->params.npairs; m++)
        below *= c->pair[m].nchunks;
    NCI_TRY(nci_reach_alloc(0, c->nparts, reach, err));
    for (int64_t p = 0; p < c->nparts; p++) {
        int64_t chunk = p / below % c->pair[n].nchunks;
        reach->low[p] = c->pair[n].edge[chunk];
        reach->high[p] = c->pair[n].edge[chunk + 1];
    }
    return NCG_OK;
}

static ncg_status reach_input(const contraction *c, int side, nci_reach *reach,
                              ncg_error *err)
{
    const int64_t *targets = targets_of(c, side);
    int first = c->nparts > 1;
    for (int a = 0; a < c->in[side]->rank; a++) {
        int target = (int)targets[a];
        if (target < 0)
            NCI_TRY(reach_pair(c, -1 - target, &reach[a], err));
        else
            NCI_TRY(nci_reach_same(target + first, &c->grid.axis[target],
                                   &reach[a], err));
    }
    return NCG_OK;
}

/* The grid of the result with `n` parts in front of it. */
static ncg_status grid_of_parts(const contraction *c, int64_t n, nci_grid *out,
                                ncg_error *err)
{
    nci_grid grid = {.rank = c->rank + 1};
    ncg_status st = nci_axis_regular(n, 1, &grid.axis[0], err);
    for (int d = 0; !st && d < c->rank; d++)
        st = nci_axis_from_edges(c->grid.axis[d].edge, c->grid.axis[d].nchunks,
                                 &grid.axis[d + 1], err);
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

static ncg_status make_parts(contraction *c, nci_node **out, ncg_error *err)
{
    nci_grid grid = {0};
    bool is_partial = c->nparts > 1;
    nci_reach *reach = nci_reach_array(2, err);
    if (!reach)
        return NCG_ENOMEM;
    c->params.is_partial = is_partial;
    ncg_status st = reach_input(c, 0, reach, err);
    if (!st)
        st = reach_input(c, 1, reach + NCG_MAX_RANK, err);
    if (!st && is_partial)
        st = grid_of_parts(c, c->nparts, &grid, err);
    nci_block_spec spec = {.kernel = "ncg.contract/1",
                           .params = &c->params,
                           .nparams = sizeof c->params,
                           .dtype = is_partial ? c->part : c->dtype,
                           .grid = is_partial ? &grid : &c->grid,
                           .ninputs = 2,
                           .inputs = c->in,
                           .reach = reach};
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 2);
    nci_grid_fini(&grid);
    return st;
}

/* Adds parts, ARITY at a time; the last ones give the result. */
static ncg_status add_parts(const contraction *c, nci_node *parts,
                            nci_node **out, ncg_error *err)
{
    int64_t n = parts->shape[0];
    bool is_last = n <= ARITY;
    nci_grid grid = {0};
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = NCG_OK;
    if (!is_last) {
        st = grid_of_parts(c, (n + ARITY - 1) / ARITY, &grid, err);
        if (!st)
            st = nci_reach_follow(0, &grid.axis[0], ARITY, 1, 0, 0, n,
                                  &reach[0], err);
    }
    for (int d = 0; !st && d < c->rank; d++)
        st = nci_reach_same(d + !is_last, &c->grid.axis[d], &reach[d + 1], err);
    nci_block_spec spec = {.kernel = "ncg.sum/1",
                           .dtype = is_last ? c->dtype : c->part,
                           .grid = is_last ? &c->grid : &grid,
                           .ninputs = 1,
                           .inputs = &parts,
                           .reach = reach};
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&grid);
    return st;
}

/* Nothing to sum, or nowhere to put it. */
static ncg_status make_zeros(const contraction *c, nci_node **out,
                             ncg_error *err)
{
    nci_buf *buf = NULL;
    nci_node *zero = NULL;
    NCI_TRY(nci_buf_create(8, &buf, err));
    memset(nci_buf_data(buf), 0, 8);
    ncg_status st = nci_node_const(c->dtype, 0, NULL, buf, NULL, &zero, err);
    if (!st)
        st = nci_ops_broadcast(zero, c->rank, c->shape, out, err);
    nci_node_release(&zero);
    nci_buf_release(&buf);
    return st;
}

static bool is_empty(const contraction *c)
{
    for (int side = 0; side < 2; side++)
        for (int a = 0; a < c->in[side]->rank; a++)
            if (c->in[side]->shape[a] == 0)
                return true;
    return false;
}

static ncg_status contract(contraction *c, nci_node **out, ncg_error *err)
{
    nci_node *node = NULL;
    set_dtypes(c);
    if (is_empty(c))
        return make_zeros(c, out, err);
    ncg_status st = choose_chunks(c, err);
    if (!st && c->nparts > 1 && c->rank == NCG_MAX_RANK)
        st = nci_fail(err, NCG_EUNSUPPORTED,
                      "a product of rank %d summed over many chunks: merge "
                      "axes first",
                      c->rank);
    if (!st)
        st = make_parts(c, &node, err);
    while (!st && node->rank > c->rank) {
        nci_node *next = NULL;
        st = add_parts(c, node, &next, err);
        nci_node_release(&node);
        node = next;
    }
    if (!st)
        *out = node;
    contraction_fini(c);
    return st;
}

/* ---- tensordot
 * ------------------------------------------------------------------------ */

static ncg_status check_pairs(nci_node *a, nci_node *b, const int *axes_a,
                              const int *axes_b, int n, ncg_error *err)
{
    unsigned seen_a = 0, seen_b = 0;
    for (int i = 0; i < n; i++) {
        NCI_TRY(nci_ops_check_axis(a, axes_a[i], "tensordot", err));
        NCI_TRY(nci_ops_check_axis(b, axes_b[i], "tensordot", err));
        if (seen_a & 1u << axes_a[i] || seen_b & 1u << axes_b[i])
            return nci_fail(err, NCG_EINVAL,
                            "tensordot: axis %d or %d is named twice",
                            axes_a[i], axes_b[i]);
        seen_a |= 1u << axes_a[i];
        seen_b |= 1u << axes_b[i];
        if (a->shape[axes_a[i]] != b->shape[axes_b[i]])
            return nci_fail(err, NCG_EINVAL,
                            "tensordot: axis %d has %lld positions, axis %d "
                            "of the other array %lld",
                            axes_a[i], (long long)a->shape[axes_a[i]],
                            axes_b[i], (long long)b->shape[axes_b[i]]);
    }
    if (a->rank + b->rank - 2 * n > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL,
                        "tensordot: the result has rank %d, at most %d",
                        a->rank + b->rank - 2 * n, NCG_MAX_RANK);
    return NCG_OK;
}

/* Axes that are not summed over follow each other in the result. */
static void place_axes(contraction *c, int side, const int *axes, int n)
{
    int64_t *targets = side ? c->params.b : c->params.a;
    const nci_node *node = c->in[side];
    for (int a = 0; a < node->rank; a++) {
        int pair = -1;
        for (int i = 0; i < n; i++)
            if (axes[i] == a)
                pair = i;
        if (pair < 0)
            c->shape[c->rank] = node->shape[a];
        targets[a] = pair < 0 ? c->rank++ : -1 - pair;
    }
}

ncg_status nci_ops_tensordot(nci_node *a, nci_node *b, const int *axes_a,
                             const int *axes_b, int n, nci_node **out,
                             ncg_error *err)
{
    contraction c = {.in = {a, b}};
    NCI_TRY(nci_ops_check_numeric(a, "tensordot", err));
    NCI_TRY(nci_ops_check_numeric(b, "tensordot", err));
    if (n < 0)
        return nci_fail(err, NCG_EINVAL, "tensordot: %d pairs of axes", n);
    NCI_TRY(check_pairs(a, b, axes_a, axes_b, n, err));
    c.params.npairs = n;
    place_axes(&c, 0, axes_a, n);
    place_axes(&c, 1, axes_b, n);
    return contract(&c, out, err);
}

/* ---- matmul
 * ------------------------------------------------------------------------- */

static ncg_status check_matmul(const nci_node *a, const nci_node *b,
                               ncg_error *err)
{
    char ta[NCI_SHAPE_TEXT], tb[NCI_SHAPE_TEXT];
    NCI_TRY(nci_ops_check_numeric(a, "matmul", err));
    NCI_TRY(nci_ops_check_numeric(b, "matmul", err));
    bool fits =
        a->rank > 0 && b->rank > 0 &&
        a->shape[a->rank - 1] == b->shape[b->rank > 1 ? b->rank - 2 : 0];
    int na = a->rank - 2, nb = b->rank - 2;
    for (int k = 1; fits && k <= na && k <= nb; k++) {
        int64_t x = a->shape[na - k], y = b->shape[nb - k];
        fits = x == y || x == 1 || y == 1;
    }
    if (fits)
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL,
                    "matmul: shapes %.150s and %.150s do not "
                    "fit together",
                    nci_shape_text(a->rank, a->shape, ta),
                    nci_shape_text(b->rank, b->shape, tb));
}

/* Leaves out the axes of a batch along which `node` is repeated. targets: of
 * the axes that stay. */
static ncg_status drop_repeated(nci_node *node, const contraction *c,
                                int64_t *targets, nci_node **out,
                                ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK];
    int axis[NCG_MAX_RANK], rank = 0;
    for (int a = 0; a < node->rank; a++) {
        int64_t target = targets[a];
        if (target >= 0 && node->shape[a] != c->shape[target])
            continue;
        shape[rank] = node->shape[a];
        targets[rank] = target;
        axis[rank++] = a;
    }
    return nci_ops_view(node, rank, shape, axis, out, err);
}

/* The result: the batch, then the rows of a, then the columns of b. */
static void place_matrices(contraction *c, const nci_node *a, const nci_node *b)
{
    int na = a->rank > 2 ? a->rank - 2 : 0, nb = b->rank > 2 ? b->rank - 2 : 0;
    int batch = na > nb ? na : nb;
    for (int d = 0; d < batch; d++)
        c->shape[d] = 1;
    for (int k = 0; k < na; k++) {
        int target = batch - na + k;
        c->params.a[k] = target;
        c->shape[target] = a->shape[k];
    }
    for (int k = 0; k < nb; k++) {
        int target = batch - nb + k;
        c->params.b[k] = target;
        if (c->shape[target] == 1)
            c->shape[target] = b->shape[k];
    }
    c->rank = batch;
    if (a->rank > 1) {
        c->params.a[a->rank - 2] = c->rank;
        c->shape[c->rank++] = a->shape[a->rank - 2];
    }
    c->params.a[a->rank - 1] = -1;
    c->params.b[b->rank > 1 ? b->rank - 2 : 0] = -1;
    if (b->rank > 1) {
        c->params.b[b->rank - 1] = c->rank;
        c->shape[c->rank++] = b->shape[b->rank - 1];
    }
    c->params.npairs = 1;
}

ncg_status nci_ops_matmul(nci_node *a, nci_node *b, nci_node **out,
                          ncg_error *err)
{
    contraction c = {.in = {NULL, NULL}};
    NCI_TRY(check_matmul(a, b, err));
    place_matrices(&c, a, b);
    ncg_status st = drop_repeated(a, &c, c.params.a, &c.in[0], err);
    if (!st)
        st = drop_repeated(b, &c, c.params.b, &c.in[1], err);
    nci_node *bare[2] = {c.in[0], c.in[1]};
    if (!st)
        st = contract(&c, out, err);
    nci_node_release(&bare[0]);
    nci_node_release(&bare[1]);
    return st;
}
