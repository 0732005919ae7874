/* SPDX-License-Identifier: BSD-3-Clause */
/* See scratch.h. A scratch is used by one thread at a time. */
#include "io/scratch.h"

#include "base/mem.h"
#include "io/file.h"

ncg_status nci_scratch_create(nci_scratch **out, ncg_error *err)
{
    nci_scratch *scratch = nci_calloc(1, sizeof *scratch);
    if (!scratch)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *out = scratch;
    return NCG_OK;
}

void nci_scratch_destroy(nci_scratch **slot)
{
    nci_scratch *scratch = *slot;
    *slot = NULL;
    if (!scratch)
        return;
    for (int i = 0; i < NCI_SCRATCH_BUFFERS; i++)
        nci_free(scratch->buffer[i]);
    for (int i = 0; i < NCI_SCRATCH_KEPT; i++)
        nci_free(scratch->kept[i]);
    if (scratch->deflate)
        libdeflate_free_decompressor(scratch->deflate);
    ZSTD_freeDCtx(scratch->zstd);
    nci_free(scratch);
}

ncg_status nci_scratch_reserve(nci_scratch *scratch, nci_scratch_buffer which,
                               size_t nbytes, uint8_t **out, ncg_error *err)
{
    if (nbytes > scratch->capacity[which] || !scratch->buffer[which]) {
        nci_free(scratch->buffer[which]);
        scratch->capacity[which] = 0;
        scratch->buffer[which] = nci_alloc_aligned(nbytes);
        if (!scratch->buffer[which])
            return nci_fail(err, NCG_ENOMEM,
                            "out of memory (%zu bytes for one chunk)", nbytes);
        scratch->capacity[which] = nbytes;
    }
    *out = scratch->buffer[which];
    return NCG_OK;
}

/* The buffer that holds the tile changes places with the one kept before. */
bool nci_scratch_keep(nci_scratch *scratch, const nci_tile *tile, int slot)
{
    for (int i = 0; i < NCI_SCRATCH_BUFFERS; i++) {
        size_t capacity = scratch->capacity[i];
        uint8_t *buffer = scratch->buffer[i];
        if (!buffer || tile->data != buffer)
            continue;
        scratch->buffer[i] = scratch->kept[slot];
        scratch->capacity[i] = scratch->kept_capacity[slot];
        scratch->kept[slot] = buffer;
        scratch->kept_capacity[slot] = capacity;
        return true;
    }
    return false;
}

ncg_status nci_scratch_room(nci_scratch *scratch, size_t nbytes, uint8_t **out,
                            ncg_error *err)
{
    return nci_scratch_reserve(scratch, NCI_SCRATCH_A, nbytes, out, err);
}

/* Filtered chunks hold stored bytes (at most a little more than decoded ones)
 * and one decoded copy, or two where several steps need them. */
int64_t nci_scratch_need(const nci_var *var)
{
    size_t nbytes;
    int copies = 1;
    if (!nci_chunk_bytes(var, &nbytes))
        return INT64_MAX;
    for (int i = 0; i < var->storage.nfilters && copies < 3; i++)
        if (var->storage.filters[i].id != NCI_FILTER_FLETCHER32)
            copies++;
    if (copies == 3 && var->storage.nfilters <= 3 &&
        var->storage.filters[0].id == NCI_FILTER_SHUFFLE)
        copies = 2; /* the kernels undo the shuffle */
    if (nbytes > (size_t)INT64_MAX / 8)
        return INT64_MAX;
    nbytes = (size_t)nci_tile_bytes(var);
    /* Records are picked out of spans. */
    int64_t span = var->storage.layout == NCI_LAYOUT_RECORD ? 4 << 20 : 0;
    return (int64_t)(nbytes * (size_t)copies + nbytes / 64 + 4096) + span;
}
