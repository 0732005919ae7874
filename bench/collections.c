/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Computations on chunked data that dask.array is known for: rechunk,
 * (x + x.T).sum(), anomaly, quadratic means. arrays.py runs the same with dask.
 *
 *     collections NAME SHAPE CHUNKS MEM_MIB THREADS FILE...
 *
 * SHAPE and CHUNKS are like 1200x480x640; chunks divide the shape. A file holds
 * one array of float32: its chunks one after another, each in row-major order.
 * Prints a line of JSON: seconds, a value to be compared, managed bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ncgraph.h"

enum { MONTHS = 12, MAX_RANK = 3 };

static void check(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "collections: %s\n", err->message);
    exit(3);
}

static void fail(const char *what)
{
    fprintf(stderr, "collections: %s\n", what);
    exit(2);
}

/* ---- the chunks of a file ---------------------------------------------------
 */

typedef struct store {
    int rank, fd;
    int64_t shape[MAX_RANK], chunks[MAX_RANK];
} store;

static ncg_status read_run(const store *s, int64_t at, int64_t n, float *out,
                           ncg_error *err)
{
    char *to = (char *)out;
    int64_t left = n * (int64_t)sizeof *out;
    at *= (int64_t)sizeof *out;
    while (left > 0) {
        ssize_t got = pread(s->fd, to, (size_t)left, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            snprintf(err->message, sizeof err->message,
                     "cannot read %lld bytes at %lld", (long long)left,
                     (long long)at);
            return NCG_EIO;
        }
        to += got, at += got, left -= got;
    }
    return NCG_OK;
}

/* A box inside one chunk: as few reads as its rows lie together. */
static ncg_status read_box(void *payload, const int64_t *start,
                           const int64_t *count, void *out, ncg_error *err)
{
    const store *s = payload;
    int64_t chunk = 0, whole = 1, at[MAX_RANK], run = 1, n = 1;
    int split = s->rank; /* axes from here on are whole: they lie together */
    ncg_status st = NCG_OK;
    for (int d = 0; d < s->rank; d++) {
        chunk = chunk * (s->shape[d] / s->chunks[d]) + start[d] / s->chunks[d];
        whole *= s->chunks[d];
        at[d] = start[d] % s->chunks[d];
        n *= count[d];
    }
    while (split > 0 && count[split - 1] == s->chunks[split - 1])
        run *= count[--split];
    run *= split > 0 ? count[--split] : 1;
    for (int64_t done = 0; !st && done < n; done += run) {
        int64_t rest = done / run, place = 0, step = 1;
        for (int d = s->rank - 1; d >= 0; d--) {
            int64_t own = d < split ? rest % count[d] : 0;
            rest = d < split ? rest / count[d] : rest;
            place += (at[d] + own) * step;
            step *= s->chunks[d];
        }
        st = read_run(s, chunk * whole + place, run, (float *)out + done, err);
    }
    return st;
}

static int parse_sizes(const char *text, int64_t *out)
{
    int rank = 0;
    char *end;
    do {
        if (rank == MAX_RANK)
            fail("shapes have up to 3 axes");
        out[rank] = strtoll(text, &end, 10);
        if (out[rank++] < 1)
            fail("sizes are like 480x640, from 1 on");
        text = end + 1;
    } while (*end == 'x');
    return rank;
}

static ncg_array *open_store(ncg_context *ctx, char **argv, const char *path,
                             store *s)
{
    ncg_array *out;
    ncg_error err;
    s->rank = parse_sizes(argv[2], s->shape);
    if (parse_sizes(argv[3], s->chunks) != s->rank)
        fail("SHAPE and CHUNKS have the same number of axes");
    for (int d = 0; d < s->rank; d++)
        if (s->shape[d] % s->chunks[d])
            fail("CHUNKS divide SHAPE");
    s->fd = open(path, O_RDONLY);
    if (s->fd < 0)
        fail(path);
    check(ncg_array_from_callback(ctx, path, NCG_DTYPE_F32, s->rank, s->shape,
                                  s->chunks, NULL, read_box, NULL, s, &out,
                                  &err),
          &err);
    return out;
}

/* ---- steps ------------------------------------------------------------------
 */

static ncg_array *reduce(ncg_array *array, ncg_op op, size_t naxes, bool keeps)
{
    static const int axes[2] = {0, 1};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out;
    ncg_error err;
    how.op = op;
    how.keepdims = keeps;
    check(ncg_array_reduce(array, axes, naxes, &how, &out, &err), &err);
    return out;
}

static ncg_array *combine(const char *op, ncg_array *a, ncg_array *b)
{
    ncg_array *both[2] = {a, b}, *out;
    ncg_error err;
    check(ncg_array_map(op, both, 2, &out, &err), &err);
    return out;
}

/* Computes the arrays in one run; the mean of all their values. */
static double mean_of(ncg_context *ctx, ncg_array **arrays, size_t n)
{
    ncg_collection in[3];
    void *results[3];
    double sum = 0;
    ncg_error err;
    for (size_t i = 0; i < n; i++)
        in[i] = ncg_array_collection(arrays[i]);
    check(ncg_compute(ctx, in, n, NULL, results, &err), &err);
    for (size_t i = 0; i < n; i++) {
        const void *data = ncg_array_data(results[i]);
        int64_t size = ncg_array_size(results[i]);
        bool narrow = ncg_array_dtype(results[i]) == NCG_DTYPE_F32;
        double own = 0;
        for (int64_t k = 0; k < size; k++)
            own += narrow ? (double)((const float *)data)[k]
                          : ((const double *)data)[k];
        sum += own / (double)size;
        in[i].type->release_result(results[i]);
        ncg_array_release(&arrays[i]);
    }
    return sum / (double)n;
}

/* ---- the computations
 * -------------------------------------------------------- */

static ncg_status add_corners(const ncg_chunk *chunk, void *payload,
                              ncg_error *err)
{
    const float *v = chunk->data;
    int64_t last = chunk->count[0] * chunk->count[1] - 1;
    double *sum = payload;
    (void)err;
    *sum += (double)(chunk->start[1] / chunk->count[1] + 1) *
            ((double)v[0] + 2 * (double)v[last]);
    return NCG_OK;
}

/* Chunks of rows become chunks of columns, handed over one by one. */
static double rechunk(ncg_context *ctx, ncg_array **in)
{
    int64_t *sizes, columns[2] = {-1, 0};
    size_t nsizes;
    ncg_array *turned;
    double sum = 0;
    ncg_error err;
    (void)ctx;
    check(ncg_array_chunks(in[0], 0, &sizes, &nsizes, &err), &err);
    columns[1] = sizes[0];
    ncg_free(sizes);
    check(ncg_array_rechunk(in[0], columns, &turned, &err), &err);
    check(ncg_array_each_chunk(turned, add_corners, &sum, &err), &err);
    ncg_array_release(&turned);
    return sum;
}

static double transposed_sum(ncg_context *ctx, ncg_array **in)
{
    ncg_array *turned, *both, *end;
    ncg_error err;
    check(ncg_array_transpose(in[0], NULL, &turned, &err), &err);
    both = combine("add", in[0], turned);
    end = reduce(both, NCG_OP_SUM, 2, false);
    ncg_array_release(&turned);
    ncg_array_release(&both);
    return mean_of(ctx, &end, 1);
}

/* What is left when the mean of each month of all years is taken away. */
static double anomaly(ncg_context *ctx, ncg_array **in)
{
    const int64_t *shape = ncg_array_shape(in[0]);
    int64_t by_month[4] = {shape[0] / MONTHS, MONTHS, shape[1], shape[2]};
    ncg_array *years, *means, *departures, *end;
    ncg_error err;
    check(ncg_array_reshape(in[0], 4, by_month, &years, &err), &err);
    means = reduce(years, NCG_OP_MEAN, 1, true);
    departures = combine("subtract", years, means);
    end = reduce(departures, NCG_OP_STD, 2, false);
    ncg_array_release(&years);
    ncg_array_release(&means);
    ncg_array_release(&departures);
    return mean_of(ctx, &end, 1);
}

static double quadratic_means(ncg_context *ctx, ncg_array **in)
{
    ncg_array *ends[3];
    for (int i = 0; i < 3; i++) {
        ncg_array *product = combine("multiply", in[i / 2], in[(i + 1) / 2]);
        ends[i] = reduce(product, NCG_OP_MEAN, 1, false);
        ncg_array_release(&product);
    }
    return mean_of(ctx, ends, 3);
}

static const struct {
    const char *name;
    double (*run)(ncg_context *ctx, ncg_array **in);
    int rank, inputs;
} programs[] = {{"rechunk", rechunk, 2, 1},
                {"(x + x.T).sum()", transposed_sum, 2, 1},
                {"anomaly, std", anomaly, 3, 1},
                {"quadratic means", quadratic_means, 3, 2}};
enum { NPROGRAMS = sizeof programs / sizeof *programs };

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_context *ctx;
    ncg_error err;
    ncg_array *in[2] = {NULL, NULL};
    store stores[2];
    int which = 0;
    if (argc < 7 || argc > 8)
        fail("usage: collections NAME SHAPE CHUNKS MEM_MIB THREADS FILE...");
    while (which < NPROGRAMS && strcmp(argv[1], programs[which].name))
        which++;
    if (which == NPROGRAMS || argc - 6 != programs[which].inputs)
        fail("no such NAME, or not with so many files");
    options.memory_limit = atoll(argv[4]) << 20;
    options.threads = atoi(argv[5]);
    check(ncg_context_create(&options, &ctx, &err), &err);
    double start = clock_seconds();
    for (int i = 0; i < argc - 6; i++) {
        in[i] = open_store(ctx, argv, argv[6 + i], &stores[i]);
        if (ncg_array_rank(in[i]) != programs[which].rank)
            fail("NAME needs another number of axes");
    }
    double value = programs[which].run(ctx, in);
    double seconds = clock_seconds() - start;
    ncg_context_stats(ctx, &stats);
    printf("{\"seconds\": %.6f, \"value\": %.17g, \"managed_MB\": %.1f, "
           "\"spilled_MB\": %.1f}\n",
           seconds, value, (double)stats.peak_memory / 0x1p20,
           (double)stats.bytes_spilled / 0x1p20);
    for (int i = 0; i < 2; i++)
        ncg_array_release(&in[i]);
    ncg_context_destroy(&ctx);
    return 0;
}
