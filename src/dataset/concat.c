/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joining data sets along a dimension. Variables that have it (all data
 * variables, where it is new) are put behind one another; all others must
 * agree. A data set without the dimension counts as one position, so single
 * steps can be joined. Times are counted from the first data set's date.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/combine.h"
#include "dataset/units.h"
#include "graph/ops/ops.h"

typedef struct joint {
    const char *name; /* of the dimension */
    nci_model **models;
    size_t n;
    const nci_combining *how;
    int *dims;        /* of each model, -1: it lacks it */
    int64_t *extents; /* positions that each model gives */
    bool is_new;
    nci_model *out;
    int dim; /* of `out` */
} joint;

/* One variable of all models. */
typedef struct member {
    const char *name;
    int *vars;        /* of each model, -1: not there */
    size_t reference; /* the model whose layout the result has */
    int axis;         /* of the result, to join along */
    int rank;
} member;

static const nci_variable *part_of(const joint *j, const member *m, size_t k)
{
    return m->vars[k] < 0 ? NULL : &j->models[k]->vars[m->vars[k]];
}

static ncg_status fail_part(const joint *j, const member *m, size_t k,
                            const char *what, ncg_error *err)
{
    (void)j;
    return nci_fail(err, NCG_EMISMATCH, "data sets %zu and %zu: %s: %s",
                    m->reference + 1, k + 1, m->name, what);
}

/* ---- values in memory ---------------------------------------------------- */

ncg_status nci_model_date_units(const nci_model *model, int v, bool *is_date,
                                nci_time_units *out, ncg_error *err)
{
    const nci_variable *var = &model->vars[v];
    *is_date = nci_variable_is_dates(var);
    if (*is_date)
        return nci_variable_time_units(var, out, err);
    for (size_t i = 0; var->kind == NCI_KIND_BOUNDS && i < model->nvars; i++)
        if (nci_variable_is_dates(&model->vars[i]) &&
            nci_model_bounds(model, (int)i) == v) {
            *is_date = true;
            return nci_variable_time_units(&model->vars[i], out, err);
        }
    return NCG_OK;
}

/* Whether the values of part k count from another date than the reference's;
 * they are counted anew. */
static ncg_status rebase(const joint *j, const member *m, size_t k,
                         double *values, int64_t n, bool *is_needed,
                         ncg_error *err)
{
    nci_time_units to, from;
    bool a = false, b = false;
    *is_needed = false;
    NCI_TRY(nci_model_date_units(j->models[m->reference], m->vars[m->reference],
                                 &a, &to, err));
    NCI_TRY(nci_model_date_units(j->models[k], m->vars[k], &b, &from, err));
    if (!a || !b)
        return NCG_OK;
    if (to.calendar != from.calendar)
        return fail_part(j, m, k, "calendars differ", err);
    if (to.unit_us == from.unit_us && to.epoch_day == from.epoch_day &&
        to.epoch_us == from.epoch_us)
        return NCG_OK;
    *is_needed = true;
    for (int64_t i = 0; i < n; i++)
        if (nci_time_is_number(values[i]))
            values[i] = nci_time_from_absolute(
                &to, nci_time_absolute_us(&from, values[i]));
    return NCG_OK;
}

static bool is_plain(const joint *j, const member *m)
{
    const nci_node *first = part_of(j, m, m->reference)->array;
    for (size_t k = 0; k < j->n; k++) {
        const nci_node *node = part_of(j, m, k)->array;
        if (node->dtype != first->dtype ||
            node->has_missing != first->has_missing ||
            (node->has_missing && memcmp(node->missing, first->missing, 8)))
            return false;
    }
    return true;
}

static ncg_status const_dtype(const joint *j, const member *m, bool *plain,
                              ncg_dtype *dtype, ncg_error *err)
{
    bool has_missing = false;
    *plain = is_plain(j, m);
    *dtype = part_of(j, m, m->reference)->array->dtype;
    bool is_number = nci_dtype_is_numeric(*dtype);
    for (size_t k = 0; k < j->n; k++) {
        const nci_node *node = part_of(j, m, k)->array;
        bool is_needed;
        if (nci_dtype_is_numeric(node->dtype) != is_number ||
            (!is_number && node->dtype != *dtype))
            return fail_part(j, m, k, "dtypes differ: text and numbers", err);
        if (!is_number)
            continue;
        NCI_TRY(rebase(j, m, k, NULL, 0, &is_needed, err));
        *plain = *plain && !is_needed;
        has_missing = has_missing || node->has_missing;
        *dtype =
            is_needed ? NCG_DTYPE_F64 : nci_dtype_promote(*dtype, node->dtype);
    }
    if (!*plain && has_missing)
        *dtype = nci_dtype_real(*dtype);
    return NCG_OK;
}

/* The bytes of one part in `dtype`: its own, or converted (then *owned). */
static ncg_status part_bytes(const joint *j, const member *m, size_t k,
                             bool plain, ncg_dtype dtype, const char **bytes,
                             char **owned, ncg_error *err)
{
    const nci_variable *var = part_of(j, m, k);
    double *values = NULL;
    int64_t n;
    bool is_needed;
    *owned = NULL;
    *bytes = nci_buf_data(var->array->data);
    if (plain)
        return NCG_OK;
    NCI_TRY(nci_variable_values(var, &values, &n, err));
    size_t size = ncg_dtype_size(dtype);
    ncg_status st = rebase(j, m, k, values, n, &is_needed, err);
    *owned = st ? NULL : nci_alloc((size_t)(n + 1) * size);
    if (!st && !*owned)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; !st && i < n; i++)
        nci_dtype_put(dtype, *owned + (size_t)i * size, values[i]);
    nci_free(values);
    *bytes = *owned;
    return st;
}

static ncg_status join_consts(const joint *j, const member *m,
                              const int64_t *shape, nci_node **out,
                              ncg_error *err)
{
    const nci_node *first = part_of(j, m, m->reference)->array;
    int64_t outer = 1, inner = 1, start = 0;
    bool plain;
    ncg_dtype dtype;
    nci_buf *buf = NULL;
    NCI_TRY(const_dtype(j, m, &plain, &dtype, err));
    for (int d = 0; d < m->rank; d++) {
        outer *= d < m->axis ? shape[d] : 1;
        inner *= d > m->axis ? shape[d] : 1;
    }
    size_t size = ncg_dtype_size(dtype), row = (size_t)inner * size;
    NCI_TRY(nci_buf_create((size_t)(outer * shape[m->axis]) * row, &buf, err));
    char *data = nci_buf_data(buf);
    ncg_status st = NCG_OK;
    for (size_t k = 0; !st && k < j->n; start += j->extents[k++]) {
        const char *from;
        char *owned = NULL;
        size_t run = (size_t)j->extents[k] * row;
        st = part_bytes(j, m, k, plain, dtype, &from, &owned, err);
        for (int64_t o = 0; !st && o < outer; o++)
            memcpy(data + (size_t)(o * shape[m->axis] + start) * row,
                   from + (size_t)o * run, run);
        nci_free(owned);
    }
    if (!st)
        st = nci_node_const(dtype, m->rank, shape, buf,
                            plain && first->has_missing ? first->missing : NULL,
                            out, err);
    nci_buf_release(&buf);
    return st;
}

/* ---- values that are computed -------------------------------------------- */

/* The axis of part k that result axis d is, -1: the one to join along. */
static int part_axis(const joint *j, const member *m, size_t k,
                     const nci_variable *result, int d)
{
    const char *name = j->out->dims[result->dims[d]].name;
    int dim = nci_model_find_dim(j->models[k], name);
    return dim < 0 ? -1 : nci_variable_axis(part_of(j, m, k), dim);
}

static ncg_status lay_part(const joint *j, const member *m, size_t k,
                           const nci_variable *result, const int64_t *shape,
                           nci_node **out, ncg_error *err)
{
    const nci_variable *var = part_of(j, m, k);
    int64_t own[NCG_MAX_RANK];
    int axis[NCG_MAX_RANK];
    for (int d = 0; d < m->rank; d++) {
        own[d] = d == m->axis ? j->extents[k] : shape[d];
        axis[d] = part_axis(j, m, k, result, d);
    }
    return nci_ops_view(var->array, m->rank, own, axis, out, err);
}

static ncg_status join_graphs(const joint *j, const member *m,
                              const nci_variable *result, const int64_t *shape,
                              nci_node **out, ncg_error *err)
{
    nci_node **parts = nci_calloc(j->n + 1, sizeof *parts);
    ncg_status st = parts ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < j->n; k++) {
        bool is_needed = false;
        if (nci_dtype_is_numeric(part_of(j, m, k)->array->dtype))
            st = rebase(j, m, k, NULL, 0, &is_needed, err);
        else
            st = fail_part(j, m, k, "text that is not in memory: drop it first",
                           err);
        if (!st && is_needed)
            st = fail_part(j, m, k,
                           "reference dates differ, and its values "
                           "are not in memory",
                           err);
        if (!st)
            st = lay_part(j, m, k, result, shape, &parts[k], err);
    }
    if (!st)
        st = nci_ops_concat(parts, (int)j->n, m->axis, out, err);
    for (size_t k = 0; parts && k < j->n; k++)
        nci_node_release(&parts[k]);
    nci_free(parts);
    return st;
}

/* ---- one variable -------------------------------------------------------- */

/* Layouts and units fit; *in_order: no axis has to be moved. */
static ncg_status check_parts(const joint *j, const member *m,
                              const nci_variable *result, bool *in_order,
                              ncg_error *err)
{
    const nci_attrs *attrs = &part_of(j, m, m->reference)->attrs;
    *in_order = true;
    for (size_t k = 0; k < j->n; k++) {
        const nci_variable *var = part_of(j, m, k);
        bool has = j->dims[k] >= 0 && nci_variable_axis(var, j->dims[k]) >= 0;
        int last = -1;
        if (var->rank + !has != m->rank || (!has && j->extents[k] != 1))
            return fail_part(j, m, k, "dimensions differ", err);
        for (int d = 0; d < m->rank; d++) {
            int axis = part_axis(j, m, k, result, d);
            if (axis < 0 && d != m->axis)
                return fail_part(j, m, k, "dimensions differ", err);
            *in_order = *in_order && (axis < 0 || axis > last);
            last = axis < 0 ? last : axis;
        }
        const char *units = nci_attrs_text(&var->attrs, "units");
        const char *first = nci_attrs_text(attrs, "units");
        if (var->kind != NCI_KIND_OTHER && !nci_units_equal(units, first) &&
            !(nci_time_is_units(units) && nci_time_is_units(first)))
            return fail_part(j, m, k, "units differ; convert one of them", err);
    }
    return NCG_OK;
}

/* Dimensions of the result: those of the reference; a new one comes first. */
static ncg_status lay_result(joint *j, member *m, nci_variable *result,
                             ncg_error *err)
{
    const nci_model *model = j->models[m->reference];
    const nci_variable *var = part_of(j, m, m->reference);
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

static bool all_in_memory(const joint *j, const member *m)
{
    for (size_t k = 0; k < j->n; k++)
        if (part_of(j, m, k)->array->kind != NCI_NODE_CONST)
            return false;
    return true;
}

static ncg_status join_variable(joint *j, member *m, ncg_error *err)
{
    const nci_variable *var = part_of(j, m, m->reference);
    int64_t shape[NCG_MAX_RANK] = {0};
    bool in_order;
    for (size_t k = 0; k < j->n; k++)
        if (!part_of(j, m, k)->array)
            return fail_part(j, m, k, "it has no values to join", err);
    nci_variable *result = nci_model_add_like(j->out, var, err);
    if (!result)
        return NCG_ENOMEM;
    NCI_TRY(lay_result(j, m, result, err));
    NCI_TRY(check_parts(j, m, result, &in_order, err));
    for (int d = 0; d < m->rank; d++)
        shape[d] = j->out->dims[result->dims[d]].size;
    ncg_status st = in_order && all_in_memory(j, m)
                        ? join_consts(j, m, shape, &result->array, err)
                        : join_graphs(j, m, result, shape, &result->array, err);
    return st ? nci_error_wrap(err, "%s", m->name) : NCG_OK;
}

/* ---- which variables, and how -------------------------------------------- */

static bool has_dim(const joint *j, const member *m, size_t k)
{
    return m->vars[k] >= 0 && j->dims[k] >= 0 &&
           nci_variable_axis(part_of(j, m, k), j->dims[k]) >= 0;
}

static ncg_status same_everywhere(const joint *j, const member *m, bool *same,
                                  size_t *where, ncg_error *err)
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

static ncg_status fail_absent(const joint *j, const member *m, ncg_error *err)
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
static bool can_stack(const joint *j, const member *m)
{
    const nci_variable *var = part_of(j, m, m->reference);
    return j->is_new && var->kind != NCI_KIND_OTHER && var->array &&
           nci_variable_is_numeric(var);
}

static ncg_status add_variable(joint *j, member *m, ncg_error *err)
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
    const nci_variable *var = part_of(j, m, m->reference);
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

static ncg_status add_all(joint *j, ncg_error *err)
{
    int *vars = nci_calloc(j->n + 1, sizeof *vars);
    ncg_status st = vars ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < j->n; k++)
        for (size_t v = 0; !st && v < j->models[k]->nvars; v++) {
            member m = {j->models[k]->vars[v].name, vars, k, -1, 0};
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

static ncg_status measure(joint *j, int64_t *total, bool *is_unlimited,
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

static ncg_status begin(joint *j, ncg_error *err)
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

static ncg_status concat(joint *j, ncg_error *err)
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
    joint j = {.name = dim, .n = n, .how = how};
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
