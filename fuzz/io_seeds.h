/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_FUZZ_IO_SEEDS_H
#define NCG_FUZZ_IO_SEEDS_H
/*
 * Small classic files and chunks stored through each filter: seeds for the
 * fuzzers and for their short run in the tests.
 */
#include <blosc.h>
#include <libdeflate.h>
#include <lz4.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <szlib.h>
#include <zstd.h>

enum { CLASSIC_SEEDS = 3, FILTER_SEEDS = 9 };

static inline void seed_classic(int number, const char *path)
{
    static const int formats[CLASSIC_SEEDS] = {0, NC_64BIT_OFFSET,
                                               NC_64BIT_DATA};
    static const int record_vars[CLASSIC_SEEDS] = {2, 1, 3};
    int ncid, dims[2], id;
    const size_t start[] = {0, 0}, count[] = {3, 5};
    const double values[15] = {1, 2, 3};
    nc_create(path, NC_CLOBBER | formats[number], &ncid);
    nc_def_dim(ncid, "t", NC_UNLIMITED, &dims[0]);
    nc_def_dim(ncid, "x", 5, &dims[1]);
    nc_put_att_text(ncid, NC_GLOBAL, "title", 3, "abc");
    nc_def_var(ncid, "f", NC_DOUBLE, 1, dims + 1, &id);
    nc_put_att_double(ncid, id, "range", NC_FLOAT, 2, values);
    nc_enddef(ncid);
    nc_put_var_double(ncid, id, values);
    for (int v = 0; v < record_vars[number]; v++) {
        char var[16];
        snprintf(var, sizeof var, "r%d", v);
        nc_redef(ncid);
        nc_def_var(ncid, var, v % 2 ? NC_FLOAT : NC_SHORT, 2, dims, &id);
        nc_enddef(ncid);
        nc_put_vara_double(ncid, id, start, count, values);
    }
    nc_close(ncid);
}

/* The filters in the order of fuzz_filter.c. */
enum {
    SEED_DEFLATE,
    SEED_SHUFFLE,
    SEED_FLETCHER32,
    SEED_SZIP,
    SEED_BLOSC,
    SEED_LZ4,
    SEED_ZSTD
};

enum { SEED_HEAD = 12, SEED_CHUNK = 1024, SEED_ROOM = 4096 };

/* What fuzz_filter.c takes: a head that picks the filter, the stored bytes. */
typedef struct seed_stored {
    int filter;
    size_t size;
    uint8_t bytes[SEED_ROOM];
} seed_stored;

static inline size_t seed_deflate(const uint8_t *plain, uint8_t *out)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t size =
        libdeflate_zlib_compress(c, plain, SEED_CHUNK, out, SEED_ROOM);
    libdeflate_free_compressor(c);
    return size;
}

static inline size_t seed_szip(const uint8_t *plain, uint8_t *out)
{
    SZ_com_t szip = {4, 32, 8, 64};
    size_t size = SEED_ROOM - 4;
    out[0] = SEED_CHUNK & 255;
    out[1] = SEED_CHUNK >> 8;
    out[2] = out[3] = 0;
    return SZ_BufftoBuffCompress(out + 4, &size, plain, SEED_CHUNK, &szip) ==
                   SZ_OK
               ? size + 4
               : 0;
}

static inline size_t seed_lz4(const uint8_t *plain, uint8_t *out)
{
    int size = LZ4_compress_default((const char *)plain, (char *)out + 16,
                                    SEED_CHUNK, SEED_ROOM - 16);
    memset(out, 0, 16);
    out[6] = out[10] = SEED_CHUNK >> 8;
    out[14] = (uint8_t)(size >> 8);
    out[15] = (uint8_t)size;
    return (size_t)size + 16;
}

static inline size_t seed_blosc(int number, const uint8_t *plain, uint8_t *out)
{
    static const char *const codecs[] = {"blosclz", "lz4", "zlib", "zstd"};
    return (size_t)blosc_compress_ctx(5, number % 3, 4, SEED_CHUNK, plain, out,
                                      SEED_ROOM, codecs[number], 0, 1);
}

static inline void seed_store(int number, const uint8_t *plain,
                              seed_stored *stored)
{
    static const int filters[FILTER_SEEDS] = {
        SEED_BLOSC,   SEED_BLOSC, SEED_BLOSC, SEED_BLOSC, SEED_DEFLATE,
        SEED_SHUFFLE, SEED_SZIP,  SEED_LZ4,   SEED_ZSTD};
    uint8_t *out = stored->bytes;
    stored->filter = filters[number];
    switch (stored->filter) {
    case SEED_DEFLATE:
        stored->size = seed_deflate(plain, out);
        break;
    case SEED_SHUFFLE: /* shuffled bytes are any bytes */
        memcpy(out, plain, SEED_CHUNK);
        stored->size = SEED_CHUNK;
        break;
    case SEED_SZIP:
        stored->size = seed_szip(plain, out);
        break;
    case SEED_BLOSC:
        stored->size = seed_blosc(number, plain, out);
        break;
    case SEED_LZ4:
        stored->size = seed_lz4(plain, out);
        break;
    default:
        stored->size = ZSTD_compress(out, SEED_ROOM, plain, SEED_CHUNK, 3);
    }
}

/* Writes seed `number` to `out`, which has SEED_HEAD + SEED_ROOM bytes; its
 * size, or 0 where the library cannot store it. */
static inline size_t seed_filter(int number, uint8_t *out)
{
    uint8_t plain[SEED_CHUNK];
    seed_stored stored = {0};
    for (int i = 0; i < SEED_CHUNK; i++)
        plain[i] = (uint8_t)(i * i / 50);
    seed_store(number, plain, &stored);
    const uint8_t head[SEED_HEAD] = {1,
                                     (uint8_t)stored.filter,
                                     0,
                                     0,
                                     0,
                                     3,
                                     (SEED_CHUNK - 1) & 255,
                                     (SEED_CHUNK - 1) >> 8,
                                     4,
                                     8,
                                     32,
                                     64};
    memcpy(out, head, SEED_HEAD);
    memcpy(out + SEED_HEAD, stored.bytes, stored.size);
    return stored.size ? SEED_HEAD + stored.size : 0;
}

#endif
