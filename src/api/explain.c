/* SPDX-License-Identifier: BSD-3-Clause */
/* Planning without running, for people: as text, as a drawing. */
#include "api/handles.h"
#include "base/mem.h"
#include "graph/dump.h"

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
    if (info->kept_memory)
        nci_text_add(text, "keeps      %s of decoded chunks for later passes\n",
                     nci_format_bytes((double)info->kept_memory, a));
}

static ncg_status take_text(nci_text *text, char **out, ncg_error *err)
{
    char *taken = nci_text_take(text);
    if (!taken)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *out = taken;
    return NCG_OK;
}

static void add_notes(nci_text *text, const nci_strings *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        nci_text_add(text, "note       %s\n", notes->items[i]);
}

static ncg_status describe_plan(const ncg_dataset *ds, const nci_plan *plan,
                                const ncg_plan_info *info, char **text,
                                char **dot, ncg_error *err)
{
    nci_text listing = {0}, drawing = {0};
    char *first = NULL, *second = NULL;
    ncg_status st = NCG_OK;
    if (text) {
        add_summary(&listing, info, ds->ctx);
        add_notes(&listing, &ds->notes);
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
    NCI_TRY(nci_handle_check(&ds->handle, NCI_HANDLE_DATASET, err));
    if (!ds->ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    nci_plan *plan = NULL;
    ncg_plan_info found = {.struct_size = sizeof found};
    NCI_TRY(nci_save_plan(ds, options, &plan, &found.bytes_output, err));
    ncg_status st = nci_measure(ds->ctx, plan, &found, err);
    if (!st)
        st = describe_plan(ds, plan, &found, text, dot, err);
    if (!st && info)
        *info = found;
    nci_plan_free(&plan);
    return st;
}
