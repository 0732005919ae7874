/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parsing of "UNIT since DATE [TIME [ZONE]]". Dates may be unpadded
 * ("2046-1-1") or packed ("20460101"), with T or blank before the time, with
 * Z, UTC, GMT or an offset after it. What is left over at the end is an error:
 * a reference date that is half understood gives wrong times.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "dataset/calendar.h"
#include "dataset/units.h"

#define DAY_SECONDS INT64_C(86400)

/* UDUNITS' year is 365.242198781 days, its month a twelfth of that. */
static const double YEAR_US = 365.242198781 * 86400e6;

static const struct {
    const char *names; /* separated by blanks */
    int64_t us;
} clock_units[] = {
    {" days day d ", DAY_SECONDS * 1000000},
    {" hours hour hrs hr h ", INT64_C(3600000000)},
    {" seconds second secs sec s ", 1000000},
    {" minutes minute mins min ", 60000000},
    {" milliseconds millisecond millisecs millisec msecs msec ms ", 1000},
    {" microseconds microsecond microsecs microsec us ", 1},
    {" weeks week ", 7 * DAY_SECONDS * 1000000},
};

static bool is_among(const char *names, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = names; (at = strstr(at, word)); at++)
        if (at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

/* The length of a word of UDUNITS' mean year or month; 0 for other words. */
static double month_or_year(nci_calendar calendar, const char *word)
{
    bool is_360 = calendar == NCI_CAL_360_DAY;
    if (is_among(" years year yrs yr ", word))
        return is_360 ? 360 * 86400e6 : YEAR_US;
    if (is_among(" months month mons mon ", word))
        return is_360 ? 30 * 86400e6 : YEAR_US / 12;
    return 0;
}

static ncg_status parse_unit(const char *word, nci_time_units *out,
                             ncg_error *err)
{
    size_t n = sizeof clock_units / sizeof clock_units[0];
    for (size_t i = 0; i < n; i++) {
        if (is_among(clock_units[i].names, word)) {
            out->unit_us = clock_units[i].us;
            return NCG_OK;
        }
    }
    double us = month_or_year(out->calendar, word), seconds = 0;
    out->is_month_or_year = us > 0;
    bool is_year = strstr(word, "year") != NULL;
    if (us <= 0 && !is_year && nci_units_seconds(word, &seconds))
        us = seconds * 1e6;
    if (!(us >= 1 && us <= 1e15))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "time unit \"%s\" is not supported", word);
    out->unit_us = (int64_t)llrint(us);
    return NCG_OK;
}

/* Reads digits; false when there are none or more than `most`. */
static bool read_number(const char **at, int most, int64_t *out)
{
    int n = 0;
    *out = 0;
    while (isdigit((unsigned char)**at)) {
        if (++n > most)
            return false;
        *out = *out * 10 + (*(*at)++ - '0');
    }
    return n > 0;
}

static void skip_blanks(const char **at)
{
    while (isspace((unsigned char)**at))
        (*at)++;
}

typedef struct moment {
    int64_t year, month, day;
    int64_t hour, minute, microseconds, zone_minutes;
} moment;

static bool read_date(const char **at, moment *out)
{
    int sign = **at == '-' ? -1 : 1;
    if (**at == '-' || **at == '+')
        (*at)++;
    const char *digits = *at;
    if (!read_number(at, 9, &out->year))
        return false;
    if (*at - digits == 8 && **at != '-') { /* packed: YYYYMMDD */
        out->day = out->year % 100;
        out->month = out->year / 100 % 100;
        out->year /= 10000;
    } else if (**at == '-') {
        (*at)++;
        if (!read_number(at, 2, &out->month))
            return false;
        if (**at == '-') {
            (*at)++;
            if (!read_number(at, 2, &out->day))
                return false;
        }
    }
    out->year *= sign;
    return true;
}

static bool read_seconds(const char **at, moment *out)
{
    int64_t seconds = 0, digit = 1000000;
    if (!read_number(at, 2, &seconds) || seconds > 60)
        return false;
    out->microseconds = seconds * 1000000;
    if (**at != '.')
        return true;
    for ((*at)++; isdigit((unsigned char)**at); (*at)++) {
        digit /= 10;
        out->microseconds += digit * (**at - '0');
    }
    return true;
}

static bool read_clock(const char **at, moment *out)
{
    const char *digits = *at;
    if (!read_number(at, 6, &out->hour))
        return false;
    if (*at - digits > 2) { /* packed: HHMM or HHMMSS */
        int64_t packed = out->hour;
        bool has_seconds = *at - digits > 4;
        out->microseconds = has_seconds ? packed % 100 * 1000000 : 0;
        packed = has_seconds ? packed / 100 : packed;
        out->minute = packed % 100;
        out->hour = packed / 100;
    } else if (**at == ':') {
        (*at)++;
        if (!read_number(at, 2, &out->minute))
            return false;
        if (**at == ':') {
            (*at)++;
            if (!read_seconds(at, out))
                return false;
        }
    }
    return out->hour <= 24 && out->minute < 60 &&
           out->microseconds <= 60 * 1000000;
}

static bool read_zone(const char **at, moment *out)
{
    static const char *const utc[] = {"UTC", "GMT", "Z"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(utc[i]);
        if (!strncasecmp(*at, utc[i], n)) {
            *at += n;
            return true;
        }
    }
    int sign = **at == '-' ? -1 : 1;
    if (**at == '-' || **at == '+')
        (*at)++;
    const char *digits = *at;
    int64_t hours, minutes = 0;
    if (!read_number(at, 4, &hours))
        return false;
    if (*at - digits > 2) {
        minutes = hours % 100;
        hours /= 100;
    } else if (**at == ':') {
        (*at)++;
        if (!read_number(at, 2, &minutes))
            return false;
    }
    out->zone_minutes = sign * (hours * 60 + minutes);
    return hours <= 24 && minutes < 60;
}

static bool read_moment(const char *text, moment *out)
{
    *out = (moment){.month = 1, .day = 1};
    skip_blanks(&text);
    if (!read_date(&text, out))
        return false;
    if (*text == 'T' || *text == 't')
        text++;
    skip_blanks(&text);
    if (isdigit((unsigned char)*text) && !read_clock(&text, out))
        return false;
    skip_blanks(&text);
    if (*text && !read_zone(&text, out))
        return false;
    skip_blanks(&text);
    return !*text;
}

static bool set_epoch(const moment *at, nci_time_units *out)
{
    int64_t year = nci_calendar_year(out->calendar, at->year);
    if (!nci_calendar_is_valid(out->calendar, year, (int)at->month,
                               (int)at->day))
        return false;
    int64_t minutes = at->hour * 60 + at->minute - at->zone_minutes;
    int64_t us = minutes * 60000000 + at->microseconds;
    int64_t day_us = DAY_SECONDS * 1000000;
    int64_t carry = us / day_us - (us % day_us < 0);
    out->epoch_day = nci_calendar_day_number(out->calendar, year,
                                             (int)at->month, (int)at->day) +
                     carry;
    out->epoch_us = us - carry * day_us;
    return true;
}

/* Splits "UNIT since DATE"; returns the text of the date, or NULL. */
static const char *split(const char *units, char *word, size_t size)
{
    static const char *const since[] = {"since", "after", "from", "ref", "@"};
    if (!units)
        return NULL;
    skip_blanks(&units);
    for (const char *at = units; *at; at++) {
        if (!isspace((unsigned char)at[0]))
            continue;
        for (size_t i = 0; i < sizeof since / sizeof since[0]; i++) {
            size_t n = strlen(since[i]), length = (size_t)(at - units);
            if (strncasecmp(at + 1, since[i], n) ||
                !isspace((unsigned char)at[1 + n]) || length >= size)
                continue;
            memcpy(word, units, length);
            word[length] = '\0';
            while (length && isspace((unsigned char)word[length - 1]))
                word[--length] = '\0';
            return at + 1 + n;
        }
    }
    return NULL;
}

bool nci_time_is_units(const char *units)
{
    char word[64];
    const char *date = split(units, word, sizeof word);
    if (!date) /* "m from surface" is no date */
        return false;
    skip_blanks(&date);
    date += *date == '-' || *date == '+';
    return isdigit((unsigned char)*date) != 0;
}

ncg_status nci_time_units_parse(const char *units, const char *calendar,
                                nci_time_units *out, ncg_error *err)
{
    nci_time_units parsed = {.calendar = NCI_CAL_STANDARD};
    char word[64];
    moment epoch;
    const char *date = split(units, word, sizeof word);
    if (!date)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "units \"%s\" do not say \"UNIT since DATE\"",
                        units ? units : "");
    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    NCI_TRY(nci_calendar_parse(calendar, &parsed.calendar, err));
    NCI_TRY(parse_unit(word, &parsed, err));
    if (!read_moment(date, &epoch) || !set_epoch(&epoch, &parsed))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "units \"%s\": no date of the %s calendar after "
                        "\"since\"",
                        units, nci_calendar_name(parsed.calendar));
    *out = parsed;
    return NCG_OK;
}
