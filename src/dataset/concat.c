/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joining data sets along a dimension. Variables that have it (all data
 * variables, where it is new) are put behind one another; all others must
 * agree. A data set without the dimension counts as one position, so single
 * steps can be joined.
 */
#include "dataset/concat.h"

#include <string.h>

#include "base/mem.h"
#include "dataset/units.h"

/* ---- one variable -------------------------------------------------------- */

/* Layouts and units fit; *in_order: no axis has to be moved. */
static ncg_status check_parts(const nci_joint *j, const nci_member *m,
                              const nci_variable *result, bool *in_order,
                              ncg_error *err)
{
    const nci_attrs *attrs = &nci_concat_part(j, m, m->reference)->attrs;
    *in_order = true;
    for (size_t k = 0; k < j->n; k++) {
        const nci_variable *var = nci_concat_part(j, m, k);
        bool has = j->dims[k] >= 0 && nci_variable_axis(var, j->dims[k]) >= 0;
        int last = -1;
        if (var->rank + !has != m->rank || (!has && j->extents[k] != 1))
            return nci_concat_fail(m, k, "dimensions differ", err);
        for (int d = 0; d < m->rank; d++) {
            int axis = nci_concat_axis(j, m, k, result, d);
            if (axis < 0 && d != m->axis)
                return nci_concat_fail(m, k, "dimensions differ", err);
            *in_order = *in_order && (axis < 0 || axis > last);
            last = axis < 0 ? last : axis;
        }
        const char *units = nci_attrs_text(&var->attrs, "units");
        const char *first = nci_attrs_text(attrs, "units");
        if (var->kind != NCI_KIND_OTHER && !nci_units_equal(units, first) &&
            !(nci_time_is_units(units) && nci_time_is_units(first)))
            return nci_concat_fail(m, k, "units differ; convert one of them",
                                   err);
    }
    return NCG_OK;
}

/* Dimensions of the result: those of the reference; a new one comes first. */
static ncg_status lay_result(nci_joint *j, nci_member *m, nci_variable *result,
                             ncg_error *err)
{
    const nci_model *model = j->models[m->reference];
    const nci_variable *var = nci_concat_part(j, m, m->reference);
    int own = j->dims[m->reference] < 0
                  ? -1
                  : nci_variable_axis(var, j->dims[m->reference]);
    int first = own < 0;
    m->axis = own < 0 ? 0 : own;
    m->rank = var->rank + first;
    if (m->rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "%s: more than %d dimensions", m->name,
                        NCG_MAX_RANK);
    for (int d = 0; d < var->rank; d++) {
        result->dims[d + first] =
            d == own
                ? j->dim
                : nci_model_find_dim(j->out, model->dims[var->dims[d]].name);
        result->storage.chunk[d + first] = var->storage.chunk[d];
    }
    if (first) {
        result->dims[0] = j->dim;
        result->storage.chunk[0] = 1;
    }
    result->rank = m->rank;
    return NCG_OK;
}

static ncg_status join_variable(nci_joint *j, nci_member *m, ncg_error *err)
{
    const nci_variable *var = nci_concat_part(j, m, m->reference);
    bool in_order;
    for (size_t k = 0; k < j->n; k++)
        if (!nci_concat_part(j, m, k)->array)
            return nci_concat_fail(m, k, "it has no values to join", err);
    nci_variable *result = nci_model_add_like(j->out, var, err);
    if (!result)
        return NCG_ENOMEM;
    NCI_TRY(lay_result(j, m, result, err));
    NCI_TRY(check_parts(j, m, result, &in_order, err));
    ncg_status st =
        nci_concat_values(j, m, result, in_order, &result->array, err);
    return st ? nci_error_wrap(err, "%s", m->name) : NCG_OK;
}

/* ---- which variables, and how -------------------------------------------- */

static bool has_dim(const nci_joint *j, const nci_member *m, size_t k)
{
    return m->vars[k] >= 0 && j->dims[k] >= 0 &&
           nci_variable_axis(nci_concat_part(j, m, k), j->dims[k]) >= 0;
}

static ncg_status same_everywhere(const nci_joint *j, const nci_member *m,
                                  bool *same, size_t *where, ncg_error *err)
{
    size_t first = j->n;
    *same = true;
    for (size_t k = 0; *same && k < j->n; k++) {
        if (m->vars[k] < 0)
            continue;
        if (first == j->n) {
            first = k;
            continue;
        }
        *where = k;
        NCI_TRY(nci_variables_equal(j->how, j->models[first], m->vars[first],
                                    j->models[k], m->vars[k], same, err));
    }
    return NCG_OK;
}

static ncg_status fail_absent(const nci_joint *j, const nci_member *m,
                              ncg_error *err)
{
    for (size_t k = 0; k < j->n; k++)
        if (m->vars[k] < 0)
            return nci_fail(err, NCG_EMISMATCH,
                            "data set %zu has no variable %s, which data set "
                            "%zu has; drop it there, or assign it here",
                            k + 1, m->name, m->reference + 1);
    return NCG_OK;
}

/* Scalar coordinates that tell the data sets apart lie along a new dimension,
 * as does the one of its name. */
static bool can_stack(const nci_joint *j, const nci_member *m)
{
    const nci_variable *var = nci_concat_part(j, m, m->reference);
    return j->is_new && var->kind != NCI_KIND_OTHER && var->array &&
           nci_variable_is_numeric(var);
}

static ncg_status add_variable(nci_joint *j, nci_member *m, ncg_error *err)
{
    bool along = false, everywhere = true, same = true;
    size_t where = 0;
    for (size_t k = 0; k < j->n; k++) {
        if (has_dim(j, m, k) && !along) {
            m->reference = k;
            along = true;
        }
        everywhere = everywhere && m->vars[k] >= 0;
    }
    const nci_variable *var = nci_concat_part(j, m, m->reference);
    if (!everywhere && var->kind == NCI_KIND_DATA)
        return fail_absent(j, m, err);
    if (!everywhere && along) {
        nci_combining_note(j->how, "%s is not in every data set: left out",
                           m->name);
        return NCG_OK;
    }
    along =
        along || (j->is_new && everywhere &&
                  (var->kind == NCI_KIND_DATA || !strcmp(m->name, j->name)));
    if (!along && j->how->compat != NCG_COMPAT_OVERRIDE)
        NCI_TRY(same_everywhere(j, m, &same, &where, err));
    if (along || (!same && everywhere && can_stack(j, m)))
        return join_variable(j, m, err);
    if (!same)
        return nci_fail(
            err, NCG_EMISMATCH,
            "data set %zu: %s, which does not lie along %s, differs "
            "from that of data set %zu; drop it, or ask for compat "
            "override to keep the first",
            where + 1, m->name, j->name, m->reference + 1);
    return nci_model_take(j->out, j->models[m->reference],
                          m->vars[m->reference], err);
}

static ncg_status add_all(nci_joint *j, ncg_error *err)
{
    int *vars = nci_calloc(j->n + 1, sizeof *vars);
    ncg_status st = vars ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < j->n; k++)
        for (size_t v = 0; !st && v < j->models[k]->nvars; v++) {
            nci_member m = {j->models[k]->vars[v].name, vars, k, -1, 0};
            bool seen = false;
            for (size_t i = 0; i < j->n; i++) {
                vars[i] = nci_model_find_var(j->models[i], m.name);
                seen = seen || (i < k && vars[i] >= 0);
            }
            if (!seen)
                st = add_variable(j, &m, err);
        }
    nci_free(vars);
    return st;
}

/* ---- the whole ----------------------------------------------------------- */

static bool is_used(const nci_model *model, int dim)
{
    for (size_t v = 0; dim >= 0 && v < model->nvars; v++)
        if (nci_variable_axis(&model->vars[v], dim) >= 0)
            return true;
    return false;
}

static ncg_status measure(nci_joint *j, int64_t *total, bool *is_unlimited,
                          ncg_error *err)
{
    j->is_new = true;
    for (size_t k = 0; k < j->n; k++) {
        int dim = nci_model_find_dim(j->models[k], j->name);
        j->dims[k] = is_used(j->models[k], dim) ? dim : -1;
        j->extents[k] = j->dims[k] < 0 ? 1 : j->models[k]->dims[dim].size;
        j->is_new = j->is_new && j->dims[k] < 0;
        *is_unlimited =
            *is_unlimited || (dim >= 0 && j->models[k]->dims[dim].is_unlimited);
        if (__builtin_add_overflow(*total, j->extents[k], total))
            return nci_fail(err, NCG_EINVAL, "%s: too many positions", j->name);
    }
    return j->is_new ? nci_name_check("dimension", j->name, err) : NCG_OK;
}

static ncg_status begin(nci_joint *j, ncg_error *err)
{
    int64_t total = 0;
    bool is_unlimited = false;
    NCI_TRY(measure(j, &total, &is_unlimited, err));
    NCI_TRY(nci_model_begin(j->models[0], &j->out, err));
    nci_free(j->out->file_of);
    j->out->file_of = NULL;
    j->out->join_dim = -1;
    j->dim = nci_model_find_dim(j->out, j->name);
    if (j->dim < 0) {
        if (!nci_model_add_dim(j->out, j->name, total, is_unlimited))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        j->dim = (int)j->out->ndims - 1;
    }
    j->out->dims[j->dim].size = total;
    j->out->dims[j->dim].is_unlimited = is_unlimited;
    for (size_t k = 1; k < j->n; k++)
        for (size_t d = 0; d < j->models[k]->ndims; d++) {
            int at;
            if (strcmp(j->models[k]->dims[d].name, j->name) != 0)
                NCI_TRY(
                    nci_model_take_dim(j->out, j->models[k], (int)d, &at, err));
        }
    return NCG_OK;
}

static ncg_status concat(nci_joint *j, ncg_error *err)
{
    j->dims = nci_calloc(j->n + 1, sizeof *j->dims);
    j->extents = nci_calloc(j->n + 1, sizeof *j->extents);
    if (!j->dims || !j->extents)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    NCI_TRY(begin(j, err));
    NCI_TRY(add_all(j, err));
    NCI_TRY(nci_cf_references(j->models[0], NULL, j->out, err));
    nci_model_prune(j->out);
    /* A scalar coordinate of the new dimension's name is its coordinate now. */
    int v = nci_model_find_var(j->out, j->name);
    if (v >= 0 && j->out->vars[v].rank == 1)
        j->out->vars[v].kind = NCI_KIND_COORD;
    nci_model_find_roles(j->out);
    return NCG_OK;
}

ncg_status nci_models_concat(const nci_model *const *models, size_t n,
                             const char *dim, const nci_combining *how,
                             nci_model **out, ncg_error *err)
{
    nci_joint j = {.name = dim, .n = n, .how = how};
    j.models = nci_calloc(n + 1, sizeof *j.models);
    ncg_status st =
        j.models ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = nci_models_align(models, n, how, dim, j.models, err);
    if (!st)
        st = concat(&j, err);
    nci_models_release(j.models, n);
    nci_free(j.models);
    nci_free(j.dims);
    nci_free(j.extents);
    if (st && j.out)
        nci_model_release(&j.out);
    if (!st)
        *out = j.out;
    return st;
}
