/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several data sets: alignment, merging, joining, arithmetic by name. Values
 * that must be compared and are not in memory are computed here.
 */
#include <string.h>

#include "api/arrays.h"
#include "api/datasets.h"
#include "base/mem.h"

/* ---- comparing ----------------------------------------------------------- */

static ncg_status map_to(nci_map_op op, nci_node *a, nci_node *b,
                         nci_node **out, ncg_error *err)
{
    nci_node *inputs[2] = {a, b};
    return nci_ops_map(op, NCG_DTYPE_NONE, inputs, b ? 2 : 1, out, err);
}

/* True where one is missing and the other is not, or both are there and
 * differ. */
static ncg_status make_difference(nci_node *a, nci_node *b, nci_node **out,
                                  ncg_error *err)
{
    nci_node *unequal = NULL, *lost_a = NULL, *lost_b = NULL, *both = NULL,
             *here = NULL;
    ncg_status st = map_to(NCI_MAP_NE, a, b, &unequal, err);
    if (!st)
        st = map_to(NCI_MAP_ISNAN, a, NULL, &lost_a, err);
    if (!st)
        st = map_to(NCI_MAP_ISNAN, b, NULL, &lost_b, err);
    if (!st)
        st = map_to(NCI_MAP_AND, lost_a, lost_b, &both, err);
    if (!st)
        st = map_to(NCI_MAP_NOT, both, NULL, &here, err);
    if (!st)
        st = map_to(NCI_MAP_AND, unequal, here, out, err);
    nci_node_release(&unequal);
    nci_node_release(&lost_a);
    nci_node_release(&lost_b);
    nci_node_release(&both);
    nci_node_release(&here);
    return st;
}

static ncg_status any_of(ncg_context *ctx, nci_node *node, bool *out,
                         ncg_error *err)
{
    nci_reduce reduce = {.op = NCG_OP_MAX, .label_axis = -1, .min_count = 1};
    nci_node *any = NULL;
    ncg_array *array = NULL;
    uint8_t value = 0;
    for (int d = 0; d < node->rank; d++)
        reduce.over[d] = true;
    NCI_TRY(nci_node_reduce(node, &reduce, NULL, &any, err));
    ncg_status st = nci_array_wrap(ctx, any, &array, err);
    if (st)
        nci_node_release(&any);
    if (!st)
        st = ncg_array_compute(array, &value, sizeof value, err);
    ncg_array_release(&array);
    *out = value != 0;
    return st;
}

static ncg_status equal(void *ctx, nci_node *a, nci_node *b, bool *out,
                        ncg_error *err)
{
    nci_node *difference = NULL;
    bool differs = false;
    NCI_TRY(make_difference(a, b, &difference, err));
    ncg_status st = any_of(ctx, difference, &differs, err);
    nci_node_release(&difference);
    *out = !differs;
    return st;
}

/* ---- arguments ----------------------------------------------------------- */

static ncg_status make_how(const ncg_combine_options *options,
                           nci_noting *noting, nci_combining *out,
                           ncg_error *err)
{
    static const ncg_combine_options defaults = NCG_COMBINE_OPTIONS_INIT;
    if (options)
        NCI_TRY(nci_options_check(options->struct_size, sizeof *options,
                                  "NCG_COMBINE_OPTIONS_INIT", err));
    options = options ? options : &defaults;
    if ((unsigned)options->join > NCG_JOIN_OVERRIDE)
        return nci_fail(err, NCG_EINVAL, "unknown join %d", options->join);
    if ((unsigned)options->compat > NCG_COMPAT_OVERRIDE)
        return nci_fail(err, NCG_EINVAL, "unknown compat %d", options->compat);
    *out = (nci_combining){.join = options->join,
                           .compat = options->compat,
                           .equal = equal,
                           .ctx = noting->ctx,
                           .note = nci_noting_text,
                           .note_payload = noting};
    return NCG_OK;
}

static ncg_status check_all(ncg_dataset *const *datasets, size_t n,
                            const void *out, ncg_error *err)
{
    if (!datasets || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (!n)
        return nci_fail(err, NCG_EINVAL, "no data sets");
    for (size_t k = 0; k < n; k++) {
        NCI_TRY(nci_dataset_check(datasets[k], err));
        if (datasets[k]->ctx != datasets[0]->ctx)
            return nci_fail(err, NCG_EINVAL,
                            "data sets 1 and %zu are of two contexts", k + 1);
    }
    return NCG_OK;
}

/* Models of the data sets, borrowed; the list is owned. */
static ncg_status models_of(ncg_dataset *const *datasets, size_t n,
                            const nci_model ***out, ncg_error *err)
{
    const nci_model **models = nci_alloc(n * sizeof *models);
    if (!models)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; k < n; k++)
        models[k] = datasets[k]->model;
    *out = models;
    return NCG_OK;
}

/* The notes of all data sets, each once. */
static nci_noting begin_noting(ncg_dataset *const *datasets, size_t n)
{
    nci_noting noting = nci_noting_begin(datasets[0]->ctx, datasets[0]);
    for (size_t k = 1; k < n; k++)
        for (size_t i = 0; i < datasets[k]->notes.count; i++)
            if (!nci_strings_has(&noting.notes, datasets[k]->notes.items[i]) &&
                !nci_strings_add(&noting.notes, datasets[k]->notes.items[i]))
                noting.failed = true;
    return noting;
}

/* ---- several data sets --------------------------------------------------- */

static ncg_status wrap_all(ncg_dataset *const *datasets, size_t n,
                           nci_model **models, ncg_dataset **out,
                           ncg_error *err)
{
    ncg_dataset **made = nci_calloc(n, sizeof *made);
    ncg_status st = made ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < n; k++) {
        nci_noting noting = nci_noting_begin(datasets[k]->ctx, datasets[k]);
        nci_model *model = models[k];
        models[k] = NULL;
        st = nci_dataset_done(&noting, NCG_OK, model, &made[k], err);
    }
    for (size_t k = 0; made && k < n; k++) {
        if (st)
            ncg_dataset_release(&made[k]);
        else
            out[k] = made[k];
    }
    nci_free(made);
    return st;
}

ncg_status ncg_dataset_align(ncg_dataset *const *datasets, size_t n,
                             const ncg_combine_options *options,
                             ncg_dataset **out, ncg_error *err)
{
    nci_combining how;
    const nci_model **models = NULL;
    nci_model **aligned = NULL;
    NCI_TRY(check_all(datasets, n, out, err));
    nci_noting noting = nci_noting_begin(datasets[0]->ctx, NULL);
    NCI_TRY(make_how(options, &noting, &how, err));
    NCI_TRY(models_of(datasets, n, &models, err));
    aligned = nci_calloc(n, sizeof *aligned);
    ncg_status st = aligned
                        ? nci_models_align(models, n, &how, NULL, aligned, err)
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = wrap_all(datasets, n, aligned, out, err);
    nci_models_release(aligned, n);
    nci_free(aligned);
    nci_free(models);
    nci_strings_fini(&noting.notes);
    return st;
}

ncg_status ncg_dataset_merge(ncg_dataset *const *datasets, size_t n,
                             const ncg_combine_options *options,
                             ncg_dataset **out, ncg_error *err)
{
    nci_combining how;
    const nci_model **models = NULL;
    nci_model *model = NULL;
    NCI_TRY(check_all(datasets, n, out, err));
    nci_noting noting = begin_noting(datasets, n);
    ncg_status st = make_how(options, &noting, &how, err);
    if (!st)
        st = models_of(datasets, n, &models, err);
    if (!st)
        st = nci_models_merge(models, n, &how, &model, err);
    nci_free(models);
    return nci_dataset_done(&noting, st, model, out, err);
}

ncg_status ncg_dataset_concat(ncg_dataset *const *datasets, size_t n,
                              const char *dim,
                              const ncg_combine_options *options,
                              ncg_dataset **out, ncg_error *err)
{
    nci_combining how;
    const nci_model **models = NULL;
    nci_model *model = NULL;
    NCI_TRY(check_all(datasets, n, out, err));
    if (!dim)
        return nci_fail(err, NCG_EINVAL, "no dimension to join along");
    nci_noting noting = begin_noting(datasets, n);
    ncg_status st = make_how(options, &noting, &how, err);
    if (!st)
        st = models_of(datasets, n, &models, err);
    if (!st)
        st = nci_models_concat(models, n, dim, &how, &model, err);
    nci_free(models);
    return nci_dataset_done(&noting, st, model, out, err);
}

/* ---- arithmetic ---------------------------------------------------------- */

ncg_status ncg_dataset_binary(const char *op, ncg_dataset *a, ncg_dataset *b,
                              const ncg_combine_options *options,
                              ncg_dataset **out, ncg_error *err)
{
    ncg_dataset *both[2] = {a, b};
    nci_combining how;
    nci_model *model = NULL;
    if (!op)
        return nci_fail(err, NCG_EINVAL, "the operation is NULL");
    NCI_TRY(check_all(both, 2, out, err));
    nci_noting noting = begin_noting(both, 2);
    ncg_status st = make_how(options, &noting, &how, err);
    if (!st)
        st = nci_model_binary(op, a->model, b->model, &how, &model, err);
    return nci_dataset_done(&noting, st, model, out, err);
}

ncg_status ncg_dataset_binary_scalar(const char *op, ncg_dataset *ds,
                                     double number, bool reversed,
                                     ncg_dataset **out, ncg_error *err)
{
    nci_combining how;
    nci_model *model = NULL;
    NCI_TRY(check_all(&ds, 1, op ? out : NULL, err));
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st = make_how(NULL, &noting, &how, err);
    if (!st)
        st = nci_model_scalar(op, ds->model, number, reversed, &how, &model,
                              err);
    return nci_dataset_done(&noting, st, model, out, err);
}

ncg_status ncg_dataset_map(const char *op, ncg_dataset *ds, ncg_dataset **out,
                           ncg_error *err)
{
    nci_combining how;
    nci_model *model = NULL;
    NCI_TRY(check_all(&ds, 1, op ? out : NULL, err));
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st = make_how(NULL, &noting, &how, err);
    if (!st)
        st = nci_model_map(op, ds->model, &how, &model, err);
    return nci_dataset_done(&noting, st, model, out, err);
}
