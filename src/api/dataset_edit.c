/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data sets made and changed by hand. What operations look into must be in
 * memory: coordinates and bounds that an array gives are computed when they
 * become that.
 */
#include <limits.h>
#include <string.h>

#include "api/arrays.h"
#include "api/datasets.h"
#include "base/dtype.h"
#include "base/mem.h"

ncg_status nci_dataset_check(const ncg_dataset *ds, ncg_error *err)
{
    if (!ds)
        return nci_fail(err, NCG_EINVAL, "the data set is NULL");
    return nci_handle_check(&ds->handle, NCI_HANDLE_DATASET, err);
}

ncg_status nci_dataset_done(nci_noting *noting, ncg_status st,
                            nci_model *model_take, ncg_dataset **out,
                            ncg_error *err)
{
    if (!st)
        st = nci_dataset_wrap(noting, model_take, out, err);
    if (st && model_take)
        nci_model_release(&model_take);
    nci_strings_fini(&noting->notes);
    return st;
}

/* ---- coordinates in memory ----------------------------------------------- */

static bool is_needed(const nci_model *model, const nci_variable *var)
{
    if (!var->array || var->array->kind == NCI_NODE_CONST ||
        !nci_dtype_is_numeric(var->array->dtype))
        return false;
    return (var->kind == NCI_KIND_COORD && var->rank == 1 &&
            var->dims[0] < (int)model->ndims) ||
           (var->kind == NCI_KIND_BOUNDS && var->rank <= 2);
}

/* Variables that were so before stay as they were: grids without structure
 * have coordinates that only data need. */
static bool was_so(const nci_model *before, const nci_variable *var)
{
    int v = before ? nci_model_find_var(before, var->name) : -1;
    return v >= 0 && before->vars[v].array == var->array &&
           before->vars[v].kind == var->kind;
}

static ncg_status compute_const(ncg_context *ctx, nci_node *node,
                                nci_node **out, ncg_error *err)
{
    ncg_array *array = NULL;
    nci_buf *buf = NULL;
    nci_box box = nci_box_whole(node->rank, node->shape);
    size_t nbytes;
    if (!nci_mul_size((size_t)nci_box_size(&box), ncg_dtype_size(node->dtype),
                      &nbytes))
        return nci_fail(err, NCG_ENOMEM, "array too large");
    NCI_TRY(nci_buf_create(nbytes, &buf, err));
    ncg_status st = nci_array_wrap(ctx, nci_node_retain(node), &array, err);
    if (st)
        nci_node_release(&(nci_node *){node});
    if (!st)
        st = ncg_array_compute(array, nci_buf_data(buf), nbytes, err);
    if (!st)
        st = nci_node_const(node->dtype, node->rank, node->shape, buf,
                            node->has_missing ? node->missing : NULL, out, err);
    ncg_array_release(&array);
    nci_buf_release(&buf);
    return st;
}

static ncg_status settle(ncg_context *ctx, const nci_model *before,
                         nci_model *model, ncg_error *err)
{
    for (size_t v = 0; v < model->nvars; v++) {
        nci_variable *var = &model->vars[v];
        nci_node *values = NULL;
        if (!is_needed(model, var) || was_so(before, var))
            continue;
        ncg_status st = compute_const(ctx, var->array, &values, err);
        if (st)
            return nci_error_wrap(err, "computing %s", var->name);
        nci_node_release(&var->array);
        var->array = values;
    }
    nci_model_find_roles(model);
    return NCG_OK;
}

/* The end of every change of `ds`. */
static ncg_status done(ncg_dataset *ds, ncg_status st, nci_model *model_take,
                       ncg_dataset **out, ncg_error *err)
{
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    if (!st)
        st = settle(ds->ctx, ds->model, model_take, err);
    return nci_dataset_done(&noting, st, model_take, out, err);
}

static ncg_status check(const ncg_dataset *ds, const void *what,
                        const void *out, ncg_error *err)
{
    NCI_TRY(nci_dataset_check(ds, err));
    if (!what || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return NCG_OK;
}

/* ---- variables ----------------------------------------------------------- */

ncg_status ncg_dataset_create(ncg_context *ctx, ncg_dataset **out,
                              ncg_error *err)
{
    if (!ctx || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_noting noting = nci_noting_begin(ctx, NULL);
    nci_model *model = nci_model_create();
    ncg_status st = model ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_dataset_done(&noting, st, model, out, err);
}

ncg_status ncg_dataset_assign(ncg_dataset *ds, const char *name,
                              ncg_array *array, const char *const *dims,
                              ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, name, out, err));
    NCI_TRY(nci_array_check(array, err));
    if (array->ctx != ds->ctx)
        return nci_fail(err, NCG_EINVAL,
                        "%.100s: data set and array are of two contexts", name);
    ncg_status st =
        nci_model_assign(ds->model, name, array->node, dims, &model, err);
    return done(ds, st, model, out, err);
}

ncg_status ncg_dataset_drop(ncg_dataset *ds, const char *const *names,
                            size_t nnames, ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, nnames ? (const void *)names : ds, out, err));
    ncg_status st = nci_model_drop(ds->model, names, nnames, &model, err);
    return done(ds, st, model, out, err);
}

ncg_status ncg_dataset_rename(ncg_dataset *ds, const char *const *from,
                              const char *const *to, size_t n,
                              ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, n && !(from && to) ? NULL : ds, out, err));
    ncg_status st = nci_model_rename(ds->model, from, to, n, &model, err);
    return done(ds, st, model, out, err);
}

ncg_status ncg_dataset_set_unlimited(ncg_dataset *ds, const char *dim,
                                     bool unlimited, ncg_dataset **out,
                                     ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, dim, out, err));
    ncg_status st =
        nci_model_set_unlimited(ds->model, dim, unlimited, &model, err);
    return done(ds, st, model, out, err);
}

/* ---- attributes ---------------------------------------------------------- */

ncg_status ncg_dataset_set_attr(ncg_dataset *ds, const char *var,
                                const char *name, ncg_dtype dtype, size_t count,
                                const void *values, ncg_dataset **out,
                                ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, name, out, err));
    if (!values && count)
        return nci_fail(err, NCG_EINVAL, "%.100s: no values", name);
    if (count > INT32_MAX)
        return nci_fail(err, NCG_EINVAL, "%.100s: %zu values", name, count);
    ncg_status st =
        nci_model_set_attr(ds->model, var, name, dtype, (int64_t)count,
                           values ? values : "", &model, err);
    return done(ds, st, model, out, err);
}

ncg_status ncg_dataset_set_text(ncg_dataset *ds, const char *var,
                                const char *name, const char *text,
                                ncg_dataset **out, ncg_error *err)
{
    if (!text)
        return nci_fail(err, NCG_EINVAL, "the text is NULL");
    return ncg_dataset_set_attr(ds, var, name, NCG_DTYPE_CHAR, strlen(text),
                                text, out, err);
}

ncg_status ncg_dataset_remove_attr(ncg_dataset *ds, const char *var,
                                   const char *name, ncg_dataset **out,
                                   ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, name, out, err));
    ncg_status st = nci_model_set_attr(ds->model, var, name, NCG_DTYPE_CHAR, 0,
                                       NULL, &model, err);
    return done(ds, st, model, out, err);
}

static const nci_attrs *attrs_of(const ncg_dataset *ds, int var)
{
    if (!ds || var >= (int)ds->model->nvars)
        return NULL;
    return var < 0 ? &ds->model->attrs : &ds->model->vars[var].attrs;
}

size_t ncg_dataset_nattrs(const ncg_dataset *ds, int var)
{
    const nci_attrs *attrs = attrs_of(ds, var);
    return attrs ? attrs->count : 0;
}

const char *ncg_dataset_attr_name(const ncg_dataset *ds, int var, size_t attr)
{
    const nci_attrs *attrs = attrs_of(ds, var);
    return attrs && attr < attrs->count ? attrs->items[attr].name : NULL;
}

const void *ncg_dataset_attr(const ncg_dataset *ds, int var, const char *name,
                             ncg_dtype *dtype, size_t *count)
{
    const nci_attrs *attrs = attrs_of(ds, var);
    const nci_attr *attr = attrs && name ? nci_attrs_find(attrs, name) : NULL;
    if (!attr || attr->is_unsupported)
        return NULL;
    if (dtype)
        *dtype = attr->dtype;
    if (count)
        *count = (size_t)attr->count;
    return attr->values;
}

/* ---- values -------------------------------------------------------------- */

ncg_status ncg_dataset_values(ncg_dataset *ds, const char *name,
                              double **values, size_t *count, ncg_error *err)
{
    int v;
    int64_t n = 0;
    nci_node *node = NULL;
    NCI_TRY(check(ds, name, values, err));
    if (!count)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_model_require(ds->model, name, &v, err));
    nci_variable var = ds->model->vars[v];
    if (!var.array || !nci_dtype_is_numeric(var.array->dtype))
        return nci_fail(err, NCG_EINVAL, "%s has no numbers", name);
    ncg_status st = NCG_OK;
    if (var.array->kind == NCI_NODE_CONST)
        node = nci_node_retain(var.array);
    else
        st = compute_const(ds->ctx, var.array, &node, err);
    var.array = node;
    if (!st)
        st = nci_variable_values(&var, values, &n, err);
    nci_node_release(&node);
    if (!st)
        *count = (size_t)n;
    return st;
}

ncg_status ncg_dataset_sel_values(ncg_dataset *ds, const char *dim,
                                  const double *values, size_t nvalues,
                                  ncg_sel_method method, double tolerance,
                                  ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, dim, out, err));
    NCI_TRY(check(ds, nvalues ? (const void *)values : ds, out, err));
    ncg_status st = nci_model_sel_values(ds->model, dim, values, nvalues,
                                         method, tolerance, &model, err);
    return done(ds, st, model, out, err);
}
