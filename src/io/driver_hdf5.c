/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tiles of HDF5 files (NetCDF-4 and plain): one pread, the filters undone.
 * Headers and chunk indexes come from hdf5/.
 *
 * A dataset may be shorter than its dimension, where that is unlimited and
 * others grew further: what lies beyond is the fill value, whatever the edge
 * chunks hold there.
 */
#include <inttypes.h>
#include <string.h>

#include "base/dtype.h"
#include "io/file.h"
#include "io/filter.h"

static ncg_status inspect(nci_io *io, nci_bytes *bytes, nci_header *header,
                          void **priv, ncg_error *err)
{
    (void)io;
    (void)priv;
    return nci_hdf5_inspect(bytes, header, err);
}

static ncg_status load_index(nci_file *file, int var, ncg_error *err)
{
    return nci_hdf5_chunk_table(file->bytes, &file->header->vars[var],
                                &file->indexes[var].table, err);
}

static void begin_tile(const nci_var *var, const nci_box *box, nci_tile *out)
{
    const nci_storage *storage = &var->storage;
    *out = (nci_tile){.box = *box, .elem_size = storage->elem_size};
    memcpy(out->fill, storage->fill, sizeof out->fill);
    out->is_swapped = storage->elem_size > 1 &&
                      storage->is_big_endian == nci_is_little_endian();
}

/* The table's entry of a chunk, or NULL where the dataset does not reach. */
static const nci_chunk *find_chunk(const nci_chunk_table *table,
                                   const int64_t *index)
{
    int64_t number = 0;
    for (int d = 0; d < table->rank; d++) {
        if (index[d] >= table->count[d])
            return NULL;
        number = number * table->count[d] + index[d];
    }
    return number < table->nchunks ? &table->chunks[number] : NULL;
}

static bool is_partial(const nci_var *var, const nci_box *box)
{
    for (int d = 0; d < box->rank; d++)
        if (box->start[d] + box->count[d] > var->storage.file_shape[d])
            return true;
    return false;
}

static ncg_status decode_chunk(nci_file *file, const nci_var *var,
                               const nci_chunk *chunk, const nci_box *box,
                               nci_scratch *scratch, nci_tile *out,
                               ncg_error *err)
{
    const nci_storage *storage = &var->storage;
    uint32_t mask = chunk->mask;
    size_t nbytes;
    uint8_t *raw;
    nci_decoded decoded;
    if (!nci_chunk_bytes(var, &nbytes))
        return nci_fail(err, NCG_ECORRUPT, "size of a chunk overflows");
    if (storage->edge_unfiltered && is_partial(var, box))
        mask = UINT32_MAX;
    uint64_t end = nci_bytes_size(file->bytes);
    if (chunk->address > end || chunk->nbytes > end - chunk->address)
        return nci_fail(err, NCG_ECORRUPT,
                        "truncated: %u bytes at byte %" PRIu64
                        " reach beyond the file's end at %" PRIu64,
                        (unsigned)chunk->nbytes, chunk->address, end);
    /* Room for the largest chunk at once: no allocation from then on. */
    size_t room = nbytes + nbytes / 64 + 4096;
    room = storage->nfilters && room > chunk->nbytes ? room : chunk->nbytes;
    NCI_TRY(nci_scratch_reserve(scratch, NCI_SCRATCH_RAW, room, &raw, err));
    NCI_TRY(
        nci_bytes_read(file->bytes, chunk->address, chunk->nbytes, raw, err));
    ncg_status st =
        nci_filter_decode(storage, mask, nbytes, !file->io->options.no_checksum,
                          scratch, raw, chunk->nbytes, &decoded, err);
    if (st) {
        if (err)
            nci_error_wrap(err, "at byte %" PRIu64, chunk->address);
        return st;
    }
    out->data = decoded.data;
    out->is_shuffled = decoded.is_shuffled;
    return NCG_OK;
}

/* The fill value of positions that the dataset does not have: NetCDF's default
 * where the file states none. */
static void fill_beyond(const nci_var *var, uint8_t fill[16])
{
    if (var->storage.has_fill)
        memcpy(fill, var->storage.fill, 16);
    else if (ncg_dtype_size(var->dtype) == var->storage.elem_size)
        nci_dtype_put(var->dtype, fill, nci_dtype_default_fill(var->dtype));
}

/* Overwrites the elements that the dataset does not have. */
static void overwrite_beyond(const nci_var *var, const nci_tile *tile,
                             uint8_t *values)
{
    int64_t at[NCG_MAX_RANK] = {0};
    const nci_box *box = &tile->box;
    for (int64_t i = 0, n = nci_tile_size(tile); i < n; i++) {
        bool is_beyond = false;
        for (int d = 0; d < box->rank; d++)
            if (box->start[d] + at[d] >= var->storage.file_shape[d])
                is_beyond = true;
        if (is_beyond)
            memcpy(values + i * tile->elem_size, tile->fill, tile->elem_size);
        for (int d = box->rank - 1; d >= 0 && ++at[d] == box->count[d]; d--)
            at[d] = 0;
    }
}

/* Makes a tile true where a dimension goes on beyond the dataset. */
static ncg_status cut_tile(const nci_var *var, nci_scratch *scratch,
                           nci_tile *tile, ncg_error *err)
{
    uint8_t *values;
    fill_beyond(var, tile->fill);
    nci_scratch_buffer free_one = tile->data == scratch->buffer[NCI_SCRATCH_RAW]
                                      ? NCI_SCRATCH_A
                                      : NCI_SCRATCH_RAW;
    NCI_TRY(nci_scratch_reserve(scratch, free_one,
                                (size_t)nci_tile_size(tile) * tile->elem_size,
                                &values, err));
    nci_tile_copy(tile, &tile->box, values);
    overwrite_beyond(var, tile, values);
    tile->data = values;
    tile->is_shuffled = tile->is_swapped = false;
    return NCG_OK;
}

/* Whether positions of the variable inside `box` are not in the dataset. */
static bool reaches_beyond(const nci_header *header, const nci_var *var,
                           const nci_box *box)
{
    for (int d = 0; d < box->rank; d++) {
        int64_t have = var->storage.file_shape[d];
        if (have < header->dims[var->dims[d]].size &&
            box->start[d] + box->count[d] > have)
            return true;
    }
    return false;
}

static ncg_status read_chunk(nci_file *file, int var, const int64_t *index,
                             nci_scratch *scratch, nci_tile *out,
                             ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    nci_box box;
    if (!nci_tile_box(file->header, v, index, &box))
        return nci_fail(err, NCG_EBUG, "no such chunk");
    /* Stored chunks are whole at the edges. */
    memcpy(box.count, v->storage.chunk, (size_t)v->rank * sizeof *box.count);
    begin_tile(v, &box, out);
    const nci_chunk *chunk = find_chunk(&file->indexes[var].table, index);
    if (!chunk) {
        fill_beyond(v, out->fill);
        return NCG_OK;
    }
    if (chunk->address == NCI_NO_ADDRESS)
        return NCG_OK;
    NCI_TRY(decode_chunk(file, v, chunk, &box, scratch, out, err));
    return reaches_beyond(file->header, v, &box)
               ? cut_tile(v, scratch, out, err)
               : NCG_OK;
}

static ncg_status read_part(nci_file *file, int var, const nci_box *box,
                            nci_scratch *scratch, nci_tile *out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    begin_tile(v, box, out);
    if (v->storage.address == NCI_NO_ADDRESS)
        return NCG_OK;
    return nci_read_runs(file, v, box, scratch, &out->data, err);
}

static ncg_status read_tile(nci_file *file, int var, const int64_t *index,
                            nci_scratch *scratch, nci_tile *out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    nci_box box;
    if (v->storage.layout == NCI_LAYOUT_CHUNKED)
        return read_chunk(file, var, index, scratch, out, err);
    if (!nci_tile_box(file->header, v, index, &box))
        return nci_fail(err, NCG_EBUG, "no such chunk");
    return read_part(file, var, &box, scratch, out, err);
}

const nci_driver nci_driver_hdf5 = {"hdf5",    inspect, load_index,
                                    read_tile, NULL,    read_part};
