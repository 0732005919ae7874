/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/map_op.h"

#include <string.h>

static const struct {
    const char *name;
    int ninputs;
    nci_map_rule rule;
} ops[] = {
#define OP_ROW(name, ninputs, rule, text) {text, ninputs, NCI_RULE_##rule},
    NCI_MAP_OPS(OP_ROW)
#undef OP_ROW
};

const char *nci_map_op_name(nci_map_op op)
{
    return (unsigned)op < NCI_MAP_OP_COUNT ? ops[op].name : "?";
}

int nci_map_op_ninputs(nci_map_op op)
{
    return (unsigned)op < NCI_MAP_OP_COUNT ? ops[op].ninputs : 0;
}

nci_map_rule nci_map_op_rule(nci_map_op op)
{
    return (unsigned)op < NCI_MAP_OP_COUNT ? ops[op].rule : NCI_RULE_TYPED;
}

bool nci_map_op_parse(const char *name, nci_map_op *out)
{
    for (int i = 0; i < NCI_MAP_OP_COUNT; i++)
        if (!strcmp(ops[i].name, name)) {
            *out = (nci_map_op)i;
            return true;
        }
    return false;
}

static ncg_dtype signed_of(size_t size)
{
    switch (size) {
    case 1:
        return NCG_DTYPE_I8;
    case 2:
        return NCG_DTYPE_I16;
    case 4:
        return NCG_DTYPE_I32;
    default:
        return NCG_DTYPE_I64;
    }
}

/* A signed and an unsigned integer meet in the signed one that holds both; for
 * u8 that is none, and they meet in double. */
static ncg_dtype promote_mixed(ncg_dtype is_signed, ncg_dtype is_unsigned)
{
    size_t s = ncg_dtype_size(is_signed), u = ncg_dtype_size(is_unsigned);
    if (u == 8)
        return NCG_DTYPE_F64;
    return s > u ? is_signed : signed_of(2 * u);
}

static ncg_dtype promote_integers(ncg_dtype a, ncg_dtype b)
{
    bool sa = nci_dtype_is_signed(a), sb = nci_dtype_is_signed(b);
    if (sa == sb)
        return ncg_dtype_size(a) >= ncg_dtype_size(b) ? a : b;
    return sa ? promote_mixed(a, b) : promote_mixed(b, a);
}

ncg_dtype nci_dtype_real(ncg_dtype dtype)
{
    if (nci_dtype_is_float(dtype))
        return dtype;
    return ncg_dtype_size(dtype) < 4 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
}

ncg_dtype nci_dtype_promote(ncg_dtype a, ncg_dtype b)
{
    if (a == b)
        return a;
    if (a == NCG_DTYPE_BOOL || b == NCG_DTYPE_BOOL)
        return a == NCG_DTYPE_BOOL ? b : a;
    if (!nci_dtype_is_float(a) && !nci_dtype_is_float(b))
        return promote_integers(a, b);
    bool narrow = nci_dtype_real(a) == NCG_DTYPE_F32 &&
                  nci_dtype_real(b) == NCG_DTYPE_F32;
    return narrow ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
}

static ncg_dtype by_rule(nci_map_rule rule, ncg_dtype dtype)
{
    switch (rule) {
    case NCI_RULE_REAL:
        return nci_dtype_real(dtype);
    case NCI_RULE_QUOTIENT:
        return nci_dtype_is_float(dtype) ? dtype : NCG_DTYPE_F64;
    case NCI_RULE_TRUTH:
        return NCG_DTYPE_BOOL;
    default:
        return dtype;
    }
}

/* Functions of real numbers take each input as such: i2 and u2 meet in f4. */
static ncg_dtype part_of(nci_map_rule rule, ncg_dtype dtype)
{
    return rule == NCI_RULE_REAL ? nci_dtype_real(dtype) : dtype;
}

/* What NumPy does with truth values as with integers of one byte. */
static bool takes_truth_as_i1(nci_map_op op)
{
    return op == NCI_MAP_SHL || op == NCI_MAP_SHR || op == NCI_MAP_FLOORDIV ||
           op == NCI_MAP_MOD || op == NCI_MAP_FMOD || op == NCI_MAP_POW;
}

static ncg_status check_dtype(nci_map_op op, ncg_dtype dtype, ncg_error *err)
{
    if (nci_map_op_rule(op) == NCI_RULE_BITS && nci_dtype_is_float(dtype))
        return nci_fail(err, NCG_EINVAL,
                        "%s is for integers, not for %s values: cast first",
                        nci_map_op_name(op), ncg_dtype_name(dtype));
    if (dtype == NCG_DTYPE_BOOL && (op == NCI_MAP_SUB || op == NCI_MAP_NEG))
        return nci_fail(err, NCG_EINVAL,
                        "%s is not for truth values: use %s, or cast first",
                        nci_map_op_name(op),
                        op == NCI_MAP_SUB ? "logical_xor" : "logical_not");
    return NCG_OK;
}

ncg_status nci_map_dtype(nci_map_op op, const ncg_dtype *inputs, int ninputs,
                         ncg_dtype *out, ncg_error *err)
{
    nci_map_rule rule = nci_map_op_rule(op);
    int first = rule == NCI_RULE_CHOICE ? 1 : 0;
    ncg_dtype dtype = part_of(rule, inputs[first]);
    for (int i = first + 1; i < ninputs; i++)
        dtype = nci_dtype_promote(dtype, part_of(rule, inputs[i]));
    NCI_TRY(check_dtype(op, dtype, err));
    if (takes_truth_as_i1(op) && dtype == NCG_DTYPE_BOOL)
        dtype = NCG_DTYPE_I8;
    *out = by_rule(rule, dtype);
    return NCG_OK;
}
