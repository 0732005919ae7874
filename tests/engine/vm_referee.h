/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_VM_REFEREE_H
#define NCG_TESTS_ENGINE_VM_REFEREE_H
/*
 * Element-wise operations on one value, written plainly for the test of the
 * element-wise program: integers as 128 bits, floats as doubles, rounded to
 * their dtype after each operation; and whole expressions, position by
 * position.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "graph/map_op.h"
#include "graph/node.h"
#include "test.h"

static const ncg_dtype dtypes[] = {NCG_DTYPE_I8,  NCG_DTYPE_U8,  NCG_DTYPE_I16,
                                   NCG_DTYPE_U16, NCG_DTYPE_I32, NCG_DTYPE_U32,
                                   NCG_DTYPE_I64, NCG_DTYPE_U64, NCG_DTYPE_F32,
                                   NCG_DTYPE_F64, NCG_DTYPE_BOOL};
enum { NDTYPES = sizeof dtypes / sizeof dtypes[0], MOST_TASKS = 4096 };

/* ---- one value ------------------------------------------------------------
 */

/* Integers as 128 bits, so that nothing wraps but where it is told to. */
typedef struct value {
    ncg_dtype dtype; /* a float where missing */
    double f;
    __int128 i;
} value;

static inline bool is_float(ncg_dtype dtype)
{
    return dtype == NCG_DTYPE_F32 || dtype == NCG_DTYPE_F64;
}

static inline __int128 wrapped(ncg_dtype dtype, __int128 x)
{
    switch (dtype) {
    case NCG_DTYPE_I8:
        return (int8_t)x;
    case NCG_DTYPE_U8:
        return (uint8_t)x;
    case NCG_DTYPE_I16:
        return (int16_t)x;
    case NCG_DTYPE_U16:
        return (uint16_t)x;
    case NCG_DTYPE_I32:
        return (int32_t)x;
    case NCG_DTYPE_U32:
        return (uint32_t)x;
    case NCG_DTYPE_I64:
        return (int64_t)x;
    case NCG_DTYPE_U64:
        return (uint64_t)x;
    default:
        return x != 0;
    }
}

static inline value of_float(ncg_dtype dtype, double f)
{
    value v = {dtype, dtype == NCG_DTYPE_F32 ? (double)(float)f : f, 0};
    return v;
}

static inline value of_int(ncg_dtype dtype, __int128 i)
{
    value v = {dtype, 0, wrapped(dtype, i)};
    return v;
}

static inline double as_double(value v)
{
    return is_float(v.dtype)          ? v.f
           : v.dtype == NCG_DTYPE_U64 ? (double)(uint64_t)v.i
                                      : (double)(int64_t)v.i;
}

static inline value convert(value v, ncg_dtype dtype)
{
    if (!is_float(dtype))
        return of_int(dtype, v.i);
    if (is_float(v.dtype))
        return of_float(dtype, v.f);
    value out = {dtype, as_double(v), 0};
    if (dtype == NCG_DTYPE_F32)
        out.f = v.dtype == NCG_DTYPE_U64 ? (double)(float)(uint64_t)v.i
                                         : (double)(float)(int64_t)v.i;
    return out;
}

static inline bool truth(value v)
{
    return is_float(v.dtype) ? v.f != 0 : v.i != 0;
}

static inline value read_value(const nci_node *node, int64_t at)
{
    size_t size = ncg_dtype_size(node->dtype);
    const uint8_t *p = (uint8_t *)nci_buf_data(node->data) + at * (int64_t)size;
    uint64_t u;
    if (is_float(node->dtype))
        return of_float(node->dtype, nci_dtype_get(node->dtype, p));
    if (node->has_missing && !memcmp(p, node->missing, size))
        return of_float(nci_dtype_real(node->dtype), NAN);
    memcpy(&u, p, sizeof u);
    value v =
        of_int(node->dtype, node->dtype == NCG_DTYPE_BOOL ? *p : (__int128)u);
    if (node->has_missing)
        return convert(v, nci_dtype_real(node->dtype));
    return v;
}

/* ---- operations -----------------------------------------------------------
 */

static inline __int128 floored(__int128 x, __int128 y, __int128 *rest)
{
    __int128 q = y ? x / y : 0, r = y ? x % y : 0;
    if (r && (r < 0) != (y < 0)) {
        q--;
        r += y;
    }
    *rest = r;
    return q;
}

static inline __int128 raised(ncg_dtype dtype, __int128 x, __int128 y)
{
    __int128 result = y >= 0;
    for (; y > 0;
         y >>= 1, x = wrapped(dtype, (__int128)((uint64_t)x * (uint64_t)x)))
        if (y & 1)
            result = wrapped(dtype, (__int128)((uint64_t)result * (uint64_t)x));
    return result;
}

static inline __int128 on_integers(nci_map_op op, ncg_dtype dtype, __int128 x,
                                   __int128 y)
{
    int bits = 8 * (int)ncg_dtype_size(dtype);
    __int128 rest, q = floored(x, y, &rest);
    switch (op) {
    case NCI_MAP_ADD:
        return x + y;
    case NCI_MAP_SUB:
        return x - y;
    case NCI_MAP_MUL:
        return (__int128)((unsigned __int128)x * (unsigned __int128)y);
    case NCI_MAP_FLOORDIV:
        return q;
    case NCI_MAP_MOD:
        return rest;
    case NCI_MAP_FMOD:
        return y ? x % y : 0;
    case NCI_MAP_POW:
        return raised(dtype, x, y);
    case NCI_MAP_MIN:
    case NCI_MAP_FMIN:
        return x < y ? x : y;
    case NCI_MAP_MAX:
    case NCI_MAP_FMAX:
        return x > y ? x : y;
    case NCI_MAP_BITAND:
        return x & y;
    case NCI_MAP_BITOR:
        return x | y;
    case NCI_MAP_BITXOR:
        return x ^ y;
    case NCI_MAP_SHL:
        return y < 0 || y >= bits ? 0 : (__int128)((unsigned __int128)x << y);
    case NCI_MAP_SHR:
        return y < 0 || y >= bits ? (x < 0 ? -1 : 0) : x >> y;
    case NCI_MAP_NEG:
        return -x;
    case NCI_MAP_ABS:
        return x < 0 ? -x : x;
    case NCI_MAP_SIGN:
        return (x > 0) - (x < 0);
    case NCI_MAP_SQUARE:
        return (__int128)((unsigned __int128)x * (unsigned __int128)x);
    case NCI_MAP_INVERT:
        return dtype == NCG_DTYPE_BOOL ? !x : ~x;
    default:
        return x;
    }
}

/* NumPy's npy_divmod, in the arithmetic of T. */
#define DIVMOD(T, name, f)                                                     \
    static T name(T x, T y, bool wants_rest)                                   \
    {                                                                          \
        T rest = fmod##f(x, y), q;                                             \
        if (y == 0)                                                            \
            return wants_rest ? rest : x / y;                                  \
        q = (x - rest) / y;                                                    \
        if (rest != 0 && (y < 0) != (rest < 0)) {                              \
            rest += y;                                                         \
            q -= 1;                                                            \
        } else if (rest == 0) {                                                \
            rest = copysign##f(0, y);                                          \
        }                                                                      \
        if (wants_rest)                                                        \
            return rest;                                                       \
        if (q == 0)                                                            \
            return copysign##f(0, x / y);                                      \
        T low = floor##f(q);                                                   \
        return q - low > (T)0.5 ? low + 1 : low;                               \
    }
DIVMOD(double, divmod_f64, )
DIVMOD(float, divmod_f32, f)

#define ON_FLOATS(T, name, divmod, f)                                          \
    static double name(nci_map_op op, T x, T y)                                \
    {                                                                          \
        switch (op) {                                                          \
        case NCI_MAP_ADD:                                                      \
            return x + y;                                                      \
        case NCI_MAP_SUB:                                                      \
            return x - y;                                                      \
        case NCI_MAP_MUL:                                                      \
            return x * y;                                                      \
        case NCI_MAP_DIV:                                                      \
            return x / y;                                                      \
        case NCI_MAP_FLOORDIV:                                                 \
            return divmod(x, y, false);                                        \
        case NCI_MAP_MOD:                                                      \
            return divmod(x, y, true);                                         \
        case NCI_MAP_FMOD:                                                     \
            return fmod##f(x, y);                                              \
        case NCI_MAP_POW:                                                      \
            return pow##f(x, y);                                               \
        case NCI_MAP_MIN:                                                      \
            return isnan(x) || isnan(y) ? (T)NAN : x < y ? x : y;              \
        case NCI_MAP_MAX:                                                      \
            return isnan(x) || isnan(y) ? (T)NAN : x > y ? x : y;              \
        case NCI_MAP_FMIN:                                                     \
            return isnan(y) || x < y ? x : y;                                  \
        case NCI_MAP_FMAX:                                                     \
            return isnan(y) || x > y ? x : y;                                  \
        case NCI_MAP_ATAN2:                                                    \
            return atan2##f(x, y);                                             \
        case NCI_MAP_HYPOT:                                                    \
            return hypot##f(x, y);                                             \
        case NCI_MAP_COPYSIGN:                                                 \
            return copysign##f(x, y);                                          \
        case NCI_MAP_NEG:                                                      \
            return -x;                                                         \
        case NCI_MAP_ABS:                                                      \
            return fabs##f(x);                                                 \
        case NCI_MAP_SIGN:                                                     \
            return isnan(x) ? x : (x > 0) - (x < 0);                           \
        case NCI_MAP_SQUARE:                                                   \
            return x * x;                                                      \
        case NCI_MAP_FLOOR:                                                    \
            return floor##f(x);                                                \
        case NCI_MAP_CEIL:                                                     \
            return ceil##f(x);                                                 \
        case NCI_MAP_TRUNC:                                                    \
            return trunc##f(x);                                                \
        case NCI_MAP_RINT:                                                     \
            return rint##f(x);                                                 \
        case NCI_MAP_RADIANS:                                                  \
            return x * (T)(M_PI / 180);                                        \
        case NCI_MAP_DEGREES:                                                  \
            return x * (T)(180 / M_PI);                                        \
        case NCI_MAP_RECIPROCAL:                                               \
            return 1 / x;                                                      \
            FUNCTION(SQRT, sqrt##f)                                            \
            FUNCTION(CBRT, cbrt##f)                                            \
            FUNCTION(EXP, exp##f)                                              \
            FUNCTION(EXP2, exp2##f)                                            \
            FUNCTION(EXPM1, expm1##f)                                          \
            FUNCTION(LOG, log##f)                                              \
            FUNCTION(LOG2, log2##f)                                            \
            FUNCTION(LOG10, log10##f)                                          \
            FUNCTION(LOG1P, log1p##f)                                          \
            FUNCTION(SIN, sin##f)                                              \
            FUNCTION(COS, cos##f)                                              \
            FUNCTION(TAN, tan##f)                                              \
            FUNCTION(ASIN, asin##f)                                            \
            FUNCTION(ACOS, acos##f)                                            \
            FUNCTION(ATAN, atan##f)                                            \
            FUNCTION(SINH, sinh##f)                                            \
            FUNCTION(COSH, cosh##f)                                            \
            FUNCTION(TANH, tanh##f)                                            \
            FUNCTION(ASINH, asinh##f)                                          \
            FUNCTION(ACOSH, acosh##f)                                          \
            FUNCTION(ATANH, atanh##f)                                          \
        default:                                                               \
            fail_msg("%s of floats", nci_map_op_name(op));                     \
            return NAN;                                                        \
        }                                                                      \
    }
#define FUNCTION(op, call)                                                     \
    case NCI_MAP_##op:                                                         \
        return call(x);
ON_FLOATS(double, on_f64, divmod_f64, )
ON_FLOATS(float, on_f32, divmod_f32, f)

static inline bool compare(nci_map_op op, value x, value y)
{
    bool floats = is_float(x.dtype);
    bool less = floats ? x.f < y.f : x.i < y.i;
    bool same = floats ? x.f == y.f : x.i == y.i;
    bool more = floats ? x.f > y.f : x.i > y.i;
    switch (op) {
    case NCI_MAP_EQ:
        return same;
    case NCI_MAP_NE:
        return !same;
    case NCI_MAP_LT:
        return less;
    case NCI_MAP_LE:
        return less || same;
    case NCI_MAP_GT:
        return more;
    case NCI_MAP_GE:
        return more || same;
    case NCI_MAP_ISNAN:
        return floats && isnan(x.f);
    case NCI_MAP_ISINF:
        return floats && isinf(x.f);
    case NCI_MAP_ISFINITE:
        return !floats || isfinite(x.f);
    case NCI_MAP_SIGNBIT:
        return floats ? signbit(x.f) : x.i < 0;
    default:
        fail_msg("%s is no comparison", nci_map_op_name(op));
        return false;
    }
}

static inline bool is_logical(nci_map_op op)
{
    return op == NCI_MAP_AND || op == NCI_MAP_OR || op == NCI_MAP_XOR ||
           op == NCI_MAP_NOT;
}

static inline value cast(value v, const nci_node *node)
{
    if (is_float(node->dtype))
        return convert(v, node->dtype);
    if (node->dtype == NCG_DTYPE_BOOL)
        return of_int(NCG_DTYPE_BOOL, truth(v));
    if (!is_float(v.dtype))
        return of_int(node->dtype, v.i);
    uint8_t raw[8];
    ncg_dtype real = nci_dtype_real(node->dtype);
    if (isnan(v.f))
        return of_float(real, NAN);
    nci_dtype_put(node->dtype, raw, v.f);
    return of_float(NCG_DTYPE_F64, nci_dtype_get(node->dtype, raw));
}

static inline value apply(const nci_node *node, const value *in)
{
    value x = in[0], y = node->ninputs > 1 ? in[1] : in[0];
    nci_map_op op = node->map;
    if (op == NCI_MAP_CAST)
        return cast(x, node);
    if (op == NCI_MAP_WHERE)
        return convert(in[truth(x) ? 1 : 2], node->dtype);
    if (is_logical(op)) {
        bool a = truth(x), b = truth(y);
        return of_int(NCG_DTYPE_BOOL, op == NCI_MAP_AND   ? a && b
                                      : op == NCI_MAP_OR  ? a || b
                                      : op == NCI_MAP_XOR ? a != b
                                                          : !a);
    }
    if (nci_map_op_rule(op) == NCI_RULE_TRUTH) {
        ncg_dtype p = nci_dtype_promote(x.dtype, y.dtype);
        return of_int(NCG_DTYPE_BOOL,
                      compare(op, convert(x, p), convert(y, p)));
    }
    x = convert(x, node->dtype);
    y = convert(y, node->dtype);
    if (node->dtype == NCG_DTYPE_F32)
        return of_float(NCG_DTYPE_F32, on_f32(op, (float)x.f, (float)y.f));
    if (node->dtype == NCG_DTYPE_F64)
        return of_float(NCG_DTYPE_F64, on_f64(op, x.f, y.f));
    return of_int(node->dtype, on_integers(op, node->dtype, x.i, y.i));
}

/* The value of `node` at a position; the reference. */
static inline value evaluate(const nci_node *node, const int64_t *at)
{
    value in[NCI_MAP_INPUTS] = {{0}};
    int64_t offset = 0;
    if (node->kind == NCI_NODE_CONST) {
        for (int d = 0; d < node->rank; d++)
            offset = offset * node->shape[d] + at[d];
        return read_value(node, offset);
    }
    for (int i = 0; i < node->ninputs; i++) {
        const nci_operand *operand = &node->inputs[i];
        int64_t inner[NCG_MAX_RANK] = {0};
        for (int d = 0; d < node->rank; d++)
            if (operand->axis[d] >= 0)
                inner[operand->axis[d]] = at[d];
        in[i] = evaluate(operand->node, inner);
    }
    return apply(node, in);
}

static inline void store_value(const nci_node *node, value v, uint8_t *out)
{
    size_t size = ncg_dtype_size(node->dtype);
    int64_t narrow = (int64_t)v.i;
    if (is_float(node->dtype))
        nci_dtype_put(node->dtype, out, v.f);
    else if (is_float(v.dtype) && isnan(v.f))
        memcpy(out, node->missing, size);
    else if (is_float(v.dtype))
        nci_dtype_put(node->dtype, out, v.f);
    else
        memcpy(out, &narrow, size);
}

#endif
