/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernels of matmul and tensordot: sums of products over pairs of axes, and
 * sums of such partial sums. Floats are multiplied and added in double and
 * rounded once, integers in 64 bits that wrap.
 *
 * Axes may lie in any order: where a row, a column or a pair of factors lies is
 * read from tables of offsets, so nothing is transposed beforehand. Threads
 * share the tiles of the result.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/isa.h"
#include "engine/kernel/registry.h"
#include "graph/ops/contract.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum {
    MR = 4, /* of the innermost loop: rows, columns */
    NR = 8,
    ROWS = 192, /* of a tile */
    COLUMNS = 384,
    DEPTH = 256
};

/* A thread's memory: packed factors and a tile. */
#define LANE_BYTES                                                             \
    ((int64_t)sizeof(double) *                                                 \
     (ROWS * DEPTH + COLUMNS * DEPTH + ROWS * COLUMNS))

typedef struct factor {
    const void *data;
    ncg_dtype dtype;
    bool has_missing;
    uint8_t missing[8];
} factor;

typedef struct product {
    factor a, b;
    int64_t ni, nj, nk;
    int64_t *ai, *ak, *bk, *bj, *ci, *cj; /* offsets in elements */
    void *out;
    ncg_dtype dtype;
} product;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- the innermost loops
 * ----------------------------------------------------- */

typedef double lanes __attribute__((vector_size(32), aligned(8)));

#define MICRO_ROW(r)                                                           \
    do {                                                                       \
        lanes x = {a[r], a[r], a[r], a[r]};                                    \
        c##r##0 += x * b0;                                                     \
        c##r##1 += x * b1;                                                     \
    } while (0)
#define MICRO_LOAD(r)                                                          \
    lanes c##r##0 = *(lanes *)(c + r * COLUMNS);                               \
    lanes c##r##1 = *(lanes *)(c + r * COLUMNS + 4)
#define MICRO_STORE(r)                                                         \
    *(lanes *)(c + r * COLUMNS) = c##r##0;                                     \
    *(lanes *)(c + r * COLUMNS + 4) = c##r##1
#define MICRO_BODY                                                             \
    {                                                                          \
        MICRO_LOAD(0);                                                         \
        MICRO_LOAD(1);                                                         \
        MICRO_LOAD(2);                                                         \
        MICRO_LOAD(3);                                                         \
        for (int64_t k = 0; k < depth; k++, a += MR, b += NR) {                \
            lanes b0 = *(const lanes *)b, b1 = *(const lanes *)(b + 4);        \
            MICRO_ROW(0);                                                      \
            MICRO_ROW(1);                                                      \
            MICRO_ROW(2);                                                      \
            MICRO_ROW(3);                                                      \
        }                                                                      \
        MICRO_STORE(0);                                                        \
        MICRO_STORE(1);                                                        \
        MICRO_STORE(2);                                                        \
        MICRO_STORE(3);                                                        \
    }

static void micro_base(int64_t depth, const double *a, const double *b,
                       double *c) MICRO_BODY

#if defined(__x86_64__)
    __attribute__((target("avx2"))) static void micro_avx2(int64_t depth,
                                                           const double *a,
                                                           const double *b,
                                                           double *c) MICRO_BODY
#endif

    typedef void (*micro_fn)(int64_t depth, const double *a, const double *b,
                             double *c);

static micro_fn best_micro(void)
{
#if defined(__x86_64__)
    if (nci_isa_best() == &nci_isa_avx2)
        return micro_avx2;
#endif
    return micro_base;
}

typedef void (*micro_u64_fn)(int64_t depth, const uint64_t *a,
                             const uint64_t *b, uint64_t *c);

static void micro_u64(int64_t depth, const uint64_t *a, const uint64_t *b,
                      uint64_t *c)
{
    uint64_t sum[MR][NR];
    for (int r = 0; r < MR; r++)
        memcpy(sum[r], c + r * COLUMNS, sizeof sum[r]);
    for (int64_t k = 0; k < depth; k++, a += MR, b += NR)
        for (int r = 0; r < MR; r++)
            for (int s = 0; s < NR; s++)
                sum[r][s] += a[r] * b[s];
    for (int r = 0; r < MR; r++)
        memcpy(c + r * COLUMNS, sum[r], sizeof sum[r]);
}

#define INTEGERS(X)                                                            \
    X(NCG_DTYPE_I8, int8_t)                                                    \
    X(NCG_DTYPE_U8, uint8_t)                                                   \
    X(NCG_DTYPE_I16, int16_t)                                                  \
    X(NCG_DTYPE_U16, uint16_t)                                                 \
    X(NCG_DTYPE_I32, int32_t)                                                  \
    X(NCG_DTYPE_U32, uint32_t)                                                 \
    X(NCG_DTYPE_I64, int64_t)                                                  \
    X(NCG_DTYPE_U64, uint64_t)                                                 \
    X(NCG_DTYPE_BOOL, uint8_t)
#define FLOATS(X) X(NCG_DTYPE_F32, float) X(NCG_DTYPE_F64, double)

#define VALUE double
#define NAME(x) x##_f64
#define MISSING NAN
#define DTYPES(X) INTEGERS(X) FLOATS(X)
#define MICRO best_micro()
#define MICRO_FN micro_fn
#include "engine/kernel/gemm_body.h"

#define VALUE uint64_t
#define NAME(x) x##_u64
#define MISSING 0
#define DTYPES(X) INTEGERS(X)
#define MICRO micro_u64
#define MICRO_FN micro_u64_fn
#include "engine/kernel/gemm_body.h"

/* ---- from sums to values
 * ------------------------------------------------------ */

#define STORE(enumerator, type)                                                \
    case enumerator:                                                           \
        for (int64_t j = 0; j < n; j++)                                        \
            ((type *)out)[to[j]] = (type)from[j];                              \
        return;

static void store_f64(ncg_dtype dtype, const double *from, int64_t n, void *out,
                      const int64_t *to)
{
    switch (dtype) {
        FLOATS(STORE)
    default:
        return;
    }
}

static void store_u64(ncg_dtype dtype, const uint64_t *from, int64_t n,
                      void *out, const int64_t *to)
{
    if (dtype == NCG_DTYPE_BOOL) {
        for (int64_t j = 0; j < n; j++)
            ((uint8_t *)out)[to[j]] = from[j] != 0;
        return;
    }
    switch (dtype) {
        INTEGERS(STORE)
    default:
        return;
    }
}

/* ---- one product of matrices
 * ------------------------------------------------------ */

static void make_tile(const product *p, int64_t number, uint8_t *memory)
{
    int64_t across = (p->nj + COLUMNS - 1) / COLUMNS;
    int64_t i = number / across * ROWS, j = number % across * COLUMNS;
    int64_t rows = smaller(ROWS, p->ni - i);
    int64_t columns = smaller(COLUMNS, p->nj - j);
    bool is_float = nci_dtype_is_float(p->dtype);
    size_t size = ncg_dtype_size(p->dtype);
    uint8_t *tile = memory + LANE_BYTES - 8 * ROWS * COLUMNS;
    if (is_float)
        tile_f64(p, i, j, memory, (double *)tile);
    else
        tile_u64(p, i, j, memory, (uint64_t *)tile);
    for (int64_t r = 0; r < rows; r++) {
        uint8_t *out = (uint8_t *)p->out + (size_t)p->ci[i + r] * size;
        const void *row = tile + 8 * r * COLUMNS;
        if (is_float)
            store_f64(p->dtype, row, columns, out, p->cj + j);
        else
            store_u64(p->dtype, row, columns, out, p->cj + j);
    }
}

static int64_t tiles_of(const product *p)
{
    return (p->ni + ROWS - 1) / ROWS * ((p->nj + COLUMNS - 1) / COLUMNS);
}

static void multiply(const product *p, int threads, uint8_t *memory)
{
    int64_t n = tiles_of(p);
    if (threads < 2 || n < 2) {
        for (int64_t t = 0; t < n; t++)
            make_tile(p, t, memory);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
    {
        uint8_t *own = memory + LANE_BYTES * omp_get_thread_num();
#pragma omp for schedule(dynamic)
        for (int64_t t = 0; t < n; t++)
            make_tile(p, t, own);
    }
#else
    for (int64_t t = 0; t < n; t++)
        make_tile(p, t, memory);
#endif
}

/* ---- axes
 * ------------------------------------------------------------------------ */

/* The axes over which one index of the product runs, with strides in up to
 * three arrays. */
typedef struct index_of {
    int rank;
    int64_t count[NCG_MAX_RANK];
    int64_t stride[3][NCG_MAX_RANK];
    int64_t size;
} index_of;

typedef struct axes {
    index_of i, j, k, batch;
} axes;

static void strides_of(const ncg_chunk *chunk, int64_t *stride)
{
    int64_t n = 1;
    for (int d = chunk->rank - 1; d >= 0; d--) {
        stride[d] = n;
        n *= chunk->count[d];
    }
}

static void add_axis(index_of *x, int64_t count, int64_t s0, int64_t s1,
                     int64_t s2)
{
    x->count[x->rank] = count;
    x->stride[0][x->rank] = s0;
    x->stride[1][x->rank] = s1;
    x->stride[2][x->rank++] = s2;
    x->size *= count;
}

/* Which axis of an input goes to `target`; -1: none. */
static int find_axis(const int64_t *targets, int rank, int64_t target)
{
    for (int a = 0; a < rank; a++)
        if (targets[a] == target)
            return a;
    return -1;
}

/* Strides: of a, b, out. */
static axes axes_of(const ncg_kernel_call *call, const nci_contract_params *p)
{
    const ncg_chunk *a = &call->inputs[0], *b = &call->inputs[1];
    const ncg_chunk *out = call->output;
    int64_t sa[NCG_MAX_RANK], sb[NCG_MAX_RANK], so[NCG_MAX_RANK];
    axes x = {{.size = 1}, {.size = 1}, {.size = 1}, {.size = 1}};
    int first = p->is_partial ? 1 : 0;
    strides_of(a, sa);
    strides_of(b, sb);
    strides_of(out, so);
    for (int d = first; d < out->rank; d++) {
        int in_a = find_axis(p->a, a->rank, d - first);
        int in_b = find_axis(p->b, b->rank, d - first);
        index_of *to = in_a < 0 ? &x.j : in_b < 0 ? &x.i : &x.batch;
        add_axis(to, out->count[d], in_a < 0 ? 0 : sa[in_a],
                 in_b < 0 ? 0 : sb[in_b], so[d]);
    }
    for (int64_t n = 0; n < p->npairs; n++) {
        int in_a = find_axis(p->a, a->rank, -1 - n);
        int in_b = find_axis(p->b, b->rank, -1 - n);
        add_axis(&x.k, a->count[in_a], sa[in_a], sb[in_b], 0);
    }
    return x;
}

/* Row-major offsets of all positions in array `which`. */
static void fill_table(const index_of *x, int which, int64_t *to)
{
    int64_t at[NCG_MAX_RANK] = {0}, offset = 0;
    for (int64_t n = 0; n < x->size; n++) {
        to[n] = offset;
        for (int d = x->rank - 1; d >= 0; d--) {
            offset += x->stride[which][d];
            if (++at[d] < x->count[d])
                break;
            offset -= at[d] * x->stride[which][d];
            at[d] = 0;
        }
    }
}

/* ---- ncg.contract/1
 * ----------------------------------------------------------------- */

static nci_contract_params params_of(const ncg_kernel_call *call)
{
    nci_contract_params p = {0};
    if (call->nparams == sizeof p)
        memcpy(&p, call->params, sizeof p);
    return p;
}

static int64_t table_entries(const axes *x)
{
    return 2 * (x->i.size + x->j.size + x->k.size) + 3 * x->batch.size;
}

static int64_t contract_scratch(const ncg_kernel_call *call)
{
    nci_contract_params p = params_of(call);
    axes x = axes_of(call, &p);
    return table_entries(&x) * 8 + 64 +
           LANE_BYTES * (call->threads > 1 ? call->threads : 1);
}

static int contract_threads(const ncg_kernel_call *call, int available)
{
    enum { WORTH = 1 << 24 }; /* products a thread */
    nci_contract_params p = params_of(call);
    axes x = axes_of(call, &p);
    double work = (double)x.i.size * (double)x.j.size * (double)x.k.size;
    double tiles = (double)(x.i.size + ROWS - 1) / ROWS *
                   ((double)(x.j.size + COLUMNS - 1) / COLUMNS);
    double most = work / WORTH < tiles ? work / WORTH : tiles;
    return most < available ? (int)most : available;
}

static factor factor_of(const ncg_chunk *chunk)
{
    factor f = {.dtype = chunk->dtype,
                .has_missing =
                    chunk->has_missing && !nci_dtype_is_float(chunk->dtype)};
    memcpy(f.missing, chunk->missing, sizeof f.missing);
    return f;
}

static void run_batches(const ncg_kernel_call *call, const axes *x,
                        int64_t *tables, uint8_t *lanes_memory)
{
    const ncg_chunk *a = &call->inputs[0], *b = &call->inputs[1];
    const ncg_chunk *out = call->output;
    int64_t ni = x->i.size, nj = x->j.size, nk = x->k.size;
    product p = {.a = factor_of(a),
                 .b = factor_of(b),
                 .ni = ni,
                 .nj = nj,
                 .nk = nk,
                 .dtype = out->dtype};
    p.ai = tables;
    p.ci = p.ai + ni;
    p.bj = p.ci + ni;
    p.cj = p.bj + nj;
    p.ak = p.cj + nj;
    p.bk = p.ak + nk;
    int64_t *base = p.bk + nk;
    fill_table(&x->i, 0, p.ai);
    fill_table(&x->i, 2, p.ci);
    fill_table(&x->j, 1, p.bj);
    fill_table(&x->j, 2, p.cj);
    fill_table(&x->k, 0, p.ak);
    fill_table(&x->k, 1, p.bk);
    for (int w = 0; w < 3; w++)
        fill_table(&x->batch, w, base + w * x->batch.size);
    for (int64_t n = 0; n < x->batch.size; n++) {
        const int64_t *at = base + n;
        p.a.data =
            (const uint8_t *)a->data + (size_t)at[0] * ncg_dtype_size(a->dtype);
        p.b.data = (const uint8_t *)b->data +
                   (size_t)at[x->batch.size] * ncg_dtype_size(b->dtype);
        p.out = (uint8_t *)out->data +
                (size_t)at[2 * x->batch.size] * ncg_dtype_size(out->dtype);
        multiply(&p, call->threads, lanes_memory);
    }
}

static ncg_status run_contract(const ncg_kernel_call *call, ncg_error *err)
{
    if (call->nparams != sizeof(nci_contract_params) || call->ninputs != 2)
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    nci_contract_params p = params_of(call);
    axes x = axes_of(call, &p);
    int64_t lanes_bytes = LANE_BYTES * (call->threads > 1 ? call->threads : 1);
    int64_t *tables = nci_alloc((size_t)table_entries(&x) * 8);
    uint8_t *memory = nci_alloc_aligned((size_t)lanes_bytes);
    ncg_status st = NCG_OK;
    if (tables && memory)
        run_batches(call, &x, tables, memory);
    else
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_free(tables);
    nci_free(memory);
    return st;
}

/* ---- ncg.sum/1: adds the positions of the first axis
 * ------------------------------- */

static int64_t box_size(const ncg_chunk *chunk)
{
    int64_t n = 1;
    for (int d = 0; d < chunk->rank; d++)
        n *= chunk->count[d];
    return n;
}

/* Partial sums of integers are of 64 bits, those of bool are 0 or 1. */
static uint64_t integer_at(const ncg_chunk *chunk, int64_t i)
{
    uint64_t x;
    if (chunk->dtype == NCG_DTYPE_BOOL)
        return ((const uint8_t *)chunk->data)[i];
    memcpy(&x, (const uint8_t *)chunk->data + 8 * i, sizeof x);
    return x;
}

static void sum_block(const ncg_chunk *in, const ncg_chunk *out, int64_t start,
                      int64_t n, int64_t size)
{
    double f[NCI_BLOCK] = {0};
    uint64_t u[NCI_BLOCK] = {0};
    int64_t to[NCI_BLOCK];
    bool is_float = nci_dtype_is_float(out->dtype);
    for (int64_t i = 0; i < n; i++)
        to[i] = start + i;
    for (int64_t p = 0; p < in->count[0]; p++)
        for (int64_t i = 0; i < n; i++) {
            int64_t at = p * size + start + i;
            if (is_float)
                f[i] = p ? f[i] + ((const double *)in->data)[at]
                         : ((const double *)in->data)[at];
            else
                u[i] += integer_at(in, at);
        }
    if (is_float)
        store_f64(out->dtype, f, n, out->data, to);
    else
        store_u64(out->dtype, u, n, out->data, to);
}

static ncg_status run_sum(const ncg_kernel_call *call, ncg_error *err)
{
    (void)err;
    int64_t size = box_size(call->output);
    for (int64_t i = 0; i < size; i += NCI_BLOCK)
        sum_block(&call->inputs[0], call->output, i,
                  smaller(NCI_BLOCK, size - i), size);
    return NCG_OK;
}

const nci_kernel nci_kernels_contract[] = {
    {.name = "ncg.contract/1",
     .run = run_contract,
     .scratch = contract_scratch,
     .is_even = true,
     .threads = contract_threads},
    {.name = "ncg.sum/1", .run = run_sum},
    {0},
};
