/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of select.h, included by one .c file for each instruction set,
 * which defines NCI_SELECT_TABLE.
 */
#include <string.h>

#include "engine/kernel/select.h"

/* ---- values to keys ---------------------------------------------------------- */

static void load_f32(const void *raw, int64_t n, const void *missing,
                     void *keys)
{
    const float *x = raw;
    const int32_t *bits = raw;
    int32_t *key = keys;
    (void)missing;
    for (int64_t i = 0; i < n; i++) {
        int32_t k = bits[i] ^ ((bits[i] >> 31) & INT32_MAX);
        key[i] = x[i] != x[i] ? INT32_MAX : k;
    }
}

static void load_f64(const void *raw, int64_t n, const void *missing,
                     void *keys)
{
    const double *x = raw;
    const int64_t *bits = raw;
    int64_t *key = keys;
    (void)missing;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = bits[i] ^ ((bits[i] >> 63) & INT64_MAX);
        key[i] = x[i] != x[i] ? INT64_MAX : k;
    }
}

/* Integers smaller than their keys, so that none is the largest key. */
#define LOAD_SMALL(name, T, KEY, MISSED)                                       \
    static void name(const void *raw, int64_t n, const void *missing,          \
                     void *keys)                                               \
    {                                                                          \
        const T *x = raw;                                                      \
        KEY *key = keys;                                                       \
        T miss = 0;                                                            \
        for (int64_t i = 0; i < n; i++)                                        \
            key[i] = x[i];                                                     \
        if (!missing)                                                          \
            return;                                                            \
        memcpy(&miss, missing, sizeof miss);                                   \
        for (int64_t i = 0; i < n; i++)                                        \
            key[i] = x[i] == miss ? MISSED : key[i];                           \
    }
LOAD_SMALL(load_i8, int8_t, int32_t, INT32_MAX)
LOAD_SMALL(load_u8, uint8_t, int32_t, INT32_MAX)
LOAD_SMALL(load_i16, int16_t, int32_t, INT32_MAX)
LOAD_SMALL(load_u16, uint16_t, int32_t, INT32_MAX)
LOAD_SMALL(load_i32, int32_t, int64_t, INT64_MAX)
LOAD_SMALL(load_u32, uint32_t, int64_t, INT64_MAX)

/* Keys above the missing value's move down by one and leave room for it at the
 * end. */
static void load_wide(const uint64_t *x, int64_t n, uint64_t flip,
                      const void *missing, int64_t *key)
{
    uint64_t bits = 0;
    for (int64_t i = 0; i < n; i++)
        key[i] = (int64_t)(x[i] ^ flip);
    if (!missing)
        return;
    memcpy(&bits, missing, sizeof bits);
    int64_t miss = (int64_t)(bits ^ flip);
    for (int64_t i = 0; i < n; i++)
        key[i] = key[i] == miss ? INT64_MAX : key[i] - (key[i] > miss);
}

static void load_i64(const void *raw, int64_t n, const void *missing,
                     void *keys)
{
    load_wide(raw, n, 0, missing, keys);
}

static void load_u64(const void *raw, int64_t n, const void *missing,
                     void *keys)
{
    load_wide(raw, n, (uint64_t)1 << 63, missing, keys);
}

/* ---- the loops ----------------------------------------------------------------- */

#define KEY int32_t
#define UKEY uint32_t
#define LEAST INT32_MIN
#define MISSED INT32_MAX
#define NAME(x) x##_32
#include "engine/kernel/select_loops.h"
#undef KEY
#undef UKEY
#undef LEAST
#undef MISSED
#undef NAME

#define KEY int64_t
#define UKEY uint64_t
#define LEAST INT64_MIN
#define MISSED INT64_MAX
#define NAME(x) x##_64
#include "engine/kernel/select_loops.h"
#undef KEY
#undef UKEY
#undef LEAST
#undef MISSED
#undef NAME

const nci_select_isa NCI_SELECT_TABLE = {
    .narrow = {.size = 4,
               .columns = NCI_KEY_ROW / 4,
               .missing = INT32_MAX,
               .column_ranges = column_ranges_32,
               .columns_at = columns_at_32,
               .line_range = line_range_32,
               .line_at = line_at_32},
    .wide = {.size = 8,
             .columns = NCI_KEY_ROW / 8,
             .missing = INT64_MAX,
             .column_ranges = column_ranges_64,
             .columns_at = columns_at_64,
             .line_range = line_range_64,
             .line_at = line_at_64},
    .load = {[NCG_DTYPE_I8] = load_i8,
             [NCG_DTYPE_U8] = load_u8,
             [NCG_DTYPE_I16] = load_i16,
             [NCG_DTYPE_U16] = load_u16,
             [NCG_DTYPE_I32] = load_i32,
             [NCG_DTYPE_U32] = load_u32,
             [NCG_DTYPE_I64] = load_i64,
             [NCG_DTYPE_U64] = load_u64,
             [NCG_DTYPE_F32] = load_f32,
             [NCG_DTYPE_F64] = load_f64,
             [NCG_DTYPE_BOOL] = load_u8},
};
