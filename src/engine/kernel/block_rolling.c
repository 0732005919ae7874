/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel of rolling windows. Blocks of 1, 2, 4, ... positions, aligned to
 * absolute positions, are summed once from their halves; a window is a few of
 * them, left to right:
 *
 *     | 0 1 | 2 3 | 4 5 | 6 7 |     window 1..6 = 1, 2 3, 4 5, 6
 *     |   0..3    |   4..7    |
 *
 * so that a window's value depends on nothing but its values (no drift of a
 * running sum, the same bits in any chunks). Several lines go side by side.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/chunk_values.h"
#include "engine/kernel/registry.h"
#include "graph/ops/window.h"

enum {
    WIDTH = 16, /* lines side by side */
    LEVELS = 32,
    PIECE = 256,          /* values on their way into a column */
    STATE_BYTES = 8 << 20 /* of lines side by side, if more than one */
};

/* ---- states -------------------------------------------------------------- */

/* Blocks of 2^j positions: `row` of the first one among all, its number. */
typedef struct level {
    int64_t row, first, count;
} level;

typedef struct rolling {
    ncg_op op;
    int64_t window, before, min_count, ddof;
    int64_t outer, inner, width;
    int64_t n, start; /* rows of the input's box, the first position */
    int64_t nout, start_out;
    int64_t size; /* of the axis */
    const ncg_chunk *in, *out;
    level levels[LEVELS];
    int nlevels;
    int64_t nrows; /* of all levels */
    double *a, *b; /* [nrows + 1][width]; sum, least, greatest or mean; squared
                      deviations. The last row is the window at hand. */
    int32_t *count;
} rolling;

static bool spreads(const rolling *r)
{
    return r->op == NCG_OP_STD || r->op == NCG_OP_VAR;
}

static void add_level(rolling *r, int j)
{
    int64_t size = (int64_t)1 << j, end = r->start + r->n;
    level *l = &r->levels[j];
    l->first = (r->start + size - 1) / size;
    l->count = end / size - l->first;
    l->count = l->count < 0 ? 0 : l->count;
    l->row = r->nrows;
    r->nrows += l->count;
}

static rolling rolling_of(const ncg_kernel_call *call)
{
    const int64_t *p = call->params;
    const ncg_chunk *in = &call->inputs[0], *out = call->output;
    int64_t axis = p[NCI_ROLLING_AXIS];
    rolling r = {.op = (ncg_op)p[NCI_ROLLING_OP],
                 .window = p[NCI_ROLLING_WINDOW],
                 .before = p[NCI_ROLLING_BEFORE],
                 .min_count = p[NCI_ROLLING_MIN_COUNT],
                 .ddof = p[NCI_ROLLING_DDOF],
                 .outer = 1,
                 .inner = 1,
                 .n = in->count[axis],
                 .start = in->start[axis],
                 .nout = out->count[axis],
                 .start_out = out->start[axis],
                 .size = in->shape[axis],
                 .in = in,
                 .out = out};
    for (int d = 0; d < axis; d++)
        r.outer *= in->count[d];
    for (int d = (int)axis + 1; d < in->rank; d++)
        r.inner *= in->count[d];
    while (r.nlevels < LEVELS - 1 && (int64_t)1 << r.nlevels <= r.window &&
           r.n >> r.nlevels)
        add_level(&r, r.nlevels++);
    int64_t row = spreads(&r) ? 20 : 12, lines = r.outer * r.inner;
    r.width = STATE_BYTES / (row * (r.nrows + 1));
    r.width = r.width > WIDTH ? WIDTH : r.width;
    r.width = r.width > lines ? lines : r.width;
    r.width = r.width < 1 ? 1 : r.width;
    return r;
}

static int64_t rolling_bytes(const rolling *r)
{
    return (r->nrows + 1) * r->width * (spreads(r) ? 20 : 12);
}

/* Wherever the box begins: no level has more blocks than one that begins at 0,
 * and with fewer of them more lines are taken together. */
static int64_t rolling_scratch(const ncg_kernel_call *call)
{
    rolling r = rolling_of(call);
    int64_t rows = 1, row = spreads(&r) ? 20 : 12, lines = r.outer * r.inner;
    for (int j = 0; j < r.nlevels; j++)
        rows += r.n >> j;
    int64_t one = rows * row, width = lines < WIDTH ? lines : WIDTH;
    int64_t all = one * (width > 1 ? width : 1);
    int64_t most = one > STATE_BYTES ? one : STATE_BYTES;
    return most < all ? most : all;
}

/* Row `to` becomes what it is together with row `from`. */
static void merge(const rolling *r, int64_t to, int64_t from)
{
    int64_t w = r->width;
    double *a = r->a + to * w;
    const double *x = r->a + from * w;
    int32_t *n = r->count + to * w;
    const int32_t *m = r->count + from * w;
    if (spreads(r)) {
        double *q = r->b + to * w;
        const double *s = r->b + from * w;
        for (int64_t i = 0; i < w; i++) {
            double both = (double)n[i] + (double)m[i];
            double d = x[i] - a[i], part = m[i] ? (double)m[i] / both : 0;
            q[i] += s[i] + d * d * part * (double)n[i];
            a[i] += d * part;
            n[i] += m[i];
        }
        return;
    }
    for (int64_t i = 0; i < w; i++)
        n[i] += m[i];
    if (r->op == NCG_OP_MIN)
        for (int64_t i = 0; i < w; i++)
            a[i] = x[i] < a[i] ? x[i] : a[i];
    else if (r->op == NCG_OP_MAX)
        for (int64_t i = 0; i < w; i++)
            a[i] = x[i] > a[i] ? x[i] : a[i];
    else
        for (int64_t i = 0; i < w; i++)
            a[i] += x[i];
}

static void copy_row(const rolling *r, int64_t to, int64_t from)
{
    size_t w = (size_t)r->width;
    memcpy(r->a + (size_t)to * w, r->a + (size_t)from * w, w * sizeof *r->a);
    memcpy(r->count + (size_t)to * w, r->count + (size_t)from * w,
           w * sizeof *r->count);
    if (spreads(r))
        memcpy(r->b + (size_t)to * w, r->b + (size_t)from * w,
               w * sizeof *r->b);
}

/* One value as a state; a missing one counts as nothing. The deviation of an
 * infinity is NaN. */
static void put_state(const rolling *r, int64_t at, double x)
{
    double nothing = r->op == NCG_OP_MIN   ? INFINITY
                     : r->op == NCG_OP_MAX ? -INFINITY
                                           : 0;
    bool misses = x != x;
    r->a[at] = misses ? nothing : x;
    r->count[at] = !misses;
    if (spreads(r))
        r->b[at] = misses ? 0 : x - x;
}

/* ---- lines --------------------------------------------------------------- */

/* Lines first .. first + m - 1 of the box, which share their outer index. */
static void load_lines(const rolling *r, int64_t first, int64_t m, int64_t lane)
{
    double x[PIECE];
    int64_t o = first / r->inner, i = first % r->inner;
    if (r->inner > 1) {
        for (int64_t k = 0; k < r->n; k++) {
            nci_chunk_load(r->in, (o * r->n + k) * r->inner + i, m, x);
            for (int64_t c = 0; c < m; c++)
                put_state(r, k * r->width + lane + c, x[c]);
        }
        return;
    }
    for (int64_t k = 0; k < r->n; k += PIECE) {
        int64_t some = r->n - k < PIECE ? r->n - k : PIECE;
        nci_chunk_load(r->in, o * r->n + k, some, x);
        for (int64_t c = 0; c < some; c++)
            put_state(r, (k + c) * r->width + lane, x[c]);
    }
}

static void build_levels(const rolling *r)
{
    for (int j = 1; j < r->nlevels; j++) {
        const level *l = &r->levels[j], *half = &r->levels[j - 1];
        for (int64_t k = 0; k < l->count; k++) {
            int64_t left = half->row + 2 * (l->first + k) - half->first;
            copy_row(r, l->row + k, left);
            merge(r, l->row + k, left + 1);
        }
    }
}

/* The largest aligned block that begins at `low` and ends by `high`. */
static int largest(const rolling *r, int64_t low, int64_t high)
{
    int j = 0;
    while (j + 1 < r->nlevels && !(low >> j & 1) &&
           low + ((int64_t)2 << j) <= high)
        j++;
    return j;
}

/* The state of positions low..high - 1 becomes the last row. */
static void sum_window(const rolling *r, int64_t low, int64_t high)
{
    bool is_first = true;
    while (low < high) {
        int j = largest(r, low, high);
        int64_t row = r->levels[j].row + (low >> j) - r->levels[j].first;
        if (is_first)
            copy_row(r, r->nrows, row);
        else
            merge(r, r->nrows, row);
        is_first = false;
        low += (int64_t)1 << j;
    }
}

static void put_window(const rolling *r, int64_t line, int64_t lane, int64_t t)
{
    int64_t at = r->nrows * r->width + lane, n = r->count[at];
    int64_t o = line / r->inner, i = line % r->inner;
    bool is_missing = n < r->min_count;
    double x = r->a[at];
    if (r->op == NCG_OP_COUNT) {
        x = (double)n;
    } else if (spreads(r)) {
        is_missing |= n <= r->ddof;
        x = is_missing ? 0 : r->b[at] / (double)(n - r->ddof);
        x = r->op == NCG_OP_STD ? sqrt(x) : x;
    } else if (r->op == NCG_OP_MEAN) {
        is_missing |= n == 0;
        x = n ? x / (double)n : 0;
    } else if (r->op != NCG_OP_SUM) {
        is_missing |= n == 0;
    }
    nci_chunk_put(r->out, (o * r->nout + t) * r->inner + i, is_missing, x);
}

static void run_lines(const rolling *r, int64_t first, int64_t lines)
{
    for (int64_t c = 0, m; c < lines; c += m) {
        int64_t rest = r->inner - (first + c) % r->inner;
        m = lines - c < rest ? lines - c : rest;
        load_lines(r, first + c, m, c);
    }
    build_levels(r);
    for (int64_t t = 0; t < r->nout; t++) {
        int64_t low = r->start_out + t - r->before, high = low + r->window;
        sum_window(r, low < 0 ? 0 : low, high > r->size ? r->size : high);
        for (int64_t c = 0; c < lines; c++)
            put_window(r, first + c, c, t);
    }
}

static ncg_status run_rolling(const ncg_kernel_call *call, ncg_error *err)
{
    if (call->nparams != NCI_ROLLING_NPARAMS * sizeof(int64_t))
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    rolling r = rolling_of(call);
    size_t n = (size_t)((r.nrows + 1) * r.width);
    uint8_t *memory = nci_alloc_aligned((size_t)rolling_bytes(&r));
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memset(memory, 0, (size_t)rolling_bytes(&r));
    r.a = (double *)memory;
    r.b = r.a + (spreads(&r) ? n : 0);
    r.count = (int32_t *)(r.b + n);
    for (int64_t c = 0; c < r.outer * r.inner; c += r.width) {
        int64_t rest = r.outer * r.inner - c;
        run_lines(&r, c, rest < r.width ? rest : r.width);
    }
    nci_free(memory);
    return NCG_OK;
}

const nci_kernel nci_kernels_rolling[] = {
    {.name = "ncg.rolling/1",
     .run = run_rolling,
     .scratch = rolling_scratch,
     .is_even = true},
    {0},
};
