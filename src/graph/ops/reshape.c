/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reshaping, row-major. Axes of size 1 are views. The others fall into groups
 * of equal products; a group of several axes is merged into one, then split
 * into several. In both steps the values of a chunk lie in the same order
 * before and after, so the kernel only gathers.
 *
 *     merge   (4, 6) -> 24    a chunk of 24 is a run of rows, or part of one
 *     split   24 -> (2, 12)   a chunk of (2, 12) is whole along all but the
 *                             first axis of the group
 */
#include <string.h>

#include "base/mem.h"
#include "graph/ops/blocks.h"

enum { MOST_PIECES = 4096 };

typedef struct group {
    int in, nin;   /* axes of the input */
    int out, nout; /* axes of the result */
} group;

typedef struct shape {
    int rank;
    int64_t size[NCG_MAX_RANK];
} shape;

/* ---- groups
 * -------------------------------------------------------------------- */

static ncg_status find_wildcard(const nci_node *input, int rank,
                                const int64_t *wanted, shape *out,
                                ncg_error *err)
{
    char a[NCI_SHAPE_TEXT], b[NCI_SHAPE_TEXT];
    int64_t all = 1, known = 1;
    int unknown = -1, nunknown = 0;
    if (rank < 0 || rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "reshape: rank %d, at most %d", rank,
                        NCG_MAX_RANK);
    bool fits = true;
    for (int d = 0; d < input->rank; d++)
        all *= input->shape[d];
    out->rank = rank;
    for (int d = 0; d < rank; d++) {
        out->size[d] = wanted[d];
        if (wanted[d] == -1) {
            unknown = d;
            nunknown++;
        } else {
            fits = fits && nci_mul_i64(known, wanted[d], &known);
        }
    }
    if (fits && nunknown == 1 && known > 0 && all % known == 0) {
        out->size[unknown] = all / known;
        known = all;
    }
    if (!fits || nunknown > 1 || known != all || (nunknown && known == 0))
        return nci_fail(err, NCG_EINVAL,
                        "reshape: %.150s does not become "
                        "%.150s",
                        nci_shape_text(input->rank, input->shape, a),
                        nci_shape_text(rank, wanted, b));
    return NCG_OK;
}

static shape without_ones(int rank, const int64_t *size)
{
    shape out = {0};
    for (int d = 0; d < rank; d++)
        if (size[d] != 1)
            out.size[out.rank++] = size[d];
    return out;
}

static int find_groups(const shape *in, const shape *out, group *groups)
{
    int n = 0;
    for (int i = 0, j = 0; i < in->rank; n++) {
        group g = {i, 1, j, 1};
        int64_t a = in->size[i++], b = out->size[j++];
        while (a != b) {
            if (a < b) {
                a *= in->size[i++];
                g.nin++;
            } else {
                b *= out->size[j++];
                g.nout++;
            }
        }
        groups[n] = g;
    }
    return n;
}

/* ---- merging
 * --------------------------------------------------------------------- */

/* The chunk of each axis of the input from which chunks of the result are
 * made: within a group 1 before some axis, whole after it. */
static void merge_chunks(const nci_node *node, const nci_grid *grid,
                         const group *groups, int n, int64_t *chunk)
{
    double bytes = (double)ncg_dtype_size(node->dtype);
    for (int g = 0; g < n; g++)
        for (int k = 0; k < groups[g].nin; k++) {
            int a = groups[g].in + k;
            chunk[a] = k ? node->shape[a] : nci_axis_longest(&grid->axis[a]);
            bytes *= (double)chunk[a];
        }
    for (int pass = 0; pass < 2; pass++) /* merged groups first */
        for (int g = 0; g < n; g++)
            for (int k = 0; k < groups[g].nin && bytes > NCI_WORK_MOST; k++) {
                int a = groups[g].in + k;
                if ((groups[g].nin > 1) != (pass == 0))
                    continue;
                double most = (double)chunk[a] * NCI_WORK_MOST / bytes;
                bytes /= (double)chunk[a];
                chunk[a] = most < 1 ? 1 : (int64_t)most;
                bytes *= (double)chunk[a];
            }
}

/* Where a merged axis is cut: rows of the axes before `cut` one by one, the
 * axis `cut` in pieces, the axes after it whole. */
typedef struct merging {
    const nci_node *node;
    group g;
    int cut;
    nci_axis pieces; /* of the axis `cut` */
    int64_t rows, inner;
} merging;

static ncg_status merging_init(merging *m, const nci_node *node,
                               const nci_grid *grid, group g,
                               const int64_t *chunk, ncg_error *err)
{
    *m = (merging){.node = node, .g = g, .cut = g.in, .rows = 1, .inner = 1};
    int last = g.in + g.nin - 1;
    while (m->cut < last && chunk[m->cut] == 1)
        m->cut++;
    for (int a = g.in; a < m->cut; a++)
        m->rows *= node->shape[a];
    for (int a = m->cut + 1; a <= last; a++)
        m->inner *= node->shape[a];
    return nci_axis_fit(&grid->axis[m->cut], chunk[m->cut], &m->pieces, err);
}

static ncg_status merged_axis(const merging *m, nci_axis *out, ncg_error *err)
{
    int64_t n = m->pieces.nchunks, count = 0;
    size_t nbytes = 0;
    if (!nci_mul_i64(m->rows, n, &count) ||
        !nci_mul_size((size_t)count + 1, sizeof(int64_t), &nbytes))
        return nci_fail(err, NCG_EINVAL, "reshape: too many chunks");
    int64_t *edge = nci_alloc(nbytes);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    int64_t size = m->node->shape[m->cut];
    for (int64_t i = 0; i < count; i++)
        edge[i] = (i / n * size + m->pieces.edge[i % n]) * m->inner;
    edge[count] = m->rows * size * m->inner;
    ncg_status st = nci_axis_from_edges(edge, count, out, err);
    nci_free(edge);
    return st;
}

static ncg_status merged_reach(const merging *m, int from, int64_t count,
                               nci_reach *reach, ncg_error *err)
{
    int64_t n = m->pieces.nchunks, below = 1;
    NCI_TRY(nci_reach_alloc(from, count, &reach[m->cut], err));
    for (int64_t i = 0; i < count; i++) {
        reach[m->cut].low[i] = m->pieces.edge[i % n];
        reach[m->cut].high[i] = m->pieces.edge[i % n + 1];
    }
    for (int a = m->cut - 1; a >= m->g.in; a--) {
        NCI_TRY(nci_reach_alloc(from, count, &reach[a], err));
        for (int64_t i = 0; i < count; i++) {
            reach[a].low[i] = i / n / below % m->node->shape[a];
            reach[a].high[i] = reach[a].low[i] + 1;
        }
        below *= m->node->shape[a];
    }
    return NCG_OK;
}

static ncg_status merge_group(const nci_node *node, const nci_grid *grid,
                              group g, int number, const int64_t *chunk,
                              nci_axis *axis, nci_reach *reach, ncg_error *err)
{
    merging m;
    ncg_status st = merging_init(&m, node, grid, g, chunk, err);
    if (!st)
        st = merged_axis(&m, axis, err);
    if (!st)
        st = merged_reach(&m, number, axis->nchunks, reach, err);
    nci_axis_fini(&m.pieces);
    return st;
}

static ncg_status make_block(nci_node *input, const nci_grid *grid,
                             const nci_reach *reach, nci_node **out,
                             ncg_error *err)
{
    nci_block_spec spec = {.kernel = "ncg.reshape/1",
                           .dtype = input->dtype,
                           .has_missing = input->has_missing,
                           .grid = grid,
                           .ninputs = 1,
                           .inputs = &input,
                           .reach = reach};
    memcpy(spec.missing, input->missing, sizeof spec.missing);
    return nci_node_block(&spec, out, err);
}

/* Axis g of the result is group g. */
static ncg_status merge(nci_node *node, const group *groups, int n,
                        nci_node **out, ncg_error *err)
{
    int64_t chunk[NCG_MAX_RANK];
    nci_grid grid = {0}, merged = {.rank = n};
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = nci_ops_work_grid(node, &grid, err);
    if (!st)
        merge_chunks(node, &grid, groups, n, chunk);
    for (int g = 0; !st && g < n; g++)
        st = merge_group(node, &grid, groups[g], g, chunk, &merged.axis[g],
                         reach, err);
    if (!st)
        st = make_block(node, &merged, reach, out, err);
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&grid);
    nci_grid_fini(&merged);
    return st;
}

/* ---- splitting
 * ------------------------------------------------------------------- */

static int64_t inner_of(const shape *s, group g)
{
    int64_t inner = 1;
    for (int k = 1; k < g.nout; k++)
        inner *= s->size[g.out + k];
    return inner;
}

/* Chunks along the first axis of each group; returns the bytes of a chunk. */
static double split_chunks(const nci_node *node, const nci_grid *grid,
                           const shape *to, const group *groups, int n,
                           int64_t *chunk)
{
    double bytes = (double)ncg_dtype_size(node->dtype);
    for (int g = 0; g < n; g++) {
        int64_t inner = inner_of(to, groups[g]);
        chunk[g] = nci_axis_longest(&grid->axis[g]) / inner;
        chunk[g] = chunk[g] < 1 ? 1 : chunk[g];
        bytes *= (double)chunk[g] * (double)inner;
    }
    for (int g = 0; g < n && bytes > NCI_WORK_MOST; g++) {
        double most = (double)chunk[g] * NCI_WORK_MOST / bytes;
        bytes /= (double)chunk[g];
        chunk[g] = most < 1 ? 1 : (int64_t)most;
        bytes *= (double)chunk[g];
    }
    return bytes;
}

static ncg_status split_group(const nci_node *node, const nci_grid *grid,
                              const shape *to, group g, int number,
                              int64_t chunk, nci_axis *axes, nci_reach *reach,
                              ncg_error *err)
{
    nci_axis *first = &axes[g.out];
    if (g.nout == 1)
        NCI_TRY(nci_axis_fit(&grid->axis[number], chunk, first, err));
    else
        NCI_TRY(nci_axis_regular(to->size[g.out], chunk, first, err));
    for (int k = 1; k < g.nout; k++)
        NCI_TRY(nci_axis_regular(to->size[g.out + k], to->size[g.out + k],
                                 &axes[g.out + k], err));
    return nci_reach_follow(g.out, first, inner_of(to, g), 1, 0, 0,
                            node->shape[number], &reach[number], err);
}

static ncg_status split(nci_node *node, const shape *to, const group *groups,
                        int n, nci_node **out, ncg_error *err);

/* Where rows are too long for a chunk, each is an array of its own. */
static ncg_status split_rows(nci_node *node, const shape *to,
                             const group *groups, int n, int longest,
                             nci_node **out, ncg_error *err)
{
    group g = groups[longest], inner[NCG_MAX_RANK];
    shape row = {.rank = to->rank - 1};
    int64_t count = to->size[g.out], size = inner_of(to, g);
    if (count > MOST_PIECES)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "reshape: %lld rows of %lld values, none of which "
                        "fits into a chunk",
                        (long long)count, (long long)size);
    for (int d = 0; d < row.rank; d++)
        row.size[d] = to->size[d < g.out ? d : d + 1];
    for (int i = 0; i < n; i++) {
        inner[i] = groups[i];
        inner[i].out -= i > longest;
        inner[i].nout -= i == longest;
    }
    nci_node **rows = nci_calloc((size_t)count, sizeof(nci_node *));
    ncg_status st = rows ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t p = 0; !st && p < count; p++) {
        nci_node *part = NULL;
        st = nci_ops_slice(node, longest, p * size, size, 1, &part, err);
        if (!st)
            st = split(part, &row, inner, n, &rows[p], err);
        nci_node_release(&part);
    }
    if (!st)
        st = nci_ops_stack(rows, (int)count, g.out, out, err);
    for (int64_t p = 0; rows && p < count; p++)
        nci_node_release(&rows[p]);
    nci_free(rows);
    return st;
}

static int longest_rows(const shape *to, const group *groups, int n)
{
    int longest = 0;
    for (int g = 1; g < n; g++)
        if (inner_of(to, groups[g]) > inner_of(to, groups[longest]))
            longest = g;
    return longest;
}

/* Axis g of the input is group g. */
static ncg_status split(nci_node *node, const shape *to, const group *groups,
                        int n, nci_node **out, ncg_error *err)
{
    int64_t chunk[NCG_MAX_RANK];
    nci_grid grid = {0}, parts = {.rank = to->rank};
    bool any = false;
    for (int g = 0; g < n; g++)
        any = any || groups[g].nout > 1;
    if (!any) {
        *out = nci_node_retain(node);
        return NCG_OK;
    }
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = nci_ops_work_grid(node, &grid, err);
    if (!st &&
        split_chunks(node, &grid, to, groups, n, chunk) > 2.0 * NCI_WORK_MOST) {
        st = split_rows(node, to, groups, n, longest_rows(to, groups, n), out,
                        err);
        goto done;
    }
    for (int g = 0; !st && g < n; g++)
        st = split_group(node, &grid, to, groups[g], g, chunk[g], parts.axis,
                         reach, err);
    if (!st)
        st = make_block(node, &parts, reach, out, err);
done:
    nci_reach_array_free(&reach, 1);
    nci_grid_fini(&grid);
    nci_grid_fini(&parts);
    return st;
}

/* ---- the whole
 * ---------------------------------------------------------------------- */

/* An array without values. */
static ncg_status empty(const nci_node *input, const shape *s, nci_node **out,
                        ncg_error *err)
{
    nci_buf *buf = NULL;
    NCI_TRY(nci_buf_create(0, &buf, err));
    ncg_status st =
        nci_node_const(input->dtype, s->rank, s->size, buf,
                       input->has_missing ? input->missing : NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

/* Views `node`, which has no axes of size 1, as `to`, which may have some; or
 * the other way round. */
static ncg_status move_ones(nci_node *node, const shape *to, nci_node **out,
                            ncg_error *err)
{
    int axis[NCG_MAX_RANK], next = 0;
    for (int d = 0; d < to->rank; d++) {
        axis[d] = -1;
        if (to->size[d] == 1)
            continue;
        while (node->shape[next] == 1)
            next++;
        axis[d] = next++;
    }
    return nci_ops_view(node, to->rank, to->size, axis, out, err);
}

static ncg_status merge_and_split(nci_node *node, const shape *to,
                                  nci_node **out, ncg_error *err)
{
    group groups[NCG_MAX_RANK];
    shape from = {.rank = node->rank};
    nci_node *merged = NULL;
    memcpy(from.size, node->shape, sizeof from.size);
    int n = find_groups(&from, to, groups);
    ncg_status st = NCG_OK;
    if (n < node->rank)
        st = merge(node, groups, n, &merged, err);
    else
        merged = nci_node_retain(node);
    if (!st)
        st = split(merged, to, groups, n, out, err);
    nci_node_release(&merged);
    return st;
}

ncg_status nci_ops_reshape(nci_node *input, int rank, const int64_t *wanted,
                           nci_node **out, ncg_error *err)
{
    shape to;
    NCI_TRY(find_wildcard(input, rank, wanted, &to, err));
    for (int d = 0; d < rank; d++)
        if (to.size[d] == 0)
            return empty(input, &to, out, err);
    shape in = without_ones(input->rank, input->shape);
    shape core = without_ones(to.rank, to.size);
    nci_node *bare = NULL, *made = NULL;
    ncg_status st = move_ones(input, &in, &bare, err);
    if (!st)
        st = merge_and_split(bare, &core, &made, err);
    if (!st)
        st = move_ones(made, &to, out, err);
    nci_node_release(&bare);
    nci_node_release(&made);
    return st;
}
