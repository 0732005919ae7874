/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernel that coarsens: each block of positions is added up in index order. */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/chunk_values.h"
#include "engine/kernel/registry.h"
#include "graph/ops/window.h"

enum { PIECE = 256 }; /* values that are loaded at once */

/* What a block has come to so far. */
typedef struct sums {
    double *x, *mean;
    uint64_t *bits; /* integers; sums and products wrap */
    int64_t *count, *missed;
} sums;

typedef struct coarsen {
    ncg_op op;
    bool skipna, is_exact; /* integers that stay integers */
    int64_t min_count, ddof;
    const int64_t *factor;
    const ncg_chunk *in, *out;
    int64_t nout;
    sums s;
} coarsen;

static coarsen coarsen_of(const ncg_kernel_call *call)
{
    const int64_t *p = call->params;
    coarsen c = {.op = (ncg_op)p[NCI_COARSEN_OP],
                 .skipna = p[NCI_COARSEN_SKIPNA],
                 .min_count = p[NCI_COARSEN_MIN_COUNT],
                 .ddof = p[NCI_COARSEN_DDOF],
                 .factor = p + NCI_COARSEN_FACTOR,
                 .in = &call->inputs[0],
                 .out = call->output,
                 .nout = 1};
    c.is_exact = (c.op == NCG_OP_SUM || c.op == NCG_OP_PROD ||
                  c.op == NCG_OP_MIN || c.op == NCG_OP_MAX) &&
                 !nci_dtype_is_float(c.in->dtype);
    for (int d = 0; d < c.out->rank; d++)
        c.nout *= c.out->count[d];
    return c;
}

static int64_t coarsen_scratch(const ncg_kernel_call *call)
{
    return coarsen_of(call).nout * 5 * 8;
}

static void add_integer(const coarsen *c, int64_t at, uint64_t x, bool is_first)
{
    uint64_t *a = &c->s.bits[at];
    bool is_less =
        nci_dtype_is_signed(c->in->dtype) ? (int64_t)x < (int64_t)*a : x < *a;
    if (is_first)
        *a = x;
    else if (c->op == NCG_OP_SUM)
        *a += x;
    else if (c->op == NCG_OP_PROD)
        *a *= x;
    else if (x != *a && is_less == (c->op == NCG_OP_MIN))
        *a = x;
}

static void add_value(const coarsen *c, int64_t at, double x, uint64_t bits,
                      bool second)
{
    const sums *s = &c->s;
    if (x != x) {
        s->missed[at] += !second;
        return;
    }
    if (second) {
        double d = x - s->mean[at];
        s->x[at] += d * d;
        return;
    }
    bool is_first = s->count[at]++ == 0;
    if (c->is_exact)
        add_integer(c, at, bits, is_first);
    else if (c->op == NCG_OP_MIN)
        s->x[at] = is_first || x < s->x[at] ? x : s->x[at];
    else if (c->op == NCG_OP_MAX)
        s->x[at] = is_first || x > s->x[at] ? x : s->x[at];
    else if (c->op == NCG_OP_PROD)
        s->x[at] = is_first ? x : s->x[at] * x;
    else
        s->x[at] += x;
}

/* The row of the input that begins at `index`, `number` in row-major order. */
static void add_row(const coarsen *c, int64_t number, const int64_t *index,
                    bool second)
{
    const ncg_chunk *in = c->in;
    int last = in->rank - 1;
    size_t size = ncg_dtype_size(in->dtype);
    int64_t cell = 0, n = last < 0 ? 1 : in->count[last];
    double x[PIECE];
    for (int d = 0; d < last; d++) {
        int64_t o = (in->start[d] + index[d]) / c->factor[d] - c->out->start[d];
        cell = cell * c->out->count[d] + o;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0, from = number * n + i;
        if (i % PIECE == 0)
            nci_chunk_load(in, from, n - i < PIECE ? n - i : PIECE, x);
        if (last >= 0)
            at = cell * c->out->count[last] +
                 (in->start[last] + i) / c->factor[last] - c->out->start[last];
        uint64_t bits = 0;
        if (c->is_exact)
            bits = (uint64_t)nci_dtype_get_i64(
                in->dtype, (const uint8_t *)in->data + (size_t)from * size);
        add_value(c, at, x[i % PIECE], bits, second);
    }
}

static void add_all(const coarsen *c, bool second)
{
    int64_t index[NCG_MAX_RANK] = {0}, rows = 1;
    for (int d = 0; d < c->in->rank - 1; d++)
        rows *= c->in->count[d];
    for (int64_t r = 0; r < rows; r++) {
        add_row(c, r, index, second);
        for (int d = c->in->rank - 2; d >= 0; d--) {
            if (++index[d] < c->in->count[d])
                break;
            index[d] = 0;
        }
    }
}

static void put_cell(const coarsen *c, int64_t at)
{
    const sums *s = &c->s;
    int64_t n = s->count[at];
    bool spread = c->op == NCG_OP_STD || c->op == NCG_OP_VAR;
    bool is_missing = n < c->min_count || (!c->skipna && s->missed[at]);
    double x = s->x[at];
    if (c->op == NCG_OP_COUNT) {
        is_missing = n < c->min_count && c->min_count > 1;
        x = (double)n;
    } else if (spread) {
        is_missing |= n <= c->ddof;
        x = is_missing ? 0 : x / (double)(n - c->ddof);
        x = c->op == NCG_OP_STD ? sqrt(x) : x;
    } else if (c->op == NCG_OP_MEAN) {
        is_missing |= n == 0;
        x = n ? x / (double)n : 0;
    } else if (c->op == NCG_OP_PROD) {
        x = n ? x : 1;
    } else if (c->op != NCG_OP_SUM) {
        is_missing |= n == 0;
    }
    if (c->is_exact && !is_missing) {
        size_t size = ncg_dtype_size(c->out->dtype);
        uint8_t *to = (uint8_t *)c->out->data + (size_t)at * size;
        uint64_t bits = n || c->op == NCG_OP_SUM ? s->bits[at] : 1;
        if (size == 8)
            memcpy(to, &bits, 8);
        else
            nci_dtype_put_i64(c->out->dtype, to, (int64_t)bits);
        return;
    }
    nci_chunk_put(c->out, at, is_missing, x);
}

static ncg_status run_coarsen(const ncg_kernel_call *call, ncg_error *err)
{
    if (call->nparams != NCI_COARSEN_NPARAMS * sizeof(int64_t))
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    coarsen c = coarsen_of(call);
    size_t n = (size_t)c.nout;
    double *memory = nci_calloc(n * 5 + 1, 8);
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    c.s = (sums){.x = memory,
                 .mean = memory + n,
                 .bits = (uint64_t *)(memory + 2 * n),
                 .count = (int64_t *)(memory + 3 * n),
                 .missed = (int64_t *)(memory + 4 * n)};
    add_all(&c, false);
    if (c.op == NCG_OP_STD || c.op == NCG_OP_VAR) {
        for (size_t i = 0; i < n; i++) {
            c.s.mean[i] = c.s.count[i] ? c.s.x[i] / (double)c.s.count[i] : 0;
            c.s.x[i] = 0;
        }
        add_all(&c, true);
    }
    for (int64_t i = 0; i < c.nout; i++)
        put_cell(&c, i);
    nci_free(memory);
    return NCG_OK;
}

const nci_kernel nci_kernels_coarsen[] = {
    {.name = "ncg.coarsen/1",
     .run = run_coarsen,
     .scratch = coarsen_scratch,
     .is_even = true},
    {0},
};
