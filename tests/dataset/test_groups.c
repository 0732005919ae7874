/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups of time steps against a plain walk through the days of a calendar. */
#include "ops_model.h"

typedef struct day {
    int year, month, day, ordinal;
} day;

/* Days of a calendar without leap years, counted by hand. */
static void next_day(day *d)
{
    static const int length[] = {31, 28, 31, 30, 31, 30,
                                 31, 31, 30, 31, 30, 31};
    d->day++;
    d->ordinal++;
    if (d->day <= length[d->month - 1])
        return;
    d->day = 1;
    if (++d->month <= 12)
        return;
    d->month = 1;
    d->year++;
    d->ordinal = 1;
}

static nci_groups make(const nci_model *model, const char *by)
{
    nci_groups groups = {0};
    CHECK_OK(nci_groups_make(model, nci_model_find_dim(model, "time"), by,
                             &groups, &err));
    return groups;
}

static void groups_match_the_calendar(void **state)
{
    (void)state;
    enum { N = 800 };
    nci_model *model = make_grid(N, "noleap");
    nci_groups month = make(model, "month"), season = make(model, "season");
    nci_groups year = make(model, "year"), both = make(model, "yearmonth");
    nci_groups seasons = make(model, "yearseason");
    nci_groups ordinal = make(model, "dayofyear"), date = make(model, "date");
    assert_int_equal(month.count, 12);
    assert_int_equal(season.count, 4);
    assert_int_equal(year.count, 3);
    assert_int_equal(both.count, 27);
    assert_int_equal(seasons.count, 10);
    assert_int_equal(seasons.keys[0], 1990 * 4);
    assert_int_equal(ordinal.count, 365);
    assert_int_equal(date.count, N);
    day d = {1990, 1, 1, 1};
    for (int i = 0; i < N; i++, next_day(&d)) {
        assert_int_equal(month.labels[i], d.month - 1);
        assert_int_equal(season.labels[i], d.month % 12 / 3);
        assert_int_equal(year.labels[i], d.year - 1990);
        assert_int_equal(both.labels[i], 12 * (d.year - 1990) + d.month - 1);
        assert_int_equal(seasons.labels[i],
                         4 * (d.year - 1990) +
                             (d.month == 12 ? 4 : d.month / 3));
        assert_int_equal(ordinal.labels[i], d.ordinal - 1);
        assert_int_equal(date.labels[i], i);
    }
    nci_groups_fini(&month);
    nci_groups_fini(&season);
    nci_groups_fini(&year);
    nci_groups_fini(&both);
    nci_groups_fini(&seasons);
    nci_groups_fini(&ordinal);
    nci_groups_fini(&date);
    nci_model_release(&model);
}

static void only_present_groups_are_numbered(void **state)
{
    (void)state;
    nci_model *model = make_grid(100, "noleap"), *part = NULL;
    const char *what = "time=1990-02..1990-03";
    CHECK_OK(nci_model_sel(model, &what, 1, &part, &err));
    nci_groups month = make(part, "month");
    assert_int_equal(month.count, 2);
    assert_int_equal(month.keys[0], 2);
    assert_int_equal(month.labels[0], 0);
    assert_int_equal(month.labels[58], 1);
    nci_groups_fini(&month);
    nci_model_release(&part);
    nci_model_release(&model);
}

static void hours_are_of_the_day(void **state)
{
    (void)state;
    nci_model *model =
        make_line("time", 10, 0, 6, NCG_DTYPE_F64, "hours since 2000-02-28");
    nci_groups hour = make(model, "hour");
    assert_int_equal(hour.count, 4);
    for (int i = 0; i < 10; i++)
        assert_int_equal(hour.labels[i], i % 4);
    assert_int_equal(hour.keys[3], 18);
    nci_groups_fini(&hour);
    nci_model_release(&model);
}

static void files_are_groups(void **state)
{
    (void)state;
    nci_model *model = make_grid(6, "noleap");
    model->join_dim = 0;
    model->file_of = nci_calloc(6, sizeof *model->file_of);
    for (int i = 0; i < 6; i++)
        model->file_of[i] = i < 4 ? 0 : 1;
    nci_groups file = make(model, "file");
    assert_int_equal(file.count, 2);
    assert_int_equal(file.labels[3], 0);
    assert_int_equal(file.labels[4], 1);
    nci_groups_fini(&file);
    nci_model_release(&model);
}

static void refused_groups(void **state)
{
    (void)state;
    nci_groups groups;
    nci_model *model = make_grid(6, "noleap");
    CHECK_STATUS(NCG_EINVAL,
                 nci_groups_make(model, 0, "months", &groups, &err));
    CHECK_MESSAGE("did you mean \"month\"");
    CHECK_STATUS(NCG_EINVAL, nci_groups_make(model, 1, "month", &groups, &err));
    CHECK_MESSAGE("by=month needs dates along lat");
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(groups_match_the_calendar),
          NCG_TEST(only_present_groups_are_numbered),
          NCG_TEST(hours_are_of_the_day), NCG_TEST(files_are_groups),
          NCG_TEST(refused_groups))
