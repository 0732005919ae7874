/* SPDX-License-Identifier: BSD-3-Clause */
/* Calendars and units of time: against cftime, round trips, odd spellings. */
#include "dataset/calendar.h"

#include "dataset/units.h"
#include "test.h"

static ncg_error err;

static const struct {
    const char *calendar, *units;
    double value;
    int year, month, day, hour, minute, second, microsecond;
} table[] = {
#include "calendar_table.h"
};

static void agrees_with_cftime(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        nci_time_units units;
        CHECK_OK(nci_time_units_parse(table[i].units, table[i].calendar, &units,
                                      &err));
        nci_date d = nci_time_decode(&units, table[i].value);
        if (d.year != table[i].year || d.month != table[i].month ||
            d.day != table[i].day || d.hour != table[i].hour ||
            d.minute != table[i].minute || d.second != table[i].second ||
            d.microsecond != table[i].microsecond)
            fail_msg("%s %s %.17g: %lld-%d-%d %d:%d:%d.%06d", table[i].calendar,
                     table[i].units, table[i].value, (long long)d.year, d.month,
                     d.day, d.hour, d.minute, d.second, d.microsecond);
        CHECK_NEAR(nci_time_encode(&units, &d), table[i].value, 1e-15);
    }
}

/* Walks day by day: each date follows the one before, numbers rise by one. */
static void every_day_follows(void **state)
{
    (void)state;
    for (int c = NCI_CAL_STANDARD; c <= NCI_CAL_NONE; c++) {
        nci_time_units units = {.calendar = (nci_calendar)c,
                                .unit_us = INT64_C(86400000000)};
        nci_date last = {0};
        for (int64_t n = -800000; n < 60000; n++) {
            nci_date d = nci_time_decode(&units, (double)n);
            assert_true(
                nci_calendar_is_valid(units.calendar, d.year, d.month, d.day));
            assert_int_equal(
                nci_calendar_day_number(units.calendar, d.year, d.month, d.day),
                n);
            bool is_gap = last.year == 1582 && last.month == 10 &&
                          last.day == 4 && c == NCI_CAL_STANDARD;
            if (n > -800000 && !is_gap) {
                bool is_next =
                    d.day == last.day + 1 ||
                    (d.day == 1 && d.month == last.month + 1) ||
                    (d.day == 1 && d.month == 1 && d.year == last.year + 1);
                assert_true(is_next);
            }
            last = d;
        }
    }
}

static void gap_of_1582(void **state)
{
    (void)state;
    int64_t before = nci_calendar_day_number(NCI_CAL_STANDARD, 1582, 10, 4);
    int64_t after = nci_calendar_day_number(NCI_CAL_STANDARD, 1582, 10, 15);
    assert_int_equal(after - before, 1);
    assert_false(nci_calendar_is_valid(NCI_CAL_STANDARD, 1582, 10, 10));
    assert_true(nci_calendar_is_valid(NCI_CAL_PROLEPTIC, 1582, 10, 10));
    assert_true(nci_calendar_is_valid(NCI_CAL_360_DAY, 2001, 2, 30));
    assert_false(nci_calendar_is_valid(NCI_CAL_NOLEAP, 2000, 2, 29));
    assert_true(nci_calendar_is_valid(NCI_CAL_ALL_LEAP, 2001, 2, 29));
}

static void check_epoch(const char *units, const char *calendar, int64_t year,
                        int month, int day, int hour, int minute)
{
    nci_time_units parsed;
    CHECK_OK(nci_time_units_parse(units, calendar, &parsed, &err));
    nci_date d = nci_time_decode(&parsed, 0);
    if (d.year != year || d.month != month || d.day != day || d.hour != hour ||
        d.minute != minute)
        fail_msg("%s: %lld-%d-%d %d:%d", units, (long long)d.year, d.month,
                 d.day, d.hour, d.minute);
}

static void odd_spellings(void **state)
{
    (void)state;
    check_epoch("days since 2046-1-1", NULL, 2046, 1, 1, 0, 0);
    check_epoch("Days Since 1990-12-31 24:00:00", "gregorian", 1991, 1, 1, 0,
                0);
    check_epoch("hours since 1-1-1 00:00:0.0", NULL, 1, 1, 1, 0, 0);
    check_epoch("d since 1990-06-15T12:30Z", NULL, 1990, 6, 15, 12, 30);
    check_epoch("h since 1990-06-15 12 UTC", NULL, 1990, 6, 15, 12, 0);
    check_epoch("s since 1990-06-15 12:30:00.5 GMT", NULL, 1990, 6, 15, 12, 30);
    check_epoch("min since 1990-06-15 02:00 +05:30", NULL, 1990, 6, 14, 20, 30);
    check_epoch("hours since 1990-01-01 00:00:00 -6:00", NULL, 1990, 1, 1, 6,
                0);
    check_epoch("hours since 1990-01-01 00:00:00 -0600", NULL, 1990, 1, 1, 6,
                0);
    check_epoch("days since 19900615", NULL, 1990, 6, 15, 0, 0);
    check_epoch("days since 1990-02-30", "360_day", 1990, 2, 30, 0, 0);
    check_epoch("days since 0000-01-01", "standard", 0, 1, 1, 0, 0);
    check_epoch("days since 0000-01-01", "noleap", 0, 1, 1, 0, 0);
    check_epoch("days since -4713-01-01", "standard", -4712, 1, 1, 0, 0);
    check_epoch("days since -4713-11-24", "proleptic_gregorian", -4713, 11, 24,
                0, 0);
    check_epoch("days since 1990", NULL, 1990, 1, 1, 0, 0);
    check_epoch("fortnights since 1990-1-1", NULL, 1990, 1, 1, 0, 0);
}

static void julian_date_zero(void **state)
{
    (void)state;
    nci_time_units units;
    CHECK_OK(nci_time_units_parse("days since -4713-01-01 12:00", "julian",
                                  &units, &err));
    nci_date d = {.year = 2000, .month = 1, .day = 14, .hour = 12};
    CHECK_NEAR(nci_time_encode(&units, &d), 2451571.0, 0); /* 2000-01-27 */
}

static void months_and_years(void **state)
{
    (void)state;
    nci_time_units units;
    CHECK_OK(
        nci_time_units_parse("months since 1990-01-01", NULL, &units, &err));
    assert_true(units.is_month_or_year);
    CHECK_NEAR((double)units.unit_us, 365.242198781 / 12 * 86400e6, 1e-12);
    CHECK_OK(nci_time_units_parse("months since 1990-01-01", "360_day", &units,
                                  &err));
    nci_date d = nci_time_decode(&units, 13);
    assert_int_equal(d.year, 1991);
    assert_int_equal(d.month, 2);
    CHECK_STATUS(
        NCG_EUNSUPPORTED,
        nci_time_units_parse("common_year since 1990-1-1", NULL, &units, &err));
    CHECK_MESSAGE("common_year");
}

static void bad_units(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "days",
        "",
        "days since",
        "days since yesterday",
        "days since 1990-13-01",
        "days since 1990-02-29",
        "days since 1582-10-10",
        "days since 0000-00-00",
        "days since 1990-01-01 25:00",
        "days since 1990-01-01 00:00:00 Mars",
        "kelvin since 1990-01-01",
        "days since 12345678901-01-01",
        "days since 1990-01-01 00:61",
    };
    nci_time_units units;
    nci_calendar calendar;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STATUS(NCG_EUNSUPPORTED,
                     nci_time_units_parse(bad[i], NULL, &units, &err));
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 nci_time_units_parse(NULL, NULL, &units, &err));
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 nci_calendar_parse("martian", &calendar, &err));
    CHECK_MESSAGE("martian");
    assert_false(nci_time_is_units("degrees_north"));
    assert_false(nci_time_is_units("m from surface"));
    assert_false(nci_time_is_units(NULL));
    assert_true(nci_time_is_units("days since 1990-1-1"));
}

/* Damaged texts are refused or understood, never more than that. */
static void damaged_texts(void **state)
{
    (void)state;
    static const char good[] = "days since 1990-01-31T12:30:05.25 +05:30";
    unsigned seed = 3;
    for (int i = 0; i < 200000; i++) {
        char text[sizeof good];
        nci_time_units units;
        memcpy(text, good, sizeof good);
        for (int k = rand_r(&seed) % 4; k >= 0; k--)
            text[11 + (size_t)rand_r(&seed) % (sizeof good - 12)] =
                "0123456789-+:.TZ @\0x"[rand_r(&seed) % 21];
        if (nci_time_units_parse(text, "noleap", &units, &err))
            continue;
        assert_true(units.epoch_us >= 0);
        assert_true(units.epoch_us < INT64_C(86400000000));
        nci_date d = nci_time_decode(&units, 0);
        assert_true(
            nci_calendar_is_valid(units.calendar, d.year, d.month, d.day));
    }
}

static void values_out_of_reach(void **state)
{
    (void)state;
    nci_time_units units;
    CHECK_OK(
        nci_time_units_parse("weeks since 1990-01-01", NULL, &units, &err));
    double odd[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 9.96921e36};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        nci_date d = nci_time_decode(&units, odd[i]);
        assert_true(d.month >= 1 && d.month <= 12);
        assert_false(nci_time_is_number(odd[i]));
    }
}

static void rebased_times_are_exact(void **state)
{
    (void)state;
    nci_time_units a, b;
    CHECK_OK(nci_time_units_parse("days since 1850-01-01", "noleap", &a, &err));
    CHECK_OK(nci_time_units_parse("hours since 1990-06-01 06:00", "noleap", &b,
                                  &err));
    for (int i = -100000; i < 100000; i += 7) {
        nci_us us = nci_time_absolute_us(&b, i);
        double days = nci_time_from_absolute(&a, us);
        nci_us back = nci_time_absolute_us(&a, days);
        assert_true(back - us <= 4 && us - back <= 4);
    }
}

static void units_by_udunits(void **state)
{
    (void)state;
    assert_true(nci_units_equal("K", "kelvin"));
    assert_true(nci_units_equal("m s-1", "m/s"));
    assert_false(nci_units_equal("K", "degC"));
    assert_true(nci_units_convertible("K", "degC"));
    assert_false(nci_units_convertible("K", "m"));
    assert_false(nci_units_equal("K", NULL));
    assert_true(nci_units_equal("gumballs", "gumballs"));
    nci_units_release();
}

NCG_TESTS(NCG_TEST(agrees_with_cftime), NCG_TEST(every_day_follows),
          NCG_TEST(gap_of_1582), NCG_TEST(odd_spellings),
          NCG_TEST(julian_date_zero), NCG_TEST(months_and_years),
          NCG_TEST(bad_units), NCG_TEST(damaged_texts),
          NCG_TEST(values_out_of_reach), NCG_TEST(rebased_times_are_exact),
          NCG_TEST(units_by_udunits))
