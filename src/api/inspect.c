/* SPDX-License-Identifier: BSD-3-Clause */
/* Getters of data sets: nothing here can fail but for memory. */
#include <string.h>

#include "api/handles.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"

/* Of no data set: that of one without anything. */
static const nci_model *model_of(const ncg_dataset *ds, const char *function)
{
    static const nci_model nothing;
    if (!ds)
        return &nothing;
    nci_handle_assert(&ds->handle, NCI_HANDLE_DATASET, function);
    return ds->model;
}

size_t ncg_dataset_ndims(const ncg_dataset *ds)
{
    return model_of(ds, __func__)->ndims;
}

const char *ncg_dataset_dim_name(const ncg_dataset *ds, size_t dim)
{
    const nci_model *m = model_of(ds, __func__);
    return dim < m->ndims ? m->dims[dim].name : NULL;
}

int64_t ncg_dataset_dim_size(const ncg_dataset *ds, size_t dim)
{
    const nci_model *m = model_of(ds, __func__);
    return dim < m->ndims ? m->dims[dim].size : -1;
}

size_t ncg_dataset_nvars(const ncg_dataset *ds)
{
    return model_of(ds, __func__)->nvars;
}

const char *ncg_dataset_var_name(const ncg_dataset *ds, size_t var)
{
    const nci_model *m = model_of(ds, __func__);
    return var < m->nvars ? m->vars[var].name : NULL;
}

bool ncg_dataset_var_is_data(const ncg_dataset *ds, size_t var)
{
    const nci_model *m = model_of(ds, __func__);
    return var < m->nvars && m->vars[var].kind == NCI_KIND_DATA;
}

int ncg_dataset_var_rank(const ncg_dataset *ds, size_t var)
{
    const nci_model *m = model_of(ds, __func__);
    return var < m->nvars ? m->vars[var].rank : -1;
}

int ncg_dataset_var_dim(const ncg_dataset *ds, size_t var, int axis)
{
    const nci_model *m = model_of(ds, __func__);
    if (var >= m->nvars || axis < 0 || axis >= m->vars[var].rank)
        return -1;
    return m->vars[var].dims[axis];
}

int ncg_dataset_find(const ncg_dataset *ds, const char *name)
{
    return name ? nci_model_find_var(model_of(ds, __func__), name) : -1;
}

static void add_number(nci_text *text, const nci_attr *attr, int64_t i)
{
    const char *value =
        (const char *)attr->values + (size_t)i * ncg_dtype_size(attr->dtype);
    if (nci_dtype_is_integer(attr->dtype))
        nci_text_add(text, "%s%lld", i ? " " : "",
                     (long long)nci_dtype_get_i64(attr->dtype, value));
    else
        nci_text_add(text, "%s%.*g", i ? " " : "",
                     attr->dtype == NCG_DTYPE_F32 ? 9 : 17,
                     nci_dtype_get(attr->dtype, value));
}

/* Interned, because a getter's text outlives the call. */
static const char *numbers_as_text(const nci_attr *attr)
{
    nci_text text = {0};
    for (int64_t i = 0; i < attr->count; i++)
        add_number(&text, attr, i);
    const char *result = text.data ? nci_intern(text.data) : "";
    nci_text_fini(&text);
    return result;
}

const char *ncg_dataset_attr_text(const ncg_dataset *ds, int var,
                                  const char *name)
{
    const nci_model *m = model_of(ds, __func__);
    if (var >= (int)m->nvars || !name)
        return NULL;
    const nci_attrs *attrs = var < 0 ? &m->attrs : &m->vars[var].attrs;
    const nci_attr *attr = nci_attrs_find(attrs, name);
    if (!attr || !attr->values)
        return NULL;
    const char *text = nci_attrs_text(attrs, name);
    return text ? text : numbers_as_text(attr);
}

ncg_status ncg_dataset_describe(ncg_dataset *ds, char **text, ncg_error *err)
{
    if (!ds || !text)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ds->handle, NCI_HANDLE_DATASET, err));
    return nci_model_describe(ds->model, text, err);
}
