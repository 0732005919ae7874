/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/define.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/library_calls.h"

int nci_nc_type(ncg_dtype dtype)
{
    switch (dtype) {
    case NCG_DTYPE_I8:
    case NCG_DTYPE_BOOL:
        return NC_BYTE;
    case NCG_DTYPE_U8:
        return NC_UBYTE;
    case NCG_DTYPE_I16:
        return NC_SHORT;
    case NCG_DTYPE_U16:
        return NC_USHORT;
    case NCG_DTYPE_I32:
        return NC_INT;
    case NCG_DTYPE_U32:
        return NC_UINT;
    case NCG_DTYPE_I64:
        return NC_INT64;
    case NCG_DTYPE_U64:
        return NC_UINT64;
    case NCG_DTYPE_F32:
        return NC_FLOAT;
    case NCG_DTYPE_F64:
        return NC_DOUBLE;
    case NCG_DTYPE_CHAR:
        return NC_CHAR;
    case NCG_DTYPE_STRING:
        return NC_STRING;
    case NCG_DTYPE_NONE:
        break;
    }
    return NC_NAT;
}

/* ---- errors ------------------------------------------------------------ */

/* HDF5 keeps the errno of a failed write only as text on its stack. */
static herr_t find_errno(unsigned level, const H5E_error2_t *entry,
                         void *payload)
{
    (void)level;
    const char *at = entry->desc ? strstr(entry->desc, "errno = ") : NULL;
    if (at)
        *(int *)payload = atoi(at + strlen("errno = "));
    return 0;
}

static ncg_status write_status(int code)
{
    switch (code) {
    case NC_ENOMEM:
        return NCG_ENOMEM;
    case NC_EVARSIZE:
    case NC_EDIMSIZE:
    case NC_ESTRICTNC3:
    case NC_EBADTYPE:
    case NC_EBADNAME:
    case NC_EUNLIMIT:
    case NC_EMAXNAME:
        return NCG_EUNSUPPORTED;
    case NC_ENAMEINUSE:
        return NCG_EBUG;
    default:
        return NCG_EOUTPUT;
    }
}

ncg_status nci_fail_write(ncg_error *err, int code, const char *path,
                          const char *what)
{
    int sys = code > 0 ? code : 0;
    if (code == NC_EHDFERR || code == NC_EIO)
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_errno, &sys);
    const char *hint = "";
    if (code == NC_EVARSIZE || code == NC_EDIMSIZE)
        hint = "; use format nc4 or nc5";
    return nci_fail_sys(err, write_status(code), sys ? sys : code,
                        "cannot write %s: %s: %s%s", path, what,
                        sys ? strerror(sys) : nc_strerror(code), hint);
}

static ncg_status fail_named(const nci_write_definition *def, int code,
                             const char *kind, const char *name, ncg_error *err)
{
    char what[300];
    snprintf(what, sizeof what, "%s %.200s", kind, name);
    return nci_fail_write(err, code, def->path, what);
}

/* ---- groups ------------------------------------------------------------ */

/* Splits "/a/b/T" into the group's id, made where it is not there yet, and
 * "T"; a plain name belongs to the root group. */
static ncg_status enter_group(const nci_write_definition *def, const char *path,
                              int *group, const char **name, ncg_error *err)
{
    const char *from = path;
    *group = def->ncid;
    while (*from == '/')
        from++;
    for (const char *to; (to = strchr(from, '/')); from = to + 1) {
        char part[NC_MAX_NAME + 1];
        int parent = *group;
        if (to - from > NC_MAX_NAME || to == from)
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "the name of group '%.200s' cannot be written",
                            path);
        snprintf(part, sizeof part, "%.*s", (int)(to - from), from);
        int code = nc_inq_grp_ncid(parent, part, group);
        if (code == NC_ENOGRP)
            code = nc_def_grp(parent, part, group);
        if (code)
            return fail_named(def, code, "group", part, err);
    }
    *name = from;
    return NCG_OK;
}

/* ---- dimensions and variables ------------------------------------------ */

static ncg_status define_dim(const nci_write_definition *def, size_t index,
                             int *id, ncg_error *err)
{
    const nci_dim *dim = &def->header->dims[index];
    const char *name;
    int group;
    NCI_TRY(enter_group(def, dim->name, &group, &name, err));
    int code = nc_def_dim(
        group, name,
        nci_write_dim_is_unlimited(dim) ? NC_UNLIMITED : (size_t)dim->size, id);
    return code ? fail_named(def, code, "dimension", dim->name, err) : NCG_OK;
}

static int define_storage(const nci_write_definition *def,
                          const nci_write_var *var)
{
    size_t chunk[NCG_MAX_RANK];
    bool is_chunked = var->is_chunked || var->is_unlimited;
    if (!def->format->is_hdf5 || !var->rank)
        return NC_NOERR;
    for (int d = 0; d < var->rank; d++)
        chunk[d] = (size_t)var->chunk[d];
    int code = nc_def_var_chunking(var->group, var->id,
                                   is_chunked ? NC_CHUNKED : NC_CONTIGUOUS,
                                   is_chunked ? chunk : NULL);
    if (!code && var->is_deflated)
        code = nc_def_var_deflate(var->group, var->id, var->is_shuffled, 1,
                                  def->deflate);
    return code;
}

static int define_fill(const nci_write_var *var)
{
    if (!var->has_fill)
        return NC_NOERR;
    return nc_def_var_fill(var->group, var->id, NC_FILL, var->fill);
}

static ncg_status define_var(const nci_write_definition *def, size_t index,
                             const int *dimids, ncg_error *err)
{
    const nci_var *var = &def->header->vars[index];
    nci_write_var *out = &def->vars[index];
    int ids[NCG_MAX_RANK];
    const char *name;
    NCI_TRY(enter_group(def, var->name, &out->group, &name, err));
    for (int d = 0; d < var->rank; d++)
        ids[d] = dimids[var->dims[d]];
    int code = nc_def_var(out->group, name, nci_nc_type(var->dtype), var->rank,
                          ids, &out->id);
    if (!code)
        code = define_storage(def, out);
    if (!code)
        code = define_fill(out);
    if (code)
        return fail_named(def, code, "variable", var->name, err);
    return nci_define_attrs(def, &var->attrs, out->group, out->id, var->name,
                            err);
}

/* Every value will be written, so nothing need be filled first. In NetCDF-4
 * this would also drop the fill value; there chunks are not filled anyway. */
static int begin(const nci_write_definition *def)
{
    int old;
    return def->format->is_hdf5 ? NC_NOERR
                                : nc_set_fill(def->ncid, NC_NOFILL, &old);
}

ncg_status nci_define_file(const nci_write_definition *def, ncg_error *err)
{
    const nci_header *header = def->header;
    int *dimids = nci_calloc(header->ndims + 1, sizeof *dimids);
    ncg_status st = NCG_OK;
    int code = begin(def);
    if (!dimids)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (code)
        st = nci_fail_write(err, code, def->path, "definition");
    for (size_t i = 0; !st && i < header->ndims; i++)
        st = define_dim(def, i, &dimids[i], err);
    for (size_t i = 0; !st && i < header->nvars; i++)
        st = define_var(def, i, dimids, err);
    if (!st)
        st = nci_define_attrs(def, &header->attrs, def->ncid, NC_GLOBAL,
                              "the file", err);
    if (!st && (code = nc_enddef(def->ncid)))
        st = nci_fail_write(err, code, def->path, "definition");
    nci_free(dimids);
    return st;
}
