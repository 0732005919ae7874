/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions of arrays in memory, against plain OpenMP loops over the same
 * data: what the engine costs where nothing has to be read or decoded.
 *
 *     in_memory [MIB] [THREADS] [f4|f8] [NAME...]
 *
 * MIB is the size of one array (1024), a square of values. Each line is the
 * best of three: the loop's seconds, ours, the ratio, and the highest resident
 * set of the process so far; the last line is the same as JSON.
 */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/executor.h"
#include "graph/ops/ops.h"

enum { REPEATS = 3 };

static struct {
    int threads;
    ncg_dtype dtype;
    int64_t side;
    nci_node *a, *b, *c;
    nci_executor *executor;
    nci_source_table *sources;
    void *result; /* as large as an array, for what is stored */
} bench;

static void check(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "in_memory: %s\n", err->message);
    exit(3);
}

static double now(void)
{
    return omp_get_wtime();
}

static double peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* ---- arrays --------------------------------------------------------------- */

static void fill(void *data, int64_t n, uint64_t seed)
{
    bool narrow = bench.dtype == NCG_DTYPE_F32;
    float *f = data;
    double *d = data;
#pragma omp parallel for num_threads(bench.threads)
    for (int64_t i = 0; i < n; i++) {
        uint64_t x = ((uint64_t)i + seed) * 6364136223846793005u;
        double v = (double)(x >> 40) / (1 << 24) - 0.5;
        if (narrow)
            f[i] = (float)v;
        else
            d[i] = v;
    }
}

static nci_node *make_array(uint64_t seed)
{
    ncg_error err;
    nci_buf *buf;
    nci_node *node;
    int64_t shape[2] = {bench.side, bench.side};
    int64_t n = bench.side * bench.side;
    check(nci_buf_create((size_t)n * ncg_dtype_size(bench.dtype), &buf, &err),
          &err);
    fill(nci_buf_data(buf), n, seed);
    check(nci_node_const(bench.dtype, 2, shape, buf, NULL, &node, &err), &err);
    nci_buf_release(&buf);
    return node;
}

/* ---- ours ----------------------------------------------------------------- */

static ncg_status encode(void *ctx, int output, const int64_t *index,
                         const int64_t *count, nci_buf *chunk_take,
                         nci_buf **out, ncg_error *err)
{
    (void)ctx, (void)output, (void)index, (void)count, (void)err;
    *out = chunk_take;
    return NCG_OK;
}

static ncg_status put(void *ctx, int output, const int64_t *index,
                      const nci_buf *encoded, ncg_error *err)
{
    (void)output, (void)index, (void)err;
    if (nci_buf_size(encoded) == 8)
        memcpy(ctx, nci_buf_data(encoded), 8);
    return NCG_OK;
}

static nci_node *reduce(nci_node *input, ncg_op op)
{
    nci_reduce how = {.op = op,
                      .over = {true, true},
                      .label_axis = -1,
                      .skipna = true,
                      .min_count = 1};
    nci_node *node;
    ncg_error err;
    check(nci_node_reduce(input, &how, NULL, &node, &err), &err);
    return node;
}

static nci_node *map(nci_map_op op, nci_node *x, nci_node *y)
{
    nci_operand in[2] = {{x, {0, 1}}, {y, {0, 1}}};
    nci_node *node;
    ncg_error err;
    check(nci_node_map(op, NCG_DTYPE_NONE, 2, x->shape, in, 2, &node, &err),
          &err);
    return node;
}

static nci_node *product_sum(void)
{
    nci_node *product = map(NCI_MAP_MUL, bench.a, bench.b);
    nci_node *all = map(NCI_MAP_ADD, product, bench.c);
    nci_node *sum = reduce(all, NCG_OP_SUM);
    nci_node_release(&product);
    nci_node_release(&all);
    return sum;
}

static nci_node *transposed(void)
{
    nci_operand in = {bench.a, {1, 0}};
    nci_node *node;
    ncg_error err;
    check(nci_node_map(NCI_MAP_VIEW, NCG_DTYPE_NONE, 2, bench.a->shape, &in, 1,
                       &node, &err),
          &err);
    return node;
}

static double run(nci_node *node)
{
    nci_grid grid;
    nci_plan *plan;
    nci_run_stats stats;
    ncg_error err;
    double value = 0;
    nci_sink sink = {.ctx = &value, .encode = encode, .put = put};
    check(nci_node_grid(node, &grid, &err), &err);
    nci_output output = {
        .node = node,
        .dtype = node->rank ? node->dtype : NCG_DTYPE_F64,
        .grid = &grid};
    check(nci_lower(&output, 1, &plan, &err), &err);
    check(nci_executor_run(bench.executor, plan, bench.sources, &sink, NULL,
                           NULL, NULL, &stats, &err),
          &err);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    return value;
}

static double ours_mean(void)
{
    nci_node *node = reduce(bench.a, NCG_OP_MEAN);
    double value = run(node);
    nci_node_release(&node);
    return value;
}

static double ours_std(void)
{
    nci_node *node = reduce(bench.a, NCG_OP_STD);
    double value = run(node);
    nci_node_release(&node);
    return value;
}

static double ours_product(void)
{
    nci_node *node = product_sum();
    double value = run(node);
    nci_node_release(&node);
    return value;
}

static double ours_transpose(void)
{
    nci_node *node = transposed();
    run(node);
    nci_node_release(&node);
    return 0;
}

/* ---- loops ---------------------------------------------------------------- */

#define LOOPS(T, s)                                                            \
    static double mean_##s(const T *a, int64_t n)                              \
    {                                                                          \
        double sum = 0;                                                        \
        _Pragma("omp parallel for simd reduction(+ : sum)") for (int64_t i =   \
                                                                     0;        \
                                                                 i < n; i++)   \
            sum += (double)a[i];                                               \
        return sum / (double)n;                                                \
    }                                                                          \
    static double std_##s(const T *a, int64_t n)                               \
    {                                                                          \
        double sum = 0, square = 0, k = (double)a[0];                          \
        _Pragma("omp parallel for simd reduction(+ : sum, square)") for (      \
            int64_t i = 0; i < n; i++)                                         \
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
        _Pragma("omp parallel for simd reduction(+ : sum)") for (int64_t i =   \
                                                                     0;        \
                                                                 i < n; i++)   \
            sum += (double)(a[i] * b[i] + c[i]);                               \
        return sum;                                                            \
    }                                                                          \
    static void transpose_##s(const T *a, int64_t n, T *out)                   \
    {                                                                          \
        enum { TILE = 32 };                                                    \
        _Pragma("omp parallel for") for (int64_t i = 0; i < n; i += TILE) for (\
            int64_t j = 0; j < n;                                              \
            j += TILE) for (int64_t y = i; y < i + TILE && y < n;              \
                            y++) for (int64_t x = j; x < j + TILE && x < n;    \
                                      x++) out[y * n + x] = a[x * n + y];      \
    }
LOOPS(float, f4)
LOOPS(double, f8)

#define LOOP(name, f4, f8)                                                     \
    static double name(void)                                                   \
    {                                                                          \
        const void *a = nci_buf_data(bench.a->data);                           \
        const void *b = bench.b ? nci_buf_data(bench.b->data) : NULL;          \
        const void *c = bench.c ? nci_buf_data(bench.c->data) : NULL;          \
        int64_t n = bench.side * bench.side;                                   \
        (void)b, (void)c;                                                      \
        return bench.dtype == NCG_DTYPE_F32 ? f4 : f8;                         \
    }
LOOP(loop_mean, mean_f4(a, n), mean_f8(a, n))
LOOP(loop_std, std_f4(a, n), std_f8(a, n))
LOOP(loop_product, product_f4(a, b, c, n), product_f8(a, b, c, n))
LOOP(loop_transpose, (transpose_f4(a, bench.side, bench.result), (void)n, 0),
     (transpose_f8(a, bench.side, bench.result), 0))

/* ---- the table ------------------------------------------------------------ */

static const struct {
    const char *name;
    double (*loop)(void);
    double (*ours)(void);
} rows[] = {
    {"mean", loop_mean, ours_mean},
    {"std", loop_std, ours_std},
    {"a*b+c sum", loop_product, ours_product},
    {"transpose", loop_transpose, ours_transpose},
};
enum { NROWS = sizeof rows / sizeof rows[0] };

static double best_of(double (*fn)(void), double *value)
{
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = now();
        *value = fn();
        double took = now() - start;
        best = took < best ? took : best;
    }
    return best;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 4; i < argc; i++)
        if (!strncmp(name, argv[i], strlen(argv[i])))
            return true;
    return argc <= 4;
}

int main(int argc, char **argv)
{
    ncg_error err;
    int64_t mib = argc > 1 ? atoll(argv[1]) : 1024;
    bench.threads = argc > 2 ? atoi(argv[2]) : omp_get_max_threads();
    bench.dtype = argc > 3 ? ncg_dtype_parse(argv[3]) : NCG_DTYPE_F64;
    if (bench.dtype != NCG_DTYPE_F32 && bench.dtype != NCG_DTYPE_F64)
        bench.dtype = NCG_DTYPE_F64;
    omp_set_num_threads(bench.threads);
    size_t size = ncg_dtype_size(bench.dtype);
    bench.side = (int64_t)sqrt((double)(mib << 20) / (double)size);
    nci_executor_options options = {.threads = bench.threads,
                                    .memory_limit = mib << 22};
    check(nci_executor_create(&options, &bench.executor, &err), &err);
    check(nci_source_table_create(&bench.sources, &err), &err);
    bench.a = make_array(1);
    bench.b = make_array(2);
    bench.c = make_array(3);
    bench.result = calloc((size_t)(bench.side * bench.side), size);
    memset(bench.result, 1, (size_t)(bench.side * bench.side) * size);
    printf("%-12s %10s %10s %7s %10s\n", ncg_dtype_name(bench.dtype), "loop s",
           "ours s", "ratio", "peak MiB");
    char json[2048];
    int used = snprintf(json, sizeof json, "{\"dtype\": \"%s\", \"mib\": %lld",
                        ncg_dtype_name(bench.dtype), (long long)mib);
    for (int i = 0; i < NROWS; i++) {
        double x, y;
        if (!is_wanted(rows[i].name, argc, argv))
            continue;
        double loop = best_of(rows[i].loop, &x);
        double ours = best_of(rows[i].ours, &y);
        printf("%-12s %10.4f %10.4f %7.2f %10.0f\n", rows[i].name, loop, ours,
               ours / loop, peak_mib());
        if (fabs(x - y) > 1e-4 * (fabs(x) + 1))
            printf("%s: %.12g and %.12g differ\n", rows[i].name, x, y);
        used += snprintf(json + used, sizeof json - (size_t)used,
                         ", \"%s\": [%.5f, %.5f, %.0f]", rows[i].name, loop,
                         ours, peak_mib());
    }
    printf("%s}\n", json);
    nci_node_release(&bench.a);
    nci_node_release(&bench.b);
    nci_node_release(&bench.c);
    nci_executor_destroy(&bench.executor);
    nci_source_table_free(&bench.sources);
    free(bench.result);
    return 0;
}
