/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files whose headers another process read: opened without reading them again.
 * The header must be of the very file that is here, and hold what our own
 * inspection guarantees to the readers; whatever does not is inspected here.
 */
#include "base/mem.h"
#include "io/file.h"

static const nci_driver *driver_of(const nci_header *header)
{
    switch (header->format) {
    case NCI_FORMAT_CDF1:
    case NCI_FORMAT_CDF2:
    case NCI_FORMAT_CDF5:
        return &nci_driver_classic;
    case NCI_FORMAT_HDF5:
        return &nci_driver_hdf5;
    default:
        return NULL;
    }
}

static bool is_size(uint8_t n)
{
    return n == 2 || n == 4 || n == 8;
}

static bool are_chunks_sound(const nci_var *var)
{
    const nci_storage *s = &var->storage;
    size_t nbytes;
    for (int d = 0; d < var->rank; d++)
        if (s->chunk[d] < 1)
            return false;
    return nci_chunk_bytes(var, &nbytes) && nbytes <= UINT32_MAX &&
           is_size(s->index_params[0]) && is_size(s->index_params[1]);
}

/* What only a library reads is not sound: the library would be asked for what
 * the header says and give what the file has. */
static bool is_var_sound(const nci_header *header, const nci_var *var)
{
    const nci_storage *s = &var->storage;
    bool is_classic = header->format != NCI_FORMAT_HDF5;
    if (s->layout == NCI_LAYOUT_LIBRARY ||
        is_classic != (s->layout == NCI_LAYOUT_RECORD ||
                       (is_classic && s->layout == NCI_LAYOUT_CONTIGUOUS)))
        return false;
    if (var->dtype == NCG_DTYPE_NONE || var->dtype == NCG_DTYPE_STRING ||
        ncg_dtype_size(var->dtype) != s->elem_size)
        return false;
    int64_t nbytes = s->elem_size;
    for (int d = 0; d < var->rank; d++)
        if (s->file_shape[d] < 0 || var->dims[d] < 0 ||
            (size_t)var->dims[d] >= header->ndims ||
            !nci_mul_i64(nbytes, header->dims[var->dims[d]].size, &nbytes))
            return false;
    if (s->layout == NCI_LAYOUT_RECORD)
        return var->rank > 0 && s->record_size > 0;
    return s->layout != NCI_LAYOUT_CHUNKED || are_chunks_sound(var);
}

static bool is_sound(const nci_header *header)
{
    if (header->by_library || !driver_of(header))
        return false;
    for (size_t i = 0; i < header->nvars; i++)
        if (!is_var_sound(header, &header->vars[i]))
            return false;
    return true;
}

/* The same after what is done with every header, which may turn to a library. */
static bool is_taken(nci_header *header)
{
    if (!is_sound(header))
        return false;
    nci_settle_storage(header);
    return is_sound(header);
}

ncg_status nci_file_adopt(nci_io *io, nci_header *header_take, nci_file **out,
                          ncg_error *err)
{
    nci_file *file = nci_file_create(io);
    ncg_status st = NCG_OK;
    if (!file) {
        nci_header_free(&header_take);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    file->header = header_take;
    if (io->options.force_library || !is_taken(header_take)) {
        st = nci_fail(err, NCG_EUNSUPPORTED, "%s: must be inspected here",
                      header_take->path);
        goto done;
    }
    st = nci_bytes_open_later(io, header_take->path, &file->bytes, err);
    if (st)
        goto done;
    if (header_take->size != (int64_t)nci_bytes_size(file->bytes) ||
        header_take->mtime_ns != nci_bytes_mtime_ns(file->bytes)) {
        st = nci_fail(err, NCG_EUNSUPPORTED, "%s: is another file here",
                      header_take->path);
        goto done;
    }
    file->driver = driver_of(header_take);
    file->indexes = nci_calloc(header_take->nvars, sizeof *file->indexes);
    if (!file->indexes)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_count(&io->headers_direct, !st);
    nci_count(&io->headers_adopted, !st);
done:
    if (st)
        nci_file_release(&file);
    else
        *out = file;
    return st;
}
