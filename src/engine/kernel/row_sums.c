/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of raw values that are summed as they came from the file: each run of
 * them belongs to one cell and has one weight, or there are none. */
#include <math.h>
#include <string.h>

#include "engine/kernel/task.h"

bool nci_row_sums_open(nci_row_sums *rows, const nci_task *task,
                       nci_walk *cells, nci_walk *operands)
{
    const nci_fused *f = task->fused;
    const nci_view *view = &task->views[0];
    bool weighs = f->weight >= 0;
    if (!f->folds || f->nsteps || f->result != 0 ||
        nci_fold_is_wide(&f->fold) ||
        (f->fold.op != NCG_OP_SUM && f->fold.op != NCG_OP_MEAN) ||
        f->noperands != 1 + weighs || !nci_walk_is_row(cells))
        return false;
    if (weighs && (f->weight != 1 || !nci_view_is_plain(&task->views[1]) ||
                   !nci_walk_is_row(&operands[1])))
        return false;
    *rows = (nci_row_sums){.view = view,
                           .weights = weighs ? &task->views[1] : NULL,
                           .cells = cells,
                           .operands = operands};
    nci_raw_kind kind = nci_view_raw_kind(view, &rows->in);
    if (kind == NCI_RAW_KINDS)
        return false;
    rows->row_sum = task->isa->raw[kind].row_sum;
    return true;
}

/* The next values of a block that share cell and weight; returns how many. */
static int64_t next_run(const nci_row_sums *rows, nci_walk *cells,
                        nci_walk *weights, int64_t left, int64_t *cell,
                        double *weight)
{
    nci_walk ahead = *cells;
    nci_run run = nci_walk_next(&ahead, left);
    *cell = run.offset;
    *weight = 1;
    left = run.count;
    if (rows->weights) {
        nci_run same = nci_walk_next(weights, left);
        memcpy(weight, rows->weights->data + same.offset * 8, sizeof *weight);
        left = same.count;
    }
    nci_walk_next(cells, left);
    return left;
}

/* Sums of all runs of a block first: a missing value leaves the block to
 * whoever takes values one by one. */
static bool sum_runs(nci_row_sums *rows, const nci_run *values, double *sums)
{
    nci_walk cells = *rows->cells, weights = {0};
    if (rows->weights)
        weights = rows->operands[1];
    for (int64_t at = 0, n; at < values->count; at += n) {
        int64_t cell;
        double weight;
        n = next_run(rows, &cells, &weights, values->count - at, &cell,
                     &weight);
        rows->in.x[0] = nci_view_raw_at(rows->view, values->offset + at);
        if (rows->row_sum(&rows->in, n, sums++))
            return false;
    }
    return true;
}

bool nci_row_sums_add(nci_row_sums *rows, nci_acc *acc, const nci_lane *lane,
                      int64_t n)
{
    nci_walk ahead = rows->operands[0];
    nci_run values = nci_walk_next(&ahead, n);
    const double *sum = lane->temp;
    if (values.count != n || values.table || values.stride != 1 ||
        !sum_runs(rows, &values, lane->temp))
        return false;
    rows->operands[0] = ahead;
    for (int64_t left = n; left > 0; sum++) {
        int64_t cell;
        double weight;
        int64_t count = next_run(rows, rows->cells, &rows->operands[1], left,
                                 &cell, &weight);
        nci_acc_add_sum(acc, *sum, count, weight, cell);
        left -= count;
    }
    return true;
}
