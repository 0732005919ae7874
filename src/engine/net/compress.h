/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_COMPRESS_H
#define NCI_ENGINE_NET_COMPRESS_H
/* Pieces of chunks by Blosc (shuffle, then LZ4 or Zstd). Any thread. */
#include "engine/net/net.h"

/* nci_compress_bound returns the room that nci_compress needs. */
size_t nci_compress_bound(size_t nbytes);
/* nci_compress returns the bytes written to `out` (of nci_compress_bound), 0
 * where nothing is gained. `itemsize` 0: not known. */
size_t nci_compress(ncg_wire_compression how, int itemsize, const void *bytes,
                    size_t nbytes, void *out);
/* nci_decompress makes exactly `nbytes`: ENET where the input is something
 * else. */
ncg_status nci_decompress(const void *bytes, size_t ncompressed, void *out,
                          size_t nbytes, ncg_error *err);

#endif
