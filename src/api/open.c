/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening: paths to files in parallel, headers to one model. */
#include "api/handles.h"
#include "api/link.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/cluster/inspect.h"

enum { FEW_FILES = 32 }; /* opened sooner than workers are called */

typedef struct opening {
    ncg_context *ctx;
    nci_noting noting;
    const nci_strings *paths;
    nci_file **files;
    const nci_header **headers;
    nci_inspection *inspection; /* with workers; NULL: alone */
} opening;

static ncg_status open_one(void *arg, size_t i, ncg_error *err)
{
    opening *o = arg;
    return nci_file_open(o->ctx->io, o->paths->items[i], &o->files[i], err);
}

static ncg_status open_batch(void *arg, size_t i, ncg_error *err)
{
    opening *o = arg;
    return nci_inspection_open(o->inspection, i, o->files, err);
}

/* Workers that cannot be called are no reason to fail. */
static ncg_status open_all(opening *o, ncg_error *err)
{
    nci_executor *x = o->ctx->executor;
    size_t n = o->paths->count;
    if (!o->ctx->link || n < FEW_FILES ||
        nci_inspection_begin(o->ctx->link->client, o->ctx->io, o->paths,
                             &o->inspection, NULL))
        return nci_executor_parallel(x, n, open_one, o, err);
    ncg_status st = nci_executor_parallel(
        x, nci_inspection_batches(o->inspection), open_batch, o, err);
    nci_inspection_end(&o->inspection);
    return st;
}

static ncg_status read_box(void *arg, int file, int var, const nci_box *box,
                           void *out, ncg_error *err)
{
    opening *o = arg;
    return nci_file_read_box(o->files[file], var, box, out, err);
}

static ncg_status parallel(void *arg, size_t n,
                           ncg_status (*body)(void *arg, size_t i,
                                              ncg_error *err),
                           void *body_arg, ncg_error *err)
{
    opening *o = arg;
    return nci_executor_parallel(o->ctx->executor, n, body, body_arg, err);
}

static ncg_status add_source(void *arg, nci_source_spec *spec_take,
                             uint32_t *id, ncg_error *err)
{
    opening *o = arg;
    pthread_mutex_lock(&o->ctx->lock);
    ncg_status st =
        nci_source_table_add(o->ctx->sources, spec_take, o->files, id, err);
    pthread_mutex_unlock(&o->ctx->lock);
    return st;
}

static ncg_status join(opening *o, const ncg_open_options *options,
                       nci_model **out, ncg_error *err)
{
    nci_join_input input = {.headers = o->headers,
                            .nfiles = o->paths->count,
                            .ctx = o,
                            .read = read_box,
                            .parallel = parallel,
                            .source = add_source};
    nci_join_options how = {.variables = options->variables,
                            .overlap = options->overlap,
                            .join = options->join,
                            .missing_fill = options->missing_fill,
                            .no_default_fill = options->no_default_fill,
                            .note = nci_noting_text,
                            .note_payload = &o->noting};
    return nci_join(&input, &how, out, err);
}

static ncg_status open_files(opening *o, const ncg_open_options *options,
                             nci_model **out, ncg_error *err)
{
    size_t n = o->paths->count;
    o->files = nci_calloc(n, sizeof *o->files);
    o->headers = nci_calloc(n, sizeof *o->headers);
    ncg_status st = NCG_OK;
    if (!o->files || !o->headers)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = open_all(o, err);
    for (size_t i = 0; !st && i < n; i++)
        o->headers[i] = nci_file_header(o->files[i]);
    if (!st)
        st = join(o, options, out, err);
    if (!st)
        st = nci_model_mark_weights(*out, options->weights, err);
    if (!st)
        nci_model_find_roles(*out);
    for (size_t i = 0; o->files && i < n; i++)
        nci_file_release(&o->files[i]);
    nci_free(o->files);
    nci_free(o->headers);
    return st;
}

static void count_files(ncg_context *ctx, size_t n)
{
    pthread_mutex_lock(&ctx->lock);
    ctx->stats.files += (int64_t)n;
    pthread_mutex_unlock(&ctx->lock);
}

ncg_status ncg_dataset_open(ncg_context *ctx, const char *const *paths,
                            size_t npaths, const ncg_open_options *options,
                            ncg_dataset **out, ncg_error *err)
{
    static const ncg_open_options defaults = NCG_OPEN_OPTIONS_INIT;
    if (!ctx || !paths || !out)
        return nci_fail(err, NCG_EINVAL, "context, paths or result missing");
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    options = options ? options : &defaults;
    if (options->join != NCG_JOIN_EXACT && options->join != NCG_JOIN_INNER)
        return nci_fail(err, NCG_EINVAL,
                        "files are joined exact or inner; open them one by "
                        "one and combine the data sets for other joins");
    nci_strings list = {0};
    nci_model *model = NULL;
    opening o = {
        .ctx = ctx, .noting = nci_noting_begin(ctx, NULL), .paths = &list};
    ncg_status st = nci_paths_expand(paths, npaths, options->glob, &list, err);
    if (!st)
        st = open_files(&o, options, &model, err);
    if (!st)
        count_files(ctx, list.count);
    if (!st)
        st = nci_dataset_wrap(&o.noting, model, out, err);
    if (st)
        nci_model_release(&model);
    nci_strings_fini(&o.noting.notes);
    nci_strings_fini(&list);
    return st;
}
