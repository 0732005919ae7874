/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pieces of a task: which positions a tile covers, and how a large piece is
 * divided among threads. Where the piece has a long kept axis, threads take
 * parts of it: no cell is shared, and each cell sees its values in the same
 * order. Where the output is too small for that, the piece is cut into slabs
 * of a size fixed by the piece alone, for any number of threads, and the
 * slabs' states are merged in their order.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/task.h"

enum {
    MAX_SLABS = 64,
    SMALL_STATE = 4096 /* cells; larger states are not cut into slabs */
};

nci_piece_limits nci_piece_rules = {
    .large = 1 << 20, .slab = 1 << 18, .long_axis = 32, .strip = 256};

int64_t nci_piece_size(const nci_task *task, const nci_piece *piece)
{
    int64_t n = 1;
    for (int d = 0; d < task->rank; d++)
        n *= piece->count[d];
    return n;
}

/* ---- tiles ----------------------------------------------------------------
 */

/* The operand axis that follows domain axis d, -1: none. */
static int source_axis(const nci_access *access, int d)
{
    for (int a = 0; a < access->rank; a++)
        if (access->from[a] == d)
            return a;
    return -1;
}

static bool is_inside(const nci_task *task, const nci_box *wanted, int axis,
                      int d, int64_t i)
{
    if (task->is_left_out && d == task->fused->label_axis &&
        task->is_left_out[i])
        return false;
    if (axis < 0)
        return true;
    int64_t p = task->table[0][d][i] - wanted->start[axis];
    return p >= 0 && p < wanted->count[axis];
}

/* Positions [*first, *first + n) of a run that lie inside; returns n. */
static int64_t clip_run(const nci_task *task, const nci_box *wanted, int axis,
                        int d, int64_t *first)
{
    int64_t n = task->box.count[d];
    *first = 0;
    if (axis < 0 || !n)
        return n;
    int64_t shift = wanted->start[axis] - task->table[0][d][0];
    int64_t end = shift + wanted->count[axis];
    *first = shift > 0 ? shift : 0;
    n = end < n ? end : n;
    return n > *first ? n - *first : 0;
}

bool nci_piece_covers(const nci_task *task, const nci_box *wanted)
{
    const nci_access *access = &task->fused->operands[0];
    for (int d = 0; d < task->rank; d++) {
        int axis = source_axis(access, d);
        int64_t i = 0;
        if (task->is_run[d]) {
            if (!clip_run(task, wanted, axis, d, &i))
                return false;
            continue;
        }
        while (i < task->box.count[d] && !is_inside(task, wanted, axis, d, i))
            i++;
        if (i == task->box.count[d])
            return false;
    }
    return true;
}

/* Positions of axis d that lie in the wanted part of a tile, ascending. */
static int64_t list_positions(const nci_task *task, const nci_box *wanted,
                              int d, int64_t *list)
{
    int axis = wanted ? source_axis(&task->fused->operands[0], d) : -1;
    int64_t n = 0;
    for (int64_t i = 0; i < task->box.count[d]; i++)
        if (is_inside(task, wanted, axis, d, i))
            list[n++] = i;
    return n;
}

/* Elements of the tile from one position to the next along a source axis. */
static int64_t tile_stride(const nci_box *tile, int axis)
{
    int64_t stride = 1;
    for (int a = tile->rank - 1; a > axis; a--)
        stride *= tile->count[a];
    return stride;
}

static const int64_t *select_table(const nci_task *task, int stream, int d,
                                   const nci_box *tile, const int64_t *list,
                                   int64_t n)
{
    const int64_t *from = task->table[stream][d];
    int64_t *to = task->piece_memory + (from - task->memory);
    int axis =
        tile && stream == 0 ? source_axis(&task->fused->operands[0], d) : -1;
    if (axis >= 0) {
        int64_t stride = tile_stride(tile, axis);
        for (int64_t i = 0; i < n; i++)
            to[i] = (from[list[i]] - tile->start[axis]) * stride;
    } else if (list[n - 1] - list[0] == n - 1) {
        return from + list[0];
    } else {
        for (int64_t i = 0; i < n; i++)
            to[i] = from[list[i]];
    }
    return to;
}

/* Offsets in the tile of n positions from `first` on: those of the last tile
 * where these lie alike in it, as along the axes that tiles share. */
static const int64_t *draw_run(nci_task *task, int axis, int d,
                               const nci_box *tile, int64_t first, int64_t n)
{
    int64_t *to = task->piece_memory + (task->table[0][d] - task->memory);
    nci_drawn *last = &task->drawn[d];
    nci_drawn now = {first, n, task->table[0][d][first] - tile->start[axis],
                     tile_stride(tile, axis)};
    if (!memcmp(last, &now, sizeof now))
        return to;
    *last = now;
    for (int64_t i = 0; i < n; i++)
        to[i] = (now.start + i) * now.stride;
    return to;
}

/* A run needs no list, and its offsets are even but for rows of labels. */
static bool select_run(nci_task *task, int d, const nci_box *tile,
                       const nci_box *wanted, nci_piece *out)
{
    const nci_fused *f = task->fused;
    int64_t first;
    int axis = source_axis(&f->operands[0], d);
    int64_t n = clip_run(task, wanted, axis, d, &first);
    bool has_rows = f->folds && d == f->label_axis;
    out->count[d] = n;
    if (!n)
        return false;
    for (int s = 0; s < NCI_NSTREAMS; s++) {
        if (!task->is_used[s])
            continue;
        bool is_source = s == 0 && axis >= 0;
        out->table[s][d] = is_source ? draw_run(task, axis, d, tile, first, n)
                                     : task->table[s][d] + first;
        if (is_source || (s == NCI_STREAM_OUT && !has_rows))
            out->even[s] |= UINT32_C(1) << d;
    }
    return true;
}

static int64_t source_base(const nci_task *task, const nci_box *tile)
{
    const nci_access *access = &task->fused->operands[0];
    int64_t base = 0;
    for (int a = 0; a < access->rank; a++)
        if (access->from[a] < 0)
            base += (access->picks[a].start - tile->start[a]) *
                    tile_stride(tile, a);
    return base;
}

static bool is_constant(const int64_t *table, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (table[i] != table[0])
            return false;
    return true;
}

static void set_row(const nci_task *task, nci_piece *piece)
{
    piece->row = 1;
    if (!task->fused->folds)
        return;
    for (int d = task->rank - 1; d >= 0; d--) {
        bool is_one =
            piece->stride
                ? piece->count[d] == 1 || !piece->stride[NCI_STREAM_OUT][d]
                : is_constant(piece->table[NCI_STREAM_OUT][d], piece->count[d]);
        if (!is_one)
            return;
        piece->row *= piece->count[d];
    }
}

void nci_piece_walk(const nci_task *task, const nci_piece *piece, int stream,
                    const int64_t *count, nci_walk *walk)
{
    if (piece->stride)
        nci_walk_init_strides(walk, task->rank, count, piece->stride[stream]);
    else
        nci_walk_init_even(walk, task->rank, count, piece->table[stream],
                           piece->even[stream]);
    walk->base += piece->base[stream];
    walk->outer += piece->base[stream];
}

/* The whole box of a task without tables. */
static bool even_piece(const nci_task *task, nci_piece *out)
{
    out->stride = task->stride;
    for (int d = 0; d < task->rank; d++)
        if (!(out->count[d] = task->box.count[d]))
            return false;
    set_row(task, out);
    return true;
}

bool nci_piece_of(nci_task *task, const nci_box *tile, const nci_box *wanted,
                  nci_piece *out)
{
    int64_t *list = task->lists;
    *out = (nci_piece){0};
    for (int s = 0; s < NCI_NSTREAMS; s++)
        out->base[s] = task->base[s];
    if (task->is_even)
        return even_piece(task, out);
    if (tile)
        out->base[0] = source_base(task, tile);
    for (int d = 0; d < task->rank; d++) {
        if (tile && task->is_run[d]) {
            if (!select_run(task, d, tile, wanted, out))
                return false;
            continue;
        }
        int64_t n = list_positions(task, wanted, d, list);
        out->count[d] = n;
        if (!n)
            return false;
        for (int s = 0; s < NCI_NSTREAMS; s++)
            if (task->is_used[s])
                out->table[s][d] = select_table(task, s, d, tile, list, n);
    }
    set_row(task, out);
    return true;
}

/* ---- dividing -------------------------------------------------------------
 */

/* Positions [first, first + count) of one axis of a piece. */
static nci_piece part_of(const nci_piece *piece, int axis, int64_t first,
                         int64_t count)
{
    nci_piece part = *piece;
    part.count[axis] = count;
    for (int s = 0; s < NCI_NSTREAMS; s++)
        if (part.stride)
            part.base[s] += first * part.stride[s][axis];
        else if (part.table[s][axis])
            part.table[s][axis] += first;
    return part;
}

static int longest_axis(const nci_task *task, const nci_piece *piece,
                        bool only_kept)
{
    int best = -1;
    for (int d = 0; d < task->rank; d++) {
        if (only_kept && task->fused->folds && task->fused->over[d])
            continue;
        if (best < 0 || piece->count[d] > piece->count[best])
            best = d;
    }
    return best;
}

static void run_parts(const nci_task *task, const nci_piece *piece, int axis,
                      nci_acc *acc)
{
    int parts = task->threads;
    int64_t n = piece->count[axis];
#ifdef _OPENMP
#pragma omp parallel for num_threads(parts) schedule(static, 1)
#endif
    for (int t = 0; t < parts; t++) {
        int64_t first = n * t / parts, end = n * (t + 1) / parts;
        nci_piece part = part_of(piece, axis, first, end - first);
        if (end > first)
            nci_run_part(task, &part, acc, &task->lanes[t]);
    }
}

/* ---- slabs ----------------------------------------------------------------
 */

typedef struct slabs {
    int64_t count;
    int axis;
    size_t state_bytes;
    uint8_t *states;
    nci_acc *accs;
} slabs;

int64_t nci_slab_bytes(const nci_fold *fold, int64_t ncells)
{
    if (ncells > SMALL_STATE)
        return 0;
    int64_t each = (int64_t)nci_state_layout_of(fold, ncells).nbytes;
    each += nci_acc_extra(fold, ncells) + (int64_t)sizeof(nci_acc);
    return (MAX_SLABS + 1) * each + 16 * ncells;
}

static ncg_status slabs_open(const nci_task *task, slabs *s, ncg_error *err)
{
    nci_state_layout layout =
        nci_state_layout_of(&task->fused->fold, task->ncells);
    s->state_bytes = layout.nbytes;
    s->states = nci_alloc_aligned((size_t)s->count * layout.nbytes);
    s->accs = nci_calloc((size_t)s->count, sizeof *s->accs);
    if (!s->states || !s->accs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < s->count; i++)
        NCI_TRY(nci_acc_init(&s->accs[i], &task->fused->fold,
                             nci_task_packing(task), task->ncells,
                             s->states + (size_t)i * layout.nbytes, err));
    return NCG_OK;
}

static void slabs_close(slabs *s)
{
    for (int64_t i = 0; s->accs && i < s->count; i++)
        nci_acc_fini(&s->accs[i]);
    nci_free(s->accs);
    nci_free(s->states);
}

/* Positions of a part that fall into each row's cells. */
static void count_seen(const nci_task *task, const nci_piece *part,
                       int64_t *seen)
{
    const nci_fused *f = task->fused;
    int64_t each = 1, width = task->ncells / task->nrows;
    for (int64_t row = 0; row < task->nrows; row++)
        seen[row] = 0;
    for (int d = 0; d < task->rank; d++)
        if (f->over[d] && d != f->label_axis)
            each *= part->count[d];
    if (f->label_axis < 0) {
        seen[0] = each;
        return;
    }
    const int64_t *rows = part->table[NCI_STREAM_OUT][f->label_axis];
    for (int64_t i = 0; i < part->count[f->label_axis]; i++)
        seen[rows[i] / width] += each;
}

static void add_missed(nci_acc *acc, int64_t cell, int64_t n)
{
    if (acc->missed64)
        acc->missed64[cell] += n;
    else
        acc->missed32[cell] += (int32_t)n;
}

/* seen[row] holds for the cells that the part touches; to the others, and for
 * the task's own accumulators to these, the positions are as good as
 * missing. */
static void settle_counts(nci_task *task, const nci_piece *part, nci_acc *acc,
                          const int64_t *seen, bool *touched)
{
    nci_walk walk;
    int64_t width = task->ncells / task->nrows;
    nci_piece_walk(task, part, NCI_STREAM_OUT, part->count, &walk);
    memset(touched, 0, (size_t)task->ncells);
    for (int64_t n = nci_piece_size(task, part); n > 0;) {
        nci_run run = nci_walk_next(&walk, n);
        bool is_row = !run.table && run.stride == 0;
        for (int64_t i = 0; i < (is_row ? 1 : run.count); i++)
            touched[nci_run_at(&run, i)] = true;
        n -= run.count;
    }
    for (int64_t c = 0; c < task->ncells; c++)
        add_missed(touched[c] ? &task->acc : acc, c, seen[c / width]);
}

/* Merges the slabs' states in their order into the total. */
static ncg_status merge_slabs(nci_task *task, const nci_piece *piece, slabs *s,
                              ncg_error *err)
{
    ncg_status st = NCG_OK;
    int64_t n = piece->count[s->axis];
    int64_t *seen = nci_alloc((size_t)task->nrows * sizeof *seen);
    bool *touched = nci_alloc((size_t)task->ncells);
    if (!task->total.data) {
        uint8_t *data = nci_alloc_aligned(s->state_bytes);
        task->total = nci_state_of(&task->fused->fold, task->ncells, data);
        if (data)
            nci_state_clear(&task->total);
    }
    if (!seen || !touched || !task->total.data) {
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
        goto done;
    }
    for (int64_t i = 0; i < s->count; i++) {
        int64_t first = n * i / s->count, end = n * (i + 1) / s->count;
        nci_piece part = part_of(piece, s->axis, first, end - first);
        nci_acc *acc = &s->accs[i];
        count_seen(task, &part, seen);
        settle_counts(task, &part, acc, seen, touched);
        nci_acc_finish(acc, seen, task->nrows);
        nci_state state =
            nci_state_of(&task->fused->fold, task->ncells, acc->state);
        nci_state_merge(&task->total, 0, &state, 0, task->ncells);
    }
done:
    nci_free(seen);
    nci_free(touched);
    return st;
}

static void run_slabs(const nci_task *task, const nci_piece *piece, slabs *s)
{
    int parts = task->threads;
    int64_t n = piece->count[s->axis];
#ifdef _OPENMP
#pragma omp parallel for num_threads(parts) schedule(static, 1)
#endif
    for (int t = 0; t < parts; t++)
        for (int64_t i = t; i < s->count; i += parts) {
            int64_t first = n * i / s->count, end = n * (i + 1) / s->count;
            nci_piece part = part_of(piece, s->axis, first, end - first);
            set_row(task, &part);
            nci_run_part(task, &part, &s->accs[i], &task->lanes[t]);
        }
}

/* What lies in memory is cut along its outermost axis that is long enough, so
 * that slabs stay in one stretch; tiles along their longest. */
static int slab_axis(const nci_task *task, const nci_piece *piece,
                     int64_t slabs_wanted)
{
    for (int d = 0; piece->stride && d < task->rank; d++)
        if (piece->count[d] >= slabs_wanted)
            return d;
    return longest_axis(task, piece, false);
}

static ncg_status fold_slabs(nci_task *task, const nci_piece *piece,
                             ncg_error *err)
{
    slabs s = {0};
    int64_t n = nci_piece_size(task, piece) / nci_piece_rules.slab;
    n = n < 1 ? 1 : n < MAX_SLABS ? n : MAX_SLABS;
    s.axis = slab_axis(task, piece, n);
    s.count = n < piece->count[s.axis] ? n : piece->count[s.axis];
    ncg_status st = slabs_open(task, &s, err);
    if (!st) {
        run_slabs(task, piece, &s);
        st = merge_slabs(task, piece, &s, err);
    }
    slabs_close(&s);
    return st;
}

static bool can_slab(const nci_task *task)
{
    const nci_fused *f = task->fused;
    return f->folds && task->ncells <= SMALL_STATE;
}

ncg_status nci_run_piece(nci_task *task, const nci_piece *piece, ncg_error *err)
{
    int64_t size = nci_piece_size(task, piece);
    int kept = longest_axis(task, piece, true);
    bool is_large = size >= nci_piece_rules.large;
    bool is_shared =
        kept >= 0 && piece->count[kept] >= nci_piece_rules.long_axis;
    task->done += size;
    if (is_large && !is_shared && can_slab(task))
        return fold_slabs(task, piece, err);
    if (nci_take_strips(task, piece))
        return NCG_OK;
    nci_flush_strips(task);
    if (is_large && is_shared && task->threads > 1)
        run_parts(task, piece, kept, &task->acc);
    else
        nci_run_part(task, piece, &task->acc, &task->lanes[0]);
    return NCG_OK;
}
