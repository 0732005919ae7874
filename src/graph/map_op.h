/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_MAP_OP_H
#define NCI_GRAPH_MAP_OP_H
/*
 * The element-wise operations and the dtypes of their results. The rules are
 * those of NumPy 2's array promotion ("NEP 50", without value-based casting),
 * with one difference: there is no 16-bit float, so what NumPy gives as f2
 * (functions of 8-bit integers) is f4 here.
 *
 * Integer arrays with a missing value take part as floating-point numbers with
 * NaN: f4 below 32 bits, else f8.
 */
#include "base/dtype.h"
#include "base/error.h"

/* How the dtype of the result follows from the promoted dtype of the inputs:
 * TYPED stated by the caller; SAME the promoted one (truth values are not
 * subtracted or negated; divided or raised they are i1); REAL that of the inputs
 * as floating-point numbers, which integers below 32 bits are of f4, others of
 * f8; QUOTIENT the same where it is floating point, else f8; TRUTH bool; BITS
 * the promoted one, integers and bool only (i1 where truth values are shifted);
 * CHOICE as SAME, the first input being a condition. */
typedef enum nci_map_rule {
    NCI_RULE_TYPED,
    NCI_RULE_SAME,
    NCI_RULE_REAL,
    NCI_RULE_QUOTIENT,
    NCI_RULE_TRUTH,
    NCI_RULE_BITS,
    NCI_RULE_CHOICE
} nci_map_rule;

/* name, inputs, rule, name for people (NumPy's) */
#define NCI_MAP_OPS(X)                                                         \
    X(CAST, 1, TYPED, "cast")                                                  \
    X(VIEW, 1, SAME, "view") /* only the axes differ */                        \
    X(ADD, 2, SAME, "add")                                                     \
    X(SUB, 2, SAME, "subtract")                                                \
    X(MUL, 2, SAME, "multiply")                                                \
    X(DIV, 2, QUOTIENT, "divide")                                              \
    X(FLOORDIV, 2, SAME, "floor_divide")                                       \
    X(MOD, 2, SAME, "remainder") /* sign of the divisor */                     \
    X(FMOD, 2, SAME, "fmod")     /* sign of the dividend */                    \
    X(POW, 2, SAME, "power")                                                   \
    X(MIN, 2, SAME, "minimum") /* NaN where one is */                          \
    X(MAX, 2, SAME, "maximum")                                                 \
    X(FMIN, 2, SAME, "fmin") /* the other where one is NaN */                  \
    X(FMAX, 2, SAME, "fmax")                                                   \
    X(ATAN2, 2, REAL, "arctan2")                                               \
    X(HYPOT, 2, REAL, "hypot")                                                 \
    X(COPYSIGN, 2, REAL, "copysign")                                           \
    X(EQ, 2, TRUTH, "equal")                                                   \
    X(NE, 2, TRUTH, "not_equal")                                               \
    X(LT, 2, TRUTH, "less")                                                    \
    X(LE, 2, TRUTH, "less_equal")                                              \
    X(GT, 2, TRUTH, "greater")                                                 \
    X(GE, 2, TRUTH, "greater_equal")                                           \
    X(AND, 2, TRUTH, "logical_and")                                            \
    X(OR, 2, TRUTH, "logical_or")                                              \
    X(XOR, 2, TRUTH, "logical_xor")                                            \
    X(BITAND, 2, BITS, "bitwise_and")                                          \
    X(BITOR, 2, BITS, "bitwise_or")                                            \
    X(BITXOR, 2, BITS, "bitwise_xor")                                          \
    X(SHL, 2, BITS, "left_shift")                                              \
    X(SHR, 2, BITS, "right_shift")                                             \
    X(WHERE, 3, CHOICE, "where")                                               \
    X(NEG, 1, SAME, "negative")                                                \
    X(ABS, 1, SAME, "absolute")                                                \
    X(SIGN, 1, SAME, "sign")                                                   \
    X(SQUARE, 1, SAME, "square")                                               \
    X(FLOOR, 1, SAME, "floor")                                                 \
    X(CEIL, 1, SAME, "ceil")                                                   \
    X(TRUNC, 1, SAME, "trunc")                                                 \
    X(RINT, 1, SAME, "rint") /* halves to even */                              \
    X(INVERT, 1, BITS, "invert")                                               \
    X(NOT, 1, TRUTH, "logical_not")                                            \
    X(ISNAN, 1, TRUTH, "isnan") /* missing values too */                       \
    X(ISINF, 1, TRUTH, "isinf")                                                \
    X(ISFINITE, 1, TRUTH, "isfinite")                                          \
    X(SIGNBIT, 1, TRUTH, "signbit")                                            \
    X(SQRT, 1, REAL, "sqrt")                                                   \
    X(CBRT, 1, REAL, "cbrt")                                                   \
    X(EXP, 1, REAL, "exp")                                                     \
    X(EXP2, 1, REAL, "exp2")                                                   \
    X(EXPM1, 1, REAL, "expm1")                                                 \
    X(LOG, 1, REAL, "log")                                                     \
    X(LOG2, 1, REAL, "log2")                                                   \
    X(LOG10, 1, REAL, "log10")                                                 \
    X(LOG1P, 1, REAL, "log1p")                                                 \
    X(SIN, 1, REAL, "sin")                                                     \
    X(COS, 1, REAL, "cos")                                                     \
    X(TAN, 1, REAL, "tan")                                                     \
    X(ASIN, 1, REAL, "arcsin")                                                 \
    X(ACOS, 1, REAL, "arccos")                                                 \
    X(ATAN, 1, REAL, "arctan")                                                 \
    X(SINH, 1, REAL, "sinh")                                                   \
    X(COSH, 1, REAL, "cosh")                                                   \
    X(TANH, 1, REAL, "tanh")                                                   \
    X(ASINH, 1, REAL, "arcsinh")                                               \
    X(ACOSH, 1, REAL, "arccosh")                                               \
    X(ATANH, 1, REAL, "arctanh")                                               \
    X(RADIANS, 1, REAL, "radians")                                             \
    X(DEGREES, 1, REAL, "degrees")                                             \
    X(RECIPROCAL, 1, QUOTIENT, "reciprocal") /* NumPy keeps integers */

typedef enum nci_map_op {
#define NCI_MAP_ENUM(name, ninputs, rule, text) NCI_MAP_##name,
    NCI_MAP_OPS(NCI_MAP_ENUM)
#undef NCI_MAP_ENUM
    NCI_MAP_OP_COUNT
} nci_map_op;

enum { NCI_MAP_INPUTS = 3 }; /* of an element-wise operation, at most */

const char *nci_map_op_name(nci_map_op op);
int nci_map_op_ninputs(nci_map_op op);
nci_map_rule nci_map_op_rule(nci_map_op op);
/* nci_map_op_parse finds an operation by its name for people; false: none. */
bool nci_map_op_parse(const char *name, nci_map_op *out);

/* nci_dtype_promote gives the dtype in which two numeric arrays meet. */
ncg_dtype nci_dtype_promote(ncg_dtype a, ncg_dtype b);
/* nci_dtype_real gives f4 for floats of 32 bits and what is below 32 bits, f8
 * for all others. */
ncg_dtype nci_dtype_real(ncg_dtype dtype);
/* nci_map_dtype gives the dtype of a result from the dtypes in which the
 * inputs take part. EINVAL: an operation on bits of floats. */
ncg_status nci_map_dtype(nci_map_op op, const ncg_dtype *inputs, int ninputs,
                         ncg_dtype *out, ncg_error *err);

#endif
