/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Day numbers and dates in the calendars of CF. Day 0 is 1970-01-01 of the
 * proleptic Gregorian calendar (of the calendar itself where years have a
 * fixed length), so that standard, Julian and proleptic dates share one count.
 */
#include "dataset/calendar.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

static const int64_t DAY_US = INT64_C(86400000000);
/* First Gregorian day of the standard calendar, 1582-10-15. */
static const int64_t GREGORIAN_START = -141427;
/* No date lies further out: room for arithmetic in 64 bits. */
static const int64_t DAY_LIMIT = INT64_C(1) << 60;

static const struct {
    const char *name;
    nci_calendar calendar;
} calendars[] = {
    {"standard", NCI_CAL_STANDARD},
    {"gregorian", NCI_CAL_STANDARD},
    {"proleptic_gregorian", NCI_CAL_PROLEPTIC},
    {"julian", NCI_CAL_JULIAN},
    {"noleap", NCI_CAL_NOLEAP},
    {"365_day", NCI_CAL_NOLEAP},
    {"all_leap", NCI_CAL_ALL_LEAP},
    {"366_day", NCI_CAL_ALL_LEAP},
    {"360_day", NCI_CAL_360_DAY},
    {"utc", NCI_CAL_UTC},
    {"tai", NCI_CAL_TAI},
    {"none", NCI_CAL_NONE},
};
enum { NCALENDARS = sizeof calendars / sizeof calendars[0] };

ncg_status nci_calendar_parse(const char *name, nci_calendar *out,
                              ncg_error *err)
{
    if (!name || !*name) {
        *out = NCI_CAL_STANDARD;
        return NCG_OK;
    }
    for (int i = 0; i < NCALENDARS; i++) {
        if (!strcasecmp(name, calendars[i].name)) {
            *out = calendars[i].calendar;
            return NCG_OK;
        }
    }
    return nci_fail(err, NCG_EUNSUPPORTED, "calendar \"%s\" is not known",
                    name);
}

const char *nci_calendar_name(nci_calendar calendar)
{
    for (int i = 0; i < NCALENDARS; i++)
        if (calendars[i].calendar == calendar)
            return calendars[i].name;
    return "standard";
}

static bool counts_bc(nci_calendar calendar)
{
    return calendar == NCI_CAL_STANDARD || calendar == NCI_CAL_JULIAN;
}

int64_t nci_calendar_year(nci_calendar calendar, int64_t written)
{
    return written + (written < 0 && counts_bc(calendar));
}

int64_t nci_calendar_written_year(nci_calendar calendar, int64_t year)
{
    return year - (year < 0 && counts_bc(calendar));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(nci_calendar calendar, int64_t year)
{
    switch (calendar) {
    case NCI_CAL_NOLEAP:
        return false;
    case NCI_CAL_ALL_LEAP:
        return true;
    case NCI_CAL_JULIAN:
        return year % 4 == 0;
    case NCI_CAL_STANDARD:
        if (year < 1583)
            return year % 4 == 0;
        break;
    default:
        break;
    }
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int nci_calendar_month_days(nci_calendar calendar, int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (calendar == NCI_CAL_360_DAY)
        return 30;
    return days[month - 1] + (month == 2 && is_leap(calendar, year));
}

bool nci_calendar_is_valid(nci_calendar calendar, int64_t year, int month,
                           int day)
{
    if (month < 1 || month > 12 || day < 1 ||
        day > nci_calendar_month_days(calendar, year, month))
        return false;
    bool is_gap = year == 1582 && month == 10 && day > 4 && day < 15;
    return calendar != NCI_CAL_STANDARD || !is_gap;
}

/* Days from 1 March to the first of a month, years beginning in March. */
static int64_t march_day(int month)
{
    return (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
}

static int64_t gregorian_day(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) +
           march_day(month) + day - 1 - 719468;
}

static int64_t julian_day(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    return 365 * y + floor_div(y, 4) + march_day(month) + day - 1 - 719470;
}

static int64_t fixed_day(nci_calendar calendar, int64_t year, int month,
                         int day)
{
    int64_t length = calendar == NCI_CAL_360_DAY  ? 360
                     : calendar == NCI_CAL_NOLEAP ? 365
                                                  : 366;
    int64_t number = (year - 1970) * length + day - 1;
    for (int m = 1; m < month; m++)
        number += nci_calendar_month_days(calendar, year, m);
    return number;
}

int64_t nci_calendar_day_number(nci_calendar calendar, int64_t year, int month,
                                int day)
{
    switch (calendar) {
    case NCI_CAL_NOLEAP:
    case NCI_CAL_ALL_LEAP:
    case NCI_CAL_360_DAY:
        return fixed_day(calendar, year, month, day);
    case NCI_CAL_JULIAN:
        return julian_day(year, month, day);
    case NCI_CAL_STANDARD: {
        int64_t number = gregorian_day(year, month, day);
        return number >= GREGORIAN_START ? number
                                         : julian_day(year, month, day);
    }
    default:
        return gregorian_day(year, month, day);
    }
}

/* The date of a day, from the number of days since 1 March of year 0 within a
 * period of `years` years and the first year of that period. */
static void date_in_period(int64_t year, int64_t day_of_year, nci_date *out)
{
    int64_t m = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    out->month = (int)(m < 10 ? m + 3 : m - 9);
    out->year = year + (out->month <= 2);
}

static void gregorian_date(int64_t number, nci_date *out)
{
    int64_t z = number + 719468, era = floor_div(z, 146097);
    int64_t day = z - era * 146097;
    int64_t y = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    date_in_period(y + 400 * era, day - (365 * y + y / 4 - y / 100), out);
}

static void julian_date(int64_t number, nci_date *out)
{
    int64_t z = number + 719470, era = floor_div(z, 1461);
    int64_t day = z - era * 1461;
    int64_t y = (day - day / 1460) / 365;
    date_in_period(y + 4 * era, day - 365 * y, out);
}

static void fixed_date(nci_calendar calendar, int64_t number, nci_date *out)
{
    int64_t length = calendar == NCI_CAL_360_DAY  ? 360
                     : calendar == NCI_CAL_NOLEAP ? 365
                                                  : 366;
    int64_t years = floor_div(number, length);
    int day = (int)(number - years * length), month = 1;
    out->year = 1970 + years;
    for (;;) {
        int days = nci_calendar_month_days(calendar, out->year, month);
        if (day < days)
            break;
        day -= days;
        month++;
    }
    out->month = month;
    out->day = day + 1;
}

static void date_of_day(nci_calendar calendar, int64_t number, nci_date *out)
{
    switch (calendar) {
    case NCI_CAL_NOLEAP:
    case NCI_CAL_ALL_LEAP:
    case NCI_CAL_360_DAY:
        fixed_date(calendar, number, out);
        return;
    case NCI_CAL_JULIAN:
        julian_date(number, out);
        return;
    case NCI_CAL_STANDARD:
        if (number < GREGORIAN_START) {
            julian_date(number, out);
            return;
        }
        break;
    default:
        break;
    }
    gregorian_date(number, out);
}

bool nci_time_is_number(double value)
{
    return fabs(value) <= 9007199254740992.0; /* 2^53; false for NaN */
}

nci_us nci_time_absolute_us(const nci_time_units *units, double value)
{
    const double limit = 9007199254740992.0;
    double x = isnan(value) ? -limit : fmin(fmax(value, -limit), limit);
    double whole = floor(x), part = x - whole; /* exact */
    nci_us us = (nci_us)(int64_t)whole * units->unit_us;
    us += (int64_t)llrint(part * (double)units->unit_us);
    return us + (nci_us)units->epoch_day * DAY_US + units->epoch_us;
}

double nci_time_from_absolute(const nci_time_units *units, nci_us us)
{
    nci_us delta =
        us - (nci_us)units->epoch_day * DAY_US - (nci_us)units->epoch_us;
    nci_us whole = delta / units->unit_us;
    int64_t rest = (int64_t)(delta - whole * units->unit_us);
    return (double)whole + (double)rest / (double)units->unit_us;
}

static nci_date decode_us(const nci_time_units *units, nci_us us)
{
    nci_date date;
    nci_us day = us / DAY_US - (us % DAY_US < 0);
    int64_t rest = (int64_t)(us - day * DAY_US);
    if (day > DAY_LIMIT || day < -DAY_LIMIT)
        day = day < 0 ? -DAY_LIMIT : DAY_LIMIT;
    date_of_day(units->calendar, (int64_t)day, &date);
    date.microsecond = (int)(rest % 1000000);
    rest /= 1000000;
    date.second = (int)(rest % 60);
    date.minute = (int)(rest / 60 % 60);
    date.hour = (int)(rest / 3600);
    return date;
}

nci_date nci_time_decode(const nci_time_units *units, double value)
{
    return decode_us(units, nci_time_absolute_us(units, value));
}

nci_date nci_time_label(const nci_time_units *units, double value)
{
    nci_us us = nci_time_absolute_us(units, value);
    nci_us rest = us % 1000000 + (us % 1000000 < 0 ? 1000000 : 0);
    if (rest >= 1000000 - NCI_TIME_ROUNDING_US)
        us += 1000000 - rest;
    return decode_us(units, us);
}

double nci_time_encode(const nci_time_units *units, const nci_date *date)
{
    int64_t day = nci_calendar_day_number(units->calendar, date->year,
                                          date->month, date->day);
    int64_t second =
        (date->hour * INT64_C(60) + date->minute) * 60 + date->second;
    nci_us us = (nci_us)day * DAY_US + second * 1000000 + date->microsecond;
    return nci_time_from_absolute(units, us);
}

char *nci_date_format(nci_calendar calendar, const nci_date *date,
                      char out[NCI_DATE_TEXT])
{
    int64_t year = nci_calendar_written_year(calendar, date->year);
    int n = snprintf(out, NCI_DATE_TEXT, "%04lld-%02d-%02d", (long long)year,
                     date->month, date->day);
    if (date->hour || date->minute || date->second || date->microsecond)
        snprintf(out + n, (size_t)(NCI_DATE_TEXT - n), "T%02d:%02d:%02d",
                 date->hour, date->minute, date->second);
    return out;
}
