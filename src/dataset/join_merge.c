/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two groups with different variables become one model: dimensions of one name
 * must have one coordinate. With join=inner both are cut to the positions that
 * they share. Scalar coordinates that differ (2 m for one variable, 10 m for
 * the other) are both kept, the second under a name of its own.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"

typedef struct merge {
    nci_join_work *work;
    nci_model *into;
    const nci_model *from;
    const char *into_path, *from_path;
} merge;

/* The numbers of a coordinate, and times that can be compared. */
typedef struct coordinate {
    const nci_variable *var;
    double *values;
    int64_t count;
    bool is_time;
    nci_time_units units;
} coordinate;

static ncg_status read_coordinate(const nci_model *model, const char *name,
                                  coordinate *out, ncg_error *err)
{
    int v = nci_model_find_var(model, name);
    *out = (coordinate){0};
    if (v < 0)
        return NCG_OK;
    const nci_variable *var = &model->vars[v];
    if (!var->array || var->array->kind != NCI_NODE_CONST ||
        !nci_dtype_is_numeric(var->array->dtype))
        return NCG_OK;
    out->var = var;
    const char *units = nci_attrs_text(&var->attrs, "units");
    const char *calendar = nci_attrs_text(&var->attrs, "calendar");
    out->is_time = nci_time_is_units(units) &&
                   !nci_time_units_parse(units, calendar, &out->units, NULL);
    return nci_variable_values(var, &out->values, &out->count, err);
}

static ncg_status check_calendars(const merge *m, const coordinate *a,
                                  const coordinate *b, ncg_error *err)
{
    if (!a->is_time || !b->is_time || a->units.calendar == b->units.calendar)
        return NCG_OK;
    return nci_fail(err, NCG_EMISMATCH,
                    "%s, %s: %s: calendars differ: %s and %s", m->into_path,
                    m->from_path, a->var->name,
                    nci_calendar_name(a->units.calendar),
                    nci_calendar_name(b->units.calendar));
}

/* Counts b's times from a's reference date. */
static void rebase(const coordinate *a, coordinate *b)
{
    if (!a->is_time || !b->is_time ||
        (a->units.unit_us == b->units.unit_us &&
         a->units.epoch_day == b->units.epoch_day &&
         a->units.epoch_us == b->units.epoch_us))
        return;
    for (int64_t i = 0; i < b->count; i++)
        b->values[i] = nci_time_from_absolute(
            &a->units, nci_time_absolute_us(&b->units, b->values[i]));
}

typedef struct indexed {
    double value;
    int64_t at;
} indexed;

static int compare_values(const void *a, const void *b)
{
    const indexed *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static indexed *sorted(const coordinate *c)
{
    indexed *list = nci_calloc((size_t)c->count, sizeof *list);
    for (int64_t i = 0; list && i < c->count; i++)
        list[i] = (indexed){c->values[i], i};
    if (list)
        qsort(list, (size_t)c->count, sizeof *list, compare_values);
    return list;
}

/* Positions of a and b with equal values, in the order of a; the value field
 * carries a's position. Returns how many; memory of `x` holds the answer. */
static int64_t intersect(indexed *x, int64_t nx, const indexed *y, int64_t ny)
{
    int64_t n = 0;
    for (int64_t i = 0, k = 0; i < nx && k < ny;) {
        if (x[i].value < y[k].value) {
            i++;
        } else if (x[i].value > y[k].value) {
            k++;
        } else {
            x[n++] = (indexed){(double)x[i++].at, y[k++].at};
        }
    }
    qsort(x, (size_t)n, sizeof *x, compare_values);
    return n;
}

static ncg_status cut_model(const nci_model *model, int dim,
                            const int64_t *index, int64_t count,
                            nci_model **out, ncg_error *err)
{
    nci_pick pick = {.count = count, .step = 1, .index = index};
    const nci_pick **picks = nci_calloc(model->ndims, sizeof *picks);
    bool *drop = nci_calloc(model->ndims, sizeof *drop);
    ncg_status st = NCG_OK;
    if (!picks || !drop)
        st = nci_fail(err, NCG_ENOMEM, "cutting %s", model->dims[dim].name);
    if (!st) {
        picks[dim] = &pick;
        st = nci_model_pick(model, picks, drop, out, err);
    }
    nci_free(picks);
    nci_free(drop);
    return st;
}

/* Cuts both models to the positions that a dimension shares. */
static ncg_status cut_both(merge *m, const char *name, const coordinate *a,
                           const coordinate *b, nci_model **from_cut,
                           ncg_error *err)
{
    nci_model *into = NULL, *from = NULL;
    indexed *x = sorted(a), *y = sorted(b);
    int64_t *index = nci_calloc((size_t)a->count, sizeof *index);
    ncg_status st = NCG_OK;
    if (!x || !y || !index) {
        st = nci_fail(err, NCG_ENOMEM, "cutting %s", name);
        goto done;
    }
    int64_t n = intersect(x, a->count, y, b->count);
    if (!n) {
        st = nci_fail(err, NCG_EMISMATCH, "%s, %s: no position of %s in common",
                      m->into_path, m->from_path, name);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        index[i] = (int64_t)x[i].value;
    st = cut_model(m->into, nci_model_find_dim(m->into, name), index, n, &into,
                   err);
    for (int64_t i = 0; i < n; i++)
        index[i] = x[i].at;
    if (!st)
        st = cut_model(m->from, nci_model_find_dim(m->from, name), index, n,
                       &from, err);
    if (st)
        goto done;
    nci_join_note(m->work, "%s, %s: %s cut to the %lld positions they share",
                  m->into_path, m->from_path, name, (long long)n);
    nci_model_release(&m->into);
    m->into = into;
    into = NULL;
    nci_model_release(from_cut);
    m->from = *from_cut = from;
    from = NULL;
done:
    nci_model_release(&into);
    nci_model_release(&from);
    nci_free(x);
    nci_free(y);
    nci_free(index);
    return st;
}

static ncg_status fail_differs(const merge *m, const char *name,
                               const coordinate *a, const coordinate *b,
                               int64_t at, ncg_error *err)
{
    if (a->count != b->count)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s, %s: %s has %lld and %lld positions (join=inner "
                        "cuts both to what they share)",
                        m->into_path, m->from_path, name, (long long)a->count,
                        (long long)b->count);
    return nci_fail(err, NCG_EMISMATCH,
                    "%s, %s: %s differs at position %lld: %.9g and %.9g "
                    "(join=inner cuts both to what they share)",
                    m->into_path, m->from_path, name, (long long)at,
                    a->values[at], b->values[at]);
}

static ncg_status compare_coords(merge *m, const char *name,
                                 const coordinate *a, coordinate *b,
                                 nci_model **from_cut, ncg_error *err)
{
    int64_t at = 0;
    NCI_TRY(check_calendars(m, a, b, err));
    rebase(a, b);
    int answer = a->count == b->count
                     ? nci_join_compare(a->values, b->values, a->count, &at)
                     : 2;
    if (answer == 1)
        nci_join_note(m->work,
                      "%s, %s: %s differs by less than 1e-6; the first file's "
                      "values are used",
                      m->into_path, m->from_path, name);
    if (answer < 2)
        return NCG_OK;
    if (m->work->options->join == NCG_JOIN_INNER)
        return cut_both(m, name, a, b, from_cut, err);
    return fail_differs(m, name, a, b, at, err);
}

static ncg_status match_dim(merge *m, const char *name, nci_model **from_cut,
                            ncg_error *err)
{
    coordinate a = {0}, b = {0};
    int x = nci_model_find_dim(m->into, name);
    int y = nci_model_find_dim(m->from, name);
    if (x < 0)
        return NCG_OK;
    ncg_status st = read_coordinate(m->into, name, &a, err);
    if (!st)
        st = read_coordinate(m->from, name, &b, err);
    if (!st && a.var && b.var)
        st = compare_coords(m, name, &a, &b, from_cut, err);
    else if (!st && m->into->dims[x].size != m->from->dims[y].size)
        st = nci_fail(err, NCG_EMISMATCH,
                      "%s, %s: dimension %s has %lld and %lld positions",
                      m->into_path, m->from_path, name,
                      (long long)m->into->dims[x].size,
                      (long long)m->from->dims[y].size);
    nci_free(a.values);
    nci_free(b.values);
    return st;
}

/* ---- variables ---------------------------------------------------------- */

/* Whether two scalars of one name mean the same. */
static ncg_status is_same_scalar(const merge *m, const char *name, bool *same,
                                 ncg_error *err)
{
    coordinate a = {0}, b = {0};
    ncg_status st = read_coordinate(m->into, name, &a, err);
    if (!st)
        st = read_coordinate(m->from, name, &b, err);
    *same = true;
    if (!st && a.var && b.var && a.var->kind == NCI_KIND_COORD &&
        a.var->rank == 0 && b.var->rank == 0) {
        int64_t at;
        rebase(&a, &b);
        *same = nci_join_compare(a.values, b.values, 1, &at) < 2;
    }
    nci_free(a.values);
    nci_free(b.values);
    return st;
}

static int map_dim(nci_model *into, const nci_dimension *dim)
{
    int at = nci_model_find_dim(into, dim->name);
    if (at >= 0)
        return at;
    if (!nci_model_add_dim(into, dim->name, dim->size, dim->is_unlimited))
        return -1;
    return (int)into->ndims - 1;
}

static ncg_status add_variable(merge *m, const nci_variable *old,
                               const char *name, ncg_error *err)
{
    nci_variable *var = nci_model_add_var(m->into, name);
    if (!var)
        return nci_fail(err, NCG_ENOMEM, "%s: merging", name);
    char *own = var->name;
    *var = *old;
    var->name = own;
    var->attrs = (nci_attrs){0};
    nci_node_retain(var->array);
    if (!nci_attrs_copy(&old->attrs, &var->attrs))
        return nci_fail(err, NCG_ENOMEM, "%s: merging", name);
    for (int d = 0; d < var->rank; d++) {
        var->dims[d] = map_dim(m->into, &m->from->dims[old->dims[d]]);
        if (var->dims[d] < 0)
            return nci_fail(err, NCG_ENOMEM, "%s: merging", name);
    }
    return NCG_OK;
}

/* Replaces a word of `coordinates` in the variables from `first` on. */
static ncg_status rename_word(nci_model *model, size_t first, const char *word,
                              const char *name, ncg_error *err)
{
    ncg_status st = NCG_OK;
    for (size_t v = first; !st && v < model->nvars; v++) {
        nci_strings words = {0};
        nci_text text = {0};
        nci_attrs *attrs = &model->vars[v].attrs;
        const char *old = nci_attrs_text(attrs, "coordinates");
        if (!old)
            continue;
        bool ok = nci_strings_split(&words, old, " \t\n");
        for (size_t i = 0; i < words.count; i++)
            nci_text_add(&text, "%s%s", i ? " " : "",
                         strcmp(words.items[i], word) ? words.items[i] : name);
        char *line = nci_text_take(&text);
        if (!ok || !line || !nci_attrs_put_text(attrs, "coordinates", line))
            st = nci_fail(err, NCG_ENOMEM, "%s: merging", name);
        nci_free(line);
        nci_strings_fini(&words);
    }
    return st;
}

static ncg_status add_renamed(merge *m, const nci_variable *old, size_t first,
                              ncg_error *err)
{
    char name[300];
    for (int n = 2;; n++) {
        snprintf(name, sizeof name, "%.250s_%d", old->name, n);
        if (nci_model_find_var(m->into, name) < 0)
            break;
    }
    nci_join_note(m->work, "%s, %s: %s differs; that of %s is named %s",
                  m->into_path, m->from_path, old->name, m->from_path, name);
    NCI_TRY(add_variable(m, old, name, err));
    return rename_word(m->into, first, old->name, name, err);
}

static ncg_status add_variables(merge *m, ncg_error *err)
{
    size_t first = m->into->nvars;
    for (size_t v = 0; v < m->from->nvars; v++)
        if (nci_model_find_var(m->into, m->from->vars[v].name) < 0)
            NCI_TRY(
                add_variable(m, &m->from->vars[v], m->from->vars[v].name, err));
    size_t last = m->into->nvars;
    for (size_t v = 0; v < m->from->nvars; v++) {
        const nci_variable *old = &m->from->vars[v];
        bool same;
        int at = nci_model_find_var(m->into, old->name);
        if (at < 0 || (size_t)at >= first || (size_t)at >= last)
            continue;
        NCI_TRY(is_same_scalar(m, old->name, &same, err));
        if (!same)
            NCI_TRY(add_renamed(m, old, first, err));
    }
    return NCG_OK;
}

/* The file of each step comes from the group that was joined. */
static ncg_status take_files(merge *m, ncg_error *err)
{
    const nci_model *from = m->from;
    if (m->into->join_dim >= 0 || from->join_dim < 0 || !from->file_of)
        return NCG_OK;
    const nci_dimension *dim = &from->dims[from->join_dim];
    int32_t *copy = nci_calloc((size_t)dim->size, sizeof *copy);
    if (!copy)
        return nci_fail(err, NCG_ENOMEM, "%s: merging", dim->name);
    memcpy(copy, from->file_of, (size_t)dim->size * sizeof *copy);
    m->into->file_of = copy;
    m->into->join_dim = nci_model_find_dim(m->into, dim->name);
    return NCG_OK;
}

ncg_status nci_join_merge(nci_join_work *work, nci_model **into,
                          const nci_model *from, const char *into_path,
                          const char *from_path, ncg_error *err)
{
    merge m = {work, *into, from, into_path, from_path};
    nci_model *from_cut = NULL;
    ncg_status st = NCG_OK;
    for (size_t d = 0; !st && d < from->ndims; d++)
        st = match_dim(&m, from->dims[d].name, &from_cut, err);
    if (!st)
        st = add_variables(&m, err);
    if (!st)
        st = take_files(&m, err);
    *into = m.into;
    nci_model_release(&from_cut);
    return st;
}
