/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/compress.h"

#include <blosc.h>

enum { LEVEL = 5 };

size_t nci_compress_bound(size_t nbytes)
{
    return nbytes + BLOSC_MAX_OVERHEAD;
}

size_t nci_compress(ncg_wire_compression how, int itemsize, const void *bytes,
                    size_t nbytes, void *out)
{
    const char *codec =
        how == NCG_WIRE_ZSTD ? BLOSC_ZSTD_COMPNAME : BLOSC_LZ4_COMPNAME;
    size_t width = itemsize > 0 && itemsize <= 255 ? (size_t)itemsize : 4;
    int level = how == NCG_WIRE_ZSTD ? 1 : LEVEL;
    if (nbytes > BLOSC_MAX_BUFFERSIZE)
        return 0;
    int n = blosc_compress_ctx(level, BLOSC_SHUFFLE, width, nbytes, bytes, out,
                               nci_compress_bound(nbytes), codec, 0, 1);
    return n > 0 && (size_t)n < nbytes ? (size_t)n : 0;
}

ncg_status nci_decompress(const void *bytes, size_t ncompressed, void *out,
                          size_t nbytes, ncg_error *err)
{
    size_t promised = 0;
    if (ncompressed < BLOSC_MIN_HEADER_LENGTH ||
        blosc_cbuffer_validate(bytes, ncompressed, &promised) ||
        promised != nbytes ||
        blosc_decompress_ctx(bytes, out, nbytes, 1) != (int)nbytes)
        return nci_fail(err, NCG_ENET,
                        "a compressed piece of a chunk (%zu of %zu bytes) is "
                        "damaged",
                        ncompressed, nbytes);
    return NCG_OK;
}
