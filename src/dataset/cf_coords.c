/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Coordinates of reduced dimensions: the middle (or first, or last) of what
 * was reduced, with bounds from the lowest lower to the highest upper bound.
 * No cells are invented: without bounds only times get some, from the first to
 * the last stamp, because a method other than "point" needs them (CF 7.3).
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/ops.h"

void nci_reducing_note(const nci_reducing *r, const char *format, ...)
{
    char text[400];
    va_list args;
    if (!r->note)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->note(text, r->note_payload);
}

bool nci_reducing_has(const nci_reducing *r, const nci_variable *var)
{
    for (int a = 0; a < var->rank; a++)
        if (r->mask[var->dims[a]])
            return true;
    return false;
}

bool nci_reducing_loses(const nci_reducing *r, int dim)
{
    return r->mask[dim] && !r->keeps[dim];
}

static bool is_constant(const nci_variable *var)
{
    double *x = NULL;
    int64_t n = 0;
    bool same = true;
    if (nci_variable_values(var, &x, &n, NULL))
        return false;
    for (int64_t i = 1; i < n && same; i++)
        same = x[i] == x[0];
    nci_free(x);
    return same;
}

static bool has_cells(const nci_model *model, int index)
{
    double *bounds = NULL;
    bool has = !nci_bounds_values(model, index, &bounds, NULL) && bounds;
    nci_free(bounds);
    return has;
}

bool nci_cf_is_interval(const nci_reducing *r, int index)
{
    const nci_variable *var = &r->in->vars[index];
    if (var->rank != 1 || !r->mask[var->dims[0]] || !var->array ||
        var->array->kind != NCI_NODE_CONST || !nci_variable_is_numeric(var))
        return false;
    if (!strcmp(var->name, r->in->dims[var->dims[0]].name) ||
        nci_model_coord(r->in, var->dims[0]) == index)
        return true;
    return var->kind == NCI_KIND_COORD &&
           (nci_variable_is_dates(var) || has_cells(r->in, index) ||
            is_constant(var));
}

int nci_model_vertex_dim(nci_model *model)
{
    for (size_t i = 0; i < model->nvars; i++)
        if (model->vars[i].kind == NCI_KIND_BOUNDS && model->vars[i].rank) {
            int dim = model->vars[i].dims[model->vars[i].rank - 1];
            if (model->dims[dim].size == 2)
                return dim;
        }
    const char *name = "bnds";
    int dim = nci_model_find_dim(model, name);
    if (dim >= 0 && model->dims[dim].size == 2)
        return dim;
    if (dim >= 0)
        name = "bnds_2";
    return nci_model_add_dim(model, name, 2, false) ? (int)model->ndims - 1
                                                    : -1;
}

/* A coordinate under way: values and bounds, one (pair) a group. */
typedef struct interval {
    const nci_variable *var;
    int index, dim;
    int64_t n; /* positions before */
    double *times, *bounds, *sizes; /* sizes: NULL where not known */
    int32_t count;                  /* groups */
    const int32_t *labels;
    double *low, *high, *value;
    int64_t *members;
    bool is_time, is_climatology, has_bounds;
} interval;

static void interval_fini(interval *v)
{
    nci_free(v->times);
    nci_free(v->bounds);
    nci_free(v->sizes);
    nci_free(v->low);
    nci_free(v->high);
    nci_free(v->value);
    nci_free(v->members);
}

static ncg_status interval_init(const nci_reducing *r, int index, interval *v,
                                ncg_error *err)
{
    const nci_variable *var = &r->in->vars[index];
    *v = (interval){.var = var, .index = index, .dim = var->dims[0]};
    bool grouped = v->dim == r->label_dim;
    v->count = grouped ? r->groups.count : 1;
    v->labels = grouped ? r->groups.labels : NULL;
    v->is_time =
        nci_variable_is_dates(var) || r->in->dims[v->dim].role == NCI_ROLE_TIME;
    v->is_climatology = grouped && nci_by_is_climatology(r->groups.by) &&
                        nci_variable_is_dates(var);
    size_t n = (size_t)v->count;
    v->low = nci_alloc(n * sizeof *v->low);
    v->high = nci_alloc(n * sizeof *v->high);
    v->value = nci_alloc(n * sizeof *v->value);
    v->members = nci_calloc(n, sizeof *v->members);
    if (!v->low || !v->high || !v->value || !v->members)
        return nci_fail(err, NCG_ENOMEM, "%s: out of memory", var->name);
    NCI_TRY(nci_variable_values(var, &v->times, &v->n, err));
    ncg_status st = nci_cell_sizes(r->in, index, nci_cell_kind_of(var),
                                   &v->sizes, NULL);
    if (st == NCG_ENOMEM)
        return nci_fail(err, st, "%s: out of memory", var->name);
    v->sizes = st ? NULL : v->sizes;
    return nci_bounds_values(r->in, index, &v->bounds, err);
}

/* Lowest and highest bound of each group; points count as their own bounds. */
static void measure(interval *v)
{
    for (int32_t g = 0; g < v->count; g++) {
        v->low[g] = INFINITY;
        v->high[g] = -INFINITY;
    }
    for (int64_t i = 0; i < v->n; i++) {
        int32_t g = v->labels ? v->labels[i] : 0;
        double a = v->bounds ? v->bounds[2 * i] : v->times[i];
        double b = v->bounds ? v->bounds[2 * i + 1] : v->times[i];
        v->low[g] = fmin(v->low[g], fmin(a, b));
        v->high[g] = fmax(v->high[g], fmax(a, b));
        v->members[g]++;
    }
}

/* The one step whose value was taken: op first or last. */
static void take_step(interval *v, bool last)
{
    for (int64_t k = 0; k < v->n; k++) {
        int64_t i = last ? k : v->n - 1 - k;
        int32_t g = v->labels ? v->labels[i] : 0;
        v->value[g] = v->times[i];
        if (v->bounds) {
            v->low[g] = v->bounds[2 * i];
            v->high[g] = v->bounds[2 * i + 1];
        }
    }
}

static void stamp(interval *v, ncg_time_stamp how)
{
    for (int32_t g = 0; g < v->count; g++) {
        double low = v->low[g], high = v->high[g];
        v->value[g] = v->is_time && how == NCG_STAMP_FIRST ? low
                      : v->is_time && how == NCG_STAMP_LAST
                          ? high
                          : low + (high - low) / 2;
    }
}

static bool has_several(const interval *v)
{
    for (int32_t g = 0; g < v->count; g++)
        if (v->members[g] > 1)
            return true;
    return false;
}

static ncg_status compute(const nci_reducing *r, interval *v, ncg_error *err)
{
    ncg_op op = r->options->op;
    measure(v);
    if (v->is_climatology) {
        nci_time_units units;
        NCI_TRY(nci_variable_time_units(v->var, &units, err));
        v->has_bounds = true;
        nci_windows w = {&units, v->times, v->bounds, r->options->stamp,
                         v->low, v->high,  v->value};
        return nci_cf_windows(&r->groups, &w, err);
    }
    bool is_point = op == NCG_OP_FIRST || op == NCG_OP_LAST;
    v->has_bounds = v->bounds || (v->is_time && !is_point && has_several(v));
    if (v->has_bounds && !v->bounds &&
        nci_model_coord(r->in, v->dim) == v->index)
        nci_reducing_note(r,
                          "%s has no bounds: those of the result go from the "
                          "first to the last time stamp",
                          v->var->name);
    if (is_point)
        take_step(v, op == NCG_OP_LAST);
    else
        stamp(v, r->options->stamp);
    return NCG_OK;
}

/* Middles of integer coordinates need not be integers. */
static ncg_dtype value_dtype(const interval *v)
{
    ncg_dtype dtype = v->var->array->dtype;
    if (dtype == NCG_DTYPE_F32 && !v->is_time)
        return dtype;
    if (nci_dtype_is_float(dtype))
        return NCG_DTYPE_F64;
    for (int32_t g = 0; g < v->count; g++)
        if (v->value[g] != floor(v->value[g]))
            return NCG_DTYPE_F64;
    return dtype;
}

/* A group is as large as its members together, whatever lies between them: by
 * season, bounds of the result reach over all of the years (CF 7.4). */
static ncg_status hand_on_sizes(const nci_reducing *r, const interval *v,
                                nci_variable *to, ncg_error *err)
{
    ncg_op op = r->options->op;
    double *sizes = NULL;
    if (v->sizes &&
        !(sizes = nci_calloc((size_t)v->count + 1, sizeof *sizes)))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t k = 0; sizes && k < v->n; k++) {
        int64_t i = op == NCG_OP_FIRST ? v->n - 1 - k : k;
        int32_t g = v->labels ? v->labels[i] : 0;
        bool is_point = op == NCG_OP_FIRST || op == NCG_OP_LAST;
        sizes[g] = is_point ? v->sizes[i] : sizes[g] + v->sizes[i];
    }
    nci_variable_set_sizes(to, sizes);
    nci_free(sizes);
    return NCG_OK;
}

static ncg_status add_values(nci_reducing *r, interval *v, bool scalar,
                             ncg_error *err)
{
    nci_variable *to = nci_model_add_like(r->out, v->var, err);
    if (!to)
        return NCG_ENOMEM;
    const int64_t shape[] = {v->count};
    to->rank = scalar ? 0 : 1;
    to->dims[0] = v->dim;
    NCI_TRY(nci_array_f64(value_dtype(v), to->rank, shape, v->value, &to->array,
                          err));
    return hand_on_sizes(r, v, to, err);
}

/* The name behind the path of a group, and the length of that path. */
static const char *base_name(const char *path, int *length)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    *length = (int)(base - path);
    return base;
}

/* Bounds lie in the group of their coordinate, where its dimension is. */
static const char *bounds_name(const nci_reducing *r, const interval *v,
                               char *buffer, size_t size)
{
    int old = nci_model_bounds(r->in, v->index);
    bool climatological = nci_attrs_find(&v->var->attrs, "climatology") != NULL;
    if (old >= 0 && (climatological || !v->is_climatology))
        return r->in->vars[old].name;
    int path = 0;
    base_name(v->var->name, &path);
    if (v->is_climatology)
        snprintf(buffer, size, "%.*sclimatology_bnds", path, v->var->name);
    else
        snprintf(buffer, size, "%s_bnds", v->var->name);
    for (int i = 0; i < 8 && (nci_model_find_var(r->in, buffer) >= 0 ||
                              nci_model_find_var(r->out, buffer) >= 0);
         i++)
        snprintf(buffer + strlen(buffer), size - strlen(buffer), "_");
    return buffer;
}

/* Old bounds lend the name of their dimension and their precision. */
static int vertex_dim(nci_reducing *r, int old)
{
    const nci_variable *var = old >= 0 ? &r->in->vars[old] : NULL;
    if (var && var->rank == 2 && r->in->dims[var->dims[1]].size == 2)
        return var->dims[1];
    return nci_model_vertex_dim(r->out);
}

/* Bounds are written in the units of the coordinate. */
static bool take_units(const nci_attrs *from, nci_attrs *to)
{
    static const char *const names[] = {"units", "calendar"};
    for (int i = 0; i < 2; i++) {
        const char *text = nci_attrs_text(from, names[i]);
        if (nci_attrs_find(to, names[i]) && text &&
            !nci_attrs_put_like(to, names[i], text))
            return false;
    }
    return true;
}

static ncg_status add_bounds(nci_reducing *r, interval *v, bool scalar,
                             const char *name, ncg_error *err)
{
    int old = nci_model_bounds(r->in, v->index), vertex = vertex_dim(r, old);
    nci_variable *to = vertex < 0 ? NULL : nci_model_add_var(r->out, name);
    double *pairs = nci_alloc((size_t)v->count * 2 * sizeof *pairs);
    ncg_dtype dtype = NCG_DTYPE_F64;
    ncg_status st = NCG_OK;
    if (!to || !pairs) {
        st = nci_fail(err, NCG_ENOMEM, "%s: out of memory", name);
        goto done;
    }
    to->kind = NCI_KIND_BOUNDS;
    if (v->bounds && !v->is_time &&
        nci_dtype_is_float(r->in->vars[old].array->dtype))
        dtype = r->in->vars[old].array->dtype;
    if (old >= 0 && !v->is_climatology &&
        !(nci_attrs_copy(&r->in->vars[old].attrs, &to->attrs) &&
          take_units(&v->var->attrs, &to->attrs))) {
        st = nci_fail(err, NCG_ENOMEM, "%s: out of memory", name);
        goto done;
    }
    for (int32_t g = 0; g < v->count; g++) {
        pairs[2 * g] = v->low[g];
        pairs[2 * g + 1] = v->high[g];
    }
    const int64_t shape[] = {v->count, 2};
    to->rank = scalar ? 1 : 2;
    to->dims[0] = scalar ? vertex : v->dim;
    to->dims[1] = vertex;
    st = nci_array_f64(dtype, to->rank, shape + scalar, pairs, &to->array, err);
done:
    nci_free(pairs);
    return st;
}

/* Names the bounds in the coordinate, or says that there are none. */
static bool name_bounds(nci_reducing *r, const interval *v, const char *name)
{
    int at = nci_model_find_var(r->out, v->var->name);
    nci_attrs *attrs = &r->out->vars[at].attrs;
    bool climatological =
        v->is_climatology || nci_attrs_find(attrs, "climatology");
    if (!name || climatological)
        nci_attrs_remove(attrs, "bounds");
    if (!name)
        nci_attrs_remove(attrs, "climatology");
    if (!name)
        return true;
    int path = 0, own = 0;
    const char *base = base_name(name, &path);
    base_name(v->var->name, &own);
    bool together = path == own && !strncmp(name, v->var->name, (size_t)path);
    return nci_attrs_put_text(attrs, climatological ? "climatology" : "bounds",
                              together ? base : name);
}

ncg_status nci_cf_interval(nci_reducing *r, int var, ncg_error *err)
{
    interval v;
    char buffer[NCG_MAX_RANK * 32];
    ncg_status st = interval_init(r, var, &v, err);
    bool scalar = nci_reducing_loses(r, v.dim);
    if (!st)
        st = compute(r, &v, err);
    if (!st)
        st = add_values(r, &v, scalar, err);
    const char *name = NULL;
    if (!st && v.has_bounds) {
        name = bounds_name(r, &v, buffer, sizeof buffer);
        st = add_bounds(r, &v, scalar, name, err);
    }
    if (!st && !name_bounds(r, &v, name))
        st = nci_fail(err, NCG_ENOMEM, "%s: out of memory", v.var->name);
    interval_fini(&v);
    return st;
}
