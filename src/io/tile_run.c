/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data without storage chunks. What stands for a chunk is whole along the
 * fastest axes, partial along one and 1 along the slower ones, so that its
 * values are one run of bytes:
 *
 *     shape (12, 361, 720) of 4 bytes:  chunk (1, 22, 720), 63 kB
 *     shape (9000, 40, 20):             chunk (20, 40, 20)
 *
 * They are small: the accumulators of a chunk's cells and some steps of it fit
 * into a core's second-level cache. A part is a box of several, run by run.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/scratch.h"

enum { RUN_BYTES = 64 << 10, LIBRARY_BYTES = 2 << 20 };

bool nci_is_little_endian(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 1;
}

void nci_tile_chunk(int rank, const int64_t *shape, int64_t elem_size,
                    bool is_library, int64_t *chunk)
{
    int64_t room = is_library ? LIBRARY_BYTES : RUN_BYTES;
    room /= elem_size > 0 ? elem_size : 1;
    if (room < 1)
        room = 1;
    for (int d = rank - 1; d >= 0; d--) {
        int64_t size = shape[d] > 0 ? shape[d] : 1;
        chunk[d] = size < room ? size : room;
        room = size <= room ? room / size : 1;
    }
}

bool nci_tile_box(const nci_header *header, const nci_var *var,
                  const int64_t *index, nci_box *out)
{
    int64_t shape[NCG_MAX_RANK];
    nci_var_shape(header, var, shape);
    out->rank = var->rank;
    for (int d = 0; d < var->rank; d++) {
        int64_t chunk = var->storage.chunk[d], start;
        if (!nci_mul_i64(index[d], chunk, &start) || start >= shape[d])
            return false;
        out->start[d] = start;
        out->count[d] = shape[d] - start < chunk ? shape[d] - start : chunk;
    }
    return true;
}

bool nci_chunk_bytes(const nci_var *var, size_t *out)
{
    size_t nbytes = var->storage.elem_size;
    for (int d = 0; d < var->rank; d++)
        if (!nci_mul_size(nbytes, (size_t)var->storage.chunk[d], &nbytes))
            return false;
    *out = nbytes;
    return nbytes <= INT64_MAX;
}

bool nci_has_parts(const nci_var *var)
{
    return var->rank > 0 && (var->storage.layout == NCI_LAYOUT_CONTIGUOUS ||
                             var->storage.layout == NCI_LAYOUT_COMPACT ||
                             var->storage.layout == NCI_LAYOUT_RECORD);
}

int64_t nci_tile_bytes(const nci_var *var)
{
    size_t nbytes;
    if (!nci_chunk_bytes(var, &nbytes) || nbytes > (size_t)INT64_MAX / 16)
        return INT64_MAX / 16;
    bool is_part = nci_has_parts(var) && nbytes < NCI_PART_BYTES;
    return is_part ? NCI_PART_BYTES : (int64_t)nbytes;
}

/* Bytes from one position to the next along each axis, in the file. */
static void byte_strides(const nci_header *header, const nci_var *var,
                         uint64_t *stride)
{
    int64_t shape[NCG_MAX_RANK];
    uint64_t bytes = var->storage.elem_size;
    nci_var_shape(header, var, shape);
    for (int d = var->rank - 1; d >= 0; d--) {
        stride[d] = bytes;
        bytes *= (uint64_t)shape[d];
    }
    if (var->storage.layout == NCI_LAYOUT_RECORD)
        stride[0] = var->storage.record_size;
}

/* The first axis from which on the box is one run of bytes. */
static int run_axis(const nci_var *var, const nci_box *box,
                    const uint64_t *stride, uint64_t *nbytes)
{
    int d = var->rank;
    *nbytes = var->storage.elem_size;
    while (d > 0 && (stride[d - 1] == *nbytes || box->count[d - 1] == 1))
        *nbytes *= (uint64_t)box->count[--d];
    return d;
}

static ncg_status check_run(const nci_var *var, uint64_t offset,
                            uint64_t nbytes, ncg_error *err)
{
    const nci_storage *storage = &var->storage;
    if (storage->layout == NCI_LAYOUT_RECORD ||
        (offset <= storage->nbytes && nbytes <= storage->nbytes - offset))
        return NCG_OK;
    return nci_fail(err, NCG_ECORRUPT,
                    "the %" PRIu64 " stored bytes are fewer than the shape "
                    "needs",
                    storage->nbytes);
}

ncg_status nci_read_runs(nci_file *file, const nci_var *var, const nci_box *box,
                         nci_scratch *scratch, const uint8_t **out,
                         ncg_error *err)
{
    const nci_storage *storage = &var->storage;
    uint64_t stride[NCG_MAX_RANK], nbytes;
    int64_t at[NCG_MAX_RANK] = {0};
    uint8_t *raw;
    size_t all = (size_t)nci_box_size(box) * storage->elem_size;
    byte_strides(file->header, var, stride);
    int inner = run_axis(var, box, stride, &nbytes), d;
    NCI_TRY(nci_scratch_reserve(scratch, NCI_SCRATCH_RAW, all, &raw, err));
    *out = raw;
    do {
        uint64_t offset = 0;
        for (d = 0; d < box->rank; d++)
            offset += (uint64_t)(box->start[d] + at[d]) * stride[d];
        NCI_TRY(check_run(var, offset, nbytes, err));
        NCI_TRY(nci_bytes_read(file->bytes, storage->address + offset, nbytes,
                               raw, err));
        raw += nbytes;
        d = inner - 1;
        while (d >= 0 && ++at[d] == box->count[d])
            at[d--] = 0;
    } while (d >= 0);
    return NCG_OK;
}
