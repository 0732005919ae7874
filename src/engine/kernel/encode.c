/* SPDX-License-Identifier: BSD-3-Clause */
/* From doubles to values of an array or file. */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "engine/kernel/view.h"

/* Limits are the largest doubles inside the type's range. */
#define ENCODE(T, low, high)                                                   \
    do {                                                                       \
        T instead = 0;                                                         \
        if (missing)                                                           \
            memcpy(&instead, missing, sizeof instead);                         \
        for (int64_t i = 0; i < n; i++) {                                      \
            double v = isnan(x[i]) ? 0 : rint(x[i]);                           \
            T y = v >= (high) ? (T)(high) : v <= (low) ? (T)(low) : (T)v;      \
            y = isnan(x[i]) ? instead : y;                                     \
            memcpy(to + i * (int64_t)sizeof y, &y, sizeof y);                  \
        }                                                                      \
    } while (0)

static void encode_f32(const nci_isa *isa, const double *x, int64_t n,
                       const uint8_t *missing, uint8_t *to)
{
    isa->to_f32(x, n, to);
    if (!missing || !isa->any_nan(x, n))
        return;
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            memcpy(to + 4 * i, missing, 4);
}

static void encode_f64(const nci_isa *isa, const double *x, int64_t n,
                       const uint8_t *missing, uint8_t *to)
{
    memcpy(to, x, (size_t)n * 8);
    if (!missing || !isa->any_nan(x, n))
        return;
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            memcpy(to + 8 * i, missing, 8);
}

/* Doubles next to the limits of 64 bits: 2^63 and 2^64 are not in range. */
static void encode_wide(const double *x, int64_t n, ncg_dtype dtype,
                        const uint8_t *missing, uint8_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]) && missing)
            memcpy(to + 8 * i, missing, 8);
        else
            nci_dtype_put(dtype, to + 8 * i, x[i]);
    }
}

void nci_encode(const nci_isa *isa, const double *x, int64_t n, ncg_dtype dtype,
                const uint8_t *missing, void *out)
{
    uint8_t *to = out;
    switch (dtype) {
    case NCG_DTYPE_I8:
        ENCODE(int8_t, -128, 127);
        break;
    case NCG_DTYPE_U8:
    case NCG_DTYPE_BOOL:
    case NCG_DTYPE_CHAR:
        ENCODE(uint8_t, 0, 255);
        break;
    case NCG_DTYPE_I16:
        ENCODE(int16_t, -32768, 32767);
        break;
    case NCG_DTYPE_U16:
        ENCODE(uint16_t, 0, 65535);
        break;
    case NCG_DTYPE_I32:
        ENCODE(int32_t, -2147483648.0, 2147483647.0);
        break;
    case NCG_DTYPE_U32:
        ENCODE(uint32_t, 0, 4294967295.0);
        break;
    case NCG_DTYPE_F32:
        encode_f32(isa, x, n, missing, to);
        break;
    case NCG_DTYPE_F64:
        encode_f64(isa, x, n, missing, to);
        break;
    default:
        encode_wide(x, n, dtype, missing, to);
    }
}

void nci_encode_run(const nci_isa *isa, const double *x, const nci_run *run,
                    ncg_dtype dtype, const uint8_t *missing, void *out)
{
    size_t size = ncg_dtype_size(dtype);
    uint8_t *to = out;
    if (!run->table && run->stride == 1) {
        nci_encode(isa, x, run->count, dtype, missing,
                   to + (size_t)run->offset * size);
        return;
    }
    for (int64_t i = 0; i < run->count; i++)
        nci_encode(isa, x + i, 1, dtype, missing,
                   to + (size_t)nci_run_at(run, i) * size);
}
