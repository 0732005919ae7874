/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel of sorting: lines become keys (select.h), which are sorted by bytes,
 * and values again. Missing values and NaN have the largest key and come last.
 * The runner has put the lines into the output. Lines that are not contiguous
 * are taken several at a time, as many as lie side by side in a cache line.
 * Threads share the lines; each has memory for its own.
 */
#include <math.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/registry.h"
#include "engine/kernel/select.h"

enum { FEW = 64, LINES = 16 };

#define KEY int32_t
#define UKEY uint32_t
#define TOP ((uint32_t)1 << 31)
#define NAME(x) x##_32
#include "engine/kernel/sort_body.h"
#undef KEY
#undef UKEY
#undef TOP
#undef NAME

#define KEY int64_t
#define UKEY uint64_t
#define TOP ((uint64_t)1 << 63)
#define NAME(x) x##_64
#include "engine/kernel/sort_body.h"
#undef KEY
#undef UKEY
#undef TOP
#undef NAME

typedef struct sorting {
    const nci_select_loops *loops;
    void (*load)(const void *raw, int64_t n, const void *missing, void *keys);
    ncg_dtype dtype;
    const void *missing;            /* NULL: none */
    size_t size;                    /* of a value */
    int64_t outer, n, inner, lines; /* `lines` at a time */
    int threads;
} sorting;

static sorting sorting_of(const ncg_kernel_call *call)
{
    const ncg_chunk *chunk = call->output;
    const nci_select_isa *isa = nci_select_of(nci_isa_best());
    int64_t axis;
    memcpy(&axis, call->params, sizeof axis);
    sorting s = {.loops = nci_select_for(isa, chunk->dtype),
                 .load = isa->load[chunk->dtype],
                 .dtype = chunk->dtype,
                 .missing = chunk->has_missing ? chunk->missing : NULL,
                 .size = ncg_dtype_size(chunk->dtype),
                 .outer = 1,
                 .n = chunk->count[axis],
                 .inner = 1};
    for (int d = 0; d < axis; d++)
        s.outer *= chunk->count[d];
    for (int d = (int)axis + 1; d < chunk->rank; d++)
        s.inner *= chunk->count[d];
    s.threads = call->threads > 1 ? call->threads : 1;
    s.lines = s.inner < LINES ? s.inner : LINES;
    if (s.outer < s.threads && s.inner < LINES * s.threads)
        s.lines = (s.inner + s.threads - 1) / s.threads;
    return s;
}

/* How often some lines are sorted together. */
static int64_t njobs(const sorting *s)
{
    return s->n > 0 && s->inner > 0
               ? s->outer * ((s->inner + s->lines - 1) / s->lines)
               : 0;
}

/* Of one thread. */
static int64_t scratch_of(const sorting *s)
{
    int64_t bytes = (s->lines + 1) * s->n * (int64_t)s->loops->size;
    return (bytes + 63) & ~(int64_t)63;
}

static int64_t sort_scratch(const ncg_kernel_call *call)
{
    sorting s = sorting_of(call);
    return s.threads * scratch_of(&s);
}

static int sort_threads(const ncg_kernel_call *call, int available)
{
    enum { WORTH = 1 << 17 };     /* values a thread */
    sorting s = sorting_of(call); /* as if with all of them */
    int64_t worth = s.outer * s.n * s.inner / WORTH, most = njobs(&s);
    most = worth < most ? worth : most;
    return most < available ? (int)most : available;
}

/* ---- keys to values
 * ------------------------------------------------------------- */

static void store_f32(const int32_t *key, int64_t n, int64_t stride,
                      uint8_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t bits = key[i] ^ ((key[i] >> 31) & INT32_MAX);
        memcpy(out + (size_t)(i * stride) * sizeof bits, &bits, sizeof bits);
    }
}

static void store_f64(const int64_t *key, int64_t n, int64_t stride,
                      uint8_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t bits = key[i] ^ ((key[i] >> 63) & INT64_MAX);
        memcpy(out + (size_t)(i * stride) * sizeof bits, &bits, sizeof bits);
    }
}

static void store_integers(const sorting *s, const void *keys, int64_t stride,
                           uint8_t *out)
{
    bool is_narrow = s->loops->size == 4;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t key =
            is_narrow ? ((const int32_t *)keys)[i] : ((const int64_t *)keys)[i];
        uint8_t *to = out + (size_t)(i * stride) * s->size;
        if (s->missing && key == s->loops->missing)
            memcpy(to, s->missing, s->size);
        else
            nci_key_put(s->dtype, s->missing, key, to);
    }
}

static void store_line(const sorting *s, const void *keys, int64_t stride,
                       uint8_t *out)
{
    if (s->dtype == NCG_DTYPE_F32)
        store_f32(keys, s->n, stride, out);
    else if (s->dtype == NCG_DTYPE_F64)
        store_f64(keys, s->n, stride, out);
    else
        store_integers(s, keys, stride, out);
}

/* ---- lines
 * ------------------------------------------------------------------------ */

static void load_lines(const sorting *s, const uint8_t *from, int64_t lines,
                       uint8_t *keys)
{
    uint64_t some[LINES];
    size_t size = s->loops->size;
    if (s->inner == 1) {
        s->load(from, s->n, s->missing, keys);
        return;
    }
    for (int64_t i = 0; i < s->n; i++) {
        s->load(from + (size_t)(i * s->inner) * s->size, lines, s->missing,
                some);
        for (int64_t c = 0; c < lines; c++)
            memcpy(keys + (size_t)(c * s->n + i) * size,
                   (uint8_t *)some + (size_t)c * size, size);
    }
}

static void sort_lines(const sorting *s, uint8_t *at, int64_t lines,
                       uint8_t *keys)
{
    size_t line = (size_t)s->n * s->loops->size;
    uint8_t *spare = keys + (size_t)s->lines * line;
    load_lines(s, at, lines, keys);
    for (int64_t c = 0; c < lines; c++) {
        uint8_t *key = keys + (size_t)c * line;
        if (s->loops->size == 4)
            sort_32(key, spare, s->n);
        else
            sort_64(key, spare, s->n);
        store_line(s, key, s->inner, at + (size_t)c * s->size);
    }
}

static void sort_job(const sorting *s, void *data, int64_t job, uint8_t *keys)
{
    int64_t row = (s->inner + s->lines - 1) / s->lines;
    int64_t c = job % row * s->lines;
    int64_t lines = s->inner - c < s->lines ? s->inner - c : s->lines;
    uint8_t *at = data;
    at += (size_t)(job / row * s->n * s->inner + c) * s->size;
    sort_lines(s, at, lines, keys);
}

static void sort_all(const sorting *s, void *data, uint8_t *memory)
{
    int64_t n = njobs(s);
#ifdef _OPENMP
    if (s->threads > 1) {
        int64_t each = scratch_of(s);
#pragma omp parallel num_threads(s->threads)
        {
            uint8_t *own = memory + each * omp_get_thread_num();
#pragma omp for schedule(dynamic)
            for (int64_t job = 0; job < n; job++)
                sort_job(s, data, job, own);
        }
        return;
    }
#endif
    for (int64_t job = 0; job < n; job++)
        sort_job(s, data, job, memory);
}

static ncg_status run_sort(const ncg_kernel_call *call, ncg_error *err)
{
    if (call->nparams != sizeof(int64_t))
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    sorting s = sorting_of(call);
    uint8_t *memory = nci_alloc_aligned((size_t)(s.threads * scratch_of(&s)));
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    sort_all(&s, call->output->data, memory);
    nci_free(memory);
    return NCG_OK;
}

const nci_kernel nci_kernels_sort[] = {
    {.name = "ncg.sort/1",
     .run = run_sort,
     .scratch = sort_scratch,
     .is_even = true,
     .gathers = true,
     .threads = sort_threads},
    {0},
};
