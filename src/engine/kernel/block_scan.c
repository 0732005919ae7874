/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernel of scans: cumulative sums, products, extremes and filling along an
 * axis. Values of a line are taken in index order, floats in double, integers
 * in 64 bits that wrap, so that bits depend on the chunks alone.
 *
 * A box is outer x n x inner; rows of `inner` values go through a small buffer
 * in which they have the type of the accumulators.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/isa.h"
#include "engine/kernel/registry.h"
#include "graph/ops/ops.h"
#include "graph/ops/scan.h"

#define NOWHERE (-1)

typedef struct marker {
    bool is_used;
    int64_t i64;
    uint64_t u64;
} marker;

typedef struct scan {
    nci_scan_op op;
    nci_scan_mode mode;
    bool skipna, is_reverse, counts; /* counts positions since a value */
    int64_t limit, start;            /* start: position of the first row */
    int64_t outer, n, inner;
    ncg_dtype in, out, carry_dtype;
    size_t in_size, out_size, carry_size;
    const uint8_t *data, *carry;
    const int64_t *where;
    uint8_t *to;
    marker marker;
} scan;

#define VALUE double
#define WRAP double
#define NAME(x) x##_f64
#define MISSING(x) ((x) != (x))
#define DTYPES(X) X(NCG_DTYPE_F32, float) X(NCG_DTYPE_F64, double)
#include "engine/kernel/scan_body.h"

#define VALUE int64_t
#define WRAP uint64_t
#define NAME(x) x##_i64
#define MISSING(x) (m->is_used && (x) == m->i64)
#define DTYPES(X)                                                              \
    X(NCG_DTYPE_I8, int8_t)                                                    \
    X(NCG_DTYPE_I16, int16_t)                                                  \
    X(NCG_DTYPE_I32, int32_t)                                                  \
    X(NCG_DTYPE_I64, int64_t)                                                  \
    X(NCG_DTYPE_BOOL, uint8_t)
#include "engine/kernel/scan_body.h"

#define VALUE uint64_t
#define WRAP uint64_t
#define NAME(x) x##_u64
#define MISSING(x) (m->is_used && (x) == m->u64)
#define DTYPES(X)                                                              \
    X(NCG_DTYPE_U8, uint8_t)                                                   \
    X(NCG_DTYPE_U16, uint16_t)                                                 \
    X(NCG_DTYPE_U32, uint32_t)                                                 \
    X(NCG_DTYPE_U64, uint64_t)
#include "engine/kernel/scan_body.h"

static marker marker_of(const ncg_chunk *chunk)
{
    marker m = {.is_used = chunk->has_missing};
    if (m.is_used && !nci_dtype_is_float(chunk->dtype)) {
        m.i64 = nci_dtype_get_i64(chunk->dtype, chunk->missing);
        m.u64 = (uint64_t)m.i64;
    }
    return m;
}

/* Everything but the data pointers. */
static scan scan_of(const ncg_kernel_call *call)
{
    int64_t params[NCI_SCAN_NPARAMS] = {0};
    const ncg_chunk *in = &call->inputs[0];
    if (call->nparams == sizeof params)
        memcpy(params, call->params, sizeof params);
    int axis = (int)params[NCI_SCAN_PARAM_AXIS];
    scan s = {.op = (nci_scan_op)params[NCI_SCAN_PARAM_OP],
              .mode = (nci_scan_mode)params[NCI_SCAN_PARAM_MODE],
              .skipna = params[NCI_SCAN_PARAM_SKIPNA] != 0,
              .limit = params[NCI_SCAN_PARAM_LIMIT],
              .start = in->start[axis],
              .outer = 1,
              .n = in->count[axis],
              .inner = 1,
              .in = in->dtype,
              .out = call->output->dtype,
              .in_size = ncg_dtype_size(in->dtype),
              .out_size = ncg_dtype_size(call->output->dtype),
              .marker = marker_of(in)};
    s.is_reverse = s.op == NCI_SCAN_BFILL;
    s.counts = s.limit > 0 || s.mode == NCI_SCAN_WHERE;
    for (int d = 0; d < axis; d++)
        s.outer *= in->count[d];
    for (int d = axis + 1; d < in->rank; d++)
        s.inner *= in->count[d];
    return s;
}

static int64_t scratch_of(const scan *s)
{
    return s->inner * (s->counts ? 16 : 8);
}

static int64_t scan_scratch(const ncg_kernel_call *call)
{
    scan s = scan_of(call);
    return scratch_of(&s);
}

static ncg_status run_scan(const ncg_kernel_call *call, ncg_error *err)
{
    if (call->nparams != NCI_SCAN_NPARAMS * sizeof(int64_t))
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    scan s = scan_of(call);
    s.data = call->inputs[0].data;
    s.to = call->output->data;
    if (call->ninputs > 1) {
        s.carry = call->inputs[1].data;
        s.carry_dtype = call->inputs[1].dtype;
        s.carry_size = ncg_dtype_size(s.carry_dtype);
    }
    if (call->ninputs > 2)
        s.where = call->inputs[2].data;
    void *memory = nci_alloc((size_t)scratch_of(&s));
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (nci_dtype_is_float(s.in))
        run_f64(&s, memory);
    else if (nci_dtype_is_signed(s.in) || s.in == NCG_DTYPE_BOOL)
        run_i64(&s, memory);
    else
        run_u64(&s, memory);
    nci_free(memory);
    return NCG_OK;
}

const nci_kernel nci_kernels_scan[] = {
    {.name = "ncg.scan/1",
     .run = run_scan,
     .scratch = scan_scratch,
     .is_even = true},
    {0},
};
