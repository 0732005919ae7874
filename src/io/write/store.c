/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/library_calls.h"
#include "io/write/target.h"

static ncg_status fail_var(const nci_write_store *store,
                           const nci_write_var *var, int code, ncg_error *err)
{
    char what[300];
    snprintf(what, sizeof what, "variable %.200s", var->name);
    return nci_fail_write(err, code, store->path, what);
}

/* ---- HDF5: opening, extents -------------------------------------------- */

/* A variable that has a dimension's name but is not its coordinate lies under
 * a name of its own in the file. */
static ncg_status open_dataset(const nci_write_store *store, const char *name,
                               int64_t *out, ncg_error *err)
{
    const char *slash = strrchr(name, '/');
    size_t group = slash ? (size_t)(slash - name) + 1 : 0;
    nci_text text = {0};
    nci_text_add(&text, "%.*s_nc4_non_coord_%s", (int)group, name,
                 name + group);
    char *other = nci_text_take(&text);
    if (!other)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    bool is_other = H5Lexists(store->file, other, H5P_DEFAULT) > 0;
    *out = H5Dopen2(store->file, is_other ? other : name, H5P_DEFAULT);
    nci_free(other);
    return *out < 0 ? nci_fail_write(err, NC_EHDFERR, store->path, name)
                    : NCG_OK;
}

static ncg_status open_var(nci_write_store *store, nci_write_var *var,
                           ncg_error *err)
{
    hsize_t shape[NCG_MAX_RANK];
    NCI_TRY(open_dataset(store, var->name, &var->dataset, err));
    for (int d = 0; d < var->rank; d++)
        shape[d] = (hsize_t)var->shape[d];
    if (var->is_unlimited && H5Dset_extent(var->dataset, shape) < 0)
        return fail_var(store, var, NC_EHDFERR, err);
    return NCG_OK;
}

/* A dimension without a variable of its name has a data set too, and NetCDF-C
 * takes the length of an unlimited one from it. */
static ncg_status extend_scale(nci_write_store *store, const nci_dim *dim,
                               ncg_error *err)
{
    hsize_t size = (hsize_t)dim->size;
    hid_t id = H5Dopen2(store->file, dim->name, H5P_DEFAULT);
    hid_t space = id < 0 ? -1 : H5Dget_space(id);
    herr_t code = space < 0 ? -1 : 0;
    if (!code && H5Sget_simple_extent_ndims(space) == 1)
        code = H5Dset_extent(id, &size);
    if (space >= 0)
        H5Sclose(space);
    if (id >= 0)
        H5Dclose(id);
    return code < 0 ? nci_fail_write(err, NC_EHDFERR, store->path, dim->name)
                    : NCG_OK;
}

static ncg_status open_hdf5(nci_write_store *store, const nci_header *header,
                            ncg_error *err)
{
    store->file = H5Fopen(store->temp, H5F_ACC_RDWR, H5P_DEFAULT);
    if (store->file < 0)
        return nci_fail_write(err, NC_EHDFERR, store->path, "opening");
    for (size_t i = 0; i < store->nvars; i++)
        NCI_TRY(open_var(store, &store->vars[i], err));
    for (size_t i = 0; i < header->ndims; i++)
        if (nci_write_dim_is_unlimited(&header->dims[i]))
            NCI_TRY(extend_scale(store, &header->dims[i], err));
    return NCG_OK;
}

ncg_status nci_store_define(nci_write_store *store, const nci_header *header,
                            const nci_write_format *format, int deflate,
                            ncg_error *err)
{
    /* HDF5 keeps a switch of printing errors for each thread. */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    int code = nc_create(store->temp, NC_CLOBBER | format->mode, &store->ncid);
    if (code) {
        store->ncid = -1;
        return nci_fail_write(err, code, store->path, "creating");
    }
    nci_write_definition def = {.header = header,
                                .format = format,
                                .deflate = deflate,
                                .path = store->path,
                                .ncid = store->ncid,
                                .vars = store->vars};
    NCI_TRY(nci_define_file(&def, err));
    if (!store->is_hdf5)
        return NCG_OK;
    code = nc_close(store->ncid);
    store->ncid = -1;
    if (code)
        return nci_fail_write(err, code, store->path, "definition");
    return open_hdf5(store, header, err);
}

/* ---- data -------------------------------------------------------------- */

/* HDF5 keeps metadata back until it closes the file, for which there must
 * still be room: a limit (ulimit -f) is checked before it is met. */
static ncg_status check_limit(const nci_write_store *store, int64_t nbytes,
                              ncg_error *err)
{
    enum { METADATA = 16384 };
    hsize_t size = 0;
    if (H5Fget_filesize(store->file, &size) < 0 ||
        nci_target_has_room((int64_t)size + nbytes + METADATA))
        return NCG_OK;
    return nci_fail_write(err, EFBIG, store->path, "limit of file sizes");
}

static herr_t write_box(const nci_write_var *var, const int64_t *start,
                        const int64_t *count, const void *data)
{
    hsize_t from[NCG_MAX_RANK], size[NCG_MAX_RANK];
    hid_t type = H5Dget_type(var->dataset), file = -1, memory = -1;
    herr_t code = -1;
    for (int d = 0; d < var->rank; d++) {
        from[d] = (hsize_t)start[d];
        size[d] = (hsize_t)count[d];
    }
    file = H5Dget_space(var->dataset);
    memory = var->rank ? H5Screate_simple(var->rank, size, NULL)
                       : H5Screate(H5S_SCALAR);
    if (type < 0 || file < 0 || memory < 0)
        goto done;
    if (var->rank &&
        H5Sselect_hyperslab(file, H5S_SELECT_SET, from, NULL, size, NULL) < 0)
        goto done;
    code = H5Dwrite(var->dataset, type, memory, file, H5P_DEFAULT, data);
done:
    if (type >= 0)
        H5Tclose(type);
    if (file >= 0)
        H5Sclose(file);
    if (memory >= 0)
        H5Sclose(memory);
    return code;
}

ncg_status nci_store_put_box(nci_write_store *store, nci_write_var *var,
                             const int64_t *start, const int64_t *count,
                             const void *data, ncg_error *err)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    size_t from[NCG_MAX_RANK], size[NCG_MAX_RANK];
    if (store->is_hdf5) {
        int64_t nbytes = (int64_t)var->elem;
        for (int d = 0; d < var->rank; d++)
            nbytes *= count[d];
        NCI_TRY(check_limit(store, nbytes, err));
        return write_box(var, start, count, data) < 0
                   ? fail_var(store, var, NC_EHDFERR, err)
                   : NCG_OK;
    }
    for (int d = 0; d < var->rank; d++) {
        from[d] = (size_t)start[d];
        size[d] = (size_t)count[d];
    }
    int code = nc_put_vara(store->ncid, var->id, from, size, data);
    return code ? fail_var(store, var, code, err) : NCG_OK;
}

ncg_status nci_store_put_chunk(nci_write_store *store, nci_write_var *var,
                               const int64_t *start, const void *data,
                               size_t nbytes, ncg_error *err)
{
    hsize_t from[NCG_MAX_RANK];
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    NCI_TRY(check_limit(store, (int64_t)nbytes, err));
    for (int d = 0; d < var->rank; d++)
        from[d] = (hsize_t)start[d];
    if (H5Dwrite_chunk(var->dataset, H5P_DEFAULT, 0, from, nbytes, data) < 0)
        return fail_var(store, var, NC_EHDFERR, err);
    return NCG_OK;
}

/* ---- closing ----------------------------------------------------------- */

static ncg_status close_hdf5(nci_write_store *store, ncg_error *err)
{
    ncg_status st = NCG_OK;
    for (size_t i = 0; i < store->nvars; i++) {
        nci_write_var *var = &store->vars[i];
        if (var->dataset >= 0 && H5Dclose(var->dataset) < 0 && !st)
            st = fail_var(store, var, NC_EHDFERR, err);
        var->dataset = -1;
    }
    /* A failed flush leaves the file open, so that it can be closed once its
     * blocks were freed. */
    if (!st && H5Fflush(store->file, H5F_SCOPE_LOCAL) < 0)
        st = nci_fail_write(err, NC_EHDFERR, store->path, "closing");
    if (!st) {
        if (H5Fclose(store->file) < 0)
            st = nci_fail_write(err, NC_EHDFERR, store->path, "closing");
        store->file = -1;
    }
    return st;
}

ncg_status nci_store_close(nci_write_store *store, ncg_error *err)
{
    if (store->file < 0 && store->ncid < 0)
        return NCG_OK; /* nothing was defined, perhaps nothing loaded */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (store->file >= 0)
        return close_hdf5(store, err);
    int code = nc_close(store->ncid);
    store->ncid = -1;
    return code ? nci_fail_write(err, code, store->path, "closing") : NCG_OK;
}
