/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_HUFFMAN_H
#define NCI_IO_WRITE_HUFFMAN_H
/*
 * Prefix codes of deflate (RFC 1951, 3.2.2): lengths from frequencies, codes
 * from lengths, and the bits they are written as. No state, no allocation.
 */
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NCI_CODE_SYMBOLS = 288, NCI_CODE_LONGEST = 15 };

/* Codes are bit-reversed: deflate writes them from the highest bit. */
typedef struct nci_code {
    uint16_t bits[NCI_CODE_SYMBOLS];
    uint8_t length[NCI_CODE_SYMBOLS]; /* 0: the symbol is not used */
} nci_code;

/* nci_code_make makes the code of `n` symbols, none longer than `longest`. Two
 * symbols at least get a code, as some decoders want it. */
void nci_code_make(nci_code *code, const uint32_t *count, int n, int longest);

/* Bits on their way into bytes; `out` has room for eight more than are used. */
typedef struct nci_bits {
    uint64_t held;
    unsigned count; /* of `held`, below 8 between calls */
    uint8_t *out;
} nci_bits;

/* nci_bits_put adds up to 56 bits. */
static inline void nci_bits_put(nci_bits *to, uint64_t bits, unsigned count)
{
    to->held |= bits << to->count;
    to->count += count;
    uint64_t whole = htole64(to->held);
    memcpy(to->out, &whole, sizeof whole);
    to->out += to->count / 8;
    to->held >>= to->count & ~7u; /* at most 56: less than the type's width */
    to->count &= 7;
}

/* nci_bits_align fills the last byte with zeros. */
static inline void nci_bits_align(nci_bits *to)
{
    nci_bits_put(to, 0, -to->count & 7);
}

#endif
