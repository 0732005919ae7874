/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alignment: every dimension gets one index in all data sets. Positions that a
 * data set has not become missing values, by a selection and a `where` that
 * are fused into what follows; values in memory are filled at once. The
 * coordinate itself is that of the reference (of all, sorted, for outer), and
 * the bounds of positions that come from elsewhere come from there too.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/combine.h"
#include "graph/ops/ops.h"

void nci_combining_note(const nci_combining *how, const char *format, ...)
{
    char text[400];
    va_list args;
    if (!how->note)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    how->note(text, how->note_payload);
}

void nci_models_release(nci_model **models, size_t n)
{
    for (size_t k = 0; models && k < n; k++)
        if (models[k])
            nci_model_release(&models[k]);
}

/* One dimension of all models, while it is aligned. */
typedef struct aligning {
    const char *name;
    nci_model **models; /* changed in place: one after the other */
    size_t n;
    nci_index *indices;
    nci_joined joined;
    nci_node *target; /* the coordinate of all */
} aligning;

/* ---- values that are not there ------------------------------------------- */

static ncg_status scalar_nan(nci_node **out, ncg_error *err)
{
    double nan = NAN;
    return nci_array_f64(NCG_DTYPE_F32, 0, NULL, &nan, out, err);
}

/* True where there is a position. */
static ncg_status make_mask(const int64_t *positions, int64_t count,
                            nci_node **out, ncg_error *err)
{
    double *here = nci_alloc(((size_t)count + 1) * sizeof *here);
    if (!here)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        here[i] = positions[i] >= 0;
    ncg_status st = nci_array_f64(NCG_DTYPE_BOOL, 1, &count, here, out, err);
    nci_free(here);
    return st;
}

static ncg_status where_there(nci_node *selected, int axis,
                              const int64_t *positions, nci_node **out,
                              ncg_error *err)
{
    nci_node *mask = NULL, *nan = NULL;
    ncg_status st = make_mask(positions, selected->shape[axis], &mask, err);
    if (!st)
        st = scalar_nan(&nan, err);
    nci_operand operands[3] = {
        {.node = mask}, {.node = selected}, {.node = nan}};
    for (int d = 0; d < selected->rank; d++) {
        operands[0].axis[d] = d == axis ? 0 : -1;
        operands[1].axis[d] = d;
        operands[2].axis[d] = -1;
    }
    if (!st)
        st = nci_node_map(NCI_MAP_WHERE, NCG_DTYPE_NONE, selected->rank,
                          selected->shape, operands, 3, out, err);
    nci_node_release(&mask);
    nci_node_release(&nan);
    return st;
}

static void split_shape(const nci_node *node, int axis, int64_t *outer,
                        int64_t *inner)
{
    *outer = *inner = 1;
    for (int d = 0; d < node->rank; d++) {
        if (d < axis)
            *outer *= node->shape[d];
        if (d > axis)
            *inner *= node->shape[d];
    }
}

/* Few values: missing ones are put in at once. */
static ncg_status fill_numbers(const nci_variable *var, nci_node *selected,
                               int axis, const int64_t *positions,
                               nci_node **out, ncg_error *err)
{
    nci_variable view = {.name = var->name, .array = selected};
    int64_t n, outer, inner, size = selected->shape[axis];
    double *values = NULL;
    ncg_dtype dtype = nci_dtype_promote(selected->dtype, NCG_DTYPE_F32);
    NCI_TRY(nci_variable_values(&view, &values, &n, err));
    split_shape(selected, axis, &outer, &inner);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < size; i++)
            for (int64_t k = 0; positions[i] < 0 && k < inner; k++)
                values[(o * size + i) * inner + k] = NAN;
    ncg_status st =
        nci_array_f64(dtype, selected->rank, selected->shape, values, out, err);
    nci_free(values);
    return st;
}

static ncg_status fill_text(nci_node *selected, int axis,
                            const int64_t *positions, nci_node **out,
                            ncg_error *err)
{
    int64_t outer, inner, size = selected->shape[axis];
    size_t nbytes = nci_buf_size(selected->data);
    size_t elem = ncg_dtype_size(selected->dtype);
    const char *empty = nci_intern("");
    nci_buf *buf = NULL;
    NCI_TRY(nci_buf_create(nbytes, &buf, err));
    char *data = nci_buf_data(buf);
    memcpy(data, nci_buf_data(selected->data), nbytes);
    split_shape(selected, axis, &outer, &inner);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < size; i++)
            for (int64_t k = 0; positions[i] < 0 && k < inner; k++) {
                char *at = data + (size_t)((o * size + i) * inner + k) * elem;
                if (selected->dtype == NCG_DTYPE_STRING)
                    memcpy(at, &empty, sizeof empty);
                else
                    memset(at, 0, elem);
            }
    ncg_status st = nci_node_const(selected->dtype, selected->rank,
                                   selected->shape, buf, NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

/* ---- taking positions ---------------------------------------------------- */

static ncg_status select_positions(nci_node *array, int axis,
                                   const int64_t *index, int64_t count,
                                   nci_node **out, ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK];
    for (int d = 0; d < array->rank; d++)
        picks[d] = (nci_pick){.count = array->shape[d], .step = 1};
    picks[axis] = (nci_pick){.count = count, .index = index};
    return nci_node_select(array, picks, out, err);
}

/* `index` are the positions with 0 where there is none. */
static ncg_status take_array(const nci_variable *var, int axis,
                             const int64_t *index, const int64_t *positions,
                             int64_t count, nci_node **out, ncg_error *err)
{
    nci_node *selected = NULL;
    bool is_whole = !memcmp(index, positions, (size_t)count * sizeof *index);
    NCI_TRY(select_positions(var->array, axis, index, count, &selected, err));
    ncg_status st = NCG_OK;
    if (is_whole)
        *out = nci_node_retain(selected);
    else if (nci_dtype_is_numeric(selected->dtype))
        st = selected->kind == NCI_NODE_CONST
                 ? fill_numbers(var, selected, axis, positions, out, err)
                 : where_there(selected, axis, positions, out, err);
    else if (selected->kind == NCI_NODE_CONST)
        st = fill_text(selected, axis, positions, out, err);
    else
        st = nci_fail(err, NCG_EUNSUPPORTED,
                      "text cannot be filled with missing values: drop the "
                      "variable first");
    nci_node_release(&selected);
    return st;
}

static ncg_status take_variable(const aligning *a, size_t k, nci_variable *var,
                                int axis, const int64_t *index, ncg_error *err)
{
    nci_node *taken = NULL;
    ncg_status st = take_array(var, axis, index, a->joined.positions[k],
                               a->joined.count, &taken, err);
    if (st)
        return nci_error_wrap(err, "%s along %s", var->name, a->name);
    nci_node_release(&var->array);
    var->array = taken;
    if (!nci_dtype_is_float(var->stored))
        var->stored = taken->dtype;
    return NCG_OK;
}

static void set_size(nci_model *model, int dim, int64_t count)
{
    model->dims[dim].size = count;
    if (model->join_dim == dim) {
        nci_free(model->file_of);
        model->file_of = NULL;
        model->join_dim = -1;
    }
}

static bool is_identity(const int64_t *positions, int64_t count, int64_t size)
{
    for (int64_t i = 0; i < count; i++)
        if (positions[i] != i)
            return false;
    return count == size;
}

/* Takes the joined positions of one model; its coordinate is replaced later. */
static ncg_status take_positions(aligning *a, size_t k, ncg_error *err)
{
    const nci_index *index = &a->indices[k];
    const int64_t *positions = a->joined.positions[k];
    int64_t count = a->joined.count;
    nci_model *model = a->models[k];
    if (!positions || is_identity(positions, count, index->count))
        return NCG_OK;
    int64_t *safe = nci_alloc(((size_t)count + 1) * sizeof *safe);
    if (!safe)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        safe[i] = positions[i] < 0 ? 0 : positions[i];
    ncg_status st = NCG_OK;
    for (size_t v = 0; !st && v < model->nvars; v++) {
        nci_variable *var = &model->vars[v];
        int axis = nci_variable_axis(var, index->dim);
        if (axis >= 0 && var->array && (int)v != index->var)
            st = take_variable(a, k, var, axis, safe, err);
    }
    if (!st)
        set_size(model, index->dim, count);
    nci_free(safe);
    return st;
}

/* ---- the coordinate of all ----------------------------------------------- */

static bool is_integral(const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (values[i] != rint(values[i]))
            return false;
    return true;
}

static ncg_status target_text(const aligning *a, nci_node **out, ncg_error *err)
{
    nci_buf *buf = NULL;
    int64_t count = a->joined.count;
    NCI_TRY(nci_buf_create((size_t)count * sizeof(char *), &buf, err));
    const char **text = nci_buf_data(buf);
    for (size_t k = a->n; k-- > 0;)
        for (int64_t i = 0; a->joined.positions[k] && i < count; i++) {
            int64_t at = a->joined.positions[k][i];
            if (at >= 0)
                text[i] = (const char *)(uintptr_t)a->indices[k].labels[at];
        }
    ncg_status st =
        nci_node_const(NCG_DTYPE_STRING, 1, &count, buf, NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

static ncg_status target_numbers(const aligning *a, nci_node **out,
                                 ncg_error *err)
{
    const nci_index *reference = &a->indices[a->joined.reference];
    int64_t count = a->joined.count;
    double *values = nci_alloc(((size_t)count + 1) * sizeof *values);
    ncg_dtype dtype =
        a->models[a->joined.reference]->vars[reference->var].array->dtype;
    if (!values)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = a->n; k-- > 0;) { /* the reference's own values last */
        size_t from = (k + (size_t)a->joined.reference) % a->n;
        const nci_index *index = &a->indices[from];
        const int64_t *positions = a->joined.positions[from];
        if (index->var < 0)
            continue;
        if (!reference->is_time)
            dtype = nci_dtype_promote(
                dtype, a->models[from]->vars[index->var].array->dtype);
        for (int64_t i = 0; i < count; i++)
            if (positions[i] >= 0)
                values[i] = nci_index_value(index, positions[i], reference);
    }
    if (nci_dtype_is_integer(dtype) && !is_integral(values, count))
        dtype = NCG_DTYPE_F64;
    ncg_status st = nci_array_f64(dtype, 1, &count, values, out, err);
    nci_free(values);
    return st;
}

static ncg_status make_target(aligning *a, ncg_error *err)
{
    const nci_index *reference = &a->indices[a->joined.reference];
    if (!a->joined.is_same)
        return reference->is_text ? target_text(a, &a->target, err)
                                  : target_numbers(a, &a->target, err);
    a->target = nci_node_retain(
        a->models[a->joined.reference]->vars[reference->var].array);
    return NCG_OK;
}

static bool same_units(const nci_index *a, const nci_index *b)
{
    return !a->is_time || !b->is_time ||
           (a->units.unit_us == b->units.unit_us &&
            a->units.epoch_day == b->units.epoch_day &&
            a->units.epoch_us == b->units.epoch_us);
}

/* Units and calendar of the reference, where they count from elsewhere. */
static ncg_status take_units(const aligning *a, size_t k, nci_attrs *attrs,
                             ncg_error *err)
{
    static const char *const names[] = {"units", "calendar"};
    const nci_attrs *from = &a->models[a->joined.reference]
                                 ->vars[a->indices[a->joined.reference].var]
                                 .attrs;
    if (same_units(&a->indices[k], &a->indices[a->joined.reference]))
        return NCG_OK;
    for (int i = 0; i < 2; i++) {
        const nci_attr *attr = nci_attrs_find(from, names[i]);
        if (attr && !nci_attrs_put(attrs, attr->name, attr->dtype, attr->count,
                                   attr->values))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    return NCG_OK;
}

/* ---- bounds -------------------------------------------------------------- */

typedef struct cells {
    int var; /* of the model, -1: none that can be worked with */
    double *values;
    int64_t vertices;
} cells;

static ncg_status read_cells(const aligning *a, size_t k, cells *out,
                             ncg_error *err)
{
    const nci_index *index = &a->indices[k];
    const nci_model *model = a->models[k];
    int64_t n;
    *out = (cells){.var = -1};
    int v = index->var < 0 ? -1 : nci_model_bounds(model, index->var);
    const nci_variable *var = v < 0 ? NULL : &model->vars[v];
    if (!var || var->rank != 2 || var->dims[0] != index->dim || !var->array ||
        var->array->kind != NCI_NODE_CONST || !nci_variable_is_numeric(var))
        return NCG_OK;
    NCI_TRY(nci_variable_values(var, &out->values, &n, err));
    out->var = v;
    out->vertices = var->array->shape[1];
    const nci_index *to = &a->indices[a->joined.reference];
    for (int64_t i = 0; !same_units(index, to) && i < n; i++)
        if (nci_time_is_number(out->values[i]))
            out->values[i] = nci_time_from_absolute(
                &to->units,
                nci_time_absolute_us(&index->units, out->values[i]));
    return NCG_OK;
}

/* Rows that a model has not are taken from one that has them. */
static void lend_rows(const aligning *a, const cells *all, size_t k)
{
    for (size_t j = 0; j < a->n; j++) {
        if (j == k || all[j].var < 0 || all[j].vertices != all[k].vertices)
            continue;
        for (int64_t i = 0; i < a->joined.count; i++)
            if (a->joined.positions[k][i] < 0 && a->joined.positions[j][i] >= 0)
                memcpy(&all[k].values[i * all[k].vertices],
                       &all[j].values[i * all[j].vertices],
                       (size_t)all[j].vertices * sizeof(double));
    }
}

static ncg_status put_cells(const aligning *a, size_t k, const cells *cell,
                            ncg_error *err)
{
    nci_variable *var = &a->models[k]->vars[cell->var];
    nci_node *array = NULL;
    bool is_moved =
        !same_units(&a->indices[k], &a->indices[a->joined.reference]);
    if (a->joined.is_same && !is_moved)
        return NCG_OK;
    ncg_dtype dtype = is_moved ? NCG_DTYPE_F64 : var->array->dtype;
    NCI_TRY(
        nci_array_f64(dtype, 2, var->array->shape, cell->values, &array, err));
    nci_node_release(&var->array);
    var->array = array;
    return nci_attrs_find(&var->attrs, "units")
               ? take_units(a, k, &var->attrs, err)
               : NCG_OK;
}

static ncg_status align_cells(aligning *a, ncg_error *err)
{
    cells *all = nci_calloc(a->n + 1, sizeof *all);
    ncg_status st = all ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < a->n; k++)
        st = read_cells(a, k, &all[k], err);
    for (size_t k = 0; !st && !a->joined.is_same && k < a->n; k++)
        if (all[k].var >= 0)
            lend_rows(a, all, k);
    for (size_t k = 0; !st && k < a->n; k++)
        if (all[k].var >= 0)
            st = put_cells(a, k, &all[k], err);
    for (size_t k = 0; all && k < a->n; k++)
        nci_free(all[k].values);
    nci_free(all);
    return st;
}

/* ---- one dimension, then all --------------------------------------------- */

static ncg_status put_target(aligning *a, size_t k, ncg_error *err)
{
    const nci_index *index = &a->indices[k];
    if (index->var < 0)
        return NCG_OK;
    nci_variable *var = &a->models[k]->vars[index->var];
    nci_node_release(&var->array);
    var->array = nci_node_retain(a->target);
    if (!a->joined.is_same)
        nci_node_release(&var->sizes);
    return take_units(a, k, &var->attrs, err);
}

static ncg_status align_all(aligning *a, ncg_join join, ncg_error *err)
{
    for (size_t k = 0; k < a->n; k++)
        NCI_TRY(nci_index_read(a->models[k], a->name, &a->indices[k], err));
    NCI_TRY(nci_index_join(a->indices, a->n, join, &a->joined, err));
    if (a->joined.reference < 0)
        return NCG_OK;
    NCI_TRY(make_target(a, err));
    for (size_t k = 0; !a->joined.is_same && k < a->n; k++)
        NCI_TRY(take_positions(a, k, err));
    NCI_TRY(align_cells(a, err));
    for (size_t k = 0; k < a->n; k++)
        NCI_TRY(put_target(a, k, err));
    return NCG_OK;
}

static ncg_status align_dim(nci_model **models, size_t n, const char *name,
                            ncg_join join, ncg_error *err)
{
    aligning a = {.name = name, .models = models, .n = n};
    a.indices = nci_calloc(n + 1, sizeof *a.indices);
    ncg_status st = a.indices ? align_all(&a, join, err)
                              : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; a.indices && k < n; k++)
        nci_index_fini(&a.indices[k]);
    nci_free(a.indices);
    nci_joined_fini(&a.joined);
    nci_node_release(&a.target);
    return st;
}

static bool is_done(nci_model **models, size_t k, const char *name)
{
    for (size_t i = 0; i < k; i++)
        if (nci_model_find_dim(models[i], name) >= 0)
            return true;
    return false;
}

ncg_status nci_models_align(const nci_model *const *models, size_t n,
                            const nci_combining *how, const char *except,
                            nci_model **out, ncg_error *err)
{
    nci_model **fresh = nci_calloc(n + 1, sizeof *fresh);
    ncg_status st = fresh ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < n; k++)
        st = nci_model_copy(models[k], &fresh[k], err);
    for (size_t k = 0; !st && k < n; k++)
        for (size_t d = 0; !st && d < fresh[k]->ndims; d++) {
            const char *name = fresh[k]->dims[d].name;
            if ((!except || strcmp(name, except)) && !is_done(fresh, k, name))
                st = align_dim(fresh, n, name, how->join, err);
        }
    for (size_t k = 0; !st && k < n; k++) {
        out[k] = fresh[k];
        fresh[k] = NULL;
    }
    nci_models_release(fresh, n);
    nci_free(fresh);
    return st;
}
