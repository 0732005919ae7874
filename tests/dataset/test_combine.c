/* SPDX-License-Identifier: BSD-3-Clause */
/* Alignment, merging, joining and arithmetic by name: times, bounds, units,
 * attributes. Values are compared with xarray's in tests/api/xarray_check. */
#include "dataset/combine.h"
#include "ops_model.h"

static char last_note[400];

static void keep_note(const char *note, void *payload)
{
    (void)payload;
    snprintf(last_note, sizeof last_note, "%s", note);
}

static nci_combining how_to(ncg_join join)
{
    last_note[0] = '\0';
    return (nci_combining){.join = join, .note = keep_note};
}

/* Three days from `first` in the units given, with bounds and v(time). */
static nci_model *make_days(const char *units, double first)
{
    nci_model *model = nci_model_create();
    assert_non_null(nci_model_add_dim(model, "time", 3, true));
    add_range(model, "time", first, 1, NCG_DTYPE_F64);
    put(model, "time", "units", units);
    add_range_bounds(model, "time", first, 1);
    add_source(model, "v", "time", NCG_DTYPE_F32);
    put(model, "v", "units", "K");
    nci_model_find_roles(model);
    return model;
}

static void times_meet_as_moments(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("days since 2000-01-11", 0.5);
    const nci_model *both[] = {a, b};
    nci_model *out[2] = {NULL, NULL};
    nci_combining how = how_to(NCG_JOIN_EXACT);
    CHECK_OK(nci_models_align(both, 2, &how, NULL, out, &err));
    assert_string_equal(attr(out[1], "time", "units"), "days since 2000-01-01");
    CHECK_NEAR(value(out[1], "time", 0), 10.5, 0);
    CHECK_NEAR(value(out[1], "time_bnds", 1), 11, 0);
    assert_ptr_equal(find_var(out[1], "v")->array, find_var(b, "v")->array);
    nci_models_release(out, 2);
    nci_model_release(&a);
    nci_model_release(&b);
}

static void outer_fills_and_lends_bounds(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("hours since 2000-01-01", 276);
    const nci_model *both[] = {a, b};
    nci_model *out[2] = {NULL, NULL};
    nci_combining how = how_to(NCG_JOIN_OUTER);
    CHECK_OK(nci_models_align(both, 2, &how, NULL, out, &err));
    /* 10.5 11.5 12.5 and 11.5, an hour later, two hours later */
    assert_int_equal(dim_size(out[0], "time"), 5);
    assert_int_equal(dim_size(out[1], "time"), 5);
    CHECK_NEAR(value(out[1], "time", 0), 10.5, 0);
    CHECK_NEAR(value(out[1], "time", 4), 12.5, 0);
    CHECK_NEAR(value(out[0], "time", 2), 11.5 + 1 / 24.0, 1e-12);
    CHECK_NEAR(value(out[1], "time_bnds", 0), 10, 0);
    CHECK_NEAR(value(out[0], "time_bnds", 4), 11.5 + 0.5 / 24, 1e-12);
    assert_int_equal(find_var(out[0], "v")->array->kind, NCI_NODE_MAP);
    nci_models_release(out, 2);
    nci_model_release(&a);
    nci_model_release(&b);
}

static void errors_name_values_and_remedy(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("days since 2000-01-01", 11.5);
    nci_model *c = make_days("days since 2000-01-01", 90.5);
    nci_model *out[2] = {NULL, NULL}, *one = NULL;
    const nci_model *ab[] = {a, b}, *ac[] = {a, c};
    nci_combining how = how_to(NCG_JOIN_EXACT);
    CHECK_STATUS(NCG_EMISMATCH, nci_models_align(ab, 2, &how, NULL, out, &err));
    CHECK_MESSAGE("time");
    CHECK_MESSAGE("2000-01-11T12:00:00 and 2000-01-12T12:00:00");
    CHECK_MESSAGE("inner");
    how = how_to(NCG_JOIN_INNER);
    CHECK_STATUS(NCG_EMISMATCH, nci_models_align(ac, 2, &how, NULL, out, &err));
    CHECK_MESSAGE("share no value of time");
    assert_null(out[0]);
    put(c, "time", "calendar", "noleap");
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_model_binary("add", a, c, &how, &one, &err));
    CHECK_MESSAGE("calendar");
    CHECK_STATUS(NCG_EINVAL, nci_model_binary("ad", a, b, &how, &one, &err));
    CHECK_MESSAGE("add");
    nci_model_release(&a);
    nci_model_release(&b);
    nci_model_release(&c);
}

static void repeated_positions_are_refused(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("days since 2000-01-01", 11.5);
    nci_model *out[2] = {NULL, NULL};
    double twice[] = {10.5, 10.5, 11.5};
    nci_variable *time = find_var(a, "time");
    nci_node_release(&time->array);
    CHECK_OK(nci_array_f64(NCG_DTYPE_F64, 1, &(int64_t){3}, twice, &time->array,
                           &err));
    const nci_model *both[] = {a, b};
    nci_combining how = how_to(NCG_JOIN_INNER);
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_models_align(both, 2, &how, NULL, out, &err));
    CHECK_MESSAGE("positions 0 and 1");
    nci_model_release(&a);
    nci_model_release(&b);
}

/* What a difference, a sum of other units and a product say of themselves. */
static void attributes_stay_where_they_are_true(void **state)
{
    (void)state;
    nci_model *a = make_grid(4, "noleap"), *b = make_grid(4, "noleap");
    nci_model *out = NULL;
    nci_combining how = how_to(NCG_JOIN_EXACT);
    put(a, "tas", "cell_methods", "time: mean");
    put(b, "tas", "cell_methods", "time: maximum");
    put(b, "tas", "units", "kelvin");
    put(a, "tas", "grid_mapping", "crs");
    put(a, "tas", "actual_range", "1 2");
    CHECK_OK(nci_model_binary("subtract", a, b, &how, &out, &err));
    assert_string_equal(attr(out, "tas", "units"), "K");
    assert_string_equal(attr(out, "tas", "standard_name"), "air_temperature");
    assert_string_equal(attr(out, "tas", "cell_methods"), "(none)");
    assert_string_equal(attr(out, "tas", "grid_mapping"), "crs");
    assert_string_equal(attr(out, "tas", "actual_range"), "(none)");
    assert_string_equal(attr(out, "tas", "units_metadata"),
                        "temperature: difference");
    nci_model_release(&out);
    CHECK_OK(nci_model_binary("multiply", a, b, &how, &out, &err));
    assert_string_equal(attr(out, "tas", "units"), "(none)");
    assert_string_equal(attr(out, "tas", "standard_name"), "(none)");
    nci_model_release(&out);
    put(b, "tas", "units", "degC");
    CHECK_OK(nci_model_binary("add", a, b, &how, &out, &err));
    assert_string_equal(attr(out, "tas", "units"), "(none)");
    assert_non_null(strstr(last_note, "degC"));
    nci_model_release(&out);
    CHECK_OK(nci_model_scalar("subtract", a, 273.15, false, &how, &out, &err));
    assert_string_equal(attr(out, "tas", "units"), "(none)");
    assert_int_equal(find_var(out, "tas")->array->dtype, NCG_DTYPE_F32);
    nci_model_release(&out);
    CHECK_OK(nci_model_map("negative", a, &how, &out, &err));
    assert_string_equal(attr(out, "tas", "units"), "K");
    nci_model_release(&out);
    nci_model_release(&a);
    nci_model_release(&b);
}

/* A mean over time stands for the times of its period, not for others. */
static void a_mean_is_broadcast(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5), *mean = NULL;
    nci_model *later = make_days("days since 2000-03-01", 10.5), *out = NULL;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    nci_combining how = how_to(NCG_JOIN_EXACT);
    o.dims = "time";
    CHECK_OK(nci_model_reduce(a, &o, NULL, NULL, &mean, &err));
    assert_int_equal(dim_size(mean, "time"), 1);
    CHECK_OK(nci_model_binary("subtract", a, mean, &how, &out, &err));
    assert_int_equal(dim_size(out, "time"), 3);
    assert_string_equal(attr(out, "time", "bounds"), "time_bnds");
    assert_int_equal(find_var(out, "v")->rank, 1);
    nci_model_release(&out);
    CHECK_OK(nci_model_binary("subtract", mean, a, &how, &out, &err));
    assert_int_equal(dim_size(out, "time"), 3);
    nci_model_release(&out);
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_model_binary("subtract", later, mean, &how, &out, &err));
    nci_model_release(&mean);
    nci_model_release(&later);
    nci_model_release(&a);
}

static void merge_conflicts_are_errors(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("days since 2000-01-01", 10.5), *out = NULL;
    const nci_model *both[] = {a, b};
    nci_combining how = how_to(NCG_JOIN_EXACT);
    add_values(a, "m", NCI_KIND_DATA, "time", NCG_DTYPE_F64,
               (const double[]){1, NAN, 3});
    add_values(b, "m", NCI_KIND_DATA, "time", NCG_DTYPE_F64,
               (const double[]){1, 2, 3});
    CHECK_STATUS(NCG_EMISMATCH, nci_models_merge(both, 2, &how, &out, &err));
    CHECK_MESSAGE("m has other values");
    CHECK_MESSAGE("override");
    how.compat = NCG_COMPAT_OVERRIDE;
    CHECK_OK(nci_models_merge(both, 2, &how, &out, &err));
    assert_true(isnan(value(out, "m", 1)));
    nci_model_release(&out);
    nci_model_release(&a);
    nci_model_release(&b);
}

static void concat_counts_from_the_first_date(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("hours since 2000-01-14", 12), *out = NULL;
    const nci_model *both[] = {a, b};
    nci_combining how = how_to(NCG_JOIN_EXACT);
    CHECK_OK(nci_models_concat(both, 2, "time", &how, &out, &err));
    assert_int_equal(dim_size(out, "time"), 6);
    CHECK_NEAR(value(out, "time", 3), 13.5, 1e-12);
    CHECK_NEAR(value(out, "time_bnds", 6), 13.5 - 0.5 / 24, 1e-12);
    assert_int_equal(find_var(out, "v")->array->shape[0], 6);
    assert_true(out->dims[nci_model_find_dim(out, "time")].is_unlimited);
    nci_model_release(&out);
    put(b, "v", "units", "degC");
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_models_concat(both, 2, "time", &how, &out, &err));
    CHECK_MESSAGE("units");
    CHECK_MESSAGE("v");
    nci_model_release(&a);
    nci_model_release(&b);
}

static void scalar_coordinates_stack(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5), *out = NULL;
    nci_model *b = make_days("days since 2000-01-01", 10.5);
    const nci_model *both[] = {a, b};
    nci_combining how = how_to(NCG_JOIN_EXACT);
    add_values(a, "height", NCI_KIND_COORD, "", NCG_DTYPE_F64, &(double){2});
    add_values(b, "height", NCI_KIND_COORD, "", NCG_DTYPE_F64, &(double){10});
    CHECK_OK(nci_models_concat(both, 2, "height", &how, &out, &err));
    assert_int_equal(dim_size(out, "height"), 2);
    CHECK_NEAR(value(out, "height", 1), 10, 0);
    assert_int_equal(find_var(out, "height")->kind, NCI_KIND_COORD);
    assert_int_equal(find_var(out, "v")->rank, 2);
    assert_int_equal(find_var(out, "time")->rank, 1);
    nci_model_release(&out);
    nci_model_release(&a);
    nci_model_release(&b);
}

/* The n-th allocation fails, n = 1, 2, ... */
#define CHECK_ALLOCATIONS(models, n, build)                                    \
    do {                                                                       \
        for (int64_t nth_ = 1;; nth_++) {                                      \
            nci_mem_fail_at(nth_);                                             \
            ncg_status fail_st_ = (build);                                     \
            nci_mem_fail_at(0);                                                \
            if (!fail_st_)                                                     \
                break;                                                         \
            if (fail_st_ != NCG_ENOMEM)                                        \
                fail_msg("allocation %lld: %s: %s", (long long)nth_,           \
                         ncg_status_name(fail_st_), err.message);              \
        }                                                                      \
        nci_models_release(models, n);                                         \
    } while (0)

static void memory_runs_out(void **state)
{
    (void)state;
    nci_model *a = make_days("days since 2000-01-01", 10.5);
    nci_model *b = make_days("hours since 2000-01-01", 276);
    nci_model *c = make_days("days since 2000-02-01", 1.5);
    const nci_model *both[] = {a, b}, *later[] = {a, c};
    nci_model *out[2] = {NULL, NULL};
    nci_combining how = how_to(NCG_JOIN_OUTER);
    const char *from[] = {"time", "v"}, *to[] = {"t", "w"};
    CHECK_ALLOCATIONS(out, 2, nci_models_align(both, 2, &how, NULL, out, &err));
    how.compat = NCG_COMPAT_OVERRIDE;
    CHECK_ALLOCATIONS(out, 1, nci_models_merge(both, 2, &how, out, &err));
    CHECK_ALLOCATIONS(out, 1,
                      nci_models_concat(later, 2, "time", &how, out, &err));
    CHECK_ALLOCATIONS(out, 1, nci_model_binary("add", a, b, &how, out, &err));
    CHECK_ALLOCATIONS(out, 1,
                      nci_model_scalar("add", a, 1, false, &how, out, &err));
    CHECK_ALLOCATIONS(out, 1, nci_model_rename(a, from, to, 2, out, &err));
    CHECK_ALLOCATIONS(out, 1, nci_model_drop(a, from, 1, out, &err));
    CHECK_ALLOCATIONS(
        out, 1,
        nci_model_assign(a, "w", find_var(a, "v")->array, from, out, &err));
    CHECK_ALLOCATIONS(
        out, 1,
        nci_model_set_attr(a, "v", "units", NCG_DTYPE_CHAR, 1, "m", out, &err));
    nci_model_release(&a);
    nci_model_release(&b);
    nci_model_release(&c);
}

NCG_TESTS(NCG_TEST(times_meet_as_moments),
          NCG_TEST(outer_fills_and_lends_bounds),
          NCG_TEST(errors_name_values_and_remedy),
          NCG_TEST(repeated_positions_are_refused),
          NCG_TEST(attributes_stay_where_they_are_true),
          NCG_TEST(a_mean_is_broadcast),
          NCG_TEST(merge_conflicts_are_errors),
          NCG_TEST(concat_counts_from_the_first_date),
          NCG_TEST(scalar_coordinates_stack), NCG_TEST(memory_runs_out))
