/* SPDX-License-Identifier: BSD-3-Clause */
/* The filters that need no library: HDF5's fletcher32 and the byte shuffle. */
#include <string.h>

#include "io/filter.h"

/* Longest run of 16-bit words whose sums cannot overflow 32 bits. */
enum { FLETCHER_RUN = 360 };

static uint32_t fold(uint32_t sum)
{
    return (sum & 0xffff) + (sum >> 16);
}

uint32_t nci_fletcher32(const uint8_t *data, size_t nbytes)
{
    uint32_t low = 0, high = 0;
    size_t words = nbytes / 2;
    while (words > 0) {
        size_t run = words < FLETCHER_RUN ? words : FLETCHER_RUN;
        words -= run;
        for (size_t i = 0; i < run; i++, data += 2) {
            low += (uint32_t)data[0] << 8 | data[1];
            high += low;
        }
        low = fold(low);
        high = fold(high);
    }
    if (nbytes % 2) {
        low = fold(low + ((uint32_t)*data << 8));
        high = fold(high + low);
    }
    return fold(high) << 16 | fold(low);
}

void nci_unshuffle(const uint8_t *in, size_t nbytes, size_t elem_size,
                   uint8_t *out)
{
    size_t count = nbytes / elem_size, whole = count * elem_size;
    for (size_t b = 0; b < elem_size; b++)
        for (size_t i = 0; i < count; i++)
            out[i * elem_size + b] = in[b * count + i];
    memcpy(out + whole, in + whole, nbytes - whole);
}
