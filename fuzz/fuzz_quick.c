/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as planes to deflate: what comes out is read back by libdeflate and
 * fits into the room that was promised. The first byte is the number of planes.
 */
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "io/write/quick.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static nci_quick *quick;
    static struct libdeflate_decompressor *reader;
    if (!quick) {
        quick = nci_quick_create();
        reader = libdeflate_alloc_decompressor();
    }
    size_t count = size ? 1 + data[0] % 8u : 1;
    size_t n = size ? (size - 1) / count : 0;
    if (!quick || !reader || !n)
        return 0;
    /* Exact sizes, so that a byte too far is seen. */
    uint8_t *in = malloc(n * count), *back = malloc(n * count);
    uint8_t *out = malloc(nci_quick_bound(n, count));
    if (!in || !back || !out)
        abort();
    memcpy(in, data + 1, n * count);
    size_t packed = nci_quick_deflate(quick, in, n, count, out);
    if (libdeflate_deflate_decompress(reader, out, packed, back, n * count,
                                      NULL) != LIBDEFLATE_SUCCESS ||
        memcmp(in, back, n * count) != 0)
        abort();
    free(in);
    free(back);
    free(out);
    return 0;
}
