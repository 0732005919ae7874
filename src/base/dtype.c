/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/dtype.h"

#include <math.h>
#include <string.h>

size_t ncg_dtype_size(ncg_dtype dtype)
{
#define DTYPE_SIZE(name, value, bytes, text) bytes,
    static const unsigned char sizes[] = {NCG_DTYPE_MAP(DTYPE_SIZE)};
    return (size_t)dtype < sizeof sizes ? sizes[dtype] : 0;
}

#define DTYPE_TEXT(name, value, bytes, text) text,
static const char *const names[] = {NCG_DTYPE_MAP(DTYPE_TEXT)};
#define DTYPE_COUNT (sizeof names / sizeof names[0])

const char *ncg_dtype_name(ncg_dtype dtype)
{
    return (size_t)dtype < DTYPE_COUNT ? names[dtype] : names[0];
}

ncg_dtype ncg_dtype_parse(const char *name)
{
    for (size_t i = 1; name && i < DTYPE_COUNT; i++)
        if (!strcmp(name, names[i]))
            return (ncg_dtype)i;
    return NCG_DTYPE_NONE;
}

bool nci_dtype_is_float(ncg_dtype dtype)
{
    return dtype == NCG_DTYPE_F32 || dtype == NCG_DTYPE_F64;
}

bool nci_dtype_is_integer(ncg_dtype dtype)
{
    return (dtype >= NCG_DTYPE_I8 && dtype <= NCG_DTYPE_U64) ||
           dtype == NCG_DTYPE_BOOL;
}

bool nci_dtype_is_signed(ncg_dtype dtype)
{
    return dtype == NCG_DTYPE_I8 || dtype == NCG_DTYPE_I16 ||
           dtype == NCG_DTYPE_I32 || dtype == NCG_DTYPE_I64 ||
           nci_dtype_is_float(dtype);
}

bool nci_dtype_is_numeric(ncg_dtype dtype)
{
    return nci_dtype_is_float(dtype) || nci_dtype_is_integer(dtype);
}

bool nci_dtype_is_wide(ncg_dtype dtype)
{
    return dtype == NCG_DTYPE_I64 || dtype == NCG_DTYPE_U64;
}

ncg_dtype nci_dtype_unsigned(ncg_dtype dtype)
{
    switch (dtype) {
    case NCG_DTYPE_I8:
        return NCG_DTYPE_U8;
    case NCG_DTYPE_I16:
        return NCG_DTYPE_U16;
    case NCG_DTYPE_I32:
        return NCG_DTYPE_U32;
    case NCG_DTYPE_I64:
        return NCG_DTYPE_U64;
    default:
        return dtype;
    }
}

/* The values of netcdf.h, NC_FILL_*; given here because `base` sees no
 * library. The test base.dtype compares them. */
double nci_dtype_default_fill(ncg_dtype dtype)
{
    switch (dtype) {
    case NCG_DTYPE_I8:
        return -127;
    case NCG_DTYPE_U8:
        return 255;
    case NCG_DTYPE_I16:
        return -32767;
    case NCG_DTYPE_U16:
        return 65535;
    case NCG_DTYPE_I32:
        return -2147483647;
    case NCG_DTYPE_U32:
        return 4294967295.0;
    case NCG_DTYPE_I64:
        return -9223372036854775806.0;
    case NCG_DTYPE_U64:
        return 18446744073709551614.0;
    case NCG_DTYPE_F32:
    case NCG_DTYPE_F64:
        return 9.9692099683868690e+36;
    default:
        return 0;
    }
}

#define WITH_VALUE(type, expr)                                                 \
    do {                                                                       \
        type v;                                                                \
        memcpy(&v, value, sizeof v);                                           \
        return (expr);                                                         \
    } while (0)

double nci_dtype_get(ncg_dtype dtype, const void *value)
{
    switch (dtype) {
    case NCG_DTYPE_I8:
        WITH_VALUE(int8_t, v);
    case NCG_DTYPE_U8:
    case NCG_DTYPE_BOOL:
    case NCG_DTYPE_CHAR:
        WITH_VALUE(uint8_t, v);
    case NCG_DTYPE_I16:
        WITH_VALUE(int16_t, v);
    case NCG_DTYPE_U16:
        WITH_VALUE(uint16_t, v);
    case NCG_DTYPE_I32:
        WITH_VALUE(int32_t, v);
    case NCG_DTYPE_U32:
        WITH_VALUE(uint32_t, v);
    case NCG_DTYPE_I64:
        WITH_VALUE(int64_t, (double)v);
    case NCG_DTYPE_U64:
        WITH_VALUE(uint64_t, (double)v);
    case NCG_DTYPE_F32:
        WITH_VALUE(float, v);
    case NCG_DTYPE_F64:
        WITH_VALUE(double, v);
    case NCG_DTYPE_NONE:
    case NCG_DTYPE_STRING:
        break;
    }
    return NAN;
}

int64_t nci_dtype_get_i64(ncg_dtype dtype, const void *value)
{
    switch (dtype) {
    case NCG_DTYPE_I64:
        WITH_VALUE(int64_t, v);
    case NCG_DTYPE_U64:
        WITH_VALUE(uint64_t, (int64_t)v);
    default:
        return (int64_t)nci_dtype_get(dtype, value);
    }
}

static void integer_limits(ncg_dtype dtype, double *low, double *high)
{
    bool is_signed = nci_dtype_is_signed(dtype);
    int bits = 8 * (int)ncg_dtype_size(dtype);
    *low = is_signed ? -ldexp(1, bits - 1) : 0;
    *high = ldexp(1, bits - (is_signed ? 1 : 0)) - (bits < 64 ? 1 : 0);
}

static int64_t clamp_to_i64(double x)
{
    if (x >= 9223372036854775807.0)
        return INT64_MAX;
    return x <= -9223372036854775808.0 ? INT64_MIN : (int64_t)x;
}

void nci_dtype_put(ncg_dtype dtype, void *value, double x)
{
    if (dtype == NCG_DTYPE_F64) {
        memcpy(value, &x, sizeof x);
        return;
    }
    if (dtype == NCG_DTYPE_F32) {
        float f = (float)x;
        memcpy(value, &f, sizeof f);
        return;
    }
    x = isnan(x) ? 0 : rint(x);
    if (dtype == NCG_DTYPE_U64) {
        uint64_t u = x <= 0                        ? 0
                     : x >= 18446744073709551615.0 ? UINT64_MAX
                                                   : (uint64_t)x;
        memcpy(value, &u, sizeof u);
        return;
    }
    nci_dtype_put_i64(dtype, value, clamp_to_i64(x));
}

void nci_dtype_put_i64(ncg_dtype dtype, void *value, int64_t x)
{
    if (nci_dtype_is_float(dtype)) {
        nci_dtype_put(dtype, value, (double)x);
        return;
    }
    size_t size = ncg_dtype_size(dtype);
    if (size < 8) {
        double low, high;
        integer_limits(dtype, &low, &high);
        x = x < (int64_t)low ? (int64_t)low : x;
        x = x > (int64_t)high ? (int64_t)high : x;
    } else if (dtype == NCG_DTYPE_U64 && x < 0) {
        x = 0;
    }
    int8_t i8 = (int8_t)x;
    int16_t i16 = (int16_t)x;
    int32_t i32 = (int32_t)x;
    const void *from = size == 1   ? (const void *)&i8
                       : size == 2 ? (const void *)&i16
                       : size == 4 ? (const void *)&i32
                                   : (const void *)&x;
    memcpy(value, from, size);
}
