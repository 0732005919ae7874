/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Climatological time (CF 7.4): the bounds of a group go from the beginning of
 * its first month, season or day to the end of its last; the coordinate lies
 * in one cycle (a year, or a day for by=hour), so that it rises and a program
 * that knows nothing of climatologies reads it sensibly.
 */
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

#define DAY_US 86400000000LL

typedef struct span {
    nci_us begin, end;
} span;

static nci_us day_us(nci_calendar calendar, int64_t year, int month, int day)
{
    return (nci_us)nci_calendar_day_number(calendar, year, month, day) * DAY_US;
}

static int64_t cycle_year(nci_by by, const nci_date *date)
{
    return by == NCI_BY_SEASON ? nci_season_year(date) : date->year;
}

/* The part of the cycle `year` that a group stands for. */
static span window_of(nci_by by, nci_calendar calendar, int64_t year,
                      int64_t key)
{
    if (by == NCI_BY_MONTH)
        return (span){
            day_us(calendar, year, (int)key, 1),
            day_us(calendar, year + (key == 12), (int)key % 12 + 1, 1)};
    if (by == NCI_BY_SEASON) {
        int begin = key ? 3 * (int)key : 12;
        return (span){day_us(calendar, year - (key == 0), begin, 1),
                      day_us(calendar, year, 3 * (int)key + 3, 1)};
    }
    nci_us day = day_us(calendar, year, 1, 1) + (nci_us)(key - 1) * DAY_US;
    return (span){day, day + DAY_US};
}

/* Earliest and latest member of each group. */
typedef struct members {
    int64_t *first, *last;
} members;

static void find_members(const nci_groups *groups, const double *times,
                         members *m)
{
    for (int32_t g = 0; g < groups->count; g++)
        m->first[g] = m->last[g] = -1;
    for (int64_t i = 0; i < groups->n; i++) {
        int32_t g = groups->labels[i];
        if (m->first[g] < 0 || times[i] < times[m->first[g]])
            m->first[g] = i;
        if (m->last[g] < 0 || times[i] > times[m->last[g]])
            m->last[g] = i;
    }
}

static void put(const nci_windows *w, int32_t g, nci_us low, nci_us high,
                span own)
{
    nci_us at = w->stamp == NCG_STAMP_FIRST  ? own.begin
                : w->stamp == NCG_STAMP_LAST ? own.end
                                             : (own.begin + own.end) / 2;
    w->low[g] = nci_time_from_absolute(w->units, low);
    w->high[g] = nci_time_from_absolute(w->units, high);
    w->value[g] = nci_time_from_absolute(w->units, at);
}

static void fill_yearly(const nci_groups *groups, const nci_windows *w,
                        const members *m)
{
    nci_calendar calendar = w->units->calendar;
    int64_t shared = INT64_MIN;
    for (int32_t g = 0; g < groups->count; g++) {
        nci_date date = nci_time_label(w->units, w->times[m->first[g]]);
        int64_t year = cycle_year(groups->by, &date);
        shared = year > shared ? year : shared;
    }
    for (int32_t g = 0; g < groups->count; g++) {
        nci_date first = nci_time_label(w->units, w->times[m->first[g]]);
        nci_date last = nci_time_label(w->units, w->times[m->last[g]]);
        int64_t key = groups->keys[g];
        span a = window_of(groups->by, calendar, cycle_year(groups->by, &first),
                           key);
        span b =
            window_of(groups->by, calendar, cycle_year(groups->by, &last), key);
        put(w, g, a.begin, b.end, window_of(groups->by, calendar, shared, key));
    }
}

static span step_span(const nci_windows *w, int64_t step)
{
    if (!w->bounds) {
        nci_us at = nci_time_absolute_us(w->units, w->times[step]);
        return (span){at, at};
    }
    return (span){nci_time_absolute_us(w->units, w->bounds[2 * step]),
                  nci_time_absolute_us(w->units, w->bounds[2 * step + 1])};
}

static nci_us day_begin(const nci_windows *w, int64_t step)
{
    nci_date date = nci_time_label(w->units, w->times[step]);
    return day_us(w->units->calendar, date.year, date.month, date.day);
}

/* Hours keep the width of the steps, which need not be an hour. */
static void fill_daily(const nci_groups *groups, const nci_windows *w,
                       const members *m)
{
    nci_us shared = day_begin(w, m->first[0]);
    for (int32_t g = 1; g < groups->count; g++) {
        nci_us day = day_begin(w, m->first[g]);
        shared = day > shared ? day : shared;
    }
    for (int32_t g = 0; g < groups->count; g++) {
        span a = step_span(w, m->first[g]), b = step_span(w, m->last[g]);
        nci_us turn = shared - day_begin(w, m->first[g]);
        put(w, g, a.begin, b.end, (span){a.begin + turn, a.end + turn});
    }
}

ncg_status nci_cf_windows(const nci_groups *groups, const nci_windows *w,
                          ncg_error *err)
{
    size_t n = (size_t)groups->count + 1;
    members m = {nci_alloc(n * sizeof *m.first), nci_alloc(n * sizeof *m.last)};
    ncg_status st = NCG_OK;
    if (!m.first || !m.last) {
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    } else {
        find_members(groups, w->times, &m);
        if (groups->by == NCI_BY_HOUR)
            fill_daily(groups, w, &m);
        else
            fill_yearly(groups, w, &m);
    }
    nci_free(m.first);
    nci_free(m.last);
    return st;
}
