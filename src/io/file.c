/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files: which driver reads them, their chunk indexes, and the way of one
 * tile. A variable whose storage our readers do not know (layout LIBRARY) is
 * read through NetCDF-C even where the header was read directly. Messages get
 * the names of file, variable and chunk here.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/filter.h"
#include "io/library.h"
#include "io/ncid_cache.h"

/* Puts the path in front unless the message has it. */
static ncg_status name_file(const char *path, ncg_status st, ncg_error *err)
{
    if (st && err && !strstr(err->message, path))
        nci_error_wrap(err, "%s", path);
    return st;
}

static ncg_status name_chunk(const nci_file *file, int var,
                             const int64_t *index, ncg_status st,
                             ncg_error *err)
{
    char text[256] = "(", *at = text + 1;
    const nci_var *v = &file->header->vars[var];
    if (!st || !err)
        return st;
    for (int d = 0; d < v->rank && at < text + sizeof text - 24; d++)
        at += sprintf(at, "%s%lld", d ? "," : "", (long long)index[d]);
    strcpy(at, ")");
    nci_error_wrap(err, "%s: %s: chunk %s", file->header->path, v->name, text);
    return st;
}

/* ---- opening ----------------------------------------------------------- */

static bool same_shape(const nci_var *var, const int64_t *shape)
{
    for (int d = 0; d < var->rank; d++)
        if (var->storage.file_shape[d] != shape[d])
            return false;
    return true;
}

static bool filters_are_built_in(const nci_storage *storage)
{
    for (int i = 0; i < storage->nfilters; i++)
        if (!nci_filter_is_built_in(storage->filters[i].id))
            return false;
    return true;
}

/* What holds for every driver: tiles of data without storage chunks have one
 * size, and what we cannot decode is the library's. */
static void settle_storage(const nci_header *header, nci_var *var)
{
    nci_storage *storage = &var->storage;
    int64_t shape[NCG_MAX_RANK];
    nci_var_shape(header, var, shape);
    bool is_run = storage->layout == NCI_LAYOUT_CONTIGUOUS ||
                  storage->layout == NCI_LAYOUT_COMPACT;
    if ((is_run && storage->address != NCI_NO_ADDRESS &&
         !same_shape(var, shape)) ||
        storage->elem_size == 0 || storage->elem_size > 16 ||
        (storage->layout == NCI_LAYOUT_CHUNKED &&
         !filters_are_built_in(storage)))
        storage->layout = NCI_LAYOUT_LIBRARY;
    bool has_chunks = storage->layout == NCI_LAYOUT_CHUNKED;
    for (int d = 0; d < var->rank; d++) {
        if (storage->layout == NCI_LAYOUT_LIBRARY && storage->chunk[d] > 1)
            has_chunks = true;
        if (storage->chunk[d] < 1)
            storage->chunk[d] = 1;
    }
    if (!has_chunks)
        nci_tile_chunk(var->rank, shape, storage->elem_size,
                       storage->layout == NCI_LAYOUT_LIBRARY, storage->chunk);
}

void nci_settle_storage(nci_header *header)
{
    for (size_t i = 0; i < header->nvars; i++)
        settle_storage(header, &header->vars[i]);
}

/* A few bytes that only begin like a file of ours. */
static ncg_status check_magic(nci_bytes *bytes, ncg_error *err)
{
    static const char hdf5[] = "\x89HDF\r\n\x1a\n";
    uint64_t size = nci_bytes_size(bytes);
    char head[8] = {0};
    if (size == 0)
        return nci_fail(err, NCG_EIO, "not a NetCDF or HDF5 file: it is empty");
    if (size >= sizeof head)
        return NCG_OK;
    NCI_TRY(nci_bytes_read(bytes, 0, size, head, err));
    if (!memcmp(head, hdf5, size) || !memcmp(head, "CDF", size < 3 ? size : 3))
        return nci_fail(err, NCG_ECORRUPT,
                        "truncated: the file ends after %d bytes", (int)size);
    return NCG_OK;
}

static ncg_status try_driver(nci_file *file, const nci_driver *driver,
                             const char *path, ncg_error *err)
{
    nci_header *header = nci_header_create(path);
    if (!header)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    header->size = (int64_t)nci_bytes_size(file->bytes);
    header->mtime_ns = nci_bytes_mtime_ns(file->bytes);
    ncg_status st =
        driver->inspect(file->io, file->bytes, header, &file->priv, err);
    if (st) {
        nci_header_free(&header);
        return st;
    }
    file->driver = driver;
    file->header = header;
    return NCG_OK;
}

static ncg_status inspect(nci_file *file, const char *path, ncg_error *err)
{
    static const nci_driver *const drivers[] = {
        &nci_driver_classic, &nci_driver_hdf5, &nci_driver_netcdf};
    ncg_status st = NCG_EUNSUPPORTED;
    size_t first = file->io->options.force_library ? 2 : 0;
    NCI_TRY(check_magic(file->bytes, err));
    for (size_t i = first; i < 3 && st == NCG_EUNSUPPORTED; i++)
        st = try_driver(file, drivers[i], path, err);
    if (st)
        return st;
    nci_settle_storage(file->header);
    nci_count(file->header->by_library ? &file->io->headers_library
                                       : &file->io->headers_direct,
              1);
    return NCG_OK;
}

nci_file *nci_file_create(nci_io *io)
{
    nci_file *file = nci_calloc(1, sizeof *file);
    if (!file)
        return NULL;
    atomic_init(&file->refs, 1);
    pthread_mutex_init(&file->mutex, NULL);
    file->io = io;
    nci_io_retain(io);
    return file;
}

ncg_status nci_file_open(nci_io *io, const char *path, nci_file **out,
                         ncg_error *err)
{
    nci_file *file = nci_file_create(io);
    if (!file)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = nci_bytes_open(io, path, &file->bytes, err);
    if (st)
        goto done;
    st = inspect(file, path, err);
    if (st)
        goto done;
    nci_bytes_forget_head(file->bytes);
    file->indexes = nci_calloc(file->header->nvars, sizeof *file->indexes);
    if (!file->indexes)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
done:
    if (st)
        nci_file_release(&file);
    else
        *out = file;
    return name_file(path, st, err);
}

nci_file *nci_file_retain(nci_file *file)
{
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    return file;
}

/* Libraries may hold the file open too. */
static void drop_ncid(nci_file *file)
{
    nci_library_lock();
    nci_ncid_drop(file->io->ncids, file->header->path);
    nci_library_unlock();
}

void nci_file_release(nci_file **slot)
{
    nci_file *file = *slot;
    *slot = NULL;
    if (!file ||
        atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; file->indexes && i < file->header->nvars; i++)
        if (atomic_load(&file->indexes[i].is_loaded))
            nci_chunk_table_fini(&file->indexes[i].table);
    if (file->header && file->uses_library)
        drop_ncid(file);
    if (file->driver && file->driver->close)
        file->driver->close(file->priv);
    nci_free(file->indexes);
    nci_header_free(&file->header);
    nci_bytes_close(&file->bytes);
    pthread_mutex_destroy(&file->mutex);
    nci_io_release(file->io);
    nci_free(file);
}

const nci_header *nci_file_header(const nci_file *file)
{
    return file->header;
}

/* ---- indexes ----------------------------------------------------------- */

/* The index kind may be one that only the library knows. */
static ncg_status load_locked(nci_file *file, int var, ncg_error *err)
{
    nci_index *index = &file->indexes[var];
    if (atomic_load(&index->is_loaded))
        return NCG_OK;
    ncg_status st = NCG_OK;
    if (file->driver->load_index &&
        file->header->vars[var].storage.layout == NCI_LAYOUT_CHUNKED)
        st = file->driver->load_index(file, var, err);
    if (st == NCG_EUNSUPPORTED) {
        index->is_library = true;
        nci_error_clear(err);
        st = NCG_OK;
    }
    if (!st)
        atomic_store(&index->is_loaded, true);
    return st;
}

static ncg_status load_index(nci_file *file, int var, ncg_error *err)
{
    if (atomic_load_explicit(&file->indexes[var].is_loaded,
                             memory_order_acquire))
        return NCG_OK;
    pthread_mutex_lock(&file->mutex);
    ncg_status st = load_locked(file, var, err);
    pthread_mutex_unlock(&file->mutex);
    return st;
}

ncg_status nci_file_load_index(nci_file *file, int var, ncg_error *err)
{
    ncg_status st = load_index(file, var, err);
    if (st && err)
        nci_error_wrap(err, "%s: %s", file->header->path,
                       file->header->vars[var].name);
    return st;
}

/* Sums the stored chunks that `box` touches. */
static int64_t sum_chunks(const nci_chunk_table *table, const nci_var *var,
                          const nci_box *box)
{
    int64_t low[NCG_MAX_RANK], high[NCG_MAX_RANK], at[NCG_MAX_RANK], sum = 0;
    for (int d = 0; d < table->rank; d++) {
        int64_t chunk = var->storage.chunk[d];
        low[d] = box->start[d] / chunk;
        high[d] = (box->start[d] + box->count[d] - 1) / chunk + 1;
        high[d] = high[d] < table->count[d] ? high[d] : table->count[d];
        if (low[d] >= high[d])
            return 0;
        at[d] = low[d];
    }
    for (int d = 0; d >= 0;) {
        int64_t number = 0;
        for (int k = 0; k < table->rank; k++)
            number = number * table->count[k] + at[k];
        if (table->chunks[number].address != NCI_NO_ADDRESS)
            sum += table->chunks[number].nbytes;
        for (d = table->rank - 1; d >= 0 && ++at[d] == high[d]; d--)
            at[d] = low[d];
    }
    return sum;
}

ncg_status nci_file_stored_bytes(nci_file *file, int var, const nci_box *box,
                                 int64_t *out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    NCI_TRY(nci_file_load_index(file, var, err));
    if (nci_box_is_empty(box))
        *out = 0;
    else if (v->storage.layout == NCI_LAYOUT_LIBRARY ||
             file->indexes[var].is_library)
        *out = -1;
    else if (v->storage.layout == NCI_LAYOUT_CHUNKED)
        *out = sum_chunks(&file->indexes[var].table, v, box);
    else if (v->storage.address == NCI_NO_ADDRESS)
        *out = 0;
    else
        *out = nci_box_size(box) * v->storage.elem_size;
    return NCG_OK;
}

/* ---- tiles ------------------------------------------------------------- */

static const char *class_name(nci_var_class klass)
{
    switch (klass) {
    case NCI_VAR_COMPOUND:
        return "compound";
    case NCI_VAR_OPAQUE:
        return "opaque";
    case NCI_VAR_VLEN:
        return "variable-length";
    default:
        return "user-defined";
    }
}

static ncg_status check_readable(const nci_var *var, ncg_error *err)
{
    if (var->dtype == NCG_DTYPE_NONE)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "values of a %s type cannot be read",
                        class_name(var->klass));
    if (var->dtype == NCG_DTYPE_STRING)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "values of type string cannot be computed with");
    return NCG_OK;
}

static ncg_status read_tile(nci_file *file, int var, const int64_t *index,
                            nci_scratch *scratch, nci_tile *out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    NCI_TRY(check_readable(v, err));
    NCI_TRY(load_index(file, var, err));
    bool is_library = v->storage.layout == NCI_LAYOUT_LIBRARY ||
                      file->indexes[var].is_library;
    if (is_library)
        NCI_TRY(nci_netcdf_read_tile(file, var, index, scratch, out, err));
    else
        NCI_TRY(file->driver->read_tile(file, var, index, scratch, out, err));
    nci_count(is_library ? &file->io->chunks_library : &file->io->chunks_direct,
              1);
    nci_count(&file->io->bytes_decoded, nci_tile_size(out) * out->elem_size);
    return NCG_OK;
}

static ncg_status read_part(nci_file *file, int var, const nci_box *box,
                            nci_scratch *scratch, nci_tile *out, ncg_error *err)
{
    NCI_TRY(check_readable(&file->header->vars[var], err));
    NCI_TRY(file->driver->read_part(file, var, box, scratch, out, err));
    nci_count(&file->io->chunks_direct, 1);
    nci_count(&file->io->bytes_decoded, nci_tile_size(out) * out->elem_size);
    return NCG_OK;
}

ncg_status nci_file_read_part(nci_file *file, int var, const nci_box *box,
                              nci_scratch *scratch, nci_tile *out,
                              ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    int64_t index[NCG_MAX_RANK];
    ncg_status st = read_part(file, var, box, scratch, out, err);
    for (int d = 0; d < v->rank; d++)
        index[d] = box->start[d] / v->storage.chunk[d];
    return st ? name_chunk(file, var, index, st, err) : NCG_OK;
}

ncg_status nci_file_read_tile(nci_file *file, int var, const int64_t *index,
                              nci_scratch *scratch, nci_tile *out,
                              ncg_error *err)
{
    ncg_status st = read_tile(file, var, index, scratch, out, err);
    return st ? name_chunk(file, var, index, st, err) : NCG_OK;
}
