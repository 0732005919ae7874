/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_RANDOM_REFEREE_H
#define NCG_TESTS_ENGINE_RANDOM_REFEREE_H
/* What a reduction of a random array is: a plain loop over all positions. */
#include "random_arrays.h"

/* ---- the referee ------------------------------------------------------------
 */

typedef struct cell {
    int64_t population, count, index;
    double sum, weight, low, high, first, last, any, all, size;
    int64_t first_i, last_i, low_i, high_i, low_at, high_at;
    uint64_t total, product_i;
    double product;
    double mean, m2;
} cell;

typedef struct reduction {
    nci_reduce how;
    int32_t *labels;
    double *weights; /* one a position of weight_axis */
    int weight_axis;
    nci_operand operand;
} reduction;

static inline bool less_wide(const array *a, int64_t x, int64_t y)
{
    return a->raw == NCG_DTYPE_U64 ? (uint64_t)x < (uint64_t)y : x < y;
}

static inline void add_to_cell(const array *a, cell *c, int64_t i,
                               int64_t place, double w, int pass)
{
    double x = a->values[i];
    if (pass == 0)
        c->population++;
    if (isnan(x) || isnan(w))
        return;
    if (pass == 1) {
        c->m2 += w * (x - c->mean) * (x - c->mean);
        return;
    }
    int64_t v = a->wide[i];
    bool wide = nci_dtype_is_wide(a->decode.out);
    bool first = !c->count++;
    bool low = first || (wide ? less_wide(a, v, c->low_i) : x < c->low);
    bool high = first || (wide ? less_wide(a, c->high_i, v) : x > c->high);
    c->sum += w * x;
    c->size += fabs(w * x);
    c->weight += w;
    c->total += (uint64_t)v;
    int64_t whole = wide ? v : fabs(x) < 1e18 ? (int64_t)x : 0;
    c->product = (first ? 1 : c->product) * x;
    c->product_i = (first ? 1 : c->product_i) * (uint64_t)whole;
    c->any = c->any || x != 0;
    c->all = first ? x != 0 : c->all && x != 0;
    if (first) {
        c->first = x;
        c->first_i = v;
    }
    c->last = x;
    c->last_i = v;
    if (low) {
        c->low = x;
        c->low_i = v;
        c->low_at = place;
    }
    if (high) {
        c->high = x;
        c->high_i = v;
        c->high_at = place;
    }
}

static inline int64_t cell_of(const array *a, const reduction *r, int64_t i,
                              int64_t *place)
{
    int64_t out = 0;
    *place = 0;
    for (int d = 0; d < a->rank; d++) {
        int64_t p = along(a, i, d);
        if (r->how.over[d])
            *place = *place * a->shape[d] + p;
        if (d == r->how.label_axis) {
            if (r->labels[p] < 0)
                return -1;
            out = out * r->how.nlabels + r->labels[p];
        } else if (!r->how.over[d]) {
            out = out * a->shape[d] + p;
        }
    }
    return out;
}

static inline void reduce_plainly(const array *a, const reduction *r,
                                  cell *cells, int64_t ncells)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < a->size; i++) {
            int64_t place, c = cell_of(a, r, i, &place);
            double w = r->weights ? r->weights[along(a, i, r->weight_axis)] : 1;
            if (c >= 0)
                add_to_cell(a, &cells[c], i, place, w, pass);
        }
        for (int64_t c = 0; pass == 0 && c < ncells; c++)
            cells[c].mean = cells[c].sum / cells[c].weight;
    }
}

/* `missing` NULL: no value of the result stands for one that is missing. */
static inline void check_cell(const array *a, const reduction *r, const cell *c,
                              ncg_dtype dtype, const uint8_t *missing,
                              const uint8_t *got)
{
    ncg_op op = r->how.op;
    bool wide = nci_dtype_is_wide(dtype);
    bool from_wide = nci_dtype_is_wide(a->decode.out);
    bool is_missing = nci_dtype_is_float(dtype)
                          ? isnan(nci_dtype_get(dtype, got))
                          : missing &&
                                !memcmp(got, missing, ncg_dtype_size(dtype));
    bool expect_missing =
        op == NCG_OP_COUNT ? r->how.min_count > 1 && c->count < r->how.min_count
                           : (c->count < r->how.min_count ||
                              (!r->how.skipna && c->count < c->population) ||
                              ((op == NCG_OP_STD || op == NCG_OP_VAR) &&
                               c->count - r->how.ddof <= 0));
    if (op == NCG_OP_MEAN || op == NCG_OP_STD || op == NCG_OP_VAR)
        expect_missing = expect_missing || c->weight == 0;
    else if (op != NCG_OP_SUM && op != NCG_OP_PROD && op != NCG_OP_ANY &&
             op != NCG_OP_ALL && op != NCG_OP_COUNT)
        expect_missing = expect_missing || c->count == 0;
    if (is_missing != expect_missing)
        fail_msg("op %d: missing %d, not %d (count %lld of %lld)", op,
                 is_missing, expect_missing, (long long)c->count,
                 (long long)c->population);
    if (is_missing)
        return;
    double x = nci_dtype_get(dtype, got), want = 0, scale = c->size;
    double eps = dtype == NCG_DTYPE_F32 ? 1e-6 : 1e-12;
    int64_t v = nci_dtype_get_i64(dtype, got), want_i = 0;
    double free = (double)(c->count - r->how.ddof);
    double var = c->m2 / c->weight * (double)c->count / free;
    bool exact = false;
    switch (op) {
    case NCG_OP_MEAN:
        want = c->mean;
        scale = c->size / fabs(c->weight);
        break;
    case NCG_OP_SUM:
        want = c->sum;
        want_i = from_wide ? (int64_t)c->total : (int64_t)c->sum;
        exact = wide && !r->weights;
        eps = wide ? 1 : eps;
        break;
    case NCG_OP_PROD:
        want = c->count ? c->product : 1;
        want_i = c->count ? (int64_t)c->product_i : 1;
        exact = wide;
        scale = 0;
        if (!exact && !(fabs(want) < 1e30 && fabs(want) > 1e-30))
            return; /* what a float, or a double, no longer holds */
        eps *= 100;
        break;
    case NCG_OP_MIN:
        want = c->low;
        want_i = c->low_i;
        exact = wide;
        break;
    case NCG_OP_MAX:
        want = c->high;
        want_i = c->high_i;
        exact = wide;
        break;
    case NCG_OP_RANGE:
        want = c->high - c->low;
        break;
    case NCG_OP_STD:
        want = sqrt(var);
        scale = want + 1e-3 * fabs(c->mean);
        break;
    case NCG_OP_VAR:
        want = var;
        scale = want + 1e-3 * fabs(c->mean) * (sqrt(want) + 1e-12);
        break;
    case NCG_OP_ANY:
        want = c->any;
        break;
    case NCG_OP_ALL:
        want = c->count ? c->all : 1;
        break;
    case NCG_OP_FIRST:
        want = c->first;
        want_i = c->first_i;
        exact = wide;
        break;
    case NCG_OP_LAST:
        want = c->last;
        want_i = c->last_i;
        exact = wide;
        break;
    case NCG_OP_COUNT:
        want_i = c->count;
        exact = true;
        break;
    case NCG_OP_ARGMIN:
        want_i = c->low_at;
        exact = true;
        break;
    default:
        want_i = c->high_at;
        exact = true;
    }
    if ((op == NCG_OP_STD || op == NCG_OP_VAR) && fabs(c->mean) > 1e15)
        return; /* the referee's mean is too coarse */
    if (exact ? v != want_i
              : fabs(x - want) > eps * (scale + fabs(want)) + 1e-300)
        fail_msg("op %d: %.17g (%lld), not %.17g (%lld)", op, x, (long long)v,
                 want, (long long)want_i);
}

#endif
