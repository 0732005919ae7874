/* SPDX-License-Identifier: BSD-3-Clause */
/* Setting a FUSED task up: tables of its streams, operands in memory, labels,
 * memory of its threads. */
#include "engine/kernel/task.h"

#include "base/mem.h"
#include "engine/kernel/packed.h"
#include "graph/fuse.h"

/* ---- tables ---------------------------------------------------------------
 */

static bool uses_labels(const nci_fused *f)
{
    return f->folds && f->label_axis >= 0;
}

bool nci_task_is_even(const nci_fused *f)
{
    if (uses_labels(f))
        return false;
    for (int k = 0; k < f->noperands; k++) {
        const nci_access *access = &f->operands[k];
        if (access->kind == NCI_OPERAND_SOURCE)
            return false;
        for (int a = 0; a < access->rank; a++)
            if (access->from[a] >= 0 && access->picks[a].index)
                return false;
    }
    return true;
}

static ncg_status alloc_tables(nci_task *task, ncg_error *err)
{
    task->width = 0;
    task->is_even = nci_task_is_even(task->fused);
    if (task->is_even)
        return NCG_OK;
    for (int d = 0; d < task->rank; d++)
        task->width += task->box.count[d];
    size_t each = (size_t)task->width * NCI_NSTREAMS;
    task->memory = nci_calloc(each + 1, sizeof *task->memory);
    task->piece_memory = nci_alloc((each + 1) * sizeof *task->memory);
    task->lists = nci_alloc(((size_t)task->width + 1) * sizeof *task->lists);
    if (!task->memory || !task->piece_memory || !task->lists)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    int64_t *at = task->memory;
    for (int s = 0; s < NCI_NSTREAMS; s++)
        for (int d = 0; d < task->rank; d++) {
            task->table[s][d] = at;
            at += task->box.count[d];
        }
    return NCG_OK;
}

void nci_task_fill_operand(nci_task *task, int k, const nci_box *box)
{
    const nci_access *access = &task->fused->operands[k];
    int64_t stride = 1;
    task->is_used[k] = true;
    for (int a = access->rank - 1; a >= 0; a--) {
        int d = access->from[a];
        int64_t start = box ? box->start[a] : 0;
        if (d < 0) {
            task->base[k] += (access->picks[a].start - start) * stride;
        } else if (task->is_even) {
            const nci_pick *pick = &access->picks[a];
            int64_t first = nci_pick_at(pick, task->box.start[d]);
            task->base[k] += (first - start) * stride;
            task->stride[k][d] += pick->step * stride;
        } else {
            for (int64_t i = 0; i < task->box.count[d]; i++)
                task->table[k][d][i] +=
                    (nci_pick_at(&access->picks[a], task->box.start[d] + i) -
                     start) *
                    stride;
        }
        if (box)
            stride *= box->count[a];
    }
}

static int64_t find_row(const int32_t *labels, int64_t n, int32_t label)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (labels[middle] < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && labels[low] == label ? low : -1;
}

static void fill_cells(nci_task *task)
{
    const nci_fused *f = task->fused;
    int64_t stride = 1;
    task->is_used[NCI_STREAM_OUT] = true;
    for (int d = task->rank - 1; d >= 0; d--) {
        if (f->folds && f->over[d])
            continue;
        task->stride[NCI_STREAM_OUT][d] = stride;
        for (int64_t i = 0; !task->is_even && i < task->box.count[d]; i++)
            task->table[NCI_STREAM_OUT][d][i] = i * stride;
        stride *= task->box.count[d];
    }
    if (!uses_labels(f))
        return;
    int axis = f->label_axis;
    int64_t index[NCG_MAX_RANK];
    nci_grid_index(&task->layer->grid, task->chunk, index);
    const int32_t *labels = f->rows.labels + f->rows.first[index[axis]];
    for (int64_t i = 0; i < task->box.count[axis]; i++) {
        int32_t label = f->labels[task->box.start[axis] + i];
        int64_t row = label < 0 ? -1 : find_row(labels, task->nrows, label);
        if (row < 0)
            task->left_out[i] = 1;
        else
            task->seen[row]++;
        task->table[NCI_STREAM_OUT][axis][i] = row * stride;
    }
}

static void fill_places(nci_task *task)
{
    const nci_fused *f = task->fused;
    int64_t stride = 1;
    if (!f->folds || !nci_fold_by_position(&f->fold))
        return;
    task->is_used[NCI_STREAM_PLACE] = true;
    for (int d = task->rank - 1; d >= 0; d--) {
        if (!f->over[d])
            continue;
        task->stride[NCI_STREAM_PLACE][d] = stride;
        if (task->is_even)
            task->base[NCI_STREAM_PLACE] += task->box.start[d] * stride;
        for (int64_t i = 0; !task->is_even && i < task->box.count[d]; i++)
            task->table[NCI_STREAM_PLACE][d][i] =
                (task->box.start[d] + i) * stride;
        stride *= f->shape[d];
    }
}

/* How many positions of the box each row's cells see. */
static ncg_status count_rows(nci_task *task, ncg_error *err)
{
    const nci_fused *f = task->fused;
    int64_t index[NCG_MAX_RANK];
    task->nrows = 1;
    nci_grid_index(&task->layer->grid, task->chunk, index);
    if (uses_labels(f)) {
        const int64_t *first = f->rows.first + index[f->label_axis];
        task->nrows = first[1] - first[0];
        size_t n = (size_t)task->box.count[f->label_axis] + 1;
        if (!(task->left_out = nci_calloc(n, 1)))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        task->is_left_out = task->left_out;
    }
    task->seen = nci_calloc((size_t)task->nrows + 1, sizeof *task->seen);
    if (!task->seen)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

static void scale_rows(nci_task *task)
{
    const nci_fused *f = task->fused;
    int64_t each = 1, kept = 1, labelled = 0;
    for (int d = 0; d < task->rank; d++) {
        if (!f->over[d])
            kept *= task->box.count[d];
        else if (d != f->label_axis)
            each *= task->box.count[d];
    }
    if (!uses_labels(f))
        task->seen[0] = 1;
    for (int64_t row = 0; row < task->nrows; row++) {
        labelled += task->seen[row];
        task->seen[row] *= each;
    }
    task->ncells = task->nrows * kept;
    task->expected = labelled * each * kept;
}

/* ---- operands -------------------------------------------------------------
 */

static ncg_status open_operand(nci_task *task, int k, const nci_dep *deps,
                               int64_t ndeps, ncg_error *err)
{
    const nci_access *access = &task->fused->operands[k];
    nci_box whole;
    switch (access->kind) {
    case NCI_OPERAND_SOURCE:
        if (k != 0)
            return nci_fail(err, NCG_EBUG, "%s: operand %d is a source",
                            task->layer->name, k);
        nci_task_fill_operand(task, k, NULL);
        return NCG_OK;
    case NCI_OPERAND_LAYER:
        return nci_task_open_layer(task, k, deps, ndeps, err);
    default:
        whole = nci_box_whole(access->rank, access->shape);
        nci_view_plain(access->dtype, nci_buf_data(access->data),
                       access->has_missing ? access->missing : NULL,
                       &task->views[k]);
        nci_task_fill_operand(task, k, &whole);
        return NCG_OK;
    }
}

nci_box nci_task_source_box(const nci_task *task)
{
    const nci_access *access = &task->fused->operands[0];
    nci_box box = {.rank = access->rank};
    for (int a = 0; a < access->rank; a++) {
        int d = access->from[a];
        box.start[a] = d < 0 ? access->picks[a].start : task->table[0][d][0];
        int64_t high = box.start[a];
        for (int64_t i = 1; d >= 0 && i < task->box.count[d]; i++) {
            int64_t p = task->table[0][d][i];
            box.start[a] = p < box.start[a] ? p : box.start[a];
            high = p > high ? p : high;
        }
        box.count[a] = high - box.start[a] + 1;
    }
    return box;
}

static void find_packing(nci_task *task)
{
    int64_t most = 0;
    const nci_source *source = NULL;
    if (task->fused->noperands &&
        task->fused->operands[0].kind == NCI_OPERAND_SOURCE)
        source = nci_source_table_get(task->env->sources,
                                      task->fused->operands[0].source);
    if (!source || !task->expected)
        return;
    for (int64_t row = 0; row < task->nrows; row++)
        most = task->seen[row] > most ? task->seen[row] : most;
    nci_box box = nci_task_source_box(task);
    int axis = source->spec->join_axis;
    axis = axis < 0 ? 0 : axis;
    task->is_packed =
        nci_packing_of(source->spec, task->fused, box.rank ? box.start[axis] : 0,
                       box.rank ? box.count[axis] : 1, most, &task->packing);
}

/* ---- threads --------------------------------------------------------------
 */

int64_t nci_task_lane_bytes(const nci_fused *fused)
{
    int64_t blocks = fused->noperands + fused->nsteps; /* registers */
    blocks += fused->noperands;                        /* raw values */
    blocks += 3;
    return blocks * NCI_BLOCK * 8 + (fused->folds ? NCI_STRIPS_BYTES : 0);
}

static ncg_status open_lanes(nci_task *task, ncg_error *err)
{
    const nci_fused *f = task->fused;
    int64_t bytes = nci_task_lane_bytes(f);
    size_t n = (size_t)task->threads;
    task->lanes = nci_calloc(n, sizeof *task->lanes);
    task->lane_memory = nci_alloc_aligned(n * (size_t)bytes);
    if (!task->lanes || !task->lane_memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = task->lane_memory + i * (size_t)bytes;
        nci_lane *lane = &task->lanes[i];
        lane->registers = (double *)at;
        at += (f->noperands + f->nsteps) * NCI_BLOCK * 8;
        lane->raw = at;
        at += f->noperands * NCI_BLOCK * 8;
        lane->temp = (double *)at;
        lane->temp2 = lane->temp + NCI_BLOCK;
        lane->doubles = lane->temp2 + NCI_BLOCK;
        lane->strips = (uint8_t *)(lane->doubles + NCI_BLOCK);
    }
    return NCG_OK;
}

/* Axes along which tiles of the source cover runs of the box's positions. */
static void find_runs(nci_task *task)
{
    const nci_fused *f = task->fused;
    if (task->is_even || !f->noperands ||
        f->operands[0].kind != NCI_OPERAND_SOURCE)
        return;
    for (int d = 0; d < task->rank; d++) {
        const int64_t *table = task->table[0][d];
        int64_t n = task->box.count[d], i = 0;
        bool is_label = task->is_left_out && d == f->label_axis;
        bool is_followed = false;
        for (int a = 0; a < f->operands[0].rank; a++)
            is_followed |= f->operands[0].from[a] == d;
        while (i < n && (!is_followed || table[i] - table[0] == i) &&
               (!is_label || !task->is_left_out[i]))
            i++;
        task->is_run[d] = i == n;
    }
}

ncg_status nci_task_open(nci_task *task, const nci_task_env *env,
                         const nci_layer *layer, int part, int64_t chunk,
                         const nci_dep *deps, int64_t ndeps, ncg_error *err)
{
    *task = (nci_task){.env = env,
                       .layer = layer,
                       .fused = nci_fused_part(&layer->fused, part),
                       .isa = nci_isa_best(),
                       .rank = layer->fused.rank,
                       .box = nci_grid_box(&layer->grid, chunk),
                       .chunk = chunk,
                       .threads = env->threads > 1 ? env->threads : 1};
    ncg_status st = alloc_tables(task, err);
    if (!st && task->fused->folds)
        st = count_rows(task, err);
    for (int k = 0; !st && k < task->fused->noperands; k++)
        st = open_operand(task, k, deps, ndeps, err);
    if (!st)
        st = open_lanes(task, err);
    if (st)
        return st;
    fill_cells(task);
    fill_places(task);
    find_runs(task);
    if (task->fused->folds) {
        scale_rows(task);
        find_packing(task);
    } else {
        task->expected = task->ncells = nci_box_size(&task->box);
    }
    return NCG_OK;
}

void nci_task_close(nci_task *task)
{
    nci_acc_fini(&task->acc);
    for (int k = 0; k < NCI_MAX_OPERANDS; k++)
        nci_free(task->gathered[k]);
    nci_free(task->total.data);
    nci_free(task->memory);
    nci_free(task->piece_memory);
    nci_free(task->lists);
    nci_free(task->left_out);
    nci_free(task->seen);
    nci_free(task->lanes);
    nci_free(task->lane_memory);
}
