/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same values in other chunks. In one stage a chunk of the result waits
 * for every chunk that it touches; chunks of the input stay until the last one
 * that needs them is made. From time slices to columns that is everything at
 * once. Where it exceeds a limit, the result is made slab by slab, a slab
 * being a run of its chunks in row-major order:
 *
 *     an input that can be read again (files, memory, arithmetic on them) is
 *     read once a slab, and only the slab's part of it is kept;
 *
 *     any other is first cut where slabs end, so that a task needs the pieces
 *     of one slab only, and what is not needed yet can be spilled piecewise.
 */
#include <string.h>

#include "base/mem.h"
#include "graph/ops/blocks.h"

enum {
    SLAB_SHARE = 4, /* of the limit: a slab */
    LIVE_SHARE = 2, /* of the limit: what one stage may keep */
    MOST_SLABS = 1024
};

static ncg_status check_grid(const nci_node *input, const nci_grid *grid,
                             ncg_error *err)
{
    if (grid->rank != input->rank)
        return nci_fail(err, NCG_EINVAL,
                        "rechunk: chunks of %d axes for an array of rank %d",
                        grid->rank, input->rank);
    for (int d = 0; d < grid->rank; d++)
        if (nci_axis_size(&grid->axis[d]) != input->shape[d])
            return nci_fail(err, NCG_EINVAL,
                            "rechunk: chunks of axis %d add up to %lld, the "
                            "axis has %lld positions",
                            d, (long long)nci_axis_size(&grid->axis[d]),
                            (long long)input->shape[d]);
    return NCG_OK;
}

static bool same_grid(const nci_grid *a, const nci_grid *b)
{
    for (int d = 0; d < a->rank; d++)
        if (!nci_axis_equal(&a->axis[d], &b->axis[d]))
            return false;
    return true;
}

static nci_block_spec copy_spec(nci_node *const *inputs, int n,
                                const nci_grid *grid, const nci_reach *reach)
{
    nci_block_spec spec = {.kernel = "ncg.copy/1",
                           .dtype = inputs[0]->dtype,
                           .has_missing = inputs[0]->has_missing,
                           .grid = grid,
                           .ninputs = n,
                           .inputs = inputs,
                           .reach = reach};
    memcpy(spec.missing, inputs[0]->missing, sizeof spec.missing);
    return spec;
}

static ncg_status one_stage(nci_node *input, const nci_grid *grid,
                            nci_node **out, ncg_error *err)
{
    nci_reach *reach = nci_reach_array(1, err);
    if (!reach)
        return NCG_ENOMEM;
    ncg_status st = nci_reach_same_box(grid, reach, err);
    nci_block_spec spec = copy_spec(&input, 1, grid, reach);
    if (!st)
        st = nci_node_block(&spec, out, err);
    nci_reach_array_free(&reach, 1);
    return st;
}

/* A copy of a copy is a copy of what was copied first. */
static nci_node *original(nci_node *input)
{
    while (input->kind == NCI_NODE_BLOCK && input->ninputs == 1 &&
           !strcmp(input->block.kernel, "ncg.copy/1"))
        input = input->inputs[0].node;
    return input;
}

/* The input itself where it has these chunks; *out stays NULL where not. */
static ncg_status as_it_is(nci_node *input, const nci_grid *grid,
                           nci_node **out, ncg_error *err)
{
    nci_grid seen = {0};
    *out = NULL;
    NCI_TRY(check_grid(input, grid, err));
    NCI_TRY(nci_node_grid(input, &seen, err));
    if (same_grid(&seen, grid))
        *out = nci_node_retain(input);
    nci_grid_fini(&seen);
    return NCG_OK;
}

ncg_status nci_ops_rechunk(nci_node *input, const nci_grid *grid,
                           nci_node **out, ncg_error *err)
{
    nci_node *same;
    NCI_TRY(as_it_is(input, grid, &same, err));
    if (!same)
        return one_stage(original(input), grid, out, err);
    *out = same;
    return NCG_OK;
}

/* ---- what one stage keeps
 * ------------------------------------------------------- */

static int64_t box_size(const nci_box *box)
{
    int64_t n = 1;
    for (int d = 0; d < box->rank; d++)
        n *= box->count[d];
    return n;
}

/* The chunks of `to` that chunk `chunk` of `from` is needed for: the first and
 * the last one in row-major order. */
static void users_of(const nci_grid *from, int64_t chunk, const nci_grid *to,
                     int64_t *first, int64_t *last)
{
    nci_box box = nci_grid_box(from, chunk);
    int64_t low[NCG_MAX_RANK], high[NCG_MAX_RANK];
    for (int d = 0; d < box.rank; d++) {
        low[d] = nci_axis_find(&to->axis[d], box.start[d]);
        high[d] = nci_axis_find(&to->axis[d], box.start[d] + box.count[d] - 1);
    }
    *first = nci_grid_number(to, low);
    *last = nci_grid_number(to, high);
}

/* The most values of the input that live at a time, when the chunks of the
 * result are made one after the other. */
static ncg_status most_live(const nci_grid *from, const nci_grid *to,
                            int64_t *out, ncg_error *err)
{
    int64_t n = nci_grid_nchunks(to), live = 0;
    int64_t *change = nci_calloc((size_t)n + 1, sizeof *change);
    if (!change)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t c = 0; n && c < nci_grid_nchunks(from); c++) {
        nci_box box = nci_grid_box(from, c);
        int64_t first, last, size = box_size(&box);
        users_of(from, c, to, &first, &last);
        change[first] += size;
        change[last + 1] -= size;
    }
    *out = 0;
    for (int64_t t = 0; t < n; t++) {
        nci_box box = nci_grid_box(to, t);
        live += change[t];
        if (live + box_size(&box) > *out)
            *out = live + box_size(&box);
    }
    nci_free(change);
    return NCG_OK;
}

/* ---- slabs
 * ---------------------------------------------------------------------- */

typedef struct slabs {
    const nci_grid *grid;
    int64_t every[NCG_MAX_RANK];  /* chunks of a slab along each axis */
    int64_t groups[NCG_MAX_RANK]; /* slabs along it */
    int64_t count;
} slabs;

/* Axes are cut from the first one on: slabs come one after the other in the
 * order in which chunks are stored. */
static slabs slabs_of(const nci_grid *grid, size_t item, int64_t limit)
{
    slabs s = {.grid = grid, .count = 1};
    double bytes = (double)item, most = (double)limit / SLAB_SHARE;
    for (int d = 0; d < grid->rank; d++) {
        s.every[d] = grid->axis[d].nchunks;
        bytes *= (double)nci_axis_size(&grid->axis[d]);
    }
    for (int d = 0; d < grid->rank; d++) {
        double n = (double)s.every[d], wanted = n * most / bytes;
        if (bytes > most)
            s.every[d] = wanted < 1 ? 1 : (int64_t)wanted;
        bytes *= (double)s.every[d] / n;
        s.groups[d] = (grid->axis[d].nchunks + s.every[d] - 1) / s.every[d];
        s.count *= s.groups[d];
    }
    return s;
}

static void slab_index(const slabs *s, int64_t number, int64_t *index)
{
    for (int d = s->grid->rank - 1; d >= 0; d--) {
        index[d] = number % s->groups[d];
        number /= s->groups[d];
    }
}

/* Where group `g` of axis d begins. */
static int64_t slab_edge(const slabs *s, int d, int64_t g)
{
    int64_t chunk = g * s->every[d], n = s->grid->axis[d].nchunks;
    return s->grid->axis[d].edge[chunk < n ? chunk : n];
}

/* ---- reading again
 * ---------------------------------------------------------------- */

static bool can_be_read_again(const nci_node *node)
{
    if (node->kind == NCI_NODE_BLOCK || node->kind == NCI_NODE_REDUCE)
        return false;
    for (int i = 0; i < node->ninputs; i++)
        if (!can_be_read_again(node->inputs[i].node))
            return false;
    return true;
}

static ncg_status select_slab(nci_node *input, const slabs *s,
                              const int64_t *index, nci_node **out,
                              ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK];
    for (int d = 0; d < input->rank; d++) {
        int64_t low = slab_edge(s, d, index[d]);
        picks[d] = (nci_pick){.start = low,
                              .count = slab_edge(s, d, index[d] + 1) - low,
                              .step = 1};
    }
    return nci_node_select(input, picks, out, err);
}

static ncg_status reach_slab(const slabs *s, const int64_t *index,
                             nci_reach *reach, ncg_error *err)
{
    NCI_TRY(nci_reach_same_box(s->grid, reach, err));
    for (int d = 0; d < s->grid->rank; d++) {
        int64_t start = slab_edge(s, d, index[d]);
        for (int64_t c = 0; c < s->grid->axis[d].nchunks; c++) {
            bool is_inside = c / s->every[d] == index[d];
            reach[d].low[c] = is_inside ? reach[d].low[c] - start : 0;
            reach[d].high[c] = is_inside ? reach[d].high[c] - start : 0;
        }
    }
    return NCG_OK;
}

static ncg_status read_by_slabs(nci_node *input, const slabs *s, nci_node **out,
                                ncg_error *err)
{
    int n = (int)s->count;
    int64_t index[NCG_MAX_RANK];
    nci_node **parts = nci_calloc((size_t)n, sizeof(nci_node *));
    nci_reach *reach = nci_reach_array(n, err);
    ncg_status st =
        parts && reach ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < n; i++) {
        slab_index(s, i, index);
        st = select_slab(input, s, index, &parts[i], err);
        if (!st)
            st = reach_slab(s, index, &reach[i * NCG_MAX_RANK], err);
    }
    if (!st) {
        nci_block_spec spec = copy_spec(parts, n, s->grid, reach);
        st = nci_node_block(&spec, out, err);
    }
    for (int i = 0; parts && i < n; i++)
        nci_node_release(&parts[i]);
    nci_free(parts);
    nci_reach_array_free(&reach, n);
    return st;
}

/* ---- cutting first
 * ---------------------------------------------------------------- */

/* The chunks of `from`, cut where slabs end. */
static ncg_status cut_axis(const nci_axis *from, const slabs *s, int d,
                           nci_axis *out, ncg_error *err)
{
    size_t most = (size_t)(from->nchunks + s->groups[d] + 1);
    int64_t *edge = nci_alloc(most * sizeof *edge);
    int64_t n = 0, g = 0, c = 0, size = nci_axis_size(from);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    while (c < from->nchunks || g < s->groups[d]) {
        int64_t a = c < from->nchunks ? from->edge[c] : size;
        int64_t b = g < s->groups[d] ? slab_edge(s, d, g) : size;
        edge[n++] = a < b ? a : b;
        c += a <= b;
        g += b <= a;
    }
    edge[n] = size;
    ncg_status st = nci_axis_from_edges(edge, n, out, err);
    nci_free(edge);
    return st;
}

static ncg_status cut_by_slabs(nci_node *input, const nci_grid *from,
                               const slabs *s, nci_node **out, ncg_error *err)
{
    nci_grid pieces = {.rank = from->rank};
    nci_node *cut = NULL;
    ncg_status st = NCG_OK;
    for (int d = 0; !st && d < from->rank; d++)
        st = cut_axis(&from->axis[d], s, d, &pieces.axis[d], err);
    if (!st)
        st = one_stage(input, &pieces, &cut, err);
    if (!st)
        st = one_stage(cut, s->grid, out, err);
    nci_node_release(&cut);
    nci_grid_fini(&pieces);
    return st;
}

/* ---- which way
 * ------------------------------------------------------------------- */

static ncg_status grid_of_tasks(const nci_node *node, nci_grid *out,
                                ncg_error *err)
{
    return node->kind == NCI_NODE_BLOCK ? nci_node_grid(node, out, err)
                                        : nci_ops_work_grid(node, out, err);
}

ncg_status nci_ops_rechunk_within(nci_node *input, const nci_grid *grid,
                                  int64_t limit, nci_node **out, ncg_error *err)
{
    nci_node *same;
    if (nci_node_is_empty(input)) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    NCI_TRY(as_it_is(input, grid, &same, err));
    if (same) {
        *out = same;
        return NCG_OK;
    }
    size_t item = ncg_dtype_size(input->dtype);
    nci_grid from = {0};
    int64_t live = 0;
    input = original(input);
    slabs s = slabs_of(grid, item, limit);
    NCI_TRY(grid_of_tasks(input, &from, err));
    ncg_status st = most_live(&from, grid, &live, err);
    if (st)
        goto done;
    bool fits = live <= limit / LIVE_SHARE / (int64_t)item;
    if (fits || s.count < 2 || s.count > MOST_SLABS)
        st = one_stage(input, grid, out, err);
    else if (can_be_read_again(input))
        st = read_by_slabs(input, &s, out, err);
    else
        st = cut_by_slabs(input, &from, &s, out, err);
done:
    nci_grid_fini(&from);
    return st;
}
