/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on arrays in memory, against plain OpenMP loops over the same
 * data: what the library costs where nothing has to be read or decoded.
 *
 *     in_memory [MIB] [THREADS] [f4|f8] [both|loop|ncgraph] [NAME...]
 *
 * MIB is the size of one array (1024), a square of values. Each line is the
 * best of three: the loop's seconds, ours, the ratio, the value of each (to be
 * compared) and the highest resident set of the process so far, so that for
 * peaks of their own the two have to run apart. A line of JSON says the same of
 * each.
 */
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ncgraph.h"

enum { REPEATS = 3, WIDTH = 256 /* of the chunks of rechunk */ };

static struct {
    int threads;
    ncg_dtype dtype;
    int64_t side, n;
    void *data[3];    /* freed when the arrays are let go */
    ncg_array *in[3]; /* a, b, c */
    ncg_context *ctx;
    void *result; /* as large as an array, for what is stored */
} bench;

static void check(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "in_memory: %s\n", err->message);
    exit(3);
}

static double peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* ---- arrays ---------------------------------------------------------------
 */

static void *allocate(void)
{
    void *data = malloc((size_t)bench.n * ncg_dtype_size(bench.dtype));
    if (!data) {
        fprintf(stderr, "in_memory: out of memory: name a smaller MIB\n");
        exit(3);
    }
    return data;
}

/* The same numbers as in arrays.py. */
static void fill(void *data, uint64_t seed)
{
    bool narrow = bench.dtype == NCG_DTYPE_F32;
    float *f = data;
    double *d = data;
#pragma omp parallel for
    for (int64_t i = 0; i < bench.n; i++) {
        uint64_t x = ((uint64_t)i + seed) * UINT64_C(6364136223846793005);
        double v = (double)(x >> 40) / (1 << 24) - 0.5;
        if (narrow)
            f[i] = (float)v;
        else
            d[i] = v;
    }
}

static void let_go(void *data, void *payload)
{
    (void)payload;
    free(data);
}

static ncg_array *wrap(void *data, const int64_t *chunks)
{
    int64_t shape[2] = {bench.side, bench.side};
    ncg_array *out;
    ncg_error err;
    check(ncg_array_from_memory(bench.ctx, bench.dtype, 2, shape, chunks, data,
                                NULL, let_go, NULL, &out, &err),
          &err);
    return out;
}

/* A number that changes where values are not in their places. */
static double probe(const void *data)
{
    const float *f = data;
    const double *d = data;
    double sum = 0;
    for (int64_t k = 0; k < 1000; k++) {
        int64_t at = k * 2654435761 % bench.n;
        double v = bench.dtype == NCG_DTYPE_F32 ? (double)f[at] : d[at];
        sum += v * (double)(k + 1);
    }
    return sum;
}

/* ---- ours -----------------------------------------------------------------
 */

static ncg_array *map(const char *op, ncg_array *x, ncg_array *y)
{
    ncg_array *both[2] = {x, y}, *out;
    ncg_error err;
    check(ncg_array_map(op, both, 2, &out, &err), &err);
    return out;
}

static double reduced(ncg_array *array, ncg_op op)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *end;
    ncg_error err;
    union {
        float f;
        double d;
    } value;
    how.op = op;
    check(ncg_array_reduce(array, NULL, 0, &how, &end, &err), &err);
    bool narrow = ncg_array_dtype(end) == NCG_DTYPE_F32;
    check(ncg_array_compute(end, &value, narrow ? 4 : 8, &err), &err);
    ncg_array_release(&end);
    return narrow ? (double)value.f : value.d;
}

static double ours_mean(void)
{
    return reduced(bench.in[0], NCG_OP_MEAN);
}

static double ours_std(void)
{
    return reduced(bench.in[0], NCG_OP_STD);
}

static double ours_product(void)
{
    ncg_array *product = map("multiply", bench.in[0], bench.in[1]);
    ncg_array *all = map("add", product, bench.in[2]);
    double value = reduced(all, NCG_OP_SUM);
    ncg_array_release(&product);
    ncg_array_release(&all);
    return value;
}

static double ours_transpose(void)
{
    ncg_array *turned;
    ncg_error err;
    check(ncg_array_transpose(bench.in[0], NULL, &turned, &err), &err);
    check(ncg_array_compute(turned, bench.result,
                            (size_t)bench.n * ncg_dtype_size(bench.dtype),
                            &err),
          &err);
    ncg_array_release(&turned);
    return probe(bench.result);
}

static ncg_status add_corners(const ncg_chunk *chunk, void *payload,
                              ncg_error *err)
{
    int64_t last = chunk->count[0] * chunk->count[1] - 1;
    double weight = (double)(chunk->start[1] / WIDTH + 1), *sum = payload;
    (void)err;
    if (chunk->dtype == NCG_DTYPE_F32) {
        const float *v = chunk->data;
        *sum += weight * ((double)v[0] + 2 * (double)v[last]);
    } else {
        const double *v = chunk->data;
        *sum += weight * (v[0] + 2 * v[last]);
    }
    return NCG_OK;
}

/* The new chunks stay in memory, which is new each time, as the loop's is. */
static double ours_rechunk(void)
{
    int64_t columns[2] = {-1, WIDTH};
    ncg_array *turned, *kept;
    ncg_collection end;
    ncg_error err;
    double sum = 0;
    check(ncg_array_rechunk(bench.in[0], columns, &turned, &err), &err);
    ncg_collection in = ncg_array_collection(turned);
    check(ncg_persist(bench.ctx, &in, 1, &end, &err), &err);
    kept = end.self;
    check(ncg_array_each_chunk(kept, add_corners, &sum, &err), &err);
    ncg_collection_release(&end);
    ncg_array_release(&turned);
    return sum;
}

/* ---- loops ----------------------------------------------------------------
 */

/* clang-format off */
#define EACH_VALUE(sums)                                                       \
    _Pragma(#sums) for (int64_t i = 0; i < n; i++)
#define EACH_BLOCK(from, size)                                                 \
    _Pragma("omp parallel for") for (int64_t from = 0; from < n; from += size)
/* clang-format on */

#define LOOPS(T, s)                                                            \
    static double mean_##s(const T *a, int64_t n)                              \
    {                                                                          \
        double sum = 0;                                                        \
        EACH_VALUE(omp parallel for simd reduction(+ : sum))                   \
        sum += (double)a[i];                                                   \
        return sum / (double)n;                                                \
    }                                                                          \
    static double std_##s(const T *a, int64_t n)                               \
    {                                                                          \
        double sum = 0, square = 0, k = (double)a[0];                          \
        EACH_VALUE(omp parallel for simd reduction(+ : sum, square))           \
        {                                                                      \
            double d = (double)a[i] - k;                                       \
            sum += d;                                                          \
            square += d * d;                                                   \
        }                                                                      \
        return sqrt((square - sum * sum / (double)n) / (double)n);             \
    }                                                                          \
    static double product_##s(const T *a, const T *b, const T *c, int64_t n)   \
    {                                                                          \
        double sum = 0;                                                        \
        EACH_VALUE(omp parallel for simd reduction(+ : sum))                   \
        sum += (double)(a[i] * b[i] + c[i]);                                   \
        return sum;                                                            \
    }                                                                          \
    static void transpose_##s(const T *a, int64_t n, T *out)                   \
    {                                                                          \
        EACH_BLOCK(i, 32)                                                      \
        for (int64_t j = 0; j < n; j += 32)                                    \
            for (int64_t y = i; y < i + 32 && y < n; y++)                      \
                for (int64_t x = j; x < j + 32 && x < n; x++)                  \
                    out[y * n + x] = a[x * n + y];                             \
    }                                                                          \
    /* Blocks of WIDTH columns, one after another, in new memory. */           \
    static double rechunk_##s(const T *a, int64_t n)                           \
    {                                                                          \
        double sum = 0;                                                        \
        T *out = allocate();                                                   \
        EACH_BLOCK(j, WIDTH)                                                   \
        {                                                                      \
            int64_t w = j + WIDTH < n ? WIDTH : n - j;                         \
            for (int64_t y = 0; y < n; y++)                                    \
                memcpy(out + j * n + y * w, a + y * n + j,                     \
                       (size_t)w * sizeof(T));                                 \
        }                                                                      \
        for (int64_t j = 0; j < n; j += WIDTH) {                               \
            int64_t w = j + WIDTH < n ? WIDTH : n - j;                         \
            const T *block = out + j * n;                                      \
            sum += (double)(j / WIDTH + 1) *                                   \
                   ((double)block[0] + 2 * (double)block[n * w - 1]);          \
        }                                                                      \
        free(out);                                                             \
        return sum;                                                            \
    }
LOOPS(float, f4)
LOOPS(double, f8)

#define LOOP(name, f4, f8)                                                     \
    static double name(void)                                                   \
    {                                                                          \
        const void *a = bench.data[0], *b = bench.data[1];                     \
        const void *c = bench.data[2];                                         \
        int64_t n = bench.n, side = bench.side;                                \
        void *out = bench.result;                                              \
        (void)b, (void)c, (void)n, (void)side, (void)out;                      \
        return bench.dtype == NCG_DTYPE_F32 ? f4 : f8;                         \
    }
LOOP(loop_mean, mean_f4(a, n), mean_f8(a, n))
LOOP(loop_std, std_f4(a, n), std_f8(a, n))
LOOP(loop_product, product_f4(a, b, c, n), product_f8(a, b, c, n))
LOOP(loop_transpose, (transpose_f4(a, side, out), probe(out)),
     (transpose_f8(a, side, out), probe(out)))
LOOP(loop_rechunk, rechunk_f4(a, side), rechunk_f8(a, side))

/* ---- the table ------------------------------------------------------------
 */

typedef struct row {
    const char *name;
    double (*loop)(void);
    double (*ours)(void);
    int inputs;                    /* how many arrays it reads */
    bool loop_stores, ours_stores; /* into bench.result */
} row;

static const row rows[] = {
    {"mean", loop_mean, ours_mean, 1, false, false},
    {"std", loop_std, ours_std, 1, false, false},
    {"a*b+c sum", loop_product, ours_product, 3, false, false},
    {"transpose", loop_transpose, ours_transpose, 1, true, true},
    {"rechunk", loop_rechunk, ours_rechunk, 1, false, false},
};
enum { NROWS = sizeof rows / sizeof rows[0] };

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 5; i < argc; i++)
        if (!strcmp(name, argv[i]))
            return true;
    return argc <= 5;
}

static double best_of(double (*fn)(void), double *value)
{
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = omp_get_wtime();
        *value = fn();
        double took = omp_get_wtime() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* What the rows need, and no more: the resident set is measured. */
static void set_up(const row *r, bool loop, bool ours)
{
    bool stores = (loop && r->loop_stores) || (ours && r->ours_stores);
    for (int i = 0; i < r->inputs; i++) {
        int64_t chunks[2] = {WIDTH, bench.side};
        bench.data[i] = allocate();
        fill(bench.data[i], (uint64_t)i + 1);
        bench.in[i] =
            wrap(bench.data[i], r->ours == ours_rechunk ? chunks : NULL);
    }
    if (stores) {
        bench.result = allocate();
        memset(bench.result, 1, (size_t)bench.n * ncg_dtype_size(bench.dtype));
    }
}

static void tear_down(void)
{
    for (int i = 0; i < 3; i++)
        ncg_array_release(&bench.in[i]);
    free(bench.result);
    bench.result = NULL;
}

static void print_row(const row *r, bool loop, bool ours)
{
    double seconds[2] = {NAN, NAN}, values[2] = {NAN, NAN};
    set_up(r, loop, ours);
    if (loop)
        seconds[0] = best_of(r->loop, &values[0]);
    if (ours)
        seconds[1] = best_of(r->ours, &values[1]);
    tear_down();
    printf("%-10s %9.4f %9.4f %7.2f %18.10g %18.10g %9.0f", r->name, seconds[0],
           seconds[1], seconds[1] / seconds[0], values[0], values[1],
           peak_mib());
    if (fabs(values[0] - values[1]) > 1e-6 * fabs(values[0]) + 1e-9)
        printf("  WRONG");
    printf("\n");
    for (int i = 0; i < 2; i++)
        if (i ? ours : loop)
            printf("{\"name\": \"%s\", \"program\": \"%s\", \"seconds\": %.6f, "
                   "\"value\": %.17g, \"peak_MB\": %.0f}\n",
                   r->name, i ? "ncgraph" : "loop", seconds[i], values[i],
                   peak_mib());
}

static void start(int argc, char **argv)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_error err;
    int64_t mib = argc > 1 ? atoll(argv[1]) : 1024;
    bench.threads = argc > 2 ? atoi(argv[2]) : omp_get_max_threads();
    bench.dtype = argc > 3 ? ncg_dtype_parse(argv[3]) : NCG_DTYPE_F64;
    if (mib < 1 || mib > 1 << 20 || bench.threads < 1 ||
        (bench.dtype != NCG_DTYPE_F32 && bench.dtype != NCG_DTYPE_F64)) {
        fprintf(stderr, "usage: in_memory [MIB] [THREADS] [f4|f8] "
                        "[both|loop|ncgraph] [NAME...]\n");
        exit(2);
    }
    double values = (double)(mib << 20) / (double)ncg_dtype_size(bench.dtype);
    bench.side = (int64_t)sqrt(values);
    bench.n = bench.side * bench.side;
    omp_set_num_threads(bench.threads);
    options.threads = bench.threads;
    check(ncg_context_create(&options, &bench.ctx, &err), &err);
}

int main(int argc, char **argv)
{
    const char *who = argc > 4 ? argv[4] : "both";
    start(argc, argv);
    printf("%-10s %9s %9s %7s %18s %18s %9s\n", ncg_dtype_name(bench.dtype),
           "loop s", "ours s", "ratio", "loop", "ours", "peak MiB");
    for (int i = 0; i < NROWS; i++)
        if (is_wanted(rows[i].name, argc, argv))
            print_row(&rows[i], strcmp(who, "ncgraph") != 0,
                      strcmp(who, "loop") != 0);
    ncg_context_destroy(&bench.ctx);
    return 0;
}
