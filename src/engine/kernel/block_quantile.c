/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel of quantiles whose box holds the reduced axes whole. Nothing is
 * transposed or sorted: where cells lie side by side, the keys of a few of
 * them are copied row by row into blocks that fit the cache, and order
 * statistics are found by counting (select.h). Long columns are taken as
 * lines. Threads share the cells; each has memory for the keys of its own.
 *
 *     rows: runs of `length` values side by side, in the order of groups
 *     cells: positions of the kept axes, numbered in row-major order
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/quantile_index.h"
#include "engine/kernel/registry.h"
#include "engine/kernel/select.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum {
    MOST_COLUMN = 8192,     /* rows of columns; longer ones are lines */
    LINES_BYTES = 64 << 20, /* of lines that are filled together */
    LINES = 16,
    BLOCKS = 8, /* of columns, filled together: rows of 1 KiB */
    MOST_CELLS = BLOCKS * NCI_KEY_COLUMNS,
    PIECE = 256 /* values of a line on their way into a column */
};

typedef struct work {
    nci_quantile_call how;
    const nci_select_isa *isa;
    const nci_select_loops *loops;
    const ncg_chunk *in;
    const ncg_chunk *out;
    const void *missing; /* NULL: none */
    bool can_miss;
    size_t in_size, out_size;
    /* rows */
    int64_t nrows, length, nruns;
    int64_t *run;   /* where they begin */
    int64_t *first; /* runs of group g: first[g] .. first[g + 1] - 1 */
    int64_t ngroups;
    /* cells */
    int nkept;
    int64_t ncells, count[NCG_MAX_RANK];
    int64_t in_stride[NCG_MAX_RANK], out_stride[NCG_MAX_RANK];
    int64_t group_stride, q_stride; /* of the output */
    int nlines;                     /* 0: columns */
    int nblocks;
    int threads;
    int64_t each;          /* bytes of one thread: keys, spare */
    uint8_t *keys, *spare; /* of this thread; the first one's at first */
} work;

/* Some cells: where their first value and their result lie. */
typedef struct batch {
    int n;
    int64_t in[MOST_CELLS], out[MOST_CELLS];
    /* Cells that lie side by side, here and among the keys. */
    int nsegments, first[MOST_CELLS + 1];
    size_t key[MOST_CELLS]; /* bytes: the first key of cell c */
    size_t row, column;     /* bytes from one key to the next */
} batch;

static bool is_over(const work *w, int d)
{
    return w->how.param[NCI_QUANTILE_OVER] >> d & 1;
}

/* ---- rows and cells
 * --------------------------------------------------------------- */

/* Reduced axes at the end lie side by side, up to the one with groups. */
static void measure_rows(work *w)
{
    int label = (int)w->how.param[NCI_QUANTILE_LABEL_AXIS];
    w->length = w->nrows = 1;
    for (int d = w->in->rank - 1; d >= 0 && is_over(w, d) && d != label; d--)
        w->length *= w->in->count[d];
    for (int d = 0; d < w->in->rank; d++)
        w->nrows *= is_over(w, d) ? w->in->count[d] : 1;
    w->nruns = w->length ? w->nrows / w->length : 0;
    w->ngroups = label < 0 ? 1 : w->how.param[NCI_QUANTILE_NLABELS];
}

static void measure_cells(work *w)
{
    int label = (int)w->how.param[NCI_QUANTILE_LABEL_AXIS], o;
    int64_t stride[NCG_MAX_RANK], step = 1;
    o = w->out->rank - 1;
    w->ncells = 1;
    for (int d = w->in->rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= w->in->count[d];
    }
    step = 1;
    for (int d = w->in->rank - 1; d >= 0; d--) {
        if (is_over(w, d) && d != label) {
            o -= (int)(w->how.param[NCI_QUANTILE_KEEP] >> d & 1);
            continue;
        }
        if (d == label) {
            w->group_stride = step;
        } else {
            w->count[w->nkept] = w->in->count[d];
            w->in_stride[w->nkept] = stride[d];
            w->out_stride[w->nkept++] = step;
            w->ncells *= w->in->count[d];
        }
        step *= w->out->count[o--];
    }
    w->q_stride = step;
}

/* What one of `threads` takes at a time of n, at most. */
static int share(int64_t n, int threads, int64_t most)
{
    int64_t each = (n + threads - 1) / threads;
    return (int)(each < most ? each : most);
}

static ncg_status plan_work(const ncg_kernel_call *call, work *w,
                            ncg_error *err)
{
    *w = (work){.in = &call->inputs[0], .out = call->output};
    NCI_TRY(nci_quantile_read(call, &w->how, err));
    for (size_t i = 0; i < call->ninputs; i++) {
        bool has_values = true;
        for (int d = 0; d < call->inputs[i].rank; d++)
            has_values &= call->inputs[i].count[d] > 0;
        if (has_values)
            w->in = &call->inputs[i];
    }
    w->isa = nci_select_of(nci_isa_best());
    w->loops = nci_select_for(w->isa, w->in->dtype);
    w->can_miss = nci_dtype_is_float(w->in->dtype) || w->in->has_missing;
    w->missing = w->in->has_missing ? w->in->missing : NULL;
    w->in_size = ncg_dtype_size(w->in->dtype);
    w->out_size = ncg_dtype_size(w->out->dtype);
    measure_rows(w);
    measure_cells(w);
    int64_t line = w->nrows * (int64_t)w->loops->size;
    w->threads = call->threads > 1 ? call->threads : 1;
    int64_t blocks = (w->ncells + w->loops->columns - 1) / w->loops->columns;
    w->nblocks = share(blocks, w->threads, BLOCKS);
    if (w->nrows > MOST_COLUMN)
        w->nlines =
            share(w->ncells, w->threads,
                  line > LINES_BYTES / LINES ? LINES_BYTES / line : LINES);
    if (w->nrows > MOST_COLUMN && w->nlines < 1)
        w->nlines = 1;
    return NCG_OK;
}

/* Cells that are worked off together. */
static int64_t batch_size(const work *w)
{
    return w->nlines ? w->nlines : w->nblocks * w->loops->columns;
}

static int64_t nbatches(const work *w)
{
    int64_t size = batch_size(w);
    return size ? (w->ncells + size - 1) / size : 0;
}

/* Parts of one allocation, each aligned. */
static size_t place(size_t *end, int64_t nbytes)
{
    size_t at = *end;
    *end += ((size_t)nbytes + 63) & ~(size_t)63;
    return at;
}

/* Lays out the memory of a call; NULL: only measures. */
static int64_t lay_out(work *w, uint8_t *memory)
{
    size_t end = 0;
    int64_t line = w->nrows * (int64_t)w->loops->size;
    size_t run = place(&end, w->nruns * 8);
    size_t first = place(&end, (w->ngroups + 2) * 8);
    size_t keys = place(&end, w->nlines ? w->nlines * line
                                        : w->nblocks * w->nrows * NCI_KEY_ROW);
    size_t spare = place(&end, w->nlines ? line : 0);
    w->each = (int64_t)(end - keys);
    if (memory) {
        w->run = (int64_t *)(memory + run);
        w->first = (int64_t *)(memory + first);
        w->keys = memory + keys;
        w->spare = memory + spare;
    }
    return (int64_t)end + (w->threads - 1) * w->each;
}

static int64_t quantile_scratch(const ncg_kernel_call *call)
{
    work w;
    return plan_work(call, &w, NULL) ? 0 : lay_out(&w, NULL);
}

static int quantile_threads(const ncg_kernel_call *call, int available)
{
    enum { WORTH = 1 << 16 }; /* values a thread */
    work w;                   /* as if with all of them */
    if (plan_work(call, &w, NULL))
        return 1;
    int64_t worth = w.nrows * w.ncells / WORTH, most = nbatches(&w);
    most = worth < most ? worth : most;
    return most < available ? (int)most : available;
}

/* The group and the beginning of run `r`. */
static int64_t run_at(const work *w, int64_t r, int64_t *group)
{
    int label = (int)w->how.param[NCI_QUANTILE_LABEL_AXIS];
    int64_t at = 0, stride = 1, inside = w->length;
    *group = 0;
    for (int d = w->in->rank - 1; d >= 0; d--) {
        int64_t n = w->in->count[d];
        if (is_over(w, d) && inside > 1) {
            inside /= n;
        } else if (is_over(w, d)) {
            if (d == label)
                *group = w->how.labels[w->in->start[d] + r % n];
            at += r % n * stride;
            r /= n;
        }
        stride *= n;
    }
    return at;
}

/* Runs by group, in the order of their positions; label -1 belongs to none. */
static ncg_status list_runs(work *w, ncg_error *err)
{
    int64_t label = w->how.param[NCI_QUANTILE_LABEL_AXIS], group;
    if (label >= 0 &&
        w->how.param[NCI_QUANTILE_NLABELLED] != w->in->shape[label])
        return nci_fail(err, NCG_EBUG, "%lld labels for %lld positions",
                        (long long)w->how.param[NCI_QUANTILE_NLABELLED],
                        (long long)w->in->shape[label]);
    memset(w->first, 0, (size_t)(w->ngroups + 2) * sizeof *w->first);
    for (int64_t r = 0; r < w->nruns; r++) {
        run_at(w, r, &group);
        if (group >= w->ngroups)
            return nci_fail(err, NCG_EBUG, "label %lld of %lld groups",
                            (long long)group, (long long)w->ngroups);
        if (group >= 0)
            w->first[group + 2]++;
    }
    for (int64_t g = 2; g < w->ngroups + 2; g++)
        w->first[g] += w->first[g - 1];
    for (int64_t r = 0; r < w->nruns; r++) {
        int64_t at = run_at(w, r, &group);
        if (group >= 0)
            w->run[w->first[group + 1]++] = at;
    }
    return NCG_OK;
}

static void find_cells(const work *w, int64_t from, int64_t most, batch *out)
{
    out->n = 0;
    for (int64_t c = from; c < w->ncells && out->n < most; c++, out->n++) {
        int64_t rest = c, in = 0, to = 0;
        for (int k = 0; k < w->nkept; k++) {
            in += rest % w->count[k] * w->in_stride[k];
            to += rest % w->count[k] * w->out_stride[k];
            rest /= w->count[k];
        }
        out->in[out->n] = in;
        out->out[out->n] = to;
    }
}

/* Columns of a row share a block; lines are apart. */
static void find_segments(const work *w, batch *cells)
{
    int columns = w->loops->columns;
    size_t block = (size_t)w->nrows * NCI_KEY_ROW;
    cells->row = w->nlines ? w->loops->size : NCI_KEY_ROW;
    cells->column =
        w->nlines ? (size_t)w->nrows * w->loops->size : w->loops->size;
    cells->nsegments = 0;
    for (int c = 0; c < cells->n; c++) {
        bool is_new = c == 0 || cells->in[c] != cells->in[c - 1] + 1;
        cells->key[c] = (size_t)c * cells->column;
        if (!w->nlines) {
            cells->key[c] = (size_t)(c / columns) * block +
                            (size_t)(c % columns) * cells->column;
            is_new |= c % columns == 0;
        }
        if (is_new)
            cells->first[cells->nsegments++] = c;
    }
    cells->first[cells->nsegments] = cells->n;
}

/* ---- keys
 * ---------------------------------------------------------------------------
 */

static void load(const work *w, int64_t at, int64_t n, void *keys)
{
    const uint8_t *raw = w->in->data;
    w->isa->load[w->in->dtype](raw + (size_t)at * w->in_size, n, w->missing,
                               keys);
}

/* One row of every cell. */
static void load_row(const work *w, int64_t run, const batch *cells,
                     uint8_t *keys)
{
    uint64_t some[MOST_CELLS];
    size_t size = w->loops->size;
    for (int k = 0; k < cells->nsegments; k++) {
        int c = cells->first[k], n = cells->first[k + 1] - c;
        if (!w->nlines) {
            load(w, run + cells->in[c], n, keys + cells->key[c]);
            continue;
        }
        load(w, run + cells->in[c], n, some);
        for (int i = 0; i < n; i++)
            memcpy(keys + cells->key[c + i], (uint8_t *)some + (size_t)i * size,
                   size);
    }
}

/* A run of cell c: values side by side, `row` bytes apart as keys. */
static void load_run(const work *w, int64_t from, uint8_t *keys, size_t row)
{
    uint64_t some[PIECE];
    size_t size = w->loops->size;
    if (row == size) {
        load(w, from, w->length, keys);
        return;
    }
    for (int64_t at = 0; at < w->length; at += PIECE) {
        int64_t n = w->length - at < PIECE ? w->length - at : PIECE;
        load(w, from + at, n, some);
        if (size == 4)
            for (int64_t i = 0; i < n; i++)
                memcpy(keys + (size_t)(at + i) * row, (uint32_t *)some + i, 4);
        else
            for (int64_t i = 0; i < n; i++)
                memcpy(keys + (size_t)(at + i) * row, some + i, 8);
    }
}

/* Returns how many rows there are. */
static int64_t load_keys(const work *w, int64_t group, const batch *cells)
{
    uint8_t *keys = w->keys;
    for (int64_t r = w->first[group]; r < w->first[group + 1]; r++) {
        if (w->length == 1)
            load_row(w, w->run[r], cells, keys);
        else
            for (int c = 0; c < cells->n; c++)
                load_run(w, w->run[r] + cells->in[c], keys + cells->key[c],
                         cells->row);
        keys += (size_t)w->length * cells->row;
    }
    return (w->first[group + 1] - w->first[group]) * w->length;
}

/* ---- results
 * ------------------------------------------------------------------------ */

/* Ranks, and how far between two of them, of each cell. */
typedef struct ranking {
    nci_key_range range[NCI_KEY_COLUMNS];
    int64_t rank[NCI_KEY_COLUMNS];
    double gamma[NCI_KEY_COLUMNS];
    int64_t pair[2 * NCI_KEY_COLUMNS];
} ranking;

static void find_ranks(const work *w, int n, double q, ranking *k)
{
    nci_quantile_method method =
        (nci_quantile_method)w->how.param[NCI_QUANTILE_METHOD];
    for (int c = 0; c < n; c++) {
        int64_t valid = k->range[c].valid;
        if (c && valid == k->range[c - 1].valid) {
            k->rank[c] = k->rank[c - 1];
            k->gamma[c] = k->gamma[c - 1];
        } else {
            k->gamma[c] = 0;
            k->rank[c] =
                valid ? nci_quantile_index(method, valid, q, &k->gamma[c]) : 0;
        }
    }
}

static void put_results(const work *w, const batch *cells, int first, int n,
                        int64_t nrows, int64_t to, const ranking *k)
{
    bool skipna = w->how.param[NCI_QUANTILE_SKIPNA];
    ncg_dtype dtype = w->in->dtype;
    for (int c = 0; c < n; c++) {
        uint8_t *out = w->out->data;
        int64_t low = k->pair[2 * c], high = k->pair[2 * c + 1];
        double x = NAN;
        if (k->range[c].valid && (skipna || k->range[c].valid == nrows)) {
            x = nci_key_value(dtype, w->missing, low);
            if (k->gamma[c] != 0)
                x = nci_quantile_between(
                    x, nci_key_value(dtype, w->missing, high),
                    nci_key_step(dtype, w->missing, low, high), k->gamma[c]);
        }
        out += (size_t)(cells->out[first + c] + to) * w->out_size;
        if (w->out->dtype == NCG_DTYPE_F32)
            memcpy(out, &(float){(float)x}, sizeof(float));
        else
            memcpy(out, &x, sizeof x);
    }
}

/* Columns first .. of the batch, which is one block. */
static void run_block(const work *w, int64_t group, const batch *cells,
                      int first, int64_t n)
{
    ranking k;
    int columns = w->loops->columns;
    const uint8_t *keys = w->keys + cells->key[first];
    w->loops->column_ranges(keys, n, w->can_miss, k.range);
    for (int64_t i = 0; i < w->how.nq; i++) {
        find_ranks(w, columns, w->how.q[i], &k);
        w->loops->columns_at(keys, n, k.range, k.rank, k.pair);
        put_results(w, cells, first,
                    cells->n - first < columns ? cells->n - first : columns, n,
                    group * w->group_stride + i * w->q_stride, &k);
    }
}

static void run_columns(const work *w, int64_t group, const batch *cells)
{
    int columns = w->loops->columns, rest = cells->n % columns;
    if (rest)
        memset(w->keys + cells->key[cells->n - rest], 0,
               (size_t)w->nrows * NCI_KEY_ROW);
    int64_t n = load_keys(w, group, cells);
    for (int first = 0; first < cells->n; first += columns)
        run_block(w, group, cells, first, n);
}

static void run_lines(const work *w, int64_t group, const batch *cells)
{
    ranking k;
    size_t line = (size_t)w->nrows * w->loops->size;
    int64_t n = load_keys(w, group, cells);
    for (int c = 0; c < cells->n; c++)
        k.range[c] =
            w->loops->line_range(w->keys + (size_t)c * line, n, w->can_miss);
    for (int64_t i = 0; i < w->how.nq; i++) {
        find_ranks(w, cells->n, w->how.q[i], &k);
        for (int c = 0; c < cells->n; c++)
            w->loops->line_at(w->keys + (size_t)c * line, n, &k.range[c],
                              k.rank[c], w->spare, &k.pair[2 * c]);
        put_results(w, cells, 0, cells->n, n,
                    group * w->group_stride + i * w->q_stride, &k);
    }
}

static void run_batch(const work *w, int64_t number)
{
    batch cells;
    int64_t size = batch_size(w);
    find_cells(w, number * size, size, &cells);
    find_segments(w, &cells);
    for (int64_t g = 0; g < w->ngroups; g++)
        if (w->nlines)
            run_lines(w, g, &cells);
        else
            run_columns(w, g, &cells);
}

static void run_batches(const work *w)
{
    int64_t n = nbatches(w);
#ifdef _OPENMP
    if (w->threads > 1) {
#pragma omp parallel num_threads(w->threads)
        {
            work own = *w;
            own.keys += w->each * omp_get_thread_num();
            own.spare += w->each * omp_get_thread_num();
#pragma omp for schedule(dynamic)
            for (int64_t i = 0; i < n; i++)
                run_batch(&own, i);
        }
        return;
    }
#endif
    for (int64_t i = 0; i < n; i++)
        run_batch(w, i);
}

static ncg_status run_quantile(const ncg_kernel_call *call, ncg_error *err)
{
    work w;
    NCI_TRY(plan_work(call, &w, err));
    uint8_t *memory = nci_alloc_aligned((size_t)lay_out(&w, NULL));
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    lay_out(&w, memory);
    ncg_status st = list_runs(&w, err);
    if (!st)
        run_batches(&w);
    nci_free(memory);
    return st;
}

const nci_kernel nci_kernels_quantile[] = {
    {.name = "ncg.quantile/1",
     .run = run_quantile,
     .scratch = quantile_scratch,
     .is_even = true,
     .threads = quantile_threads},
    {0},
};
