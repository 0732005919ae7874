/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operands whose rows lie across those of the box: x + x.T. Read one after the
 * other, each of their values would come from another line of memory. So a
 * panel of rows is copied into the order of the box first, in tiles, and is
 * still in the cache when the program runs over it.
 *
 *     operand   a d g        panel of the box   a b c
 *               b e h   ->                      d e f
 *               c f i
 *
 * Panels follow from the piece alone, and no block of values crosses from one
 * to the next, copied or not: where there is no memory for the copies, the bits
 * are the same.
 */
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/copy_even.h"
#include "engine/kernel/task.h"

enum {
    PANEL = 64 << 10,     /* positions: copies stay in the second-level cache */
    MOST_PANEL = 2 << 20, /* where LINE rows of the box are more than that */
    LINE = 32,            /* rows of a panel: whole lines of the operand */
    LEAST = 16            /* positions along both axes, or it does not pay */
};

/* The last axis of more than one position, -1: none. */
static int last_axis(int rank, const int64_t *count)
{
    int d = rank - 1;
    while (d >= 0 && count[d] == 1)
        d--;
    return d;
}

static bool is_turned(const nci_fused *f, const nci_access *access,
                      const int64_t *count)
{
    int inner = last_axis(f->rank, count), a = access->rank - 1;
    bool follows = false;
    if (access->kind == NCI_OPERAND_SOURCE || inner < 0)
        return false;
    while (a >= 0 && (access->from[a] < 0 || count[access->from[a]] == 1))
        a--;
    for (int b = 0; b < access->rank; b++)
        follows = follows || access->from[b] == inner;
    return follows && access->from[a] != inner && count[inner] >= LEAST &&
           count[access->from[a]] >= LEAST;
}

static bool any_turned(const nci_fused *f, const int64_t *count,
                       bool *turned, int64_t *item)
{
    *item = 0;
    if (!nci_task_is_even(f) || (!f->folds && !f->nsteps))
        return false;
    for (int k = 0; k < f->noperands; k++) {
        turned[k] = is_turned(f, &f->operands[k], count);
        if (turned[k])
            *item += (int64_t)ncg_dtype_size(f->operands[k].dtype);
    }
    return *item > 0;
}

int64_t nci_turn_bytes(const nci_fused *fused, const nci_box *box)
{
    bool turned[NCI_MAX_OPERANDS];
    int64_t item, n = nci_box_size(box);
    if (!any_turned(fused, box->count, turned, &item))
        return 0;
    return item * (n < MOST_PANEL ? n : MOST_PANEL) + 64 * NCI_MAX_OPERANDS;
}

int64_t nci_turn_most_bytes(const nci_fused *fused, const nci_grid *grid)
{
    int64_t item = 0, n = 1;
    for (int k = 0; k < fused->noperands; k++) {
        const nci_access *access = &fused->operands[k];
        int last = -1;
        bool rises = true;
        for (int a = 0; a < access->rank; a++) {
            rises = rises && (access->from[a] < 0 || access->from[a] > last);
            last = access->from[a] < 0 ? last : access->from[a];
        }
        if (!rises && access->kind != NCI_OPERAND_SOURCE)
            item += (int64_t)ncg_dtype_size(access->dtype);
    }
    for (int d = 0; d < grid->rank; d++)
        n *= nci_axis_longest(&grid->axis[d]);
    return item ? item * (n < MOST_PANEL ? n : MOST_PANEL) +
                      64 * NCI_MAX_OPERANDS
                : 0;
}

/* Positions of a panel along the first axis; 0: it would be too large. */
static int64_t panel_rows(const nci_task *task, const nci_piece *piece, int d)
{
    int64_t all = nci_piece_size(task, piece), each = all / piece->count[d];
    int64_t rows = PANEL / each / LINE * LINE;
    if (!rows)
        rows = LINE * each <= MOST_PANEL ? LINE : MOST_PANEL / each;
    return rows < piece->count[d] ? rows : piece->count[d];
}

/* Copies operand k of a panel to `to` and leads the task there. */
static void turn(nci_task *task, nci_piece *panel, int k, uint8_t *to)
{
    const nci_access *access = &task->fused->operands[k];
    size_t size = ncg_dtype_size(access->dtype);
    int64_t count[NCG_MAX_RANK], stride = 1;
    for (int d = 0; d < task->rank; d++)
        count[d] = task->stride[k][d] ? panel->count[d] : 1;
    nci_copy_even(to, NULL,
                  task->views[k].data + panel->base[k] * (int64_t)size,
                  task->stride[k], size, task->rank, count);
    nci_view_plain(access->dtype, to,
                   access->has_missing ? access->missing : NULL,
                   &task->views[k]);
    panel->base[k] = 0;
    for (int d = task->rank - 1; d >= 0; d--) {
        task->stride[k][d] = count[d] > 1 ? stride : 0;
        stride *= count[d];
    }
}

/* memory NULL: slower, and the same. */
static void run_panel(const nci_task *task, nci_piece panel, const bool *turned,
                      uint8_t *memory, nci_acc *acc, const nci_lane *lane)
{
    nci_task own = *task;
    if (!memory) {
        nci_run_in_order(task, &panel, acc, lane);
        return;
    }
    size_t room = ((size_t)nci_piece_size(task, &panel) + 7) / 8 * 8;
    for (int k = 0; k < own.fused->noperands; k++) {
        if (!turned[k])
            continue;
        turn(&own, &panel, k, memory);
        memory += room * ncg_dtype_size(own.fused->operands[k].dtype);
    }
    panel.stride = (const int64_t(*)[NCG_MAX_RANK])own.stride;
    nci_run_in_order(&own, &panel, acc, lane);
}

bool nci_run_turned(const nci_task *task, const nci_piece *piece, nci_acc *acc,
                    const nci_lane *lane)
{
    bool turned[NCI_MAX_OPERANDS];
    int64_t item, rows;
    int first = 0;
    if (!piece->stride ||
        !any_turned(task->fused, piece->count, turned, &item))
        return false;
    while (piece->count[first] == 1)
        first++;
    if (!(rows = panel_rows(task, piece, first)))
        return false;
    int64_t n = nci_piece_size(task, piece) / piece->count[first] * rows;
    uint8_t *memory =
        nci_alloc_aligned((size_t)(n * item + 64 * NCI_MAX_OPERANDS));
    for (int64_t at = 0; at < piece->count[first]; at += rows) {
        nci_piece panel = *piece;
        int64_t left = piece->count[first] - at;
        panel.count[first] = left < rows ? left : rows;
        for (int s = 0; s < NCI_NSTREAMS; s++)
            panel.base[s] += at * piece->stride[s][first];
        run_panel(task, panel, turned, memory, acc, lane);
    }
    nci_free(memory);
    return true;
}
