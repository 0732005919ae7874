/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * States: merging two, and what comes out at the end. Deviations merge by
 * Chan, Golub & LeVeque (1983): M2 = Ma + Mb + d^2 na nb / (na + nb), with d
 * the difference of the means.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "engine/kernel/fold.h"
#include "engine/kernel/view.h"

nci_state nci_state_of(const nci_fold *fold, int64_t ncells, void *data)
{
    return (nci_state){fold, nci_state_layout_of(fold, ncells), data};
}

void nci_state_clear(const nci_state *state)
{
    memset(state->data, 0, state->layout.nbytes);
}

static double *value_of(const nci_state *state, int v, int64_t cell)
{
    return (double *)(state->data + state->layout.value[v]) + cell;
}

static int64_t *wide_of(const nci_state *state, int v, int64_t cell)
{
    return (int64_t *)(state->data + state->layout.value[v]) + cell;
}

static int64_t *index_of(const nci_state *state, int64_t cell)
{
    return (int64_t *)(state->data + state->layout.index) + cell;
}

int64_t nci_state_count(const nci_state *state, int64_t cell)
{
    const uint8_t *counts = state->data + state->layout.count;
    return state->fold->wide_counts ? ((const int64_t *)counts)[cell]
                                    : ((const int32_t *)counts)[cell];
}

static void add_count(const nci_state *state, int64_t cell, int64_t more)
{
    uint8_t *counts = state->data + state->layout.count;
    if (state->fold->wide_counts)
        ((int64_t *)counts)[cell] += more;
    else
        ((int32_t *)counts)[cell] += (int32_t)more;
}

/* ---- merging --------------------------------------------------------------
 */

static void copy_cell(const nci_state *into, int64_t a, const nci_state *from,
                      int64_t b)
{
    for (int v = 0; v < into->layout.nvalues; v++)
        *wide_of(into, v, a) = *wide_of(from, v, b);
    if (into->layout.has_index)
        *index_of(into, a) = *index_of(from, b);
}

static void merge_squares(const nci_state *into, int64_t a,
                          const nci_state *from, int64_t b)
{
    bool weighted = into->fold->is_weighted;
    double na =
        weighted ? *value_of(into, 2, a) : (double)nci_state_count(into, a);
    double nb =
        weighted ? *value_of(from, 2, b) : (double)nci_state_count(from, b);
    double n = na + nb;
    double *mean = value_of(into, 0, a), *m2 = value_of(into, 1, a);
    double d = *value_of(from, 0, b) - *mean;
    if (weighted)
        *value_of(into, 2, a) = n;
    if (n == 0)
        return;
    *mean += d * (nb / n);
    *m2 += *value_of(from, 1, b) + d * d * (na * (nb / n));
}

static void merge_wide(const nci_state *into, int64_t a, const nci_state *from,
                       int64_t b)
{
    bool is_unsigned = into->fold->is_unsigned;
    int64_t *x = wide_of(into, 0, a), y = *wide_of(from, 0, b);
    bool less = is_unsigned ? (uint64_t)y < (uint64_t)*x : y < *x;
    switch (into->fold->op) {
    case NCG_OP_SUM:
        *x = nci_add_wide(is_unsigned, *x, y);
        break;
    case NCG_OP_PROD:
        *x = (int64_t)((uint64_t)*x * (uint64_t)y);
        break;
    case NCG_OP_MIN:
        *x = less ? y : *x;
        break;
    case NCG_OP_MAX:
        *x = less ? *x : y;
        break;
    default: {
        int64_t *h = wide_of(into, 1, a), z = *wide_of(from, 1, b);
        bool more = is_unsigned ? (uint64_t)z > (uint64_t)*h : z > *h;
        *x = less ? y : *x;
        *h = more ? z : *h;
    }
    }
}

/* Equal extremes: the earlier position stays. */
static void merge_argument(const nci_state *into, int64_t a,
                           const nci_state *from, int64_t b)
{
    bool less, more;
    if (nci_fold_is_wide(into->fold)) {
        int64_t x = *wide_of(into, 0, a), y = *wide_of(from, 0, b);
        bool is_unsigned = into->fold->is_unsigned;
        less = is_unsigned ? (uint64_t)y < (uint64_t)x : y < x;
        more = is_unsigned ? (uint64_t)y > (uint64_t)x : y > x;
    } else {
        double x = *value_of(into, 0, a), y = *value_of(from, 0, b);
        less = y < x;
        more = y > x;
    }
    bool earlier = *index_of(from, b) < *index_of(into, a);
    bool better = into->fold->op == NCG_OP_ARGMIN ? less : more;
    if (better || (!less && !more && earlier))
        copy_cell(into, a, from, b);
}

/* Groups that are cut along an inner axis interleave their positions. */
static void merge_pick(const nci_state *into, int64_t a, const nci_state *from,
                       int64_t b)
{
    int64_t x = *index_of(into, a), y = *index_of(from, b);
    if (into->fold->op == NCG_OP_FIRST ? y < x : y > x)
        copy_cell(into, a, from, b);
}

static void merge_cell(const nci_state *into, int64_t a, const nci_state *from,
                       int64_t b)
{
    ncg_op op = into->fold->op;
    double *x = into->layout.nvalues ? value_of(into, 0, a) : NULL;
    double y = x ? *value_of(from, 0, b) : 0;
    switch (op) {
    case NCG_OP_STD:
    case NCG_OP_VAR:
        merge_squares(into, a, from, b);
        break;
    case NCG_OP_COUNT:
        break;
    case NCG_OP_FIRST:
    case NCG_OP_LAST:
        merge_pick(into, a, from, b);
        break;
    case NCG_OP_ARGMIN:
    case NCG_OP_ARGMAX:
        merge_argument(into, a, from, b);
        break;
    default:
        if (nci_fold_is_wide(into->fold)) {
            merge_wide(into, a, from, b);
        } else if (op == NCG_OP_PROD) {
            *x *= y;
        } else if (op == NCG_OP_MIN || op == NCG_OP_ALL) {
            *x = y < *x ? y : *x;
        } else if (op == NCG_OP_MAX || op == NCG_OP_ANY) {
            *x = y > *x ? y : *x;
        } else if (op == NCG_OP_RANGE) {
            double *h = value_of(into, 1, a), z = *value_of(from, 1, b);
            *x = y < *x ? y : *x;
            *h = z > *h ? z : *h;
        } else {
            *x += y;
            if (into->fold->is_weighted)
                *value_of(into, 1, a) += *value_of(from, 1, b);
        }
    }
}

static int32_t *counts_of(const nci_state *state, int64_t cell)
{
    return (int32_t *)(state->data + state->layout.count) + cell;
}

/* The common states, many cells at a time; false where merge_cell must do it.
 * Sums need no look at the counts: empty cells hold 0. */
static bool merge_many(const nci_state *into, int64_t a, const nci_state *from,
                       int64_t b, int64_t n)
{
    const nci_fold *fold = into->fold;
    const nci_isa *isa = nci_isa_best();
    if (fold->wide_counts || nci_fold_is_wide(fold))
        return false;
    int32_t *na = counts_of(into, a);
    const int32_t *nb = counts_of(from, b);
    switch (fold->op) {
    case NCG_OP_SUM:
    case NCG_OP_MEAN:
        for (int v = 0; v < into->layout.nvalues; v++)
            isa->column_add(value_of(into, v, a), value_of(from, v, b), n);
        break;
    case NCG_OP_COUNT:
        break;
    case NCG_OP_RANGE:
        isa->merge_max(na, value_of(into, 1, a), nb, value_of(from, 1, b), n);
        isa->merge_min(na, value_of(into, 0, a), nb, value_of(from, 0, b), n);
        break;
    case NCG_OP_ALL:
    case NCG_OP_MIN:
        isa->merge_min(na, value_of(into, 0, a), nb, value_of(from, 0, b), n);
        break;
    case NCG_OP_ANY:
    case NCG_OP_MAX:
        isa->merge_max(na, value_of(into, 0, a), nb, value_of(from, 0, b), n);
        break;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        if (fold->is_weighted)
            return false;
        isa->merge_squares(na, value_of(into, 0, a), value_of(into, 1, a), nb,
                           value_of(from, 0, b), value_of(from, 1, b), n);
        return true;
    default:
        return false;
    }
    isa->add_counts(na, nb, n);
    return true;
}

void nci_state_copy(const nci_state *into, int64_t into_cell,
                    const nci_state *from, int64_t from_cell, int64_t n)
{
    size_t nbytes = (size_t)n * 8;
    for (int v = 0; v < into->layout.nvalues; v++)
        memcpy(value_of(into, v, into_cell), value_of(from, v, from_cell),
               nbytes);
    if (into->layout.has_index)
        memcpy(index_of(into, into_cell), index_of(from, from_cell), nbytes);
    size_t each = into->fold->wide_counts ? 8 : 4;
    memcpy(into->data + into->layout.count + (size_t)into_cell * each,
           from->data + from->layout.count + (size_t)from_cell * each,
           (size_t)n * each);
}

void nci_state_clear_cells(const nci_state *state, int64_t cell, int64_t n)
{
    size_t nbytes = (size_t)n * 8;
    for (int v = 0; v < state->layout.nvalues; v++)
        memset(value_of(state, v, cell), 0, nbytes);
    if (state->layout.has_index)
        memset(index_of(state, cell), 0, nbytes);
    size_t each = state->fold->wide_counts ? 8 : 4;
    memset(state->data + state->layout.count + (size_t)cell * each, 0,
           (size_t)n * each);
}

void nci_state_merge(const nci_state *into, int64_t into_cell,
                     const nci_state *from, int64_t from_cell, int64_t n)
{
    if (merge_many(into, into_cell, from, from_cell, n))
        return;
    for (int64_t i = 0; i < n; i++) {
        int64_t a = into_cell + i, b = from_cell + i;
        int64_t more = nci_state_count(from, b);
        if (!more)
            continue;
        if (nci_state_count(into, a))
            merge_cell(into, a, from, b);
        else
            copy_cell(into, a, from, b);
        add_count(into, a, more);
    }
}

void nci_state_pool(const nci_state *into, int64_t into_cell,
                    const nci_state *from, int64_t from_cell, int64_t n)
{
    const nci_isa *isa = nci_isa_best();
    isa->column_add(value_of(into, 1, into_cell), value_of(from, 1, from_cell),
                    n);
    if (into->fold->wide_counts)
        for (int64_t i = 0; i < n; i++)
            add_count(into, into_cell + i,
                      nci_state_count(from, from_cell + i));
    else
        isa->add_counts(counts_of(into, into_cell),
                        counts_of(from, from_cell), n);
}

/* ---- finishing ------------------------------------------------------------
 */

static bool is_valid(const nci_fold *fold, int64_t count, int64_t population)
{
    ncg_op op = fold->op;
    if (op == NCG_OP_COUNT)
        return fold->min_count <= 1 || count >= fold->min_count;
    if (!fold->skipna && count < population)
        return false;
    if (count < fold->min_count)
        return false;
    if (op == NCG_OP_STD || op == NCG_OP_VAR)
        return count - fold->ddof > 0;
    return count > 0 || op == NCG_OP_SUM || op == NCG_OP_PROD ||
           op == NCG_OP_ANY || op == NCG_OP_ALL;
}

/* Weighted deviations: the weights are taken relative to their mean, so that
 * with equal weights the result is that without. */
static double variance(const nci_state *state, int64_t cell, int64_t count)
{
    const nci_fold *fold = state->fold;
    double m2 = *value_of(state, 1, cell), free = (double)(count - fold->ddof);
    if (fold->is_weighted) {
        double w = *value_of(state, 2, cell);
        return w != 0 ? m2 / w * ((double)count / free) : NAN;
    }
    return m2 / free;
}

static double result(const nci_state *state, int64_t cell, int64_t count)
{
    const nci_fold *fold = state->fold;
    double x = state->layout.nvalues ? *value_of(state, 0, cell) : 0;
    switch (fold->op) {
    case NCG_OP_MEAN: {
        double n =
            fold->is_weighted ? *value_of(state, 1, cell) : (double)count;
        return n != 0 ? x / n : NAN;
    }
    case NCG_OP_STD:
        return sqrt(variance(state, cell, count));
    case NCG_OP_VAR:
        return variance(state, cell, count);
    case NCG_OP_RANGE:
        return *value_of(state, 1, cell) - x;
    case NCG_OP_ALL:
    case NCG_OP_PROD:
        return count ? x : 1;
    default:
        return x;
    }
}

/* Whether the result is an integer that double may not hold. */
static bool is_integer_result(const nci_fold *fold)
{
    return fold->op == NCG_OP_COUNT || fold->op == NCG_OP_ARGMIN ||
           fold->op == NCG_OP_ARGMAX || nci_fold_is_wide(fold);
}

static int64_t integer_result(const nci_state *state, int64_t cell,
                              int64_t count)
{
    switch (state->fold->op) {
    case NCG_OP_COUNT:
        return count;
    case NCG_OP_ARGMIN:
    case NCG_OP_ARGMAX:
        return *index_of(state, cell);
    case NCG_OP_RANGE:
        return (int64_t)((uint64_t)*wide_of(state, 1, cell) -
                         (uint64_t)*wide_of(state, 0, cell));
    case NCG_OP_PROD:
        return count ? *wide_of(state, 0, cell) : 1;
    default:
        return *wide_of(state, 0, cell);
    }
}

static void put_integer(const nci_fold *fold, int64_t x, void *out)
{
    /* The difference of two int64 is an uint64. */
    bool is_unsigned = nci_fold_is_wide(fold) && !nci_fold_by_position(fold) &&
                       (fold->is_unsigned || fold->op == NCG_OP_RANGE);
    is_unsigned =
        is_unsigned || (fold->is_unsigned &&
                        (fold->op == NCG_OP_FIRST || fold->op == NCG_OP_LAST));
    if (nci_dtype_is_wide(fold->out))
        memcpy(out, &x, sizeof x);
    else if (is_unsigned)
        nci_dtype_put(fold->out, out, (double)(uint64_t)x);
    else
        nci_dtype_put_i64(fold->out, out, x);
}

static void finish_integers(const nci_state *state, int64_t cell, int64_t n,
                            int64_t population, uint8_t *out)
{
    const nci_fold *fold = state->fold;
    size_t size = ncg_dtype_size(fold->out);
    for (int64_t i = 0; i < n; i++, out += size) {
        int64_t count = nci_state_count(state, cell + i);
        if (is_valid(fold, count, population))
            put_integer(fold, integer_result(state, cell + i, count), out);
        else if (nci_dtype_is_float(fold->out))
            nci_dtype_put(fold->out, out, NAN);
        else
            memcpy(out, fold->missing, size);
    }
}

/* The fewest values with which a cell of unweighted doubles is valid: what
 * is_valid says, as one number. */
static int32_t least_count(const nci_fold *fold, int64_t population)
{
    int64_t least = fold->op == NCG_OP_SUM ? 0 : 1;
    if (!fold->skipna && population > least)
        least = population;
    if (fold->min_count > least)
        least = fold->min_count;
    if ((fold->op == NCG_OP_STD || fold->op == NCG_OP_VAR) &&
        fold->ddof >= least)
        least = (int64_t)fold->ddof + 1;
    return least < INT32_MAX ? (int32_t)least : INT32_MAX;
}

/* The common results, many cells at a time; false where result() makes them. */
static bool finish_many(const nci_state *state, const nci_isa *isa,
                        int64_t cell, int64_t n, int64_t population,
                        double *out)
{
    const nci_fold *fold = state->fold;
    if (fold->wide_counts || fold->is_weighted)
        return false;
    const int32_t *count = counts_of(state, cell);
    int32_t least = least_count(fold, population);
    switch (fold->op) {
    case NCG_OP_MEAN:
        isa->finish_mean(count, value_of(state, 0, cell), least, n, out);
        return true;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        isa->finish_variance(count, value_of(state, 1, cell), least, fold->ddof,
                             fold->op == NCG_OP_STD, n, out);
        return true;
    case NCG_OP_SUM:
    case NCG_OP_MIN:
    case NCG_OP_MAX:
        isa->finish_value(count, value_of(state, 0, cell), least, n, out);
        return true;
    default:
        return false;
    }
}

void nci_state_finish(const nci_state *state, const nci_isa *isa, int64_t cell,
                      int64_t n, int64_t population, void *out)
{
    const nci_fold *fold = state->fold;
    const uint8_t *missing =
        nci_dtype_is_float(fold->out) ? NULL : fold->missing;
    size_t size = ncg_dtype_size(fold->out);
    if (is_integer_result(fold)) {
        finish_integers(state, cell, n, population, out);
        return;
    }
    for (int64_t done = 0; done < n;) {
        double x[NCI_BLOCK];
        int64_t count = n - done < NCI_BLOCK ? n - done : NCI_BLOCK;
        bool is_done =
            finish_many(state, isa, cell + done, count, population, x);
        for (int64_t i = 0; !is_done && i < count; i++) {
            int64_t valid = nci_state_count(state, cell + done + i);
            x[i] = is_valid(fold, valid, population)
                       ? result(state, cell + done + i, valid)
                       : NAN;
        }
        nci_encode(isa, x, count, fold->out, missing,
                   (uint8_t *)out + (size_t)done * size);
        done += count;
    }
}
