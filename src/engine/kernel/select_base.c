/* SPDX-License-Identifier: BSD-3-Clause */
/* Selection for what every machine of the architecture has, and what needs no
 * speed. */
#define NCI_SELECT_TABLE nci_select_base
#include "engine/kernel/select_body.h"

#include "base/dtype.h"

const nci_select_isa *nci_select_of(const nci_isa *isa)
{
#if defined(__x86_64__)
    if (isa == &nci_isa_avx2)
        return &nci_select_avx2;
#endif
    (void)isa;
    return &nci_select_base;
}

const nci_select_loops *nci_select_for(const nci_select_isa *isa,
                                       ncg_dtype dtype)
{
    bool is_narrow = dtype == NCG_DTYPE_F32 || ncg_dtype_size(dtype) <= 2;
    return is_narrow ? &isa->narrow : &isa->wide;
}

/* The bits of a 64-bit integer. */
static uint64_t wide_bits(ncg_dtype dtype, const void *missing, int64_t key)
{
    uint64_t flip = dtype == NCG_DTYPE_U64 ? (uint64_t)1 << 63 : 0, bits;
    if (missing) {
        memcpy(&bits, missing, sizeof bits);
        key += key >= (int64_t)(bits ^ flip) && key < INT64_MAX;
    }
    return (uint64_t)key ^ flip;
}

void nci_key_put(ncg_dtype dtype, const void *missing, int64_t key, void *out)
{
    if (dtype == NCG_DTYPE_F32) {
        int32_t k = (int32_t)key;
        k ^= (k >> 31) & INT32_MAX;
        memcpy(out, &k, sizeof k);
    } else if (dtype == NCG_DTYPE_F64) {
        key ^= (key >> 63) & INT64_MAX;
        memcpy(out, &key, sizeof key);
    } else if (nci_dtype_is_wide(dtype)) {
        uint64_t bits = wide_bits(dtype, missing, key);
        memcpy(out, &bits, sizeof bits);
    } else if (dtype == NCG_DTYPE_BOOL) {
        *(uint8_t *)out = (uint8_t)key;
    } else {
        nci_dtype_put_i64(dtype, out, key);
    }
}

double nci_key_value(ncg_dtype dtype, const void *missing, int64_t key)
{
    uint8_t value[8];
    if (!nci_dtype_is_float(dtype) && !nci_dtype_is_wide(dtype))
        return (double)key;
    nci_key_put(dtype, missing, key, value);
    return nci_dtype_get(dtype, value);
}

double nci_key_step(ncg_dtype dtype, const void *missing, int64_t a, int64_t b)
{
    if (nci_dtype_is_wide(dtype))
        return (double)(wide_bits(dtype, missing, b) -
                        wide_bits(dtype, missing, a));
    return nci_key_value(dtype, missing, b) - nci_key_value(dtype, missing, a);
}
