/* SPDX-License-Identifier: BSD-3-Clause */
/* Saving: one run, whose chunks are compressed on the pool and put into the
 * file in order. Beside its start a thread defines the file and writes the
 * values that are in memory: until the first chunk is there, nobody waits for
 * the libraries. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "api/extend.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "io/write/encode.h"
#include "io/write/writer.h"

typedef struct saving {
    ncg_context *ctx;
    nci_header *header;
    nci_node **nodes; /* one a header variable */
    nci_writer *writer;
    nci_output *outputs;
    nci_grid *grids;
    int *vars; /* header variable of each output */
    int noutputs;
    pthread_t definer;
    bool is_defining; /* the thread has not been waited for */
    ncg_status defined;
    ncg_error why_not;
} saving;

/* Waits until the file is defined; one thread at a time. */
static ncg_status await_definition(saving *s, ncg_error *err)
{
    if (s->is_defining)
        pthread_join(s->definer, NULL);
    s->is_defining = false;
    if (s->defined && err)
        *err = s->why_not;
    return s->defined;
}

static ncg_status encode(void *arg, int output, const int64_t *index,
                         const int64_t *count, nci_buf *chunk_take,
                         nci_buf **out, ncg_error *err)
{
    saving *s = arg;
    (void)index;
    NCI_TRY(nci_writer_encode(s->writer, s->vars[output], count,
                              nci_buf_data(chunk_take), out, err));
    nci_buf_release(&chunk_take);
    return NCG_OK;
}

static ncg_status form(void *arg, int output, nci_encoding *out, ncg_error *err)
{
    const saving *s = arg;
    return nci_writer_encoding(s->writer, s->vars[output], out, err);
}

static ncg_status put(void *arg, int output, const int64_t *index,
                      const nci_buf *encoded, ncg_error *err)
{
    saving *s = arg;
    NCI_TRY(await_definition(s, err));
    return nci_writer_put(s->writer, s->vars[output], index, encoded, err);
}

/* ---- values in memory
 * ---------------------------------------------------------- */

static bool is_missing(const nci_node *node, const char *value)
{
    if (nci_dtype_is_float(node->dtype))
        return nci_dtype_get(node->dtype, value) !=
               nci_dtype_get(node->dtype, value);
    return node->has_missing &&
           !memcmp(value, node->missing, ncg_dtype_size(node->dtype));
}

static void convert(const nci_node *node, const nci_var *var, int64_t n,
                    char *to)
{
    const char *from = nci_buf_data(node->data);
    size_t in = ncg_dtype_size(node->dtype), out = ncg_dtype_size(var->dtype);
    bool exact =
        nci_dtype_is_integer(node->dtype) && nci_dtype_is_integer(var->dtype);
    for (int64_t i = 0; i < n; i++, from += in, to += out) {
        if (var->storage.has_fill && is_missing(node, from))
            memcpy(to, var->storage.fill, out);
        else if (node->dtype == var->dtype)
            memcpy(to, from, out);
        else if (exact)
            nci_dtype_put_i64(var->dtype, to,
                              nci_dtype_get_i64(node->dtype, from));
        else
            nci_dtype_put(var->dtype, to, nci_dtype_get(node->dtype, from));
    }
}

static ncg_status write_const(saving *s, int v, ncg_error *err)
{
    const nci_node *node = s->nodes[v];
    const nci_var *var = &s->header->vars[v];
    int64_t n = 1;
    for (int d = 0; d < node->rank; d++)
        n *= node->shape[d];
    char *data = nci_alloc((size_t)n * ncg_dtype_size(var->dtype));
    if (!data)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    convert(node, var, n, data);
    ncg_status st = nci_writer_put_var(s->writer, v, data, err);
    nci_free(data);
    return st;
}

static ncg_status write_constants(saving *s, ncg_error *err)
{
    for (size_t v = 0; v < s->header->nvars; v++)
        if (s->nodes[v] && s->nodes[v]->kind == NCI_NODE_CONST)
            NCI_TRY(write_const(s, (int)v, err));
    return NCG_OK;
}

static void *define(void *arg)
{
    saving *s = arg;
    s->defined = nci_writer_define(s->writer, s->header, &s->why_not);
    if (!s->defined)
        s->defined = write_constants(s, &s->why_not);
    return NULL;
}

static void start_definition(saving *s)
{
    s->is_defining = !pthread_create(&s->definer, NULL, define, s);
    if (!s->is_defining)
        define(s);
}

/* ---- the run
 * --------------------------------------------------------------------- */

static ncg_status add_output(saving *s, int v, ncg_error *err)
{
    const nci_var *var = &s->header->vars[v];
    nci_node *node = s->nodes[v];
    NCI_TRY(nci_grid_regular(node->rank, node->shape, var->storage.chunk,
                             &s->grids[s->noutputs], err));
    nci_output *output = &s->outputs[s->noutputs];
    output->node = node;
    output->dtype = var->dtype;
    output->has_fill = var->storage.has_fill;
    memcpy(output->fill, var->storage.fill, sizeof output->fill);
    output->grid = &s->grids[s->noutputs];
    s->vars[s->noutputs++] = v;
    return NCG_OK;
}

static ncg_status collect_outputs(saving *s, ncg_error *err)
{
    size_t n = s->header->nvars + 1;
    s->outputs = nci_calloc(n, sizeof *s->outputs);
    s->grids = nci_calloc(n, sizeof *s->grids);
    s->vars = nci_calloc(n, sizeof *s->vars);
    if (!s->outputs || !s->grids || !s->vars)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t v = 0; v < s->header->nvars; v++)
        if (s->nodes[v] && s->nodes[v]->kind != NCI_NODE_CONST)
            NCI_TRY(add_output(s, (int)v, err));
    return NCG_OK;
}

static void saving_fini(saving *s)
{
    (void)await_definition(s, NULL);
    nci_writer_abandon(&s->writer);
    for (size_t v = 0; s->nodes && v < s->header->nvars; v++)
        nci_node_release(&s->nodes[v]);
    nci_free(s->nodes);
    nci_header_free(&s->header);
    for (int i = 0; i < s->noutputs; i++)
        nci_grid_fini(&s->grids[i]);
    nci_free(s->outputs);
    nci_free(s->grids);
    nci_free(s->vars);
}

static ncg_status prepare(saving *s, ncg_dataset *ds, const char *path,
                          const ncg_save_options *options, ncg_error *err)
{
    s->ctx = ds->ctx;
    NCI_TRY(nci_model_output(ds->model, path, options->dtype, options->history,
                             &s->header, &s->nodes, err));
    return collect_outputs(s, err);
}

static ncg_status write_file(saving *s, const char *path,
                             const ncg_save_options *options, ncg_error *err)
{
    nci_write_options how = {
        .format = options->format ? options->format : "nc4",
        .deflate = options->deflate < 0 ? 1 : options->deflate,
        .overwrite = options->overwrite};
    nci_sink sink = {.ctx = s, .encode = encode, .form = form, .put = put};
    NCI_TRY(nci_writer_begin(path, s->header, &how, &s->writer, err));
    start_definition(s);
    if (s->noutputs)
        NCI_TRY(nci_context_run(s->ctx, s->outputs, s->noutputs, &sink, err));
    NCI_TRY(await_definition(s, err));
    int64_t bytes = nci_writer_bytes(s->writer);
    NCI_TRY(nci_writer_finish(&s->writer, err));
    pthread_mutex_lock(&s->ctx->lock);
    s->ctx->stats.bytes_written += bytes;
    pthread_mutex_unlock(&s->ctx->lock);
    return NCG_OK;
}

static const ncg_save_options save_defaults = NCG_SAVE_OPTIONS_INIT;

ncg_status ncg_dataset_save(ncg_dataset *ds, const char *path,
                            const ncg_save_options *options, ncg_error *err)
{
    if (!ds || !path)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ds->handle, NCI_HANDLE_DATASET, err));
    saving s = {0};
    options = options ? options : &save_defaults;
    if (options->append || options->nregion)
        return nci_dataset_extend(ds, path, options, err);
    ncg_status st = prepare(&s, ds, path, options, err);
    if (!st)
        st = write_file(&s, path, options, err);
    saving_fini(&s);
    return st;
}

ncg_status nci_save_plan(ncg_dataset *ds, const ncg_save_options *options,
                         nci_plan **out, int64_t *bytes_output, ncg_error *err)
{
    saving s = {0};
    ncg_status st =
        prepare(&s, ds, "out.nc", options ? options : &save_defaults, err);
    if (!st)
        st = nci_context_lower(ds->ctx, s.outputs, s.noutputs, out, NULL, err);
    for (int i = 0; i < s.noutputs; i++) {
        nci_box box =
            nci_box_whole(s.outputs[i].node->rank, s.outputs[i].node->shape);
        *bytes_output +=
            nci_box_size(&box) * (int64_t)ncg_dtype_size(s.outputs[i].dtype);
    }
    saving_fini(&s);
    return st;
}
