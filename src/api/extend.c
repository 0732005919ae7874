/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Saving into a file that is there. Values are packed as the file packs them
 * and go through NetCDF-C box by box, in order, while later ones are computed;
 * everything is checked before the first byte is written.
 */
#include "api/extend.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/decode.h"
#include "graph/ops/ops.h"
#include "io/write/append.h"

/* One variable on its way. */
typedef struct item {
    int var;     /* of the model */
    int in_file; /* of the header */
    nci_node *packed;
    nci_grid grid;
    int64_t start[NCG_MAX_RANK];
} item;

typedef struct writing {
    nci_extending e;
    nci_append *append;
    item *items; /* those that are computed */
    nci_output *outputs;
    int nitems;
    int64_t nbytes;
} writing;

/* ---- packing ------------------------------------------------------------- */

static ncg_status map_scalar(nci_map_op op, nci_node *x, double number,
                             nci_node **out, ncg_error *err)
{
    nci_node *inputs[2] = {x, NULL};
    NCI_TRY(nci_array_f64(NCG_DTYPE_F64, 0, NULL, &number, &inputs[1], err));
    ncg_status st = nci_ops_map(op, NCG_DTYPE_NONE, inputs, 2, out, err);
    nci_node_release(&inputs[1]);
    return st;
}

static ncg_status pack(nci_node *array, const nci_decode *rule, nci_node **out,
                       ncg_error *err)
{
    nci_node *shifted = NULL;
    if (!rule->has_scale) {
        *out = nci_node_retain(array);
        return NCG_OK;
    }
    NCI_TRY(map_scalar(NCI_MAP_SUB, array, rule->offset, &shifted, err));
    ncg_status st = map_scalar(NCI_MAP_DIV, shifted, rule->scale, out, err);
    nci_node_release(&shifted);
    return st;
}

/* What the file has for a missing value, in its dtype. */
static bool find_fill(const nci_var *in_file, uint8_t fill[16])
{
    static const char *const names[] = {"_FillValue", "missing_value"};
    size_t size = ncg_dtype_size(in_file->dtype);
    memset(fill, 0, 16);
    for (int i = 0; i < 2; i++) {
        const nci_attr *attr = nci_attrs_find(&in_file->attrs, names[i]);
        if (!attr || attr->count < 1 || !nci_dtype_is_numeric(attr->dtype))
            continue;
        if (attr->dtype == in_file->dtype)
            memcpy(fill, attr->values, size);
        else
            nci_dtype_put(in_file->dtype, fill,
                          nci_dtype_get(attr->dtype, attr->values));
        return true;
    }
    nci_dtype_put(in_file->dtype, fill, nci_dtype_default_fill(in_file->dtype));
    return true;
}

/* ---- values in memory ---------------------------------------------------- */

/* Dates are counted as the file counts them. */
static ncg_status rebase(const writing *w, int v, double *values, int64_t n,
                         bool *is_needed, ncg_error *err)
{
    const nci_model *old = w->e.old->model;
    int at = nci_model_find_var(old, w->e.model->vars[v].name);
    nci_time_units to, from;
    bool a = false, b = false;
    *is_needed = false;
    if (at < 0)
        return NCG_OK;
    NCI_TRY(nci_model_date_units(old, at, &a, &to, err));
    NCI_TRY(nci_model_date_units(w->e.model, v, &b, &from, err));
    if (!a || !b)
        return NCG_OK;
    if (to.calendar != from.calendar)
        return nci_fail(err, NCG_EMISMATCH, "%s: %s: calendars differ",
                        w->e.path, w->e.model->vars[v].name);
    *is_needed = to.unit_us != from.unit_us || to.epoch_day != from.epoch_day ||
                 to.epoch_us != from.epoch_us;
    for (int64_t i = 0; *is_needed && i < n; i++)
        if (nci_time_is_number(values[i]))
            values[i] = nci_time_from_absolute(
                &to, nci_time_absolute_us(&from, values[i]));
    return NCG_OK;
}

static ncg_status put_box(writing *w, const nci_variable *var,
                          const int64_t *start, const int64_t *count,
                          const void *data, size_t nbytes, ncg_error *err)
{
    w->nbytes += (int64_t)nbytes;
    return nci_append_put(w->append, var->name, var->rank, start, count, data,
                          err);
}

static ncg_status encode_const(writing *w, int v, const nci_var *in_file,
                               const nci_decode *rule, char **out,
                               int64_t *count, ncg_error *err)
{
    double *values = NULL;
    uint8_t fill[16];
    bool is_needed;
    size_t size = ncg_dtype_size(in_file->dtype);
    NCI_TRY(nci_variable_values(&w->e.model->vars[v], &values, count, err));
    ncg_status st = rebase(w, v, values, *count, &is_needed, err);
    *out = st ? NULL : nci_alloc((size_t)(*count + 1) * size);
    if (!st && !*out)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    find_fill(in_file, fill);
    for (int64_t i = 0; !st && i < *count; i++) {
        double x = values[i];
        if (rule->has_scale)
            x = (x - rule->offset) / rule->scale;
        if (isnan(x))
            memcpy(*out + (size_t)i * size, fill, size);
        else
            nci_dtype_put(in_file->dtype, *out + (size_t)i * size, x);
    }
    nci_free(values);
    return st;
}

static void box_start(const nci_extending *e, const nci_variable *var,
                      int64_t *start)
{
    for (int a = 0; a < var->rank; a++)
        start[a] = e->starts[var->dims[a]] < 0 ? 0 : e->starts[var->dims[a]];
}

static ncg_status write_const(writing *w, int v, ncg_error *err)
{
    const nci_variable *var = &w->e.model->vars[v];
    const nci_header *header = w->e.header;
    const nci_var *in_file =
        &header->vars[nci_header_find_var(header, var->name)];
    const nci_node *node = var->array;
    int64_t start[NCG_MAX_RANK] = {0}, count = 0;
    char *data = NULL;
    nci_decode rule = {0};
    box_start(&w->e, var, start);
    bool number = nci_variable_is_numeric(var);
    if (!number || (node->dtype == in_file->dtype && !node->has_missing &&
                    nci_dtype_is_wide(node->dtype)))
        return put_box(w, var, start, node->shape, nci_buf_data(node->data),
                       nci_buf_size(node->data), err);
    NCI_TRY(nci_decode_make(in_file, w->e.path, true, &rule, NULL, err));
    NCI_TRY(encode_const(w, v, in_file, &rule, &data, &count, err));
    ncg_status st =
        put_box(w, var, start, node->shape, data,
                (size_t)count * ncg_dtype_size(in_file->dtype), err);
    nci_free(data);
    return st;
}

/* ---- values that are computed -------------------------------------------- */

/* Chunks of the file, so that each is written once: the first one ends where
 * a chunk of the file does. */
static ncg_status make_axis(int64_t size, int64_t start, int64_t chunk,
                            nci_axis *out, ncg_error *err)
{
    int64_t first = chunk - start % chunk, n = 1;
    first = first < size ? first : size;
    n += (size - first + chunk - 1) / chunk;
    int64_t *edge = nci_alloc((size_t)(n + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    edge[0] = 0;
    for (int64_t i = 1; i <= n; i++) {
        int64_t end = first + (i - 1) * chunk;
        edge[i] = end < size ? end : size;
    }
    ncg_status st = nci_axis_from_edges(edge, n, out, err);
    nci_free(edge);
    return st;
}

static ncg_status make_grid(const nci_node *node, const nci_var *in_file,
                            const int64_t *start, nci_grid *out, ncg_error *err)
{
    out->rank = node->rank;
    for (int d = 0; d < node->rank; d++) {
        int64_t chunk = in_file->storage.chunk[d];
        chunk = chunk < 1 ? 1 : chunk;
        NCI_TRY(make_axis(node->shape[d], start[d], chunk, &out->axis[d], err));
    }
    return NCG_OK;
}

static ncg_status add_item(writing *w, int v, ncg_error *err)
{
    const nci_variable *var = &w->e.model->vars[v];
    item *it = &w->items[w->nitems];
    nci_output *output = &w->outputs[w->nitems];
    nci_decode rule = {0};
    bool is_needed;
    it->var = v;
    it->in_file = nci_header_find_var(w->e.header, var->name);
    const nci_var *in_file = &w->e.header->vars[it->in_file];
    w->nitems++;
    NCI_TRY(rebase(w, v, NULL, 0, &is_needed, err));
    if (is_needed || !nci_variable_is_numeric(var))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: %s, which is not in memory, cannot be written "
                        "there: %s",
                        w->e.path, var->name,
                        is_needed ? "it counts from another date"
                                  : "it is text");
    NCI_TRY(nci_decode_make(in_file, w->e.path, true, &rule, NULL, err));
    NCI_TRY(pack(var->array, &rule, &it->packed, err));
    box_start(&w->e, var, it->start);
    NCI_TRY(make_grid(var->array, in_file, it->start, &it->grid, err));
    *output = (nci_output){
        .node = it->packed, .dtype = in_file->dtype, .grid = &it->grid};
    output->has_fill = find_fill(in_file, output->fill);
    return NCG_OK;
}

static ncg_status encode(void *arg, int output, const int64_t *index,
                         const int64_t *count, nci_buf *chunk_take,
                         nci_buf **out, ncg_error *err)
{
    (void)arg, (void)output, (void)index, (void)count, (void)err;
    *out = chunk_take;
    return NCG_OK;
}

static ncg_status put(void *arg, int output, const int64_t *index,
                      const nci_buf *data, ncg_error *err)
{
    writing *w = arg;
    const item *it = &w->items[output];
    const nci_variable *var = &w->e.model->vars[it->var];
    nci_box box = nci_grid_box(&it->grid, nci_grid_number(&it->grid, index));
    for (int d = 0; d < box.rank; d++)
        box.start[d] += it->start[d];
    return put_box(w, var, box.start, box.count, nci_buf_data(data),
                   nci_buf_size(data), err);
}

/* ---- the whole ----------------------------------------------------------- */

static bool is_empty(const nci_node *node)
{
    for (int d = 0; d < node->rank; d++)
        if (!node->shape[d])
            return true;
    return false;
}

static ncg_status collect(writing *w, ncg_error *err)
{
    size_t n = w->e.model->nvars + 1;
    w->items = nci_calloc(n, sizeof *w->items);
    w->outputs = nci_calloc(n, sizeof *w->outputs);
    if (!w->items || !w->outputs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t v = 0; v < w->e.model->nvars; v++) {
        const nci_variable *var = &w->e.model->vars[v];
        if (nci_extend_writes(&w->e, var) && !is_empty(var->array) &&
            var->array->kind != NCI_NODE_CONST)
            NCI_TRY(add_item(w, (int)v, err));
    }
    return NCG_OK;
}

static ncg_status write_all(writing *w, const ncg_save_options *options,
                            ncg_error *err)
{
    nci_sink sink = {.ctx = w, .encode = encode, .put = put, .is_plain = true};
    NCI_TRY(nci_append_open(w->e.path, options->in_place, &w->append, err));
    for (size_t v = 0; v < w->e.model->nvars; v++) {
        const nci_variable *var = &w->e.model->vars[v];
        if (nci_extend_writes(&w->e, var) && !is_empty(var->array) &&
            var->array->kind == NCI_NODE_CONST)
            NCI_TRY(write_const(w, (int)v, err));
    }
    if (w->nitems)
        NCI_TRY(nci_context_run(w->e.ctx, w->outputs, w->nitems, &sink, err));
    if (options->history)
        NCI_TRY(nci_append_history(w->append, options->history, err));
    return nci_append_finish(&w->append, err);
}

static ncg_status prepare(writing *w, const ncg_save_options *options,
                          ncg_error *err)
{
    nci_extending *e = &w->e;
    NCI_TRY(nci_file_open(e->ctx->io, e->path, &e->file, err));
    e->header = nci_file_header(e->file);
    NCI_TRY(nci_extend_find_starts(e, options, err));
    NCI_TRY(ncg_dataset_open(e->ctx, &e->path, 1, NULL, &e->old, err));
    NCI_TRY(nci_extend_check(e, err));
    return collect(w, err);
}

static void writing_fini(writing *w)
{
    nci_append_abandon(&w->append);
    for (int i = 0; i < w->nitems; i++) {
        nci_node_release(&w->items[i].packed);
        nci_grid_fini(&w->items[i].grid);
    }
    nci_free(w->items);
    nci_free(w->outputs);
    nci_free(w->e.starts);
    ncg_dataset_release(&w->e.old);
    if (w->e.file)
        nci_file_release(&w->e.file);
}

ncg_status nci_dataset_extend(ncg_dataset *ds, const char *path,
                              const ncg_save_options *options, ncg_error *err)
{
    writing w = {.e = {.ctx = ds->ctx, .model = ds->model, .path = path}};
    if (!ds->ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    ncg_status st = prepare(&w, options, err);
    if (!st)
        st = write_all(&w, options, err);
    writing_fini(&w);
    if (st)
        return st;
    pthread_mutex_lock(&ds->ctx->lock);
    ds->ctx->stats.bytes_written += w.nbytes;
    pthread_mutex_unlock(&ds->ctx->lock);
    return NCG_OK;
}
