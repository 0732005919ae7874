/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes of an output file. What a format cannot hold is written in the
 * nearest form that it can: strings as text, wide integers as int or double.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/library_calls.h"
#include "io/write/define.h"

/* Names that NetCDF-C keeps for itself in HDF5 files; _FillValue is set with
 * the variable. */
static const char *const reserved[] = {
    "_NCProperties",
    "_Netcdf4Coordinates",
    "_Netcdf4Dimid",
    "_nc3_strict",
    "_Format",
    "_IsNetcdf4",
    "_SuperblockVersion",
    "_NCCOPY",
    "_Codecs",
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
};

static bool is_left_out(const nci_write_definition *def, const nci_attr *attr,
                        int varid)
{
    if (attr->is_unsupported || (attr->count && !attr->values))
        return true;
    if (varid != NC_GLOBAL && !strcmp(attr->name, "_FillValue"))
        return true;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (def->format->is_hdf5 && !strcmp(attr->name, reserved[i]))
            return true;
    return false;
}

/* Several strings become one text, parted by blanks as CF lists are. */
static int put_joined(const nci_attr *attr, int group, int varid)
{
    const char *const *items = attr->values;
    nci_text text = {0};
    for (int64_t i = 0; i < attr->count; i++)
        nci_text_add(&text, "%s%s", i ? " " : "", items[i] ? items[i] : "");
    char *joined = nci_text_take(&text);
    if (!joined)
        return NC_ENOMEM;
    int code =
        nc_put_att_text(group, varid, attr->name, strlen(joined), joined);
    nci_free(joined);
    return code;
}

static bool fits_int(const nci_attr *attr)
{
    size_t size = ncg_dtype_size(attr->dtype);
    for (int64_t i = 0; i < attr->count; i++) {
        const char *value = (const char *)attr->values + (size_t)i * size;
        double x = nci_dtype_get(attr->dtype, value);
        if (x < -2147483648.0 || x > 2147483647.0)
            return false;
    }
    return true;
}

static int put_narrowed(const nci_attr *attr, int group, int varid)
{
    ncg_dtype dtype = fits_int(attr) ? NCG_DTYPE_I32 : NCG_DTYPE_F64;
    size_t from = ncg_dtype_size(attr->dtype), to = ncg_dtype_size(dtype);
    char *values = nci_calloc((size_t)attr->count + 1, to);
    if (!values)
        return NC_ENOMEM;
    for (int64_t i = 0; i < attr->count; i++)
        nci_dtype_put(dtype, values + (size_t)i * to,
                      nci_dtype_get(attr->dtype, (const char *)attr->values +
                                                     (size_t)i * from));
    int code = nc_put_att(group, varid, attr->name, nci_nc_type(dtype),
                          (size_t)attr->count, values);
    nci_free(values);
    return code;
}

static int put_attr(const nci_write_definition *def, const nci_attr *attr,
                    int group, int varid)
{
    const nci_write_format *format = def->format;
    size_t count = (size_t)attr->count;
    switch (attr->dtype) {
    case NCG_DTYPE_NONE:
        return NC_NOERR;
    case NCG_DTYPE_CHAR:
        return nc_put_att_text(group, varid, attr->name, count, attr->values);
    case NCG_DTYPE_STRING:
        if (!format->has_groups)
            return put_joined(attr, group, varid);
        return nc_put_att_string(group, varid, attr->name, count, attr->values);
    case NCG_DTYPE_U8:
    case NCG_DTYPE_U16:
    case NCG_DTYPE_U32:
    case NCG_DTYPE_I64:
    case NCG_DTYPE_U64:
        if (!format->has_integers)
            return put_narrowed(attr, group, varid);
        break;
    default:
        break;
    }
    return nc_put_att(group, varid, attr->name, nci_nc_type(attr->dtype), count,
                      attr->values);
}

ncg_status nci_define_attrs(const nci_write_definition *def,
                            const nci_attrs *attrs, int group, int varid,
                            const char *owner, ncg_error *err)
{
    for (size_t i = 0; i < attrs->count; i++) {
        const nci_attr *attr = &attrs->items[i];
        if (is_left_out(def, attr, varid))
            continue;
        int code = put_attr(def, attr, group, varid);
        if (code) {
            char what[400];
            snprintf(what, sizeof what, "attribute %.150s of %.150s",
                     attr->name, owner);
            return nci_fail_write(err, code, def->path, what);
        }
    }
    return NCG_OK;
}
