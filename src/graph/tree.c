/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reduction becomes one folding layer, whose chunks are groups, and levels
 * that each merge one axis, ARITY chunks at a time and in ascending order:
 *
 *     groups      0 1 2 3 | 4 5 6 7 | 8 9        (along one axis)
 *     level 1        0         1       2
 *     level 2                  0
 *
 * With labels the label axis is merged label by label: the first level takes,
 * for each label, the groups that hold it; after it every chunk holds one
 * label, chunks of a label are neighbours, labels ascend. Groups that are
 * pooled meet in further levels, which have no label axis any more.
 *
 * The shape follows from the grid alone, so results have the same bits for any
 * number of threads.
 */
#include "graph/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/pass_pool.h"
#include "graph/relation.h"

enum {
    ARITY = 4,
    FEW = 2, /* of states that are large, with a row for each group */
    LARGE = 16 << 20,
    POOL_ARITY = 16, /* of groups whose deviations are pooled */
    CELL_BYTES = 12 /* of a mean's state: groups do not depend on the operation,
                       so that several can fold them in one read */
};

/* ---- what the kernels need --------------------------------------------------
 */

static int64_t collapsed_positions(const nci_node *node)
{
    const nci_node *input = node->inputs[0].node;
    int64_t n = 1;
    for (int d = 0; d < input->rank; d++)
        if (node->reduce.over[d])
            n *= input->shape[d];
    return n;
}

/* Whether values are folded as integers: where doubles are not enough. Sums
 * of narrow integers stay below 2^53 as long as their positions are few. */
static bool is_wide(const nci_node *node, const nci_program *program,
                    int64_t positions)
{
    const nci_node *input = node->inputs[0].node;
    ncg_op op = node->reduce.op;
    if (!nci_dtype_is_integer(input->dtype) || op == NCG_OP_MEAN ||
        op == NCG_OP_STD || op == NCG_OP_VAR || op == NCG_OP_RANGE)
        return false;
    if (program->fused.nsteps && input->has_missing)
        return false; /* computed as doubles */
    if (nci_dtype_is_wide(input->dtype))
        return true;
    if (op == NCG_OP_PROD)
        return true;
    int bits = 8 * (int)ncg_dtype_size(input->dtype);
    return op == NCG_OP_SUM && program->fused.nsteps &&
           positions > ((int64_t)1 << 53) >> bits;
}

static nci_fold make_fold(const nci_node *node, const nci_program *program)
{
    const nci_reduce *r = &node->reduce;
    ncg_dtype in = node->inputs[0].node->dtype;
    nci_fold fold = {.op = r->op,
                     .is_weighted = node->ninputs > 1,
                     .skipna = r->skipna,
                     .min_count = r->min_count,
                     .ddof = r->ddof,
                     .out = node->dtype};
    int64_t positions = collapsed_positions(node);
    fold.is_wide = !fold.is_weighted && is_wide(node, program, positions);
    fold.is_unsigned = !nci_dtype_is_signed(in);
    fold.wide_counts = positions > INT32_MAX;
    fold.population = r->label_axis < 0 || r->pools ? positions : -1;
    memcpy(fold.missing, node->missing, sizeof fold.missing);
    return fold;
}

/* Positions of each label, over all reduced axes. */
static int64_t *count_population(const nci_node *node)
{
    const nci_reduce *r = &node->reduce;
    int64_t size = node->inputs[0].node->shape[r->label_axis];
    int64_t others = collapsed_positions(node) / size;
    int64_t *population =
        nci_calloc((size_t)r->nlabels + 1, sizeof *population);
    for (int64_t i = 0; population && i < size; i++)
        if (r->labels[i] >= 0)
            population[r->labels[i]] += others;
    return population;
}

/* ---- the folding layer
 * ------------------------------------------------------- */

static int compare_labels(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The distinct labels of each chunk of the label axis, ascending. */
static ncg_status make_rows(const nci_axis *axis, const int32_t *labels,
                            nci_rows *out, ncg_error *err)
{
    int64_t size = nci_axis_size(axis), n = 0;
    nci_rows rows = {.nchunks = axis->nchunks};
    rows.first = nci_calloc((size_t)axis->nchunks + 1, sizeof *rows.first);
    rows.labels = nci_alloc((size_t)size * sizeof *rows.labels);
    if (!rows.first || !rows.labels) {
        nci_free(rows.first);
        nci_free(rows.labels);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    for (int64_t c = 0; c < axis->nchunks; c++) {
        int64_t begin = n, m = n;
        for (int64_t i = axis->edge[c]; i < axis->edge[c + 1]; i++)
            if (labels[i] >= 0 &&
                (m == begin || rows.labels[m - 1] != labels[i]))
                rows.labels[m++] = labels[i];
        qsort(rows.labels + begin, (size_t)(m - begin), sizeof *rows.labels,
              compare_labels);
        for (int64_t i = begin; i < m; i++)
            if (n == begin || rows.labels[n - 1] != rows.labels[i])
                rows.labels[n++] = rows.labels[i];
        rows.first[c + 1] = n;
    }
    *out = rows;
    return NCG_OK;
}

static ncg_status prepare_fold(const nci_node *node, nci_program *program,
                               ncg_error *err)
{
    nci_fused *fused = &program->fused;
    const nci_reduce *r = &node->reduce;
    fused->folds = true;
    fused->fold = make_fold(node, program);
    fused->out = node->dtype;
    fused->label_axis = r->label_axis;
    memcpy(fused->over, r->over, sizeof fused->over);
    if (r->label_axis < 0)
        return NCG_OK;
    size_t nbytes = (size_t)fused->shape[r->label_axis] * sizeof *fused->labels;
    if (!(fused->labels = nci_alloc(nbytes)))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(fused->labels, r->labels, nbytes);
    return NCG_OK;
}

static ncg_status lower_folding(nci_lowering *lw, nci_node *node, int *out,
                                ncg_error *err)
{
    nci_program program;
    const nci_operand *weights = node->ninputs > 1 ? &node->inputs[1] : NULL;
    NCI_TRY(nci_fuse(node->inputs[0].node, weights, &program, err));
    ncg_status st = prepare_fold(node, &program, err);
    if (!st)
        st = nci_lower_fused(lw, &program, node, CELL_BYTES, out, err);
    nci_free(program.fused.labels);
    program.fused.labels = NULL;
    nci_program_fini(&program);
    if (st)
        return st;
    nci_fused *fused = &lw->plan->layers[*out].fused;
    if (fused->label_axis < 0)
        return NCG_OK;
    return make_rows(&lw->plan->layers[*out].grid.axis[fused->label_axis],
                     fused->labels, &fused->rows, err);
}

/* ---- the levels
 * --------------------------------------------------------------- */

/* A level in the making: how its merged axis relates to the layer below. */
typedef struct level {
    int axis;      /* -1: every axis as below */
    bool pools;    /* it is the label axis, and groups meet */
    int64_t count; /* chunks along it */
    nci_relation relation;
    nci_rows rows; /* of this level, with labels */
} level;

static void level_fini(level *lv)
{
    nci_relation_fini(&lv->relation);
    nci_free(lv->rows.first);
    nci_free(lv->rows.labels);
}

/* Lists of the chunks below that hold each label, by counting. */
static ncg_status chunks_of_labels(const nci_rows *below, int32_t nlabels,
                                   int64_t **first, int64_t **items,
                                   ncg_error *err)
{
    int64_t n = below->first[below->nchunks];
    int64_t *start = nci_calloc((size_t)nlabels + 2, sizeof *start);
    int64_t *list = nci_alloc((size_t)n * sizeof *list);
    if (!start || !list) {
        nci_free(start);
        nci_free(list);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    int64_t *next = start + 1;
    for (int64_t i = 0; i < n; i++)
        next[below->labels[i] + 1]++;
    for (int32_t l = 0; l < nlabels; l++)
        next[l + 1] += next[l];
    for (int64_t c = 0; c < below->nchunks; c++)
        for (int64_t i = below->first[c]; i < below->first[c + 1]; i++)
            list[next[below->labels[i]]++] = c;
    *first = start;
    *items = list;
    return NCG_OK;
}

static int64_t nodes_for(int64_t n)
{
    return n ? (n + ARITY - 1) / ARITY : 1; /* a label without positions: one */
}

/* Cuts each label's list into runs of ARITY: one chunk of the level each. */
static ncg_status label_level(const nci_rows *below, int32_t nlabels, level *lv,
                              ncg_error *err)
{
    int64_t *first = NULL, *items = NULL, *runs = NULL, n = 0;
    NCI_TRY(chunks_of_labels(below, nlabels, &first, &items, err));
    for (int32_t l = 0; l < nlabels; l++)
        n += nodes_for(first[l + 1] - first[l]);
    runs = nci_alloc(((size_t)n + 1) * sizeof *runs);
    lv->count = lv->rows.nchunks = n;
    lv->rows.first = nci_alloc(((size_t)n + 1) * sizeof *lv->rows.first);
    lv->rows.labels = nci_alloc(((size_t)n + 1) * sizeof *lv->rows.labels);
    ncg_status st = NCG_OK;
    if (!runs || !lv->rows.first || !lv->rows.labels) {
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
        goto done;
    }
    int64_t at = 0;
    for (int32_t l = 0; l < nlabels; l++)
        for (int64_t k = 0; k < nodes_for(first[l + 1] - first[l]); k++) {
            runs[at] = first[l] + k * ARITY;
            lv->rows.first[at] = at;
            lv->rows.labels[at++] = l;
        }
    runs[n] = first[nlabels];
    lv->rows.first[n] = n;
    st = nci_relation_from_lists(n, below->nchunks, runs, items, &lv->relation,
                                 err);
done:
    nci_free(first);
    if (st) {
        nci_free(runs);
        nci_free(items);
    }
    return st;
}

static ncg_status plain_level(int64_t below, int arity, level *lv,
                              ncg_error *err)
{
    lv->count = (below + arity - 1) / arity;
    return nci_relation_runs(below, arity, &lv->relation, err);
}

/* Every chunk holds one label, and every label has one chunk. */
static bool labels_are_merged(const nci_rows *rows, int32_t nlabels)
{
    if (rows->nchunks != nlabels)
        return false;
    for (int64_t i = 0; i < rows->nchunks; i++)
        if (rows->first[i + 1] != i + 1 || rows->labels[i] != i)
            return false;
    return true;
}

static bool has_pooled(const nci_layer *below)
{
    return below->kind == NCI_LAYER_COMBINE && below->combine.pools;
}

/* What the next level merges: the innermost axis first, then labels, then, of
 * pooled groups, all of them; axis -1: nothing is left. */
static level next_level(const nci_layer *below, const nci_reduce *r)
{
    bool is_fold = below->kind == NCI_LAYER_FUSED, pooled = has_pooled(below);
    const nci_rows *rows =
        is_fold ? &below->fused.rows : &below->combine.out_rows;
    for (int d = below->grid.rank - 1; d >= 0; d--)
        if (r->over[d] && d != r->label_axis && below->grid.axis[d].nchunks > 1)
            return (level){.axis = d};
    if (r->label_axis < 0)
        return (level){.axis = -1};
    if (!pooled && !labels_are_merged(rows, r->nlabels))
        return (level){.axis = r->label_axis};
    if (r->pools && (!pooled || below->grid.axis[r->label_axis].nchunks > 1))
        return (level){.axis = r->label_axis, .pools = true};
    return (level){.axis = -1};
}

static ncg_status copy_rows(const nci_rows *from, nci_rows *to, ncg_error *err)
{
    if (!from->first)
        return NCG_OK;
    size_t n = (size_t)from->nchunks + 1;
    size_t labels = (size_t)from->first[from->nchunks];
    to->nchunks = from->nchunks;
    to->first = nci_alloc(n * sizeof *to->first);
    to->labels = nci_alloc((labels + 1) * sizeof *to->labels);
    if (!to->first || !to->labels)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(to->first, from->first, n * sizeof *to->first);
    memcpy(to->labels, from->labels, labels * sizeof *to->labels);
    return NCG_OK;
}

static ncg_status identity_relation(const nci_axis *axis, nci_relation *out,
                                    ncg_error *err)
{
    return nci_relation_runs(axis->nchunks, 1, out, err);
}

static ncg_status level_grid(nci_layer *layer, const nci_layer *below,
                             const level *lv, const nci_reduce *r,
                             ncg_error *err)
{
    layer->grid.rank = below->grid.rank;
    for (int d = 0; d < below->grid.rank; d++) {
        const nci_axis *from = &below->grid.axis[d];
        int64_t count = d == lv->axis ? lv->count : from->nchunks;
        NCI_TRY(r->over[d]
                    ? nci_axis_regular(count, 1, &layer->grid.axis[d], err)
                    : nci_axis_from_edges(from->edge, from->nchunks,
                                          &layer->grid.axis[d], err));
    }
    return NCG_OK;
}

static ncg_status level_input(nci_layer *layer, const nci_layer *below,
                              int below_number, level *lv, ncg_error *err)
{
    nci_layer_input *input = nci_lower_add_input(layer, below_number, err);
    if (!input)
        return NCG_ENOMEM;
    for (int d = 0; d < below->grid.rank; d++) {
        input->from[d] = d;
        if (d == lv->axis) {
            input->relation[d] = lv->relation;
            lv->relation = (nci_relation){0};
        } else {
            NCI_TRY(identity_relation(&below->grid.axis[d], &input->relation[d],
                                      err));
        }
    }
    return NCG_OK;
}

/* The array of a final level: kept axes, labels, kept-as-one axes. */
static ncg_status array_grid(nci_layer *layer, ncg_error *err)
{
    int axes[NCG_MAX_RANK];
    layer->array.rank = nci_layer_array_axes(layer, axes);
    for (int a = 0; a < layer->array.rank; a++) {
        const nci_axis *from = &layer->grid.axis[axes[a]];
        NCI_TRY(nci_axis_from_edges(from->edge, from->nchunks,
                                    &layer->array.axis[a], err));
    }
    return NCG_OK;
}

static ncg_status fill_combine(nci_layer *layer, const nci_layer *below,
                               const nci_node *node, bool is_fold, level *lv,
                               ncg_error *err)
{
    nci_combine *c = &layer->combine;
    const nci_reduce *r = &node->reduce;
    c->fold = is_fold ? below->fused.fold : below->combine.fold;
    c->axis = lv->axis;
    c->label_axis = lv->pools ? -1 : r->label_axis;
    c->pools = lv->pools;
    c->rank = below->grid.rank;
    memcpy(c->over, r->over, sizeof c->over);
    memcpy(c->keep, r->keep, sizeof c->keep);
    if (lv->pools)
        return NCG_OK; /* one row a chunk, and no labels */
    const nci_rows *rows =
        is_fold ? &below->fused.rows : &below->combine.out_rows;
    NCI_TRY(copy_rows(rows, &c->in_rows, err));
    if (lv->rows.first) {
        c->out_rows = lv->rows;
        lv->rows = (nci_rows){0};
    } else {
        NCI_TRY(copy_rows(rows, &c->out_rows, err));
    }
    if (r->label_axis >= 0 && !(c->population = count_population(node)))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

/* A task needs all that it merges at once. */
static int arity_of(const nci_layer *below, const nci_reduce *r, bool is_fold,
                    bool pools)
{
    const nci_fold *fold = is_fold ? &below->fused.fold : &below->combine.fold;
    if (pools)
        return POOL_ARITY;
    size_t nbytes =
        nci_state_layout_of(fold, nci_plan_most_cells(below)).nbytes;
    return r->pools && nbytes > LARGE ? FEW : ARITY;
}

static ncg_status make_level(const nci_layer *below, const nci_reduce *r,
                             bool is_fold, level *lv, ncg_error *err)
{
    *lv = next_level(below, r);
    if (lv->axis < 0)
        return NCG_OK;
    if (lv->axis != r->label_axis || lv->pools)
        return plain_level(below->grid.axis[lv->axis].nchunks,
                           arity_of(below, r, is_fold, lv->pools), lv, err);
    const nci_rows *rows =
        is_fold ? &below->fused.rows : &below->combine.out_rows;
    return label_level(rows, r->nlabels, lv, err);
}

static ncg_status add_level(nci_lowering *lw, const nci_node *node, int below,
                            int *out, bool *is_last, ncg_error *err)
{
    bool is_fold = lw->plan->layers[below].kind == NCI_LAYER_FUSED;
    level lv = {0};
    ncg_status st =
        make_level(&lw->plan->layers[below], &node->reduce, is_fold, &lv, err);
    nci_layer *layer = NULL;
    if (!st && !(layer = nci_lower_add_layer(lw, NCI_LAYER_COMBINE, node,
                                             "combine", err)))
        st = NCG_ENOMEM;
    const nci_layer *from = &lw->plan->layers[below];
    if (!st)
        st = level_grid(layer, from, &lv, &node->reduce, err);
    if (!st)
        st = level_input(layer, from, below, &lv, err);
    if (!st)
        st = fill_combine(layer, from, node, is_fold, &lv, err);
    if (!st && next_level(layer, &node->reduce).axis < 0) {
        *is_last = layer->combine.is_final = true;
        st = array_grid(layer, err);
    }
    if (!st)
        *out = lw->plan->nlayers - 1;
    level_fini(&lv);
    return st;
}

static ncg_status lower_tree(nci_lowering *lw, nci_node *node, int *out,
                             ncg_error *err)
{
    int layer = 0;
    bool is_last = false;
    NCI_TRY(lower_folding(lw, node, &layer, err));
    while (!is_last)
        NCI_TRY(add_level(lw, node, layer, &layer, &is_last, err));
    *out = layer;
    return NCG_OK;
}

ncg_status nci_lower_reduce(nci_lowering *lw, nci_node *node, int *out,
                            ncg_error *err)
{
    nci_node *pooled = NULL;
    NCI_TRY(nci_pass_pool(node, &pooled, err));
    ncg_status st = lower_tree(lw, pooled ? pooled : node, out, err);
    nci_node_release(&pooled);
    return st;
}
