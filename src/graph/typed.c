/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classes of registers. Promotion never loses integers: unsigned values meet
 * signed ones only where the signed dtype holds them, so that both classes of
 * integers mix without a CAST; u8 and i8 meet in double.
 */
#include "graph/typed.h"

#include <string.h>

#include "base/dtype.h"

nci_class nci_class_of(ncg_dtype dtype)
{
    if (dtype == NCG_DTYPE_F32)
        return NCI_CLASS_F32;
    if (dtype == NCG_DTYPE_BOOL)
        return NCI_CLASS_I64;
    if (!nci_dtype_is_integer(dtype))
        return NCI_CLASS_F64;
    return nci_dtype_is_signed(dtype) ? NCI_CLASS_I64 : NCI_CLASS_U64;
}

static bool is_float(nci_class c)
{
    return c == NCI_CLASS_F64 || c == NCI_CLASS_F32;
}

nci_class nci_step_class(const nci_step *step)
{
    bool rounds = step->op == NCI_MAP_CAST && is_float(step->on) &&
                  step->dtype != NCG_DTYPE_BOOL;
    nci_class c = nci_class_of(step->dtype);
    return rounds && !is_float(c) ? NCI_CLASS_F64 : c;
}

static ncg_dtype part_dtype(const nci_node *node)
{
    return node->has_missing ? nci_dtype_real(node->dtype) : node->dtype;
}

nci_class nci_node_class(const nci_node *node)
{
    return nci_class_of(part_dtype(node));
}

/* ---- registers ----------------------------------------------------------- */

static nci_class class_in(const nci_fused *fused, int reg)
{
    return reg >= NCI_STEP_BASE
               ? nci_step_class(&fused->steps[reg - NCI_STEP_BASE])
               : fused->operands[reg].load;
}

static bool is_truth(const nci_fused *fused, int reg)
{
    ncg_dtype dtype = reg >= NCI_STEP_BASE
                          ? fused->steps[reg - NCI_STEP_BASE].dtype
                          : fused->operands[reg].dtype;
    return dtype == NCG_DTYPE_BOOL && class_in(fused, reg) == NCI_CLASS_I64;
}

static bool same_step(const nci_step *x, const nci_step *y)
{
    return x->op == y->op && x->on == y->on && x->a == y->a && x->b == y->b &&
           x->c == y->c && x->dtype == y->dtype;
}

static ncg_status emit(nci_fused *fused, nci_step step, int *reg)
{
    for (int i = 0; i < fused->nsteps; i++)
        if (same_step(&fused->steps[i], &step)) {
            *reg = NCI_STEP_BASE + i;
            return NCG_OK;
        }
    if (fused->nsteps == NCI_MAX_STEPS)
        return NCG_EUNSUPPORTED;
    *reg = NCI_STEP_BASE + fused->nsteps;
    fused->steps[fused->nsteps++] = step;
    return NCG_OK;
}

/* CAST reads one register; the others are set so that equal steps compare
 * equal. */
static ncg_status cast(nci_fused *fused, ncg_dtype dtype, int *reg)
{
    nci_step step = {NCI_MAP_CAST, class_in(fused, *reg), *reg, 0, 0, dtype};
    return emit(fused, step, reg);
}

static ncg_status to_class(nci_fused *fused, nci_class want, int *reg)
{
    nci_class have = class_in(fused, *reg);
    if (have == want || !is_float(want))
        return NCG_OK;
    return cast(fused, want == NCI_CLASS_F32 ? NCG_DTYPE_F32 : NCG_DTYPE_F64,
                reg);
}

static ncg_status to_truth(nci_fused *fused, int *reg)
{
    return is_truth(fused, *reg) ? NCG_OK : cast(fused, NCG_DTYPE_BOOL, reg);
}

/* ---- nodes --------------------------------------------------------------- */

static ncg_status emit_cast(nci_fused *fused, const nci_node *node, int *reg)
{
    nci_class have = class_in(fused, *reg);
    ncg_dtype dtype = node->dtype;
    if (dtype == NCG_DTYPE_BOOL)
        return to_truth(fused, reg);
    if (nci_dtype_is_float(dtype))
        return to_class(fused, nci_class_of(dtype), reg);
    if (is_float(have))
        NCI_TRY(to_class(fused, NCI_CLASS_F64, reg));
    return cast(fused, dtype, reg);
}

/* The logical operations are those on bits, of truth values. */
static nci_map_op on_bits(nci_map_op op)
{
    switch (op) {
    case NCI_MAP_AND:
        return NCI_MAP_BITAND;
    case NCI_MAP_OR:
        return NCI_MAP_BITOR;
    case NCI_MAP_XOR:
        return NCI_MAP_BITXOR;
    case NCI_MAP_NOT:
        return NCI_MAP_INVERT;
    default:
        return op;
    }
}

/* Where the result is a truth value, the inputs' promoted dtype decides. */
static nci_class compute_class(const nci_node *node)
{
    if (nci_map_op_rule(node->map) != NCI_RULE_TRUTH)
        return nci_class_of(node->dtype);
    ncg_dtype dtype = part_dtype(node->inputs[0].node);
    for (int i = 1; i < node->ninputs; i++)
        dtype = nci_dtype_promote(dtype, part_dtype(node->inputs[i].node));
    return nci_class_of(dtype);
}

ncg_status nci_typed_emit(nci_fused *fused, const nci_node *node, const int *in,
                          int *reg)
{
    int r[NCI_MAP_INPUTS] = {0};
    memcpy(r, in, (size_t)node->ninputs * sizeof *r);
    *reg = r[0];
    if (node->map == NCI_MAP_VIEW)
        return NCG_OK;
    if (node->map == NCI_MAP_CAST)
        return emit_cast(fused, node, reg);
    nci_map_op op = on_bits(node->map);
    bool is_logical = op != node->map;
    nci_class on = is_logical ? NCI_CLASS_I64 : compute_class(node);
    for (int i = 0; i < node->ninputs; i++) {
        bool is_condition = op == NCI_MAP_WHERE && i == 0;
        NCI_TRY(is_logical || is_condition ? to_truth(fused, &r[i])
                                           : to_class(fused, on, &r[i]));
    }
    nci_step step = {op, on, r[0], r[1], r[2], node->dtype};
    return emit(fused, step, reg);
}

/* ---- casts of operands --------------------------------------------------- */

static bool reads(const nci_step *step, int reg)
{
    int n = nci_map_op_ninputs(step->op);
    return step->a == reg || (n > 1 && step->b == reg) ||
           (n > 2 && step->c == reg);
}

/* Whether loading gives the same as the cast, or keeps more. */
static bool loads_as(const nci_access *access, const nci_step *step)
{
    if (step->op != NCI_MAP_CAST)
        return false;
    if (step->dtype == NCG_DTYPE_F64)
        return true;
    return step->dtype == NCG_DTYPE_F32 && ncg_dtype_size(access->dtype) < 4;
}

/* The only step that reads operand k, if it is such a cast; -1. */
static int only_cast(const nci_fused *fused, int k)
{
    int found = -1;
    if (fused->result == k)
        return -1;
    for (int s = 0; s < fused->nsteps; s++) {
        if (!reads(&fused->steps[s], k))
            continue;
        if (found >= 0 || !loads_as(&fused->operands[k], &fused->steps[s]))
            return -1;
        found = s;
    }
    return found;
}

static int without_step(int reg, int s, int instead)
{
    if (reg == NCI_STEP_BASE + s)
        return instead;
    return reg > NCI_STEP_BASE + s ? reg - 1 : reg;
}

static void drop_step(nci_fused *fused, int s, int instead)
{
    fused->nsteps--;
    memmove(&fused->steps[s], &fused->steps[s + 1],
            (size_t)(fused->nsteps - s) * sizeof *fused->steps);
    for (int i = s; i < fused->nsteps; i++) {
        nci_step *step = &fused->steps[i];
        step->a = without_step(step->a, s, instead);
        step->b = without_step(step->b, s, instead);
        step->c = without_step(step->c, s, instead);
    }
    fused->result = without_step(fused->result, s, instead);
}

void nci_typed_tidy(nci_fused *fused)
{
    for (int k = 0; k < fused->noperands; k++) {
        int s = only_cast(fused, k);
        if (s < 0)
            continue;
        fused->operands[k].load = nci_class_of(fused->steps[s].dtype);
        drop_step(fused, s, k);
    }
}
