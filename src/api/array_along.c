/* SPDX-License-Identifier: BSD-3-Clause */
/* Along an axis: scans, sorting, windows. Products of two arrays. */
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"

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

ncg_status ncg_array_sort(ncg_array *array, int axis, ncg_array **out,
                          ncg_error *err)
{
    int d = 0;
    nci_node *node = NULL;
    NCI_TRY(begin(array, axis, out, &d, err));
    ncg_status st = nci_ops_sort(array->node, d, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

/* ---- windows ------------------------------------------------------------------ */

static ncg_status check_window(const ncg_window_options *options,
                               ncg_error *err)
{
    NCI_TRY(nci_options_check(options->struct_size, sizeof *options,
                              "NCG_WINDOW_OPTIONS_INIT", err));
    if ((unsigned)options->op >= NCG_OP_COUNT_)
        return nci_fail(err, NCG_EINVAL, "%d is no reduction (ncg_op)",
                        (int)options->op);
    if (options->min_count < 0 || options->ddof < 0)
        return nci_fail(err, NCG_EINVAL,
                        "min_count %lld and ddof %d: neither can be negative",
                        (long long)options->min_count, options->ddof);
    return NCG_OK;
}

ncg_status ncg_array_rolling(ncg_array *array, int axis, int64_t window,
                             const ncg_window_options *options,
                             ncg_array **out, ncg_error *err)
{
    static const ncg_window_options defaults = NCG_WINDOW_OPTIONS_INIT;
    int d = 0;
    nci_node *node = NULL;
    options = options ? options : &defaults;
    NCI_TRY(begin(array, axis, out, &d, err));
    NCI_TRY(check_window(options, err));
    if (window < 1)
        return nci_fail(err, NCG_EINVAL, "a window of %lld positions: at least "
                        "1", (long long)window);
    int64_t least = options->min_count ? options->min_count : window;
    if (least > window)
        return nci_fail(err, NCG_EINVAL,
                        "min_count %lld is more than the window's %lld "
                        "positions",
                        (long long)least, (long long)window);
    ncg_status st = nci_ops_rolling(array->node, options->op, d, window, least,
                                    options->center, options->ddof, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_coarsen(ncg_array *array, const int64_t *factor,
                             const ncg_window_options *options,
                             ncg_array **out, ncg_error *err)
{
    static const ncg_window_options defaults = NCG_WINDOW_OPTIONS_INIT;
    static const char *const names[] = {[NCI_BOUNDARY_EXACT] = "exact",
                                        [NCI_BOUNDARY_TRIM] = "trim",
                                        [NCI_BOUNDARY_PAD] = "pad"};
    nci_node *node = NULL;
    options = options ? options : &defaults;
    NCI_TRY(nci_array_check(array, err));
    if (!out || (array->node->rank && !factor))
        return nci_array_null(out ? "the list of factors"
                                  : "the place for the result",
                              err);
    NCI_TRY(check_window(options, err));
    for (int d = 0; d < array->node->rank; d++)
        if (factor[d] < 1)
            return nci_fail(err, NCG_EINVAL,
                            "factor %lld for axis %d: at least 1",
                            (long long)factor[d], d);
    int which = nci_word_find("the boundary",
                              options->boundary ? options->boundary : "exact",
                              names, sizeof names / sizeof names[0], err);
    if (which < 0)
        return NCG_EINVAL;
    ncg_status st = nci_ops_coarsen(
        array->node, options->op, factor, (nci_boundary)which, options->skipna,
        options->min_count ? options->min_count : 1, options->ddof, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

/* ---- products ------------------------------------------------------------------ */

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
