/* SPDX-License-Identifier: BSD-3-Clause */
/* What a plan reads, in how many passes, with how much memory: sums over the
 * sources' segments and the scheduler's own rehearsal. No task runs. */
#include "api/handles.h"
#include "engine/predict.h"

static void widen(int64_t position, int64_t *low, int64_t *high)
{
    *low = position < *low ? position : *low;
    *high = position > *high ? position : *high;
}

/* The box of source positions that a layer's picks span. */
static nci_box span_of(const nci_access *access)
{
    nci_box box = {.rank = access->rank};
    for (int a = 0; a < access->rank; a++) {
        const nci_pick *pick = &access->picks[a];
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (int64_t i = 0; pick->index && i < pick->count; i++)
            widen(pick->index[i], &low, &high);
        if (!pick->index) {
            widen(pick->start, &low, &high);
            widen(pick->start + (pick->count - 1) * pick->step, &low, &high);
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
    bool is_whole = var->storage.layout == NCI_LAYOUT_CONTIGUOUS ||
                    var->storage.layout == NCI_LAYOUT_COMPACT ||
                    var->storage.layout == NCI_LAYOUT_RECORD;
    info->storage_chunks += is_whole ? 1 : chunks;
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
        const nci_var *var = &nci_file_header(file)->vars[segment->var];
        clip = nci_source_file_box(var, &clip);
        count_chunks(var, &clip, info);
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
    info->kept_memory = memory.kept;
    info->peak_memory = memory.peak + memory.kept;
    return NCG_OK;
}
