/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data-set model: making, copying and releasing it, finding things in it.
 * Models are counted and read-only once others can see them; nodes and
 * interned words are shared between copies, all else is owned.
 */
#include "dataset/model.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "dataset/calendar.h"
#include "dataset/refs.h"

nci_model *nci_model_create(void)
{
    nci_model *model = nci_calloc(1, sizeof *model);
    if (!model)
        return NULL;
    model->refs = 1;
    model->join_dim = -1;
    return model;
}

nci_model *nci_model_retain(nci_model *model)
{
    atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
    return model;
}

static void variable_fini(nci_variable *var)
{
    nci_free(var->name);
    nci_attrs_fini(&var->attrs);
    nci_node_release(&var->array);
    nci_node_release(&var->sizes);
}

static void model_free(nci_model *model)
{
    for (size_t i = 0; i < model->ndims; i++)
        nci_free(model->dims[i].name);
    for (size_t i = 0; i < model->nvars; i++)
        variable_fini(&model->vars[i]);
    for (size_t i = 0; model->file_names && i < model->nfiles; i++)
        nci_free(model->file_names[i]);
    nci_attrs_fini(&model->attrs);
    nci_free(model->dims);
    nci_free(model->vars);
    nci_free(model->file_names);
    nci_free(model->file_of);
    nci_free(model);
}

void nci_model_release(nci_model **slot)
{
    nci_model *model = *slot;
    *slot = NULL;
    if (model &&
        atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) == 1)
        model_free(model);
}

nci_dimension *nci_model_add_dim(nci_model *model, const char *name,
                                 int64_t size, bool is_unlimited)
{
    char *copy = nci_strdup(name);
    if (!copy || !nci_grow(&model->dims, &model->dims_capacity,
                           model->ndims + 1, sizeof *model->dims)) {
        nci_free(copy);
        return NULL;
    }
    nci_dimension *dim = &model->dims[model->ndims++];
    *dim = (nci_dimension){copy, size, is_unlimited, NCI_ROLE_NONE};
    return dim;
}

nci_variable *nci_model_add_var(nci_model *model, const char *name)
{
    char *copy = nci_strdup(name);
    if (!copy || !nci_grow(&model->vars, &model->vars_capacity,
                           model->nvars + 1, sizeof *model->vars)) {
        nci_free(copy);
        return NULL;
    }
    nci_variable *var = &model->vars[model->nvars++];
    *var = (nci_variable){.name = copy};
    return var;
}

void nci_model_remove_var(nci_model *model, size_t var)
{
    NCI_ASSERT(var < model->nvars);
    variable_fini(&model->vars[var]);
    memmove(&model->vars[var], &model->vars[var + 1],
            (model->nvars - var - 1) * sizeof *model->vars);
    model->nvars--;
}

static bool copy_vars(const nci_model *from, nci_model *to)
{
    for (size_t i = 0; i < from->nvars; i++) {
        const nci_variable *old = &from->vars[i];
        nci_variable *var = nci_model_add_var(to, old->name);
        if (!var)
            return false;
        char *name = var->name;
        *var = *old;
        var->name = name;
        var->attrs = (nci_attrs){0};
        if (var->array)
            nci_node_retain(var->array);
        if (var->sizes)
            nci_node_retain(var->sizes);
        if (!nci_attrs_copy(&old->attrs, &var->attrs))
            return false;
    }
    return true;
}

static bool copy_files(const nci_model *from, nci_model *to)
{
    to->join_dim = from->join_dim;
    if (from->file_of && from->join_dim >= 0) {
        size_t n = (size_t)from->dims[from->join_dim].size;
        to->file_of = nci_calloc(n, sizeof *to->file_of);
        if (!to->file_of)
            return false;
        memcpy(to->file_of, from->file_of, n * sizeof *to->file_of);
    }
    if (!from->file_names)
        return to->nfiles = from->nfiles, true;
    to->file_names = nci_calloc(from->nfiles, sizeof *to->file_names);
    if (!to->file_names)
        return false;
    to->nfiles = from->nfiles;
    for (size_t i = 0; i < from->nfiles; i++)
        if (!(to->file_names[i] = nci_strdup(from->file_names[i])))
            return false;
    return true;
}

static bool copy_dims(const nci_model *from, nci_model *to)
{
    for (size_t i = 0; i < from->ndims; i++) {
        const nci_dimension *old = &from->dims[i];
        nci_dimension *dim =
            nci_model_add_dim(to, old->name, old->size, old->is_unlimited);
        if (!dim)
            return false;
        dim->role = old->role;
    }
    return true;
}

ncg_status nci_model_copy(const nci_model *model, nci_model **out,
                          ncg_error *err)
{
    nci_model *copy = nci_model_create();
    if (!copy || !copy_dims(model, copy) || !copy_vars(model, copy) ||
        !copy_files(model, copy) ||
        !nci_attrs_copy(&model->attrs, &copy->attrs)) {
        nci_model_release(&copy);
        return nci_fail(err, NCG_ENOMEM, "copying a data set");
    }
    *out = copy;
    return NCG_OK;
}

int nci_model_find_dim(const nci_model *model, const char *name)
{
    for (size_t i = 0; i < model->ndims; i++)
        if (!strcmp(model->dims[i].name, name))
            return (int)i;
    return -1;
}

int nci_model_find_var(const nci_model *model, const char *name)
{
    for (size_t i = 0; i < model->nvars; i++)
        if (!strcmp(model->vars[i].name, name))
            return (int)i;
    return -1;
}

ncg_status nci_model_mark_weights(nci_model *model, const char *names,
                                  ncg_error *err)
{
    nci_strings words = {0};
    if (names && !nci_strings_split(&words, names, ","))
        return nci_fail(err, NCG_ENOMEM, "names of weights");
    for (size_t i = 0; i < words.count; i++) {
        int var = nci_model_find_var(model, words.items[i]);
        if (var >= 0)
            model->vars[var].is_weights = true;
    }
    nci_strings_fini(&words);
    return NCG_OK;
}

static bool is_values_of_dim(const nci_variable *var, int dim)
{
    return var->rank == 1 && var->dims[0] == dim && var->array &&
           nci_dtype_is_numeric(var->array->dtype);
}

/* Times that say when a forecast began do not order what it says. */
static bool is_time(const nci_variable *var)
{
    const char *name = nci_attrs_text(&var->attrs, "standard_name");
    return nci_time_is_units(nci_attrs_text(&var->attrs, "units")) &&
           (!name || strcmp(name, "forecast_reference_time"));
}

/* The auxiliary coordinate of `dim`: one that holds times, else the only one
 * (an unstructured grid has two, latitude and longitude: neither is it). */
static int find_auxiliary(const nci_model *model, int dim, bool only_time)
{
    int found = -1, count = 0;
    for (size_t i = 0; i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        if (var->kind != NCI_KIND_COORD || !is_values_of_dim(var, dim))
            continue;
        if (is_time(var))
            return (int)i;
        found = (int)i;
        count++;
    }
    return count == 1 && !only_time ? found : -1;
}

int nci_model_coord(const nci_model *model, int dim)
{
    NCI_ASSERT(dim >= 0 && (size_t)dim < model->ndims);
    int own = nci_model_find_var(model, model->dims[dim].name);
    if (own < 0 || !is_values_of_dim(&model->vars[own], dim))
        return find_auxiliary(model, dim, false);
    /* NEMO: a counter without units beside the times themselves. */
    if (nci_attrs_find(&model->vars[own].attrs, "units"))
        return own;
    int aux = find_auxiliary(model, dim, true);
    return aux >= 0 ? aux : own;
}

static int find_in_model(const void *where, const char *name)
{
    return nci_model_find_var(where, name);
}

int nci_model_bounds(const nci_model *model, int var)
{
    const nci_attrs *attrs = &model->vars[var].attrs;
    const char *name = nci_attrs_text(attrs, "bounds");
    if (!name)
        name = nci_attrs_text(attrs, "climatology");
    return name ? nci_refs_find(model->vars[var].name, name, find_in_model,
                                model)
                : -1;
}

ncg_status nci_variable_values(const nci_variable *var, double **out,
                               int64_t *count, ncg_error *err)
{
    const nci_node *node = var->array;
    if (!node || node->kind != NCI_NODE_CONST ||
        !nci_dtype_is_numeric(node->dtype))
        return nci_fail(err, NCG_EINVAL,
                        "%s: not a variable of numbers in memory", var->name);
    nci_box box = nci_box_whole(node->rank, node->shape);
    int64_t n = nci_box_size(&box);
    size_t size = ncg_dtype_size(node->dtype), nbytes;
    double *values = NULL;
    if (nci_mul_size((size_t)n, sizeof *values, &nbytes))
        values = nci_alloc(nbytes);
    if (!values)
        return nci_fail(err, NCG_ENOMEM, "%s: %lld values", var->name,
                        (long long)n);
    const char *data = nci_buf_data(node->data);
    for (int64_t i = 0; i < n; i++) {
        const char *value = data + (size_t)i * size;
        bool missing = node->has_missing && !memcmp(value, node->missing, size);
        values[i] = missing ? NAN : nci_dtype_get(node->dtype, value);
    }
    *out = values;
    *count = n;
    return NCG_OK;
}
