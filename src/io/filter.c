/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decode pipeline of filter.h. Steps alternate between the scratch's two
 * decoded buffers. In the common case, deflate over shuffle, one step runs:
 * libdeflate from RAW to A.
 */
#include "io/filter.h"

#include <string.h>

/* Progress of one chunk through the pipeline. */
typedef struct pipeline {
    const nci_storage *storage;
    uint32_t mask;
    size_t chunk_bytes;
    bool verify;
    nci_scratch *scratch;
    const uint8_t *data;
    size_t nbytes;
    nci_scratch_buffer next; /* the buffer that the next step fills */
} pipeline;

static bool is_active(const pipeline *p, int i)
{
    return !(p->mask >> i & 1) &&
           !nci_filter_changes_nothing(p->storage->filters[i].id);
}

static bool is_last_step(const pipeline *p, int i)
{
    while (--i >= 0)
        if (is_active(p, i))
            return false;
    return true;
}

/* The size that undoing filter i must give; false where another compressor
 * comes before it and *size is only a bound. */
static bool size_after(const pipeline *p, int i, size_t *size)
{
    bool is_exact = true;
    *size = p->chunk_bytes;
    for (int j = 0; j < i; j++) {
        if (!is_active(p, j))
            continue;
        uint32_t id = p->storage->filters[j].id;
        if (id == NCI_FILTER_FLETCHER32) {
            *size += 4;
        } else if (id != NCI_FILTER_SHUFFLE) {
            *size += *size / 8 + 65536;
            is_exact = false;
        }
    }
    return is_exact;
}

static ncg_status next_buffer(pipeline *p, size_t nbytes, uint8_t **out,
                              ncg_error *err)
{
    NCI_TRY(nci_scratch_reserve(p->scratch, p->next, nbytes, out, err));
    p->next = p->next == NCI_SCRATCH_A ? NCI_SCRATCH_B : NCI_SCRATCH_A;
    return NCG_OK;
}

static uint32_t load_le32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* HDF5 before 1.6.3 stored the sum with the bytes of each half swapped on some
 * machines; its library accepts both, and so do we. */
static bool checksum_fits(uint32_t stored, uint32_t computed)
{
    uint32_t swapped =
        (computed & 0x00ff00ff) << 8 | (computed & 0xff00ff00) >> 8;
    return stored == computed || stored == swapped;
}

static ncg_status undo_fletcher32(pipeline *p, ncg_error *err)
{
    if (p->nbytes < 4)
        return nci_fail(err, NCG_ECORRUPT,
                        "%zu stored bytes have no room for a checksum",
                        p->nbytes);
    p->nbytes -= 4;
    if (!p->verify)
        return NCG_OK;
    uint32_t stored = load_le32(p->data + p->nbytes);
    uint32_t computed = nci_fletcher32(p->data, p->nbytes);
    if (!checksum_fits(stored, computed))
        return nci_fail(err, NCG_ECORRUPT,
                        "wrong checksum: fletcher32 is %08x, stored is %08x",
                        (unsigned)computed, (unsigned)stored);
    return NCG_OK;
}

static ncg_status undo_shuffle(pipeline *p, int i, bool *is_left,
                               ncg_error *err)
{
    const nci_filter *filter = &p->storage->filters[i];
    size_t size = filter->nparams ? filter->params[0] : p->storage->elem_size;
    uint8_t *out;
    *is_left = false;
    if (size <= 1 || p->nbytes / size <= 1)
        return NCG_OK; /* one byte or one element: nothing was moved */
    if (is_last_step(p, i) && size == p->storage->elem_size &&
        p->nbytes == p->chunk_bytes) {
        *is_left = true;
        return NCG_OK;
    }
    NCI_TRY(next_buffer(p, p->nbytes, &out, err));
    nci_unshuffle(p->data, p->nbytes, size, out);
    p->data = out;
    return NCG_OK;
}

static ncg_status undo_codec(pipeline *p, int i, ncg_error *err)
{
    nci_codec_job job = {.filter = &p->storage->filters[i],
                         .scratch = p->scratch,
                         .in = p->data,
                         .n = p->nbytes};
    nci_codec codec = nci_codec_find(job.filter->id);
    if (!codec)
        return nci_filter_missing(job.filter->id, "", err);
    job.is_exact = size_after(p, i, &job.room);
    NCI_TRY(next_buffer(p, job.room, &job.out, err));
    NCI_TRY(codec(&job, err));
    p->data = job.out;
    p->nbytes = job.out_n;
    return NCG_OK;
}

ncg_status nci_filter_decode(const nci_storage *storage, uint32_t mask,
                             size_t chunk_bytes, bool verify,
                             nci_scratch *scratch, const uint8_t *raw,
                             size_t nbytes, nci_decoded *out, ncg_error *err)
{
    pipeline p = {storage, mask, chunk_bytes, verify,
                  scratch, raw,  nbytes,      NCI_SCRATCH_A};
    bool is_shuffled = false;
    for (int i = storage->nfilters - 1; i >= 0; i--) {
        if (!is_active(&p, i))
            continue;
        if (storage->filters[i].id == NCI_FILTER_FLETCHER32)
            NCI_TRY(undo_fletcher32(&p, err));
        else if (storage->filters[i].id == NCI_FILTER_SHUFFLE)
            NCI_TRY(undo_shuffle(&p, i, &is_shuffled, err));
        else
            NCI_TRY(undo_codec(&p, i, err));
    }
    if (p.nbytes != chunk_bytes)
        return nci_fail(err, NCG_ECORRUPT,
                        "the chunk decodes to %zu bytes instead of %zu",
                        p.nbytes, chunk_bytes);
    *out = (nci_decoded){p.data, is_shuffled};
    return NCG_OK;
}
