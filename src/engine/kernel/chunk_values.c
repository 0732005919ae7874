/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of a chunk as doubles. */
#include "engine/kernel/chunk_values.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"

void nci_chunk_load(const ncg_chunk *in, int64_t from, int64_t n, double *to)
{
    const uint8_t *raw = in->data;
    raw += (size_t)from * ncg_dtype_size(in->dtype);
#define LOAD(enumerator, type)                                                 \
    case NCG_DTYPE_##enumerator: {                                             \
        const type *x = (const type *)raw;                                     \
        type miss;                                                             \
        memcpy(&miss, in->missing, sizeof miss);                               \
        for (int64_t i = 0; i < n; i++)                                        \
            to[i] = in->has_missing && x[i] == miss ? NAN : (double)x[i];      \
        return;                                                                \
    }
    switch (in->dtype) {
        LOAD(I8, int8_t)
        LOAD(U8, uint8_t)
        LOAD(BOOL, uint8_t)
        LOAD(I16, int16_t)
        LOAD(U16, uint16_t)
        LOAD(I32, int32_t)
        LOAD(U32, uint32_t)
        LOAD(I64, int64_t)
        LOAD(U64, uint64_t)
        LOAD(F32, float)
        LOAD(F64, double)
    default:
        return;
    }
#undef LOAD
}

void nci_chunk_put(const ncg_chunk *out, int64_t at, bool is_missing, double x)
{
    uint8_t *to = out->data;
    to += (size_t)at * ncg_dtype_size(out->dtype);
    if (out->dtype == NCG_DTYPE_F32)
        memcpy(to, &(float){is_missing ? NAN : (float)x}, sizeof(float));
    else if (out->dtype == NCG_DTYPE_F64)
        memcpy(to, &(double){is_missing ? NAN : x}, sizeof(double));
    else if (is_missing)
        memcpy(to, out->missing, ncg_dtype_size(out->dtype));
    else
        nci_dtype_put(out->dtype, to, x);
}
