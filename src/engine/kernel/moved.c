/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FUSED tasks that change nothing but the places of values: slices, transposes,
 * chunks of a source as they are. Their bytes are copied once, in tiles that
 * stay in the cache, without the way through registers; or not at all, where
 * the chunk is a stretch of memory that lives as long as the task's output.
 */
#include <string.h>

#include "base/dtype.h"
#include "engine/kernel/copy_even.h"
#include "engine/kernel/task.h"

static bool moves_values(const nci_fused *f)
{
    const nci_access *access = &f->operands[0];
    size_t size = ncg_dtype_size(f->out);
    return !f->folds && !f->nsteps && f->noperands == 1 &&
           f->out == access->dtype && size <= 8 &&
           f->has_missing == access->has_missing &&
           (!f->has_missing || !memcmp(f->missing, access->missing, size));
}

/* ---- copies ---------------------------------------------------------------
 */

bool nci_moves_whole(nci_task *task)
{
    size_t size = ncg_dtype_size(task->fused->out);
    if (!task->is_even || !moves_values(task->fused))
        return false;
    nci_copy_even(task->data, NULL,
                  task->views[0].data + task->base[0] * (int64_t)size,
                  task->stride[0], size, task->rank, task->box.count);
    task->done = task->expected;
    return true;
}

/* Bytes that mean the same in the tile and in the chunk. */
static bool is_as_stored(const nci_task *task)
{
    const nci_fused *f = task->fused;
    const nci_view *view = &task->views[0];
    const nci_mask *mask = &view->mask;
    ncg_dtype raw = f->out == NCG_DTYPE_BOOL ? NCG_DTYPE_U8 : f->out;
    if (view->is_shuffled || view->is_swapped || view->is_fill ||
        view->all_missing || mask->raw != raw || mask->has_scale ||
        mask->has_range)
        return false;
    if (!mask->nmissing)
        return true;
    return mask->nmissing == 1 && f->has_missing &&
           !memcmp(mask->missing[0], f->missing, ncg_dtype_size(f->out));
}

/* The steps of a stream in a piece where they are even; false where not. */
static bool strides_of(const nci_piece *piece, int stream, int rank,
                       int64_t *stride)
{
    for (int d = 0; d < rank; d++) {
        const int64_t *table = piece->table[stream][d];
        int64_t n = piece->count[d];
        stride[d] = n > 1 ? table[1] - table[0] : 0;
        for (int64_t i = 2; i < n; i++)
            if (table[i] - table[i - 1] != stride[d])
                return false;
    }
    return true;
}

static int64_t first_of(const nci_piece *piece, int stream, int rank)
{
    int64_t at = piece->base[stream];
    for (int d = 0; d < rank; d++)
        at += piece->table[stream][d][0];
    return at;
}

/* Values are not looked at on their way: those that are to be counted are. */
static void count_fills(const nci_task *task, const nci_piece *piece)
{
    const nci_view *view = &task->views[0];
    int64_t left = view->fills ? nci_piece_size(task, piece) : 0;
    uint8_t temp[NCI_BLOCK * 8];
    nci_walk walk;
    nci_piece_walk(task, piece, 0, piece->count, &walk);
    for (int64_t n; left > 0; left -= n) {
        n = left < NCI_BLOCK ? left : NCI_BLOCK;
        nci_view_met(view, nci_view_raw(view, task->isa, &walk, n, temp), n);
    }
}

bool nci_moves_piece(nci_task *task, const nci_piece *piece)
{
    int64_t from[NCG_MAX_RANK], to[NCG_MAX_RANK];
    int64_t size = (int64_t)ncg_dtype_size(task->fused->out);
    if (piece->stride || !moves_values(task->fused) || !is_as_stored(task) ||
        !strides_of(piece, 0, task->rank, from) ||
        !strides_of(piece, NCI_STREAM_OUT, task->rank, to))
        return false;
    nci_copy_even(
        task->data + first_of(piece, NCI_STREAM_OUT, task->rank) * size, to,
        task->views[0].data + first_of(piece, 0, task->rank) * size, from,
        (size_t)size, task->rank, piece->count);
    count_fills(task, piece);
    task->done += nci_piece_size(task, piece);
    return true;
}

/* ---- chunks that are there already ----------------------------------------
 */

/* Whether the box lies in one stretch, in its own order. */
static bool is_one_stretch(const nci_task *task)
{
    int64_t stride = 1;
    for (int d = task->rank - 1; d >= 0; d--) {
        if (task->box.count[d] > 1 && task->stride[0][d] != stride)
            return false;
        stride *= task->box.count[d];
    }
    return true;
}

static ncg_status find_stretch(const nci_task *task, nci_buf **out,
                               ncg_error *err)
{
    const nci_access *access = &task->fused->operands[0];
    size_t size = ncg_dtype_size(task->fused->out);
    if (!task->is_even || access->kind != NCI_OPERAND_CONST ||
        !is_one_stretch(task))
        return NCG_OK;
    const uint8_t *data = task->views[0].data + task->base[0] * (int64_t)size;
    if ((uintptr_t)data % size)
        return NCG_OK;
    return nci_buf_view(access->data, data, (size_t)task->expected * size, out,
                        err);
}

/* The axes of the source in their order, one by one. */
static bool follows_source(const nci_fused *f)
{
    const nci_access *access = &f->operands[0];
    if (access->kind != NCI_OPERAND_SOURCE || access->rank != f->rank)
        return false;
    for (int a = 0; a < f->rank; a++)
        if (access->from[a] != a || access->picks[a].index ||
            access->picks[a].step != 1)
            return false;
    return true;
}

ncg_status nci_find_chunk(nci_task *task, nci_buf **out, ncg_error *err)
{
    const nci_fused *f = task->fused;
    if (!task->expected || !moves_values(f))
        return NCG_OK;
    NCI_TRY(find_stretch(task, out, err));
    if (*out || !follows_source(f))
        return NCG_OK;
    const nci_source *source =
        nci_source_table_get(task->env->sources, f->operands[0].source);
    nci_box box = nci_task_source_box(task);
    return source ? nci_source_chunk(source, &box, out, err) : NCG_OK;
}
