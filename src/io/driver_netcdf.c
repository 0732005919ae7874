/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that our own readers do not know, through NetCDF-C under the
 * library's mutex: slower, never wrong. A tile is the storage chunk, cut at
 * the variable's end; values come in the host's byte order.
 */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/file.h"
#include "io/filter.h"
#include "io/library.h"
#include "io/library_calls.h"
#include "io/ncid_cache.h"
#include "io/scratch.h"

static ncg_status inspect_locked(nci_io *io, nci_header *header, ncg_error *err)
{
    int ncid;
    ncg_status st = nci_ncid_get(io->ncids, header->path, &ncid, err);
    if (!st)
        st = nci_netcdf_inspect(ncid, header, err);
    nci_ncid_drop(io->ncids, header->path);
    return st;
}

static ncg_status inspect(nci_io *io, nci_bytes *bytes, nci_header *header,
                          void **priv, ncg_error *err)
{
    ncg_error here = {.message = ""};
    (void)bytes;
    (void)priv;
    NCI_TRY(nci_library_enter(err));
    ncg_status st = inspect_locked(io, header, &here);
    nci_library_unlock();
    if (st && (here.sys == NC_ENOTNC || here.sys == NC_ENOTBUILT))
        return nci_fail(err, NCG_EIO, "not a NetCDF or HDF5 file");
    if (st && err)
        *err = here;
    return st;
}

/* Finds a variable by its flattened name. */
static ncg_status find_var(int ncid, const char *name, int *grpid, int *varid,
                           ncg_error *err)
{
    int code = 0;
    const char *last = strrchr(name, '/');
    *grpid = ncid;
    if (last && last > name) {
        char *group = nci_strndup(name, (size_t)(last - name));
        if (!group)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        code = nc_inq_grp_full_ncid(ncid, group, grpid);
        nci_free(group);
    }
    if (!code)
        code = nc_inq_varid(*grpid, last ? last + 1 : name, varid);
    return code ? nci_fail_netcdf(err, code, "NetCDF-C does not find it")
                : NCG_OK;
}

/* The library can undo a filter where its plugin is installed. */
static ncg_status check_filters(const nci_storage *storage, ncg_error *err)
{
    for (int i = 0; i < storage->nfilters; i++) {
        uint32_t id = storage->filters[i].id;
        if (H5Zfilter_avail((int)id) > 0)
            continue;
        return nci_filter_missing(
            id, nci_filter_is_built_in(id) ? " to NetCDF-C" : "", err);
    }
    return NCG_OK;
}

/* Makes the variable ready for reading; the mutex is held. */
static ncg_status prepare(nci_file *file, const nci_var *var,
                          const nci_box *box, int *grpid, int *varid,
                          size_t *start, size_t *count, ncg_error *err)
{
    int ncid;
    NCI_TRY(check_filters(&var->storage, err));
    atomic_store(&file->uses_library, true);
    NCI_TRY(nci_ncid_get(file->io->ncids, file->header->path, &ncid, err));
    NCI_TRY(find_var(ncid, var->name, grpid, varid, err));
    for (int d = 0; d < box->rank; d++) {
        start[d] = (size_t)box->start[d];
        count[d] = (size_t)box->count[d];
    }
    return NCG_OK;
}

/* The library opens the file by its name, later than its header was read. */
static ncg_status check_size(const nci_var *var, int grpid, int varid,
                             ncg_error *err)
{
    nc_type type;
    size_t size = 0;
    int rank = 0;
    int code = nc_inq_var(grpid, varid, NULL, &type, &rank, NULL, NULL);
    if (!code)
        code = nc_inq_type(grpid, type, NULL, &size);
    if (code)
        return nci_fail_netcdf(err, code, "NetCDF-C does not find its type");
    if (rank > var->rank || size > var->storage.elem_size)
        return nci_fail(err, NCG_EIO, "the variable is not what it was when "
                                      "the file was opened");
    return NCG_OK;
}

static ncg_status read_locked(nci_file *file, const nci_var *var,
                              const nci_box *box, void *out, ncg_error *err)
{
    int grpid, varid;
    size_t start[NCG_MAX_RANK + 1] = {0}, count[NCG_MAX_RANK + 1] = {1};
    NCI_TRY(prepare(file, var, box, &grpid, &varid, start, count, err));
    NCI_TRY(check_size(var, grpid, varid, err));
    int code = nc_get_vara(grpid, varid, start, count, out);
    return code ? nci_fail_netcdf(err, code, "NetCDF-C cannot read it")
                : NCG_OK;
}

ncg_status nci_netcdf_read_tile(nci_file *file, int var, const int64_t *index,
                                nci_scratch *scratch, nci_tile *out,
                                ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    nci_box box;
    uint8_t *values;
    if (!nci_tile_box(file->header, v, index, &box))
        return nci_fail(err, NCG_EBUG, "no such chunk");
    size_t nbytes = (size_t)nci_box_size(&box) * v->storage.elem_size;
    NCI_TRY(
        nci_scratch_reserve(scratch, NCI_SCRATCH_RAW, nbytes, &values, err));
    NCI_TRY(nci_library_enter(err));
    ncg_status st = read_locked(file, v, &box, values, err);
    nci_library_unlock();
    *out = (nci_tile){
        .box = box, .data = values, .elem_size = v->storage.elem_size};
    return st;
}

static ncg_status read_strings_locked(nci_file *file, const nci_var *var,
                                      const nci_box *box, const char **out,
                                      ncg_error *err)
{
    int grpid, varid;
    size_t start[NCG_MAX_RANK + 1] = {0}, count[NCG_MAX_RANK + 1] = {1};
    NCI_TRY(prepare(file, var, box, &grpid, &varid, start, count, err));
    int code = nc_get_vara_string(grpid, varid, start, count, (char **)out);
    if (code)
        return nci_fail_netcdf(err, code, "NetCDF-C cannot read it");
    ncg_status st = NCG_OK;
    for (int64_t i = 0, n = nci_box_size(box); i < n; i++) {
        char *own = (char *)(uintptr_t)out[i];
        out[i] = nci_intern(own ? own : "");
        if (!out[i])
            st = nci_fail(err, NCG_ENOMEM, "out of memory");
        if (own)
            nc_free_string(1, &own);
    }
    return st;
}

ncg_status nci_netcdf_read_strings(nci_file *file, int var, const nci_box *box,
                                   const char **out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    ncg_status st = nci_library_enter(err);
    if (!st) {
        st = read_strings_locked(file, v, box, out, err);
        nci_library_unlock();
    }
    if (st && err)
        nci_error_wrap(err, "%s: %s", file->header->path, v->name);
    nci_count(&file->io->chunks_library, 1);
    return st;
}

const nci_driver nci_driver_netcdf = {
    "netcdf", inspect, NULL, nci_netcdf_read_tile, NULL, NULL};
