/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exact quantiles. A task takes the reduced axes whole and a tile of the
 * others:
 *
 *     time |  a  |  b  |  c  |      three tasks, each all times of its cells
 *
 * so that chunks along the reduced axes stay until all tiles are made. Where
 * they do not fit into memory at a time and can be read again, they are read
 * once for each of a few parts of the cells, and only that part is kept; the
 * parts are inputs of one node, of which a task needs one.
 *
 * Reduced axes too long for a task are counted instead: quantile_long.c.
 */
#include "graph/ops/quantile.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/node_internal.h"
#include "graph/ops/blocks.h"
#include "graph/ops/quantile_build.h"

enum {
    TILE = 8 << 20,       /* bytes that a task takes */
    LEAST_TILE = 256 << 10,
    FEW_TILES = 16,
    PART_PERCENT = 72,    /* of the limit: the part that is kept */
    MOST_PARTS = 64,
    LONGEST = 32 << 20    /* bytes of one cell; longer ones are counted */
};

/* ---- names ---------------------------------------------------------------------- */

ncg_status nci_quantile_method_parse(const char *name,
                                     nci_quantile_method *out, ncg_error *err)
{
    static const char *const names[] = {
        [NCI_QUANTILE_INVERTED_CDF] = "inverted_cdf",
        [NCI_QUANTILE_AVERAGED_INVERTED_CDF] = "averaged_inverted_cdf",
        [NCI_QUANTILE_CLOSEST_OBSERVATION] = "closest_observation",
        [NCI_QUANTILE_INTERPOLATED_INVERTED_CDF] = "interpolated_inverted_cdf",
        [NCI_QUANTILE_HAZEN] = "hazen",
        [NCI_QUANTILE_WEIBULL] = "weibull",
        [NCI_QUANTILE_LINEAR] = "linear",
        [NCI_QUANTILE_MEDIAN_UNBIASED] = "median_unbiased",
        [NCI_QUANTILE_NORMAL_UNBIASED] = "normal_unbiased",
        [NCI_QUANTILE_LOWER] = "lower",
        [NCI_QUANTILE_HIGHER] = "higher",
        [NCI_QUANTILE_MIDPOINT] = "midpoint",
        [NCI_QUANTILE_NEAREST] = "nearest",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name ? name : "linear", names[i])) {
            *out = (nci_quantile_method)i;
            return NCG_OK;
        }
    return nci_fail(err, NCG_EINVAL,
                    "quantile: no method '%s'; there are linear lower higher "
                    "nearest midpoint hazen weibull median_unbiased "
                    "normal_unbiased inverted_cdf averaged_inverted_cdf "
                    "closest_observation interpolated_inverted_cdf",
                    name);
}

/* ---- checks --------------------------------------------------------------------- */

static ncg_status check_numbers(const double *q, int nq, bool scalar,
                                nci_quantile_method method, ncg_error *err)
{
    if (nq < 1 || (scalar && nq != 1))
        return nci_fail(err, NCG_EINVAL, "quantile: %d quantiles", nq);
    for (int i = 0; i < nq; i++)
        if (!(q[i] >= 0 && q[i] <= 1))
            return nci_fail(err, NCG_EINVAL,
                            "quantile: %g is not between 0 and 1", q[i]);
    if ((unsigned)method > NCI_QUANTILE_NEAREST)
        return nci_fail(err, NCG_EINVAL, "quantile: unknown method %d",
                        (int)method);
    return NCG_OK;
}

static ncg_status check_axes(const nci_node *input, const nci_quantiles *s,
                             ncg_error *err)
{
    NCI_TRY(nci_ops_check_numeric(input, "quantile", err));
    if (!s->labels)
        return NCG_OK;
    if (s->nlabels < 1)
        return nci_fail(err, NCG_EINVAL, "quantile: %d groups",
                        (int)s->nlabels);
    for (int64_t i = 0; i < input->shape[s->label_axis]; i++)
        if (s->labels[i] < -1 || s->labels[i] >= s->nlabels)
            return nci_fail(err, NCG_EINVAL,
                            "quantile: label %d of %d groups",
                            (int)s->labels[i], (int)s->nlabels);
    return NCG_OK;
}

/* ---- parameters ------------------------------------------------------------------- */

ncg_status nci_quantile_params(const nci_node *input, const nci_quantiles *s,
                               int level, int bits, uint8_t **out,
                               size_t *nbytes, ncg_error *err)
{
    int64_t param[NCI_QUANTILE_NPARAMS] = {
        [NCI_QUANTILE_METHOD] = s->method,
        [NCI_QUANTILE_SKIPNA] = s->skipna,
        [NCI_QUANTILE_NQ] = s->nq,
        [NCI_QUANTILE_SCALAR] = s->scalar,
        [NCI_QUANTILE_LABEL_AXIS] = s->labels ? s->label_axis : -1,
        [NCI_QUANTILE_NLABELS] = s->labels ? s->nlabels : 0,
        [NCI_QUANTILE_NLABELLED] =
            s->labels ? input->shape[s->label_axis] : 0,
        [NCI_QUANTILE_LEVEL] = level,
        [NCI_QUANTILE_BITS] = bits,
        [NCI_QUANTILE_DTYPE] = input->dtype,
        [NCI_QUANTILE_MISSING] = input->has_missing};
    for (int d = 0; d < input->rank; d++) {
        param[NCI_QUANTILE_OVER] |= (int64_t)s->over[d] << d;
        param[NCI_QUANTILE_KEEP] |= (int64_t)s->keep[d] << d;
    }
    if (input->has_missing)
        memcpy(&param[NCI_QUANTILE_MISSING_VALUE], input->missing, 8);
    size_t nq = (size_t)s->nq * sizeof *s->q;
    size_t nlabels =
        (size_t)param[NCI_QUANTILE_NLABELLED] * sizeof *s->labels;
    *nbytes = sizeof param + nq + nlabels;
    uint8_t *to = nci_alloc(*nbytes);
    if (!to)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(to, param, sizeof param);
    memcpy(to + sizeof param, s->q, nq);
    if (nlabels)
        memcpy(to + sizeof param + nq, s->labels, nlabels);
    *out = to;
    return NCG_OK;
}

/* ---- chunks ----------------------------------------------------------------------- */

int64_t nci_quantile_cell(const nci_node *input, const nci_quantiles *s)
{
    double bytes = (double)ncg_dtype_size(input->dtype);
    for (int d = 0; d < input->rank; d++)
        bytes *= s->over[d] ? (double)input->shape[d] : 1;
    return bytes < 1e18 ? (int64_t)bytes : (int64_t)1e18;
}

static double bytes_of(const nci_node *input)
{
    double bytes = (double)ncg_dtype_size(input->dtype);
    for (int d = 0; d < input->rank; d++)
        bytes *= (double)input->shape[d];
    return bytes;
}

/* Tiles of the input: reduced axes whole. */
static ncg_status tile_input(const nci_node *input, const nci_quantiles *s,
                             nci_grid *out, ncg_error *err)
{
    nci_grid seen = {0};
    double target = bytes_of(input) / FEW_TILES;
    target = target > TILE ? TILE : target < LEAST_TILE ? LEAST_TILE : target;
    NCI_TRY(nci_node_grid(input, &seen, err));
    ncg_status st = nci_ops_uniform_grid(
        input->rank, input->shape, ncg_dtype_size(input->dtype), s->over,
        &seen, (int64_t)target, out, err);
    nci_grid_fini(&seen);
    return st;
}

ncg_status nci_quantile_grid(const nci_node *input, const nci_quantiles *s,
                             const nci_grid *tiles, nci_grid *out, int *axis_of,
                             ncg_error *err)
{
    nci_grid grid = {0};
    ncg_status st = NCG_OK;
    if (!s->scalar) {
        axis_of[grid.rank] = -1;
        st = nci_axis_regular(s->nq, s->nq, &grid.axis[grid.rank++], err);
    }
    for (int d = 0; !st && d < input->rank; d++) {
        bool is_label = s->labels && d == s->label_axis;
        if (s->over[d] && !s->keep[d] && !is_label)
            continue;
        if (grid.rank == NCG_MAX_RANK) {
            st = nci_fail(err, NCG_EINVAL, "quantile: more than %d axes",
                          NCG_MAX_RANK);
            break;
        }
        nci_axis *to = &grid.axis[grid.rank];
        const nci_axis *tile = &tiles->axis[d];
        int64_t n = is_label ? s->nlabels : 1;
        axis_of[grid.rank++] = s->over[d] ? -1 : d;
        st = s->over[d] ? nci_axis_regular(n, n, to, err)
                        : nci_axis_join(&tile, 1, to, err);
    }
    if (st)
        nci_grid_fini(&grid);
    else
        *out = grid;
    return st;
}

/* ---- parts ------------------------------------------------------------------------ */

/* Part p of axis `axis` has the tiles p * every .. */
typedef struct parts {
    int axis; /* of the input; -1: one part */
    int count;
    int64_t every;
} parts;

static bool can_be_read_again(const nci_node *node)
{
    if (node->kind == NCI_NODE_BLOCK || node->kind == NCI_NODE_REDUCE)
        return false;
    for (int i = 0; i < node->ninputs; i++)
        if (!can_be_read_again(node->inputs[i].node))
            return false;
    return true;
}

static parts parts_of(const nci_node *input, const nci_quantiles *s,
                      const nci_grid *tiles, int64_t limit)
{
    parts p = {.axis = -1, .count = 1};
    double bytes = bytes_of(input), room = (double)limit / 100 * PART_PERCENT;
    int64_t most = 1;
    if (limit <= 0 || bytes <= room || input->kind == NCI_NODE_CONST ||
        !can_be_read_again(input))
        return p;
    for (int d = 0; d < input->rank; d++)
        if (!s->over[d] && tiles->axis[d].nchunks > most) {
            most = tiles->axis[d].nchunks;
            p.axis = d;
        }
    if (p.axis < 0)
        return p;
    double wanted = ceil(bytes / room);
    int64_t n = wanted < MOST_PARTS ? (int64_t)wanted : MOST_PARTS;
    n = n < most ? n : most;
    p.every = (most + n - 1) / n;
    p.count = (int)((most + p.every - 1) / p.every);
    return p;
}

static int64_t part_edge(const parts *p, const nci_axis *axis, int64_t part)
{
    int64_t chunk = part * p->every;
    return axis->edge[chunk < axis->nchunks ? chunk : axis->nchunks];
}

static ncg_status take_part(nci_node *input, const parts *p,
                            const nci_grid *tiles, int part, nci_node **out,
                            ncg_error *err)
{
    if (p->axis < 0) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    const nci_axis *axis = &tiles->axis[p->axis];
    int64_t low = part_edge(p, axis, part);
    return nci_ops_slice(input, p->axis, low, part_edge(p, axis, part + 1) - low,
                         1, out, err);
}

static ncg_status reach_part(const parts *p, const nci_grid *grid,
                             const int *axis_of, const nci_grid *tiles,
                             int part, nci_reach *reach, ncg_error *err)
{
    for (int o = 0; o < grid->rank; o++) {
        int d = axis_of[o];
        if (d < 0)
            continue;
        const nci_axis *axis = &tiles->axis[d];
        NCI_TRY(nci_reach_same(o, axis, &reach[d], err));
        if (d != p->axis)
            continue;
        int64_t start = part_edge(p, axis, part);
        for (int64_t c = 0; c < axis->nchunks; c++) {
            bool is_inside = c / p->every == part;
            reach[d].low[c] = is_inside ? reach[d].low[c] - start : 0;
            reach[d].high[c] = is_inside ? reach[d].high[c] - start : 0;
        }
    }
    return NCG_OK;
}

static ncg_status make_node(nci_node *const *inputs, int n,
                            const nci_quantiles *s, const nci_node *whole,
                            const nci_grid *grid, const nci_reach *reach,
                            nci_node **out, ncg_error *err)
{
    uint8_t *params = NULL;
    nci_block_spec spec = {.name = whole->name,
                           .kernel = "ncg.quantile/1",
                           .grid = grid,
                           .ninputs = n,
                           .inputs = inputs,
                           .reach = reach};
    NCI_TRY(nci_quantile_params(whole, s, 0, 0, &params, &spec.nparams, err));
    spec.params = params;
    spec.dtype = nci_quantile_dtype(whole, s);
    ncg_status st = nci_node_block(&spec, out, err);
    nci_free(params);
    return st;
}

static ncg_status by_parts(nci_node *input, const nci_quantiles *s,
                           const nci_grid *tiles, const parts *p,
                           nci_node **out, ncg_error *err)
{
    int axis_of[NCG_MAX_RANK], n = p->count;
    nci_grid grid = {0};
    NCI_TRY(nci_quantile_grid(input, s, tiles, &grid, axis_of, err));
    nci_node **inputs = nci_calloc((size_t)n, sizeof(nci_node *));
    nci_reach *reach = nci_reach_array(n, err);
    ncg_status st =
        inputs && reach ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < n; i++) {
        st = take_part(input, p, tiles, i, &inputs[i], err);
        if (!st)
            st = reach_part(p, &grid, axis_of, tiles, i,
                            &reach[i * NCG_MAX_RANK], err);
    }
    if (!st)
        st = make_node(inputs, n, s, input, &grid, reach, out, err);
    for (int i = 0; inputs && i < n; i++)
        nci_node_release(&inputs[i]);
    nci_free(inputs);
    nci_reach_array_free(&reach, n);
    nci_grid_fini(&grid);
    return st;
}

/* ---- the operation ------------------------------------------------------------------ */

static bool is_of_nothing(const nci_node *input, const nci_quantiles *s)
{
    for (int d = 0; d < input->rank; d++)
        if (s->over[d] && input->shape[d] == 0)
            return true;
    return false;
}

/* NaN everywhere, as NumPy has it. */
static ncg_status of_nothing(const nci_node *input, const nci_quantiles *s,
                             nci_node **out, ncg_error *err)
{
    nci_node like = {.dtype = nci_quantile_dtype(input, s),
                     .name = input->name};
    uint8_t value[8];
    if (!s->scalar)
        like.shape[like.rank++] = s->nq;
    for (int d = 0; d < input->rank; d++) {
        bool is_label = s->labels && d == s->label_axis;
        if ((!s->over[d] || s->keep[d] || is_label) &&
            like.rank == NCG_MAX_RANK)
            return nci_fail(err, NCG_EINVAL, "quantile: more than %d axes",
                            NCG_MAX_RANK);
        if (is_label)
            like.shape[like.rank++] = s->nlabels;
        else if (!s->over[d])
            like.shape[like.rank++] = input->shape[d];
        else if (s->keep[d])
            like.shape[like.rank++] = 1;
    }
    nci_dtype_put(like.dtype, value, NAN);
    return nci_node_everywhere(&like, value, out, err);
}

/* Values that were single before: order statistics are the same ones, the
 * arithmetic is in double anyway, and they take half of the memory. */
static nci_node *before_widening(nci_node *input)
{
    if (input->kind != NCI_NODE_MAP || input->map != NCI_MAP_CAST ||
        input->dtype != NCG_DTYPE_F64)
        return input;
    nci_node *narrow = input->inputs[0].node;
    bool is_same =
        narrow->dtype == NCG_DTYPE_F32 && narrow->rank == input->rank;
    for (int d = 0; is_same && d < input->rank; d++)
        is_same = input->inputs[0].axis[d] == d &&
                  narrow->shape[d] == input->shape[d];
    return is_same ? narrow : input;
}

static ncg_status make_quantile(nci_node *input, nci_quantiles *s,
                                int64_t limit, nci_node **out, ncg_error *err)
{
    nci_grid tiles = {0};
    s->is_double = input->dtype != NCG_DTYPE_F32;
    input = before_widening(input);
    NCI_TRY(check_numbers(s->q, s->nq, s->scalar, s->method, err));
    NCI_TRY(check_axes(input, s, err));
    if (is_of_nothing(input, s))
        return of_nothing(input, s, out, err);
    if (nci_quantile_cell(input, s) > LONGEST &&
        nci_quantile_can_count(input, s))
        return nci_quantile_count(input, s, out, err);
    NCI_TRY(tile_input(input, s, &tiles, err));
    parts p = parts_of(input, s, &tiles, limit);
    ncg_status st = by_parts(input, s, &tiles, &p, out, err);
    nci_grid_fini(&tiles);
    return st;
}

ncg_status nci_ops_quantile_within(nci_node *input, const bool *over,
                                   const bool *keep, const double *q, int nq,
                                   bool scalar, nci_quantile_method method,
                                   bool skipna, int64_t limit, nci_node **out,
                                   ncg_error *err)
{
    nci_quantiles s = {.q = q,
                       .nq = nq,
                       .scalar = scalar,
                       .method = method,
                       .skipna = skipna,
                       .label_axis = -1};
    for (int d = 0; d < input->rank; d++) {
        s.over[d] = over[d];
        s.keep[d] = over[d] && keep[d];
    }
    return make_quantile(input, &s, limit, out, err);
}

ncg_status nci_ops_quantile(nci_node *input, const bool *over, const bool *keep,
                            const double *q, int nq, bool scalar,
                            nci_quantile_method method, bool skipna,
                            nci_node **out, ncg_error *err)
{
    return nci_ops_quantile_within(input, over, keep, q, nq, scalar, method,
                                   skipna, 0, out, err);
}

ncg_status nci_ops_quantile_groups(nci_node *input, const bool *over,
                                   const bool *keep, int axis,
                                   const int32_t *labels, int32_t nlabels,
                                   const double *q, int nq, bool scalar,
                                   nci_quantile_method method, bool skipna,
                                   int64_t limit, nci_node **out,
                                   ncg_error *err)
{
    NCI_TRY(nci_ops_check_axis(input, axis, "quantile", err));
    nci_quantiles s = {.q = q,
                       .nq = nq,
                       .scalar = scalar,
                       .method = method,
                       .skipna = skipna,
                       .label_axis = axis,
                       .labels = labels,
                       .nlabels = nlabels};
    for (int d = 0; d < input->rank; d++) {
        s.over[d] = over[d] || d == axis;
        s.keep[d] = over[d] && keep[d] && d != axis;
    }
    return make_quantile(input, &s, limit, out, err);
}

ncg_status nci_ops_quantile_by(nci_node *input, int axis, const int32_t *labels,
                               int32_t nlabels, const double *q, int nq,
                               bool scalar, nci_quantile_method method,
                               bool skipna, nci_node **out, ncg_error *err)
{
    const bool none[NCG_MAX_RANK] = {false};
    return nci_ops_quantile_groups(input, none, none, axis, labels, nlabels, q,
                                   nq, scalar, method, skipna, 0, out, err);
}
