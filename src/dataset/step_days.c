/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lengths of time steps in days: from bounds, from the windows of a climatology
 * (CF 7.4), else from the stamps. Stamps a month (a year) apart stand for the
 * calendar's months (years), other even ones for their usual distance, whether
 * steps are missing between them or not; uneven ones reach half-way to their
 * neighbours. Time may fall.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

static ncg_status fail_length(const nci_model *model, int coord, int64_t step,
                              const char *why, ncg_error *err)
{
    return nci_fail(err, NCG_EINVAL,
                    "%s%sweights=days: the length of step %lld of %s is not "
                    "known: %s; give weights=VARIABLE",
                    model->nfiles ? model->file_names[0] : "",
                    model->nfiles ? ": " : "", (long long)step,
                    model->vars[coord].name, why);
}

/* ---- from stamps -----------------------------------------------------------
 */

/* Whether each step is one calendar month (year) after the one before, or
 * follows a gap of whole months (years). */
static bool is_spaced(const double *gaps, const int64_t *labels, int64_t n,
                      double low, double high)
{
    double least = INFINITY;
    for (int64_t i = 1; i < n; i++) {
        bool next = gaps[i] >= low && gaps[i] <= high;
        if (!(next || gaps[i] >= 2 * low) || labels[i] == labels[i - 1])
            return false;
        least = fmin(least, gaps[i]);
    }
    return n > 1 && least <= high;
}

static double year_days(nci_calendar calendar, int64_t year)
{
    return (double)(nci_calendar_day_number(calendar, year + 1, 1, 1) -
                    nci_calendar_day_number(calendar, year, 1, 1));
}

static bool label_lengths(const nci_time_units *units, const double *times,
                          const double *gaps, int64_t n, bool months,
                          int64_t *labels, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        nci_date date = nci_time_decode(units, times[i]);
        labels[i] = months ? date.year * 12 + date.month : date.year;
    }
    /* A month and a year may be a day short from mid to mid. */
    if (!is_spaced(gaps, labels, n, months ? 27 : 354, months ? 32 : 367))
        return false;
    for (int64_t i = 0; i < n; i++) {
        nci_date date = nci_time_decode(units, times[i]);
        out[i] = months ? nci_calendar_month_days(units->calendar, date.year,
                                                  date.month)
                        : year_days(units->calendar, date.year);
    }
    return true;
}

/* gaps[i] is what lies between the steps i - 1 and i. Where most are alike,
 * those that are wider are taken for missing steps. */
static void even_lengths(double *gaps, int64_t n, double *out)
{
    double least = INFINITY, sum = 0;
    int64_t near = 0;
    for (int64_t i = 1; i < n; i++)
        least = fmin(least, gaps[i]);
    for (int64_t i = 1; i < n; i++)
        if (gaps[i] <= 1.25 * least) {
            sum += gaps[i];
            near++;
        }
    for (int64_t i = 1; 2 * near >= n - 1 && i < n; i++)
        if (gaps[i] > 1.25 * least)
            gaps[i] = sum / (double)near;
    for (int64_t i = 0; i < n; i++) {
        double before = gaps[i ? i : 1], after = gaps[i + 1 < n ? i + 1 : i];
        out[i] = (before + after) / 2;
    }
}

static ncg_status guess_lengths(const nci_time_units *units,
                                const double *times, int64_t n, double *out,
                                ncg_error *err)
{
    double day = 86400e6 / (double)units->unit_us;
    double *gaps = nci_calloc((size_t)n + 1, sizeof *gaps);
    int64_t *labels = nci_calloc((size_t)n + 1, sizeof *labels);
    ncg_status st = NCG_OK;
    if (!gaps || !labels)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 1; !st && i < n; i++)
        gaps[i] = fabs(times[i] - times[i - 1]) / day;
    if (!st && !label_lengths(units, times, gaps, n, true, labels, out) &&
        !label_lengths(units, times, gaps, n, false, labels, out))
        even_lengths(gaps, n, out);
    nci_free(gaps);
    nci_free(labels);
    return st;
}

/* ---- from bounds -----------------------------------------------------------
 */

static double days_of(const nci_time_units *units, const nci_date *date,
                      int64_t year)
{
    return (double)nci_calendar_day_number(units->calendar, year, date->month,
                                           date->day) +
           (date->hour + (date->minute + date->second / 60.0) / 60) / 24;
}

/* Days within all the years of a window that goes from the first year's
 * beginning to the last year's end; 0 where that cannot be told. A window
 * whose ends differ in the time of the day is one within days. */
static double window_days(const nci_time_units *units, double low, double high)
{
    nci_date begin = nci_time_decode(units, low);
    nci_date end = nci_time_decode(units, high);
    double total = 0, span = days_of(units, &end, end.year) -
                             days_of(units, &begin, begin.year);
    double part = span - floor(span);
    if (!(span > 0 && span < 1e7))
        return 0;
    if (part > 1e-6 && part < 1 - 1e-6)
        return part * (floor(span) + 1);
    /* No window reaches to within half a month of a whole year. */
    int64_t years = (int64_t)((span + 15) / 365.2425);
    for (int64_t k = 0; k <= years; k++) {
        double days = days_of(units, &end, end.year - years + k) -
                      days_of(units, &begin, begin.year + k);
        if (!(days > 0))
            return 0;
        total += days;
    }
    return total;
}

static ncg_status bounds_lengths(const nci_model *model, int coord,
                                 const nci_time_units *units,
                                 const double *bounds, int64_t n, double *out,
                                 ncg_error *err)
{
    const nci_attrs *attrs = &model->vars[coord].attrs;
    bool windows = !nci_attrs_find(attrs, "bounds");
    double day = 86400e6 / (double)units->unit_us;
    for (int64_t i = 0; i < n; i++) {
        double low = bounds[2 * i], high = bounds[2 * i + 1];
        bool known = nci_time_is_number(low) && nci_time_is_number(high);
        out[i] = !known    ? 0
                 : windows ? window_days(units, low, high)
                           : fabs(high - low) / day;
        if (!(out[i] > 0))
            return fail_length(model, coord, i,
                               windows ? "its climatology bounds span no part "
                                         "of a year"
                                       : "its bounds are equal or missing",
                               err);
    }
    return NCG_OK;
}

/* Bounds that are all points, of values at an instant, say nothing. */
static bool has_width(const double *bounds, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (bounds[2 * i] != bounds[2 * i + 1])
            return true;
    return false;
}

ncg_status nci_step_days(const nci_model *model, int coord, double **out,
                         ncg_error *err)
{
    nci_time_units units;
    double *times = NULL, *bounds = NULL, *days = NULL;
    int64_t n = 0;
    *out = NULL;
    NCI_TRY(nci_variable_time_units(&model->vars[coord], &units, err));
    NCI_TRY(nci_variable_values(&model->vars[coord], &times, &n, err));
    ncg_status st = nci_bounds_values(model, coord, &bounds, err);
    bool has_bounds = !st && bounds && has_width(bounds, n);
    for (int64_t i = 0; !st && !has_bounds && i < n; i++)
        if (!nci_time_is_number(times[i]))
            st = fail_length(model, coord, i, "it holds no time", err);
    if (!st && (has_bounds || n > 1) &&
        !(days = nci_calloc((size_t)n + 1, sizeof *days)))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (days)
        st = has_bounds
                 ? bounds_lengths(model, coord, &units, bounds, n, days, err)
                 : guess_lengths(&units, times, n, days, err);
    nci_free(bounds);
    nci_free(times);
    if (st)
        nci_free(days);
    else
        *out = days;
    return st;
}
