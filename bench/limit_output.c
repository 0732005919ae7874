/* SPDX-License-Identifier: BSD-3-Clause */
/* The output side of the limit: see limit_output.h. */
#include "limit_output.h"

#include <fcntl.h>
#include <hdf5.h>
#include <libdeflate.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_RANK = 8 };

static struct {
    int rank, level;
    bool is_chunked, is_deflated, is_shuffled;
    size_t elem;
    hsize_t shape[MAX_RANK], chunk[MAX_RANK], nchunks[MAX_RANK];
    size_t count, chunk_values; /* chunks; values of one */
    uint8_t *values;
    uint8_t *is_kept; /* by chunk and plane: deflate does not shorten it */
} result;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "limit: %s: %s\n", which, what);
    exit(3);
}

static void *room(size_t nbytes)
{
    void *memory;
    if (posix_memalign(&memory, 64, nbytes + 64))
        die("out of memory", "output");
    return memory;
}

/* ---- what is written ----------------------------------------------------- */

static void find_filters(hid_t plist)
{
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        unsigned flags, config, params[8] = {0};
        size_t n = 8;
        H5Z_filter_t id = H5Pget_filter2(plist, (unsigned)i, &flags, &n, params,
                                         0, NULL, &config);
        if (id == H5Z_FILTER_SHUFFLE)
            result.is_shuffled = true;
        else if (id == H5Z_FILTER_DEFLATE)
            result.is_deflated = true;
        else
            die("only shuffle and deflate", "output");
        if (id == H5Z_FILTER_DEFLATE)
            result.level = (int)params[0];
    }
}

static void describe(hid_t set)
{
    hid_t space = H5Dget_space(set), plist = H5Dget_create_plist(set);
    result.rank = H5Sget_simple_extent_ndims(space);
    H5Sget_simple_extent_dims(space, result.shape, NULL);
    memcpy(result.chunk, result.shape, sizeof result.chunk);
    result.is_chunked = H5Pget_layout(plist) == H5D_CHUNKED;
    if (result.is_chunked)
        H5Pget_chunk(plist, MAX_RANK, result.chunk);
    find_filters(plist);
    result.count = result.chunk_values = 1;
    for (int d = 0; d < result.rank; d++) {
        result.nchunks[d] =
            (result.shape[d] + result.chunk[d] - 1) / result.chunk[d];
        result.count *= result.nchunks[d];
        result.chunk_values *= result.chunk[d];
    }
    H5Pclose(plist);
    H5Sclose(space);
}

/* Copies chunk i into `out`, rows of the last axis; what lies beyond the shape
 * becomes 0. */
static void cut(size_t i, uint8_t *out)
{
    hsize_t start[MAX_RANK], inside[MAX_RANK], at[MAX_RANK] = {0};
    int last = result.rank - 1;
    bool is_whole = true;
    for (int d = last; d >= 0; d--, i /= result.nchunks[d + 1]) {
        start[d] = i % result.nchunks[d] * result.chunk[d];
        inside[d] = result.shape[d] - start[d];
        is_whole = is_whole && inside[d] >= result.chunk[d];
        inside[d] = inside[d] < result.chunk[d] ? inside[d] : result.chunk[d];
    }
    if (!is_whole)
        memset(out, 0, result.chunk_values * result.elem);
    for (int d = 0; d >= 0;) {
        size_t from = 0, to = 0;
        for (int e = 0; e <= last; e++) {
            from = from * result.shape[e] + start[e] + at[e];
            to = to * result.chunk[e] + at[e];
        }
        memcpy(out + to * result.elem, result.values + from * result.elem,
               inside[last] * result.elem);
        for (d = last - 1; d >= 0 && ++at[d] == inside[d]; d--)
            at[d] = 0;
    }
}

/* ---- encoding ------------------------------------------------------------ */

/* SIZE is known to the compiler, which makes vector code of it. */
#define SPLIT(SIZE, WORD)                                                      \
    for (size_t i = 0; i < n; i++) {                                           \
        WORD word;                                                             \
        memcpy(&word, in + i * (SIZE), SIZE);                                  \
        for (size_t b = 0; b < (SIZE); b++)                                    \
            out[b * n + i] = (uint8_t)(word >> 8 * b);                         \
    }

static void split4(const uint8_t *restrict in, size_t n, uint8_t *restrict out)
{
    SPLIT(4, uint32_t)
}

static void split8(const uint8_t *restrict in, size_t n, uint8_t *restrict out)
{
    SPLIT(8, uint64_t)
}

static void split(const uint8_t *in, uint8_t *out)
{
    size_t n = result.chunk_values;
    if (result.elem == 4)
        split4(in, n, out);
    else if (result.elem == 8)
        split8(in, n, out);
    else
        die("only values of 4 and 8 bytes", "output");
}

/* Cuts and shuffles chunk i; `two` has room for it twice. */
static const uint8_t *planes_of(size_t i, uint8_t *two)
{
    uint8_t *shuffled = two + result.chunk_values * result.elem;
    cut(i, two);
    if (!result.is_shuffled)
        return two;
    split(two, shuffled);
    return shuffled;
}

static size_t plane_count(void)
{
    return result.is_shuffled ? result.elem : 1;
}

/* Neighbouring planes that deflate can shorten are one stream. */
static size_t encode(struct libdeflate_compressor *c, const uint8_t *planes,
                     const uint8_t *is_kept, uint8_t *out, size_t space)
{
    size_t count = plane_count(), used = 0;
    size_t n = result.chunk_values * result.elem / count;
    uint32_t sum = libdeflate_adler32(1, planes, n * count);
    memcpy(out, &sum, sizeof sum);
    used = sizeof sum;
    for (size_t p = 0, run; p < count; p += run) {
        for (run = 1; p + run < count && is_kept[p + run] == is_kept[p];)
            run++;
        if (is_kept[p]) {
            memcpy(out + used, planes + p * n, run * n);
            used += run * n;
        } else {
            used += libdeflate_deflate_compress(c, planes + p * n, run * n,
                                                out + used, space - used);
        }
    }
    return used;
}

static void find_kept(void)
{
    size_t nbytes = result.chunk_values * result.elem, count = plane_count();
    result.is_kept = calloc(result.count, count);
    if (!result.is_kept)
        die("out of memory", "output");
#pragma omp parallel
    {
        struct libdeflate_compressor *c =
            libdeflate_alloc_compressor(result.level);
        uint8_t *two = room(2 * nbytes), *out = room(nbytes);
        size_t n = nbytes / count;
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < result.count; i++) {
            const uint8_t *planes = planes_of(i, two);
            for (size_t p = 0; p < count; p++)
                result.is_kept[i * count + p] = !libdeflate_deflate_compress(
                    c, planes + p * n, n, out, n - n / 50);
        }
        libdeflate_free_compressor(c);
        free(two);
        free(out);
    }
}

void output_prepare(const char *like, const char *name)
{
    hid_t file = H5Fopen(like, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0)
        die("no such variable", name);
    hid_t type = H5Dget_type(set);
    size_t all = result.elem = H5Tget_size(type);
    describe(set);
    if (!result.rank)
        die("a scalar", name);
    for (int d = 0; d < result.rank; d++)
        all *= result.shape[d];
    result.values = room(all);
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, result.values) < 0)
        die("cannot be read", like);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    if (result.is_deflated)
        find_kept();
}

/* ---- writing ------------------------------------------------------------- */

static void write_all(int fd, const uint8_t *data, size_t n, size_t at)
{
    while (n) {
        ssize_t done = pwrite(fd, data, n, (off_t)at);
        if (done <= 0)
            die("cannot be written", "output");
        data += done;
        n -= (size_t)done;
        at += (size_t)done;
    }
}

size_t output_write(const char *path)
{
    char temporary[4096];
    size_t nbytes = result.chunk_values * result.elem;
    atomic_size_t end = 0;
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >=
        sizeof temporary)
        die("too long a path", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        die("cannot be created", temporary);
#pragma omp parallel
    {
        struct libdeflate_compressor *c =
            libdeflate_alloc_compressor(result.level);
        size_t space = libdeflate_deflate_compress_bound(c, nbytes) + 4096;
        uint8_t *two = room(2 * nbytes), *out = room(space);
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < result.count; i++) {
            const uint8_t *data = planes_of(i, two);
            size_t size = nbytes;
            if (result.is_deflated) {
                size = encode(c, data, result.is_kept + i * plane_count(), out,
                              space);
                data = out;
            }
            write_all(fd, data, size, atomic_fetch_add(&end, size));
        }
        libdeflate_free_compressor(c);
        free(two);
        free(out);
    }
    if (fsync(fd) || close(fd) || rename(temporary, path))
        die("cannot be finished", path);
    return end;
}
