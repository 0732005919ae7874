/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Selection by dates. A date of any precision stands for the whole span that
 * it names: "1990" is the year, "1990-06-15T12" one hour. Comparisons are in
 * integer microseconds of the coordinate's calendar.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

#define DAY_US 86400000000LL

/* ---- dates of any precision ------------------------------------------------
 */

/* Fields of a date as written: year, month, day, hour, minute, second. */
typedef struct written {
    int64_t field[6];
    int count;
} written;

static bool read_digits(const char **at, int64_t *out)
{
    int64_t value = 0;
    int n = 0;
    for (; **at >= '0' && **at <= '9' && n < 9; (*at)++, n++)
        value = 10 * value + (**at - '0');
    *out = value;
    return n > 0;
}

static bool read_date(const char *text, written *date)
{
    static const char *const before[] = {"", "-", "-", "T ", ":", ":"};
    const char *at = text;
    int64_t sign = 1;
    date->count = 0;
    if (*at == '-') {
        sign = -1;
        at++;
    }
    for (int i = 0; i < 6; i++) {
        if (i && (!*at || !strchr(before[i], *at)))
            break;
        at += i > 0;
        if (!read_digits(&at, &date->field[i]))
            return false;
        date->count = i + 1;
    }
    if (date->count == 6 && *at == '.')
        for (at++; *at >= '0' && *at <= '9';)
            at++;
    if (date->count > 3 && *at == 'Z')
        at++;
    date->field[0] *= sign;
    return date->count > 0 && !*at;
}

static ncg_status check_date(nci_calendar calendar, const char *text,
                             const written *date, ncg_error *err)
{
    int64_t month = date->count > 1 ? date->field[1] : 1;
    int64_t day = date->count > 2 ? date->field[2] : 1;
    bool valid = month >= 1 && month <= 12 && day >= 1 && day <= 31;
    if (valid && date->count > 2)
        valid = nci_calendar_is_valid(calendar, date->field[0], (int)month,
                                      (int)day);
    static const int64_t limits[] = {0, 0, 0, 23, 59, 59};
    for (int i = 3; i < date->count; i++)
        valid = valid && date->field[i] <= limits[i];
    return valid ? NCG_OK
                 : nci_fail(err, NCG_EINVAL,
                            "\"%s\" is no date of the calendar in use", text);
}

static nci_us day_start(nci_calendar calendar, int64_t year, int64_t month,
                        int64_t day)
{
    return (nci_us)nci_calendar_day_number(calendar, year, (int)month,
                                           (int)day) *
           DAY_US;
}

ncg_status nci_date_range(nci_calendar calendar, const char *text,
                          nci_us *begin, nci_us *end, ncg_error *err)
{
    static const int64_t span[] = {0,           0,        DAY_US,
                                   DAY_US / 24, 60000000, 1000000};
    written d = {{0, 1, 1, 0, 0, 0}, 0};
    if (!read_date(text, &d))
        return nci_fail(err, NCG_EINVAL,
                        "\"%s\" is no date: write YYYY, YYYY-MM, YYYY-MM-DD or "
                        "YYYY-MM-DDThh:mm:ss",
                        text);
    d.field[0] = nci_calendar_year(calendar, d.field[0]);
    NCI_TRY(check_date(calendar, text, &d, err));
    const int64_t *f = d.field;
    nci_us at = day_start(calendar, f[0], d.count > 1 ? f[1] : 1,
                          d.count > 2 ? f[2] : 1);
    int64_t seconds = 0;
    static const int64_t length[] = {0, 0, 0, 3600, 60, 1};
    for (int i = 3; i < d.count; i++)
        seconds += f[i] * length[i];
    at += (nci_us)seconds * 1000000;
    *begin = at;
    if (d.count == 1)
        *end = day_start(calendar, f[0] + 1, 1, 1);
    else if (d.count == 2)
        *end = day_start(calendar, f[0] + (f[1] == 12), f[1] % 12 + 1, 1);
    else
        *end = at + span[d.count - 1];
    return NCG_OK;
}

/* ---- positions -------------------------------------------------------------
 */

/* Of a step whose time is missing: later than any date, so that no span holds
 * it. */
static const nci_us NO_TIME = (nci_us)1 << 110;

typedef struct clock_look {
    const nci_variable *coord;
    nci_choice *choice;
    nci_time_units units;
    nci_us *times;
    int64_t n;
} clock_look;

static void print_date(const clock_look *l, nci_us us, char out[40])
{
    nci_date d =
        nci_time_decode(&l->units, nci_time_from_absolute(&l->units, us));
    snprintf(out, 40, "%04lld-%02d-%02d",
             (long long)nci_calendar_written_year(l->units.calendar, d.year),
             d.month, d.day);
}

static ncg_status fail_nothing(const clock_look *l, ncg_error *err)
{
    char low[40] = "?", high[40] = "?";
    nci_us first = NO_TIME, last = -NO_TIME;
    for (int64_t i = 0; i < l->n; i++) {
        if (l->times[i] == NO_TIME)
            continue;
        first = l->times[i] < first ? l->times[i] : first;
        last = l->times[i] > last ? l->times[i] : last;
    }
    if (first <= last) {
        print_date(l, first, low);
        print_date(l, last, high);
    }
    return nci_fail(err, NCG_EINVAL,
                    "%s=%s selects nothing: %s has %lld steps from %s to %s",
                    l->choice->name, l->choice->value, l->coord->name,
                    (long long)l->n, low, high);
}

/* Adds the positions in [begin, end), each once. */
static ncg_status add_span(clock_look *l, nci_us begin, nci_us end,
                           ncg_error *err)
{
    size_t before = l->choice->found.count;
    for (int64_t i = 0; i < l->n; i++) {
        nci_us t = l->times[i] + NCI_TIME_ROUNDING_US;
        if (t >= begin && t < end && !nci_positions_add(&l->choice->found, i))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    return l->choice->found.count > before ? NCG_OK : fail_nothing(l, err);
}

static ncg_status add_nearest(clock_look *l, nci_us begin, ncg_error *err)
{
    int64_t best = -1;
    nci_us least = 0;
    for (int64_t i = 0; i < l->n; i++) {
        if (l->times[i] == NO_TIME)
            continue;
        nci_us d =
            l->times[i] > begin ? l->times[i] - begin : begin - l->times[i];
        if (best < 0 || d < least) {
            best = i;
            least = d;
        }
    }
    if (best < 0)
        return fail_nothing(l, err);
    return nci_positions_add(&l->choice->found, best)
               ? NCG_OK
               : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static ncg_status find_span(clock_look *l, const char *low, const char *high,
                            ncg_error *err)
{
    const nci_us forever = (nci_us)1 << 100;
    nci_calendar calendar = l->units.calendar;
    nci_us low_begin = -forever, low_end = -forever;
    nci_us high_begin = forever, high_end = forever;
    if (!low || !high)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (*low)
        NCI_TRY(nci_date_range(calendar, low, &low_begin, &low_end, err));
    if (*high)
        NCI_TRY(nci_date_range(calendar, high, &high_begin, &high_end, err));
    bool swapped = low_begin >= high_end; /* "2000-06..2000" is not */
    return add_span(l, swapped ? high_begin : low_begin,
                    swapped ? low_end : high_end, err);
}

static ncg_status find_dates(clock_look *l, ncg_error *err)
{
    nci_strings items = {0};
    ncg_status st = NCG_OK;
    nci_choice *choice = l->choice;
    if (!nci_strings_split(&items, choice->value, ","))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (!items.count)
        st = nci_fail(err, NCG_EINVAL, "%s=%s names no date", choice->name,
                      choice->value);
    for (size_t i = 0; !st && i < items.count; i++) {
        nci_us begin, end;
        st = nci_date_range(l->units.calendar, items.items[i], &begin, &end,
                            err);
        if (!st)
            st = choice->is_nearest ? add_nearest(l, begin, err)
                                    : add_span(l, begin, end, err);
    }
    choice->is_single = items.count == 1 && choice->found.count == 1 &&
                        !strchr(choice->value, ',');
    nci_strings_fini(&items);
    return st;
}

static ncg_status load_times(clock_look *l, ncg_error *err)
{
    double *values = NULL;
    NCI_TRY(nci_variable_date_units(l->coord, &l->units, err));
    NCI_TRY(nci_variable_values(l->coord, &values, &l->n, err));
    l->times = nci_alloc(((size_t)l->n + 1) * sizeof *l->times);
    for (int64_t i = 0; l->times && i < l->n; i++)
        l->times[i] = nci_time_is_number(values[i])
                          ? nci_time_absolute_us(&l->units, values[i])
                          : NO_TIME;
    nci_free(values);
    return l->times ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

ncg_status nci_choose_times(const nci_variable *coord, nci_choice *choice,
                            ncg_error *err)
{
    clock_look l = {.coord = coord, .choice = choice};
    char *low = NULL, *high = NULL;
    NCI_TRY(load_times(&l, err));
    ncg_status st = nci_split_range(choice->value, &low, &high)
                        ? find_span(&l, low, high, err)
                        : find_dates(&l, err);
    nci_free(low);
    nci_free(high);
    nci_free(l.times);
    return st;
}
