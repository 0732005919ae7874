/* SPDX-License-Identifier: BSD-3-Clause */
/* What reductions do to shapes, coordinates and attributes. */
#include "ops_model.h"

static char notes[2000];

static void take_note(const char *note, void *payload)
{
    (void)payload;
    strncat(notes, note, sizeof notes - strlen(notes) - 2);
    strcat(notes, "\n");
}

static ncg_reduce_options options(ncg_op op, const char *dims)
{
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    o.op = op;
    o.dims = dims;
    return o;
}

static nci_model *reduce(const nci_model *model, ncg_reduce_options o)
{
    nci_model *out = NULL;
    notes[0] = '\0';
    CHECK_OK(nci_model_reduce(model, &o, take_note, NULL, &out, &err));
    return out;
}

static nci_model *mean_by(const nci_model *model, const char *by)
{
    ncg_reduce_options o = options(NCG_OP_MEAN, "time");
    o.by = by;
    return reduce(model, o);
}

static void check_text(const nci_model *model, const char *var,
                       const char *name, const char *expected)
{
    assert_string_equal(attr(model, var, name), expected);
}

static void time_mean_keeps_the_dimension(void **state)
{
    (void)state;
    nci_model *model = make_grid(10, "noleap");
    nci_model *out = reduce(model, options(NCG_OP_MEAN, "time"));
    assert_int_equal(dim_size(out, "time"), 1);
    assert_true(out->dims[nci_model_find_dim(out, "time")].is_unlimited);
    assert_int_equal(find_var(out, "tas")->rank, 3);
    assert_int_equal(find_var(out, "tas")->array->shape[0], 1);
    CHECK_NEAR(value(out, "time", 0), 5.0, 0);
    CHECK_NEAR(value(out, "time_bnds", 0), 0.5, 0);
    CHECK_NEAR(value(out, "time_bnds", 1), 9.5, 0);
    check_text(out, "time", "bounds", "time_bnds");
    check_text(out, "tas", "cell_methods", "time: mean");
    check_text(out, "tas", "units", "K");
    assert_non_null(strstr(notes, "time has no bounds"));
    assert_int_equal(dim_size(out, "lat"), 5);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void time_mean_joins_bounds(void **state)
{
    (void)state;
    nci_model *model = make_grid(10, "noleap");
    add_range_bounds(model, "time", 0.5, 1);
    put(model, "tas", "cell_methods", "time: mean (interval: 6 hours)");
    ncg_reduce_options o = options(NCG_OP_MAX, "time");
    nci_model *out = reduce(model, o);
    CHECK_NEAR(value(out, "time", 0), 5.0, 0);
    CHECK_NEAR(value(out, "time_bnds", 0), 0.0, 0);
    CHECK_NEAR(value(out, "time_bnds", 1), 10.0, 0);
    check_text(out, "tas", "cell_methods",
               "time: mean (interval: 6 hours) time: maximum");
    assert_string_equal(notes, "");
    nci_model_release(&out);
    o.stamp = NCG_STAMP_LAST;
    out = reduce(model, o);
    CHECK_NEAR(value(out, "time", 0), 10.0, 0);
    nci_model_release(&out);
    o = options(NCG_OP_FIRST, "time");
    out = reduce(model, o);
    CHECK_NEAR(value(out, "time", 0), 0.5, 0);
    CHECK_NEAR(value(out, "time_bnds", 1), 1.0, 0);
    check_text(out, "tas", "cell_methods",
               "time: mean (interval: 6 hours) time: point");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void space_becomes_scalar_coordinates(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    add_range_bounds(model, "lat", -60, 30);
    ncg_reduce_options o = options(NCG_OP_MEAN, "lat lon");
    nci_model *out = reduce(model, o);
    assert_int_equal(find_var(out, "tas")->rank, 1);
    check_text(out, "tas", "coordinates", "lat lon");
    check_text(out, "tas", "cell_methods", "lat: lon: mean");
    assert_int_equal(find_var(out, "lat")->rank, 0);
    CHECK_NEAR(value(out, "lat", 0), 0.0, 0);
    CHECK_NEAR(value(out, "lat_bnds", 0), -75.0, 0);
    CHECK_NEAR(value(out, "lat_bnds", 1), 75.0, 0);
    CHECK_NEAR(value(out, "lon", 0), 157.5, 0);
    check_text(out, "lon", "bounds", "(none)");
    assert_non_null(strstr(notes, "lat is averaged without weights"));
    nci_model_release(&out);
    o.weights = "area";
    out = reduce(model, o);
    check_text(out, "tas", "cell_methods", "area: mean (area-weighted)");
    assert_int_equal(find_var(out, "tas")->array->ninputs, 2);
    assert_string_equal(notes, "");
    nci_model_release(&out);
    o.dims = "lat";
    o.weights = "coslat";
    out = reduce(model, o);
    check_text(out, "tas", "cell_methods", "lat: mean (coslat-weighted)");
    nci_model_release(&out);
    o.keepdims = true;
    out = reduce(model, o);
    assert_int_equal(dim_size(out, "lat"), 1);
    assert_int_equal(find_var(out, "lat")->rank, 1);
    check_text(out, "tas", "coordinates", "(none)");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void months_of_many_years(void **state)
{
    (void)state;
    nci_model *model = make_months(36);
    put(model, "tas", "cell_methods", "time: maximum");
    nci_model *out = mean_by(model, "month");
    assert_int_equal(dim_size(out, "time"), 12);
    assert_int_equal(find_var(out, "tas")->array->shape[0], 12);
    check_text(out, "time", "climatology", "climatology_bnds");
    check_text(out, "time", "bounds", "(none)");
    assert_null(find_var(out, "time_bnds"));
    CHECK_NEAR(value(out, "climatology_bnds", 0), 0.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 1), 730.0 + 31, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 22), 334.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 23), 1095.0, 0);
    CHECK_NEAR(value(out, "time", 0), 15.5, 0);
    CHECK_NEAR(value(out, "time", 11), 349.5, 0);
    check_text(out, "tas", "cell_methods",
               "time: maximum within years time: mean over years");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void seasons_start_with_december(void **state)
{
    (void)state;
    nci_model *model = make_months(24);
    nci_model *out = mean_by(model, "season");
    assert_int_equal(dim_size(out, "time"), 4);
    /* December 1989 to February 1992, the seasons that the data touch. */
    CHECK_NEAR(value(out, "climatology_bnds", 0), -31.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 1), 730.0 + 59, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 2), 59.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 3), 365.0 + 151, 0);
    for (int g = 1; g < 4; g++)
        assert_true(value(out, "time", g) > value(out, "time", g - 1));
    check_text(out, "tas", "cell_methods",
               "time: mean within years time: mean over years");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void years_are_ordinary_cells(void **state)
{
    (void)state;
    nci_model *model = make_months(24);
    nci_model *out = mean_by(model, "year");
    assert_int_equal(dim_size(out, "time"), 2);
    check_text(out, "time", "bounds", "time_bnds");
    CHECK_NEAR(value(out, "time_bnds", 2), 365.0, 0);
    CHECK_NEAR(value(out, "time_bnds", 3), 730.0, 0);
    CHECK_NEAR(value(out, "time", 1), 547.5, 0);
    check_text(out, "tas", "cell_methods", "time: mean");
    /* A second reduction works on what the first left. */
    nci_model *again = reduce(out, options(NCG_OP_STD, "time"));
    CHECK_NEAR(value(again, "time_bnds", 1), 730.0, 0);
    check_text(again, "tas", "cell_methods",
               "time: mean time: standard_deviation");
    check_text(again, "tas", "units_metadata", "temperature: difference");
    nci_model_release(&again);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void daily_data_name_the_method_within_days(void **state)
{
    (void)state;
    nci_model *model = make_grid(800, "noleap");
    put(model, "tas", "cell_methods", "time: maximum");
    nci_model *out = mean_by(model, "month");
    check_text(out, "tas", "cell_methods",
               "time: maximum within days time: mean over days "
               "time: mean over years");
    CHECK_NEAR(value(out, "climatology_bnds", 1), 730.0 + 31, 0);
    nci_model_release(&out);
    out = mean_by(model, "dayofyear");
    assert_int_equal(dim_size(out, "time"), 365);
    CHECK_NEAR(value(out, "climatology_bnds", 2), 1.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 3), 732.0, 0);
    CHECK_NEAR(value(out, "time", 1), 1.5, 0);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void hours_of_the_day(void **state)
{
    (void)state;
    nci_model *model =
        make_line("time", 9, 6, 6, NCG_DTYPE_F64, "hours since 2000-01-01");
    nci_model *out = mean_by(model, "hour");
    assert_int_equal(dim_size(out, "time"), 4);
    /* 00 h has its first step on the second day; all lie on that day. */
    CHECK_NEAR(value(out, "time", 0), 24.0, 0);
    CHECK_NEAR(value(out, "time", 3), 42.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 0), 24.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 1), 48.0, 0);
    CHECK_NEAR(value(out, "climatology_bnds", 2), 6.0, 0);
    check_text(out, "v", "cell_methods",
               "time: mean within days time: mean over days");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void stamps_at_the_end_are_noted(void **state)
{
    (void)state;
    nci_model *model = make_grid(31, "noleap");
    add_range_bounds(model, "time", 0, 1);
    nci_model *out = mean_by(model, "month");
    assert_non_null(strstr(notes, "lies at the end of its bounds"));
    nci_model_release(&out);
    nci_model_release(&model);
}

static void auxiliary_coordinates_with_cells_collapse(void **state)
{
    (void)state;
    const double height[5] = {1, 2, 3, 4, 5};
    const double cells[10] = {0, 1.5, 1.5, 2.5, 2.5, 3.5, 3.5, 4.5, 4.5, 6};
    nci_model *model = make_grid(2, "noleap");
    add_dim(model, "bnds", 2);
    add_values(model, "height", NCI_KIND_COORD, "lat", NCG_DTYPE_F64, height);
    add_values(model, "cells", NCI_KIND_BOUNDS, "lat bnds", NCG_DTYPE_F64,
               cells);
    put(model, "height", "bounds", "cells");
    put(model, "tas", "coordinates", "height");
    nci_model *out = reduce(model, options(NCG_OP_MAX, "lat"));
    CHECK_NEAR(value(out, "height", 0), 3.0, 0);
    CHECK_NEAR(value(out, "cells", 1), 6.0, 0);
    check_text(out, "tas", "coordinates", "height lat");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void units_follow_the_operation(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    nci_model *out = reduce(model, options(NCG_OP_VAR, "time"));
    check_text(out, "tas", "units", "K2");
    check_text(out, "tas", "cell_methods", "time: variance");
    nci_model_release(&out);
    put(model, "tas", "units", "m s-1");
    out = reduce(model, options(NCG_OP_VAR, "time"));
    check_text(out, "tas", "units", "(m s-1)2");
    nci_model_release(&out);
    out = reduce(model, options(NCG_OP_COUNT, "time"));
    check_text(out, "tas", "units", "1");
    check_text(out, "tas", "standard_name", "(none)");
    check_text(out, "tas", "long_name",
               "number of observations of air_temperature");
    check_text(out, "tas", "cell_methods", "(none)");
    nci_model_release(&out);
    out = reduce(model, options(NCG_OP_ARGMAX, "time"));
    check_text(out, "tas", "units", "1");
    nci_model_release(&out);
    out = reduce(model, options(NCG_OP_SUM, "time"));
    check_text(out, "tas", "units", "m s-1");
    nci_model_release(&out);
    ncg_reduce_options o = options(NCG_OP_SUM, "space");
    o.weights = "area";
    put(model, "tas", "units", "1");
    out = reduce(model, o);
    check_text(out, "tas", "units", "m2");
    nci_model_release(&out);
    nci_model_release(&model);
}

static void references_are_kept_true(void **state)
{
    (void)state;
    const double one[5] = {1, 2, 3, 4, 5};
    nci_model *model = make_grid(4, "noleap");
    add_values(model, "height", NCI_KIND_COORD, "", NCG_DTYPE_F64, one);
    add_values(model, "period", NCI_KIND_COORD, "time", NCG_DTYPE_F64, one);
    add_values(model, "basin", NCI_KIND_COORD, "lat", NCG_DTYPE_F64, one);
    add_source(model, "areacella", "lat lon", NCG_DTYPE_F32)->kind =
        NCI_KIND_OTHER;
    add_var(model, "crs", NCI_KIND_OTHER, "")->stored = NCG_DTYPE_I32;
    add_source(model, "name", "lat", NCG_DTYPE_CHAR);
    put(model, "tas", "coordinates", "period height basin");
    put(model, "tas", "cell_measures", "area: areacella volume: outside");
    put(model, "tas", "grid_mapping", "crs");
    nci_model *out = reduce(model, options(NCG_OP_MAX, "lat"));
    check_text(out, "tas", "coordinates", "period height lat");
    check_text(out, "tas", "cell_measures", "(none)");
    check_text(out, "tas", "grid_mapping", "crs");
    assert_null(find_var(out, "areacella"));
    assert_null(find_var(out, "basin"));
    assert_null(find_var(out, "name"));
    assert_non_null(strstr(notes, "no numbers to reduce: name"));
    assert_non_null(strstr(notes, "having lost a dimension: basin, areacella"));
    nci_model_release(&out);
    out = reduce(model, options(NCG_OP_MAX, "time"));
    check_text(out, "tas", "coordinates", "height basin");
    check_text(out, "tas", "cell_measures", "area: areacella volume: outside");
    assert_non_null(find_var(out, "areacella"));
    nci_model_release(&out);
    nci_model_release(&model);
}

static void a_broken_mesh_goes(void **state)
{
    (void)state;
    nci_model *model = nci_model_create();
    add_dim(model, "time", 2);
    add_dim(model, "face", 4);
    add_source(model, "v", "time face", NCG_DTYPE_F32);
    add_source(model, "corners", "face", NCG_DTYPE_I32)->kind = NCI_KIND_OTHER;
    add_var(model, "mesh", NCI_KIND_OTHER, "")->stored = NCG_DTYPE_I32;
    put(model, "mesh", "cf_role", "mesh_topology");
    put(model, "mesh", "face_node_connectivity", "corners");
    put(model, "v", "mesh", "mesh");
    put(model, "v", "location", "face");
    nci_model_find_roles(model);
    nci_model *out = reduce(model, options(NCG_OP_MAX, "time"));
    check_text(out, "v", "mesh", "mesh");
    nci_model_release(&out);
    out = reduce(model, options(NCG_OP_MAX, "face"));
    check_text(out, "v", "mesh", "(none)");
    check_text(out, "v", "location", "(none)");
    assert_null(find_var(out, "mesh"));
    nci_model_release(&out);
    nci_model_release(&model);
}

static void types_of_attributes_stay(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    const char *word = nci_intern("time: maximum");
    const double number = 3;
    nci_attrs *attrs = &find_var(model, "tas")->attrs;
    nci_attrs_put(attrs, "cell_methods", NCG_DTYPE_STRING, 1, &word);
    nci_attrs_put(attrs, "Model\\ scenario", NCG_DTYPE_F64, 1, &number);
    nci_model *out = reduce(model, options(NCG_OP_MEAN, "time"));
    const nci_attrs *now = &find_var(out, "tas")->attrs;
    assert_int_equal(nci_attrs_find(now, "cell_methods")->dtype,
                     NCG_DTYPE_STRING);
    assert_int_equal(nci_attrs_find(now, "Model\\ scenario")->dtype,
                     NCG_DTYPE_F64);
    check_text(out, "tas", "cell_methods", "time: maximum time: mean");
    nci_model_release(&out);
    nci_model_release(&model);
}

static ncg_status reduce_status(const nci_model *model, ncg_reduce_options o)
{
    nci_model *out = NULL;
    ncg_status st = nci_model_reduce(model, &o, NULL, NULL, &out, &err);
    nci_model_release(&out);
    return st;
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    ncg_reduce_options o = options(NCG_OP_STD, "time");
    o.ddof = -1;
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, o));
    CHECK_MESSAGE("ddof=-1");
    o = options(NCG_OP_MEAN, "time");
    o.min_count = -2;
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, o));
    CHECK_MESSAGE("min_count=-2");
    o = options(NCG_OP_MIN, "lat");
    o.weights = "area";
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, o));
    CHECK_MESSAGE("mean, sum, std and var");
    o = options(NCG_OP_STD, "lat");
    o.weights = "area";
    o.ddof = 1;
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, o));
    o = options(NCG_OP_MEAN, "lat");
    o.by = "month";
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, o));
    CHECK_MESSAGE("by=month needs time");
    o = options(NCG_OP_MEAN, "time");
    o.by = "moon";
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, o));
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, options(99, "time")));
    put(model, "lat", "compress", "y x");
    CHECK_STATUS(NCG_EINVAL, reduce_status(model, options(NCG_OP_MEAN, "lat")));
    CHECK_MESSAGE("gathered");
    nci_model_release(&model);
}

static void anomalies_subtract_the_group(void **state)
{
    (void)state;
    nci_model *model = make_grid(60, "noleap"), *out = NULL;
    CHECK_OK(nci_model_anomaly(model, "month", NULL, NULL, &out, &err));
    const nci_node *node = find_var(out, "tas")->array;
    assert_int_equal(node->kind, NCI_NODE_MAP);
    assert_int_equal(node->map, NCI_MAP_SUB);
    const nci_node *laid = node->inputs[1].node;
    assert_int_equal(laid->kind, NCI_NODE_SELECT);
    assert_int_equal(laid->picks[0].count, 60);
    assert_int_equal(laid->picks[0].index[59], 2);
    assert_int_equal(node->shape[0], 60);
    check_text(out, "tas", "long_name", "air_temperature anomaly");
    nci_model_release(&out);
    CHECK_OK(nci_model_anomaly(model, NULL, NULL, NULL, &out, &err));
    assert_int_equal(find_var(out, "tas")->array->inputs[1].axis[0], -1);
    nci_model_release(&out);
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_anomaly(model, "week", NULL, NULL, &out, &err));
    nci_model_release(&model);
}

/* Whichever allocation fails, the answer is ENOMEM and nothing leaks. */
static void memory_may_run_out(void **state)
{
    (void)state;
    nci_model *model = make_months(24);
    for (int64_t n = 1;; n++) {
        nci_model *out = NULL;
        ncg_reduce_options o = options(NCG_OP_MEAN, "time");
        o.by = "season";
        nci_mem_fail_at(n);
        ncg_status st = nci_model_reduce(model, &o, NULL, NULL, &out, &err);
        nci_mem_fail_at(0);
        nci_model_release(&out);
        if (!st)
            break;
        assert_int_equal(st, NCG_ENOMEM);
    }
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(time_mean_keeps_the_dimension),
          NCG_TEST(time_mean_joins_bounds),
          NCG_TEST(space_becomes_scalar_coordinates),
          NCG_TEST(months_of_many_years), NCG_TEST(seasons_start_with_december),
          NCG_TEST(years_are_ordinary_cells),
          NCG_TEST(daily_data_name_the_method_within_days),
          NCG_TEST(hours_of_the_day), NCG_TEST(stamps_at_the_end_are_noted),
          NCG_TEST(auxiliary_coordinates_with_cells_collapse),
          NCG_TEST(units_follow_the_operation),
          NCG_TEST(references_are_kept_true), NCG_TEST(a_broken_mesh_goes),
          NCG_TEST(types_of_attributes_stay), NCG_TEST(bad_options_are_refused),
          NCG_TEST(anomalies_subtract_the_group), NCG_TEST(memory_may_run_out))
