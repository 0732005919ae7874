/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changing a data set by hand: variables put in and taken out, attributes. What
 * a variable is (coordinate, bounds, ...) follows from the attributes, as it
 * does in a file, so a program that names bounds gets them.
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/combine.h"
#include "dataset/refs.h"

/* ---- names --------------------------------------------------------------- */

enum { NAME_MAX_BYTES = 256 }; /* NC_MAX_NAME */

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    unsigned char first = (unsigned char)name[0];
    bool letter =
        (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
        (first >= '0' && first <= '9') || first == '_' || first >= 0x80;
    if (!n || n > NAME_MAX_BYTES || !letter || name[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f || name[i] == '/')
            return false;
    return true;
}

ncg_status nci_name_check(const char *what, const char *name, ncg_error *err)
{
    if (is_name(name))
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL,
                    "\"%.100s\" is no name for a %s: names begin with a "
                    "letter, digit or _, have no / and at most %d bytes",
                    name, what, NAME_MAX_BYTES);
}

ncg_status nci_model_require(const nci_model *model, const char *name, int *var,
                             ncg_error *err)
{
    *var = nci_model_find_var(model, name);
    if (*var >= 0)
        return NCG_OK;
    const char **names = nci_alloc((model->nvars + 1) * sizeof *names);
    for (size_t i = 0; names && i < model->nvars; i++)
        names[i] = model->vars[i].name;
    const char *near = names ? nci_suggest(name, names, model->nvars) : NULL;
    nci_free(names);
    return nci_fail(err, NCG_EINVAL, "no variable \"%.200s\"%s%s%s", name,
                    near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
}

/* ---- what variables are -------------------------------------------------- */

static void header_like(const nci_model *model, nci_dim *dims, nci_var *vars,
                        nci_header *out)
{
    for (size_t d = 0; d < model->ndims; d++)
        dims[d] =
            (nci_dim){.name = model->dims[d].name, .size = model->dims[d].size};
    for (size_t v = 0; v < model->nvars; v++) {
        const nci_variable *from = &model->vars[v];
        vars[v] =
            (nci_var){.name = from->name,
                      .rank = from->rank,
                      .attrs = from->attrs,
                      .dtype = from->array ? from->array->dtype : from->stored};
        memcpy(vars[v].dims, from->dims, sizeof from->dims);
    }
    static char path[] = "data set"; /* for messages */
    *out = (nci_header){.path = path,
                        .dims = dims,
                        .ndims = model->ndims,
                        .vars = vars,
                        .nvars = model->nvars,
                        .attrs = model->attrs};
}

ncg_status nci_model_find_kinds(nci_model *model, ncg_error *err)
{
    nci_dim *dims = nci_calloc(model->ndims + 1, sizeof *dims);
    nci_var *vars = nci_calloc(model->nvars + 1, sizeof *vars);
    nci_var_kind *kinds = nci_calloc(model->nvars + 1, sizeof *kinds);
    nci_header header;
    ncg_status st = NCG_OK;
    if (!dims || !vars || !kinds)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st) {
        header_like(model, dims, vars, &header);
        st = nci_refs_kinds(&header, kinds, err);
    }
    /* Only data become something else: what was asked for by name, or was
     * taken for something for other reasons, stays that. */
    for (size_t v = 0; !st && v < model->nvars; v++)
        if (model->vars[v].kind == NCI_KIND_DATA && !model->vars[v].is_asked)
            model->vars[v].kind = kinds[v];
    nci_free(dims);
    nci_free(vars);
    nci_free(kinds);
    return st;
}

/* The end of every change. */
static ncg_status finish(ncg_status st, nci_model *model_take, nci_model **out,
                         ncg_error *err)
{
    if (!st)
        st = nci_model_find_kinds(model_take, err);
    if (st) {
        nci_model_release(&model_take);
        return st;
    }
    nci_model_find_roles(model_take);
    *out = model_take;
    return NCG_OK;
}

/* ---- variables ----------------------------------------------------------- */

ncg_status nci_variable_set_array(nci_variable *var, nci_node *array,
                                  ncg_error *err)
{
    nci_grid grid = {0};
    NCI_TRY(nci_node_grid(array, &grid, err));
    var->storage = (nci_storage){.layout = NCI_LAYOUT_CHUNKED};
    for (int d = 0; d < array->rank; d++)
        var->storage.chunk[d] = grid.axis[d].nchunks ? grid.axis[d].edge[1] : 1;
    nci_grid_fini(&grid);
    nci_node *old = var->array;
    var->array = nci_node_retain(array);
    nci_node_release(&old);
    nci_node_release(&var->sizes);
    var->stored = array->dtype;
    return NCG_OK;
}

/* A dimension may change its size if nothing but `replaced` has it. */
static ncg_status find_or_add_dim(nci_model *model, const char *name,
                                  int64_t size, int replaced, int *out,
                                  ncg_error *err)
{
    int dim = nci_model_find_dim(model, name);
    *out = dim;
    if (dim < 0) {
        NCI_TRY(nci_name_check("dimension", name, err));
        if (!nci_model_add_dim(model, name, size, false))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        *out = (int)model->ndims - 1;
        return NCG_OK;
    }
    if (model->dims[dim].size == size)
        return NCG_OK;
    for (size_t v = 0; v < model->nvars; v++)
        if ((int)v != replaced && nci_variable_axis(&model->vars[v], dim) >= 0)
            return nci_fail(err, NCG_EMISMATCH,
                            "dimension %s has %lld positions in the array and "
                            "%lld in the data set, where %s has it",
                            name, (long long)size,
                            (long long)model->dims[dim].size,
                            model->vars[v].name);
    model->dims[dim].size = size;
    if (model->join_dim == dim) {
        nci_free(model->file_of);
        model->file_of = NULL;
        model->join_dim = -1;
    }
    return NCG_OK;
}

static ncg_status check_dims(const nci_node *array, const char *const *dims,
                             ncg_error *err)
{
    for (int a = 0; a < array->rank; a++) {
        if (!dims || !dims[a])
            return nci_fail(err, NCG_EINVAL,
                            "the array has %d axes: name a dimension for each",
                            array->rank);
        for (int b = 0; b < a; b++)
            if (!strcmp(dims[a], dims[b]))
                return nci_fail(err, NCG_EINVAL,
                                "dimension %s is named for axes %d and %d",
                                dims[a], b, a);
    }
    return NCG_OK;
}

static ncg_status put_variable(nci_model *model, const char *name,
                               nci_node *array, const char *const *dims,
                               ncg_error *err)
{
    int at = nci_model_find_var(model, name);
    int where[NCG_MAX_RANK] = {0};
    for (int a = 0; a < array->rank; a++)
        NCI_TRY(find_or_add_dim(model, dims[a], array->shape[a], at, &where[a],
                                err));
    if (at < 0) {
        if (!nci_model_add_var(model, name))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        at = (int)model->nvars - 1;
    }
    nci_variable *var = &model->vars[at];
    NCI_TRY(nci_variable_set_array(var, array, err));
    nci_attrs_fini(&var->attrs);
    var->attrs = (nci_attrs){0};
    var->kind = NCI_KIND_DATA;
    var->is_enum = var->is_asked = false;
    var->note = var->missing_rule = NULL;
    var->rank = array->rank;
    memcpy(var->dims, where, sizeof where);
    return NCG_OK;
}

ncg_status nci_model_assign(const nci_model *model, const char *name,
                            nci_node *array, const char *const *dims,
                            nci_model **out, ncg_error *err)
{
    nci_model *fresh = NULL;
    if (nci_model_find_var(model, name) < 0)
        NCI_TRY(nci_name_check("variable", name, err));
    NCI_TRY(check_dims(array, dims, err));
    NCI_TRY(nci_model_copy(model, &fresh, err));
    ncg_status st = put_variable(fresh, name, array, dims, err);
    if (st)
        st = nci_error_wrap(err, "%.100s", name);
    else
        nci_model_prune(fresh);
    return finish(st, fresh, out, err);
}

ncg_status nci_model_drop(const nci_model *model, const char *const *names,
                          size_t n, nci_model **out, ncg_error *err)
{
    nci_model *fresh = NULL;
    NCI_TRY(nci_model_copy(model, &fresh, err));
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < n; i++) {
        int var = -1;
        st = names[i] ? nci_model_require(fresh, names[i], &var, err)
                      : nci_fail(err, NCG_EINVAL, "a name is NULL");
        if (!st)
            nci_model_remove_var(fresh, (size_t)var);
    }
    if (!st)
        st = nci_cf_references(model, NULL, fresh, err);
    if (st) {
        nci_model_release(&fresh);
        return st;
    }
    nci_model_prune(fresh);
    nci_model_find_roles(fresh);
    *out = fresh;
    return NCG_OK;
}

/* ---- attributes ---------------------------------------------------------- */

/* What says how values are stored is decided when they are saved. */
static ncg_status check_attr(const char *name, ncg_dtype dtype, int64_t count,
                             ncg_error *err)
{
    static const char *const storage[] = {"_FillValue", "missing_value",
                                          "scale_factor", "add_offset",
                                          "_Unsigned"};
    NCI_TRY(nci_name_check("attribute", name, err));
    for (size_t i = 0; i < sizeof storage / sizeof storage[0]; i++)
        if (!strcmp(name, storage[i]))
            return nci_fail(err, NCG_EINVAL,
                            "%s says how values are stored: values are decoded "
                            "here, and saving sets it",
                            name);
    if (!ncg_dtype_size(dtype) || dtype == NCG_DTYPE_BOOL)
        return nci_fail(err, NCG_EINVAL, "%s: no attribute has dtype %s", name,
                        ncg_dtype_name(dtype));
    if (count < 0 || (uint64_t)count > INT32_MAX)
        return nci_fail(err, NCG_EINVAL, "%s: %lld values", name,
                        (long long)count);
    return NCG_OK;
}

static ncg_status put_strings(nci_attrs *attrs, const char *name, int64_t count,
                              const char *const *values, ncg_error *err)
{
    const char **words = nci_calloc((size_t)count + 1, sizeof *words);
    bool ok = words != NULL;
    for (int64_t i = 0; ok && i < count; i++)
        ok = (words[i] = nci_intern(values[i] ? values[i] : "")) != NULL;
    ok = ok && nci_attrs_put(attrs, name, NCG_DTYPE_STRING, count, words);
    nci_free(words);
    return ok ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

ncg_status nci_model_set_attr(const nci_model *model, const char *var_name,
                              const char *name, ncg_dtype dtype, int64_t count,
                              const void *values, nci_model **out,
                              ncg_error *err)
{
    int var = -1;
    nci_model *fresh = NULL;
    if (var_name)
        NCI_TRY(nci_model_require(model, var_name, &var, err));
    if (values)
        NCI_TRY(check_attr(name, dtype, count, err));
    NCI_TRY(nci_model_copy(model, &fresh, err));
    nci_attrs *attrs = var < 0 ? &fresh->attrs : &fresh->vars[var].attrs;
    ncg_status st = NCG_OK;
    if (!values)
        nci_attrs_remove(attrs, name);
    else if (dtype == NCG_DTYPE_STRING)
        st = put_strings(attrs, name, count, values, err);
    else if (!nci_attrs_put(attrs, name, dtype, count, values))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    return finish(st, fresh, out, err);
}

ncg_status nci_model_set_unlimited(const nci_model *model, const char *name,
                                   bool is_unlimited, nci_model **out,
                                   ncg_error *err)
{
    nci_model *fresh = NULL;
    int dim = nci_model_find_dim(model, name);
    if (dim < 0)
        return nci_fail(err, NCG_EINVAL, "no dimension \"%.200s\"", name);
    NCI_TRY(nci_model_copy(model, &fresh, err));
    fresh->dims[dim].is_unlimited = is_unlimited;
    *out = fresh;
    return NCG_OK;
}
