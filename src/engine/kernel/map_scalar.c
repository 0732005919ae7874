/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Element-wise loops that call the mathematical library or divide integers:
 * the same for every instruction set. Floats are computed as floats. The signs
 * of quotients and remainders are NumPy's (npy_divmod).
 */
#include <math.h>

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

#define MAP2(name, T, expr)                                                    \
    static void name(const void *pa, const void *pb, const void *pc,           \
                     int64_t n, void *pout)                                    \
    {                                                                          \
        const T *a = pa, *b = pb;                                              \
        T *restrict out = pout;                                                \
        (void)pc;                                                              \
        for (int64_t i = 0; i < n; i++) {                                      \
            T x = a[i], y = b[i];                                              \
            out[i] = (T)(expr);                                                \
        }                                                                      \
    }

/* ---- floats -------------------------------------------------------------- */

#define DIVISION(T, s, f)                                                      \
    static T quotient_##s(T x, T y, T *rest)                                   \
    {                                                                          \
        T mod = fmod##f(x, y);                                                 \
        *rest = mod;                                                           \
        if (y == 0)                                                            \
            return x / y;                                                      \
        T div = (x - mod) / y;                                                 \
        if (mod != 0) {                                                        \
            if ((y < 0) != (mod < 0)) {                                        \
                mod += y;                                                      \
                div -= 1;                                                      \
            }                                                                  \
        } else {                                                               \
            mod = copysign##f(0, y);                                           \
        }                                                                      \
        *rest = mod;                                                           \
        if (div == 0)                                                          \
            return copysign##f(0, x / y);                                      \
        T floored = floor##f(div);                                             \
        return div - floored > (T)0.5 ? floored + 1 : floored;                 \
    }                                                                          \
    static T floordiv_##s##_of(T x, T y)                                       \
    {                                                                          \
        T rest;                                                                \
        return quotient_##s(x, y, &rest);                                      \
    }                                                                          \
    static T mod_##s##_of(T x, T y)                                            \
    {                                                                          \
        T rest;                                                                \
        quotient_##s(x, y, &rest);                                             \
        return rest;                                                           \
    }

#define FLOATS(T, s, f)                                                        \
    DIVISION(T, s, f)                                                          \
    MAP2(floordiv_##s, T, floordiv_##s##_of(x, y))                             \
    MAP2(mod_##s, T, mod_##s##_of(x, y))                                       \
    MAP2(fmod_##s, T, fmod##f(x, y))                                           \
    MAP2(pow_##s, T, y == 2 ? x * x : pow##f(x, y))                            \
    MAP2(atan2_##s, T, atan2##f(x, y))                                         \
    MAP2(hypot_##s, T, hypot##f(x, y))                                         \
    MAP1(signbit_##s, T, int64_t, signbit(x) != 0)                             \
    MAP1(cbrt_##s, T, T, cbrt##f(x))                                           \
    MAP1(exp_##s, T, T, exp##f(x))                                             \
    MAP1(exp2_##s, T, T, exp2##f(x))                                           \
    MAP1(expm1_##s, T, T, expm1##f(x))                                         \
    MAP1(log_##s, T, T, log##f(x))                                             \
    MAP1(log2_##s, T, T, log2##f(x))                                           \
    MAP1(log10_##s, T, T, log10##f(x))                                         \
    MAP1(log1p_##s, T, T, log1p##f(x))                                         \
    MAP1(sin_##s, T, T, sin##f(x))                                             \
    MAP1(cos_##s, T, T, cos##f(x))                                             \
    MAP1(tan_##s, T, T, tan##f(x))                                             \
    MAP1(asin_##s, T, T, asin##f(x))                                           \
    MAP1(acos_##s, T, T, acos##f(x))                                           \
    MAP1(atan_##s, T, T, atan##f(x))                                           \
    MAP1(sinh_##s, T, T, sinh##f(x))                                           \
    MAP1(cosh_##s, T, T, cosh##f(x))                                           \
    MAP1(tanh_##s, T, T, tanh##f(x))                                           \
    MAP1(asinh_##s, T, T, asinh##f(x))                                         \
    MAP1(acosh_##s, T, T, acosh##f(x))                                         \
    MAP1(atanh_##s, T, T, atanh##f(x))

FLOATS(double, f64, )
FLOATS(float, f32, f)

/* ---- integers ------------------------------------------------------------ */

/* By zero: 0. The least value by -1 wraps. */
static int64_t divide(int64_t x, int64_t y)
{
    if (y == 0)
        return 0;
    return y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t rest(int64_t x, int64_t y)
{
    return y == 0 || y == -1 ? 0 : x % y;
}

static int64_t floordiv(int64_t x, int64_t y)
{
    int64_t q = divide(x, y), r = rest(x, y);
    return r && (r < 0) != (y < 0) ? q - 1 : q;
}

static int64_t mod(int64_t x, int64_t y)
{
    int64_t r = rest(x, y);
    return r && (r < 0) != (y < 0) ? r + y : r;
}

/* Negative exponents give 0 (NumPy refuses them). */
static uint64_t power(uint64_t x, uint64_t y)
{
    uint64_t result = 1;
    for (; y; y >>= 1, x *= x)
        if (y & 1)
            result *= x;
    return result;
}

MAP2(floordiv_i64, int64_t, floordiv(x, y))
MAP2(mod_i64, int64_t, mod(x, y))
MAP2(fmod_i64, int64_t, rest(x, y))
MAP2(pow_i64, int64_t, y < 0 ? 0 : power((uint64_t)x, (uint64_t)y))
MAP2(shr_i64, int64_t, (uint64_t)y > 63 ? (x < 0 ? -1 : 0) : x >> y)
MAP2(floordiv_u64, uint64_t, y ? x / y : 0)
MAP2(mod_u64, uint64_t, y ? x % y : 0)
MAP2(pow_u64, uint64_t, power(x, y))
MAP2(shl_u64, uint64_t, y > 63 ? 0 : x << y)
MAP2(shr_u64, uint64_t, y > 63 ? 0 : x >> y)

/* ---- the table ----------------------------------------------------------- */

#define ENTRY(op, name, s) [NCI_MAP_##op] = name##_##s

#define FLOAT_ROW(s)                                                           \
    {                                                                          \
        ENTRY(FLOORDIV, floordiv, s), ENTRY(MOD, mod, s),                      \
            ENTRY(FMOD, fmod, s), ENTRY(POW, pow, s), ENTRY(ATAN2, atan2, s),  \
            ENTRY(HYPOT, hypot, s), ENTRY(SIGNBIT, signbit, s),                \
            ENTRY(CBRT, cbrt, s), ENTRY(EXP, exp, s), ENTRY(EXP2, exp2, s),    \
            ENTRY(EXPM1, expm1, s), ENTRY(LOG, log, s), ENTRY(LOG2, log2, s),  \
            ENTRY(LOG10, log10, s), ENTRY(LOG1P, log1p, s),                    \
            ENTRY(SIN, sin, s), ENTRY(COS, cos, s), ENTRY(TAN, tan, s),        \
            ENTRY(ASIN, asin, s), ENTRY(ACOS, acos, s), ENTRY(ATAN, atan, s),  \
            ENTRY(SINH, sinh, s), ENTRY(COSH, cosh, s), ENTRY(TANH, tanh, s),  \
            ENTRY(ASINH, asinh, s), ENTRY(ACOSH, acosh, s),                    \
            ENTRY(ATANH, atanh, s)                                             \
    }

const nci_map_row nci_map_scalar[NCI_CLASS_COUNT] = {
    [NCI_CLASS_F64] = FLOAT_ROW(f64),
    [NCI_CLASS_F32] = FLOAT_ROW(f32),
    [NCI_CLASS_I64] = {ENTRY(FLOORDIV, floordiv, i64), ENTRY(MOD, mod, i64),
                       ENTRY(FMOD, fmod, i64), ENTRY(POW, pow, i64),
                       ENTRY(SHL, shl, u64), ENTRY(SHR, shr, i64)},
    [NCI_CLASS_U64] = {ENTRY(FLOORDIV, floordiv, u64), ENTRY(MOD, mod, u64),
                       ENTRY(FMOD, mod, u64), ENTRY(POW, pow, u64),
                       ENTRY(SHL, shl, u64), ENTRY(SHR, shr, u64)},
};
