/* SPDX-License-Identifier: BSD-3-Clause */
/* Exact quantiles and medians. */
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"

typedef struct quantile {
    bool over[NCG_MAX_RANK], keep[NCG_MAX_RANK];
    nci_quantile_method method;
    bool skipna;
} quantile;

static ncg_status start_quantile(const ncg_array *array, const double *q,
                                 size_t nq,
                                 const ncg_quantile_options *options,
                                 quantile *out, ncg_error *err)
{
    static const ncg_quantile_options defaults = NCG_QUANTILE_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    memset(out, 0, sizeof *out);
    NCI_TRY(nci_array_check(array, err));
    NCI_TRY(nci_options_check(options->struct_size, sizeof *options,
                              "NCG_QUANTILE_OPTIONS_INIT", err));
    if (!q || !nq || nq > INT32_MAX)
        return nci_fail(err, NCG_EINVAL, "at least one quantile is needed");
    for (size_t i = 0; i < nq; i++)
        if (!(q[i] >= 0 && q[i] <= 1))
            return nci_fail(err, NCG_EINVAL, "quantile %g is not in 0..1",
                            q[i]);
    out->skipna = options->skipna;
    for (int d = 0; d < NCG_MAX_RANK; d++)
        out->keep[d] = options->keepdims;
    return nci_quantile_method_parse(options->method, &out->method, err);
}

static ncg_status over_axes(ncg_array *array, const double *q, size_t nq,
                            bool scalar, const int *axes, size_t naxes,
                            const ncg_quantile_options *options,
                            ncg_array **out, ncg_error *err)
{
    quantile how;
    nci_node *node = NULL;
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(start_quantile(array, q, nq, options, &how, err));
    NCI_TRY(nci_array_axes(array, axes, naxes, how.over, err));
    ncg_status st =
        nci_ops_quantile_within(array->node, how.over, how.keep, q, (int)nq,
                                scalar, how.method, how.skipna,
                                array->ctx->options.memory_limit, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_quantile(ncg_array *array, const double *q, size_t nq,
                              const int *axes, size_t naxes,
                              const ncg_quantile_options *options,
                              ncg_array **out, ncg_error *err)
{
    return over_axes(array, q, nq, false, axes, naxes, options, out, err);
}

ncg_status ncg_array_median(ncg_array *array, const int *axes, size_t naxes,
                            const ncg_quantile_options *options,
                            ncg_array **out, ncg_error *err)
{
    const double half = 0.5;
    return over_axes(array, &half, 1, true, axes, naxes, options, out, err);
}

ncg_status ncg_array_quantile_by(ncg_array *array, int axis,
                                 const int32_t *labels, int32_t ngroups,
                                 const double *q, size_t nq,
                                 const ncg_quantile_options *options,
                                 ncg_array **out, ncg_error *err)
{
    const bool none[NCG_MAX_RANK] = {false};
    quantile how;
    int d = 0;
    nci_node *node = NULL;
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(start_quantile(array, q, nq, options, &how, err));
    NCI_TRY(nci_labels_check(array, axis, labels, ngroups, &d, err));
    ncg_status st =
        nci_ops_quantile_groups(array->node, none, none, d, labels, ngroups, q,
                                (int)nq, false, how.method, how.skipna,
                                array->ctx->options.memory_limit, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}
