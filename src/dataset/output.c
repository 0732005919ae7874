/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a model to the header of the file to write: dtypes of files, fill
 * values, shapes of chunks, Conventions and history. Nothing is computed here;
 * node i holds the values of header variable i in its dtype.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/ops.h"

enum {
    CHUNK_MIN = 1 << 20,
    CHUNK_MAX = 4 << 20,
    SHARE = 256 << 10, /* of an output that is a chunk or less */
    STEPS_MIN = 8
};

/* ---- chunks ----------------------------------------------------------------
 */

static double chunk_bytes(int rank, const int64_t *chunk, size_t elem)
{
    double bytes = (double)elem;
    for (int d = 0; d < rank; d++)
        bytes *= (double)chunk[d];
    return bytes;
}

static void shrink(int rank, int64_t *chunk, int first, size_t elem)
{
    while (chunk_bytes(rank, chunk, elem) > CHUNK_MAX) {
        int widest = first;
        for (int d = first; d < rank; d++)
            if (chunk[d] > chunk[widest])
                widest = d;
        if (widest >= rank || chunk[widest] < 2)
            return;
        chunk[widest] = (chunk[widest] + 1) / 2;
    }
}

/* Doubles the axis that is cut the finest, so that no axis is left behind. */
static void grow(int rank, const int64_t *shape, int64_t *chunk, size_t elem)
{
    while (chunk_bytes(rank, chunk, elem) < CHUNK_MIN) {
        int finest = -1;
        double least = 1;
        for (int d = 0; d < rank; d++) {
            double share = (double)chunk[d] / (double)shape[d];
            if (chunk[d] < shape[d] && share < least) {
                least = share;
                finest = d;
            }
        }
        if (finest < 0)
            return;
        chunk[finest] = 2 * chunk[finest] < shape[finest] ? 2 * chunk[finest]
                                                          : shape[finest];
    }
}

static int64_t cut(int64_t size, int64_t n)
{
    return size / n + (size % n != 0);
}

/* Positions that the last of n equal chunks has beyond the end. */
static int64_t padding(int64_t size, int64_t n)
{
    return n * cut(size, n) - size;
}

/* Edge chunks are stored whole: a last chunk that is nearly empty costs time
 * and, where values are noise, room. An axis that was cut as it came is left:
 * other edges would make each chunk wait for two. */
static void even_out(int rank, const int64_t *shape, const int64_t *natural,
                     int64_t *chunk, size_t elem)
{
    for (int d = 0; d < rank; d++) {
        int64_t old = chunk[d], best = old, n = cut(shape[d], old);
        int64_t least = n * old - shape[d];
        if (n < 2 || old == natural[d])
            continue;
        for (int64_t k = n + 1; k >= n - 1; k--) {
            chunk[d] = cut(shape[d], k);
            double bytes = chunk_bytes(rank, chunk, elem);
            if (k > 1 && padding(shape[d], k) <= least && bytes >= CHUNK_MIN &&
                bytes <= CHUNK_MAX) {
                least = padding(shape[d], k);
                best = chunk[d];
            }
        }
        chunk[d] = best;
    }
}

/* A field that comes last of all is encoded while nothing else is left to do:
 * in a few shares along its slowest axis all cores take part. */
static void share_out(int rank, const int64_t *shape, int64_t *chunk,
                      size_t elem)
{
    int64_t n = (int64_t)(chunk_bytes(rank, shape, elem) / SHARE + 0.5);
    int d = 0;
    memcpy(chunk, shape, (size_t)rank * sizeof *chunk);
    while (d < rank && shape[d] == 1)
        d++;
    if (d < rank && n > 1)
        chunk[d] = cut(shape[d], n < shape[d] ? n : shape[d]);
}

/* Starts from the chunks that the values come in. A leading axis cut into
 * single steps makes reading a series as dear as reading everything, so it
 * gets a few steps a chunk. */
static void choose_chunks(int rank, const int64_t *shape,
                          const int64_t *natural, size_t elem, int64_t *chunk)
{
    int64_t sizes[NCG_MAX_RANK];
    for (int d = 0; d < rank; d++) {
        sizes[d] = shape[d] > 0 ? shape[d] : 1;
        chunk[d] = natural[d] > 0 ? natural[d] : 1;
        chunk[d] = chunk[d] < sizes[d] ? chunk[d] : sizes[d];
    }
    if (chunk_bytes(rank, sizes, elem) <= CHUNK_MAX) {
        share_out(rank, sizes, chunk, elem);
        return;
    }
    shrink(rank, chunk, 0, elem);
    grow(rank, sizes, chunk, elem);
    if (rank > 1 && chunk[0] < STEPS_MIN && chunk[0] < sizes[0]) {
        chunk[0] = sizes[0] < STEPS_MIN ? sizes[0] : STEPS_MIN;
        shrink(rank, chunk, 1, elem);
    }
    even_out(rank, sizes, natural, chunk, elem);
}

/* ---- values and dtypes
 * ------------------------------------------------------- */

/* The dtype that data had before any operation, packing taken out. */
static ncg_dtype unpacked_dtype(const nci_node *node)
{
    while (node->ninputs > 0)
        node = node->inputs[0].node;
    return node->dtype;
}

static ncg_dtype choose_dtype(const nci_variable *var, const char *dtype)
{
    ncg_dtype own = var->array->dtype;
    if (own == NCG_DTYPE_BOOL)
        own = NCG_DTYPE_I8;
    if (var->kind != NCI_KIND_DATA || !dtype || !nci_dtype_is_numeric(own))
        return own;
    if (strcmp(dtype, "in") != 0)
        return ncg_dtype_parse(dtype);
    ncg_dtype before = unpacked_dtype(var->array);
    if (nci_dtype_is_float(own) && nci_dtype_is_numeric(before) &&
        before != NCG_DTYPE_BOOL)
        return before;
    return own;
}

static ncg_status cast_array(nci_node *input, ncg_dtype dtype, nci_node **out,
                             ncg_error *err)
{
    nci_operand operand = {.node = input};
    if (dtype == input->dtype) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    for (int d = 0; d < input->rank; d++)
        operand.axis[d] = d;
    return nci_node_map(NCI_MAP_CAST, dtype, input->rank, input->shape,
                        &operand, 1, out, err);
}

/* A container (grid mapping, mesh) has attributes only; files want a value. */
static ncg_status make_container(ncg_dtype stored, nci_node **out,
                                 ncg_error *err)
{
    nci_buf *buf = NULL;
    ncg_dtype dtype = ncg_dtype_size(stored) ? stored : NCG_DTYPE_I32;
    NCI_TRY(nci_buf_create(8, &buf, err));
    memset(nci_buf_data(buf), 0, 8);
    if (dtype == NCG_DTYPE_STRING) {
        const char *empty = nci_intern("");
        memcpy(nci_buf_data(buf), &empty, sizeof empty);
    }
    ncg_status st = nci_node_const(dtype, 0, NULL, buf, NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

static ncg_status make_array(const nci_variable *var, const char *dtype,
                             nci_node **out, ncg_error *err)
{
    if (!var->array)
        return make_container(var->stored, out, err);
    ncg_dtype to = choose_dtype(var, dtype), from = var->array->dtype;
    ncg_status st;
    if (to == NCG_DTYPE_F64 && from == NCG_DTYPE_F32)
        st = nci_widen(var->array, out, err);
    else if (nci_dtype_is_integer(to) && nci_dtype_is_float(from))
        st = nci_narrow(var->array, to, out, err);
    else
        st = cast_array(var->array, to, out, err);
    return st ? nci_error_wrap(err, "%s", var->name) : NCG_OK;
}

/* ---- fill values
 * -------------------------------------------------------------- */

static bool is_missing(const nci_node *node, const char *value, size_t size)
{
    if (nci_dtype_is_float(node->dtype))
        return isnan(nci_dtype_get(node->dtype, value));
    return node->has_missing && !memcmp(value, node->missing, size);
}

/* Data may always miss values; what describes them only if it does. */
static bool needs_fill(const nci_variable *var, const nci_node *node)
{
    if (!nci_dtype_is_numeric(node->dtype) || var->kind == NCI_KIND_BOUNDS)
        return false;
    if (!nci_dtype_is_float(node->dtype) && !node->has_missing)
        return false;
    if (var->kind == NCI_KIND_DATA)
        return true;
    if (var->kind == NCI_KIND_OTHER && node->rank == 0)
        return false; /* a container: its value means nothing */
    if (node->kind != NCI_NODE_CONST)
        return node->rank > 0;
    nci_box box = nci_box_whole(node->rank, node->shape);
    size_t size = ncg_dtype_size(node->dtype);
    const char *data = nci_buf_data(node->data);
    for (int64_t i = 0, n = nci_box_size(&box); i < n; i++)
        if (is_missing(node, data + (size_t)i * size, size))
            return true;
    return false;
}

/* Whether all values are among those of the file, where its fill value is none
 * of them. */
static bool are_picked(const nci_node *node)
{
    bool picks = node->kind == NCI_NODE_SELECT ||
                 (node->kind == NCI_NODE_MAP && node->map == NCI_MAP_VIEW) ||
                 (node->kind == NCI_NODE_REDUCE &&
                  nci_op_picks_a_value(node->reduce.op));
    return node->kind == NCI_NODE_SOURCE ||
           (picks && are_picked(node->inputs[0].node));
}

/* The file's own fill value is kept where results cannot meet it by chance. */
static void choose_fill(const nci_variable *var, const nci_node *node,
                        uint8_t fill[16])
{
    memset(fill, 0, 16);
    if (!nci_dtype_is_float(node->dtype)) {
        memcpy(fill, node->missing, sizeof node->missing);
        return;
    }
    double own = 0;
    if (var->storage.has_fill && var->stored == node->dtype)
        own = nci_dtype_get(node->dtype, var->storage.fill);
    if (isfinite(own) && (fabs(own) >= 1e15 ||
                          (fabs(own) >= 999 && are_picked(node))))
        memcpy(fill, var->storage.fill, ncg_dtype_size(node->dtype));
    else
        nci_dtype_put(node->dtype, fill, nci_dtype_default_fill(node->dtype));
}

/* ---- variables
 * ------------------------------------------------------------------ */

static bool put_attrs(const nci_variable *var, const nci_storage *storage,
                      ncg_dtype dtype, nci_attrs *attrs)
{
    if (storage->has_fill &&
        !nci_attrs_put(attrs, "_FillValue", dtype, 1, storage->fill))
        return false;
    for (size_t i = 0; i < var->attrs.count; i++) {
        const nci_attr *attr = &var->attrs.items[i];
        if (attr->is_unsupported || !strcmp(attr->name, "_FillValue"))
            continue;
        if (!nci_attrs_put(attrs, attr->name, attr->dtype, attr->count,
                           attr->values))
            return false;
    }
    return true;
}

static void set_storage(const nci_variable *var, const nci_node *node,
                        nci_storage *storage)
{
    size_t size = ncg_dtype_size(node->dtype);
    *storage = (nci_storage){.layout = node->rank ? NCI_LAYOUT_CHUNKED
                                                  : NCI_LAYOUT_CONTIGUOUS,
                             .elem_size = (uint32_t)size,
                             .address = NCI_NO_ADDRESS};
    memcpy(storage->file_shape, node->shape, sizeof node->shape);
    choose_chunks(node->rank, node->shape, var->storage.chunk, size,
                  storage->chunk);
    storage->has_fill = needs_fill(var, node);
    if (storage->has_fill)
        choose_fill(var, node, storage->fill);
}

static ncg_status add_var(const nci_variable *var, const int *dim_of,
                          const nci_node *node, nci_header *header,
                          ncg_error *err)
{
    int dims[NCG_MAX_RANK] = {0};
    for (int a = 0; a < var->rank; a++)
        dims[a] = dim_of[var->dims[a]];
    nci_var *to =
        nci_header_add_var(header, var->name, node->dtype, var->rank, dims);
    if (!to)
        return nci_fail(err, NCG_ENOMEM, "%s: out of memory", var->name);
    set_storage(var, node, &to->storage);
    return put_attrs(var, &to->storage, node->dtype, &to->attrs)
               ? NCG_OK
               : nci_fail(err, NCG_ENOMEM, "%s: out of memory", var->name);
}

/* ---- the whole
 * ------------------------------------------------------------------ */

static ncg_status add_dims(const nci_model *model, nci_header *header,
                           int *dim_of, ncg_error *err)
{
    for (size_t d = 0; d < model->ndims; d++)
        dim_of[d] = -1;
    for (size_t i = 0; i < model->nvars; i++)
        for (int a = 0; a < model->vars[i].rank; a++)
            dim_of[model->vars[i].dims[a]] = 0;
    for (size_t d = 0; d < model->ndims; d++) {
        const nci_dimension *dim = &model->dims[d];
        if (dim_of[d] < 0)
            continue;
        dim_of[d] = (int)header->ndims;
        if (!nci_header_add_dim(header, dim->name, dim->size,
                                dim->is_unlimited))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    return NCG_OK;
}

static bool add_history(const nci_attrs *from, const char *history,
                        nci_attrs *to)
{
    const char *old = nci_attrs_text(from, "history");
    nci_text text = {0};
    if (!history)
        return true;
    nci_text_add(&text, "%s%s%s", history, old && *old ? "\n" : "",
                 old ? old : "");
    char *lines = nci_text_take(&text);
    bool ok = lines && nci_attrs_put_like(to, "history", lines);
    nci_free(lines);
    return ok;
}

static bool add_globals(const nci_model *model, const char *history,
                        nci_attrs *to)
{
    if (!nci_attrs_find(&model->attrs, "Conventions") &&
        !nci_attrs_put_text(to, "Conventions", "CF-1.11"))
        return false;
    for (size_t i = 0; i < model->attrs.count; i++) {
        const nci_attr *attr = &model->attrs.items[i];
        if (!attr->is_unsupported && !nci_attrs_put(to, attr->name, attr->dtype,
                                                    attr->count, attr->values))
            return false;
    }
    return add_history(&model->attrs, history, to);
}

static ncg_status check_dtype(const char *dtype, ncg_error *err)
{
    if (!dtype || !strcmp(dtype, "f4") || !strcmp(dtype, "f8") ||
        !strcmp(dtype, "in"))
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL, "dtype \"%s\": give f4, f8 or in", dtype);
}

static void free_nodes(nci_node **nodes, size_t n)
{
    for (size_t i = 0; nodes && i < n; i++)
        nci_node_release(&nodes[i]);
    nci_free(nodes);
}

ncg_status nci_model_output(const nci_model *model, const char *path,
                            const char *dtype, const char *history,
                            nci_header **header, nci_node ***nodes,
                            ncg_error *err)
{
    NCI_TRY(check_dtype(dtype, err));
    nci_header *fresh = nci_header_create(path);
    nci_node **arrays = nci_calloc(model->nvars + 1, sizeof *arrays);
    int *dim_of = nci_calloc(model->ndims + 1, sizeof *dim_of);
    ncg_status st = NCG_OK;
    if (!fresh || !arrays || !dim_of ||
        !add_globals(model, history, &fresh->attrs))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = add_dims(model, fresh, dim_of, err);
    for (size_t i = 0; !st && i < model->nvars; i++) {
        st = make_array(&model->vars[i], dtype, &arrays[i], err);
        if (!st)
            st = add_var(&model->vars[i], dim_of, arrays[i], fresh, err);
    }
    nci_free(dim_of);
    if (st) {
        nci_header_free(&fresh);
        free_nodes(arrays, model->nvars);
        return st;
    }
    *header = fresh;
    *nodes = arrays;
    return NCG_OK;
}
