/* SPDX-License-Identifier: BSD-3-Clause */
/* COMBINE tasks: merge a few states along one axis, in the order of their
 * chunks, and turn the last state into values. */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/task.h"

/* Labels of the rows of one state; without labels one row. */
typedef struct row_list {
    const int32_t *labels;
    int64_t count;
} row_list;

static row_list rows_at(const nci_rows *rows, int64_t chunk)
{
    if (!rows->first)
        return (row_list){.count = 1};
    return (row_list){rows->labels + rows->first[chunk],
                      rows->first[chunk + 1] - rows->first[chunk]};
}

static int64_t kept_width(const nci_layer *layer, const nci_box *box)
{
    int64_t width = 1;
    for (int d = 0; d < layer->combine.rank; d++)
        if (!layer->combine.over[d])
            width *= box->count[d];
    return width;
}

typedef struct merge {
    const nci_task_env *env;
    const nci_layer *layer;
    const nci_layer *from;
    row_list rows; /* of the result */
    bool *is_set;  /* rows that hold something by now; owned */
    int64_t width;
    nci_state state;
} merge;

/* The first state of a row is copied, the next ones are merged. */
static void merge_row(const merge *m, int64_t to, const nci_state *from,
                      int64_t row)
{
    int64_t a = to * m->width, b = row * m->width;
    if (m->is_set[to] && m->layer->combine.pools)
        nci_state_pool(&m->state, a, from, b, m->width);
    else if (m->is_set[to])
        nci_state_merge(&m->state, a, from, b, m->width);
    else
        nci_state_copy(&m->state, a, from, b, m->width);
    m->is_set[to] = true;
}

/* Both lists rise; rows of `from` go to the rows of their label. */
static void merge_rows(const merge *m, const nci_state *from,
                       row_list from_rows)
{
    int64_t to = 0;
    for (int64_t row = 0; row < from_rows.count; row++) {
        if (from_rows.labels)
            while (to < m->rows.count &&
                   m->rows.labels[to] < from_rows.labels[row])
                to++;
        if (to == m->rows.count)
            return;
        if (from_rows.labels && m->rows.labels[to] != from_rows.labels[row])
            continue;
        merge_row(m, to, from, row);
    }
}

static void clear_rest(const merge *m)
{
    for (int64_t row = 0; row < m->rows.count; row++)
        if (!m->is_set[row])
            nci_state_clear_cells(&m->state, row * m->width, m->width);
}

/* The state that a task below left, and its rows. */
static ncg_status open_dep(const merge *m, const nci_dep *dep, nci_state *state,
                           row_list *rows, ncg_error *err)
{
    const nci_combine *c = &m->layer->combine;
    int64_t chunk = dep->task - m->from->base, index[NCG_MAX_RANK];
    nci_grid_index(&m->from->grid, chunk, index);
    *rows = rows_at(&c->in_rows, c->label_axis < 0 ? 0 : index[c->label_axis]);
    int64_t ncells = rows->count * m->width;
    const nci_fused *below = &m->from->fused;
    bool has_parts = m->from->kind == NCI_LAYER_FUSED && below->nmore;
    size_t at = has_parts ? nci_fused_state(below, c->part, ncells) : 0;
    *state = nci_state_of(&c->fold, ncells,
                          (uint8_t *)nci_buf_data(dep->buf) + at);
    size_t wanted = has_parts ? nci_fused_state(below, below->nmore + 1, ncells)
                              : state->layout.nbytes;
    if (nci_buf_size(dep->buf) == wanted)
        return NCG_OK;
    return nci_fail(err, NCG_EBUG, "%s: state of %zu bytes, not %zu",
                    m->layer->name, nci_buf_size(dep->buf), wanted);
}

static ncg_status merge_dep(merge *m, const nci_dep *dep, ncg_error *err)
{
    nci_state state;
    row_list rows;
    NCI_TRY(open_dep(m, dep, &state, &rows, err));
    merge_rows(m, &state, rows);
    return NCG_OK;
}

static bool same_rows(row_list a, row_list b)
{
    if (a.count != b.count || !a.labels != !b.labels)
        return false;
    return !a.labels ||
           !memcmp(a.labels, b.labels, (size_t)a.count * sizeof *a.labels);
}

/* Where there is nothing to merge, the only state is finished where it is. */
static ncg_status borrow_state(merge *m, const nci_dep *deps, int64_t ndeps,
                               bool *is_borrowed, ncg_error *err)
{
    nci_state state;
    row_list rows;
    *is_borrowed = false;
    if (ndeps != 1 || !m->layer->combine.is_final)
        return NCG_OK;
    NCI_TRY(open_dep(m, deps, &state, &rows, err));
    *is_borrowed = same_rows(m->rows, rows);
    if (*is_borrowed)
        m->state = state;
    return NCG_OK;
}

/* Merges what there is into the result's state. */
static ncg_status merge_all(merge *m, void *state, const nci_dep *deps,
                            int64_t ndeps, ncg_error *err)
{
    ncg_status st = NCG_OK;
    m->state =
        nci_state_of(&m->layer->combine.fold, m->rows.count * m->width, state);
    m->is_set = nci_calloc((size_t)m->rows.count + 1, sizeof *m->is_set);
    if (!state || !m->is_set)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; !st && i < ndeps; i++)
        st = merge_dep(m, &deps[i], err);
    if (!st)
        clear_rest(m);
    return st;
}

/* Where the results of a label go in the output: axes before the label axis,
 * the label, axes after it. */
typedef struct places {
    int64_t before, labels, after, first_label;
} places;

static places places_of(const nci_layer *layer, const nci_box *domain,
                        const nci_box *out)
{
    const nci_combine *c = &layer->combine;
    places p = {1, 1, 1, 0};
    int axis = 0; /* of the output */
    for (int d = 0; d < c->rank; d++) {
        if (d == c->label_axis) {
            p.labels = out->count[axis];
            p.first_label = out->start[axis++];
        } else if (!c->over[d]) {
            int64_t n = domain->count[d];
            if (c->label_axis >= 0 && d > c->label_axis)
                p.after *= n;
            else
                p.before *= n;
            axis++;
        } else if (c->keep[d]) {
            axis++;
        }
    }
    return p;
}

/* Labels that no position has: every cell is empty. */
static ncg_status finish_empty(const merge *m, const places *p, uint8_t *out,
                               ncg_error *err)
{
    nci_fold fold = m->layer->combine.fold;
    nci_state_layout layout = nci_state_layout_of(&fold, NCI_BLOCK);
    void *none = nci_alloc_aligned(layout.nbytes);
    int64_t n = p->before * p->labels * p->after;
    size_t size = ncg_dtype_size(fold.out);
    if (!none)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_state state = nci_state_of(&fold, NCI_BLOCK, none);
    nci_state_clear(&state);
    for (int64_t at = 0; at < n; at += NCI_BLOCK)
        nci_state_finish(&state, nci_isa_best(), 0,
                         n - at < NCI_BLOCK ? n - at : NCI_BLOCK, 0,
                         out + (size_t)at * size);
    nci_free(none);
    return NCG_OK;
}

/* Sums of 64-bit integers that left the range: no number, but an error. */
static ncg_status check_sums(const merge *m, ncg_error *err)
{
    const nci_fold *fold = &m->layer->combine.fold;
    const int64_t *sums =
        (const int64_t *)(m->state.data + m->state.layout.value[0]);
    if (fold->op != NCG_OP_SUM || !nci_fold_is_wide(fold))
        return NCG_OK;
    for (int64_t i = 0; i < m->rows.count * m->width; i++)
        if (nci_is_overflow(fold->is_unsigned, sums[i]))
            return nci_fail(err, NCG_EKERNEL,
                            "%s: a sum does not fit into 64-bit integers; take "
                            "the mean, or sum fewer values",
                            m->layer->name);
    return NCG_OK;
}

/* Variances and sums of floats may lie beyond what a float holds: no infinity
 * that looks like a value, but an error. The double of a sum tells whether it
 * was infinite before; a variance of infinities is NaN. */
static ncg_status check_floats(const merge *m, const nci_buf *buf,
                               ncg_error *err)
{
    const nci_fold *fold = &m->layer->combine.fold;
    const double *sums =
        (const double *)(m->state.data + m->state.layout.value[0]);
    const float *out = nci_buf_data((nci_buf *)buf);
    bool exceeds = false;
    if (fold->out != NCG_DTYPE_F32)
        return NCG_OK;
    if (fold->op == NCG_OP_SUM)
        for (int64_t i = 0; i < m->rows.count * m->width; i++)
            exceeds |= isfinite(sums[i]) && isinf((float)sums[i]);
    if (fold->op == NCG_OP_VAR)
        for (size_t i = 0; i < nci_buf_size(buf) / sizeof *out; i++)
            exceeds |= isinf(out[i]);
    if (exceeds)
        return nci_fail(err, NCG_EKERNEL,
                        "%s: a %s does not fit into 32-bit floats; write "
                        "doubles with --dtype f8",
                        m->layer->name,
                        fold->op == NCG_OP_SUM ? "sum" : "variance");
    return NCG_OK;
}

static ncg_status finish(const merge *m, int64_t chunk, nci_buf *buf,
                         ncg_error *err)
{
    const nci_combine *c = &m->layer->combine;
    NCI_TRY(check_sums(m, err));
    nci_box domain = nci_grid_box(&m->layer->grid, chunk);
    nci_box out = nci_grid_box(&m->layer->array, chunk);
    places p = places_of(m->layer, &domain, &out);
    size_t size = ncg_dtype_size(c->fold.out);
    uint8_t *data = nci_buf_data(buf);
    if ((size_t)(p.before * p.labels * p.after) * size != nci_buf_size(buf))
        return nci_fail(err, NCG_EBUG, "%s: result of %lld values in %zu bytes",
                        m->layer->name,
                        (long long)(p.before * p.labels * p.after),
                        nci_buf_size(buf));
    if (m->rows.count < p.labels)
        NCI_TRY(finish_empty(m, &p, data, err));
    for (int64_t row = 0; row < m->rows.count; row++) {
        int32_t label = m->rows.labels ? m->rows.labels[row] : 0;
        int64_t at = label - p.first_label;
        if (at < 0 || at >= p.labels)
            continue;
        int64_t population =
            c->population ? c->population[label] : c->fold.population;
        for (int64_t b = 0; b < p.before; b++)
            nci_state_finish(&m->state, nci_isa_best(),
                             row * m->width + b * p.after, p.after, population,
                             data + (size_t)((b * p.labels + at) * p.after) *
                                        size);
    }
    return check_floats(m, buf, err);
}

ncg_status nci_run_combine(const nci_task_env *env, const nci_layer *layer,
                           int64_t chunk, const nci_dep *deps, int64_t ndeps,
                           nci_buf **out, ncg_error *err)
{
    const nci_combine *c = &layer->combine;
    nci_box box = nci_grid_box(&layer->grid, chunk);
    int64_t index[NCG_MAX_RANK];
    nci_grid_index(&layer->grid, chunk, index);
    merge m = {.env = env,
               .layer = layer,
               .from = &env->plan->layers[layer->inputs[0].layer],
               .rows = rows_at(&c->out_rows,
                               c->label_axis < 0 ? 0 : index[c->label_axis]),
               .width = kept_width(layer, &box)};
    nci_state_layout layout =
        nci_state_layout_of(&c->fold, m.rows.count * m.width);
    int64_t nbytes = nci_plan_bytes(env->plan, layer->base + chunk);
    nci_buf *buf = NULL;
    uint8_t *temp = NULL;
    bool is_borrowed;
    if (!c->is_final && (size_t)nbytes != layout.nbytes)
        return nci_fail(err, NCG_EBUG, "%s: state size", layer->name);
    NCI_TRY(nci_buf_create((size_t)nbytes, &buf, err));
    ncg_status st = borrow_state(&m, deps, ndeps, &is_borrowed, err);
    if (!st && !is_borrowed) {
        if (c->is_final)
            temp = nci_alloc_aligned(layout.nbytes);
        st = merge_all(&m, c->is_final ? temp : nci_buf_data(buf), deps, ndeps,
                       err);
    }
    if (!st && c->is_final)
        st = finish(&m, chunk, buf, err);
    if (!st) {
        *out = buf;
        buf = NULL;
    }
    nci_free(temp);
    nci_free(m.is_set);
    nci_buf_release(&buf);
    return st;
}
