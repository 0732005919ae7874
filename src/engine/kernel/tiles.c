/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FUSED tasks: read tile by tile, each of which is stored or folded. A task may
 * have several folds; each tile is read once for all of them, and each does
 * with it what it does alone: the bits are the same.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/task.h"

/* A task with all its folds; parts[0] decides which tiles are wanted. */
typedef struct tiling {
    nci_task *parts;
    int nparts;
    int kept; /* tiles in which strips of any part lie */
} tiling;

static ncg_status check_cancelled(const nci_task_env *env, ncg_error *err)
{
    if (env->cancelled &&
        atomic_load_explicit(env->cancelled, memory_order_relaxed))
        return nci_fail(err, NCG_ECANCELED, "canceled");
    return NCG_OK;
}

static void flush_all(tiling *t)
{
    for (int i = 0; i < t->nparts; i++)
        nci_flush_strips(&t->parts[i]);
    t->kept = 0;
}

/* Strips wait for those of the next tiles as long as theirs may be kept. */
static void keep_tile(tiling *t, const nci_tile *tile)
{
    nci_scratch *scratch = t->parts[0].env->scratch;
    int64_t nbytes = nci_tile_size(tile) * tile->elem_size;
    bool waits = false, is_kept = true;
    if (t->nparts == 1 && !t->parts[0].strips.tiles)
        t->kept = 0; /* flushed meanwhile */
    for (int i = 0; i < t->nparts; i++) {
        const nci_strips *s = &t->parts[i].strips;
        if (!s->count)
            continue;
        waits = true;
        is_kept = is_kept && s->count < NCI_MAX_STRIPS &&
                  t->kept < nci_strips_keep(&t->parts[i].fused->fold, nbytes);
    }
    if (!waits)
        return;
    if (!is_kept ||
        (tile->data && !nci_scratch_keep(scratch, tile, t->kept))) {
        flush_all(t);
        return;
    }
    t->kept++;
    for (int i = 0; i < t->nparts; i++)
        t->parts[i].strips.tiles = t->kept;
}

static ncg_status take_tile(nci_task *task, const nci_tile *tile,
                            const nci_decode *decode, const nci_box *wanted,
                            ncg_error *err)
{
    nci_piece piece;
    nci_view_tile(tile, decode, &task->views[0]);
    if (task->is_packed)
        nci_view_keep_packed(&task->views[0]);
    nci_view_count(&task->views[0], decode, &task->fills);
    if (!nci_piece_of(task, &tile->box, wanted, &piece) ||
        nci_moves_piece(task, &piece))
        return NCG_OK;
    return nci_run_piece(task, &piece, err);
}

static ncg_status visit_tile(void *ctx, const nci_tile *tile,
                             const nci_decode *decode, const nci_box *wanted,
                             ncg_error *err)
{
    tiling *t = ctx;
    NCI_TRY(check_cancelled(t->parts[0].env, err));
    for (int i = 0; i < t->nparts; i++)
        NCI_TRY(take_tile(&t->parts[i], tile, decode, wanted, err));
    keep_tile(t, tile);
    return NCG_OK;
}

static bool wants_tile(void *ctx, const nci_box *box)
{
    return nci_piece_covers(&((tiling *)ctx)->parts[0], box);
}

static ncg_status run_whole(nci_task *task, ncg_error *err)
{
    nci_piece piece;
    NCI_TRY(check_cancelled(task->env, err));
    if (nci_moves_whole(task) || !nci_piece_of(task, NULL, NULL, &piece))
        return NCG_OK;
    return nci_run_piece(task, &piece, err);
}

static ncg_status run_tiles(tiling *t, ncg_error *err)
{
    nci_task *task = &t->parts[0];
    const nci_fused *f = task->fused;
    if (!task->expected)
        return NCG_OK;
    if (!f->noperands || f->operands[0].kind != NCI_OPERAND_SOURCE)
        return run_whole(task, err);
    const nci_source *source =
        nci_source_table_get(task->env->sources, f->operands[0].source);
    if (!source)
        return nci_fail(err, NCG_EBUG, "%s: no source %u", task->layer->name,
                        f->operands[0].source);
    nci_box box = nci_task_source_box(task);
    return nci_source_each_tile_if(source, &box, task->env->scratch, wants_tile,
                                   visit_tile, t, err);
}

static ncg_status check_done(const tiling *t, ncg_error *err)
{
    for (int i = 0; i < t->nparts; i++) {
        const nci_task *task = &t->parts[i];
        if (task->done != task->expected)
            return nci_fail(err, NCG_EBUG,
                            "%s: tiles cover %lld of %lld positions",
                            task->layer->name, (long long)task->done,
                            (long long)task->expected);
    }
    return NCG_OK;
}

static void finish_fold(nci_task *task)
{
    nci_flush_strips(task);
    nci_acc_finish(&task->acc, task->seen, task->nrows);
    if (!task->total.data)
        return;
    nci_state state =
        nci_state_of(&task->fused->fold, task->ncells, task->data);
    nci_state_merge(&state, 0, &task->total, 0, task->ncells);
}

/* Each fold has its place in what the task leaves. */
static ncg_status open_folds(tiling *t, uint8_t *data, ncg_error *err)
{
    const nci_fused *all = &t->parts[0].layer->fused;
    for (int i = 0; i < t->nparts; i++) {
        nci_task *task = &t->parts[i];
        task->data = data + nci_fused_state(all, i, task->ncells);
        if (task->fused->folds)
            NCI_TRY(nci_acc_init(&task->acc, &task->fused->fold,
                                 nci_task_packing(task), task->ncells,
                                 task->data, err));
    }
    return NCG_OK;
}

static ncg_status compute(tiling *t, int64_t nbytes, nci_buf **out,
                          ncg_error *err)
{
    nci_buf *made = NULL;
    NCI_TRY(nci_buf_create((size_t)nbytes, &made, err));
    ncg_status st = open_folds(t, nci_buf_data(made), err);
    if (!st)
        st = run_tiles(t, err);
    if (!st)
        st = check_done(t, err);
    if (st) {
        nci_buf_release(&made);
        return st;
    }
    for (int i = 0; i < t->nparts && t->parts[i].fused->folds; i++)
        finish_fold(&t->parts[i]);
    *out = made;
    return NCG_OK;
}

ncg_status nci_run_fused(const nci_task_env *env, const nci_layer *layer,
                         int64_t chunk, const nci_dep *deps, int64_t ndeps,
                         nci_buf **out, ncg_error *err)
{
    int64_t nbytes = nci_plan_bytes(env->plan, layer->base + chunk);
    tiling t = {.nparts = layer->fused.nmore + 1};
    ncg_status st = NCG_OK;
    t.parts = nci_calloc((size_t)t.nparts, sizeof *t.parts);
    if (!t.parts)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < t.nparts; i++)
        st = nci_task_open(&t.parts[i], env, layer, i, chunk, deps, ndeps, err);
    if (!st)
        st = nci_find_chunk(&t.parts[0], out, err);
    if (!st && !*out)
        st = compute(&t, nbytes, out, err);
    if (!st && env->fills) /* all have met the same */
        atomic_fetch_add(env->fills, t.parts[0].fills);
    for (int i = 0; i < t.nparts; i++)
        nci_task_close(&t.parts[i]);
    nci_free(t.parts);
    return st;
}
