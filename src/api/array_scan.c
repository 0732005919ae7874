/* SPDX-License-Identifier: BSD-3-Clause */
/* Scans: cumulative operations and filling along an axis. */
#include "api/arrays.h"

_Static_assert((int)NCG_SCAN_SUM == (int)NCI_SCAN_SUM &&
                   (int)NCG_SCAN_PROD == (int)NCI_SCAN_PROD &&
                   (int)NCG_SCAN_MIN == (int)NCI_SCAN_MIN &&
                   (int)NCG_SCAN_MAX == (int)NCI_SCAN_MAX &&
                   (int)NCG_SCAN_FFILL == (int)NCI_SCAN_FFILL &&
                   (int)NCG_SCAN_BFILL == (int)NCI_SCAN_BFILL,
               "scans are numbered alike");

static ncg_status begin(const ncg_array *array, int axis, ncg_array *const *out,
                        int *d, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return nci_array_null("the place for the result", err);
    return nci_array_axis(array->node->rank, axis, d, err);
}

ncg_status ncg_array_scan(ncg_array *array, ncg_scan scan, int axis,
                          bool skipna, int64_t limit, ncg_array **out,
                          ncg_error *err)
{
    int d = 0;
    nci_node *node = NULL;
    NCI_TRY(begin(array, axis, out, &d, err));
    if ((unsigned)scan > NCG_SCAN_BFILL)
        return nci_fail(err, NCG_EINVAL, "%d is no scan (ncg_scan)", (int)scan);
    if (limit < 0)
        return nci_fail(err, NCG_EINVAL,
                        "limit %lld: at least 1, or 0 for none",
                        (long long)limit);
    ncg_status st = nci_ops_scan(array->node, (nci_scan_op)scan, d, skipna,
                                 limit, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}
