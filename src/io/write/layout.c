/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/layout.h"

#include <netcdf.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"

/* Below this a variable of fixed dimensions is stored in one piece: the index
 * of its chunks would cost more than deflate saves. */
enum { SMALL_VARIABLE = 8192 };

static const nci_write_format formats[] = {
    {"nc4", NC_NETCDF4, true, true, true},
    {"nc4c", NC_NETCDF4 | NC_CLASSIC_MODEL, true, false, false},
    {"nc3", 0, false, false, false},
    {"nc64", NC_64BIT_OFFSET, false, false, false},
    {"nc5", NC_64BIT_DATA, false, false, true},
};
enum { NFORMATS = sizeof formats / sizeof formats[0] };

ncg_status nci_write_format_find(const char *name, const nci_write_format **out,
                                 ncg_error *err)
{
    for (int i = 0; i < NFORMATS; i++)
        if (!name || !strcmp(name, formats[i].name)) {
            *out = &formats[i];
            return NCG_OK;
        }
    return nci_fail(err, NCG_EINVAL,
                    "output format '%s' is not known; the formats are nc4, "
                    "nc4c, nc3, nc64, nc5",
                    name);
}

bool nci_write_dim_is_unlimited(const nci_dim *dim)
{
    return dim->is_unlimited || dim->size == 0;
}

/* ---- what a format cannot hold ----------------------------------------- */

static bool holds_dtype(const nci_write_format *format, ncg_dtype dtype)
{
    switch (dtype) {
    case NCG_DTYPE_I8:
    case NCG_DTYPE_I16:
    case NCG_DTYPE_I32:
    case NCG_DTYPE_F32:
    case NCG_DTYPE_F64:
    case NCG_DTYPE_BOOL:
    case NCG_DTYPE_CHAR:
        return true;
    case NCG_DTYPE_U8:
    case NCG_DTYPE_U16:
    case NCG_DTYPE_U32:
    case NCG_DTYPE_I64:
    case NCG_DTYPE_U64:
        return format->has_integers;
    case NCG_DTYPE_STRING:
        return format->has_groups;
    case NCG_DTYPE_NONE:
        break;
    }
    return false;
}

static ncg_status check_dim(const nci_header *header, size_t dim,
                            const nci_write_format *format, ncg_error *err)
{
    const char *name = header->dims[dim].name;
    if (header->dims[dim].size < 0)
        return nci_fail(err, NCG_EBUG, "dimension %s has a negative size",
                        name);
    if (format->has_groups)
        return NCG_OK;
    if (strchr(name, '/'))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "dimension %s is in a group, which format %s does not "
                        "have; use nc4",
                        name, format->name);
    if (!nci_write_dim_is_unlimited(&header->dims[dim]))
        return NCG_OK;
    for (size_t i = 0; i < dim; i++)
        if (nci_write_dim_is_unlimited(&header->dims[i]))
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "dimensions %s and %s are both unlimited (or of "
                            "size 0); format %s allows one: use nc4",
                            header->dims[i].name, name, format->name);
    return NCG_OK;
}

static ncg_status check_var(const nci_header *header, size_t index,
                            const nci_write_format *format, ncg_error *err)
{
    const nci_var *var = &header->vars[index];
    if (var->dtype == NCG_DTYPE_NONE)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "variable %s has a user-defined type, which cannot be "
                        "written; leave it out",
                        var->name);
    if (strchr(var->name, '/') && !format->has_groups)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "variable %s is in a group, which format %s does not "
                        "have; use nc4",
                        var->name, format->name);
    if (!holds_dtype(format, var->dtype))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "variable %s has dtype %s, which format %s does not "
                        "have; use %s",
                        var->name, ncg_dtype_name(var->dtype), format->name,
                        var->dtype == NCG_DTYPE_STRING ? "nc4" : "nc4 or nc5");
    for (int d = 1; d < var->rank && !format->has_groups; d++)
        if (nci_write_dim_is_unlimited(&header->dims[var->dims[d]]))
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "variable %s: unlimited dimension %s must come "
                            "first in format %s; use nc4",
                            var->name, header->dims[var->dims[d]].name,
                            format->name);
    return NCG_OK;
}

ncg_status nci_write_check(const nci_header *header,
                           const nci_write_format *format, ncg_error *err)
{
    for (size_t i = 0; i < header->ndims; i++)
        NCI_TRY(check_dim(header, i, format, err));
    for (size_t i = 0; i < header->nvars; i++) {
        const nci_var *var = &header->vars[i];
        for (int d = 0; d < var->rank; d++)
            if (var->dims[d] < 0 || (size_t)var->dims[d] >= header->ndims)
                return nci_fail(err, NCG_EBUG,
                                "variable %s: dimension %d is not defined",
                                var->name, d);
        NCI_TRY(check_var(header, i, format, err));
    }
    return NCG_OK;
}

/* ---- fill values ------------------------------------------------------- */

static void default_fill(ncg_dtype dtype, uint8_t fill[16])
{
    memset(fill, 0, 16);
    /* The two that a double cannot hold. */
    if (dtype == NCG_DTYPE_I64)
        memcpy(fill, &(int64_t){NC_FILL_INT64}, 8);
    else if (dtype == NCG_DTYPE_U64)
        memcpy(fill, &(uint64_t){NC_FILL_UINT64}, 8);
    else if (dtype == NCG_DTYPE_BOOL)
        nci_dtype_put(NCG_DTYPE_I8, fill, NC_FILL_BYTE);
    else if (dtype != NCG_DTYPE_STRING)
        nci_dtype_put(dtype, fill, nci_dtype_default_fill(dtype));
}

/* The attribute _FillValue as a value of the variable's dtype. */
static bool stated_fill(const nci_var *var, uint8_t fill[16])
{
    const nci_attr *attr = nci_attrs_find(&var->attrs, "_FillValue");
    if (!attr || attr->count < 1 || !attr->values || attr->is_unsupported)
        return false;
    if (attr->dtype == var->dtype) {
        memcpy(fill, attr->values, ncg_dtype_size(var->dtype));
        return true;
    }
    if (!nci_dtype_is_numeric(attr->dtype) || !nci_dtype_is_numeric(var->dtype))
        return false;
    if (nci_dtype_is_float(attr->dtype))
        nci_dtype_put(var->dtype, fill,
                      nci_dtype_get(attr->dtype, attr->values));
    else
        nci_dtype_put_i64(var->dtype, fill,
                          nci_dtype_get_i64(attr->dtype, attr->values));
    return true;
}

static void plan_fill(const nci_var *var, nci_write_var *out)
{
    default_fill(var->dtype, out->fill);
    if (stated_fill(var, out->fill)) {
        out->has_fill = true;
    } else if (var->storage.has_fill && var->dtype != NCG_DTYPE_STRING &&
               memcmp(var->storage.fill, out->fill, out->elem)) {
        memcpy(out->fill, var->storage.fill, out->elem);
        out->has_fill = true;
    }
}

/* ---- chunks ------------------------------------------------------------ */

static ncg_status plan_grid(const nci_header *header, const nci_var *var,
                            nci_write_var *out, ncg_error *err)
{
    size_t nbytes;
    out->chunk_values = out->total = 1;
    nci_var_shape(header, var, out->shape);
    for (int d = 0; d < var->rank; d++) {
        const nci_dim *dim = &header->dims[var->dims[d]];
        int64_t chunk = var->storage.chunk[d], size = dim->size;
        bool is_open = nci_write_dim_is_unlimited(dim);
        out->is_unlimited |= is_open;
        chunk = chunk < 1 ? 1 : chunk;
        chunk = chunk > size && !is_open ? size : chunk;
        out->chunk[d] = chunk;
        out->nchunks[d] = size / chunk + (size % chunk != 0);
        if (!nci_mul_i64(out->chunk_values, chunk, &out->chunk_values) ||
            !nci_mul_i64(out->total, out->nchunks[d], &out->total))
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "variable %s is too large to be written",
                            var->name);
    }
    if (!nci_mul_size((size_t)out->chunk_values, out->elem, &nbytes))
        nbytes = SIZE_MAX;
    if (nbytes > UINT32_MAX && out->is_chunked)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "variable %s: a chunk of %zu bytes; HDF5 allows less "
                        "than 4 GiB, ask for smaller chunks",
                        var->name, nbytes);
    return NCG_OK;
}

static bool is_small(const nci_header *header, const nci_var *var)
{
    int64_t nbytes = (int64_t)ncg_dtype_size(var->dtype);
    for (int d = 0; d < var->rank; d++) {
        const nci_dim *dim = &header->dims[var->dims[d]];
        if (nci_write_dim_is_unlimited(dim) ||
            !nci_mul_i64(nbytes, dim->size, &nbytes))
            return false;
    }
    return nbytes <= SMALL_VARIABLE;
}

static bool is_split(const nci_header *header, const nci_var *var)
{
    for (int d = 0; d < var->rank; d++) {
        const nci_dim *dim = &header->dims[var->dims[d]];
        if (nci_write_dim_is_unlimited(dim) ||
            var->storage.chunk[d] < dim->size)
            return true;
    }
    return false;
}

ncg_status nci_write_var_init(const nci_header *header, int index,
                              const nci_write_format *format, int deflate,
                              nci_write_var *out, ncg_error *err)
{
    const nci_var *var = &header->vars[index];
    nci_write_var plan = {.name = var->name,
                          .dtype = var->dtype,
                          .elem = ncg_dtype_size(var->dtype),
                          .rank = var->rank,
                          .dataset = -1};
    /* Strings lie in HDF5's heap: deflate would pack their addresses. */
    plan.is_chunked =
        format->is_hdf5 && var->rank > 0 && var->dtype != NCG_DTYPE_STRING &&
        !is_small(header, var) && (deflate > 0 || is_split(header, var));
    plan.is_deflated = plan.is_chunked && deflate > 0;
    plan.is_shuffled = plan.is_deflated && plan.elem > 1;
    NCI_TRY(plan_grid(header, var, &plan, err));
    plan_fill(var, &plan);
    *out = plan;
    return NCG_OK;
}
