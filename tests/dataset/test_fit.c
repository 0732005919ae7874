/* SPDX-License-Identifier: BSD-3-Clause */
/* Joining files: what must agree between them, and what may differ. */
#include "series.h"

static void other_reference_date(void **state)
{
    (void)state;
    daily("a.nc", 0, 31);
    fake_file *b = daily("b.nc", 0, 10);
    nci_header *h = b->header;
    fake_text(b, 0, "units", "hours since 2000-02-01 00:00:00");
    for (int i = 0; i < 10; i++) {
        ((double *)b->data[0])[i] = 24 * i;
        ((double *)b->data[1])[2 * i] = 24 * i - 12;
        ((double *)b->data[1])[2 * i + 1] = 24 * i + 12;
        for (int k = 0; k < 3; k++)
            ((double *)b->data[3])[3 * i + k] = 100 * (31 + i) + k;
    }
    assert_int_equal(h->nvars, 4);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 41);
    assert_string_equal(
        nci_attrs_text(&fake_find(model, "time")->attrs, "units"),
        "days since 2000-01-01");
}

static void calendars_must_agree(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_file *b = daily("b.nc", 5, 5);
    fake_text(b, 0, "calendar", "noleap");
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: time: calendars differ: standard and noleap");
}

static void equal_calendars_by_other_names(void **state)
{
    (void)state;
    fake_text(daily("a.nc", 0, 5), 0, "calendar", "gregorian");
    fake_text(daily("b.nc", 5, 5), 0, "calendar", "standard");
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 10);
}

static void coordinates_must_agree(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_file *b = daily("b.nc", 5, 5);
    ((double *)b->data[2])[1] = 0.5;
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: lat differs at position 1: 0 and 0.5");
    CHECK_MESSAGE("join=inner");
}

static void inner_cuts_to_what_is_shared(void **state)
{
    (void)state;
    nci_join_options options = {.join = NCG_JOIN_INNER};
    fake_file *b = daily("b.nc", 5, 5);
    ((double *)b->data[2])[1] = 0.5;
    daily("a.nc", 0, 5);
    daily("c.nc", 10, 3);
    CHECK_OK(fake_join(&world, &options, &model, &err));
    assert_int_equal(fake_find(model, "tas")->array->shape[0], 13);
    assert_int_equal(fake_find(model, "tas")->array->shape[1], 2);
    CHECK_NEAR(fake_coord(model, "lat", 0), -10, 0);
    CHECK_NEAR(fake_coord(model, "lat", 1), 10, 0);
    CHECK_NEAR(fake_coord(model, "time", 12), 12, 0);
    CHECK_NEAR(fake_coord(model, "time_bnds", 25), 12.5, 0);
    assert_int_equal(model->join_dim, nci_model_find_dim(model, "time"));
    assert_int_equal(model->file_of[0], 1);
    assert_int_equal(model->file_of[5], 0);
    assert_int_equal(model->file_of[12], 2);
    assert_non_null(strstr(world.notes, "lat cut to the 2 positions"));
    for (int k = 0; k < 3; k++)
        ((double *)b->data[2])[k] += 90;
    nci_model_release(&model);
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, &options, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: data sets 1 and 2 share no value of lat");
}

static void inner_runs_must_not_overlap(void **state)
{
    (void)state;
    nci_join_options options = {.join = NCG_JOIN_INNER,
                                .overlap = NCG_OVERLAP_LAST};
    daily("a.nc", 0, 6);
    fake_file *b = daily("b.nc", 5, 5);
    ((double *)b->data[2])[1] = 0.5;
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, &options, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: they overlap along time");
}

static void rounding_is_told(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_file *b = daily("b.nc", 5, 5);
    ((double *)b->data[2])[2] = 10.000001;
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    assert_non_null(strstr(world.notes, "lat differs by less than 1e-6"));
    CHECK_NEAR(fake_coord(model, "lat", 2), 10, 0);
}

static void units_must_agree(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_text(daily("b.nc", 5, 5), 3, "units", "kelvin");
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    nci_model_release(&model);
    fake_text(daily("c.nc", 10, 5), 3, "units", "degC");
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, c.nc: tas: units differ: \"K\" and \"degC\"");
}

/* A file whose tas is packed with its own scale. */
static void packed(const char *path, double start, double scale, double fill)
{
    double time[] = {start, start + 1}, raw[] = {10, fill};
    fake_file *f = fake_add_file(&world, path);
    fake_dim(f, "time", 2, true);
    int t = fake_var(f, "time", NCG_DTYPE_F64, "time", time);
    fake_text(f, t, "units", "days since 2000-01-01");
    int v = fake_var(f, "tas", NCG_DTYPE_I16, "time", raw);
    if (scale != 1)
        fake_number(f, v, "scale_factor", NCG_DTYPE_F64, scale);
    fake_number(f, v, "_FillValue", NCG_DTYPE_I16, fill);
}

static void packed_differently(void **state)
{
    (void)state;
    packed("a.nc", 0, 0.5, -1);
    packed("b.nc", 2, 0.25, -2);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_source_spec *spec = fake_spec(&world, model, "tas");
    double expected[] = {5, NAN, 2.5, NAN};
    assert_int_equal(spec->dtype, NCG_DTYPE_F64);
    for (int64_t i = 0; i < 4; i++)
        CHECK_NEAR(fake_value(&world, spec, &i), expected[i], 0);
    assert_null(
        nci_attrs_find(&fake_find(model, "tas")->attrs, "scale_factor"));
}

static void integers_of_different_fill(void **state)
{
    (void)state;
    packed("a.nc", 0, 1, -1);
    packed("b.nc", 2, 1, -2);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_source_spec *spec = fake_spec(&world, model, "tas");
    assert_int_equal(spec->dtype, NCG_DTYPE_F32); /* -1 is a value of b */
    assert_false(spec->has_missing);
}

static void integers_of_one_fill(void **state)
{
    (void)state;
    packed("a.nc", 0, 1, -1);
    packed("b.nc", 2, 1, -1);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_source_spec *spec = fake_spec(&world, model, "tas");
    int16_t missing;
    memcpy(&missing, spec->missing, sizeof missing);
    assert_int_equal(spec->dtype, NCG_DTYPE_I16);
    assert_true(spec->has_missing);
    assert_int_equal(missing, -1);
}

static void variable_missing_in_one_file(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_file *b = daily("b.nc", 5, 5);
    fake_var(b, "pr", NCG_DTYPE_F32, "time lat", NULL);
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc has no variable pr, which b.nc has");
    nci_join_options options = {.missing_fill = true};
    CHECK_OK(fake_join(&world, &options, &model, &err));
    check_days(0, 10);
    const nci_source_spec *spec = fake_spec(&world, model, "pr");
    int64_t first[] = {4, 0}, second[] = {5, 0};
    assert_true(isnan(fake_value(&world, spec, first)));
    CHECK_NEAR(fake_value(&world, spec, second), 0, 0);
}

static void ranks_and_dtypes_must_agree(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    daily("b.nc", 5, 5)->header->vars[3].dtype = NCG_DTYPE_F32;
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: tas: dtypes differ: f8 and f4");
    world.files[1].header->vars[3].dtype = NCG_DTYPE_F64;
    world.files[1].header->vars[3].rank = 1;
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("ranks differ");
}

static void sizes_must_agree(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    daily("b.nc", 5, 5)->header->dims[1].size = 2;
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("dimension lat has 3 and 2 positions");
    nci_join_options options = {.join = NCG_JOIN_INNER};
    CHECK_OK(fake_join(&world, &options, &model, &err));
    assert_int_equal(fake_find(model, "tas")->array->shape[1], 2);
    nci_model_release(&model);
    for (int f = 0; f < 2; f++) { /* lat is not the coordinate any more */
        nci_free(world.files[f].header->vars[2].name);
        world.files[f].header->vars[2].name = nci_strdup("y");
    }
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, &options, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: ");
}

static void scalars_of_files_may_differ(void **state)
{
    (void)state;
    scalar_height(daily("a.nc", 0, 5), 2);
    scalar_height(daily("b.nc", 5, 5), 3);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_variable *height = fake_find(model, "height");
    assert_int_equal(height->rank, 1);
    CHECK_NEAR(fake_coord(model, "height", 4), 2, 0);
    CHECK_NEAR(fake_coord(model, "height", 5), 3, 0);
}

static void text_is_joined(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fake_file *f = daily(i ? "b.nc" : "a.nc", 2 * i, 2);
        fake_dim(f, "letters", 3, false);
        int v = fake_var(f, "label", NCG_DTYPE_CHAR, "time letters", NULL);
        memcpy(f->data[v], i ? "ghijkl" : "abcdef", 6);
        v = fake_var(f, "word", NCG_DTYPE_STRING, "time", NULL);
        ((const char **)f->data[v])[0] = nci_intern(i ? "three" : "one");
        ((const char **)f->data[v])[1] = nci_intern(i ? "four" : "two");
    }
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_variable *label = fake_find(model, "label");
    const nci_variable *word = fake_find(model, "word");
    assert_int_equal(label->kind, NCI_KIND_OTHER);
    assert_memory_equal(nci_buf_data(label->array->data), "abcdefghijkl", 12);
    const char *const *words = nci_buf_data(word->array->data);
    assert_string_equal(words[2], "three");
}

/* Integer times with other reference dates become doubles. */
static void integer_times_are_rebased(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        double time[] = {0, 12};
        fake_file *f = fake_add_file(&world, i ? "b.nc" : "a.nc");
        fake_dim(f, "time", 2, false);
        int t = fake_var(f, "time", NCG_DTYPE_I32, "time", time);
        fake_text(f, t, "units",
                  i ? "hours since 2000-01-02 06:00"
                    : "hours since 2000-01-01");
        fake_var(f, "tas", NCG_DTYPE_F32, "time", time);
    }
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    double expected[] = {0, 12, 30, 42};
    for (int64_t i = 0; i < 4; i++)
        CHECK_NEAR(fake_coord(model, "time", i), expected[i], 0);
    assert_int_equal(fake_find(model, "time")->array->dtype, NCG_DTYPE_F64);
}

static void leap_seconds_are_not_guessed(void **state)
{
    (void)state;
    fake_text(daily("a.nc", 0, 5), 0, "calendar", "utc");
    fake_file *b = daily("b.nc", 5, 5);
    fake_text(b, 0, "calendar", "utc");
    fake_text(b, 0, "units", "days since 2001-01-01");
    CHECK_STATUS(NCG_EUNSUPPORTED, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: time: reference dates differ");
}

static void bounds_of_some_files_are_left_out(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_file *b = daily("b.nc", 5, 5);
    nci_free(b->header->vars[1].name);
    b->header->vars[1].name = nci_strdup("bounds_of_time");
    fake_text(b, 0, "bounds", "bounds_of_time");
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    assert_int_equal(nci_model_find_var(model, "time_bnds"), -1);
    assert_null(nci_attrs_find(&fake_find(model, "time")->attrs, "bounds"));
    assert_non_null(strstr(world.notes, "time_bnds"));
}

/* Real files state ranges that cut off the poles. */
static void valid_range_spares_coordinates(void **state)
{
    (void)state;
    fake_number(daily("a.nc", 0, 5), 2, "valid_max", NCG_DTYPE_F64, 5);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    CHECK_NEAR(fake_coord(model, "lat", 2), 10, 0);
}

static void missing_time(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    fake_file *b = daily("b.nc", 5, 5);
    ((double *)b->data[0])[2] = 9.96920996838687e36;
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("b.nc: time: the value at position 2 is missing");
}

static void unknown_calendar(void **state)
{
    (void)state;
    fake_text(daily("a.nc", 0, 5), 0, "calendar", "martian");
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    nci_model_release(&model);
    fake_text(daily("b.nc", 5, 5), 0, "calendar", "martian");
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 10);
    assert_non_null(strstr(world.notes, "martian"));
}

NCG_TESTS(JOIN_TEST(other_reference_date), JOIN_TEST(calendars_must_agree),
          JOIN_TEST(equal_calendars_by_other_names),
          JOIN_TEST(coordinates_must_agree),
          JOIN_TEST(inner_cuts_to_what_is_shared),
          JOIN_TEST(inner_runs_must_not_overlap), JOIN_TEST(rounding_is_told),
          JOIN_TEST(units_must_agree), JOIN_TEST(packed_differently),
          JOIN_TEST(integers_of_different_fill),
          JOIN_TEST(integers_of_one_fill),
          JOIN_TEST(variable_missing_in_one_file),
          JOIN_TEST(ranks_and_dtypes_must_agree), JOIN_TEST(sizes_must_agree),
          JOIN_TEST(scalars_of_files_may_differ), JOIN_TEST(text_is_joined),
          JOIN_TEST(integer_times_are_rebased),
          JOIN_TEST(leap_seconds_are_not_guessed),
          JOIN_TEST(bounds_of_some_files_are_left_out),
          JOIN_TEST(valid_range_spares_coordinates), JOIN_TEST(missing_time),
          JOIN_TEST(unknown_calendar))
