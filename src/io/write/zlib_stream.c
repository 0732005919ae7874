/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plane counts as noise when neither of deflate's two means would shorten it
 * by more than a fiftieth: coding of bytes by frequency (counted over the whole
 * plane, so that a small constant part shows) and repetition (tried on slices
 * of the plane). Planes are looked at in order and the first one that is no
 * noise ends the stored part.
 */
#include "io/write/zlib_stream.h"

#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    LEAST_PLANE = 32 << 10, /* smaller ones are not worth a look */
    STORED_MAX = 65535,     /* bytes of one stored block */
    SLICES = 8,
    SLICE = 4096, /* holds a few rows of most fields */
    TRIED = SLICES * SLICE
};
static const double NOISE = 0.98; /* of the size is left */

/* ---- what is noise ----------------------------------------------------- */

/* Four tables, so that equal neighbours do not wait for each other. */
static void count_bytes(const uint8_t *data, size_t n, uint32_t count[256])
{
    uint32_t more[3][256] = {{0}};
    size_t i = 0;
    memset(count, 0, 256 * sizeof *count);
    for (; i + 4 <= n; i += 4) {
        count[data[i]]++;
        more[0][data[i + 1]]++;
        more[1][data[i + 2]]++;
        more[2][data[i + 3]]++;
    }
    for (; i < n; i++)
        count[data[i]]++;
    for (int b = 0; b < 256; b++)
        count[b] += more[0][b] + more[1][b] + more[2][b];
}

/* Bytes that an ideal code of single bytes takes. */
static double coded_bytes(const uint8_t *data, size_t n)
{
    uint32_t count[256];
    double bits = 0;
    count_bytes(data, n, count);
    for (int b = 0; b < 256; b++)
        if (count[b])
            bits -= count[b] * log2(count[b] / (double)n);
    return bits / 8;
}

static uint32_t load4(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof x);
    return le32toh(x);
}

/* Positions of a sample whose next three bytes stood before, as far as a table
 * of the last places knows: among bytes by chance about none. */
static size_t count_repeats(const uint8_t *plane, size_t n)
{
    enum { BITS = 13 };
    uint8_t sample[TRIED];
    uint16_t last[1 << BITS];
    size_t found = 0;
    for (size_t i = 0; i < SLICES; i++)
        memcpy(sample + i * SLICE, plane + i * ((n - SLICE) / (SLICES - 1)),
               SLICE);
    memset(last, 0, sizeof last);
    for (size_t i = 1; i + 4 <= TRIED; i++) {
        uint32_t three = load4(sample + i) << 8;
        uint16_t *slot = &last[three * UINT32_C(2654435761) >> (32 - BITS)];
        found += load4(sample + *slot) << 8 == three;
        *slot = (uint16_t)i;
    }
    return found;
}

/* Each such position saves a byte at most, and mostly less. */
static bool is_noise(const uint8_t *plane, size_t n)
{
    return coded_bytes(plane, n) > NOISE * (double)n &&
           count_repeats(plane, n) < TRIED / 40;
}

static size_t count_noise(const nci_planes *planes)
{
    size_t noisy = 0;
    while (noisy < planes->count &&
           is_noise(planes->data + noisy * planes->n, planes->n))
        noisy++;
    return noisy;
}

/* ---- compressors ------------------------------------------------------- */

/* libdeflate's level 1 looks for repeats of four bytes and more. Bytes of
 * exponents and of packed numbers repeat by three, too: its files come out some
 * percent larger than zlib's at level 1. From level 2 on it finds these. */
static int effort(int level)
{
    return level == 1 ? 2 : level;
}

bool nci_packer_fit(nci_packer *packer, int level)
{
    if (packer->level != level)
        nci_packer_fini(packer);
    packer->level = level;
    if (!packer->compressor)
        packer->compressor = libdeflate_alloc_compressor(effort(level));
    return packer->compressor != NULL;
}

void nci_packer_fini(nci_packer *packer)
{
    if (packer->compressor)
        libdeflate_free_compressor(packer->compressor);
    *packer = (nci_packer){0};
}

/* ---- the stream -------------------------------------------------------- */

size_t nci_zlib_bound(size_t nbytes)
{
    return libdeflate_zlib_compress_bound(NULL, nbytes) +
           5 * (nbytes / STORED_MAX + 2);
}

static uint8_t *put_header(uint8_t *out, int level)
{
    /* 32 KiB window; a hint of the level; a multiple of 31 as a number */
    static const uint8_t hints[] = {0x01, 0x5e, 0x9c, 0xda};
    *out++ = 0x78;
    *out++ = hints[level < 2 ? 0 : level < 6 ? 1 : level < 8 ? 2 : 3];
    return out;
}

static uint8_t *put_stored(uint8_t *out, const uint8_t *data, size_t n)
{
    while (n) {
        uint16_t size = (uint16_t)(n < STORED_MAX ? n : STORED_MAX);
        *out++ = 0; /* neither final nor compressed */
        *out++ = (uint8_t)size;
        *out++ = (uint8_t)(size >> 8);
        *out++ = (uint8_t)~size;
        *out++ = (uint8_t)((uint16_t)~size >> 8);
        memcpy(out, data, size);
        out += size;
        data += size;
        n -= size;
    }
    return out;
}

static uint8_t *put_checksum(uint8_t *out, const uint8_t *data, size_t n)
{
    uint32_t sum = libdeflate_adler32(1, data, n);
    for (int shift = 24; shift >= 0; shift -= 8)
        *out++ = (uint8_t)(sum >> shift);
    return out;
}

size_t nci_zlib_pack(nci_packer *packer, const nci_planes *planes, uint8_t *out,
                     size_t room)
{
    size_t nbytes = planes->n * planes->count;
    bool is_large =
        planes->n >= LEAST_PLANE && planes->count > 1 && nbytes <= UINT32_MAX;
    size_t stored = is_large ? count_noise(planes) * planes->n : 0;
    if (!stored)
        return libdeflate_zlib_compress(packer->compressor, planes->data,
                                        nbytes, out, room);
    if (room < nci_zlib_bound(nbytes))
        return 0;
    uint8_t *at = put_stored(put_header(out, packer->level), planes->data,
                             stored);
    size_t left = room - (size_t)(at - out) - 4;
    size_t size =
        libdeflate_deflate_compress(packer->compressor, planes->data + stored,
                                    nbytes - stored, at, left);
    if (!size)
        return 0;
    return (size_t)(put_checksum(at + size, planes->data, nbytes) - out);
}
