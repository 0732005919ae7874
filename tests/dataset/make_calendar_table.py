#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes calendar_table.h: dates of each calendar as cftime decodes them.

    python3 make_calendar_table.py > calendar_table.h
"""
import random

import cftime

random.seed(7)
CALENDARS = ["standard", "proleptic_gregorian", "julian", "noleap",
             "all_leap", "360_day"]
UNITS = ["days since 1850-01-01", "hours since 1900-01-01 00:00:00",
         "seconds since 1970-01-01T00:00:00Z",
         "minutes since 2000-1-1 06:30", "days since 1-1-1",
         "hours since 1582-10-15 12:00:00",
         "days since 2046-1-1 00:00:00 +02:30",
         "milliseconds since 1999-12-31 23:59:59"]
RANGE = {"days": 8e5, "hours": 2e7, "minutes": 1e9, "seconds": 6e10,
         "milliseconds": 4e13}


def values(unit):
    yield 0.0
    yield -0.5
    for _ in range(12):
        x = random.uniform(-0.3, 1) * RANGE[unit]
        # exact in microseconds, so that both sides must agree to the digit
        yield float(round(x * 4) / 4)


print("/* SPDX-License-Identifier: BSD-3-Clause */")
print("/* Made by make_calendar_table.py from cftime; do not edit. */")
for calendar in CALENDARS:
    for units in UNITS:
        for value in values(units.split()[0]):
            try:
                d = cftime.num2date(value, units, calendar,
                                    has_year_zero=True)
            except (ValueError, OverflowError):
                continue
            if d.year < 1:
                continue
            print('{"%s", "%s", %r, %d, %d, %d, %d, %d, %d, %d},' % (
                calendar, units, value, d.year, d.month, d.day, d.hour,
                d.minute, d.second, d.microsecond))
