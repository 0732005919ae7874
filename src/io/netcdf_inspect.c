/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers through NetCDF-C, with the same answers as our own readers: groups
 * flattened (a group's dimensions and variables before those of its
 * subgroups), attributes in the order of the file. The caller holds the
 * library's mutex.
 */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/file.h"
#include "io/library.h"
#include "io/library_calls.h"

enum { MAX_GROUP_DEPTH = 64 };

/* Dimension ids of NetCDF-C and their places in the header. */
typedef struct dim_map {
    int *ids;
    size_t count, capacity;
} dim_map;

typedef struct walk {
    nci_header *header;
    dim_map dims;
    ncg_error *err;
} walk;

static ncg_status out_of_memory(walk *w)
{
    return nci_fail(w->err, NCG_ENOMEM, "out of memory");
}

#define TRY_NC(w, call)                                                        \
    do {                                                                       \
        int try_code_ = (call);                                                \
        if (try_code_)                                                         \
            return nci_fail_netcdf((w)->err, try_code_, "NetCDF-C");           \
    } while (0)

static ncg_dtype dtype_of(nc_type type)
{
    static const ncg_dtype dtypes[] = {
        [NC_BYTE] = NCG_DTYPE_I8,    [NC_CHAR] = NCG_DTYPE_CHAR,
        [NC_SHORT] = NCG_DTYPE_I16,  [NC_INT] = NCG_DTYPE_I32,
        [NC_FLOAT] = NCG_DTYPE_F32,  [NC_DOUBLE] = NCG_DTYPE_F64,
        [NC_UBYTE] = NCG_DTYPE_U8,   [NC_USHORT] = NCG_DTYPE_U16,
        [NC_UINT] = NCG_DTYPE_U32,   [NC_INT64] = NCG_DTYPE_I64,
        [NC_UINT64] = NCG_DTYPE_U64, [NC_STRING] = NCG_DTYPE_STRING};
    return type > 0 && type <= NC_STRING ? dtypes[type] : NCG_DTYPE_NONE;
}

/* ---- attributes -------------------------------------------------------- */

static ncg_status put_strings(walk *w, int ncid, int varid, const char *name,
                              size_t count, nci_attrs *attrs)
{
    ncg_status st = NCG_OK;
    char **values = nci_calloc(count, sizeof *values);
    if (!values)
        return out_of_memory(w);
    int code = nc_get_att_string(ncid, varid, name, values);
    if (code) {
        st = nci_fail_netcdf(w->err, code, "attribute %s", name);
        goto done;
    }
    const char **interned = (const char **)values;
    for (size_t i = 0; i < count && !st; i++) {
        char *own = values[i];
        interned[i] = nci_intern(own ? own : "");
        if (!interned[i])
            st = out_of_memory(w);
        if (own)
            nc_free_string(1, &own);
    }
    if (!st &&
        !nci_attrs_put(attrs, name, NCG_DTYPE_STRING, (int64_t)count, values))
        st = out_of_memory(w);
done:
    nci_free(values);
    return st;
}

static ncg_status put_values(walk *w, int ncid, int varid, const char *name,
                             ncg_dtype dtype, size_t count, nci_attrs *attrs)
{
    ncg_status st = NCG_OK;
    void *values = nci_calloc(count + 1, ncg_dtype_size(dtype));
    if (!values)
        return out_of_memory(w);
    int code = nc_get_att(ncid, varid, name, values);
    if (code)
        st = nci_fail_netcdf(w->err, code, "attribute %s", name);
    else if (!nci_attrs_put(attrs, name, dtype, (int64_t)count, values))
        st = out_of_memory(w);
    nci_free(values);
    return st;
}

static ncg_status put_attr(walk *w, int ncid, int varid, const char *name,
                           nci_attrs *attrs)
{
    nc_type type;
    size_t count;
    TRY_NC(w, nc_inq_att(ncid, varid, name, &type, &count));
    ncg_dtype dtype = dtype_of(type);
    if (dtype == NCG_DTYPE_STRING)
        return put_strings(w, ncid, varid, name, count, attrs);
    if (dtype != NCG_DTYPE_NONE)
        return put_values(w, ncid, varid, name, dtype, count, attrs);
    if (!nci_attrs_put(attrs, name, NCG_DTYPE_NONE, 0, NULL))
        return out_of_memory(w);
    attrs->items[attrs->count - 1].is_unsupported = true;
    return NCG_OK;
}

static ncg_status put_attrs(walk *w, int ncid, int varid, nci_attrs *attrs)
{
    int count;
    char name[NC_MAX_NAME + 1];
    TRY_NC(w, nc_inq_varnatts(ncid, varid, &count));
    for (int i = 0; i < count; i++) {
        TRY_NC(w, nc_inq_attname(ncid, varid, i, name));
        NCI_TRY(put_attr(w, ncid, varid, name, attrs));
    }
    return NCG_OK;
}

/* ---- dimensions -------------------------------------------------------- */

static char *join(const char *prefix, const char *name)
{
    nci_text text = {0};
    nci_text_add(&text, *prefix ? "%s/%s" : "%s%s", prefix, name);
    return nci_text_take(&text);
}

static bool is_among(int id, const int *ids, int count)
{
    for (int i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static ncg_status put_dim(walk *w, int ncid, int id, const char *prefix,
                          bool is_unlimited)
{
    char name[NC_MAX_NAME + 1];
    size_t size;
    TRY_NC(w, nc_inq_dim(ncid, id, name, &size));
    char *full = join(prefix, name);
    bool ok =
        full &&
        nci_header_add_dim(w->header, full, (int64_t)size, is_unlimited) &&
        nci_grow(&w->dims.ids, &w->dims.capacity, w->dims.count + 1,
                 sizeof *w->dims.ids);
    nci_free(full);
    if (!ok)
        return out_of_memory(w);
    w->dims.ids[w->dims.count++] = id;
    return NCG_OK;
}

static ncg_status put_dims(walk *w, int ncid, const char *prefix)
{
    int count, nunlimited = 0;
    TRY_NC(w, nc_inq_dimids(ncid, &count, NULL, 0));
    if (count == 0)
        return NCG_OK;
    int *ids = nci_calloc(2 * (size_t)count + NC_MAX_VAR_DIMS, sizeof *ids);
    if (!ids)
        return out_of_memory(w);
    int *unlimited = ids + count;
    ncg_status st = NCG_OK;
    int code = nc_inq_dimids(ncid, &count, ids, 0);
    if (!code)
        code = nc_inq_unlimdims(ncid, &nunlimited, NULL);
    if (!code && nunlimited <= count + NC_MAX_VAR_DIMS)
        code = nc_inq_unlimdims(ncid, &nunlimited, unlimited);
    if (code)
        st = nci_fail_netcdf(w->err, code, "dimensions");
    for (int i = 0; i < count && !st; i++)
        st = put_dim(w, ncid, ids[i], prefix,
                     is_among(ids[i], unlimited, nunlimited));
    nci_free(ids);
    return st;
}

static int find_dim(const walk *w, int id)
{
    for (size_t i = 0; i < w->dims.count; i++)
        if (w->dims.ids[i] == id)
            return (int)i;
    return -1;
}

/* ---- variables --------------------------------------------------------- */

static ncg_status put_type(walk *w, int ncid, nc_type type, nci_var *var)
{
    size_t size;
    nc_type base;
    int klass;
    var->dtype = dtype_of(type);
    var->storage.elem_size = (uint32_t)ncg_dtype_size(var->dtype);
    if (var->dtype != NCG_DTYPE_NONE)
        return NCG_OK;
    TRY_NC(w, nc_inq_user_type(ncid, type, NULL, &size, &base, NULL, &klass));
    var->storage.elem_size = (uint32_t)size;
    var->klass = klass == NC_ENUM       ? NCI_VAR_ENUM
                 : klass == NC_COMPOUND ? NCI_VAR_COMPOUND
                 : klass == NC_OPAQUE   ? NCI_VAR_OPAQUE
                 : klass == NC_VLEN     ? NCI_VAR_VLEN
                                        : NCI_VAR_OTHER;
    if (klass == NC_ENUM)
        var->dtype = dtype_of(base);
    return NCG_OK;
}

static void put_filter(nci_storage *storage, uint32_t id, size_t nparams,
                       const unsigned *params)
{
    if (storage->nfilters == NCI_MAX_FILTERS)
        return;
    nci_filter *filter = &storage->filters[storage->nfilters++];
    *filter = (nci_filter){.id = id};
    for (size_t i = 0; i < nparams && i < NCI_MAX_FILTER_PARAMS; i++)
        filter->params[filter->nparams++] = params[i];
}

/* For listings only: NetCDF-C undoes them itself. */
static void put_filters(int ncid, int varid, nci_storage *storage)
{
    int shuffle = 0, checksum = 0;
    size_t count = 0, nparams;
    unsigned ids[NCI_MAX_FILTERS], params[64];
    nc_inq_var_deflate(ncid, varid, &shuffle, NULL, NULL);
    if (shuffle)
        put_filter(storage, NCI_FILTER_SHUFFLE, 1, &storage->elem_size);
    if (!nc_inq_var_filter_ids(ncid, varid, &count, NULL) &&
        count <= NCI_MAX_FILTERS &&
        !nc_inq_var_filter_ids(ncid, varid, &count, ids))
        for (size_t i = 0; i < count; i++)
            if (!nc_inq_var_filter_info(ncid, varid, ids[i], &nparams, NULL) &&
                nparams <= 64 &&
                !nc_inq_var_filter_info(ncid, varid, ids[i], &nparams, params))
                put_filter(storage, ids[i], nparams, params);
    nc_inq_var_fletcher32(ncid, varid, &checksum);
    if (checksum)
        put_filter(storage, NCI_FILTER_FLETCHER32, 0, NULL);
}

static void put_storage(int ncid, int varid, nci_header *header, nci_var *var)
{
    nci_storage *storage = &var->storage;
    size_t chunk[NC_MAX_VAR_DIMS];
    int kind = NC_CONTIGUOUS, no_fill = 1, endian = NC_ENDIAN_NATIVE;
    storage->layout = NCI_LAYOUT_LIBRARY;
    nci_var_shape(header, var, storage->file_shape);
    if (var->rank > 0 && header->format == NCI_FORMAT_HDF5 &&
        !nc_inq_var_chunking(ncid, varid, &kind, chunk) && kind == NC_CHUNKED)
        for (int d = 0; d < var->rank; d++)
            storage->chunk[d] = chunk[d] > 0 ? (int64_t)chunk[d] : 1;
    if (header->format == NCI_FORMAT_HDF5) {
        put_filters(ncid, varid, storage);
        nc_inq_var_endian(ncid, varid, &endian);
    }
    storage->is_big_endian = endian == NC_ENDIAN_BIG;
    if (var->dtype != NCG_DTYPE_NONE && var->dtype != NCG_DTYPE_STRING &&
        (var->klass == NCI_VAR_PLAIN || var->klass == NCI_VAR_ENUM) &&
        !nc_inq_var_fill(ncid, varid, &no_fill, storage->fill))
        storage->has_fill = !no_fill;
}

static ncg_status put_var(walk *w, int ncid, int id, const char *prefix)
{
    char name[NC_MAX_NAME + 1];
    int rank, ids[NC_MAX_VAR_DIMS], dims[NCG_MAX_RANK];
    nc_type type;
    TRY_NC(w, nc_inq_var(ncid, id, name, &type, &rank, ids, NULL));
    if (rank > NCG_MAX_RANK)
        return nci_fail(w->err, NCG_EUNSUPPORTED,
                        "%s: %d dimensions, at most %d are possible", name,
                        rank, NCG_MAX_RANK);
    for (int d = 0; d < rank; d++)
        if ((dims[d] = find_dim(w, ids[d])) < 0)
            return nci_fail(w->err, NCG_EUNSUPPORTED,
                            "%s: dimension of another group", name);
    char *full = join(prefix, name);
    nci_var *var =
        full ? nci_header_add_var(w->header, full, NCG_DTYPE_NONE, rank, dims)
             : NULL;
    nci_free(full);
    if (!var)
        return out_of_memory(w);
    NCI_TRY(put_type(w, ncid, type, var));
    put_storage(ncid, id, w->header, var);
    return put_attrs(w, ncid, id, &var->attrs);
}

static ncg_status put_vars(walk *w, int ncid, const char *prefix)
{
    int count;
    TRY_NC(w, nc_inq_varids(ncid, &count, NULL));
    int *ids = nci_calloc((size_t)count, sizeof *ids);
    if (!ids)
        return out_of_memory(w);
    ncg_status st = NCG_OK;
    int code = nc_inq_varids(ncid, &count, ids);
    if (code)
        st = nci_fail_netcdf(w->err, code, "variables");
    for (int i = 0; i < count && !st; i++)
        st = put_var(w, ncid, ids[i], prefix);
    nci_free(ids);
    return st;
}

/* ---- groups ------------------------------------------------------------ */

static ncg_status put_group(walk *w, int ncid, const char *prefix, int depth);

static ncg_status put_child(walk *w, int ncid, const char *prefix, int depth)
{
    char name[NC_MAX_NAME + 1];
    nci_text text = {0};
    TRY_NC(w, nc_inq_grpname(ncid, name));
    nci_text_add(&text, "%s/%s", prefix, name);
    char *full = nci_text_take(&text);
    if (!full)
        return out_of_memory(w);
    ncg_status st = put_group(w, ncid, full, depth + 1);
    nci_free(full);
    return st;
}

static ncg_status put_group(walk *w, int ncid, const char *prefix, int depth)
{
    int count;
    if (depth > MAX_GROUP_DEPTH)
        return nci_fail(w->err, NCG_EUNSUPPORTED,
                        "groups are nested deeper than %d", MAX_GROUP_DEPTH);
    NCI_TRY(put_dims(w, ncid, prefix));
    NCI_TRY(put_vars(w, ncid, prefix));
    TRY_NC(w, nc_inq_grps(ncid, &count, NULL));
    int *ids = nci_calloc((size_t)count, sizeof *ids);
    if (!ids)
        return out_of_memory(w);
    ncg_status st = NCG_OK;
    int code = nc_inq_grps(ncid, &count, ids);
    if (code)
        st = nci_fail_netcdf(w->err, code, "groups");
    for (int i = 0; i < count && !st; i++)
        st = put_child(w, ids[i], prefix, depth);
    nci_free(ids);
    return st;
}

static nci_format format_of(int ncid)
{
    int kind = 0, mode;
    if (nc_inq_format_extended(ncid, &kind, &mode))
        return NCI_FORMAT_OTHER;
    if (kind == NC_FORMATX_NC_HDF5)
        return NCI_FORMAT_HDF5;
    if (kind != NC_FORMATX_NC3 || nc_inq_format(ncid, &kind))
        return NCI_FORMAT_OTHER;
    return kind == NC_FORMAT_CLASSIC        ? NCI_FORMAT_CDF1
           : kind == NC_FORMAT_64BIT_OFFSET ? NCI_FORMAT_CDF2
           : kind == NC_FORMAT_64BIT_DATA   ? NCI_FORMAT_CDF5
                                            : NCI_FORMAT_OTHER;
}

ncg_status nci_netcdf_inspect(int ncid, nci_header *header, ncg_error *err)
{
    walk w = {.header = header, .err = err};
    int count;
    char name[NC_MAX_NAME + 1];
    header->by_library = true;
    header->format = format_of(ncid);
    ncg_status st = put_group(&w, ncid, "", 0);
    int code = st ? 0 : nc_inq_natts(ncid, &count);
    for (int i = 0; !st && !code && i < count; i++) {
        code = nc_inq_attname(ncid, NC_GLOBAL, i, name);
        if (!code)
            st = put_attr(&w, ncid, NC_GLOBAL, name, &header->attrs);
    }
    if (code)
        st = nci_fail_netcdf(err, code, "attributes");
    nci_free(w.dims.ids);
    return st;
}
