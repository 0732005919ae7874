/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tiles of data without storage chunks. The box of a tile is whole along the
 * fastest axes, partial along one and 1 along the slower ones, so that its
 * values are one run of bytes:
 *
 *     shape (12, 361, 720) of 8 bytes:  tile (1, 361, 720), 2.1 MB
 *     shape (9, 5000, 5000):            tile (1, 52, 5000)
 */
#include <inttypes.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/scratch.h"

enum { TILE_BYTES = 2 << 20 };

bool nci_is_little_endian(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 1;
}

void nci_tile_chunk(int rank, const int64_t *shape, int64_t elem_size,
                    int64_t *chunk)
{
    int64_t room = TILE_BYTES / (elem_size > 0 ? elem_size : 1);
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

ncg_status nci_read_run(nci_file *file, const nci_var *var, const nci_box *box,
                        nci_scratch *scratch, const uint8_t **out,
                        ncg_error *err)
{
    const nci_storage *storage = &var->storage;
    int64_t shape[NCG_MAX_RANK], first = 0;
    uint8_t *raw;
    nci_var_shape(file->header, var, shape);
    for (int d = 0; d < box->rank; d++)
        first = first * shape[d] + box->start[d];
    uint64_t nbytes = (uint64_t)nci_box_size(box) * storage->elem_size;
    uint64_t offset = (uint64_t)first * storage->elem_size;
    if (offset > storage->nbytes || nbytes > storage->nbytes - offset)
        return nci_fail(err, NCG_ECORRUPT,
                        "the %" PRIu64 " stored bytes are fewer than the "
                        "shape needs",
                        storage->nbytes);
    NCI_TRY(nci_scratch_reserve(scratch, NCI_SCRATCH_RAW, nbytes, &raw, err));
    NCI_TRY(nci_bytes_read(file->bytes, storage->address + offset, nbytes, raw,
                           err));
    *out = raw;
    return NCG_OK;
}
