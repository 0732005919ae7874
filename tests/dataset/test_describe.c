/* SPDX-License-Identifier: BSD-3-Clause */
/* The listing says steps of months and years as the calendar counts them. */
#include "ops_model.h"

/* A model of times that are `day` of every `months`-th month from 1999-`first`,
 * `skip` of them left out in the middle; day 0: the middle of the month, 99:
 * its last day. */
typedef struct series {
    const char *calendar;
    int first, months, day, n, skip;
} series;

static double stamp_of(const nci_time_units *units, const series *s, int i)
{
    int month = s->first - 1 + (i < s->n / 2 ? i : i + s->skip) * s->months;
    nci_date date = {.year = 1999 + month / 12, .month = month % 12 + 1};
    int length =
        nci_calendar_month_days(units->calendar, date.year, date.month);
    date.day = s->day == 99 ? length : s->day ? s->day : 1;
    return nci_time_encode(units, &date) + (s->day ? 0 : length / 2.);
}

static void check_listing(nci_model *model, const char *says)
{
    char *text = NULL;
    nci_model_find_roles(model);
    CHECK_OK(nci_model_describe(model, &text, &err));
    if (!strstr(text, says))
        fail_msg("no \"%s\" in: %s", says, text);
    nci_free(text);
    nci_model_release(&model);
}

static void check_series(const series *s, const char *says)
{
    double x[64];
    nci_time_units units;
    nci_model *model = nci_model_create();
    CHECK_OK(nci_time_units_parse("days since 1990-01-01", s->calendar, &units,
                                  &err));
    for (int i = 0; i < s->n; i++)
        x[i] = stamp_of(&units, s, i);
    add_dim(model, "time", s->n);
    add_values(model, "time", NCI_KIND_COORD, "time", NCG_DTYPE_F64, x);
    put(model, "time", "units", "days since 1990-01-01");
    put(model, "time", "calendar", s->calendar);
    check_listing(model, says);
}

static void months_and_years(void **state)
{
    (void)state;
    static const char *const calendars[] = {"standard", "noleap", "all_leap",
                                            "360_day", "proleptic_gregorian"};
    for (int c = 0; c < 5; c++) {
        const char *calendar = calendars[c];
        for (int day = 0; day < 28; day += 13) {
            check_series(&(series){calendar, 1, 1, day, 40, 0}, "step 1 month");
            check_series(&(series){calendar, 2, 3, day, 9, 0}, "step 3 months");
            check_series(&(series){calendar, 7, 12, day, 9, 0}, "step 1 year");
            check_series(&(series){calendar, 1, 120, day, 3, 0},
                         "step 10 years");
        }
        check_series(&(series){calendar, 1, 1, 99, 30, 0}, "step 1 month");
        check_series(&(series){calendar, 1, 1, 1, 30, 7},
                     "step 1 month, 1 gap");
        check_series(&(series){calendar, 6, 1, 15, 2, 0}, "step 1 month");
    }
}

static void check_days(double step, int n, const char *calendar,
                       const char *says)
{
    nci_model *model = nci_model_create();
    add_dim(model, "time", n);
    add_range(model, "time", 0, step, NCG_DTYPE_F64);
    put(model, "time", "units", "days since 1990-01-01");
    put(model, "time", "calendar", calendar);
    check_listing(model, says);
}

static void days_stay_days(void **state)
{
    (void)state;
    check_days(1, 50, "standard", "step 1 day");
    check_days(30, 24, "standard", "step 30 days");
    check_days(30.5, 12, "standard", "step 30.5 days");
    check_days(365, 12, "standard", "step 365 days");
    check_days(365, 12, "noleap", "step 1 year");
    check_days(30, 24, "360_day", "step 1 month");
    check_days(0.25, 24, "standard", "step 6 hours");
}

NCG_TESTS(NCG_TEST(months_and_years), NCG_TEST(days_stay_days))
