/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Floats written as integers (--dtype in). A cast alone puts what lies beyond
 * the integers' range at its end, where it looks like data: here it is missing,
 * as NaN is. Integers of one byte have no value to spare that says so (NetCDF's
 * default fill is data among them), so theirs are written in two.
 */
#include <math.h>

#include "base/dtype.h"
#include "dataset/ops.h"

/* Half a step beyond the range is still rounded into it: the lower end is even
 * and takes its half, the upper end is odd and does not. */
static void find_bounds(ncg_dtype dtype, double *low, double *end)
{
    bool is_signed = dtype == NCG_DTYPE_I16 || dtype == NCG_DTYPE_I32 ||
                     dtype == NCG_DTYPE_I64;
    int bits = 8 * (int)ncg_dtype_size(dtype);
    *low = (is_signed ? -ldexp(1, bits - 1) : 0) - 0.5;
    *end = ldexp(1, is_signed ? bits - 1 : bits) - 0.5;
}

static ncg_status combine(nci_map_op op, nci_node *x, nci_node *second,
                          nci_node *third, nci_node **out, ncg_error *err)
{
    nci_node *const nodes[3] = {x, second, third};
    nci_operand operands[3] = {0};
    const nci_node *whole = x;
    int n = third ? 3 : 2;
    for (int i = 0; i < n; i++) {
        operands[i].node = nodes[i];
        for (int d = 0; d < whole->rank; d++)
            operands[i].axis[d] = nodes[i]->rank ? d : -1;
    }
    return nci_node_map(op, NCG_DTYPE_NONE, whole->rank, whole->shape, operands,
                        n, out, err);
}

/* x where `op` holds between it and the bound, else NaN. */
static ncg_status keep(nci_node *x, nci_map_op op, double bound, nci_node **out,
                       ncg_error *err)
{
    nci_node *limit = NULL, *nan = NULL, *is_kept = NULL;
    ncg_status st =
        nci_array_f64(NCG_DTYPE_F64, 0, NULL, &bound, &limit, err);
    if (!st)
        st = nci_array_f64(NCG_DTYPE_F64, 0, NULL, &(double){NAN}, &nan, err);
    if (!st)
        st = combine(op, x, limit, NULL, &is_kept, err);
    if (!st)
        st = combine(NCI_MAP_WHERE, is_kept, x, nan, out, err);
    nci_node_release(&limit);
    nci_node_release(&nan);
    nci_node_release(&is_kept);
    return st;
}

ncg_status nci_narrow(nci_node *node, ncg_dtype dtype, nci_node **out,
                      ncg_error *err)
{
    nci_node *above = NULL, *within = NULL;
    double low, end;
    if (ncg_dtype_size(dtype) == 1)
        dtype = NCG_DTYPE_I16;
    find_bounds(dtype, &low, &end);
    nci_operand operand = {0};
    ncg_status st = keep(node, NCI_MAP_GE, low, &above, err);
    if (!st)
        st = keep(above, NCI_MAP_LT, end, &within, err);
    for (int d = 0; d < node->rank; d++)
        operand.axis[d] = d;
    operand.node = within;
    if (!st)
        st = nci_node_map(NCI_MAP_CAST, dtype, node->rank, node->shape,
                          &operand, 1, out, err);
    nci_node_release(&above);
    nci_node_release(&within);
    return st;
}
