/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernels of quantiles by counting; graph/ops/quantile.h says what they pass to
 * one another. Keys are those of select.h with the sign flipped: unsigned.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "engine/kernel/quantile_index.h"
#include "engine/kernel/registry.h"
#include "engine/kernel/select.h"

enum { PIECE = 256 };

typedef struct level {
    nci_quantile_call how;
    ncg_dtype dtype; /* of the data */
    const void *missing; /* NULL: none */
    bool can_miss;
    int number, bits, shift; /* shift: bits of a key that are left after it */
    int key_bits;
    int64_t nbins, nranks; /* of a cell */
} level;

static ncg_status read_level(const ncg_kernel_call *call, level *out,
                             ncg_error *err)
{
    *out = (level){0};
    NCI_TRY(nci_quantile_read(call, &out->how, err));
    const int64_t *p = out->how.param;
    out->dtype = (ncg_dtype)p[NCI_QUANTILE_DTYPE];
    out->missing =
        p[NCI_QUANTILE_MISSING] ? &p[NCI_QUANTILE_MISSING_VALUE] : NULL;
    out->can_miss = nci_dtype_is_float(out->dtype) || out->missing;
    out->number = (int)p[NCI_QUANTILE_LEVEL];
    out->bits = (int)p[NCI_QUANTILE_BITS];
    out->key_bits = 8 * (int)nci_select_for(&nci_select_base, out->dtype)->size;
    out->shift = out->key_bits - out->bits * (out->number + 1);
    out->nbins = ((int64_t)1 << out->bits) + 1;
    out->nranks = 2 * out->how.nq;
    return NCG_OK;
}

/* ---- counting ---------------------------------------------------------------------- */

typedef struct counter {
    level l;
    const nci_select_isa *isa;
    const ncg_chunk *in;
    const int64_t *state; /* of the box's cells; NULL: level 0 */
    int64_t *counts;
    int64_t nranks; /* histograms of a cell */
} counter;

static void count_key(const counter *c, int64_t cell, uint64_t key,
                      bool is_missing)
{
    const level *l = &c->l;
    int64_t *bins = c->counts + cell * c->nranks * l->nbins;
    uint64_t bin = key >> l->shift & (((uint64_t)1 << l->bits) - 1);
    if (!c->state) {
        bins[is_missing ? l->nbins - 1 : (int64_t)bin]++;
        return;
    }
    const int64_t *state = c->state + cell * c->nranks * NCI_STATE_SIZE;
    uint64_t before = key >> l->shift >> l->bits;
    for (int64_t r = 0; r < c->nranks && !is_missing; r++)
        if ((uint64_t)state[r * NCI_STATE_SIZE + NCI_STATE_PREFIX] == before)
            bins[r * l->nbins + (int64_t)bin]++;
}

/* n values from `from` on; `cell` moves with them where `step` is 1. */
static void count_row(const counter *c, int64_t from, int64_t n, int64_t cell,
                      int64_t step)
{
    uint64_t some[PIECE];
    const uint8_t *raw = c->in->data;
    size_t size = ncg_dtype_size(c->in->dtype);
    bool is_narrow = c->l.key_bits == 32;
    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t m = n - at < PIECE ? n - at : PIECE;
        c->isa->load[c->in->dtype](raw + (size_t)(from + at) * size, m,
                                   c->l.missing, some);
        for (int64_t i = 0; i < m; i++) {
            int64_t key = is_narrow ? ((const int32_t *)some)[i]
                                    : ((const int64_t *)some)[i];
            uint64_t u = is_narrow ? (uint32_t)key ^ (uint32_t)1 << 31
                                   : (uint64_t)key ^ (uint64_t)1 << 63;
            bool is_missing = c->l.can_miss &&
                              key == (is_narrow ? INT32_MAX : INT64_MAX);
            count_key(c, cell + (at + i) * step, u, is_missing);
        }
    }
}

static bool is_over(const level *l, int d)
{
    return l->how.param[NCI_QUANTILE_OVER] >> d & 1;
}

static void count_box(const counter *c)
{
    int rank = c->in->rank, last = rank - 1;
    int64_t index[NCG_MAX_RANK] = {0}, rows = 1, n = 1;
    for (int d = 0; d < last; d++)
        rows *= c->in->count[d];
    if (rank > 0)
        n = c->in->count[last];
    bool moves = rank > 0 && !is_over(&c->l, last);
    for (int64_t r = 0; r < rows; r++) {
        int64_t cell = 0;
        for (int d = 0; d < last; d++)
            if (!is_over(&c->l, d))
                cell = cell * c->in->count[d] + index[d];
        count_row(c, r * n, n, moves ? cell * n : cell, moves);
        for (int d = last - 1; d >= 0; d--) {
            if (++index[d] < c->in->count[d])
                break;
            index[d] = 0;
        }
    }
}

static ncg_status run_count(const ncg_kernel_call *call, ncg_error *err)
{
    counter c = {.in = &call->inputs[0], .counts = call->output->data};
    int64_t size = 1;
    NCI_TRY(read_level(call, &c.l, err));
    c.isa = nci_select_of(nci_isa_best());
    if (call->ninputs > 1)
        c.state = call->inputs[1].data;
    c.nranks = c.state ? c.l.nranks : 1;
    for (int d = 0; d < call->output->rank; d++)
        size *= call->output->count[d];
    memset(c.counts, 0, (size_t)size * sizeof *c.counts);
    count_box(&c);
    return NCG_OK;
}

/* ---- the next bits ------------------------------------------------------------------ */

/* The first state of a rank: nothing known of its key. */
static void begin(const level *l, const int64_t *bins, int64_t rank,
                  int64_t *state)
{
    double gamma;
    int64_t valid = 0;
    for (int64_t b = 0; b + 1 < l->nbins; b++)
        valid += bins[b];
    bool is_missing = valid == 0 || (!l->how.param[NCI_QUANTILE_SKIPNA] &&
                                     bins[l->nbins - 1] > 0);
    state[NCI_STATE_PREFIX] = state[NCI_STATE_RANK] = 0;
    state[NCI_STATE_VALID] = is_missing ? -1 : valid;
    if (is_missing)
        return;
    int64_t k = nci_quantile_index(
        (nci_quantile_method)l->how.param[NCI_QUANTILE_METHOD], valid,
        l->how.q[rank / 2], &gamma);
    k += rank % 2;
    state[NCI_STATE_RANK] = k < valid ? k : valid - 1;
}

static void step(const level *l, const int64_t *bins, int64_t *state)
{
    int64_t b = 0, rest = state[NCI_STATE_RANK];
    if (state[NCI_STATE_VALID] < 0)
        return;
    for (; b + 2 < l->nbins && rest >= bins[b]; b++)
        rest -= bins[b];
    state[NCI_STATE_RANK] = rest;
    state[NCI_STATE_PREFIX] =
        (int64_t)((uint64_t)state[NCI_STATE_PREFIX] << l->bits | (uint64_t)b);
}

static int64_t size_of(const ncg_chunk *chunk)
{
    int64_t n = 1;
    for (int d = 0; d < chunk->rank; d++)
        n *= chunk->count[d];
    return n;
}

static ncg_status run_step(const ncg_kernel_call *call, ncg_error *err)
{
    level l;
    NCI_TRY(read_level(call, &l, err));
    const int64_t *bins = call->inputs[0].data;
    int64_t *state = call->output->data, n = size_of(call->output);
    bool is_first = call->ninputs < 2;
    if (!is_first)
        memcpy(state, call->inputs[1].data, (size_t)n * sizeof *state);
    for (int64_t r = 0; r < n / NCI_STATE_SIZE; r++) {
        int64_t *mine = state + r * NCI_STATE_SIZE;
        const int64_t *from = bins + r * l.nbins;
        if (is_first) {
            from = bins + r / l.nranks * l.nbins;
            begin(&l, from, r % l.nranks, mine);
        }
        step(&l, from, mine);
    }
    return NCG_OK;
}

/* ---- values -------------------------------------------------------------------------- */

static int64_t key_at(const level *l, const int64_t *state)
{
    uint64_t u = (uint64_t)state[NCI_STATE_PREFIX];
    if (l->key_bits == 32)
        return (int32_t)((uint32_t)u ^ (uint32_t)1 << 31);
    return (int64_t)(u ^ (uint64_t)1 << 63);
}

static double value_of(const level *l, const int64_t *state, double q)
{
    double gamma;
    int64_t valid = state[NCI_STATE_VALID];
    if (valid < 0)
        return NAN;
    int64_t low = key_at(l, state), high = key_at(l, state + NCI_STATE_SIZE);
    nci_quantile_index((nci_quantile_method)l->how.param[NCI_QUANTILE_METHOD],
                       valid, q, &gamma);
    return nci_quantile_between(nci_key_value(l->dtype, l->missing, low),
                                nci_key_value(l->dtype, l->missing, high),
                                nci_key_step(l->dtype, l->missing, low, high),
                                gamma);
}

static ncg_status run_value(const ncg_kernel_call *call, ncg_error *err)
{
    level l;
    NCI_TRY(read_level(call, &l, err));
    const int64_t *state = call->inputs[0].data;
    uint8_t *out = call->output->data;
    int64_t cells = size_of(call->output) / l.how.nq;
    for (int64_t i = 0; i < l.how.nq; i++)
        for (int64_t c = 0; c < cells; c++) {
            double x = value_of(
                &l, state + (c * l.nranks + 2 * i) * NCI_STATE_SIZE,
                l.how.q[i]);
            if (call->output->dtype == NCG_DTYPE_F32)
                ((float *)out)[i * cells + c] = (float)x;
            else
                ((double *)out)[i * cells + c] = x;
        }
    return NCG_OK;
}

const nci_kernel nci_kernels_quantile_long[] = {
    {.name = "ncg.quantile_count/1", .run = run_count},
    {.name = "ncg.quantile_step/1", .run = run_step},
    {.name = "ncg.quantile_value/1", .run = run_value},
    {0},
};
