/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_SCRATCH_H
#define NCI_IO_SCRATCH_H
/*
 * One thread's buffers and decompressors. Buffers grow and never shrink; their
 * contents do not survive growing. The decompressors are made when first used.
 */
#include <libdeflate.h>
#include <zstd.h>

#include "io/io.h"

typedef enum nci_scratch_buffer {
    NCI_SCRATCH_RAW, /* stored bytes */
    NCI_SCRATCH_A,   /* decoded, in turn */
    NCI_SCRATCH_B,
    NCI_SCRATCH_BUFFERS
} nci_scratch_buffer;

struct nci_scratch {
    uint8_t *kept[NCI_SCRATCH_KEPT]; /* buffers of tiles that stay */
    size_t kept_capacity[NCI_SCRATCH_KEPT];
    uint8_t *buffer[NCI_SCRATCH_BUFFERS]; /* aligned to 64 */
    size_t capacity[NCI_SCRATCH_BUFFERS];
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
};

/* nci_scratch_reserve makes room for `nbytes` in a buffer. */
ncg_status nci_scratch_reserve(nci_scratch *scratch, nci_scratch_buffer which,
                               size_t nbytes, uint8_t **out, ncg_error *err);

#endif
