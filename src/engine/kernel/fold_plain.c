/* SPDX-License-Identifier: BSD-3-Clause */
/* Folding values as they lie in memory, or as the last step of a program makes
 * them, in one pass. That nothing is missing from a stretch of one row shows in
 * its sums, which a NaN would have made NaN. */
#include "engine/kernel/fold_plain.h"

#include <math.h>

static bool add_sum(nci_acc *acc, const nci_isa_map *map, nci_class c,
                    const void *values, int64_t n, int64_t cell)
{
    double sum = map->row_sum[c](values, n);
    if (isnan(sum))
        return false;
    acc->value[0][cell] += sum;
    return true;
}

static bool add_squares(nci_acc *acc, const nci_isa_map *map, nci_class c,
                        const void *values, int64_t n, int64_t cell)
{
    double sums[2];
    if (isnan(acc->k[cell]))
        return false; /* the first block of a row chooses it */
    map->row_squares[c](values, n, acc->k[cell], sums);
    if (isnan(sums[0]) || isnan(sums[1]))
        return false;
    acc->value[0][cell] += sums[0];
    acc->value[1][cell] += sums[1];
    return true;
}

static bool add_integers(nci_acc *acc, const nci_isa_map *map,
                         const int64_t *values, int64_t n, int64_t cell)
{
    acc->wide[0][cell] = nci_add_wide(acc->fold->is_unsigned,
                                      acc->wide[0][cell], map->sum(values, n));
    return true;
}

bool nci_acc_plain_row(nci_acc *acc, const nci_isa_map *map, nci_class c,
                       bool is_small, const void *values, int64_t n,
                       int64_t row, nci_walk *cells)
{
    const nci_fold *fold = acc->fold;
    bool is_float = c == NCI_CLASS_F64 || c == NCI_CLASS_F32;
    bool is_wide = nci_fold_is_wide(fold);
    bool done = false;
    if (fold->is_weighted || row < n || !nci_walk_is_row(cells))
        return false;
    nci_walk ahead = *cells;
    nci_run run = nci_walk_next(&ahead, n);
    if (run.count != n)
        return false;
    if (fold->op == NCG_OP_COUNT && !is_float)
        done = true;
    else if (fold->op == NCG_OP_SUM || fold->op == NCG_OP_MEAN) {
        if (is_float)
            done = add_sum(acc, map, c, values, n, run.offset);
        else if (is_wide && is_small)
            done = add_integers(acc, map, values, n, run.offset);
        else if (is_small) {
            acc->value[0][run.offset] += (double)map->sum(values, n);
            done = true;
        }
    } else if ((fold->op == NCG_OP_STD || fold->op == NCG_OP_VAR) && is_float) {
        done = add_squares(acc, map, c, values, n, run.offset);
    }
    if (done)
        *cells = ahead;
    return done;
}

/* ---- what a step makes ----------------------------------------------------
 */

nci_sums_of nci_acc_sums_of(const nci_fold *fold, const nci_isa_map *map,
                            const nci_step *last, const nci_walk *cells)
{
    const nci_walk_axis *inner = &cells->axis[cells->rank - 1];
    bool is_sum = fold->op == NCG_OP_SUM || fold->op == NCG_OP_MEAN;
    bool has_squares = fold->op == NCG_OP_STD || fold->op == NCG_OP_VAR;
    nci_sums_of of = {0};
    if (!last || fold->is_weighted || nci_fold_is_wide(fold) ||
        last->on > NCI_CLASS_F32 || nci_step_class(last) != last->on)
        return of;
    if (is_sum && nci_walk_is_row(cells))
        of.row = map->row_of[last->on][last->op];
    else if (!inner->table && inner->stride == 1 && is_sum)
        of.column = map->column_of[last->on][last->op];
    else if (!inner->table && inner->stride == 1 && has_squares)
        of.squares = map->squares_of[last->on][last->op];
    return of;
}

bool nci_acc_add_row(nci_acc *acc, const nci_sums_of *of, const void *a,
                     const void *b, int64_t n, int64_t row, nci_walk *cells)
{
    nci_walk ahead = *cells;
    nci_run run = nci_walk_next(&ahead, n);
    double sum = row < n || run.count != n ? NAN : of->row(a, b, n);
    if (isnan(sum))
        return false;
    acc->value[0][run.offset] += sum;
    *cells = ahead;
    return true;
}

bool nci_acc_add_run(nci_acc *acc, const nci_sums_of *of, const void *a,
                     const void *b, const nci_run *run)
{
    int64_t cell = run->offset;
    if (of->squares)
        return of->squares(acc->k + cell, acc->value[0] + cell,
                           acc->value[1] + cell, a, b, run->count);
    return of->column(acc->value[0] + cell, a, b, run->count);
}

void nci_acc_settle(nci_acc *acc, const double *x, const nci_run *run)
{
    int64_t cell = run->offset;
    if (acc->missed64)
        acc->isa->tally64(acc->missed64 + cell, x, run->count);
    else
        acc->isa->tally32(acc->missed32 + cell, x, run->count);
    if (acc->k)
        acc->isa->column_first(acc->k + cell, x, run->count);
}
