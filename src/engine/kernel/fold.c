/* SPDX-License-Identifier: BSD-3-Clause */
/* Folding blocks into accumulators: columns and rows by the loops of isa.h,
 * all else cell by cell. What is added to a cell, and in which order, depends
 * on the piece alone, never on how blocks are cut or who runs them. */
#include "engine/kernel/fold.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/packed.h"

bool nci_fold_is_wide(const nci_fold *fold)
{
    if (!fold->is_wide || fold->is_weighted)
        return false;
    switch (fold->op) {
    case NCG_OP_SUM:
    case NCG_OP_PROD:
    case NCG_OP_MIN:
    case NCG_OP_MAX:
    case NCG_OP_RANGE:
    case NCG_OP_FIRST:
    case NCG_OP_LAST:
    case NCG_OP_ARGMIN:
    case NCG_OP_ARGMAX:
        return true;
    default:
        return false;
    }
}

bool nci_fold_by_position(const nci_fold *fold)
{
    return fold->op == NCG_OP_FIRST || fold->op == NCG_OP_LAST ||
           fold->op == NCG_OP_ARGMIN || fold->op == NCG_OP_ARGMAX;
}

static bool has_squares(const nci_fold *fold)
{
    return fold->op == NCG_OP_STD || fold->op == NCG_OP_VAR;
}

int64_t nci_acc_extra(const nci_fold *fold, int64_t ncells)
{
    return has_squares(fold) ? 8 * ncells : 0;
}

ncg_status nci_acc_init(nci_acc *acc, const nci_fold *fold,
                        const nci_packing *packing, int64_t ncells, void *state,
                        ncg_error *err)
{
    *acc = (nci_acc){.fold = fold,
                     .isa = nci_isa_best(),
                     .layout = nci_state_layout_of(fold, ncells),
                     .ncells = ncells,
                     .is_packed = packing,
                     .state = state};
    if (packing)
        acc->packing = *packing;
    int64_t extra = nci_acc_extra(fold, ncells);
    if (extra && !(acc->extra = nci_alloc_aligned((size_t)extra)))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int v = 0; v < acc->layout.nvalues; v++) {
        acc->value[v] = (double *)(acc->state + acc->layout.value[v]);
        acc->wide[v] = (int64_t *)(acc->state + acc->layout.value[v]);
    }
    if (has_squares(fold))
        acc->k = acc->extra;
    if (acc->layout.has_index)
        acc->index = (int64_t *)(acc->state + acc->layout.index);
    if (fold->wide_counts)
        acc->missed64 = (int64_t *)(acc->state + acc->layout.count);
    else
        acc->missed32 = (int32_t *)(acc->state + acc->layout.count);
    nci_acc_reset(acc);
    return NCG_OK;
}

void nci_acc_fini(nci_acc *acc)
{
    nci_free(acc->extra);
    *acc = (nci_acc){0};
}

static void fill(double *values, int64_t n, double x)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = x;
}

static void fill_i64(int64_t *values, int64_t n, int64_t x)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = x;
}

static void reset_extreme(nci_acc *acc, int v, bool is_low)
{
    bool is_unsigned = acc->fold->is_unsigned;
    if (!nci_fold_is_wide(acc->fold))
        fill(acc->value[v], acc->ncells, is_low ? INFINITY : -INFINITY);
    else if (is_low)
        fill_i64(acc->wide[v], acc->ncells, is_unsigned ? -1 : INT64_MAX);
    else
        fill_i64(acc->wide[v], acc->ncells, is_unsigned ? 0 : INT64_MIN);
}

void nci_acc_reset(nci_acc *acc)
{
    memset(acc->state, 0, acc->layout.nbytes);
    switch (acc->fold->op) {
    case NCG_OP_RANGE:
        reset_extreme(acc, 1, false);
        reset_extreme(acc, 0, true);
        break;
    case NCG_OP_MIN:
        reset_extreme(acc, 0, true);
        break;
    case NCG_OP_MAX:
        reset_extreme(acc, 0, false);
        break;
    case NCG_OP_ALL:
        fill(acc->value[0], acc->ncells, 1);
        break;
    case NCG_OP_PROD:
        if (nci_fold_is_wide(acc->fold))
            fill_i64(acc->wide[0], acc->ncells, 1);
        else
            fill(acc->value[0], acc->ncells, 1);
        break;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        fill(acc->k, acc->ncells, acc->is_packed ? 0 : NAN);
        break;
    case NCG_OP_LAST:
        fill_i64(acc->index, acc->ncells, -1);
        break;
    case NCG_OP_FIRST:
        fill_i64(acc->index, acc->ncells, INT64_MAX);
        break;
    case NCG_OP_ARGMIN:
    case NCG_OP_ARGMAX:
        reset_extreme(acc, 0, acc->fold->op == NCG_OP_ARGMIN);
        fill_i64(acc->index, acc->ncells, INT64_MAX);
        break;
    default:
        break;
    }
}

/* ---- blocks ---------------------------------------------------------------
 */

/* What the loops add for each value, made once a block:
 *     x       the value, NaN where missing
 *     plain   the same with a neutral number instead of NaN (sum, prod, any,
 *             all)
 * With weights a value counts only together with its weight: the loops look at
 * both, columns of deviations are joined beforehand. */
typedef struct prepared {
    const double *x, *plain, *weight;
    double *temp, *temp2;
    bool any_missing;
} prepared;

static void prepare_weighted(const nci_acc *acc, const nci_fold_block *block,
                             bool is_row, prepared *out)
{
    if (!has_squares(acc->fold) || is_row)
        return;
    out->any_missing = acc->isa->join(block->x, block->weight, block->n,
                                      block->temp, block->temp2);
    out->x = block->temp;
    out->weight = block->temp2;
}

static void prepare(const nci_acc *acc, const nci_fold_block *block,
                    bool is_row, prepared *out)
{
    int64_t n = block->n;
    ncg_op op = acc->fold->op;
    *out = (prepared){.x = block->x,
                      .plain = block->x,
                      .weight = block->weight,
                      .temp = block->temp,
                      .temp2 = block->temp2,
                      .any_missing = block->any_missing};
    if (block->weight) {
        prepare_weighted(acc, block, is_row, out);
    } else if (op == NCG_OP_ANY || op == NCG_OP_ALL) {
        double neutral = op == NCG_OP_ALL;
        for (int64_t i = 0; i < n; i++)
            block->temp2[i] =
                isnan(out->x[i]) ? neutral : (double)(out->x[i] != 0);
        out->plain = block->temp2;
    } else if ((op == NCG_OP_SUM || op == NCG_OP_MEAN) && out->any_missing) {
        acc->isa->replace_nan(out->x, n, 0, block->temp2);
        out->plain = block->temp2;
    } else if (op == NCG_OP_PROD && out->any_missing) {
        acc->isa->replace_nan(out->x, n, 1, block->temp2);
        out->plain = block->temp2;
    }
}

static void tally(nci_acc *acc, const double *x, int64_t cell, int64_t n)
{
    if (acc->missed64)
        acc->isa->tally64(acc->missed64 + cell, x, n);
    else
        acc->isa->tally32(acc->missed32 + cell, x, n);
}

static void add_weighted(nci_acc *acc, const prepared *p, int64_t from,
                         int64_t cell, int64_t n)
{
    const double *x = p->x + from, *w = p->weight + from;
    if (!acc->isa->column_add_weighted(acc->value[0] + cell,
                                       acc->value[1] + cell, x, w, n))
        return;
    acc->isa->join(x, w, n, p->temp, p->temp2);
    tally(acc, p->temp, cell, n);
}

/* A cell's first valid value becomes its k; its d is 0, as is that of the
 * NaN that k was while the sums were taken. */
static void column_squares(nci_acc *acc, const prepared *p, int64_t from,
                           int64_t cell, int64_t n)
{
    const nci_isa *isa = acc->isa;
    const double *x = p->x + from;
    double *k = acc->k + cell, *s = acc->value[0] + cell,
           *q = acc->value[1] + cell;
    bool any;
    if (p->weight) {
        any = isa->column_squares_weighted(k, s, q, x, p->weight + from, n);
        isa->column_add(acc->value[2] + cell, p->weight + from, n);
    } else {
        any = isa->column_squares(k, s, q, x, n);
    }
    if (any)
        isa->column_first(k, x, n);
}

static void multiply(double *value, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        value[i] *= x[i];
}

static void multiply_row(double *value, const double *x, int64_t n)
{
    double product = *value;
    for (int64_t i = 0; i < n; i++)
        product *= x[i];
    *value = product;
}

static void fold_column(nci_acc *acc, const prepared *p, int64_t from,
                        int64_t cell, int64_t n)
{
    const nci_isa *isa = acc->isa;
    double *value = acc->value[0] ? acc->value[0] + cell : NULL;
    if (p->weight && !has_squares(acc->fold)) {
        add_weighted(acc, p, from, cell, n);
        return;
    }
    if (p->any_missing)
        tally(acc, p->x + from, cell, n);
    switch (acc->fold->op) {
    case NCG_OP_SUM:
    case NCG_OP_MEAN:
        isa->column_add(value, p->plain + from, n);
        break;
    case NCG_OP_PROD:
        multiply(value, p->plain + from, n);
        break;
    case NCG_OP_ALL:
    case NCG_OP_MIN:
        isa->column_min(value, p->plain + from, n);
        break;
    case NCG_OP_ANY:
    case NCG_OP_MAX:
        isa->column_max(value, p->plain + from, n);
        break;
    case NCG_OP_RANGE:
        isa->column_min(value, p->x + from, n);
        isa->column_max(acc->value[1] + cell, p->x + from, n);
        break;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        column_squares(acc, p, from, cell, n);
        break;
    default: /* count: the tally is all */
        break;
    }
}

static void row_squares(nci_acc *acc, const prepared *p, int64_t from,
                        int64_t cell, int64_t n)
{
    const double *x = p->x + from;
    double sums[2], *k = acc->k + cell;
    for (int64_t i = 0; isnan(*k) && i < n; i++)
        *k = x[i];
    acc->isa->row_squares(x, n, *k, sums);
    acc->value[0][cell] += sums[0];
    acc->value[1][cell] += sums[1];
}

static void miss(nci_acc *acc, int64_t cell, int64_t missed)
{
    if (acc->missed64)
        acc->missed64[cell] += missed;
    else
        acc->missed32[cell] += (int32_t)missed;
}

static void fold_row_weighted(nci_acc *acc, const prepared *p, int64_t from,
                              int64_t cell, int64_t n)
{
    const double *x = p->x + from, *w = p->weight + from;
    double sums[3] = {0};
    if (has_squares(acc->fold)) {
        double *k = acc->k + cell;
        for (int64_t i = 0; isnan(*k) && i < n; i++)
            *k = isnan(w[i]) ? NAN : x[i];
        miss(acc, cell, acc->isa->row_squares_weighted(x, w, n, *k, sums));
    } else {
        miss(acc, cell, acc->isa->row_sum_weighted(x, w, n, sums));
    }
    for (int v = 0; v < acc->layout.nvalues; v++)
        acc->value[v][cell] += sums[v];
}

static void keep_low(double *value, double x)
{
    *value = x < *value ? x : *value;
}

static void keep_high(double *value, double x)
{
    *value = x > *value ? x : *value;
}

static void fold_row(nci_acc *acc, const prepared *p, int64_t from,
                     int64_t cell, int64_t n)
{
    const nci_isa *isa = acc->isa;
    double *value = acc->value[0] ? acc->value[0] + cell : NULL;
    if (p->weight) {
        fold_row_weighted(acc, p, from, cell, n);
        return;
    }
    if (p->any_missing)
        miss(acc, cell, isa->count_nan(p->x + from, n));
    switch (acc->fold->op) {
    case NCG_OP_SUM:
    case NCG_OP_MEAN:
        *value += isa->row_sum(p->plain + from, n);
        break;
    case NCG_OP_PROD:
        multiply_row(value, p->plain + from, n);
        break;
    case NCG_OP_ALL:
    case NCG_OP_MIN:
        keep_low(value, isa->row_min(p->plain + from, n));
        break;
    case NCG_OP_ANY:
    case NCG_OP_MAX:
        keep_high(value, isa->row_max(p->plain + from, n));
        break;
    case NCG_OP_RANGE:
        keep_low(value, isa->row_min(p->x + from, n));
        keep_high(acc->value[1] + cell, isa->row_max(p->x + from, n));
        break;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        row_squares(acc, p, from, cell, n);
        break;
    default:
        break;
    }
}

void nci_acc_block(nci_acc *acc, const nci_fold_block *block, nci_walk *cells,
                   nci_walk *places)
{
    prepared p = {0};
    bool is_scalar =
        nci_fold_is_wide(acc->fold) || nci_fold_by_position(acc->fold);
    bool is_row = nci_walk_is_row(cells);
    if (!is_scalar)
        prepare(acc, block, is_row, &p);
    for (int64_t at = 0; at < block->n;) {
        int64_t max = block->n - at;
        int64_t row_left = block->row - (block->start + at) % block->row;
        if (is_row && row_left < max)
            max = row_left;
        nci_run run = nci_walk_next(cells, max);
        if (is_scalar) {
            nci_acc_scalar(acc, block, at, &run, places);
        } else if (is_row) {
            fold_row(acc, &p, at, run.offset, run.count);
        } else if (!run.table && (run.stride == 1 || run.count == 1)) {
            fold_column(acc, &p, at, nci_run_at(&run, 0), run.count);
        } else {
            for (int64_t i = 0; i < run.count; i++)
                fold_column(acc, &p, at + i, nci_run_at(&run, i), 1);
        }
        at += run.count;
    }
}

/* ---- raw floats -----------------------------------------------------------
 */

bool nci_acc_takes_f32(const nci_fold *fold, const nci_walk *cells)
{
    const nci_walk_axis *inner = &cells->axis[cells->rank - 1];
    if (fold->is_weighted || fold->is_wide || inner->table ||
        inner->stride != 1)
        return false;
    switch (fold->op) {
    case NCG_OP_SUM:
    case NCG_OP_MEAN:
    case NCG_OP_MIN:
    case NCG_OP_MAX:
    case NCG_OP_RANGE:
    case NCG_OP_STD:
    case NCG_OP_VAR:
    case NCG_OP_COUNT:
        return true;
    default:
        return false;
    }
}

static void fold_f32(nci_acc *acc, const void *raw, int64_t cell, int64_t n)
{
    const nci_isa *isa = acc->isa;
    double *value = acc->value[0] ? acc->value[0] + cell : NULL;
    switch (acc->fold->op) {
    case NCG_OP_MIN:
        isa->column_min_f32(value, raw, n);
        break;
    case NCG_OP_MAX:
        isa->column_max_f32(value, raw, n);
        break;
    case NCG_OP_RANGE:
        isa->column_min_f32(value, raw, n);
        isa->column_max_f32(acc->value[1] + cell, raw, n);
        break;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        if (isa->column_squares_f32(acc->k + cell, value, acc->value[1] + cell,
                                    raw, n))
            isa->column_first_f32(acc->k + cell, raw, n);
        break;
    case NCG_OP_COUNT:
        break;
    default:
        isa->column_add_f32(value, raw, n);
    }
}

void nci_acc_f32(nci_acc *acc, const void *raw, int64_t n, nci_walk *cells)
{
    const uint8_t *at = raw;
    while (n > 0) {
        nci_run run = nci_walk_next(cells, n);
        fold_f32(acc, at, run.offset, run.count);
        at += run.count * 4;
        n -= run.count;
    }
}

void nci_acc_add_sum(nci_acc *acc, double sum, int64_t n, double weight,
                     int64_t cell)
{
    if (isnan(weight)) {
        miss(acc, cell, n);
        return;
    }
    if (!acc->fold->is_weighted) {
        acc->value[0][cell] += sum;
        return;
    }
    acc->value[0][cell] += weight * sum;
    acc->value[1][cell] += weight * (double)n;
}

/* ---- the end of a group ---------------------------------------------------
 */

/* Missing values become valid ones; true where a cell has none. */
static bool count_valid(nci_acc *acc, int64_t cell, int64_t n, int64_t seen)
{
    int64_t empty = 0;
    if (acc->missed64) {
        int64_t *counts = acc->missed64 + cell;
        for (int64_t i = 0; i < n; i++) {
            counts[i] = seen - counts[i];
            empty |= counts[i] <= 0;
        }
        return empty != 0;
    }
    int32_t *counts = acc->missed32 + cell, all = (int32_t)seen, none = 0;
    for (int64_t i = 0; i < n; i++) {
        counts[i] = all - counts[i];
        none |= counts[i] <= 0;
    }
    return none != 0;
}

static double count_at(const nci_acc *acc, int64_t cell)
{
    return acc->missed64 ? (double)acc->missed64[cell]
                         : (double)acc->missed32[cell];
}

/* Sums about k become mean and squared deviations about the mean; of
 * infinities, these are NaN. */
static void finish_squares(nci_acc *acc, int64_t cell, int64_t n)
{
    double *s = acc->value[0], *q = acc->value[1], *w = acc->value[2];
    if (!w && acc->missed32) {
        acc->isa->column_deviations(acc->missed32 + cell, acc->k + cell,
                                    s + cell, q + cell, n);
        return;
    }
    for (int64_t c = cell; c < cell + n; c++) {
        double size = w ? w[c] : count_at(acc, c);
        double shift = size != 0 ? s[c] / size : 0;
        double rest = q[c] - s[c] * shift, k = acc->k[c];
        s[c] = k + shift;
        q[c] = (rest < 0 ? 0 : rest) + (k - k);
    }
}

static void clear_empty(nci_acc *acc, int64_t cell, int64_t n)
{
    for (int64_t c = cell; c < cell + n; c++) {
        if (count_at(acc, c) > 0)
            continue;
        for (int v = 0; v < acc->layout.nvalues; v++)
            acc->wide[v][c] = 0;
        if (acc->layout.has_index)
            acc->index[c] = 0;
    }
}

void nci_acc_finish(nci_acc *acc, const int64_t *seen, int64_t nrows)
{
    int64_t width = nrows ? acc->ncells / nrows : 0;
    for (int64_t row = 0; row < nrows; row++) {
        bool any_empty = count_valid(acc, row * width, width, seen[row]);
        if (acc->is_packed)
            nci_packed_finish(acc, row * width, width);
        else if (acc->k)
            finish_squares(acc, row * width, width);
        if (any_empty)
            clear_empty(acc, row * width, width);
    }
}
