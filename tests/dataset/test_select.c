/* SPDX-License-Identifier: BSD-3-Clause */
/* isel against Python's slices, sel against plain loops. */
#include "ops_model.h"

static nci_model *isel(const nci_model *model, const char *what)
{
    nci_model *out = NULL;
    CHECK_OK(nci_model_isel(model, &what, 1, &out, &err));
    return out;
}

static nci_model *sel(const nci_model *model, const char *what,
                      const char *more)
{
    nci_model *out = NULL;
    const char *items[] = {what, more};
    CHECK_OK(nci_model_sel(model, items, more ? 2 : 1, &out, &err));
    return out;
}

static ncg_status sel_status(const nci_model *model, const char *what)
{
    nci_model *out = NULL;
    ncg_status st = nci_model_sel(model, &what, 1, &out, &err);
    nci_model_release(&out);
    return st;
}

static ncg_status isel_status(const nci_model *model, const char *what)
{
    nci_model *out = NULL;
    ncg_status st = nci_model_isel(model, &what, 1, &out, &err);
    nci_model_release(&out);
    return st;
}

/* Values of a coordinate as text: "0 45 90". */
static const char *values(const nci_model *model, const char *var)
{
    static char text[512];
    double *x = NULL;
    int64_t n = 0;
    CHECK_OK(nci_variable_values(find_var(model, var), &x, &n, &err));
    text[0] = '\0';
    for (int64_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%g",
                 i ? " " : "", x[i]);
    nci_free(x);
    return text;
}

static void check_isel(const nci_model *model, const char *what,
                       const char *var, const char *expected)
{
    nci_model *out = isel(model, what);
    assert_string_equal(values(out, var), expected);
    nci_model_release(&out);
}

static void check_sel(const nci_model *model, const char *what,
                      const char *more, const char *var, const char *expected)
{
    nci_model *out = sel(model, what, more);
    assert_string_equal(values(out, var), expected);
    nci_model_release(&out);
}

static void isel_follows_python(void **state)
{
    (void)state;
    nci_model *model = make_grid(10, "noleap");
    check_isel(model, "lon=0:3", "lon", "0 45 90");
    check_isel(model, "lon=::3", "lon", "0 135 270");
    check_isel(model, "lon=-2:", "lon", "270 315");
    check_isel(model, "lon=6:100", "lon", "270 315");
    check_isel(model, "lon=::-4", "lon", "315 135");
    check_isel(model, "lon=5:2:-1", "lon", "225 180 135");
    check_isel(model, "lon=0,2,-1", "lon", "0 90 315");
    check_isel(model, "x=1:2", "lon", "45");
    nci_model_release(&model);
}

/* Every slice of an axis of 5, against the definition of Python's range. */
static void isel_slices_exhaustively(void **state)
{
    (void)state;
    nci_model *model = make_grid(5, "noleap");
    for (int start = -7; start <= 7; start++)
        for (int stop = -7; stop <= 7; stop++)
            for (int step = -3; step <= 3; step++) {
                char what[64], expected[128] = "";
                if (!step)
                    continue;
                int a = start < 0 ? start + 5 : start;
                int b = stop < 0 ? stop + 5 : stop;
                int low = step > 0 ? 0 : -1, high = step > 0 ? 5 : 4;
                a = a < low ? low : a > high ? high : a;
                b = b < low ? low : b > high ? high : b;
                for (int i = a; step > 0 ? i < b : i > b; i += step)
                    snprintf(expected + strlen(expected), 16, "%s%d",
                             expected[0] ? " " : "", 30 * i - 60);
                snprintf(what, sizeof what, "lat=%d:%d:%d", start, stop, step);
                if (expected[0])
                    check_isel(model, what, "lat", expected);
                else
                    CHECK_STATUS(NCG_EINVAL, isel_status(model, what));
            }
    nci_model_release(&model);
}

static void isel_refuses(void **state)
{
    (void)state;
    nci_model *model = make_grid(10, "noleap");
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=8"));
    CHECK_MESSAGE("0 to 7");
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=-9"));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=3:3"));
    CHECK_MESSAGE("selects nothing");
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=a"));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=1:2:0"));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=1:2:3:4"));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon="));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon"));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "lon=99999999999999999999"));
    CHECK_STATUS(NCG_EINVAL, isel_status(model, "loon=1"));
    CHECK_MESSAGE("did you mean \"lon\"");
    nci_model *out = NULL;
    const char *twice[] = {"lon=1", "x=2"};
    CHECK_STATUS(NCG_EINVAL, nci_model_isel(model, twice, 2, &out, &err));
    CHECK_MESSAGE("twice");
    nci_model_release(&model);
}

static void one_position_leaves_a_scalar(void **state)
{
    (void)state;
    nci_model *model = make_grid(10, "noleap");
    add_range_bounds(model, "lat", -60, 30);
    nci_model *out = isel(model, "lat=1");
    assert_int_equal(nci_model_find_dim(out, "lat"), -1);
    assert_int_equal(find_var(out, "lat")->rank, 0);
    assert_int_equal(find_var(out, "lat_bnds")->rank, 1);
    CHECK_NEAR(value(out, "lat_bnds", 1), -15.0, 0);
    assert_int_equal(find_var(out, "tas")->rank, 2);
    assert_int_equal(find_var(out, "tas")->array->rank, 2);
    assert_int_equal(find_var(out, "tas")->array->shape[1], 8);
    assert_string_equal(attr(out, "tas", "coordinates"), "lat");
    nci_model_release(&out);
    out = isel(model, "time=-1");
    assert_int_equal(dim_size(out, "time"), 1);
    CHECK_NEAR(value(out, "time", 0), 9.5, 0);
    assert_int_equal(find_var(out, "tas")->rank, 3);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void sel_ranges_are_inclusive(void **state)
{
    (void)state;
    nci_model *model = make_grid(3, "noleap");
    check_sel(model, "lat=-30..30", NULL, "lat", "-30 0 30");
    check_sel(model, "lat=30..-30", NULL, "lat", "-30 0 30");
    check_sel(model, "lat=..-30", NULL, "lat", "-60 -30");
    check_sel(model, "lat=10..", NULL, "lat", "30 60");
    check_sel(model, "lat=-45..-15", NULL, "lat", "-30");
    check_sel(model, "lat=60,-60", NULL, "lat", "60 -60");
    check_sel(model, "lat=30", NULL, "lat", "30");
    check_sel(model, "lat=17", "nearest", "lat", "30");
    check_sel(model, "lat=-17,80", "nearest", "lat", "-30 60");
    nci_model *out = sel(model, "lat=-45..-15", NULL);
    assert_int_equal(dim_size(out, "lat"), 1);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void sel_knows_the_rounding_of_floats(void **state)
{
    (void)state;
    nci_model *model = make_line("lev", 5, 0.1, 0.1, NCG_DTYPE_F32, NULL);
    check_sel(model, "lev=0.1..0.3", NULL, "lev", "0.1 0.2 0.3");
    check_sel(model, "lev=0.3,0.5", NULL, "lev", "0.3 0.5");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "lev=0.35"));
    CHECK_MESSAGE("nearest");
    CHECK_MESSAGE("from 0.1");
    nci_model_release(&model);
}

static void longitudes_wrap(void **state)
{
    (void)state;
    nci_model *model = make_grid(3, "noleap");
    add_range_bounds(model, "lon", 0, 45);
    check_sel(model, "lon=-90..45", NULL, "lon", "-90 -45 0 45");
    check_sel(model, "lon=-90..45", NULL, "lon_bnds",
              "-112.5 -67.5 -67.5 -22.5 -22.5 22.5 22.5 67.5");
    check_sel(model, "lon=270..45", NULL, "lon", "270 315 360 405");
    check_sel(model, "lon=90..180", NULL, "lon", "90 135 180");
    check_sel(model, "lon=-180..180", NULL, "lon",
              "-180 -135 -90 -45 0 45 90 135");
    check_sel(model, "lon=0..360", NULL, "lon", "0 45 90 135 180 225 270 315");
    check_sel(model, "lon=-90", NULL, "lon", "270");
    check_sel(model, "lon=358", "nearest", "lon", "0");
    nci_model *out = sel(model, "lon=-90..45", NULL);
    const nci_node *node = find_var(out, "tas")->array;
    assert_int_equal(node->kind, NCI_NODE_SELECT);
    assert_int_equal(node->picks[2].count, 4);
    assert_int_equal(node->picks[2].index[0], 6);
    assert_int_equal(node->picks[2].index[2], 0);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void sel_of_nothing_names_the_range(void **state)
{
    (void)state;
    nci_model *model = make_grid(3, "noleap");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "lat=70..80"));
    CHECK_MESSAGE("-60 to 60 degrees_north");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "time=2001"));
    CHECK_MESSAGE("1990-01-01 to 1990-01-03");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "lat=north"));
    CHECK_MESSAGE("no number");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "time=1990-02-31"));
    CHECK_MESSAGE("no date");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "time=soon"));
    CHECK_MESSAGE("YYYY-MM-DD");
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "time=1990-13"));
    nci_model_release(&model);
}

static int64_t count_time(const nci_model *model, const char *what)
{
    nci_model *out = sel(model, what, NULL);
    int64_t n = dim_size(out, "time");
    nci_model_release(&out);
    return n;
}

static void sel_of_dates(void **state)
{
    (void)state;
    nci_model *model = make_grid(3 * 365, "noleap");
    assert_int_equal(count_time(model, "time=1991"), 365);
    assert_int_equal(count_time(model, "time=1990..1991"), 730);
    assert_int_equal(count_time(model, "time=1991..1990"), 730);
    assert_int_equal(count_time(model, "time=1991-06..1991-08"), 92);
    assert_int_equal(count_time(model, "time=1991-02"), 28);
    assert_int_equal(count_time(model, "time=..1990"), 365);
    assert_int_equal(count_time(model, "time=1991-12-31.."), 366);
    /* an end that names a span around the other one ends with it */
    assert_int_equal(count_time(model, "time=1990-12..1990"), 31);
    assert_int_equal(count_time(model, "time=1990..1990-02"), 59);
    assert_int_equal(count_time(model, "time=1990,1992"), 730);
    assert_int_equal(count_time(model, "time=1990-06-15"), 1);
    assert_int_equal(count_time(model, "time=1990-06-15T12"), 1);
    assert_int_equal(count_time(model, "time=1990-06-15T12:00:00"), 1);
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "time=1990-06-15T13"));
    check_sel(model, "time=1990-01-02T20", "nearest", "time", "1.5");
    check_sel(model, "time=1990-01-02T23:59", "nearest", "time", "1.5");
    nci_model_release(&model);
    model = make_grid(360, "360_day");
    assert_int_equal(count_time(model, "time=1990-02-30"), 1);
    assert_int_equal(count_time(model, "time=1990-02"), 30);
    nci_model_release(&model);
}

static void sel_of_variables(void **state)
{
    (void)state;
    nci_model *model = make_grid(3, "noleap");
    add_source(model, "pr", "time lat lon", NCG_DTYPE_F32);
    add_source(model, "gmt", "time", NCG_DTYPE_F32);
    nci_model *out = sel(model, "var=gmt", NULL);
    assert_null(find_var(out, "tas"));
    assert_null(find_var(out, "lat"));
    assert_non_null(find_var(out, "time"));
    assert_int_equal(out->ndims, 1);
    nci_model_release(&out);
    out = sel(model, "var=tas,pr", "lat=0");
    assert_int_equal(find_var(out, "pr")->rank, 2);
    nci_model_release(&out);
    CHECK_STATUS(NCG_EINVAL, sel_status(model, "var=taas"));
    CHECK_MESSAGE("did you mean \"tas\"");
    nci_model_release(&model);
}

static void files_follow_a_selection(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    model->join_dim = 0;
    model->file_of = nci_calloc(4, sizeof *model->file_of);
    for (int i = 0; i < 4; i++)
        model->file_of[i] = i / 2;
    nci_model *out = isel(model, "time=1,3");
    assert_int_equal(out->file_of[0], 0);
    assert_int_equal(out->file_of[1], 1);
    nci_model_release(&out);
    nci_model_release(&model);
}

/* Whichever allocation fails, the answer is ENOMEM and nothing leaks. */
static void memory_may_run_out(void **state)
{
    (void)state;
    nci_model *model = make_grid(40, "noleap");
    add_range_bounds(model, "lon", 0, 45);
    const char *what[] = {"var=tas", "lon=-90..45", "lat=10,50", "nearest",
                          "time=1990-01"};
    for (int64_t n = 1;; n++) {
        nci_model *out = NULL;
        nci_mem_fail_at(n);
        ncg_status st = nci_model_sel(model, what, 5, &out, &err);
        nci_mem_fail_at(0);
        nci_model_release(&out);
        if (!st)
            break;
        assert_int_equal(st, NCG_ENOMEM);
    }
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(isel_follows_python), NCG_TEST(isel_slices_exhaustively),
          NCG_TEST(isel_refuses), NCG_TEST(one_position_leaves_a_scalar),
          NCG_TEST(sel_ranges_are_inclusive),
          NCG_TEST(sel_knows_the_rounding_of_floats), NCG_TEST(longitudes_wrap),
          NCG_TEST(sel_of_nothing_names_the_range), NCG_TEST(sel_of_dates),
          NCG_TEST(sel_of_variables), NCG_TEST(files_follow_a_selection),
          NCG_TEST(memory_may_run_out))
