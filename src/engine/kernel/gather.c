/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operands that are chunks of another layer. Where one chunk holds every
 * position that a task needs, it is used as it lies. Else the needed positions
 * are copied, and nothing between them: a group at the turn of a year that
 * wants rows 365 and 0 of a climatology gathers two rows.
 *
 *     picks of the box   365 365 0 0 1      list  0 1 365
 *     in the copy          2   2 0 0 1
 */
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/task.h"
#include "graph/fuse.h"

/* The needed positions of each operand axis, rising, without repeats. */
typedef struct needed {
    int rank;
    int64_t count[NCG_MAX_RANK];
    int64_t *list[NCG_MAX_RANK];
    int64_t *memory; /* owned */
} needed;

/* The first entry that is not less than `position`. */
static int64_t find(const int64_t *list, int64_t n, int64_t position)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (list[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t tidy(int64_t *list, int64_t n)
{
    int64_t kept = 0;
    bool rises = true;
    for (int64_t i = 1; i < n && rises; i++)
        rises = list[i - 1] <= list[i];
    if (!rises)
        qsort(list, (size_t)n, sizeof *list, compare);
    for (int64_t i = 0; i < n; i++)
        if (!kept || list[i] != list[kept - 1])
            list[kept++] = list[i];
    return kept;
}

static ncg_status list_needed(const nci_access *access, const nci_box *box,
                              needed *out, ncg_error *err)
{
    int64_t room = 1;
    *out = (needed){.rank = access->rank};
    for (int a = 0; a < access->rank; a++)
        room += access->from[a] < 0 ? 1 : box->count[access->from[a]];
    if (!(out->memory = nci_alloc((size_t)room * sizeof *out->memory)))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    int64_t *at = out->memory;
    for (int a = 0; a < access->rank; a++) {
        int d = access->from[a];
        int64_t n = d < 0 ? 1 : box->count[d];
        out->list[a] = at;
        for (int64_t i = 0; i < n; i++)
            at[i] = d < 0 ? access->picks[a].start
                          : nci_pick_at(&access->picks[a], box->start[d] + i);
        out->count[a] = tidy(at, n);
        at += n;
    }
    return NCG_OK;
}

static int64_t needed_size(const needed *need)
{
    int64_t n = 1;
    for (int a = 0; a < need->rank; a++)
        n *= need->count[a];
    return n;
}

static bool holds_all(const nci_box *chunk, const needed *need)
{
    for (int a = 0; a < need->rank; a++) {
        int64_t n = need->count[a];
        if (n && (need->list[a][0] < chunk->start[a] ||
                  need->list[a][n - 1] >= chunk->start[a] + chunk->count[a]))
            return false;
    }
    return true;
}

/* ---- copying --------------------------------------------------------------
 */

/* What a chunk gives: entries [first, first + count) of each axis's list. */
typedef struct share {
    int64_t first[NCG_MAX_RANK], count[NCG_MAX_RANK];
} share;

static int64_t share_of(const needed *need, const nci_box *chunk, share *out)
{
    int64_t n = 1;
    for (int a = 0; a < need->rank; a++) {
        const int64_t *list = need->list[a];
        int64_t end =
            find(list, need->count[a], chunk->start[a] + chunk->count[a]);
        out->first[a] = find(list, need->count[a], chunk->start[a]);
        out->count[a] = end - out->first[a];
        n *= out->count[a];
    }
    return n;
}

/* How many axes, from the last on, make one run in the chunk and in the copy;
 * *run is its length. */
static int joined_axes(const needed *need, const share *s, const nci_box *chunk,
                       int64_t *run)
{
    int joined = 0;
    *run = 1;
    for (int a = need->rank - 1; a >= 0; a--) {
        const int64_t *list = need->list[a] + s->first[a];
        int64_t n = s->count[a];
        if (list[n - 1] - list[0] != n - 1)
            break;
        *run *= n;
        joined++;
        if (n != need->count[a] || n != chunk->count[a])
            break;
    }
    return joined;
}

static void copy_share(const needed *need, const share *s, const nci_box *chunk,
                       const uint8_t *from, uint8_t *to, size_t size)
{
    int64_t at[NCG_MAX_RANK] = {0}, run;
    int outer = need->rank - joined_axes(need, s, chunk, &run);
    for (;;) {
        int64_t source = 0, target = 0;
        for (int a = 0; a < need->rank; a++) {
            int64_t i = s->first[a] + at[a];
            source =
                source * chunk->count[a] + need->list[a][i] - chunk->start[a];
            target = target * need->count[a] + i;
        }
        memcpy(to + (size_t)target * size, from + (size_t)source * size,
               (size_t)run * size);
        int a = outer - 1;
        while (a >= 0 && ++at[a] == s->count[a])
            at[a--] = 0;
        if (a < 0)
            return;
    }
}

/* Positions in even steps are in the copy one after another, or backwards. */
static void fill_even(nci_task *task, int k, int a, const needed *need,
                      int64_t stride)
{
    const nci_access *access = &task->fused->operands[k];
    const nci_pick *pick = &access->picks[a];
    int d = access->from[a];
    bool falls = need->count[a] > 1 && pick->step < 0;
    task->base[k] += falls ? (need->count[a] - 1) * stride : 0;
    task->stride[k][d] += pick->step > 0 ? stride : falls ? -stride : 0;
}

/* The tables of operand k lead into the copy. */
static void fill_compact(nci_task *task, int k, const needed *need)
{
    const nci_access *access = &task->fused->operands[k];
    int64_t stride = 1;
    task->is_used[k] = true;
    for (int a = access->rank - 1; a >= 0; a--) {
        int d = access->from[a];
        for (int64_t i = 0; !task->is_even && d >= 0 && i < task->box.count[d];
             i++) {
            int64_t p = nci_pick_at(&access->picks[a], task->box.start[d] + i);
            task->table[k][d][i] +=
                find(need->list[a], need->count[a], p) * stride;
        }
        if (task->is_even && d >= 0)
            fill_even(task, k, a, need, stride);
        stride *= need->count[a];
    }
}

static ncg_status gather(nci_task *task, int k, const nci_dep *deps,
                         int64_t ndeps, const needed *need, ncg_error *err)
{
    const nci_access *access = &task->fused->operands[k];
    const nci_layer_input *input = &task->layer->inputs[access->input];
    const nci_layer *from = &task->env->plan->layers[input->layer];
    size_t size = ncg_dtype_size(access->dtype);
    int64_t covered = 0, all = needed_size(need);
    task->gathered[k] = nci_alloc_aligned((size_t)all * size);
    if (!task->gathered[k])
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < ndeps; i++) {
        share s;
        if (deps[i].input != access->input)
            continue;
        nci_box box = nci_grid_box(&from->array, deps[i].task - from->base);
        int64_t n = share_of(need, &box, &s);
        if (n)
            copy_share(need, &s, &box, nci_buf_data(deps[i].buf),
                       task->gathered[k], size);
        covered += n;
    }
    if (covered != all)
        return nci_fail(err, NCG_EBUG, "%s: operand %d lacks chunks",
                        task->layer->name, k);
    nci_view_plain(access->dtype, task->gathered[k],
                   access->has_missing ? access->missing : NULL,
                   &task->views[k]);
    fill_compact(task, k, need);
    return NCG_OK;
}

ncg_status nci_task_open_layer(nci_task *task, int k, const nci_dep *deps,
                               int64_t ndeps, ncg_error *err)
{
    const nci_access *access = &task->fused->operands[k];
    const nci_layer_input *input = &task->layer->inputs[access->input];
    const nci_layer *from = &task->env->plan->layers[input->layer];
    needed need;
    NCI_TRY(list_needed(access, &task->box, &need, err));
    ncg_status st = NCG_OK;
    for (int64_t i = 0; i < ndeps; i++) {
        if (deps[i].input != access->input)
            continue;
        nci_box box = nci_grid_box(&from->array, deps[i].task - from->base);
        if (!holds_all(&box, &need))
            continue;
        nci_view_plain(access->dtype, nci_buf_data(deps[i].buf),
                       access->has_missing ? access->missing : NULL,
                       &task->views[k]);
        nci_task_fill_operand(task, k, &box);
        goto done;
    }
    st = gather(task, k, deps, ndeps, &need, err);
done:
    nci_free(need.memory);
    return st;
}

/* ---- what it takes --------------------------------------------------------
 */

/* Bounds the distinct positions of an axis by the changes from one to the next
 * and by the range; *one tells whether one chunk of the operand has all. */
static int64_t bound_needed(const nci_pick *pick, int64_t first, int64_t n,
                            const nci_axis *chunks, bool *one)
{
    int64_t low = nci_pick_at(pick, first), high = low, distinct = 1;
    if (pick->index) {
        for (int64_t i = 1; i < n; i++) {
            int64_t p = pick->index[first + i];
            distinct += p != pick->index[first + i - 1];
            low = p < low ? p : low;
            high = p > high ? p : high;
        }
    } else {
        int64_t last = nci_pick_at(pick, first + n - 1);
        distinct = pick->step ? n : 1;
        low = last < low ? last : low;
        high = last > high ? last : high;
    }
    *one = *one && nci_axis_find(chunks, low) == nci_axis_find(chunks, high);
    return distinct < high - low + 1 ? distinct : high - low + 1;
}

static int64_t gather_bytes(const nci_plan *plan, const nci_layer *layer,
                            const nci_access *access, const nci_box *box)
{
    const nci_layer *from = &plan->layers[layer->inputs[access->input].layer];
    int64_t n = 1;
    bool one = true;
    for (int a = 0; a < access->rank; a++) {
        int d = access->from[a];
        if (d >= 0 && box->count[d] > 0)
            n *= bound_needed(&access->picks[a], box->start[d], box->count[d],
                              &from->array.axis[a], &one);
    }
    return one ? 0 : n * (int64_t)ncg_dtype_size(access->dtype);
}

/* The same over all chunks of the layer: the most of each axis, nothing where
 * one chunk always has all. */
static int64_t most_gather_bytes(const nci_plan *plan, const nci_layer *layer,
                                 const nci_access *access)
{
    const nci_layer *from = &plan->layers[layer->inputs[access->input].layer];
    int64_t n = (int64_t)ncg_dtype_size(access->dtype);
    bool one = true;
    for (int a = 0; a < access->rank; a++) {
        int64_t most = 1;
        int d = access->from[a];
        for (int64_t i = 0; d >= 0 && i < layer->grid.axis[d].nchunks; i++) {
            const int64_t *edge = layer->grid.axis[d].edge + i;
            int64_t needs = edge[0] == edge[1]
                                ? 0
                                : bound_needed(&access->picks[a], edge[0],
                                               edge[1] - edge[0],
                                               &from->array.axis[a], &one);
            most = needs > most ? needs : most;
        }
        n *= most;
    }
    return one ? 0 : n;
}

int64_t nci_task_most_operand_bytes(const nci_plan *plan,
                                    const nci_layer *layer)
{
    int64_t bytes = 0;
    for (int i = 0; i <= layer->fused.nmore; i++) {
        const nci_fused *f = nci_fused_part(&layer->fused, i);
        for (int k = 0; k < f->noperands; k++)
            if (f->operands[k].kind == NCI_OPERAND_LAYER)
                bytes += most_gather_bytes(plan, layer, &f->operands[k]);
    }
    return bytes;
}

int64_t nci_task_operand_bytes(const nci_plan *plan, const nci_layer *layer,
                               const nci_box *box)
{
    int64_t bytes = 0;
    for (int i = 0; i <= layer->fused.nmore; i++) {
        const nci_fused *f = nci_fused_part(&layer->fused, i);
        for (int k = 0; k < f->noperands; k++)
            if (f->operands[k].kind == NCI_OPERAND_LAYER)
                bytes += gather_bytes(plan, layer, &f->operands[k], box);
    }
    return bytes;
}
