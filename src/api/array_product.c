/* SPDX-License-Identifier: BSD-3-Clause */
/* Products of two arrays. */
#include "api/arrays.h"

ncg_status ncg_array_matmul(ncg_array *a, ncg_array *b, ncg_array **out,
                            ncg_error *err)
{
    nci_node *node = NULL;
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(nci_arrays_together(a, b, err));
    ncg_status st = nci_ops_matmul(a->node, b->node, &node, err);
    return nci_array_done(a->ctx, st, node, out, err);
}

ncg_status ncg_array_tensordot(ncg_array *a, ncg_array *b, const int *axes_a,
                               const int *axes_b, size_t n, ncg_array **out,
                               ncg_error *err)
{
    int of_a[NCG_MAX_RANK], of_b[NCG_MAX_RANK];
    nci_node *node = NULL;
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(nci_arrays_together(a, b, err));
    if (n && (!axes_a || !axes_b))
        return nci_array_null("a list of axes", err);
    if (n > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "%zu pairs of axes: at most %d", n,
                        NCG_MAX_RANK);
    for (size_t i = 0; i < n; i++) {
        NCI_TRY(nci_array_axis(a->node->rank, axes_a[i], &of_a[i], err));
        NCI_TRY(nci_array_axis(b->node->rank, axes_b[i], &of_b[i], err));
    }
    ncg_status st = nci_ops_tensordot(a->node, b->node, of_a, of_b, (int)n,
                                      &node, err);
    return nci_array_done(a->ctx, st, node, out, err);
}
