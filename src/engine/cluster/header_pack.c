/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers as bytes:
 *
 *     mark of the byte order, format, size, mtime
 *     count of dimensions; of each: name, size, unlimited
 *     count of variables; of each: name, dtype, class, dimensions, attributes,
 *         storage
 *     attributes: count; of each: name, dtype, count, unsupported, values
 *
 * Values of attributes and the fill value are in the order of the host that
 * read them, which the mark tells.
 */
#include "engine/cluster/header_pack.h"

#include <string.h>

#include "base/mem.h"

enum { MAX_ITEMS = 1 << 20 };

static const int64_t mark = 0x0102030405060708;

/* ---- writing ------------------------------------------------------------- */

static void pack_values(nci_pack *pack, const nci_attr *attr)
{
    const char *const *texts = attr->values;
    int64_t count = attr->values ? attr->count : 0;
    bool has_texts = attr->dtype == NCG_DTYPE_STRING && count;
    if (!has_texts)
        nci_pack_bytes(pack, attr->values,
                       (size_t)count * ncg_dtype_size(attr->dtype));
    for (int64_t i = 0; has_texts && i < count; i++)
        nci_pack_text(pack, texts[i]);
}

static void pack_attrs(nci_pack *pack, const nci_attrs *attrs)
{
    nci_pack_i64(pack, (int64_t)attrs->count);
    for (size_t i = 0; i < attrs->count; i++) {
        const nci_attr *attr = &attrs->items[i];
        nci_pack_text(pack, attr->name);
        nci_pack_i64(pack, attr->dtype);
        nci_pack_i64(pack, attr->values ? attr->count : 0);
        nci_pack_i64(pack, attr->is_unsupported);
        pack_values(pack, attr);
    }
}

static void pack_filters(nci_pack *pack, const nci_storage *s)
{
    nci_pack_i64(pack, s->nfilters);
    for (int i = 0; i < s->nfilters; i++) {
        const nci_filter *f = &s->filters[i];
        nci_pack_i64(pack, f->id);
        nci_pack_i64(pack, f->is_optional);
        nci_pack_i64(pack, f->nparams);
        for (int k = 0; k < f->nparams; k++)
            nci_pack_i64(pack, f->params[k]);
    }
}

static void pack_storage(nci_pack *pack, const nci_storage *s, int rank)
{
    nci_pack_i64(pack, s->layout);
    nci_pack_i64s(pack, s->chunk, rank);
    nci_pack_i64s(pack, s->file_shape, rank);
    pack_filters(pack, s);
    nci_pack_i64(pack, s->is_big_endian);
    nci_pack_i64(pack, s->elem_size);
    nci_pack_i64(pack, (int64_t)s->address);
    nci_pack_i64(pack, (int64_t)s->nbytes);
    nci_pack_i64(pack, (int64_t)s->record_size);
    nci_pack_i64(pack, s->index);
    nci_pack_bytes(pack, s->index_params, sizeof s->index_params);
    nci_pack_i64(pack, (int64_t)s->index_chunk_bytes);
    nci_pack_i64(pack, s->index_filter_mask);
    nci_pack_i64(pack, s->edge_unfiltered);
    nci_pack_i64(pack, s->has_fill);
    nci_pack_bytes(pack, s->fill, sizeof s->fill);
}

static void pack_var(nci_pack *pack, const nci_var *var)
{
    nci_pack_text(pack, var->name);
    nci_pack_i64(pack, var->dtype);
    nci_pack_i64(pack, var->klass);
    nci_pack_i64(pack, var->rank);
    for (int d = 0; d < var->rank; d++)
        nci_pack_i64(pack, var->dims[d]);
    pack_attrs(pack, &var->attrs);
    pack_storage(pack, &var->storage, var->rank);
}

void nci_header_pack(nci_pack *pack, const nci_header *header)
{
    nci_pack_bytes(pack, &mark, sizeof mark);
    nci_pack_i64(pack, header->format);
    nci_pack_i64(pack, header->size);
    nci_pack_i64(pack, header->mtime_ns);
    nci_pack_i64(pack, header->by_library);
    nci_pack_i64(pack, (int64_t)header->ndims);
    for (size_t i = 0; i < header->ndims; i++) {
        nci_pack_text(pack, header->dims[i].name);
        nci_pack_i64(pack, header->dims[i].size);
        nci_pack_i64(pack, header->dims[i].is_unlimited);
    }
    nci_pack_i64(pack, (int64_t)header->nvars);
    for (size_t i = 0; i < header->nvars; i++)
        pack_var(pack, &header->vars[i]);
    pack_attrs(pack, &header->attrs);
}

/* ---- reading ------------------------------------------------------------- */

static bool take_bool(nci_unpack *in)
{
    return nci_unpack_i64(in, 0, 1);
}

static uint64_t take_u64(nci_unpack *in)
{
    return (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
}

static void take_i64s(nci_unpack *in, int64_t *out, int n)
{
    int64_t count = 0;
    int64_t *values = nci_unpack_i64s(in, &count);
    if (values && count == n)
        memcpy(out, values, (size_t)n * sizeof *out);
    else
        in->failed = true;
    nci_free(values);
}

/* A text has its own bytes in the input, so that its count is bounded. */
static const char **take_texts(nci_unpack *in, int64_t count)
{
    if ((uint64_t)count > in->size - in->at) {
        in->failed = true;
        return NULL;
    }
    const char **texts = nci_calloc((size_t)count + 1, sizeof *texts);
    for (int64_t i = 0; texts && i < count; i++)
        texts[i] = nci_unpack_text(in);
    in->failed = in->failed || !texts;
    return texts;
}

static void take_attr(nci_unpack *in, nci_attrs *out)
{
    const char *name = nci_unpack_text(in);
    ncg_dtype dtype = (ncg_dtype)nci_unpack_i64(in, 0, NCG_DTYPE_STRING);
    int64_t count = nci_unpack_i64(in, 0, INT32_MAX);
    bool is_unsupported = take_bool(in);
    const char **texts = NULL;
    const void *values = NULL;
    size_t nbytes = 0;
    if (in->failed)
        return;
    if (dtype == NCG_DTYPE_STRING && count) {
        values = texts = take_texts(in, count);
    } else {
        values = nci_unpack_bytes(in, &nbytes);
        if (nbytes != (size_t)count * ncg_dtype_size(dtype))
            in->failed = true;
    }
    if (!in->failed && nci_attrs_put(out, name, dtype, count, values))
        out->items[out->count - 1].is_unsupported = is_unsupported;
    else
        in->failed = true;
    nci_free(texts);
}

static void take_attrs(nci_unpack *in, nci_attrs *out)
{
    int64_t n = nci_unpack_i64(in, 0, MAX_ITEMS);
    for (int64_t i = 0; i < n && !in->failed; i++)
        take_attr(in, out);
}

static void take_filters(nci_unpack *in, nci_storage *s)
{
    s->nfilters = (int)nci_unpack_i64(in, 0, NCI_MAX_FILTERS);
    for (int i = 0; i < s->nfilters; i++) {
        nci_filter *f = &s->filters[i];
        f->id = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
        f->is_optional = take_bool(in);
        f->nparams = (int)nci_unpack_i64(in, 0, NCI_MAX_FILTER_PARAMS);
        for (int k = 0; k < f->nparams; k++)
            f->params[k] = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    }
}

static void take_storage(nci_unpack *in, nci_storage *s, int rank)
{
    s->layout = (nci_layout)nci_unpack_i64(in, 0, NCI_LAYOUT_LIBRARY);
    take_i64s(in, s->chunk, rank);
    take_i64s(in, s->file_shape, rank);
    take_filters(in, s);
    s->is_big_endian = take_bool(in);
    s->elem_size = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    s->address = take_u64(in);
    s->nbytes = take_u64(in);
    s->record_size = take_u64(in);
    s->index = (nci_chunk_index)nci_unpack_i64(in, 0, NCI_INDEX_BTREE2);
    nci_unpack_exactly(in, s->index_params, sizeof s->index_params);
    s->index_chunk_bytes = take_u64(in);
    s->index_filter_mask = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    s->edge_unfiltered = take_bool(in);
    s->has_fill = take_bool(in);
    nci_unpack_exactly(in, s->fill, sizeof s->fill);
}

static void take_var(nci_unpack *in, nci_header *header)
{
    int dims[NCG_MAX_RANK] = {0};
    const char *name = nci_unpack_text(in);
    ncg_dtype dtype = (ncg_dtype)nci_unpack_i64(in, 0, NCG_DTYPE_STRING);
    nci_var_class klass = (nci_var_class)nci_unpack_i64(in, 0, NCI_VAR_OTHER);
    int rank = (int)nci_unpack_i64(in, 0, NCG_MAX_RANK);
    for (int d = 0; d < rank; d++)
        dims[d] = (int)nci_unpack_i64(in, 0, (int64_t)header->ndims - 1);
    if (in->failed)
        return;
    nci_var *var = nci_header_add_var(header, name, dtype, rank, dims);
    if (!var) {
        in->failed = in->starved = true;
        return;
    }
    var->klass = klass;
    take_attrs(in, &var->attrs);
    take_storage(in, &var->storage, rank);
}

static void take_dims(nci_unpack *in, nci_header *header)
{
    int64_t n = nci_unpack_i64(in, 0, MAX_ITEMS);
    for (int64_t i = 0; i < n && !in->failed; i++) {
        const char *name = nci_unpack_text(in);
        int64_t size = nci_unpack_i64(in, 0, INT64_MAX);
        bool is_unlimited = take_bool(in);
        if (!in->failed &&
            !nci_header_add_dim(header, name, size, is_unlimited))
            in->failed = in->starved = true;
    }
}

static void take_header(nci_unpack *in, nci_header *header)
{
    int64_t theirs = 0;
    nci_unpack_exactly(in, &theirs, sizeof theirs);
    if (theirs != mark)
        in->failed = true;
    header->format = (nci_format)nci_unpack_i64(in, 0, NCI_FORMAT_OTHER);
    header->size = nci_unpack_i64(in, 0, INT64_MAX);
    header->mtime_ns = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    header->by_library = take_bool(in);
    take_dims(in, header);
    int64_t n = in->failed ? 0 : nci_unpack_i64(in, 0, MAX_ITEMS);
    for (int64_t i = 0; i < n && !in->failed; i++)
        take_var(in, header);
    take_attrs(in, &header->attrs);
}

ncg_status nci_header_unpack(nci_unpack *in, const char *path,
                             nci_header **out, ncg_error *err)
{
    nci_header *header = nci_header_create(path);
    if (!header)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    take_header(in, header);
    if (!in->failed) {
        *out = header;
        return NCG_OK;
    }
    nci_header_free(&header);
    if (in->starved)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_fail(err, NCG_ENET, "%s: a header that another process sent is "
                                   "damaged",
                    path);
}
