/* SPDX-License-Identifier: BSD-3-Clause */
/* Which table of loops runs, and how a decode rule becomes typed tests. */
#include "engine/kernel/isa.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/dtype.h"

static _Atomic(const nci_isa *) chosen;

const nci_isa *nci_isa_best(void)
{
    const nci_isa *isa = atomic_load_explicit(&chosen, memory_order_acquire);
    if (isa)
        return isa;
    isa = &nci_isa_base;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        isa = &nci_isa_avx2;
#endif
    atomic_store_explicit(&chosen, isa, memory_order_release);
    return isa;
}

void nci_isa_force(const nci_isa *isa)
{
    atomic_store_explicit(&chosen, isa, memory_order_release);
}

static ncg_dtype storage_dtype(ncg_dtype dtype)
{
    bool is_byte = dtype == NCG_DTYPE_BOOL || dtype == NCG_DTYPE_CHAR;
    return is_byte ? NCG_DTYPE_U8 : dtype;
}

/* A missing value that the raw dtype cannot hold never matches. */
static bool put_exact(ncg_dtype raw, double x, void *out)
{
    if (isnan(x))
        return false;
    nci_dtype_put(raw, out, x);
    return nci_dtype_get(raw, out) == x;
}

static void put_limits(ncg_dtype raw, nci_mask *out)
{
    if (nci_dtype_is_float(raw)) {
        nci_dtype_put(raw, out->low, -INFINITY);
        nci_dtype_put(raw, out->high, INFINITY);
        return;
    }
    if (raw == NCG_DTYPE_U64) {
        memset(out->low, 0, sizeof out->low);
        memset(out->high, 0xff, sizeof out->high);
        return;
    }
    nci_dtype_put_i64(raw, out->low, INT64_MIN);
    nci_dtype_put_i64(raw, out->high, INT64_MAX);
}

/* Nothing lies inside an empty range. */
static void put_empty(ncg_dtype raw, nci_mask *out)
{
    uint8_t low[8];
    put_limits(raw, out);
    memcpy(low, out->low, sizeof low);
    memcpy(out->low, out->high, sizeof low);
    memcpy(out->high, low, sizeof low);
}

/* The nearest value of `raw` that is not below (above) x. */
static void put_inward(ncg_dtype raw, double x, bool is_low, void *out)
{
    if (raw == NCG_DTYPE_F32) {
        float f = (float)x;
        if (is_low ? (double)f < x : (double)f > x)
            f = nextafterf(f, is_low ? INFINITY : -INFINITY);
        memcpy(out, &f, sizeof f);
        return;
    }
    nci_dtype_put(raw, out,
                  raw == NCG_DTYPE_F64 ? x
                  : is_low             ? ceil(x)
                                       : floor(x));
}

static void put_range(const nci_decode *decode, ncg_dtype raw, nci_mask *out)
{
    double low = nci_dtype_get(raw, out->low);
    double high = nci_dtype_get(raw, out->high);
    bool bad_min = decode->has_min && isnan(decode->min);
    bool bad_max = decode->has_max && isnan(decode->max);
    if ((decode->has_min && decode->min > high) ||
        (decode->has_max && decode->max < low)) {
        put_empty(raw, out);
        return;
    }
    if (decode->has_min && !bad_min && decode->min > low)
        put_inward(raw, decode->min, true, out->low);
    if (decode->has_max && !bad_max && decode->max < high)
        put_inward(raw, decode->max, false, out->high);
}

static void put_wide_range(const nci_decode *decode, nci_mask *out)
{
    if (decode->has_min)
        memcpy(out->low, &decode->min_i64, 8);
    if (decode->has_max)
        memcpy(out->high, &decode->max_i64, 8);
}

static void fill_up(nci_mask *mask)
{
    if (mask->nmissing < 2)
        return;
    for (int i = mask->nmissing; i < NCI_MAX_MISSING; i++)
        memcpy(mask->missing[i], mask->missing[0], 8);
    mask->nmissing = NCI_MAX_MISSING;
}

void nci_mask_of(const nci_decode *decode, nci_mask *out)
{
    ncg_dtype raw = storage_dtype(decode->raw);
    *out = (nci_mask){.raw = raw,
                      .has_range = decode->has_min || decode->has_max,
                      .has_scale = decode->has_scale,
                      .scale = decode->scale,
                      .offset = decode->offset};
    put_limits(raw, out);
    if (nci_dtype_is_wide(raw)) {
        for (int i = 0; i < decode->nmissing; i++)
            memcpy(out->missing[out->nmissing++], &decode->missing_i64[i], 8);
        put_wide_range(decode, out);
    } else {
        for (int i = 0; i < decode->nmissing; i++)
            if (put_exact(raw, decode->missing[i], out->missing[out->nmissing]))
                out->nmissing++;
        put_range(decode, raw, out);
    }
    fill_up(out);
}

void nci_mask_plain(ncg_dtype dtype, const void *missing, nci_mask *out)
{
    *out = (nci_mask){.raw = storage_dtype(dtype), .scale = 1};
    put_limits(out->raw, out);
    if (missing && !nci_dtype_is_float(out->raw)) {
        memcpy(out->missing[0], missing, ncg_dtype_size(dtype));
        out->nmissing = 1;
    }
}
