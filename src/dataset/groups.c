/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Groups of time steps: by=month season year yearmonth yearseason dayofyear
 * date hour file. Each step gets a key; the distinct keys in rising order are
 * the groups, so months run from 1 to 12 and seasons from DJF, however the data
 * begin.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

static const char *const by_words[] = {
    [NCI_BY_NONE] = "",
    [NCI_BY_MONTH] = "month",
    [NCI_BY_SEASON] = "season",
    [NCI_BY_YEAR] = "year",
    [NCI_BY_YEARMONTH] = "yearmonth",
    [NCI_BY_YEARSEASON] = "yearseason",
    [NCI_BY_DAYOFYEAR] = "dayofyear",
    [NCI_BY_DATE] = "date",
    [NCI_BY_HOUR] = "hour",
    [NCI_BY_FILE] = "file",
};
enum { NWORDS = sizeof by_words / sizeof by_words[0] };

ncg_status nci_by_parse(const char *text, nci_by *out, ncg_error *err)
{
    if (!text) {
        *out = NCI_BY_NONE;
        return NCG_OK;
    }
    for (int i = 1; i < NWORDS; i++)
        if (!strcmp(text, by_words[i])) {
            *out = (nci_by)i;
            return NCG_OK;
        }
    const char *near = nci_suggest(text, by_words + 1, NWORDS - 1);
    return nci_fail(err, NCG_EINVAL,
                    "no grouping \"%s\"%s%s%s; there are: month, season, "
                    "year, yearmonth, yearseason, dayofyear, date, hour, file",
                    text, near ? " (did you mean \"" : "", near ? near : "",
                    near ? "\"?)" : "");
}

bool nci_by_is_climatology(nci_by by)
{
    return by == NCI_BY_MONTH || by == NCI_BY_SEASON ||
           by == NCI_BY_DAYOFYEAR || by == NCI_BY_HOUR;
}

int64_t nci_season_year(const nci_date *date)
{
    return date->year + (date->month == 12);
}

static int64_t key_of(nci_by by, nci_calendar calendar, const nci_date *date)
{
    int64_t day =
        nci_calendar_day_number(calendar, date->year, date->month, date->day);
    switch (by) {
    case NCI_BY_MONTH:
        return date->month;
    case NCI_BY_SEASON:
        return date->month % 12 / 3;
    case NCI_BY_YEAR:
        return date->year;
    case NCI_BY_YEARMONTH:
        return date->year * 12 + date->month - 1;
    case NCI_BY_YEARSEASON:
        return nci_season_year(date) * 4 + date->month % 12 / 3;
    case NCI_BY_DAYOFYEAR:
        return day - nci_calendar_day_number(calendar, date->year, 1, 1) + 1;
    case NCI_BY_DATE:
        return day;
    case NCI_BY_HOUR:
        return date->hour;
    default:
        return 0;
    }
}

static ncg_status fail_no_dates(const nci_model *model, int dim, int coord,
                                const char *word, ncg_error *err)
{
    const char *file = model->nfiles ? model->file_names[0] : "";
    const char *colon = model->nfiles ? ": " : "";
    const char *name = model->dims[dim].name;
    if (coord < 0)
        return nci_fail(err, NCG_EINVAL,
                        "%s%sby=%s needs dates along %s, which has no "
                        "coordinate",
                        file, colon, word, name);
    const nci_variable *var = &model->vars[coord];
    const char *units = nci_attrs_text(&var->attrs, "units");
    return nci_fail(err, NCG_EINVAL,
                    "%s%sby=%s needs dates along %s: the units of %s are "
                    "\"%s\", not of the form \"days since 1990-01-01\"",
                    file, colon, word, name, var->name, units ? units : "");
}

/* CF 2.5.1: a coordinate has no missing values. */
static ncg_status fail_missing(const nci_model *model, int coord, int64_t at,
                               const char *word, ncg_error *err)
{
    const nci_variable *var = &model->vars[coord];
    bool joined = model->file_of && model->join_dim == var->dims[0];
    size_t file = joined ? (size_t)model->file_of[at] : 0;
    return nci_fail(err, NCG_ECORRUPT,
                    "%s%s%s: position %lld holds no time, so that by=%s cannot "
                    "group it; leave it out with isel",
                    file < model->nfiles ? model->file_names[file] : "",
                    model->nfiles ? ": " : "", var->name, (long long)at, word);
}

static ncg_status time_keys(const nci_model *model, int dim, nci_by by,
                            int64_t *keys, ncg_error *err)
{
    const char *word = by_words[by];
    int coord = nci_model_coord(model, dim);
    if (coord < 0 || !nci_variable_is_dates(&model->vars[coord]))
        return fail_no_dates(model, dim, coord, word, err);
    nci_time_units units;
    double *values = NULL;
    int64_t n = 0;
    ncg_status st = nci_variable_date_units(&model->vars[coord], &units, err);
    if (st && model->nfiles)
        nci_error_wrap(err, "%s", model->file_names[0]);
    if (st)
        return st;
    NCI_TRY(nci_variable_values(&model->vars[coord], &values, &n, err));
    for (int64_t i = 0; !st && i < n; i++) {
        nci_date date = nci_time_label(&units, values[i]);
        keys[i] = key_of(by, units.calendar, &date);
        if (!nci_time_is_number(values[i]))
            st = fail_missing(model, coord, i, word, err);
    }
    nci_free(values);
    return st;
}

/* Files count as they follow along the dimension, however they were named. */
static ncg_status file_keys(const nci_model *model, int dim, int64_t *keys,
                            ncg_error *err)
{
    if (model->file_of && model->join_dim != dim)
        return nci_fail(err, NCG_EINVAL,
                        "by=file groups along %s, where the files join",
                        model->dims[model->join_dim].name);
    int64_t n = model->dims[dim].size, *first = NULL, found = 0;
    int32_t last = 0;
    memset(keys, 0, (size_t)n * sizeof *keys);
    if (!model->file_of)
        return NCG_OK;
    for (int64_t i = 0; i < n; i++)
        last = model->file_of[i] > last ? model->file_of[i] : last;
    first = nci_calloc((size_t)last + 1, sizeof *first);
    if (!first)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) {
        int32_t file = model->file_of[i];
        if (!first[file])
            first[file] = ++found;
        keys[i] = first[file];
    }
    nci_free(first);
    return NCG_OK;
}

static int compare_keys(const void *a, const void *b)
{
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return (p > q) - (p < q);
}

/* Sorted distinct keys become groups; labels are found by bisection. */
static ncg_status number_keys(const int64_t *keys, nci_groups *groups,
                              ncg_error *err)
{
    size_t n = (size_t)groups->n, count = 0;
    groups->keys = nci_alloc((n + 1) * sizeof *groups->keys);
    groups->labels = nci_alloc((n + 1) * sizeof *groups->labels);
    if (!groups->keys || !groups->labels)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(groups->keys, keys, n * sizeof *keys);
    qsort(groups->keys, n, sizeof *keys, compare_keys);
    for (size_t i = 0; i < n; i++)
        if (!count || groups->keys[i] != groups->keys[count - 1])
            groups->keys[count++] = groups->keys[i];
    for (size_t i = 0; i < n; i++) {
        const int64_t *at =
            bsearch(&keys[i], groups->keys, count, sizeof *keys, compare_keys);
        groups->labels[i] = (int32_t)(at - groups->keys);
    }
    groups->count = (int32_t)count;
    return NCG_OK;
}

ncg_status nci_groups_make(const nci_model *model, int dim, const char *by,
                           nci_groups *out, ncg_error *err)
{
    nci_groups groups = {.n = model->dims[dim].size};
    NCI_TRY(nci_by_parse(by, &groups.by, err));
    if (groups.n <= 0 || groups.n > INT32_MAX)
        return nci_fail(err, NCG_EINVAL, "by=%s: %s has %lld positions", by,
                        model->dims[dim].name, (long long)groups.n);
    int64_t *keys = nci_alloc((size_t)groups.n * sizeof *keys);
    if (!keys)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = groups.by == NCI_BY_FILE
                        ? file_keys(model, dim, keys, err)
                        : time_keys(model, dim, groups.by, keys, err);
    if (!st)
        st = number_keys(keys, &groups, err);
    nci_free(keys);
    if (st) {
        nci_groups_fini(&groups);
        return st;
    }
    *out = groups;
    return NCG_OK;
}

void nci_groups_fini(nci_groups *groups)
{
    nci_free(groups->labels);
    nci_free(groups->keys);
    *groups = (nci_groups){0};
}
