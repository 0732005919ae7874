/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces that are steps of the same cells: taken as strips, folded several at
 * a time. */
#include "engine/kernel/task.h"

static bool is_for_strips(const nci_task *task)
{
    const nci_fused *f = task->fused;
    return f->folds && f->noperands == 1 && !f->nsteps && f->result == 0 &&
           nci_strips_fit(&f->fold);
}

/* The reduced axis whose positions are the steps: the outermost of all axes
 * longer than 1, and the only reduced one of them; but for groups, which may be
 * cells of their own. Any axis where the piece is one step; -1 where it is
 * none. */
static int step_axis(const nci_task *task, const nci_piece *piece)
{
    int axis = -1, longest = -1;
    for (int d = 0; d < task->rank; d++) {
        bool is_over = task->fused->over[d];
        if (is_over && longest >= 0 && d == task->fused->label_axis)
            is_over = false;
        if (piece->count[d] > 1) {
            if (is_over && longest >= 0)
                return -1;
            longest = d;
            axis = is_over ? d : axis;
        }
    }
    return axis >= 0 ? axis : 0;
}

/* The offset of the first element where one step's are consecutive. */
static bool is_dense(const nci_task *task, const nci_piece *piece, int stream,
                     int axis, int64_t n, int64_t *first)
{
    nci_walk walk;
    int64_t count[NCG_MAX_RANK];
    for (int d = 0; d < task->rank; d++)
        count[d] = d == axis && task->fused->over[d] ? 1 : piece->count[d];
    nci_piece_walk(task, piece, stream, count, &walk);
    *first = walk.base;
    return walk.rank == 1 && !walk.axis[0].table && walk.axis[0].stride == 1 &&
           walk.axis[0].count == n;
}

void nci_flush_strips(nci_task *task)
{
    nci_strips *s = &task->strips;
    int parts = task->threads;
    if (!s->count && !s->nvoid)
        return;
    if (s->n * (s->count + (s->nvoid > 0)) < nci_piece_rules.large)
        parts = 1;
#ifdef _OPENMP
#pragma omp parallel for num_threads(parts) schedule(static, 1)
#endif
    for (int t = 0; t < parts; t++) {
        int64_t blocks = (s->n + NCI_STRIP_BLOCK - 1) / NCI_STRIP_BLOCK;
        int64_t first = blocks * t / parts * NCI_STRIP_BLOCK;
        int64_t end = blocks * (t + 1) / parts * NCI_STRIP_BLOCK;
        end = end < s->n ? end : s->n;
        nci_strips_fold(s, &task->acc, first, end - first,
                        task->lanes[t].strips);
    }
    s->count = s->tiles = 0;
    s->nvoid = 0;
}

static void add_strip(nci_task *task, int64_t at, int64_t cell, int64_t n,
                      bool is_void)
{
    nci_strips *s = &task->strips;
    bool waits = s->count || s->nvoid;
    if (waits && (s->cell != cell || s->n != n || s->count == NCI_MAX_STRIPS))
        nci_flush_strips(task);
    s->cell = cell;
    s->n = n;
    if (is_void)
        s->nvoid++;
    else
        s->strip[s->count++] = (nci_strip){task->views[0], at};
}

bool nci_take_strips(nci_task *task, const nci_piece *piece)
{
    int64_t size = nci_piece_size(task, piece), n = size, steps = 1;
    int64_t at, cell;
    int axis = is_for_strips(task) ? step_axis(task, piece) : -1;
    if (axis < 0)
        return false;
    if (task->fused->over[axis])
        steps = piece->count[axis];
    n = size / steps;
    if (n < nci_piece_rules.strip || !is_dense(task, piece, 0, axis, n, &at) ||
        !is_dense(task, piece, NCI_STREAM_OUT, axis, n, &cell))
        return false;
    bool is_void = nci_view_is_void(&task->views[0], task->isa);
    if (is_void)
        nci_view_met_void(&task->views[0], size);
    for (int64_t i = 0; i < steps; i++)
        add_strip(task, at + nci_piece_offset(piece, 0, axis, i),
                  cell + nci_piece_offset(piece, NCI_STREAM_OUT, axis, i), n,
                  is_void);
    return true;
}
