/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must be equal between the files of a group, is: ranks, dimensions,
 * dtypes, sizes beside the join dimension, units, other coordinates. Data and
 * coordinates that do not fit are an error that names both files; what only
 * describes is left out with a note.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"
#include "dataset/units.h"

/* Leaves a variable out with a note, or fails where it matters. */
static ncg_status misfit(nci_join_group *group, nci_join_var *var,
                         size_t member, const char *what, ncg_error *err)
{
    const char *a = nci_join_path(group, (size_t)var->member);
    const char *b = nci_join_path(group, member);
    if (var->kind == NCI_KIND_DATA || var->kind == NCI_KIND_COORD)
        return nci_fail(err, NCG_EMISMATCH, "%s, %s: %s: %s", a, b, var->name,
                        what);
    nci_join_note(group->work, "%s, %s: %s: %s; left out", a, b, var->name,
                  what);
    var->is_dropped = true;
    return NCG_OK;
}

/* With join=inner only what has no numbers to compare by comes here. */
static const char *remedy(const nci_join_group *group)
{
    return group->work->options->join == NCG_JOIN_INNER
               ? ""
               : " (join=inner cuts files to what they share)";
}

static bool has_same_dims(const nci_header *a, const nci_var *x,
                          const nci_header *b, const nci_var *y)
{
    for (int d = 0; d < x->rank; d++)
        if (strcmp(a->dims[x->dims[d]].name, b->dims[y->dims[d]].name))
            return false;
    return true;
}

static bool is_dtype_fit(const nci_join_var *var, const nci_var *in)
{
    if (var->how == NCI_JOIN_NUMBER)
        return nci_decode_is_numeric(in);
    return var->desc->dtype == in->dtype;
}

static ncg_status check_class_var(nci_join_group *group, nci_join_var *var,
                                  size_t member, ncg_error *err)
{
    char what[200];
    const nci_header *a = nci_join_member(group, (size_t)var->member)->header;
    const nci_header *b = nci_join_member(group, member)->header;
    const nci_var *x = var->desc, *y = nci_join_header_var(group, var, member);
    if (var->is_dropped || !y)
        return NCG_OK;
    if (x->rank != y->rank)
        snprintf(what, sizeof what, "ranks differ: %d and %d", x->rank,
                 y->rank);
    else if (!has_same_dims(a, x, b, y))
        snprintf(what, sizeof what, "dimensions differ");
    else if (!is_dtype_fit(var, y))
        snprintf(what, sizeof what, "dtypes differ: %s and %s",
                 ncg_dtype_name(x->dtype), ncg_dtype_name(y->dtype));
    else
        return NCG_OK;
    return misfit(group, var, member, what, err);
}

ncg_status nci_join_check_layout(nci_join_group *group, ncg_error *err)
{
    int last = nci_join_member(group, 0)->klass;
    for (size_t m = 1; m < group->nfiles; m++) {
        int klass = nci_join_member(group, m)->klass;
        if (klass == last) /* runs of one class are checked once */
            continue;
        last = klass;
        for (size_t v = 0; v < group->nvars; v++)
            NCI_TRY(check_class_var(group, &group->vars[v], m, err));
    }
    return NCG_OK;
}

static ncg_status check_sizes(nci_join_group *group, nci_join_var *var,
                              size_t member, ncg_error *err)
{
    char what[400];
    const nci_header *a = nci_join_member(group, (size_t)var->member)->header;
    const nci_header *b = nci_join_member(group, member)->header;
    const nci_var *in = nci_join_header_var(group, var, member);
    for (int d = 0; d < in->rank; d++) {
        const nci_dim *x = &a->dims[var->desc->dims[d]];
        const nci_dim *y = &b->dims[in->dims[d]];
        if (d == var->axis || x->size == y->size)
            continue;
        snprintf(what, sizeof what,
                 "dimension %.200s has %lld and %lld positions%s", x->name,
                 (long long)x->size, (long long)y->size, remedy(group));
        return misfit(group, var, member, what, err);
    }
    return NCG_OK;
}

static ncg_status check_absent(nci_join_group *group, nci_join_var *var,
                               size_t member, ncg_error *err)
{
    const char *a = nci_join_path(group, member);
    const char *b = nci_join_path(group, (size_t)var->member);
    if (var->axis < 0 || var->is_promoted)
        return NCG_OK;
    if (var->kind == NCI_KIND_DATA && group->work->options->missing_fill) {
        if (!var->is_noted)
            nci_join_note(group->work,
                          "%s, ...: no variable %s: it is missing there", a,
                          var->name);
        var->is_noted = true;
        return NCG_OK;
    }
    if (var->kind == NCI_KIND_DATA)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s has no variable %s, which %s has (it can be made "
                        "missing there: missing=fill)",
                        a, var->name, b);
    nci_join_note(group->work, "%s has no variable %s, which %s has; left out",
                  a, var->name, b);
    var->is_dropped = true;
    return NCG_OK;
}

ncg_status nci_join_check_shapes(nci_join_group *group, ncg_error *err)
{
    for (size_t v = 0; v < group->nvars; v++) {
        nci_join_var *var = &group->vars[v];
        for (size_t m = 0; m < group->nfiles && !var->is_dropped; m++) {
            if (nci_join_header_var(group, var, m))
                NCI_TRY(check_sizes(group, var, m, err));
            else
                NCI_TRY(check_absent(group, var, m, err));
        }
    }
    return NCG_OK;
}

/* ---- units -------------------------------------------------------------- */

static bool is_same_moment(const nci_time_units *a, const nci_time_units *b)
{
    return a->unit_us == b->unit_us && a->epoch_day == b->epoch_day &&
           a->epoch_us == b->epoch_us;
}

ncg_status nci_join_rebase(const nci_join_group *group, int v, size_t member,
                           double *values, int64_t count, bool *is_needed,
                           ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    const nci_join_var *owner =
        var->owner >= 0 ? &group->vars[var->owner] : NULL;
    nci_time_units from, to;
    size_t own = (size_t)var->member;
    *is_needed = false;
    if (!var->has_time_units || member == own ||
        (nci_join_same_attrs(group, var, member) &&
         (!owner || !nci_join_header_var(group, owner, member) ||
          !nci_join_header_var(group, owner, own) ||
          nci_join_same_attrs(group, owner, member))))
        return NCG_OK;
    NCI_TRY(nci_join_time_units(group, v, own, &to, err));
    NCI_TRY(nci_join_time_units(group, v, member, &from, err));
    if (from.calendar != to.calendar)
        return nci_fail(
            err, NCG_EMISMATCH, "%s, %s: %s: calendars differ: %s and %s",
            nci_join_path(group, own), nci_join_path(group, member), var->name,
            nci_calendar_name(to.calendar), nci_calendar_name(from.calendar));
    if (is_same_moment(&from, &to))
        return NCG_OK;
    if (to.calendar == NCI_CAL_UTC || to.calendar == NCI_CAL_NONE)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s, %s: %s: reference dates differ, and calendar %s "
                        "does not tell the time between them",
                        nci_join_path(group, own), nci_join_path(group, member),
                        var->name, nci_calendar_name(to.calendar));
    *is_needed = true;
    for (int64_t i = 0; i < count; i++)
        if (nci_time_is_number(values[i]))
            values[i] = nci_time_from_absolute(
                &to, nci_time_absolute_us(&from, values[i]));
    return NCG_OK;
}

static ncg_status check_var_units(nci_join_group *group, int v, size_t member,
                                  ncg_error *err)
{
    nci_join_var *var = &group->vars[v];
    const nci_var *in = nci_join_header_var(group, var, member);
    bool is_needed;
    if (!in || nci_join_same_attrs(group, var, member))
        return NCG_OK;
    const char *a = nci_attrs_text(&var->desc->attrs, "units");
    const char *b = nci_attrs_text(&in->attrs, "units");
    if (var->has_time_units && nci_time_is_units(b))
        return nci_join_rebase(group, v, member, NULL, 0, &is_needed, err);
    if (var->kind == NCI_KIND_OTHER || var->kind == NCI_KIND_BOUNDS ||
        nci_units_equal(a, b))
        return NCG_OK;
    return nci_fail(
        err, NCG_EMISMATCH, "%s, %s: %s: units differ: \"%s\" and \"%s\"",
        nci_join_path(group, (size_t)var->member), nci_join_path(group, member),
        var->name, a ? a : "", b ? b : "");
}

ncg_status nci_join_check_units(nci_join_group *group, ncg_error *err)
{
    for (size_t v = 0; v < group->nvars; v++)
        for (size_t m = 0; m < group->nfiles; m++)
            if (!group->vars[v].is_dropped)
                NCI_TRY(check_var_units(group, (int)v, m, err));
    return NCG_OK;
}

/* ---- values ------------------------------------------------------------- */

int nci_join_compare(const double *a, const double *b, int64_t n, int64_t *at)
{
    double step = n > 1 ? fabs(a[n - 1] - a[0]) / (double)(n - 1) : 0;
    int answer = 0;
    for (int64_t i = 0; i < n; i++) {
        if (a[i] == b[i] || (isnan(a[i]) && isnan(b[i])))
            continue;
        double scale = fmax(fmax(fabs(a[i]), fabs(b[i])), step);
        if (!answer)
            *at = i;
        if (!(fabs(a[i] - b[i]) <= 1e-6 * scale)) {
            *at = i;
            return 2;
        }
        answer = 1;
    }
    return answer;
}

/* Data that do not lie along the join dimension can have one file's values. */
static void note_data(nci_join_group *group, nci_join_var *var, size_t member,
                      int64_t at, double a, double b)
{
    if (!var->is_noted)
        nci_join_note(group->work,
                      "%s, %s: %s differs at position %lld: %.9g and %.9g; it "
                      "has no dimension %s: the first file's values are used",
                      nci_join_path(group, (size_t)var->member),
                      nci_join_path(group, member), var->name, (long long)at, a,
                      b, group->join_name);
    var->is_noted = true;
}

static ncg_status judge(nci_join_group *group, nci_join_var *var, size_t member,
                        const double *a, const double *b, int64_t n,
                        ncg_error *err)
{
    int64_t at = 0;
    int answer = nci_join_compare(a, b, n, &at);
    const char *first = nci_join_path(group, (size_t)var->member);
    const char *second = nci_join_path(group, member);
    if (answer == 1 && !var->is_noted) {
        nci_join_note(group->work,
                      "%s, %s: %s differs by less than 1e-6; the first file's "
                      "values are used",
                      first, second, var->name);
        var->is_noted = true;
    }
    if (answer < 2)
        return NCG_OK;
    if (var->kind == NCI_KIND_DATA) {
        note_data(group, var, member, at, a[at], b[at]);
        return NCG_OK;
    }
    if (var->desc->rank == 0) {
        var->is_promoted = true;
        return NCG_OK;
    }
    return nci_fail(err, NCG_EMISMATCH,
                    "%s, %s: %s differs at position %lld: %.9g and %.9g%s",
                    first, second, var->name, (long long)at, a[at], b[at],
                    remedy(group));
}

static ncg_status check_member(nci_join_group *group, int v, size_t member,
                               const double *first, int64_t n, ncg_error *err)
{
    nci_join_var *var = &group->vars[v];
    double *values = NULL;
    int64_t count;
    bool is_needed;
    NCI_TRY(nci_join_values(group, var, member, &values, &count, err));
    ncg_status st =
        nci_join_rebase(group, v, member, values, count, &is_needed, err);
    if (!st && count == n)
        st = judge(group, var, member, first, values, n, err);
    nci_free(values);
    return st;
}

static ncg_status check_var(nci_join_group *group, int v, ncg_error *err)
{
    nci_join_var *var = &group->vars[v];
    double *first = NULL;
    int64_t n;
    NCI_TRY(nci_join_values(group, var, (size_t)var->member, &first, &n, err));
    ncg_status st = NCG_OK;
    for (size_t m = 0; !st && m < group->nfiles && !var->is_promoted; m++)
        if (m != (size_t)var->member && var->parts[m])
            st = check_member(group, v, m, first, n, err);
    nci_free(first);
    return st;
}

/* A scalar coordinate that differs is known for each file: it can lie along
 * the join dimension, if every file has it. */
static void promote(nci_join_group *group, nci_join_var *var)
{
    bool is_everywhere = group->join_name != NULL;
    for (size_t m = 0; m < group->nfiles; m++)
        is_everywhere = is_everywhere && var->parts[m];
    const char *path = nci_join_path(group, (size_t)var->member);
    if (is_everywhere)
        nci_join_note(group->work,
                      "%s, ...: %s differs between files: it lies along %s",
                      path, var->name, group->join_name);
    else
        nci_join_note(group->work,
                      "%s, ...: %s differs between files; left out", path,
                      var->name);
    var->is_dropped = !is_everywhere;
    var->is_promoted = is_everywhere;
}

ncg_status nci_join_check_values(nci_join_group *group, ncg_error *err)
{
    for (size_t v = 0; v < group->nvars && group->nfiles > 1; v++) {
        nci_join_var *var = &group->vars[v];
        if (var->axis >= 0 || !nci_join_is_compared(group, var) ||
            !var->parts[var->member])
            continue;
        NCI_TRY(check_var(group, (int)v, err));
        if (var->is_promoted)
            promote(group, var);
    }
    return NCG_OK;
}
