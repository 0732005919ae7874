/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * make_io_seeds FOLDER writes the seeds of the classic and filter fuzzers to
 * FOLDER/classic and FOLDER/filter.
 */
#include <blosc.h>
#include <libdeflate.h>
#include <lz4.h>
#include <netcdf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <szlib.h>
#include <zstd.h>

enum { CHUNK = 1024, ROOM = 4096, HEAD = 12 };

static const char *folder;

static const char *seed_path(const char *kind, const char *name)
{
    static char path[4096];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, kind);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", folder, kind, name);
    return path;
}

static void make_classic(const char *name, int format, int nrecord_vars)
{
    int ncid, dims[2], id;
    const char *path = seed_path("classic", name);
    const size_t start[] = {0, 0}, count[] = {3, 5};
    const double values[15] = {1, 2, 3};
    nc_create(path, NC_CLOBBER | format, &ncid);
    nc_def_dim(ncid, "t", NC_UNLIMITED, &dims[0]);
    nc_def_dim(ncid, "x", 5, &dims[1]);
    nc_put_att_text(ncid, NC_GLOBAL, "title", 3, "abc");
    nc_def_var(ncid, "f", NC_DOUBLE, 1, dims + 1, &id);
    nc_put_att_double(ncid, id, "range", NC_FLOAT, 2, values);
    nc_enddef(ncid);
    nc_put_var_double(ncid, id, values);
    for (int v = 0; v < nrecord_vars; v++) {
        char var[8];
        snprintf(var, sizeof var, "r%d", v);
        nc_redef(ncid);
        nc_def_var(ncid, var, v % 2 ? NC_FLOAT : NC_SHORT, 2, dims, &id);
        nc_enddef(ncid);
        nc_put_vara_double(ncid, id, start, count, values);
    }
    nc_close(ncid);
}

static void make_filter(const char *name, int which, const uint8_t *stored,
                        size_t n)
{
    const uint8_t head[HEAD] = {1,
                                (uint8_t)which,
                                0,
                                0,
                                0,
                                3,
                                (CHUNK - 1) & 255,
                                (CHUNK - 1) >> 8,
                                4,
                                8,
                                32,
                                64};
    FILE *out = fopen(seed_path("filter", name), "wb");
    fwrite(head, 1, HEAD, out);
    fwrite(stored, 1, n, out);
    fclose(out);
}

static void make_filters(void)
{
    uint8_t plain[CHUNK], stored[ROOM] = {0};
    size_t n = ROOM - 4;
    for (int i = 0; i < CHUNK; i++)
        plain[i] = (uint8_t)(i * i / 50);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    make_filter("deflate", 0, stored,
                libdeflate_zlib_compress(c, plain, CHUNK, stored, ROOM));
    libdeflate_free_compressor(c);
    make_filter("shuffle", 1, plain, CHUNK);
    make_filter("zstd", 6, stored,
                ZSTD_compress(stored, ROOM, plain, CHUNK, 3));
    SZ_com_t szip = {4, 32, 8, 64};
    stored[0] = CHUNK & 255;
    stored[1] = CHUNK >> 8;
    stored[2] = stored[3] = 0;
    if (SZ_BufftoBuffCompress(stored + 4, &n, plain, CHUNK, &szip) == SZ_OK)
        make_filter("szip", 3, stored, n + 4);
    const char *const codecs[] = {"blosclz", "lz4", "zlib", "zstd"};
    for (int i = 0; i < 4; i++)
        make_filter(codecs[i], 4, stored,
                    (size_t)blosc_compress_ctx(5, i % 3, 4, CHUNK, plain,
                                               stored, ROOM, codecs[i], 0, 1));
    memset(stored, 0, 16);
    stored[6] = CHUNK >> 8;
    stored[10] = CHUNK >> 8;
    int got = LZ4_compress_default((const char *)plain, (char *)stored + 16,
                                   CHUNK, ROOM - 16);
    stored[14] = (uint8_t)(got >> 8);
    stored[15] = (uint8_t)got;
    make_filter("lz4_frame", 5, stored, (size_t)got + 16);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    make_classic("cdf1.nc", 0, 2);
    make_classic("cdf2.nc", NC_64BIT_OFFSET, 1);
    make_classic("cdf5.nc", NC_64BIT_DATA, 3);
    make_filters();
    return 0;
}
