/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_CALENDAR_H
#define NCI_DATASET_CALENDAR_H
/*
 * Dates in the calendars of CF 4.4.1. Arithmetic on dates is integer days plus
 * microseconds of the day; "standard" is Julian before 1582-10-15.
 *
 * Years are astronomical: 0 is the year before 1. As written, in units and by
 * users, a negative year of the standard and the Julian calendar is one BC (-1 is 1 BC, astronomical 0),
 * as UDUNITS and cftime take it; year 0, met in climatologies, is year 0.
 * utc and tai count days as proleptic_gregorian, without leap seconds.
 */
#include "base/error.h"

typedef enum nci_calendar {
    NCI_CAL_STANDARD,
    NCI_CAL_PROLEPTIC,
    NCI_CAL_JULIAN,
    NCI_CAL_NOLEAP,
    NCI_CAL_ALL_LEAP,
    NCI_CAL_360_DAY,
    NCI_CAL_UTC,
    NCI_CAL_TAI,
    NCI_CAL_NONE
} nci_calendar;

typedef struct nci_date {
    int64_t year;
    int month, day; /* 1-based */
    int hour, minute, second, microsecond;
} nci_date;

/* A parsed "days since 1990-01-01" with its calendar. */
typedef struct nci_time_units {
    nci_calendar calendar;
    int64_t unit_us;      /* microseconds a unit (seconds..days, weeks); for
                             UDUNITS months and years the rounded length */
    bool is_month_or_year; /* UDUNITS' mean month or year, not the calendar's;
                              in 360_day they are 30 and 360 days */
    int64_t epoch_day;     /* day number of the reference date */
    int64_t epoch_us;      /* microseconds of that day, zone taken out */
} nci_time_units;

/* EUNSUPPORTED: unknown calendar or unit (named). */
ncg_status nci_calendar_parse(const char *name, nci_calendar *out,
                              ncg_error *err);
ncg_status nci_time_units_parse(const char *units, const char *calendar,
                                nci_time_units *out, ncg_error *err);
/* nci_time_is_units tells whether text has the form "UNIT since DATE"; NULL
 * does not. */
bool nci_time_is_units(const char *units);
/* nci_calendar_year gives the astronomical year of one that is written,
 * nci_calendar_written_year the other way round: they differ where a negative
 * year counts years BC. */
int64_t nci_calendar_year(nci_calendar calendar, int64_t written);
int64_t nci_calendar_written_year(nci_calendar calendar, int64_t year);
int64_t nci_calendar_day_number(nci_calendar calendar, int64_t year, int month,
                                int day);
bool nci_calendar_is_valid(nci_calendar calendar, int64_t year, int month,
                           int day);
int nci_calendar_month_days(nci_calendar calendar, int64_t year, int month);
nci_date nci_time_decode(const nci_time_units *units, double value);
/* nci_time_label decodes the date that a time is meant as: one less than a
 * millisecond before a full second is that second, because hours as fractions
 * of days are good to some microseconds only. */
enum { NCI_TIME_ROUNDING_US = 1000 };
nci_date nci_time_label(const nci_time_units *units, double value);
double nci_time_encode(const nci_time_units *units, const nci_date *date);
/* nci_time_absolute_us gives day number and microseconds as one count that
 * orders times of different units in one calendar. */
__extension__ typedef __int128 nci_us;
/* nci_time_is_number: finite, and within 2^53 units of the reference date. */
bool nci_time_is_number(double value);
nci_us nci_time_absolute_us(const nci_time_units *units, double value);
double nci_time_from_absolute(const nci_time_units *units, nci_us us);
const char *nci_calendar_name(nci_calendar calendar);
/* nci_date_format writes "1990-01-31", or "1990-01-31T06:00:00" where the time
 * of day is not midnight, to `out` of 40 bytes and returns it. */
enum { NCI_DATE_TEXT = 40 };
char *nci_date_format(nci_calendar calendar, const nci_date *date,
                      char out[NCI_DATE_TEXT]);

#endif
