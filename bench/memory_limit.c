/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data many times larger than the memory limit: anomaly, (x + x.T).sum(),
 * quadratic means and a full rechunk of generated arrays, each in a process of
 * its own, under the limit and without one. Prints the resident set, what was
 * spilled and whether the values are the same; exit code 1 where they are not
 * or the limit was passed.
 *
 *     memory_limit [GiB of data = 8] [MiB of limit = 1024] [spill directory]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ncgraph.h"

static void check(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "%s: %s\n", ncg_status_name(st), err->message);
    exit(2);
}

/* Sums of the bits of all values, whatever the order of the chunks. */
static ncg_status add_bits(const ncg_chunk *chunk, void *payload,
                           ncg_error *err)
{
    uint64_t *sum = payload, own = 0;
    const uint32_t *words = chunk->data;
    int64_t n = (int64_t)(ncg_dtype_size(chunk->dtype) / sizeof *words);
    (void)err;
    for (int d = 0; d < chunk->rank; d++)
        n *= chunk->count[d];
    for (int64_t i = 0; i < n; i++)
        own += words[i] * UINT64_C(0x9E3779B97F4A7C15) ^ words[i] >> 7;
    *sum += own;
    return NCG_OK;
}

static ncg_array *random_square(ncg_context *ctx, int64_t side, int64_t rows,
                                int64_t columns)
{
    int64_t shape[2] = {side, side}, chunks[2] = {rows, columns};
    ncg_array *out;
    ncg_error err;
    check(ncg_array_random(ctx, NCG_RANDOM_UNIFORM, 1, NCG_DTYPE_F32, 2, shape,
                           chunks, &out, &err),
          &err);
    return out;
}

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

/* ---- the computations ------------------------------------------------------ */

static ncg_array *anomaly(ncg_context *ctx, int64_t side)
{
    ncg_array *x = random_square(ctx, side, 256, side);
    return combine("subtract", x, reduce(x, NCG_OP_MEAN, 1, true));
}

static ncg_array *transposed_sum(ncg_context *ctx, int64_t side)
{
    ncg_array *x = random_square(ctx, side, 1024, 1024), *t;
    ncg_error err;
    check(ncg_array_transpose(x, NULL, &t, &err), &err);
    return reduce(combine("add", x, t), NCG_OP_SUM, 2, false);
}

static ncg_array *quadratic_means(ncg_context *ctx, int64_t side)
{
    ncg_array *x = random_square(ctx, side, 512, 2048);
    return reduce(combine("multiply", x, x), NCG_OP_MEAN, 1, false);
}

/* Rows into columns: each new chunk needs a piece of all old ones. */
static ncg_array *full_rechunk(ncg_context *ctx, int64_t side)
{
    int64_t chunk[2] = {-1, 64};
    ncg_array *x = random_square(ctx, side, 64, side), *out;
    ncg_error err;
    check(ncg_array_rechunk(x, chunk, &out, &err), &err);
    return out;
}

typedef struct program {
    const char *name;
    ncg_array *(*make)(ncg_context *ctx, int64_t side);
} program;

static const program programs[] = {{"anomaly", anomaly},
                                   {"(x + x.T).sum()", transposed_sum},
                                   {"quadratic means", quadratic_means},
                                   {"full rechunk", full_rechunk}};
enum { NPROGRAMS = sizeof programs / sizeof *programs };

/* ---- runs ------------------------------------------------------------------- */

typedef struct outcome {
    uint64_t sum;
    double seconds;
    int64_t managed, spilled, resident;
} outcome;

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static outcome run(const program *p, int64_t side, int64_t limit,
                   const char *directory)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_stats stats = {.struct_size = sizeof stats};
    struct rusage usage;
    ncg_context *ctx;
    ncg_error err;
    outcome result = {0};
    options.memory_limit = limit;
    options.spill_directory = directory;
    check(ncg_context_create(&options, &ctx, &err), &err);
    double start = clock_seconds();
    check(ncg_array_each_chunk(p->make(ctx, side), add_bits, &result.sum,
                               &err),
          &err);
    result.seconds = clock_seconds() - start;
    ncg_context_stats(ctx, &stats);
    getrusage(RUSAGE_SELF, &usage);
    result.managed = stats.peak_memory;
    result.spilled = stats.bytes_spilled;
    result.resident = (int64_t)usage.ru_maxrss << 10;
    return result;
}

/* In a process of its own, for a resident set of its own. */
static outcome run_apart(const program *p, int64_t side, int64_t limit,
                         const char *directory)
{
    int ends[2], status = 0;
    outcome result = {0};
    if (pipe(ends))
        exit(2);
    pid_t child = fork();
    if (child == 0) {
        result = run(p, side, limit, directory);
        _exit(write(ends[1], &result, sizeof result) != sizeof result);
    }
    close(ends[1]);
    bool whole = read(ends[0], &result, sizeof result) == sizeof result;
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) < 0 || status || !whole)
        exit(2);
    return result;
}

int main(int argc, char **argv)
{
    double gib = argc > 1 ? atof(argv[1]) : 8;
    int64_t limit = (argc > 2 ? atoll(argv[2]) : 1024) << 20;
    const char *directory = argc > 3 ? argv[3] : NULL;
    int64_t side = (int64_t)sqrt(gib * 0x1p30 / 4);
    bool failed = false;
    printf("%lld x %lld float32, limit %lld MiB\n", (long long)side,
           (long long)side, (long long)limit >> 20);
    for (int i = 0; i < NPROGRAMS; i++) {
        outcome small = run_apart(&programs[i], side, limit, directory);
        outcome free = run_apart(&programs[i], side, INT64_C(1) << 40,
                                 directory);
        bool same = small.sum == free.sum;
        bool fits = small.resident <= limit && small.managed <= limit;
        printf("%-16s %7.1f s  resident %5lld MiB  managed %5lld MiB  spilled "
               "%6lld MiB  | unlimited %7.1f s  %5lld MiB  %s%s\n",
               programs[i].name, small.seconds,
               (long long)small.resident >> 20, (long long)small.managed >> 20,
               (long long)small.spilled >> 20, free.seconds,
               (long long)free.resident >> 20, same ? "equal" : "DIFFERS",
               fits ? "" : ", ABOVE THE LIMIT");
        fflush(stdout);
        failed = failed || !same || !fits;
    }
    return failed;
}
