/* SPDX-License-Identifier: BSD-3-Clause */
/* Along an axis: sorting and windows. */
#include "api/arrays.h"

static ncg_status begin(const ncg_array *array, int axis, ncg_array *const *out,
                        int *d, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out)
        return nci_array_null("the place for the result", err);
    return nci_array_axis(array->node->rank, axis, d, err);
}

ncg_status ncg_array_sort(ncg_array *array, int axis, ncg_array **out,
                          ncg_error *err)
{
    int d = 0;
    nci_node *node = NULL;
    NCI_TRY(begin(array, axis, out, &d, err));
    ncg_status st = nci_ops_sort_within(
        array->node, d, array->ctx->options.memory_limit, &node, err);
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
        return nci_fail(err, NCG_EINVAL,
                        "a window of %lld positions: at least 1",
                        (long long)window);
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
