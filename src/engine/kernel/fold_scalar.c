/* SPDX-License-Identifier: BSD-3-Clause */
/* Folding value by value: where the position of a value decides (first, last,
 * argmin, argmax) and where values are 64-bit integers. Tiles may come in any
 * order of positions (a selection may run backwards), so ties and order are
 * settled by comparing positions. */
#include <math.h>

#include "engine/kernel/fold.h"

static bool is_less(const nci_acc *acc, int64_t a, int64_t b)
{
    return acc->fold->is_unsigned ? (uint64_t)a < (uint64_t)b : a < b;
}

/* Whether a value at `place`, less (more) than the one kept, replaces it. */
static bool replaces(ncg_op op, bool less, bool more, int64_t place,
                     int64_t kept)
{
    switch (op) {
    case NCG_OP_FIRST:
        return place < kept;
    case NCG_OP_LAST:
        return place > kept;
    case NCG_OP_ARGMIN:
        return less || (!more && place < kept);
    default:
        return more || (!less && place < kept);
    }
}

static void pick(nci_acc *acc, int64_t cell, double x, int64_t place)
{
    double *value = acc->value[0] + cell;
    if (!replaces(acc->fold->op, x<*value, x> * value, place, acc->index[cell]))
        return;
    *value = x;
    acc->index[cell] = place;
}

static void pick_wide(nci_acc *acc, int64_t cell, int64_t x, int64_t place)
{
    int64_t *value = acc->wide[0] + cell;
    if (!replaces(acc->fold->op, is_less(acc, x, *value),
                  is_less(acc, *value, x), place, acc->index[cell]))
        return;
    *value = x;
    acc->index[cell] = place;
}

static void fold_wide(nci_acc *acc, int64_t cell, int64_t x)
{
    int64_t *value = acc->wide[0] + cell;
    switch (acc->fold->op) {
    case NCG_OP_SUM:
        *value = nci_add_wide(acc->fold->is_unsigned, *value, x);
        break;
    case NCG_OP_PROD: /* wraps, as NumPy's */
        *value = (int64_t)((uint64_t)*value * (uint64_t)x);
        break;
    case NCG_OP_MIN:
        *value = is_less(acc, x, *value) ? x : *value;
        break;
    case NCG_OP_MAX:
        *value = is_less(acc, *value, x) ? x : *value;
        break;
    default: { /* range */
        int64_t *high = acc->wide[1] + cell;
        *value = is_less(acc, x, *value) ? x : *value;
        *high = is_less(acc, *high, x) ? x : *high;
    }
    }
}

static void miss(nci_acc *acc, int64_t cell)
{
    if (acc->missed64)
        acc->missed64[cell]++;
    else
        acc->missed32[cell]++;
}

void nci_acc_scalar(nci_acc *acc, const nci_fold_block *block, int64_t from,
                    const nci_run *cells, nci_walk *places)
{
    bool by_position = nci_fold_by_position(acc->fold);
    bool is_wide = nci_fold_is_wide(acc->fold);
    for (int64_t done = 0; done < cells->count;) {
        nci_run place = {.count = cells->count - done};
        if (by_position)
            place = nci_walk_next(places, place.count);
        for (int64_t i = 0; i < place.count; i++) {
            int64_t at = from + done + i;
            int64_t cell = nci_run_at(cells, done + i);
            if (isnan(block->x[at]))
                miss(acc, cell);
            else if (!by_position)
                fold_wide(acc, cell, block->wide[at]);
            else if (is_wide)
                pick_wide(acc, cell, block->wide[at], nci_run_at(&place, i));
            else
                pick(acc, cell, block->x[at], nci_run_at(&place, i));
        }
        done += place.count;
    }
}
