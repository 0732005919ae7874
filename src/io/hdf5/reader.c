/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of an HDF5 file and the checksum of its metadata. All reading of
 * structures goes through nci_h5_load and nci_h5_peek, which hold it to the
 * file's length and to the budget.
 */
#include "io/hdf5/reader.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

/* Every byte of a sound file's metadata is read once, those of shared types
 * and heaps more often; large files are mostly data. */
enum { BUDGET_LEAST = 64 << 20, BUDGET_FACTOR = 64, BUDGET_SMALL = 64 << 20 };

static uint64_t budget_for(uint64_t size)
{
    uint64_t small = size < BUDGET_SMALL ? size : BUDGET_SMALL;
    return BUDGET_LEAST + BUDGET_FACTOR * small + size / 2;
}

static _Atomic bool sums_ignored;

void nci_h5_ignore_sums(bool ignore)
{
    atomic_store(&sums_ignored, ignore);
}

bool nci_h5_sum_differs(uint64_t stored, const void *data, size_t nbytes)
{
    if (atomic_load_explicit(&sums_ignored, memory_order_relaxed))
        return false;
    return stored != nci_h5_sum(data, nbytes);
}

void nci_h5_attach(nci_bytes *bytes, uint64_t base, int offset_size,
                   int length_size, nci_h5 *out)
{
    uint64_t size = nci_bytes_size(bytes);
    *out = (nci_h5){.bytes = bytes, .file_size = size, .base = base};
    out->offset_size = offset_size;
    out->length_size = length_size;
    out->root = NCI_NO_ADDRESS;
    out->budget = budget_for(size);
}

void nci_h5_close(nci_h5 *h5)
{
    for (int i = 0; i < NCI_H5_HEAP_CACHE; i++)
        nci_h5_block_fini(&h5->collections[i]);
}

ncg_status nci_h5_corrupt(const nci_h5 *h5, uint64_t address, const char *what,
                          const char *reason, ncg_error *err)
{
    return nci_fail(err, NCG_ECORRUPT, "%s at offset %llu: %s", what,
                    (unsigned long long)(h5->base + address), reason);
}

/* Charges a read to the budget and checks where it begins. */
static ncg_status admit(nci_h5 *h5, uint64_t address, uint64_t nbytes,
                        const char *what, ncg_error *err)
{
    if (address == NCI_NO_ADDRESS)
        return nci_fail(err, NCG_ECORRUPT, "%s: its address is not set", what);
    if (address > h5->file_size - h5->base)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: its address %llu lies beyond the end of the file "
                        "of %llu bytes: damaged or truncated",
                        what, (unsigned long long)address,
                        (unsigned long long)h5->file_size);
    if (nbytes > h5->budget)
        return nci_h5_corrupt(h5, address, what,
                              "structures of the file lead in a circle", err);
    h5->budget -= nbytes;
    return NCG_OK;
}

ncg_status nci_h5_load(nci_h5 *h5, uint64_t address, uint64_t nbytes,
                       const char *what, nci_h5_block *out, ncg_error *err)
{
    NCI_TRY(admit(h5, address, nbytes, what, err));
    if (nbytes > h5->file_size - h5->base - address)
        return nci_h5_corrupt(h5, address, what,
                              "reaches beyond the end of the file", err);
    uint8_t *data = nci_alloc((size_t)nbytes);
    if (!data)
        return nci_fail(err, NCG_ENOMEM, "out of memory for %s", what);
    ncg_status st = nci_bytes_read(h5->bytes, h5->base + address,
                                   (size_t)nbytes, data, err);
    if (st) {
        nci_free(data);
        return st;
    }
    *out = (nci_h5_block){data, (size_t)nbytes, address};
    return NCG_OK;
}

ncg_status nci_h5_peek(nci_h5 *h5, uint64_t address, size_t nbytes,
                       const char *what, void *out, size_t *got, ncg_error *err)
{
    NCI_TRY(admit(h5, address, nbytes, what, err));
    uint64_t left = h5->file_size - h5->base - address;
    *got = nbytes < left ? nbytes : (size_t)left;
    return nci_bytes_read(h5->bytes, h5->base + address, *got, out, err);
}

void nci_h5_block_fini(nci_h5_block *block)
{
    nci_free(block->data);
    *block = (nci_h5_block){0};
}

bool nci_h5_signature(nci_h5_cursor *cursor, const char *text)
{
    const uint8_t *at = nci_h5_skip(cursor, 4);
    return at && !memcmp(at, text, 4);
}

int nci_h5_log2(uint64_t value)
{
    return value ? 63 - __builtin_clzll(value) : 0;
}

ncg_status nci_h5_check_sum(const nci_h5 *h5, const nci_h5_block *block,
                            const char *what, ncg_error *err)
{
    if (block->size < 4)
        return nci_h5_corrupt(h5, block->address, what, "too short", err);
    size_t n = block->size - 4;
    nci_h5_cursor tail = nci_h5_cursor_of(block->data + n, 4);
    if (nci_h5_sum_differs(nci_h5_uint(&tail, 4), block->data, n))
        return nci_h5_corrupt(h5, block->address, what, "wrong checksum", err);
    return NCG_OK;
}

static uint32_t rotate(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

static void step(uint32_t *a, uint32_t b, uint32_t *c, int bits)
{
    *a -= *c;
    *a ^= rotate(*c, bits);
    *c += b;
}

static void mix(uint32_t s[3])
{
    step(&s[0], s[1], &s[2], 4);
    step(&s[1], s[2], &s[0], 6);
    step(&s[2], s[0], &s[1], 8);
    step(&s[0], s[1], &s[2], 16);
    step(&s[1], s[2], &s[0], 19);
    step(&s[2], s[0], &s[1], 4);
}

static void last_step(uint32_t *to, uint32_t from, int bits)
{
    *to ^= from;
    *to -= rotate(from, bits);
}

static void mix_last(uint32_t s[3])
{
    last_step(&s[2], s[1], 14);
    last_step(&s[0], s[2], 11);
    last_step(&s[1], s[0], 25);
    last_step(&s[2], s[1], 16);
    last_step(&s[0], s[2], 4);
    last_step(&s[1], s[0], 14);
    last_step(&s[2], s[1], 24);
}

uint32_t nci_h5_sum(const void *data, size_t nbytes)
{
    const uint8_t *at = data;
    uint32_t start = 0xdeadbeef + (uint32_t)nbytes;
    uint32_t s[3] = {start, start, start};
    if (!nbytes)
        return start;
    while (nbytes > 12) {
        for (int i = 0; i < 3; i++, at += 4)
            s[i] += (uint32_t)at[0] | (uint32_t)at[1] << 8 |
                    (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        mix(s);
        nbytes -= 12;
    }
    for (size_t i = 0; i < nbytes; i++)
        s[i / 4] += (uint32_t)at[i] << (8 * (i % 4));
    mix_last(s);
    return s[2];
}
