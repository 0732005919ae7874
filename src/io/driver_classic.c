/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tiles of classic files. Fixed variables are one run of bytes. Record
 * variables interleave:
 *
 *     begin                begin + record_size
 *     | a[0] | b[0] | c[0] | a[1] | b[1] | c[1] | ...
 *
 * A tile takes some records of one variable. Where it wants more than half of
 * what lies between, or records are small, whole spans are read and the rows
 * picked out; else each row is read for itself.
 */
#include <string.h>

#include "io/classic_header.h"
#include "io/file.h"
#include "io/scratch.h"

enum { SMALL_RECORD = 16 << 10, SPAN_BYTES = 4 << 20 };

static ncg_status inspect(nci_io *io, nci_bytes *bytes, nci_header *header,
                          void **priv, ncg_error *err)
{
    (void)io;
    (void)priv;
    return nci_classic_inspect(bytes, header, err);
}

/* The rows of one tile: `count` runs of `bytes`, `stride` apart. */
typedef struct rows {
    uint64_t offset, stride;
    size_t bytes;
    int64_t count;
} rows;

static ncg_status read_each(nci_bytes *bytes, const rows *r, uint8_t *out,
                            ncg_error *err)
{
    for (int64_t i = 0; i < r->count; i++)
        NCI_TRY(nci_bytes_read(bytes, r->offset + (uint64_t)i * r->stride,
                               r->bytes, out + (size_t)i * r->bytes, err));
    return NCG_OK;
}

/* Reads spans of several records and picks the rows. */
static ncg_status read_spans(nci_bytes *bytes, const rows *r,
                             nci_scratch *scratch, uint8_t *out, ncg_error *err)
{
    int64_t batch = (int64_t)(SPAN_BYTES / r->stride);
    uint8_t *span;
    batch = batch < 1 ? 1 : batch < r->count ? batch : r->count;
    size_t room = (size_t)(batch - 1) * r->stride + r->bytes;
    NCI_TRY(nci_scratch_reserve(scratch, NCI_SCRATCH_A, room, &span, err));
    for (int64_t i = 0; i < r->count; i += batch) {
        int64_t n = r->count - i < batch ? r->count - i : batch;
        NCI_TRY(nci_bytes_read(bytes, r->offset + (uint64_t)i * r->stride,
                               (size_t)(n - 1) * r->stride + r->bytes, span,
                               err));
        for (int64_t k = 0; k < n; k++, out += r->bytes)
            memcpy(out, span + (size_t)k * r->stride, r->bytes);
    }
    return NCG_OK;
}

/* The rows of `box`, whose first axis is the record one. */
static rows rows_of(const nci_header *header, const nci_var *var,
                    const nci_box *box)
{
    const nci_storage *storage = &var->storage;
    uint64_t first = 0, n = 1;
    for (int d = 1; d < box->rank; d++) {
        first = first * (uint64_t)header->dims[var->dims[d]].size +
                (uint64_t)box->start[d];
        n *= (uint64_t)box->count[d];
    }
    return (rows){storage->address + first * storage->elem_size +
                      (uint64_t)box->start[0] * storage->record_size,
                  storage->record_size, n * storage->elem_size, box->count[0]};
}

static ncg_status read_records(nci_file *file, const nci_var *var,
                               const nci_box *box, nci_scratch *scratch,
                               const uint8_t **out, ncg_error *err)
{
    rows r = rows_of(file->header, var, box);
    uint8_t *raw;
    NCI_TRY(nci_scratch_reserve(scratch, NCI_SCRATCH_RAW,
                                (size_t)r.count * r.bytes, &raw, err));
    *out = raw;
    if (r.stride == r.bytes)
        return nci_bytes_read(file->bytes, r.offset, (size_t)r.count * r.bytes,
                              raw, err);
    if (r.count > 1 && (r.bytes > r.stride / 2 || r.stride <= SMALL_RECORD))
        return read_spans(file->bytes, &r, scratch, raw, err);
    return read_each(file->bytes, &r, raw, err);
}

/* Several small records, each whole in the box. */
static bool has_small_records(const nci_header *header, const nci_var *var,
                              const nci_box *box)
{
    int64_t n = var->storage.elem_size;
    if (var->storage.layout != NCI_LAYOUT_RECORD || box->count[0] < 2)
        return false;
    for (int d = 1; d < var->rank; d++) {
        if (box->count[d] != header->dims[var->dims[d]].size)
            return false;
        n *= box->count[d];
    }
    return n <= SMALL_RECORD;
}

static ncg_status read_part(nci_file *file, int var, const nci_box *box,
                            nci_scratch *scratch, nci_tile *out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    *out = (nci_tile){.box = *box, .elem_size = v->storage.elem_size};
    out->is_swapped = v->storage.is_big_endian && nci_is_little_endian();
    if (has_small_records(file->header, v, box))
        return read_records(file, v, box, scratch, &out->data, err);
    return nci_read_runs(file, v, box, scratch, &out->data, err);
}

static ncg_status read_tile(nci_file *file, int var, const int64_t *index,
                            nci_scratch *scratch, nci_tile *out, ncg_error *err)
{
    nci_box box;
    if (!nci_tile_box(file->header, &file->header->vars[var], index, &box))
        return nci_fail(err, NCG_EBUG, "no such chunk");
    return read_part(file, var, &box, scratch, out, err);
}

const nci_driver nci_driver_classic = {"classic", inspect, NULL,
                                       read_tile, NULL,    read_part};
