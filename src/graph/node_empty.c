/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays without values, and what reducing over axes of no positions gives: as
 * NumPy, the neutral element where there is one, NaN where the result is
 * not defined, an error where some value must be chosen. Groups of none are
 * what they are beside others: missing.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "graph/node_internal.h"
#include "graph/ops/ops.h"

bool nci_node_is_empty(const nci_node *node)
{
    for (int d = 0; d < node->rank; d++)
        if (node->shape[d] == 0)
            return true;
    return false;
}

ncg_status nci_node_everywhere(const nci_node *like, const void *value,
                               nci_node **out, ncg_error *err)
{
    bool is_empty = nci_node_is_empty(like);
    size_t nbytes = is_empty ? 0 : ncg_dtype_size(like->dtype);
    const void *missing = like->has_missing ? like->missing : NULL;
    int axis[NCG_MAX_RANK];
    nci_buf *buf = NULL;
    nci_node *one = NULL;
    NCI_TRY(nci_buf_create(nbytes, &buf, err));
    if (nbytes)
        memcpy(nci_buf_data(buf), value, nbytes);
    ncg_status st = nci_node_const(like->dtype, is_empty ? like->rank : 0,
                                   like->shape, buf, missing, &one, err);
    for (int d = 0; d < NCG_MAX_RANK; d++)
        axis[d] = -1;
    if (!st && !is_empty && like->rank)
        st = nci_ops_view(one, like->rank, like->shape, axis, out, err);
    else if (!st)
        *out = nci_node_retain(one);
    nci_node_release(&one);
    nci_buf_release(&buf);
    if (!st)
        (*out)->name = like->name;
    return st;
}

/* The value of `op` of nothing; false: there is none. */
static bool neutral(ncg_op op, double *out)
{
    switch (op) {
    case NCG_OP_SUM:
    case NCG_OP_COUNT:
    case NCG_OP_ANY:
        *out = 0;
        return true;
    case NCG_OP_PROD:
    case NCG_OP_ALL:
        *out = 1;
        return true;
    case NCG_OP_MEAN:
    case NCG_OP_STD:
    case NCG_OP_VAR:
        *out = NAN;
        return true;
    default:
        return false;
    }
}

ncg_status nci_reduce_nothing(const nci_node *reduced, int axis, nci_node **out,
                              ncg_error *err)
{
    static const char *const names[] = {
#define OP_NAME(name, value, verb, method) [value] = verb,
        NCG_OP_MAP(OP_NAME)
#undef OP_NAME
    };
    const nci_reduce *r = &reduced->reduce;
    bool is_missing = r->min_count > 1, is_group = r->label_axis >= 0;
    uint8_t value[8] = {0};
    double x = NAN;
    bool is_defined = neutral(r->op, &x);
    if (is_group) /* as a group of none among others */
        is_missing = is_missing || !is_defined ||
                     (r->min_count == 1 && r->op != NCG_OP_COUNT);
    else if (!is_defined && !nci_node_is_empty(reduced))
        return nci_fail(err, NCG_EINVAL,
                        "%s of no values: axis %d has no positions",
                        names[r->op], axis);
    nci_node like = *reduced;
    like.has_missing = is_missing && reduced->has_missing;
    if (like.has_missing)
        memcpy(value, reduced->missing, sizeof value);
    else
        nci_dtype_put(reduced->dtype, value, is_missing ? NAN : x);
    return nci_node_everywhere(&like, value, out, err);
}
