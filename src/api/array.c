/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays: handles and what they say about themselves. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "api/arrays.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"

ncg_status nci_array_wrap(ncg_context *ctx, nci_node *node_take,
                          ncg_array **out, ncg_error *err)
{
    ncg_array *array = nci_alloc(sizeof *array);
    if (!array)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_handle_init(&array->handle, NCI_HANDLE_ARRAY);
    atomic_init(&array->refs, 1);
    array->ctx = nci_context_retain(ctx);
    array->node = node_take;
    *out = array;
    return NCG_OK;
}

ncg_array *ncg_array_retain(ncg_array *array)
{
    if (!array)
        return NULL;
    nci_handle_assert(&array->handle, NCI_HANDLE_ARRAY, __func__);
    atomic_fetch_add_explicit(&array->refs, 1, memory_order_relaxed);
    return array;
}

void ncg_array_release(ncg_array **slot)
{
    ncg_array *array = slot ? *slot : NULL;
    if (!array)
        return;
    nci_handle_assert(&array->handle, NCI_HANDLE_ARRAY, __func__);
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&array->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_node_release(&array->node);
    nci_context_release(&array->ctx);
    nci_handle_free(&array->handle);
}

static ncg_status no_variable(const nci_model *model, const char *name,
                              ncg_error *err)
{
    const char **names = nci_alloc((model->nvars + 1) * sizeof *names);
    size_t n = 0;
    for (; names && n < model->nvars; n++)
        names[n] = model->vars[n].name;
    const char *near = names ? nci_suggest(name, names, n) : NULL;
    nci_free(names);
    return nci_fail(err, NCG_EINVAL, "no variable %s%s%s%s", name,
                    near ? "; did you mean " : "", near ? near : "",
                    near ? "?" : "");
}

ncg_status ncg_dataset_array(ncg_dataset *ds, const char *name, ncg_array **out,
                             ncg_error *err)
{
    if (!ds || !name || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ds->handle, NCI_HANDLE_DATASET, err));
    int v = nci_model_find_var(ds->model, name);
    if (v < 0)
        return no_variable(ds->model, name, err);
    nci_node *node = ds->model->vars[v].array;
    if (!node)
        return nci_fail(err, NCG_EUNSUPPORTED, "variable %s has no values",
                        name);
    ncg_status st = nci_array_wrap(ds->ctx, nci_node_retain(node), out, err);
    if (st)
        nci_node_release(&node);
    return st;
}

/* ---- inspection ----------------------------------------------------------- */

static const nci_node *node_of(const ncg_array *array, const char *function)
{
    nci_handle_assert(&array->handle, NCI_HANDLE_ARRAY, function);
    return array->node;
}

ncg_dtype ncg_array_dtype(const ncg_array *array)
{
    return array ? node_of(array, __func__)->dtype : NCG_DTYPE_NONE;
}

int ncg_array_rank(const ncg_array *array)
{
    return array ? node_of(array, __func__)->rank : -1;
}

const int64_t *ncg_array_shape(const ncg_array *array)
{
    return array ? node_of(array, __func__)->shape : NULL;
}

int64_t ncg_array_size(const ncg_array *array)
{
    int64_t n = 1;
    if (!array)
        return -1;
    const nci_node *node = node_of(array, __func__);
    for (int d = 0; d < node->rank; d++)
        n *= node->shape[d];
    return n;
}

bool ncg_array_missing(const ncg_array *array, void *value)
{
    if (!array)
        return false;
    const nci_node *node = node_of(array, __func__);
    if (nci_dtype_is_float(node->dtype)) {
        if (value)
            nci_dtype_put(node->dtype, value, NAN);
        return true;
    }
    if (node->has_missing && value)
        memcpy(value, node->missing, ncg_dtype_size(node->dtype));
    return node->has_missing;
}

ncg_status ncg_array_chunks(const ncg_array *array, int axis, int64_t **sizes,
                            size_t *nsizes, ncg_error *err)
{
    int d = 0;
    nci_grid grid = {0};
    NCI_TRY(nci_array_check(array, err));
    if (!sizes || !nsizes)
        return nci_array_null("the place for the sizes", err);
    NCI_TRY(nci_array_axis(array->node->rank, axis, &d, err));
    NCI_TRY(nci_node_grid(array->node, &grid, err));
    const nci_axis *along = &grid.axis[d];
    size_t n = (size_t)along->nchunks;
    int64_t *copy = nci_alloc((n + 1) * sizeof *copy);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = along->edge[i + 1] - along->edge[i];
    nci_grid_fini(&grid);
    if (!copy)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *sizes = copy;
    *nsizes = n;
    return NCG_OK;
}
