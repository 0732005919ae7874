/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_PART_H
#define NCI_ENGINE_NET_PART_H
/*
 * Parts of chunks as runs of bytes: a part of rank r is a row-major sequence of
 * runs, each of which lies in the chunk without gaps.
 *
 *     chunk 4 x 6, part 2 x 3 at (1, 2):   . . . . . .
 *     two runs of three values             . . x x x .
 *                                          . . x x x .
 *                                          . . . . . .
 */
#include "engine/net/wire.h"

/* Where bytes of the chunk come from. */
typedef struct nci_bytes_from {
    const uint8_t *memory; /* NULL: a file */
    int file;
    int64_t offset; /* of the chunk in the file */
} nci_bytes_from;

/* nci_part_is_run tells whether the part is one run, which begins at *offset
 * in the chunk. */
bool nci_part_is_run(const nci_part *part, int64_t *offset);
/* nci_part_copy copies bytes [at, at + nbytes) of the part. EIO: the file. */
ncg_status nci_part_copy(const nci_part *part, const nci_bytes_from *from,
                         int64_t at, int64_t nbytes, uint8_t *out,
                         ncg_error *err);
/* nci_bytes_copy copies bytes [at, at + nbytes) of a chunk. */
ncg_status nci_bytes_copy(const nci_bytes_from *from, int64_t at,
                          int64_t nbytes, uint8_t *out, ncg_error *err);

#endif
