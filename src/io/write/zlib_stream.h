/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_ZLIB_STREAM_H
#define NCI_IO_WRITE_ZLIB_STREAM_H
/*
 * Zlib streams of shuffled chunks. The low bytes of computed numbers are noise
 * on which deflate spends most of its time and gains nothing; the shuffle puts
 * them first. They go into the stream as stored blocks, which also inflate at
 * the speed of a copy:
 *
 *     OFFSET  SIZE       MEANING
 *     0       2          zlib header
 *     2       n + 5 k    k stored blocks, not final: the first planes
 *     ..      ..         raw deflate of the other planes, final block
 *     end-4   4          adler32 of everything, big-endian
 *
 * The rest is libdeflate's. All this depends on the bytes alone, so equal chunks are equal bytes.
 */
#include <libdeflate.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nci_planes {
    const uint8_t *data;
    size_t n;     /* bytes of one plane */
    size_t count; /* planes: the size of an element; 1: not shuffled */
} nci_planes;

/* What one thread keeps to compress with, for one level. */
typedef struct nci_packer {
    int level;
    struct libdeflate_compressor *compressor;
} nci_packer;

/* nci_packer_fit turns a packer (or a zeroed one) to `level`; false where there
 * is no memory. nci_packer_fini accepts a zeroed one. */
bool nci_packer_fit(nci_packer *packer, int level);
void nci_packer_fini(nci_packer *packer);
/* nci_zlib_bound bounds the stream of `nbytes`. */
size_t nci_zlib_bound(size_t nbytes);
/* nci_zlib_pack returns the size of the stream in `out`, 0 where `room` is too
 * small. */
size_t nci_zlib_pack(nci_packer *packer, const nci_planes *planes, uint8_t *out,
                     size_t room);

#endif
