/* SPDX-License-Identifier: BSD-3-Clause */
/* A piece of a FUSED task: the program is run over blocks that stay in the
 * first-level cache, values are stored or folded. */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/fold_plain.h"
#include "engine/kernel/task.h"
#include "engine/kernel/vm.h"

/* ---- parts ----------------------------------------------------------------
 */

/* Blocks never cut a row except at multiples of NCI_BLOCK from its start. */
static int64_t row_block(int64_t row, int64_t at, int64_t total)
{
    int64_t left = total - at, n = NCI_BLOCK;
    if (row > NCI_BLOCK) {
        int64_t row_left = row - at % row;
        n = row_left < n ? row_left : n;
    } else if (row > 1) {
        n = NCI_BLOCK / row * row;
    }
    return n < left ? n : left;
}

typedef struct part {
    nci_walk operands[NCI_MAX_OPERANDS];
    nci_walk out, places;
    nci_vm vm;
    nci_sums_of sums; /* without storing the values; or none */
} part;

static void open_walk(const nci_task *task, const nci_piece *piece, int stream,
                      nci_walk *walk)
{
    nci_piece_walk(task, piece, stream, piece->count, walk);
}

static void open_part(const nci_task *task, const nci_piece *piece, part *p)
{
    for (int k = 0; k < task->fused->noperands; k++)
        open_walk(task, piece, k, &p->operands[k]);
    open_walk(task, piece, NCI_STREAM_OUT, &p->out);
    if (task->is_used[NCI_STREAM_PLACE])
        open_walk(task, piece, NCI_STREAM_PLACE, &p->places);
}

static int64_t run_left(const nci_walk *walk)
{
    return walk->axis[walk->rank - 1].count - walk->at[walk->rank - 1];
}

/* Columns may be cut anywhere: where that is not too short, at the end of what
 * lies together, so that operands are read where they are; in equal blocks. */
static int64_t column_block(const nci_task *task, const part *p, int64_t left)
{
    enum { SHORT = 256 };
    int64_t run = run_left(&p->out);
    for (int k = 0; k < task->fused->noperands; k++) {
        int64_t own = run_left(&p->operands[k]);
        run = own < run ? own : run;
    }
    if (run < SHORT)
        run = left;
    int64_t blocks = (run + NCI_BLOCK - 1) / NCI_BLOCK;
    int64_t n = (run + blocks - 1) / blocks;
    return n < left ? n : left;
}

/* The raw 64-bit values where the result is an operand as it is. */
static const int64_t *wide_result(const nci_task *task, const void *raw)
{
    const nci_fused *f = task->fused;
    if (f->result >= f->noperands)
        return NULL;
    const nci_mask *mask = &task->views[f->result].mask;
    return nci_dtype_is_wide(mask->raw) && !mask->has_scale ? raw : NULL;
}

/* Wide values that went through the program are doubles by now. */
static const int64_t *to_wide(const double *x, int64_t n, bool is_unsigned,
                              double *temp)
{
    for (int64_t i = 0; i < n; i++)
        nci_dtype_put(is_unsigned ? NCG_DTYPE_U64 : NCG_DTYPE_I64, temp + i,
                      x[i]);
    return (const int64_t *)temp;
}

static void store_wide(const nci_task *task, const double *x,
                       const int64_t *wide, const nci_run *run)
{
    const nci_fused *f = task->fused;
    int64_t missing = 0;
    if (f->has_missing)
        memcpy(&missing, f->missing, sizeof missing);
    for (int64_t i = 0; i < run->count; i++) {
        int64_t v = isnan(x[i]) ? missing : wide[i];
        memcpy(task->data + nci_run_at(run, i) * 8, &v, sizeof v);
    }
}

static void store_block(const nci_task *task, nci_walk *out, const double *x,
                        const int64_t *wide, int64_t n)
{
    const nci_fused *f = task->fused;
    const uint8_t *missing =
        f->has_missing && !nci_dtype_is_float(f->out) ? f->missing : NULL;
    bool is_wide = wide && nci_dtype_is_wide(f->out);
    for (int64_t at = 0; at < n;) {
        nci_run run = nci_walk_next(out, n - at);
        if (is_wide)
            store_wide(task, x + at, wide + at, &run);
        else
            nci_encode_run(task->isa, x + at, &run, f->out, missing,
                           task->data);
        at += run.count;
    }
}

static void fold_block(const nci_task *task, part *p, nci_acc *acc,
                       const nci_lane *lane, nci_fold_block *block)
{
    const nci_fused *f = task->fused;
    if (f->weight >= 0 && !f->nsteps)
        block->weight = lane->registers + f->weight * NCI_BLOCK;
    if (nci_fold_is_wide(&f->fold) && !block->wide)
        block->wide =
            to_wide(block->x, block->n, f->fold.is_unsigned, lane->temp);
    block->temp = lane->temp;
    block->temp2 = lane->temp2;
    nci_acc_block(acc, block, &p->out, &p->places);
}

/* Floats that go into columns as they are. */
static bool is_direct(const nci_task *task, const part *p)
{
    const nci_fused *f = task->fused;
    const nci_view *view = &task->views[0];
    return f->folds && f->noperands == 1 && !f->nsteps &&
           view->mask.raw == NCG_DTYPE_F32 && !view->mask.has_scale &&
           !view->all_missing && nci_acc_takes_f32(&f->fold, &p->out);
}

static void run_direct(const nci_task *task, part *p, nci_acc *acc,
                       const nci_lane *lane, int64_t n)
{
    const nci_isa *isa = task->isa;
    const nci_view *view = &task->views[0];
    const void *raw = nci_view_raw(view, isa, &p->operands[0], n, lane->raw);
    if (!isa->any_missing_f32(raw, n, &view->mask)) {
        nci_acc_f32(acc, raw, n, &p->out);
        return;
    }
    isa->decode[NCG_DTYPE_F32](raw, n, &view->mask, lane->registers);
    nci_view_met(view, raw, n);
    nci_fold_block block = {
        .n = n, .x = lane->registers, .any_missing = true, .row = 1};
    fold_block(task, p, acc, lane, &block);
}

/* ---- programs -------------------------------------------------------------
 */

static void store_values(const nci_task *task, part *p, const nci_lane *lane,
                         int64_t n)
{
    int64_t size = (int64_t)ncg_dtype_size(task->fused->out);
    nci_walk ahead = p->out;
    nci_run run = nci_walk_next(&ahead, n);
    bool is_dense = run.count == n && !run.table && run.stride == 1;
    uint8_t *into = is_dense && nci_vm_stores_as_is(task->fused)
                        ? task->data + run.offset * size
                        : NULL;
    const uint8_t *values =
        nci_vm_block(&p->vm, task->views, p->operands, n, into, NULL);
    if (values == into) {
        p->out = ahead;
        return;
    }
    size = nci_vm_class(task->fused) == NCI_CLASS_F32 ? 4 : 8;
    for (int64_t at = 0; at < n; at += run.count) {
        run = nci_walk_next(&p->out, n - at);
        nci_vm_store(&p->vm, values + at * size, &run, task->data, lane->temp);
    }
}

/* A cell may come several times in a block: what its first value is has to be
 * known before the next one comes. */
static void sum_columns(const nci_task *task, part *p, nci_acc *acc,
                        const nci_lane *lane, int64_t n, const nci_vm_pair *in)
{
    int64_t size = nci_vm_class(task->fused) == NCI_CLASS_F32 ? 4 : 8;
    const uint8_t *a = in->a, *b = in->b;
    const double *x = NULL;
    bool any;
    for (int64_t at = 0; at < n;) {
        nci_run run = nci_walk_next(&p->out, n - at);
        if (nci_acc_add_run(acc, &p->sums, a + at * size, b + at * size,
                            &run)) {
            if (!x)
                x = nci_vm_doubles(&p->vm, nci_vm_finish(&p->vm, in, n), n,
                                   lane->doubles, &any);
            nci_acc_settle(acc, x + at, &run);
        }
        at += run.count;
    }
}

/* Folds what the last step makes; NULL: that is done. Else the values of the
 * block, which are still to be folded. */
static const void *sum_values(const nci_task *task, part *p, nci_acc *acc,
                              const nci_lane *lane, int64_t n, int64_t row_left)
{
    nci_vm_pair in = nci_vm_inputs(&p->vm, task->views, p->operands, n);
    if (p->sums.row) {
        bool done =
            nci_acc_add_row(acc, &p->sums, in.a, in.b, n, row_left, &p->out);
        return done ? NULL : nci_vm_finish(&p->vm, &in, n);
    }
    sum_columns(task, p, acc, lane, n, &in);
    return NULL;
}

/* Floats go into columns as they are where none is missing. */
static void fold_values(const nci_task *task, part *p, nci_acc *acc,
                        const nci_lane *lane, int64_t n, int64_t row,
                        int64_t at)
{
    const nci_fused *f = task->fused;
    nci_fold_block block = {.n = n, .row = row, .start = at % row};
    nci_class c = nci_vm_class(f);
    nci_mask mask;
    const void *values = p->sums.row || p->sums.column || p->sums.squares
                             ? sum_values(task, p, acc, lane, n, row - at % row)
                             : nci_vm_block(&p->vm, task->views, p->operands, n,
                                            NULL, &block.weight);
    if (!values)
        return;
    if (nci_acc_plain_row(acc, p->vm.map, c, nci_vm_is_small(f), values, n,
                          row - at % row, &p->out))
        return;
    nci_mask_plain(NCG_DTYPE_F32, NULL, &mask);
    if (c == NCI_CLASS_F32 && nci_acc_takes_f32(&f->fold, &p->out) &&
        !task->isa->any_missing_f32(values, n, &mask)) {
        nci_acc_f32(acc, values, n, &p->out);
        return;
    }
    block.x =
        nci_vm_doubles(&p->vm, values, n, lane->doubles, &block.any_missing);
    if (c == NCI_CLASS_I64 || c == NCI_CLASS_U64)
        block.wide = values;
    fold_block(task, p, acc, lane, &block);
}

static void run_values(const nci_task *task, part *p, nci_acc *acc,
                       const nci_lane *lane, int64_t n, int64_t row, int64_t at)
{
    if (task->fused->folds)
        fold_values(task, p, acc, lane, n, row, at);
    else
        store_values(task, p, lane, n);
}

static void run_block(const nci_task *task, part *p, nci_acc *acc,
                      const nci_lane *lane, int64_t n, int64_t row, int64_t at)
{
    const nci_fused *f = task->fused;
    const nci_isa *isa = task->isa;
    const int64_t *wide = NULL;
    bool any_missing = false;
    for (int k = 0; k < f->noperands; k++) {
        const void *raw;
        if (k != f->result && k != f->weight)
            continue;
        if (k != f->result && nci_view_is_plain(&task->views[k])) {
            nci_view_copy(&task->views[k], &p->operands[k], n,
                          lane->registers + k * NCI_BLOCK);
            continue;
        }
        bool any = nci_view_load(&task->views[k], isa, &p->operands[k], n,
                                 lane->raw + k * NCI_BLOCK * 8,
                                 lane->registers + k * NCI_BLOCK, &raw);
        if (k == f->result) {
            any_missing = any;
            wide = wide_result(task, raw);
        }
    }
    const double *x = lane->registers + f->result * NCI_BLOCK;
    if (!f->folds) {
        store_block(task, &p->out, x, wide, n);
        return;
    }
    nci_fold_block block = {.n = n,
                            .x = x,
                            .wide = wide,
                            .any_missing = any_missing,
                            .row = row,
                            .start = at % row};
    fold_block(task, p, acc, lane, &block);
}

/* Floats of arrays in memory are taken as they lie. */
static bool uses_vm(const nci_task *task)
{
    const nci_fused *f = task->fused;
    if (f->nsteps)
        return true;
    if (!f->folds || !task->is_even || f->weight >= 0 || f->noperands != 1)
        return false;
    return f->operands[0].load == nci_class_of(f->operands[0].dtype) &&
           nci_dtype_is_float(f->operands[0].dtype);
}

void nci_run_part(const nci_task *task, const nci_piece *piece, nci_acc *acc,
                  const nci_lane *lane)
{
    if (!nci_run_turned(task, piece, acc, lane))
        nci_run_in_order(task, piece, acc, lane);
}

void nci_run_in_order(const nci_task *task, const nci_piece *piece,
                      nci_acc *acc, const nci_lane *lane)
{
    part p;
    int64_t total = nci_piece_size(task, piece);
    open_part(task, piece, &p);
    bool is_program = uses_vm(task);
    if (is_program)
        nci_vm_open(&p.vm, task->fused, task->isa, p.operands,
                    (uint8_t *)lane->registers, lane->raw);
    p.sums = (nci_sums_of){0};
    if (is_program && task->fused->folds)
        p.sums = nci_acc_sums_of(&task->fused->fold, p.vm.map,
                                 nci_vm_last(task->fused), &p.out);
    bool direct = is_direct(task, &p);
    nci_row_sums rows;
    bool sums_rows = nci_row_sums_open(&rows, task, &p.out, p.operands);
    for (int64_t at = 0; at < total;) {
        int64_t n = piece->row > 1 ? row_block(piece->row, at, total)
                                   : column_block(task, &p, total - at);
        if (direct)
            run_direct(task, &p, acc, lane, n);
        else if (sums_rows && nci_row_sums_add(&rows, acc, lane, n))
            ; /* done */
        else if (is_program)
            run_values(task, &p, acc, lane, n, piece->row, at);
        else
            run_block(task, &p, acc, lane, n, piece->row, at);
        at += n;
    }
}
