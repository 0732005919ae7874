/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_READER_H
#define NCI_IO_HDF5_READER_H
/*
 * The ground of the HDF5 reader: one file under inspection, blocks of it in
 * memory, and a cursor that never leaves its block. Addresses inside HDF5
 * structures are relative to the base address (a user block may come first);
 * offsets in error messages are positions in the file.
 *
 * Nothing that the file says is trusted. Every block is checked against the
 * file's length before memory is taken, and all bytes read count against a
 * budget, so structures that point at each other in a circle end as an error.
 */
#include "io/driver.h"

typedef struct nci_h5_block {
    uint8_t *data;
    size_t size;
    uint64_t address; /* relative, as written in the file */
} nci_h5_block;

enum { NCI_H5_HEAP_CACHE = 16 };

typedef struct nci_h5 {
    nci_bytes *bytes;
    uint64_t file_size;
    uint64_t base;   /* file position of address 0 */
    uint64_t root;   /* address of the root group's object header */
    uint64_t budget; /* bytes that may still be read */
    int offset_size; /* bytes of an address */
    int length_size; /* bytes of a length */
    nci_h5_block collections[NCI_H5_HEAP_CACHE]; /* global heap, last used */
    int next_collection;
} nci_h5;

/* nci_h5_open finds and reads the superblock (version 0 to 3).
 * Errors: EUNSUPPORTED: not HDF5, or a version that is not known; ECORRUPT:
 * damaged, or shorter than the superblock says. */
ncg_status nci_h5_open(nci_bytes *bytes, nci_h5 *out, ncg_error *err);
/* nci_h5_attach makes a reader of an already inspected file from the three
 * values that the superblock gave. */
void nci_h5_attach(nci_bytes *bytes, uint64_t base, int offset_size,
                   int length_size, nci_h5 *out);
void nci_h5_close(nci_h5 *h5);

/* nci_h5_load reads `nbytes` at `address` into fresh memory. `what` names the
 * structure in errors. */
ncg_status nci_h5_load(nci_h5 *h5, uint64_t address, uint64_t nbytes,
                       const char *what, nci_h5_block *out, ncg_error *err);
/* nci_h5_peek reads up to `nbytes` into `out`, fewer at the file's end, and
 * stores how many. For nodes whose size is written inside them. */
ncg_status nci_h5_peek(nci_h5 *h5, uint64_t address, size_t nbytes,
                       const char *what, void *out, size_t *got,
                       ncg_error *err);
void nci_h5_block_fini(nci_h5_block *block);
/* nci_h5_check_sum compares the last four bytes of `block` with the checksum
 * of all before them. */
ncg_status nci_h5_check_sum(const nci_h5 *h5, const nci_h5_block *block,
                            const char *what, ncg_error *err);
/* nci_h5_ignore_sums lets wrong checksums pass, in the whole process: for
 * fuzzers, which could not reach what lies behind them. */
void nci_h5_ignore_sums(bool ignore);
/* nci_h5_sum_differs compares a stored checksum with that of the bytes. */
bool nci_h5_sum_differs(uint64_t stored, const void *data, size_t nbytes);
/* nci_h5_corrupt fails with "WHAT at offset N: REASON". */
ncg_status nci_h5_corrupt(const nci_h5 *h5, uint64_t address, const char *what,
                          const char *reason, ncg_error *err);
/* nci_h5_sum is Jenkins' lookup3 hash, the checksum of HDF5's metadata. */
uint32_t nci_h5_sum(const void *data, size_t nbytes);

/* A position in a block. Reading beyond the end gives zeros and sets `failed`,
 * which is checked once after a group of reads. */
typedef struct nci_h5_cursor {
    const uint8_t *at, *end;
    bool failed;
} nci_h5_cursor;

static inline nci_h5_cursor nci_h5_cursor_of(const void *data, size_t size)
{
    const uint8_t *at = data;
    nci_h5_cursor cursor = {at, size ? at + size : at, false};
    return cursor;
}

static inline size_t nci_h5_left(const nci_h5_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* nci_h5_skip returns the bytes skipped, NULL when there are not as many. */
static inline const uint8_t *nci_h5_skip(nci_h5_cursor *cursor, uint64_t nbytes)
{
    const uint8_t *here = cursor->at;
    if (cursor->failed || nbytes > nci_h5_left(cursor)) {
        cursor->failed = true;
        return NULL;
    }
    cursor->at += nbytes;
    return here;
}

/* nci_h5_uint reads a little-endian unsigned number of 0 to 8 bytes. */
static inline uint64_t nci_h5_uint(nci_h5_cursor *cursor, int nbytes)
{
    const uint8_t *from = nci_h5_skip(cursor, (uint64_t)nbytes);
    uint64_t value = 0;
    for (int i = 0; from && i < nbytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* nci_h5_address reads an address; all bits set gives NCI_NO_ADDRESS. */
static inline uint64_t nci_h5_address(nci_h5_cursor *cursor, const nci_h5 *h5)
{
    uint64_t value = nci_h5_uint(cursor, h5->offset_size);
    uint64_t none = UINT64_MAX >> (64 - 8 * h5->offset_size);
    return value == none ? NCI_NO_ADDRESS : value;
}

static inline uint64_t nci_h5_length(nci_h5_cursor *cursor, const nci_h5 *h5)
{
    return nci_h5_uint(cursor, h5->length_size);
}

/* nci_h5_signature consumes four bytes and tells whether they are `text`. */
bool nci_h5_signature(nci_h5_cursor *cursor, const char *text);
/* nci_h5_log2 returns the position of the highest set bit; 0 for 0. */
int nci_h5_log2(uint64_t value);

#endif
