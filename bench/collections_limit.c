/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The machine's limit for the computations of collections.c (but the rechunk,
 * which is nothing but copying): plain loops over the same chunks of the same
 * files, built for this machine alone, on all cores. Nothing is general here:
 * each loop knows its shapes.
 *
 *     collections_limit NAME SHAPE CHUNKS THREADS FILE...
 *
 * Prints a line of JSON: the seconds of the computation, of reading its chunks
 * alone (each once, whole, into one buffer a thread), and the value.
 */
#include <fcntl.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MONTHS = 12, MAX_RANK = 3, BAND = 2048, TILE = 16 };

static struct {
    int rank, nfiles, fd[2];
    int64_t shape[MAX_RANK], chunk[MAX_RANK], count[MAX_RANK]; /* of chunks */
    int64_t nchunks, size; /* values of a chunk */
} in;

static void fail(const char *what)
{
    fprintf(stderr, "collections_limit: %s\n", what);
    exit(2);
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

static void *allocate(int64_t n, size_t size)
{
    void *data = aligned_alloc(64, ((size_t)n * size + 63) / 64 * 64);
    if (!data)
        fail("out of memory");
    return data;
}

static double *zeros(int64_t n)
{
    double *out = allocate(n, sizeof *out);
    memset(out, 0, (size_t)n * sizeof *out);
    return out;
}

/* Chunk `number` of a file. */
static void read_chunk(int file, int64_t number, float *out)
{
    char *to = (char *)out;
    int64_t left = in.size * 4, at = number * left;
    while (left > 0) {
        ssize_t got = pread(in.fd[file], to, (size_t)left, at);
        if (got <= 0)
            fail("cannot read a chunk");
        to += got, at += got, left -= got;
    }
}

static void read_all(void)
{
#pragma omp parallel
    {
        float *x = allocate(in.size, sizeof *x);
#pragma omp for schedule(dynamic)
        for (int64_t c = 0; c < in.nchunks * in.nfiles; c++)
            read_chunk((int)(c % in.nfiles), c / in.nfiles, x);
        free(x);
    }
}

/* ---- x + x.T ------------------------------------------------------------- */

/* The sum of a[y][x] + b[x][y], tile by tile, each turned in the cache. */
static double add_turned(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t y = 0; y < n; y += TILE)
        for (int64_t x = 0; x < n; x += TILE) {
            int64_t h = n - y < TILE ? n - y : TILE;
            int64_t w = n - x < TILE ? n - x : TILE;
            float turned[TILE][TILE];
            for (int64_t j = 0; j < w; j++)
                for (int64_t i = 0; i < h; i++)
                    turned[i][j] = b[(x + j) * n + y + i];
            for (int64_t i = 0; i < h; i++) {
                double row = 0;
#pragma omp simd reduction(+ : row)
                for (int64_t j = 0; j < w; j++)
                    row += (double)(a[(y + i) * n + x + j] + turned[i][j]);
                sum += row;
            }
        }
    return sum;
}

/* A chunk and its mirror, both ways. */
static double add_pair(int64_t i, int64_t j, float *a, float *b)
{
    int64_t side = in.count[0], n = in.chunk[0];
    read_chunk(0, i * side + j, a);
    if (i == j)
        return add_turned(a, a, n);
    read_chunk(0, j * side + i, b);
    return add_turned(a, b, n) + add_turned(b, a, n);
}

static double transposed_sum(void)
{
    int64_t side = in.count[0];
    double sum = 0;
#pragma omp parallel reduction(+ : sum)
    {
        float *a = allocate(in.size, sizeof *a), *b = allocate(in.size, 4);
#pragma omp for schedule(dynamic)
        for (int64_t p = 0; p < side * side; p++)
            if (p / side <= p % side)
                sum += add_pair(p / side, p % side, a, b);
        free(a);
        free(b);
    }
    return sum;
}

/* ---- steps of cells ------------------------------------------------------ */

/* Where the cells of a chunk's field begin among those of all fields. */
static int64_t first_cell(int64_t field)
{
    return field * in.chunk[1] * in.chunk[2];
}

/* Squares of the values less the first one seen, by month and cell. */
typedef struct months {
    double *k, *s, *q;
} months;

static void add_months(const float *x, int64_t at, months m, bool is_first)
{
    int64_t cells = in.chunk[1] * in.chunk[2], all = in.shape[1] * in.shape[2];
    for (int64_t c = 0; c < cells; c += BAND)
        for (int64_t month = 0; month < MONTHS; month++) {
            int64_t n = cells - c < BAND ? cells - c : BAND;
            double *k = m.k + month * all + at + c;
            double *s = m.s + month * all + at + c;
            double *q = m.q + month * all + at + c;
            for (int64_t t = month; t < in.chunk[0]; t += MONTHS)
#pragma omp simd
                for (int64_t i = 0; i < n; i++) {
                    double v = (double)x[t * cells + c + i];
                    k[i] = is_first && t == month ? v : k[i];
                    double d = v - k[i];
                    s[i] += d;
                    q[i] += d * d;
                }
        }
}

/* The mean over cells of the deviation over months and years: what is about
 * each month's mean. */
static double mean_deviation(months m)
{
    int64_t all = in.shape[1] * in.shape[2], years = in.shape[0] / MONTHS;
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int64_t c = 0; c < all; c++) {
        double squares = 0;
        for (int64_t month = 0; month < MONTHS; month++) {
            double s = m.s[month * all + c], q = m.q[month * all + c];
            squares += q - s * s / (double)years;
        }
        sum += sqrt(squares / (double)in.shape[0]);
    }
    return sum / (double)all;
}

/* Each core has fields of its own, of which it reads all steps. */
static double anomaly(void)
{
    int64_t n = MONTHS * in.shape[1] * in.shape[2];
    int64_t fields = in.nchunks / in.count[0];
    months m = {allocate(n, 8), zeros(n), zeros(n)};
#pragma omp parallel
    {
        float *x = allocate(in.size, sizeof *x);
#pragma omp for schedule(dynamic)
        for (int64_t f = 0; f < fields; f++)
            for (int64_t t = 0; t < in.count[0]; t++) {
                read_chunk(0, t * fields + f, x);
                add_months(x, first_cell(f), m, t == 0);
            }
        free(x);
    }
    double value = mean_deviation(m);
    free(m.k);
    free(m.s);
    free(m.q);
    return value;
}

/* All steps of some cells, whose sums stay in the cache. */
static void add_products(const float *x, const float *y, int64_t cells,
                         double *restrict xx, double *restrict xy,
                         double *restrict yy)
{
    for (int64_t c = 0; c < cells; c += BAND) {
        int64_t n = cells - c < BAND ? cells - c : BAND;
        for (int64_t t = 0; t < in.chunk[0]; t++)
#pragma omp simd
            for (int64_t i = 0; i < n; i++) {
                float a = x[t * cells + c + i], b = y[t * cells + c + i];
                xx[c + i] += (double)(a * a);
                xy[c + i] += (double)(a * b);
                yy[c + i] += (double)(b * b);
            }
    }
}

static double quadratic_means(void)
{
    int64_t all = in.shape[1] * in.shape[2];
    int64_t fields = in.nchunks / in.count[0];
    double *sums = zeros(3 * all), sum = 0;
#pragma omp parallel
    {
        float *x = allocate(in.size, sizeof *x), *y = allocate(in.size, 4);
#pragma omp for schedule(dynamic)
        for (int64_t f = 0; f < fields; f++)
            for (int64_t t = 0; t < in.count[0]; t++) {
                double *at = sums + first_cell(f);
                read_chunk(0, t * fields + f, x);
                read_chunk(1, t * fields + f, y);
                add_products(x, y, in.chunk[1] * in.chunk[2], at, at + all,
                             at + 2 * all);
            }
        free(x);
        free(y);
    }
    for (int64_t i = 0; i < 3 * all; i++)
        sum += sums[i] / (double)in.shape[0];
    free(sums);
    return sum / (double)(3 * all);
}

static const struct {
    const char *name;
    double (*run)(void);
    int rank, nfiles;
} programs[] = {{"(x + x.T).sum()", transposed_sum, 2, 1},
                {"anomaly, std", anomaly, 3, 1},
                {"quadratic means", quadratic_means, 3, 2}};
enum { NPROGRAMS = sizeof programs / sizeof *programs };

static void open_files(int argc, char **argv)
{
    in.rank = parse_sizes(argv[2], in.shape);
    if (parse_sizes(argv[3], in.chunk) != in.rank)
        fail("SHAPE and CHUNKS have the same number of axes");
    in.size = in.nchunks = 1;
    for (int d = 0; d < in.rank; d++) {
        if (in.shape[d] % in.chunk[d])
            fail("CHUNKS divide SHAPE");
        in.count[d] = in.shape[d] / in.chunk[d];
        in.nchunks *= in.count[d];
        in.size *= in.chunk[d];
    }
    in.nfiles = argc - 5;
    for (int i = 0; i < in.nfiles; i++)
        if ((in.fd[i] = open(argv[5 + i], O_RDONLY)) < 0)
            fail(argv[5 + i]);
    omp_set_num_threads(atoi(argv[4]) > 0 ? atoi(argv[4]) : 1);
}

int main(int argc, char **argv)
{
    int which = 0;
    if (argc < 6 || argc > 7)
        fail("usage: collections_limit NAME SHAPE CHUNKS THREADS FILE...");
    while (which < NPROGRAMS && strcmp(argv[1], programs[which].name))
        which++;
    if (which == NPROGRAMS || argc - 5 != programs[which].nfiles)
        fail("no such NAME, or not with so many files");
    open_files(argc, argv);
    if (in.rank != programs[which].rank)
        fail("NAME needs another number of axes");
    double start = omp_get_wtime();
    double value = programs[which].run();
    double seconds = omp_get_wtime() - start;
    start = omp_get_wtime();
    read_all();
    printf("{\"seconds\": %.6f, \"reading\": %.6f, \"value\": %.17g}\n",
           seconds, omp_get_wtime() - start, value);
    return 0;
}
