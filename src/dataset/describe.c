/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The listing of a data set for people: one line a dimension, one line a data
 * variable, then what describes them; times in words.
 *
 *     365 files
 *     dimensions
 *       time  11322, unlimited  1990-01-01 .. 2020-12-31, step 1 day, 2 gaps
 *     variables
 *       tas   f4 (time, lat, lon)  11322 x 192 x 288  chunks 1 x 192 x 288 ...
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "dataset/calendar.h"
#include "dataset/model.h"

/* ---- coordinates -------------------------------------------------------- */

typedef struct steps {
    double first, last, usual;
    int64_t ngaps;
    bool is_regular;
} steps;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The usual step is the median; a gap is more than one and a half of it. */
static bool find_steps(const double *values, int64_t n, steps *out)
{
    double *delta = nci_calloc((size_t)n, sizeof *delta);
    if (!delta)
        return false;
    *out = (steps){values[0], values[n - 1], 0, 0, true};
    for (int64_t i = 1; i < n; i++)
        delta[i - 1] = fabs(values[i] - values[i - 1]);
    if (n > 1) {
        size_t m = (size_t)n - 1;
        qsort(delta, m, sizeof *delta, compare_doubles);
        out->usual = delta[m / 2];
        out->is_regular = delta[m - 1] - delta[0] <= 1e-5 * fabs(out->usual);
        while (m > 0 && delta[m - 1] > 1.5 * out->usual) {
            out->ngaps++;
            m--;
        }
    }
    nci_free(delta);
    return true;
}

static void add_step(nci_text *text, double us, bool is_regular)
{
    static const struct {
        double us;
        const char *name;
    } units[] = {
        {86400e6, "day"}, {3600e6, "hour"}, {60e6, "minute"}, {1e6, "second"}};
    const char *about = is_regular ? "" : "about ";
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double n = us / units[i].us;
        if (n < 0.999 && i + 1 < sizeof units / sizeof units[0])
            continue;
        nci_text_add(text, ", step %s%.6g %s%s", about, n, units[i].name,
                     fabs(n - 1) < 1e-9 ? "" : "s");
        return;
    }
}

/* ---- months and years, as the calendar counts them ------------------------
 */

static int64_t month_number(const nci_date *date)
{
    return date->year * 12 + date->month - 1;
}

/* Seconds since the month began. */
static int64_t second_of_month(const nci_date *date)
{
    return ((date->day * INT64_C(24) + date->hour) * 60 + date->minute) * 60 +
           date->second;
}

static int compare_counts(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Months from one step to the next, the median; 0 where the steps are not of
 * months. Stamps stand on one day; on two or three where months differ in
 * length, as their middles and ends do. */
static int64_t usual_months(const nci_time_units *units, const double *values,
                            int64_t n, bool is_regular)
{
    int64_t *delta = nci_calloc((size_t)n, sizeof *delta), usual = 0;
    int64_t low = INT64_MAX, high = INT64_MIN, before = 0;
    for (int64_t i = 0; delta && i < n; i++) {
        nci_date date = nci_time_decode(units, values[i]);
        int64_t at = second_of_month(&date), number = month_number(&date);
        low = at < low ? at : low;
        high = at > high ? at : high;
        delta[i] = i ? llabs(number - before) : INT64_MAX;
        before = number;
    }
    if (delta && n > 1 && high - low <= (is_regular ? 0 : 3 * 86400)) {
        qsort(delta, (size_t)n, sizeof *delta, compare_counts);
        usual = delta[(n - 2) / 2];
        usual = delta[0] == usual ? usual : 0;
    }
    nci_free(delta);
    return usual;
}

static void add_months(nci_text *text, int64_t months)
{
    bool is_years = months % 12 == 0;
    int64_t n = is_years ? months / 12 : months;
    nci_text_add(text, ", step %lld %s%s", (long long)n,
                 is_years ? "year" : "month", n == 1 ? "" : "s");
}

static void add_gaps(nci_text *text, int64_t ngaps)
{
    if (ngaps)
        nci_text_add(text, ", %lld gap%s", (long long)ngaps,
                     ngaps > 1 ? "s" : "");
}

static void add_times(nci_text *text, const nci_time_units *units,
                      const double *values, int64_t n)
{
    char first[NCI_DATE_TEXT], last[NCI_DATE_TEXT];
    double *us = nci_calloc((size_t)n, sizeof *us);
    steps found;
    if (!us) {
        text->failed = true;
        return;
    }
    nci_us zero = nci_time_absolute_us(units, values[0]);
    for (int64_t i = 0; i < n; i++)
        us[i] = (double)(nci_time_absolute_us(units, values[i]) - zero);
    nci_date from = nci_time_decode(units, values[0]);
    nci_date to = nci_time_decode(units, values[n - 1]);
    nci_text_add(text, "  %s", nci_date_format(units->calendar, &from, first));
    if (n > 1)
        nci_text_add(text, " .. %s",
                     nci_date_format(units->calendar, &to, last));
    if (!find_steps(us, n, &found)) {
        text->failed = true;
    } else if (n > 1) {
        int64_t months = usual_months(units, values, n, found.is_regular);
        if (months)
            add_months(text, months);
        else
            add_step(text, found.usual, found.is_regular);
        add_gaps(text, found.ngaps);
    }
    if (units->calendar != NCI_CAL_STANDARD)
        nci_text_add(text, ", calendar %s", nci_calendar_name(units->calendar));
    nci_free(us);
}

static void add_numbers(nci_text *text, const nci_attrs *attrs,
                        const double *values, int64_t n)
{
    const char *units = nci_attrs_text(attrs, "units");
    steps found;
    if (!find_steps(values, n, &found)) {
        text->failed = true;
        return;
    }
    nci_text_add(text, "  %.7g", values[0]);
    if (n > 1)
        nci_text_add(text, " .. %.7g", values[n - 1]);
    if (units)
        nci_text_add(text, " %s", units);
    if (n > 2 && found.is_regular)
        nci_text_add(text, ", step %.7g", found.usual);
}

static void add_coordinate(nci_text *text, const nci_model *model, int dim)
{
    int v = nci_model_coord(model, dim);
    double *values = NULL;
    int64_t n = 0;
    if (v < 0)
        return;
    const nci_variable *var = &model->vars[v];
    const char *units = nci_attrs_text(&var->attrs, "units");
    const char *calendar = nci_attrs_text(&var->attrs, "calendar");
    nci_time_units time;
    if (nci_variable_values(var, &values, &n, NULL) || n == 0) {
        nci_free(values);
        return;
    }
    if (nci_time_is_units(units) &&
        !nci_time_units_parse(units, calendar, &time, NULL))
        add_times(text, &time, values, n);
    else
        add_numbers(text, &var->attrs, values, n);
    nci_free(values);
}

static size_t longest_dim(const nci_model *model)
{
    size_t width = 0;
    for (size_t d = 0; d < model->ndims; d++)
        if (strlen(model->dims[d].name) > width)
            width = strlen(model->dims[d].name);
    return width;
}

static void add_dims(nci_text *text, const nci_model *model)
{
    int width = (int)longest_dim(model);
    nci_text_add(text, "dimensions\n");
    for (size_t d = 0; d < model->ndims; d++) {
        const nci_dimension *dim = &model->dims[d];
        nci_text_add(text, "  %-*s  %lld%s", width, dim->name,
                     (long long)dim->size,
                     dim->is_unlimited ? ", unlimited" : "");
        add_coordinate(text, model, (int)d);
        nci_text_add(text, "\n");
    }
}

/* ---- variables ---------------------------------------------------------- */

static const char *filter_name(uint32_t id)
{
    switch (id) {
    case NCI_FILTER_DEFLATE:
        return "deflate";
    case NCI_FILTER_SHUFFLE:
        return "shuffle";
    case NCI_FILTER_FLETCHER32:
        return "fletcher32";
    case NCI_FILTER_SZIP:
        return "szip";
    case NCI_FILTER_NBIT:
        return "nbit";
    case NCI_FILTER_SCALEOFFSET:
        return "scaleoffset";
    case NCI_FILTER_BLOSC:
        return "blosc";
    case NCI_FILTER_LZ4:
        return "lz4";
    case NCI_FILTER_ZSTD:
        return "zstd";
    default:
        return NULL;
    }
}

static void add_filters(nci_text *text, const nci_storage *storage)
{
    for (int i = 0; i < storage->nfilters; i++) {
        const nci_filter *filter = &storage->filters[i];
        const char *name = filter_name(filter->id);
        nci_text_add(text, "%s", i ? "+" : ", ");
        if (name)
            nci_text_add(text, "%s", name);
        else
            nci_text_add(text, "filter %u", (unsigned)filter->id);
        if (filter->id == NCI_FILTER_DEFLATE && filter->nparams > 0)
            nci_text_add(text, " %u", (unsigned)filter->params[0]);
    }
}

static void add_storage(nci_text *text, const nci_variable *var)
{
    static const char *const layouts[] = {"contiguous", "compact", "chunks",
                                          "records", "through NetCDF-C"};
    const nci_storage *storage = &var->storage;
    nci_text_add(text, "      %s", layouts[storage->layout]);
    for (int d = 0; storage->layout == NCI_LAYOUT_CHUNKED && d < var->rank; d++)
        nci_text_add(text, "%s%lld", d ? " x " : " ",
                     (long long)storage->chunk[d]);
    add_filters(text, storage);
    if (var->missing_rule)
        nci_text_add(text, "; missing: %s", var->missing_rule);
    nci_text_add(text, "\n");
}

static double decoded_bytes(const nci_variable *var)
{
    if (!var->array)
        return 0;
    double bytes = (double)ncg_dtype_size(var->array->dtype);
    for (int d = 0; d < var->array->rank; d++)
        bytes *= (double)var->array->shape[d];
    return bytes;
}

static void add_shape(nci_text *text, const nci_model *model,
                      const nci_variable *var)
{
    nci_text_add(text, "%s (", ncg_dtype_name(var->stored));
    for (int d = 0; d < var->rank; d++)
        nci_text_add(text, "%s%s", d ? ", " : "",
                     model->dims[var->dims[d]].name);
    nci_text_add(text, ")");
    for (int d = 0; d < var->rank; d++)
        nci_text_add(text, "%s%lld", d ? " x " : "  ",
                     (long long)model->dims[var->dims[d]].size);
}

static void add_data(nci_text *text, const nci_model *model,
                     const nci_variable *var)
{
    char bytes[32];
    const char *units = nci_attrs_text(&var->attrs, "units");
    const char *title = nci_attrs_text(&var->attrs, "long_name");
    if (!title)
        title = nci_attrs_text(&var->attrs, "standard_name");
    nci_text_add(text, "  %s: ", var->name);
    add_shape(text, model, var);
    nci_text_add(text, ", %s", nci_format_bytes(decoded_bytes(var), bytes));
    if (var->array && var->array->dtype != var->stored)
        nci_text_add(text, " as %s", ncg_dtype_name(var->array->dtype));
    nci_text_add(text, "\n");
    if (title || units)
        nci_text_add(text, "      %s%s%s%s\n", title ? title : "",
                     units ? " [" : "", units ? units : "", units ? "]" : "");
    add_storage(text, var);
    if (var->note)
        nci_text_add(text, "      %s\n", var->note);
}

static void add_others(nci_text *text, const nci_model *model)
{
    static const struct {
        nci_var_kind kind;
        const char *title;
    } kinds[] = {{NCI_KIND_COORD, "coordinates"},
                 {NCI_KIND_BOUNDS, "bounds"},
                 {NCI_KIND_OTHER, "other variables"}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        bool is_first = true;
        for (size_t v = 0; v < model->nvars; v++) {
            if (model->vars[v].kind != kinds[k].kind)
                continue;
            if (is_first)
                nci_text_add(text, "%s\n", kinds[k].title);
            is_first = false;
            nci_text_add(text, "  %s: ", model->vars[v].name);
            add_shape(text, model, &model->vars[v]);
            nci_text_add(text, "\n");
        }
    }
}

static void add_files(nci_text *text, const nci_model *model)
{
    if (!model->nfiles || !model->file_names)
        return;
    nci_text_add(text, "%zu file%s: %s", model->nfiles,
                 model->nfiles > 1 ? "s" : "", model->file_names[0]);
    if (model->nfiles > 1)
        nci_text_add(text, " .. %s", model->file_names[model->nfiles - 1]);
    if (model->join_dim >= 0)
        nci_text_add(text, ", joined along %s",
                     model->dims[model->join_dim].name);
    nci_text_add(text, "\n");
}

ncg_status nci_model_describe(const nci_model *model, char **out,
                              ncg_error *err)
{
    nci_text text = {0};
    double total = 0;
    char bytes[32];
    add_files(&text, model);
    add_dims(&text, model);
    nci_text_add(&text, "variables\n");
    for (size_t v = 0; v < model->nvars; v++) {
        const nci_variable *var = &model->vars[v];
        if (var->kind != NCI_KIND_DATA)
            continue;
        add_data(&text, model, var);
        total += decoded_bytes(var);
    }
    add_others(&text, model);
    nci_text_add(&text, "decoded size of the variables: %s\n",
                 nci_format_bytes(total, bytes));
    char *line = nci_text_take(&text);
    if (!line)
        return nci_fail(err, NCG_ENOMEM, "listing a data set");
    *out = line;
    return NCG_OK;
}
