/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Anomalies: each step minus the mean of its group (of all steps, without
 * by=). The mean is laid back along time by a selection with the labels as
 * positions, so that one graph computes both. Where a data set has several
 * times, each variable counts along its own.
 */
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

typedef struct anomaly {
    const nci_model *in;
    nci_by by;
    int dim;
    bool grouped;
    nci_groups groups;
    int64_t *index; /* labels as positions */
    nci_text enums; /* names of variables that stay */
} anomaly;

static bool is_time(const nci_model *in, int dim)
{
    return in->dims[dim].role == NCI_ROLE_TIME &&
           nci_model_is_data_dim(in, dim);
}

static bool has_dates(const nci_model *in, int dim)
{
    int coord = nci_model_coord(in, dim);
    return coord >= 0 && nci_variable_is_dates(&in->vars[coord]);
}

/* Whether anomalies are taken along `dim`: every time, where some have dates
 * every one that has (a forecast's step is time, too), and for by=file the
 * dimension where the files join. */
static bool is_along(const anomaly *a, int dim)
{
    const nci_model *in = a->in;
    bool any = false;
    if (a->by == NCI_BY_FILE && in->file_of && in->join_dim >= 0)
        return dim == in->join_dim;
    for (size_t d = 0; d < in->ndims; d++)
        any = any || (is_time(in, (int)d) && has_dates(in, (int)d));
    return is_time(in, dim) && (!any || has_dates(in, dim));
}

static ncg_status check_var(const anomaly *a, const nci_variable *var,
                            ncg_error *err)
{
    const nci_model *in = a->in;
    int found = -1;
    for (int axis = 0; axis < var->rank; axis++) {
        int dim = var->dims[axis];
        if (!is_along(a, dim))
            continue;
        if (found >= 0)
            return nci_fail(err, NCG_EINVAL,
                            "%s%s%s lies along two times, %s and %s, and anom "
                            "works along one: leave it out with -V",
                            in->nfiles ? in->file_names[0] : "",
                            in->nfiles ? ": " : "", var->name,
                            in->dims[found].name, in->dims[dim].name);
        found = dim;
    }
    return NCG_OK;
}

static ncg_status check_times(const anomaly *a, ncg_error *err)
{
    bool any = false;
    for (size_t d = 0; d < a->in->ndims; d++)
        any = any || is_along(a, (int)d);
    if (!any)
        return nci_fail(err, NCG_EINVAL,
                        "anom needs a time dimension, and there is none");
    for (size_t i = 0; i < a->in->nvars; i++)
        if (a->in->vars[i].kind == NCI_KIND_DATA && !a->in->vars[i].is_weights)
            NCI_TRY(check_var(a, &a->in->vars[i], err));
    return NCG_OK;
}

static void anomaly_fini(anomaly *a)
{
    nci_groups_fini(&a->groups);
    nci_free(a->index);
    a->index = NULL;
}

static ncg_status anomaly_init(anomaly *a, int dim, const char *by,
                               ncg_error *err)
{
    a->dim = dim;
    a->grouped = a->by != NCI_BY_NONE;
    if (!a->grouped)
        return NCG_OK;
    NCI_TRY(nci_groups_make(a->in, a->dim, by, &a->groups, err));
    a->index = nci_alloc((size_t)a->groups.n * sizeof *a->index);
    if (!a->index)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < a->groups.n; i++)
        a->index[i] = a->groups.labels[i];
    return NCG_OK;
}

/* Mean over the time axis, one for each group. */
static ncg_status take_mean(const anomaly *a, nci_node *x, int axis,
                            nci_node **out, ncg_error *err)
{
    nci_reduce reduce = {.op = NCG_OP_MEAN,
                         .label_axis = a->grouped ? axis : -1,
                         .labels = a->groups.labels,
                         .nlabels = a->groups.count,
                         .skipna = true,
                         .min_count = 1};
    reduce.over[axis] = true;
    return nci_node_reduce(x, &reduce, NULL, out, err);
}

static ncg_status lay_back(const anomaly *a, nci_node *mean, int axis,
                           nci_node **out, ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK];
    for (int d = 0; d < mean->rank; d++)
        picks[d] = (nci_pick){.count = mean->shape[d], .step = 1};
    picks[axis] = (nci_pick){.count = a->groups.n, .index = a->index};
    return nci_node_select(mean, picks, out, err);
}

static ncg_status subtract(const anomaly *a, nci_node *x, int axis,
                           nci_node *mean, nci_node **out, ncg_error *err)
{
    nci_operand operands[2] = {{.node = x}, {.node = mean}};
    for (int d = 0, next = 0; d < x->rank; d++) {
        operands[0].axis[d] = d;
        operands[1].axis[d] = d == axis && !a->grouped ? -1 : next++;
    }
    return nci_node_map(NCI_MAP_SUB, NCG_DTYPE_NONE, x->rank, x->shape,
                        operands, 2, out, err);
}

static ncg_status make_array(const anomaly *a, nci_node *x, int axis,
                             nci_node **out, ncg_error *err)
{
    nci_node *mean = NULL, *laid = NULL;
    ncg_status st = take_mean(a, x, axis, &mean, err);
    if (!st && a->grouped)
        st = lay_back(a, mean, axis, &laid, err);
    if (!st)
        st = subtract(a, x, axis, laid ? laid : mean, out, err);
    nci_node_release(&mean);
    nci_node_release(&laid);
    return st;
}

static bool describe(nci_variable *var)
{
    nci_text text = {0};
    const char *name = nci_attrs_text(&var->attrs, "long_name");
    const char *standard = nci_attrs_text(&var->attrs, "standard_name");
    const char *units = nci_attrs_text(&var->attrs, "units");
    nci_text_add(&text, "%s anomaly",
                 name       ? name
                 : standard ? standard
                            : var->name);
    char *title = nci_text_take(&text);
    bool ok = title && nci_attrs_put_like(&var->attrs, "long_name", title);
    if (ok && nci_cf_is_temperature(units))
        ok = nci_attrs_put_text(&var->attrs, "units_metadata",
                                "temperature: difference");
    nci_attrs_remove(&var->attrs, "actual_range");
    nci_free(title);
    return ok;
}

static void list(nci_text *enums, const char *name)
{
    nci_text_add(enums, "%s%s",
                 enums->length ? ", " : "as it is, being an enum: ", name);
}

/* Replaces the array in place: `var` belongs to the private copy. */
static ncg_status change(anomaly *a, nci_variable *var, ncg_error *err)
{
    int axis = nci_variable_axis(var, a->dim);
    nci_node *result = NULL;
    if (axis < 0 || var->kind != NCI_KIND_DATA || var->is_weights ||
        !nci_variable_is_numeric(var))
        return NCG_OK;
    if (var->is_enum && var->is_asked)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s%s%s: no anomaly of an enum, whose values are names",
                        a->in->nfiles ? a->in->file_names[0] : "",
                        a->in->nfiles ? ": " : "", var->name);
    if (var->is_enum) {
        list(&a->enums, var->name);
        return NCG_OK;
    }
    ncg_status st = make_array(a, var->array, axis, &result, err);
    if (st)
        return nci_error_wrap(err, "%s", var->name);
    nci_node_release(&var->array);
    var->array = result;
    return describe(var)
               ? NCG_OK
               : nci_fail(err, NCG_ENOMEM, "%s: out of memory", var->name);
}

static ncg_status change_along(anomaly *a, int dim, const char *by,
                               nci_model *fresh, ncg_error *err)
{
    ncg_status st = anomaly_init(a, dim, by, err);
    for (size_t i = 0; !st && i < fresh->nvars; i++)
        st = change(a, &fresh->vars[i], err);
    anomaly_fini(a);
    return st;
}

ncg_status nci_model_anomaly(const nci_model *model, const char *by,
                             nci_note_fn note, void *note_payload,
                             nci_model **out, ncg_error *err)
{
    anomaly a = {.in = model};
    nci_model *fresh = NULL;
    ncg_status st = nci_by_parse(by, &a.by, err);
    if (!st)
        st = check_times(&a, err);
    if (!st)
        st = nci_model_copy(model, &fresh, err);
    for (size_t d = 0; !st && d < model->ndims; d++)
        if (is_along(&a, (int)d))
            st = change_along(&a, (int)d, by, fresh, err);
    if (!st && note && a.enums.length)
        note(a.enums.data, note_payload);
    nci_text_fini(&a.enums);
    if (st) {
        nci_model_release(&fresh);
        return st;
    }
    *out = fresh;
    return NCG_OK;
}
