/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_ENCODE_H
#define NCI_IO_WRITE_ENCODE_H
/*
 * One chunk from row-major values to the bytes that go into the file: padding,
 * shuffle, deflate. No lock; each thread keeps a compressor and scratch.
 */
#include "base/buf.h"
#include "io/write/layout.h"

/* nci_encode_chunk: `count` values an axis lie at `data`. */
ncg_status nci_encode_chunk(const nci_write_var *var, int level,
                            const int64_t *count, const void *data,
                            nci_buf **out, ncg_error *err);
/* How the chunks of a variable are encoded; what a process needs that encodes
 * them for the writer in another one. var.name is the only pointer in it. */
typedef struct nci_encoding {
    nci_write_var var;
    int level;
} nci_encoding;

/* nci_shuffle puts byte b of element i to out[b * n + i]. */
void nci_shuffle(const uint8_t *data, size_t n, size_t elem, uint8_t *out);

#endif
