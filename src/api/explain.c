/* SPDX-License-Identifier: BSD-3-Clause */
/* Planning without running: what would be read, in how many passes, with how
 * much memory; as numbers, as text for people, as a drawing. */
#include <string.h>

#include "api/handles.h"
#include "base/mem.h"
#include "engine/predict.h"
#include "graph/dump.h"

/* ---- what is read --------------------------------------------------------------- */

/* The box of source positions that a layer's picks span. */
static nci_box span_of(const nci_access *access)
{
    nci_box box = {.rank = access->rank};
    for (int a = 0; a < access->rank; a++) {
        const nci_pick *pick = &access->picks[a];
        int64_t low = INT64_MAX, high = -1;
        bool is_affine = !pick->index;
        for (int64_t i = 0; i < pick->count; i++) {
            if (is_affine && i != 0 && i != pick->count - 1)
                continue;
            int64_t p = is_affine ? pick->start + i * pick->step
                                  : pick->index[i];
            low = p < low ? p : low;
            high = p > high ? p : high;
            if (is_affine && i == 0 && pick->count > 1)
                i = pick->count - 2;
        }
        box.start[a] = low;
        box.count[a] = high - low + 1;
    }
    return box;
}

/* The part of `box` that a segment holds, in the file's positions. */
static bool clip_to_segment(const nci_source_spec *spec,
                            const nci_segment *segment, const nci_box *box,
                            nci_box *out)
{
    nci_box own = nci_box_whole(spec->rank, spec->shape);
    int d = spec->join_axis;
    if (d >= 0) {
        own.start[d] = segment->start;
        own.count[d] = segment->count;
    }
    if (!nci_box_clip(&own, box, out))
        return false;
    if (d >= 0)
        out->start[d] += segment->file_start - segment->start;
    return true;
}

static void count_chunks(const nci_var *var, const nci_box *box,
                         ncg_plan_info *info)
{
    int64_t chunks = 1, items = 1;
    for (int d = 0; d < box->rank; d++) {
        int64_t size = var->storage.chunk[d];
        int64_t first = box->start[d] / size;
        int64_t last = (box->start[d] + box->count[d] - 1) / size;
        chunks *= last - first + 1;
        items *= (last - first + 1) * size;
    }
    info->storage_chunks += chunks;
    info->bytes_decoded += items * (int64_t)var->storage.elem_size;
}

static ncg_status count_disk(nci_file *file, int var, const nci_box *box,
                             ncg_plan_info *info, ncg_error *err)
{
    int64_t bytes = -1;
    NCI_TRY(nci_file_stored_bytes(file, var, box, &bytes, err));
    if (bytes < 0 || info->bytes_disk < 0)
        info->bytes_disk = -1;
    else
        info->bytes_disk += bytes;
    return NCG_OK;
}

static ncg_status count_source(ncg_context *ctx, const nci_access *access,
                               bool with_disk, ncg_plan_info *info,
                               ncg_error *err)
{
    const nci_source *source =
        nci_source_table_get(ctx->sources, access->source);
    nci_box box = span_of(access), clip;
    for (size_t i = 0; i < source->spec->nsegments; i++) {
        const nci_segment *segment = &source->spec->segments[i];
        nci_file *file = source->files[i];
        if (!file || segment->var < 0 ||
            !clip_to_segment(source->spec, segment, &box, &clip))
            continue;
        info->files++;
        count_chunks(&nci_file_header(file)->vars[segment->var], &clip, info);
        if (with_disk)
            NCI_TRY(count_disk(file, segment->var, &clip, info, err));
    }
    return NCG_OK;
}

static const nci_access *source_of(const nci_layer *layer)
{
    if (layer->kind == NCI_LAYER_FUSED && layer->fused.noperands &&
        layer->fused.operands[0].kind == NCI_OPERAND_SOURCE)
        return &layer->fused.operands[0];
    return NULL;
}

/* How often the most-read source is read. */
static int count_passes(const nci_plan *plan)
{
    int most = 0;
    for (int i = 0; i < plan->nlayers; i++) {
        const nci_access *a = source_of(&plan->layers[i]);
        int n = 0;
        for (int j = 0; a && j < plan->nlayers; j++) {
            const nci_access *b = source_of(&plan->layers[j]);
            n += b && b->source == a->source;
        }
        most = n > most ? n : most;
    }
    return most;
}

static ncg_status count_reads(ncg_context *ctx, const nci_plan *plan,
                              bool with_disk, ncg_plan_info *info,
                              ncg_error *err)
{
    int64_t most_files = 0;
    info->tasks = plan->ntasks;
    info->layers = plan->nlayers;
    for (int i = 0; i < plan->nlayers; i++) {
        const nci_access *access = source_of(&plan->layers[i]);
        if (!access)
            continue;
        info->files = 0;
        NCI_TRY(count_source(ctx, access, with_disk, info, err));
        most_files = info->files > most_files ? info->files : most_files;
    }
    info->files = most_files;
    info->passes = count_passes(plan);
    return NCG_OK;
}

ncg_status nci_measure_reads(ncg_context *ctx, const nci_plan *plan,
                             ncg_plan_info *info, ncg_error *err)
{
    return count_reads(ctx, plan, false, info, err);
}

ncg_status nci_measure(ncg_context *ctx, const nci_plan *plan,
                       ncg_plan_info *info, ncg_error *err)
{
    nci_prediction memory;
    NCI_TRY(count_reads(ctx, plan, true, info, err));
    NCI_TRY(nci_predict(ctx->executor, plan, ctx->sources, &memory, err));
    info->least_memory = memory.least;
    info->peak_memory = memory.peak;
    return NCG_OK;
}

/* ---- for people ------------------------------------------------------------------- */

static void add_summary(nci_text *text, const ncg_plan_info *info,
                        const ncg_context *ctx)
{
    char a[32], b[32];
    nci_text_add(text, "files      %lld, %lld storage chunks\n",
                 (long long)info->files, (long long)info->storage_chunks);
    nci_text_add(text, "reads      %s decoded",
                 nci_format_bytes((double)info->bytes_decoded, a));
    if (info->bytes_disk >= 0)
        nci_text_add(text, ", %s on disk",
                     nci_format_bytes((double)info->bytes_disk, b));
    nci_text_add(text, ", %d pass%s\n", info->passes,
                 info->passes == 1 ? "" : "es");
    nci_text_add(text, "writes     %s before compression\n",
                 nci_format_bytes((double)info->bytes_output, a));
    nci_text_add(text, "tasks      %lld in %lld layers\n",
                 (long long)info->tasks, (long long)info->layers);
    nci_text_add(text, "memory     %s at most with %d threads, %s at least\n",
                 nci_format_bytes((double)info->peak_memory, a),
                 nci_executor_threads(ctx->executor),
                 nci_format_bytes((double)info->least_memory, b));
}

static ncg_status take_text(nci_text *text, char **out, ncg_error *err)
{
    char *taken = nci_text_take(text);
    if (!taken)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *out = taken;
    return NCG_OK;
}

static ncg_status describe_plan(ncg_context *ctx, const nci_plan *plan,
                                const ncg_plan_info *info, char **text,
                                char **dot, ncg_error *err)
{
    nci_text listing = {0}, drawing = {0};
    char *first = NULL, *second = NULL;
    ncg_status st = NCG_OK;
    if (text) {
        add_summary(&listing, info, ctx);
        nci_plan_list(plan, &listing);
        st = take_text(&listing, &first, err);
    }
    if (!st && dot) {
        nci_plan_draw(plan, &drawing);
        st = take_text(&drawing, &second, err);
    }
    if (st) {
        nci_free(first);
        return st;
    }
    if (text)
        *text = first;
    if (dot)
        *dot = second;
    return NCG_OK;
}

ncg_status ncg_dataset_explain(ncg_dataset *ds, const ncg_save_options *options,
                               ncg_plan_info *info, char **text, char **dot,
                               ncg_error *err)
{
    if (!ds)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (!ds->ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    nci_plan *plan = NULL;
    ncg_plan_info found = {.struct_size = sizeof found};
    NCI_TRY(nci_save_plan(ds, options, &plan, &found.bytes_output, err));
    ncg_status st = nci_measure(ds->ctx, plan, &found, err);
    if (!st)
        st = describe_plan(ds->ctx, plan, &found, text, dot, err);
    if (!st && info)
        *info = found;
    nci_plan_free(&plan);
    return st;
}
