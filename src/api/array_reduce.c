/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions: plain, weighted, by groups. */
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"

static ncg_status start_reduce(const ncg_array *array,
                               const ncg_reduce_options *options,
                               nci_reduce *out, ncg_error *err)
{
    static const ncg_reduce_options defaults = NCG_REDUCE_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    NCI_TRY(nci_array_check(array, err));
    NCI_TRY(nci_options_check(options->struct_size, sizeof *options,
                              "NCG_REDUCE_OPTIONS_INIT", err));
    if ((unsigned)options->op >= NCG_OP_COUNT_)
        return nci_fail(err, NCG_EINVAL, "%d is no reduction (ncg_op)",
                        (int)options->op);
    if (options->min_count < 0 || options->ddof < 0)
        return nci_fail(err, NCG_EINVAL,
                        "min_count %lld and ddof %d: neither can be negative",
                        (long long)options->min_count, options->ddof);
    *out = (nci_reduce){.op = options->op,
                        .label_axis = -1,
                        .skipna = options->skipna,
                        .min_count = options->min_count,
                        .ddof = options->ddof};
    return NCG_OK;
}

/* Weights lie in the array as in broadcasting: aligned at the end. */
static ncg_status place_weights(const ncg_array *array,
                                const ncg_array *weights, nci_operand *out,
                                ncg_error *err)
{
    NCI_TRY(nci_arrays_together(weights, array, err));
    const nci_node *node = array->node;
    int ahead = node->rank - weights->node->rank;
    *out = (nci_operand){.node = weights->node};
    if (ahead < 0)
        return nci_fail(err, NCG_EINVAL,
                        "weights of rank %d for an array of rank %d",
                        weights->node->rank, node->rank);
    for (int d = 0; d < node->rank; d++) {
        int64_t size = d < ahead ? 1 : weights->node->shape[d - ahead];
        out->axis[d] = size == node->shape[d] && d >= ahead ? d - ahead : -1;
        if (size != 1 && size != node->shape[d])
            return nci_fail(err, NCG_EINVAL,
                            "weights of %lld positions do not fit axis %d, "
                            "which has %lld",
                            (long long)size, d, (long long)node->shape[d]);
    }
    return NCG_OK;
}

static ncg_status reduce_axes(ncg_array *array, nci_reduce *reduce,
                              const nci_operand *weights, const int *axes,
                              size_t naxes, bool keep, ncg_array **out,
                              ncg_error *err)
{
    if (!out)
        return nci_array_null("the place for the result", err);
    NCI_TRY(nci_array_axes(array, axes, naxes, reduce->over, err));
    for (int d = 0; d < array->node->rank; d++)
        reduce->keep[d] = keep && reduce->over[d];
    nci_node *node = NULL;
    ncg_status st = nci_node_reduce(array->node, reduce, weights, &node, err);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_reduce(ncg_array *array, const int *axes, size_t naxes,
                            const ncg_reduce_options *options, ncg_array **out,
                            ncg_error *err)
{
    nci_reduce reduce;
    NCI_TRY(start_reduce(array, options, &reduce, err));
    return reduce_axes(array, &reduce, NULL, axes, naxes,
                       options && options->keepdims, out, err);
}

ncg_status ncg_array_weighted(ncg_array *array, ncg_array *weights,
                              const int *axes, size_t naxes,
                              const ncg_reduce_options *options,
                              ncg_array **out, ncg_error *err)
{
    nci_reduce reduce;
    nci_operand operand;
    NCI_TRY(start_reduce(array, options, &reduce, err));
    NCI_TRY(place_weights(array, weights, &operand, err));
    return reduce_axes(array, &reduce, &operand, axes, naxes,
                       options && options->keepdims, out, err);
}

ncg_status nci_labels_check(const ncg_array *array, int axis,
                            const int32_t *labels, int32_t ngroups, int *out,
                            ncg_error *err)
{
    NCI_TRY(nci_array_axis(array->node->rank, axis, out, err));
    if (!labels && array->node->shape[*out])
        return nci_array_null("the list of labels", err);
    if (ngroups < 1)
        return nci_fail(err, NCG_EINVAL, "%d groups: at least 1", ngroups);
    for (int64_t i = 0; i < array->node->shape[*out]; i++)
        if (labels[i] < -1 || labels[i] >= ngroups)
            return nci_fail(err, NCG_EINVAL,
                            "position %lld has the label %d: -1 (no group) to "
                            "%d are possible",
                            (long long)i, labels[i], ngroups - 1);
    return NCG_OK;
}

ncg_status ncg_array_groupby(ncg_array *array, ncg_array *weights, int axis,
                             const int32_t *labels, int32_t ngroups,
                             const ncg_reduce_options *options,
                             ncg_array **out, ncg_error *err)
{
    nci_reduce reduce;
    nci_operand operand;
    NCI_TRY(start_reduce(array, options, &reduce, err));
    NCI_TRY(nci_labels_check(array, axis, labels, ngroups, &reduce.label_axis,
                             err));
    if (weights)
        NCI_TRY(place_weights(array, weights, &operand, err));
    reduce.labels = labels;
    reduce.nlabels = ngroups;
    return reduce_axes(array, &reduce, weights ? &operand : NULL,
                       &reduce.label_axis, 1, false, out, err);
}
