/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of isa_map.h that vectorise, included by one .c file for each
 * instruction set, which defines NCI_MAP_TABLE. `x`, `y` are the inputs.
 */
#include <math.h>
#include <string.h>

#include "engine/kernel/isa_map.h"

#define MAP1(name, T, R, expr)                                                 \
    static void name(const void *pa, const void *pb, const void *pc,           \
                     int64_t n, void *pout)                                    \
    {                                                                          \
        const T *a = pa;                                                       \
        R *restrict out = pout;                                                \
        (void)pb, (void)pc;                                                    \
        for (int64_t i = 0; i < n; i++) {                                      \
            T x = a[i];                                                        \
            out[i] = (R)(expr);                                                \
        }                                                                      \
    }

#define MAP2(name, T, R, expr)                                                 \
    static void name(const void *pa, const void *pb, const void *pc,           \
                     int64_t n, void *pout)                                    \
    {                                                                          \
        const T *a = pa, *b = pb;                                              \
        R *restrict out = pout;                                                \
        (void)pc;                                                              \
        for (int64_t i = 0; i < n; i++) {                                      \
            T x = a[i], y = b[i];                                              \
            out[i] = (R)(expr);                                                \
        }                                                                      \
    }

#define COMPARISONS(T, s)                                                      \
    MAP2(eq_##s, T, int64_t, x == y)                                           \
    MAP2(ne_##s, T, int64_t, x != y)                                           \
    MAP2(lt_##s, T, int64_t, x < y)                                            \
    MAP2(le_##s, T, int64_t, x <= y)                                           \
    MAP2(gt_##s, T, int64_t, x > y)                                            \
    MAP2(ge_##s, T, int64_t, x >= y)                                           \
    MAP1(truth_##s, T, int64_t, x != 0)                                        \
    static void where_##s(const void *pa, const void *pb, const void *pc,      \
                          int64_t n, void *pout)                               \
    {                                                                          \
        const int64_t *is = pa;                                                \
        const T *b = pb, *c = pc;                                              \
        T *restrict out = pout;                                                \
        for (int64_t i = 0; i < n; i++) {                                      \
            T x = b[i], y = c[i];                                              \
            out[i] = is[i] ? x : y;                                            \
        }                                                                      \
    }

#define FLOATS(T, s, f)                                                        \
    COMPARISONS(T, s)                                                          \
    MAP2(add_##s, T, T, x + y)                                                 \
    MAP2(sub_##s, T, T, x - y)                                                 \
    MAP2(mul_##s, T, T, x *y)                                                  \
    MAP2(div_##s, T, T, x / y)                                                 \
    MAP2(min_##s, T, T, x < y || x != x ? x : y)                               \
    MAP2(max_##s, T, T, x > y || x != x ? x : y)                               \
    MAP2(fmin_##s, T, T, x < y || y != y ? x : y)                              \
    MAP2(fmax_##s, T, T, x > y || y != y ? x : y)                              \
    MAP2(copysign_##s, T, T, copysign##f(x, y))                                \
    MAP1(neg_##s, T, T, -x)                                                    \
    MAP1(abs_##s, T, T, fabs##f(x))                                            \
    MAP1(sign_##s, T, T, x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x)              \
    MAP1(square_##s, T, T, x *x)                                               \
    MAP1(floor_##s, T, T, floor##f(x))                                         \
    MAP1(ceil_##s, T, T, ceil##f(x))                                           \
    MAP1(trunc_##s, T, T, trunc##f(x))                                         \
    MAP1(rint_##s, T, T, rint##f(x))                                           \
    MAP1(isnan_##s, T, int64_t, x != x)                                        \
    MAP1(isinf_##s, T, int64_t, fabs##f(x) == (T)INFINITY)                     \
    MAP1(isfinite_##s, T, int64_t, fabs##f(x) < (T)INFINITY)                   \
    MAP1(sqrt_##s, T, T, sqrt##f(x))                                           \
    MAP1(radians_##s, T, T, x *(T)(M_PI / 180))                                \
    MAP1(degrees_##s, T, T, x *(T)(180 / M_PI))                                \
    MAP1(reciprocal_##s, T, T, 1 / x)

/* Sums, differences and products wrap, as uint64_t does by definition. */
#define INTEGERS(T, s)                                                         \
    COMPARISONS(T, s)                                                          \
    MAP2(min_##s, T, T, x < y ? x : y)                                         \
    MAP2(max_##s, T, T, x > y ? x : y)                                         \
    MAP1(isnan_##s, T, int64_t, x != x)                                        \
    MAP1(isfinite_##s, T, int64_t, x == x)                                     \
    MAP1(signbit_##s, T, int64_t, (T)-1 < 0 && x < 0)                          \
    MAP1(abs_##s, T, uint64_t, x < 0 ? -(uint64_t)x : (uint64_t)x)             \
    MAP1(sign_##s, T, T, x > 0 ? 1 : x < 0 ? -1 : 0)                           \
    MAP1(to_f64_##s, T, double, x)                                             \
    MAP1(to_f32_##s, T, float, x)

FLOATS(double, f64, )
FLOATS(float, f32, f)
INTEGERS(int64_t, i64)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits"
INTEGERS(uint64_t, u64)
#pragma GCC diagnostic pop

MAP2(add_int, uint64_t, uint64_t, x + y)
MAP2(sub_int, uint64_t, uint64_t, x - y)
MAP2(mul_int, uint64_t, uint64_t, x *y)
MAP2(and_int, uint64_t, uint64_t, x &y)
MAP2(or_int, uint64_t, uint64_t, x | y)
MAP2(xor_int, uint64_t, uint64_t, x ^ y)
MAP1(neg_int, uint64_t, uint64_t, -x)
MAP1(square_int, uint64_t, uint64_t, x *x)
MAP1(invert_int, uint64_t, uint64_t, ~x)
MAP1(not_int, int64_t, int64_t, x == 0)
MAP1(same_int, uint64_t, uint64_t, x)
MAP1(widen, float, double, x)
MAP1(narrow, double, float, x)

/* ---- integers of fewer bits ---------------------------------------------- */

#define RAW(T, s)                                                              \
    typedef T s##_any __attribute__((aligned(1)));                             \
    static void load_##s(const void *raw, int64_t n, int64_t *restrict out)    \
    {                                                                          \
        const s##_any *from = raw;                                             \
        for (int64_t i = 0; i < n; i++)                                        \
            out[i] = (int64_t)from[i];                                         \
    }                                                                          \
    static void save_##s(const int64_t *x, int64_t n, void *out)               \
    {                                                                          \
        s##_any *restrict to = out;                                            \
        for (int64_t i = 0; i < n; i++)                                        \
            to[i] = (T)x[i];                                                   \
    }

#define NARROW(T, s)                                                           \
    RAW(T, s)                                                                  \
    static void wrap_##s(int64_t *x, int64_t n)                                \
    {                                                                          \
        for (int64_t i = 0; i < n; i++)                                        \
            x[i] = (int64_t)(T)x[i];                                           \
    }
NARROW(int8_t, i8)
NARROW(uint8_t, u8)
NARROW(int16_t, i16)
NARROW(uint16_t, u16)
NARROW(int32_t, i32)
NARROW(uint32_t, u32)
RAW(int64_t, i64)

static void wrap_bool(int64_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] != 0;
}

static void load_bool(const void *raw, int64_t n, int64_t *restrict out)
{
    const uint8_t *from = raw;
    for (int64_t i = 0; i < n; i++)
        out[i] = from[i] != 0;
}

/* Added to the bits of 1.5 * 2^52, a small integer becomes that number plus
 * itself. */
static void small_to_f64(const int64_t *x, int64_t n, double *restrict out)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t bits = x[i] + 0x4338000000000000;
        double y;
        memcpy(&y, &bits, sizeof y);
        out[i] = y - 0x1.8p52;
    }
}

static void clamp(const double *x, int64_t n, double low, double high,
                  double *restrict out)
{
    for (int64_t i = 0; i < n; i++) {
        double v = rint(x[i]);
        v = v > high ? high : v;
        out[i] = v < low ? low : v;
    }
}

static int64_t sum_int(const int64_t *x, int64_t n)
{
    uint64_t s = 0;
    for (int64_t i = 0; i < n; i++)
        s += (uint64_t)x[i];
    return (int64_t)s;
}

/* ---- rows ---------------------------------------------------------------- */

/* Lanes and their order are those of isa_body.h: element i goes to lane
 * i mod NCI_LANES. */
typedef double doubles4 __attribute__((vector_size(32)));
typedef double f64x4_any __attribute__((vector_size(32), aligned(8)));
typedef float f32x4_any __attribute__((vector_size(16), aligned(4)));

static inline double meet(double *sum)
{
    for (int n = NCI_LANES / 2; n; n /= 2)
        for (int i = 0; i < n; i++)
            sum[i] += sum[i + n];
    return sum[0];
}

#define ROWS(T, s)                                                             \
    static inline doubles4 load4_##s(const T *x)                               \
    {                                                                          \
        return __builtin_convertvector(*(const s##x4_any *)(const void *)x,    \
                                       doubles4);                              \
    }                                                                          \
    static double row_sum_##s(const void *from, int64_t n)                     \
    {                                                                          \
        const T *x = from;                                                     \
        doubles4 sum[4] = {{0}};                                               \
        double lane[NCI_LANES];                                                \
        int64_t i = 0;                                                         \
        for (; i + NCI_LANES <= n; i += NCI_LANES)                             \
            for (int v = 0; v < 4; v++)                                        \
                sum[v] += load4_##s(x + i + 4 * v);                            \
        memcpy(lane, sum, sizeof lane);                                        \
        for (int64_t l = 0; i < n; i++, l++)                                   \
            lane[l] += (double)x[i];                                           \
        return meet(lane);                                                     \
    }                                                                          \
    static void row_squares_##s(const void *from, int64_t n, double k,         \
                                double out[2])                                 \
    {                                                                          \
        const T *x = from;                                                     \
        doubles4 sum[4] = {{0}}, square[4] = {{0}}, shift = {k, k, k, k};      \
        double s_lane[NCI_LANES], q_lane[NCI_LANES];                           \
        int64_t i = 0;                                                         \
        for (; i + NCI_LANES <= n; i += NCI_LANES)                             \
            for (int v = 0; v < 4; v++) {                                      \
                doubles4 d = load4_##s(x + i + 4 * v) - shift;                 \
                sum[v] += d;                                                   \
                square[v] += d * d;                                            \
            }                                                                  \
        memcpy(s_lane, sum, sizeof s_lane);                                    \
        memcpy(q_lane, square, sizeof q_lane);                                 \
        for (int64_t l = 0; i < n; i++, l++) {                                 \
            double d = (double)x[i] - k;                                       \
            s_lane[l] += d;                                                    \
            q_lane[l] += d * d;                                                \
        }                                                                      \
        out[0] = meet(s_lane);                                                 \
        out[1] = meet(q_lane);                                                 \
    }
ROWS(double, f64)
ROWS(float, f32)

/* The operation is done in its own class, as where its result is stored. */
#define SUMS_OF(name, T, s, op)                                                \
    static double row_of_##name##_##s(const void *pa, const void *pb,          \
                                      int64_t n)                               \
    {                                                                          \
        const T *a = pa, *b = pb;                                              \
        doubles4 sum[4] = {{0}};                                               \
        double lane[NCI_LANES];                                                \
        int64_t i = 0;                                                         \
        for (; i + NCI_LANES <= n; i += NCI_LANES)                             \
            for (int v = 0; v < 4; v++) {                                      \
                const void *at = a + i + 4 * v, *bt = b + i + 4 * v;           \
                sum[v] += __builtin_convertvector(*(const s##x4_any *)at op *  \
                                                      (const s##x4_any *)bt,   \
                                                  doubles4);                   \
            }                                                                  \
        memcpy(lane, sum, sizeof lane);                                        \
        for (int64_t l = 0; i < n; i++, l++)                                   \
            lane[l] += (double)(a[i] op b[i]);                                 \
        return meet(lane);                                                     \
    }                                                                          \
    static bool column_of_##name##_##s(double *restrict sum, const void *pa,   \
                                       const void *pb, int64_t n)              \
    {                                                                          \
        const T *restrict a = pa, *restrict b = pb;                            \
        int64_t any = 0;                                                       \
        for (int64_t i = 0; i < n; i++) {                                      \
            double x = (double)(a[i] op b[i]);                                 \
            int64_t is_missing = x != x;                                       \
            any |= is_missing;                                                 \
            sum[i] += is_missing ? 0 : x;                                      \
        }                                                                      \
        return any != 0;                                                       \
    }                                                                          \
    static bool squares_of_##name##_##s(                                       \
        const double *restrict k, double *restrict sum, double *restrict q,    \
        const void *pa, const void *pb, int64_t n)                             \
    {                                                                          \
        const T *restrict a = pa, *restrict b = pb;                            \
        int64_t any = 0;                                                       \
        for (int64_t i = 0; i < n; i++) {                                      \
            double d = (double)(a[i] op b[i]) - k[i];                          \
            any |= d != d;                                                     \
            d = d == d ? d : 0;                                                \
            sum[i] += d;                                                       \
            q[i] += d * d;                                                     \
        }                                                                      \
        return any != 0;                                                       \
    }
#define ALL_SUMS_OF(T, s)                                                      \
    SUMS_OF(add, T, s, +) SUMS_OF(sub, T, s, -) SUMS_OF(mul, T, s, *)
ALL_SUMS_OF(double, f64)
ALL_SUMS_OF(float, f32)

/* ---- the table ----------------------------------------------------------- */

#define COMPARISON_ROW(s)                                                      \
    [NCI_MAP_EQ] = eq_##s, [NCI_MAP_NE] = ne_##s, [NCI_MAP_LT] = lt_##s,       \
    [NCI_MAP_LE] = le_##s, [NCI_MAP_GT] = gt_##s, [NCI_MAP_GE] = ge_##s,       \
    [NCI_MAP_WHERE] = where_##s, [NCI_MAP_MIN] = min_##s,                      \
    [NCI_MAP_MAX] = max_##s, [NCI_MAP_ABS] = abs_##s,                          \
    [NCI_MAP_SIGN] = sign_##s, [NCI_MAP_ISNAN] = isnan_##s,                    \
    [NCI_MAP_ISFINITE] = isfinite_##s

#define FLOAT_ROW(s)                                                           \
    {                                                                          \
        COMPARISON_ROW(s),                                                     \
            [NCI_MAP_ADD] = add_##s, [NCI_MAP_SUB] = sub_##s,                  \
            [NCI_MAP_MUL] = mul_##s, [NCI_MAP_DIV] = div_##s,                  \
            [NCI_MAP_FMIN] = fmin_##s, [NCI_MAP_FMAX] = fmax_##s,              \
            [NCI_MAP_COPYSIGN] = copysign_##s, [NCI_MAP_NEG] = neg_##s,        \
            [NCI_MAP_SQUARE] = square_##s, [NCI_MAP_FLOOR] = floor_##s,        \
            [NCI_MAP_CEIL] = ceil_##s, [NCI_MAP_TRUNC] = trunc_##s,            \
            [NCI_MAP_RINT] = rint_##s, [NCI_MAP_ISINF] = isinf_##s,            \
            [NCI_MAP_SQRT] = sqrt_##s, [NCI_MAP_RADIANS] = radians_##s,        \
            [NCI_MAP_DEGREES] = degrees_##s,                                   \
            [NCI_MAP_RECIPROCAL] = reciprocal_##s                              \
    }

#define OF_ROW(kind, s)                                                        \
    {                                                                          \
        [NCI_MAP_ADD] = kind##_add_##s, [NCI_MAP_SUB] = kind##_sub_##s,        \
        [NCI_MAP_MUL] = kind##_mul_##s                                         \
    }

#define INTEGER_ROW(s)                                                         \
    {                                                                          \
        COMPARISON_ROW(s),                                                     \
            [NCI_MAP_ADD] = add_int, [NCI_MAP_SUB] = sub_int,                  \
            [NCI_MAP_MUL] = mul_int, [NCI_MAP_FMIN] = min_##s,                 \
            [NCI_MAP_FMAX] = max_##s, [NCI_MAP_BITAND] = and_int,              \
            [NCI_MAP_BITOR] = or_int, [NCI_MAP_BITXOR] = xor_int,              \
            [NCI_MAP_NEG] = neg_int, [NCI_MAP_SQUARE] = square_int,            \
            [NCI_MAP_INVERT] = invert_int, [NCI_MAP_FLOOR] = same_int,         \
            [NCI_MAP_CEIL] = same_int, [NCI_MAP_TRUNC] = same_int,             \
            [NCI_MAP_RINT] = same_int, [NCI_MAP_ISINF] = isnan_##s,            \
            [NCI_MAP_SIGNBIT] = signbit_##s                                    \
    }

const nci_isa_map NCI_MAP_TABLE = {
    .row = {[NCI_CLASS_F64] = FLOAT_ROW(f64),
            [NCI_CLASS_F32] = FLOAT_ROW(f32),
            [NCI_CLASS_I64] = INTEGER_ROW(i64),
            [NCI_CLASS_U64] = INTEGER_ROW(u64)},
    .cast = {[NCI_CLASS_F64] = {[NCI_CLASS_F32] = narrow},
             [NCI_CLASS_F32] = {[NCI_CLASS_F64] = widen},
             [NCI_CLASS_I64] =
                 {[NCI_CLASS_F64] = to_f64_i64, [NCI_CLASS_F32] = to_f32_i64},
             [NCI_CLASS_U64] =
                 {[NCI_CLASS_F64] = to_f64_u64, [NCI_CLASS_F32] = to_f32_u64}},
    .truth = {[NCI_CLASS_F64] = truth_f64,
              [NCI_CLASS_F32] = truth_f32,
              [NCI_CLASS_I64] = truth_i64,
              [NCI_CLASS_U64] = truth_u64},
    .not_truth = not_int,
    .wrap = {[NCG_DTYPE_I8] = wrap_i8,
             [NCG_DTYPE_U8] = wrap_u8,
             [NCG_DTYPE_I16] = wrap_i16,
             [NCG_DTYPE_U16] = wrap_u16,
             [NCG_DTYPE_I32] = wrap_i32,
             [NCG_DTYPE_U32] = wrap_u32,
             [NCG_DTYPE_BOOL] = wrap_bool},
    .load = {[NCG_DTYPE_I8] = load_i8,
             [NCG_DTYPE_U8] = load_u8,
             [NCG_DTYPE_I16] = load_i16,
             [NCG_DTYPE_U16] = load_u16,
             [NCG_DTYPE_I32] = load_i32,
             [NCG_DTYPE_U32] = load_u32,
             [NCG_DTYPE_I64] = load_i64,
             [NCG_DTYPE_U64] = load_i64,
             [NCG_DTYPE_BOOL] = load_bool},
    .save = {[NCG_DTYPE_I8] = save_i8,
             [NCG_DTYPE_U8] = save_u8,
             [NCG_DTYPE_I16] = save_i16,
             [NCG_DTYPE_U16] = save_u16,
             [NCG_DTYPE_I32] = save_i32,
             [NCG_DTYPE_U32] = save_u32,
             [NCG_DTYPE_I64] = save_i64,
             [NCG_DTYPE_U64] = save_i64,
             [NCG_DTYPE_BOOL] = save_u8},
    .small_to_f64 = small_to_f64,
    .clamp = clamp,
    .sum = sum_int,
    .row_sum = {row_sum_f64, row_sum_f32},
    .row_squares = {row_squares_f64, row_squares_f32},
    .row_of = {OF_ROW(row_of, f64), OF_ROW(row_of, f32)},
    .column_of = {OF_ROW(column_of, f64), OF_ROW(column_of, f32)},
    .squares_of = {OF_ROW(squares_of, f64), OF_ROW(squares_of, f32)},
};
