/* SPDX-License-Identifier: BSD-3-Clause */
/* Joining files: order, overlaps, groups of variables, memory. */
#include "series.h"

static void one_file(void **state)
{
    (void)state;
    fake_file *f = daily("a.nc", 0, 20);
    nci_attrs_put_text(&f->header->attrs, "title", "one");
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 20);
    assert_int_equal(model->nvars, 4);
    assert_int_equal(fake_find(model, "tas")->kind, NCI_KIND_DATA);
    assert_int_equal(fake_find(model, "lat")->kind, NCI_KIND_COORD);
    assert_int_equal(fake_find(model, "time_bnds")->kind, NCI_KIND_BOUNDS);
    assert_int_equal(model->join_dim, -1);
    assert_null(model->file_of);
    assert_string_equal(nci_attrs_text(&model->attrs, "title"), "one");
    assert_string_equal(model->file_names[0], "a.nc");
    assert_int_equal(world.nnotes, 0);
    int time = nci_model_find_var(model, "time");
    assert_int_equal(nci_model_bounds(model, time),
                     nci_model_find_var(model, "time_bnds"));
    assert_int_equal(fake_spec(&world, model, "tas")->grid.axis[0].nchunks, 3);
}

static void sorted_by_time(void **state)
{
    (void)state;
    daily("dir/c.nc", 40, 10);
    daily("dir/a.nc", 0, 20);
    daily("dir/b.nc", 20, 20);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 50);
    assert_int_equal(model->join_dim, nci_model_find_dim(model, "time"));
    assert_int_equal(model->file_of[0], 1);
    assert_int_equal(model->file_of[19], 1);
    assert_int_equal(model->file_of[20], 2);
    assert_int_equal(model->file_of[49], 0);
    assert_string_equal(model->file_names[0], "c.nc");
    assert_int_equal(world.nnotes, 0);
    assert_int_equal(fake_spec(&world, model, "tas")->grid.axis[0].nchunks,
                     3 + 3 + 2);
}

static void overlap_is_an_error(void **state)
{
    (void)state;
    daily("a.nc", 0, 20);
    daily("b.nc", 15, 20);
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc");
    CHECK_MESSAGE("2000-01-16");
}

static void check_overlap(ncg_overlap overlap, int64_t from_b)
{
    nci_join_options options = {.overlap = overlap};
    daily("a.nc", 0, 20);
    daily("b.nc", 15, 20);
    CHECK_OK(fake_join(&world, &options, &model, &err));
    check_days(0, 35);
    assert_int_equal(model->file_of[from_b - 1], 0);
    assert_int_equal(model->file_of[from_b], 1);
    assert_non_null(strstr(world.notes, "5 steps"));
}

static void overlap_first(void **state)
{
    (void)state;
    check_overlap(NCG_OVERLAP_FIRST, 20);
}

static void overlap_last(void **state)
{
    (void)state;
    check_overlap(NCG_OVERLAP_LAST, 15);
}

static void overlap_of_nested_files(void **state)
{
    (void)state;
    nci_join_options options = {.overlap = NCG_OVERLAP_LAST};
    daily("year.nc", 0, 100);
    daily("patch.nc", 30, 10);
    CHECK_OK(fake_join(&world, &options, &model, &err));
    check_days(0, 100);
    const nci_source_spec *spec = fake_spec(&world, model, "tas");
    assert_int_equal(spec->nsegments, 3);
    assert_int_equal(model->file_of[29], 0);
    assert_int_equal(model->file_of[35], 1);
    assert_int_equal(model->file_of[40], 0);
}

static void equal_files_overlap(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    daily("b.nc", 0, 5);
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc");
}

static void gaps_are_told(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    daily("b.nc", 5, 5);
    daily("c.nc", 20, 5);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    assert_non_null(strstr(world.notes, "1 gap between files"));
    assert_non_null(strstr(world.notes, "2000-01-10 (b.nc) to 2000-01-21"));
}

static void variables_in_files_of_their_own(void **state)
{
    (void)state;
    daily("tas1.nc", 0, 5);
    daily("tas2.nc", 5, 5);
    only("pr1.nc", "pr", 0, 10);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 10);
    assert_int_equal(model->nvars, 5);
    assert_int_equal(fake_spec(&world, model, "pr")->shape[0], 10);
    assert_int_equal(model->ndims, 3);
}

static void times_of_variables_must_agree(void **state)
{
    (void)state;
    daily("tas.nc", 0, 5);
    only("pr.nc", "pr", 1, 5);
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("tas.nc, pr.nc: time differs at position 0");
    nci_join_options options = {.join = NCG_JOIN_INNER};
    CHECK_OK(fake_join(&world, &options, &model, &err));
    assert_int_equal(model->dims[nci_model_find_dim(model, "time")].size, 4);
    CHECK_NEAR(fake_coord(model, "time", 0), 1, 0);
    assert_int_equal(fake_find(model, "pr")->array->shape[0], 4);
}

static void scalars_of_variables_may_differ(void **state)
{
    (void)state;
    scalar_height(daily("tas.nc", 0, 5), 2);
    scalar_height(only("uas.nc", "uas", 0, 5), 10);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    CHECK_NEAR(fake_coord(model, "height", 0), 2, 0);
    CHECK_NEAR(fake_coord(model, "height_2", 0), 10, 0);
    assert_string_equal(
        nci_attrs_text(&fake_find(model, "uas")->attrs, "coordinates"),
        "height_2");
    assert_string_equal(
        nci_attrs_text(&fake_find(model, "tas")->attrs, "coordinates"),
        "height");
}

static void named_variables(void **state)
{
    (void)state;
    fake_file *f = daily("a.nc", 0, 5);
    fake_var(f, "pr", NCG_DTYPE_F32, "time lat", NULL);
    nci_join_options options = {.variables = "tas"};
    CHECK_OK(fake_join(&world, &options, &model, &err));
    assert_int_equal(model->nvars, 4);
    assert_int_equal(nci_model_find_var(model, "pr"), -1);
    nci_model_release(&model);
    options.variables = "tas, tis";
    CHECK_STATUS(NCG_EINVAL, fake_join(&world, &options, &model, &err));
    CHECK_MESSAGE("a.nc: no variable \"tis\"; did you mean \"tas\"?");
    options.variables = ",";
    CHECK_STATUS(NCG_EINVAL, fake_join(&world, &options, &model, &err));
}

static void types_that_cannot_be_read(void **state)
{
    (void)state;
    fake_file *f = daily("a.nc", 0, 5);
    int v = fake_var(f, "parts", NCG_DTYPE_F64, "time", NULL);
    f->header->vars[v].klass = NCI_VAR_COMPOUND;
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    assert_non_null(strstr(world.notes, "parts: left out"));
    assert_int_equal(nci_model_find_var(model, "parts"), -1);
    nci_model_release(&model);
    nci_join_options options = {.variables = "parts"};
    CHECK_STATUS(NCG_EUNSUPPORTED, fake_join(&world, &options, &model, &err));
    CHECK_MESSAGE("compound");
}

static void steps_between_steps(void **state)
{
    (void)state;
    fake_file *a = daily("even.nc", 0, 5), *b = daily("odd.nc", 0, 5);
    for (int i = 0; i < 5; i++) {
        ((double *)a->data[0])[i] = 2 * i;
        ((double *)b->data[0])[i] = 2 * i + 1;
    }
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    for (int64_t i = 0; i < 10; i++) {
        CHECK_NEAR(fake_coord(model, "time", i), (double)i, 0);
        assert_int_equal(model->file_of[i], i % 2);
    }
}

static void strip(const char *path, double first, double step, int n)
{
    double lat[10];
    for (int i = 0; i < n; i++)
        lat[i] = first + i * step;
    fake_file *f = fake_add_file(&world, path);
    fake_dim(f, "lat", n, false);
    int v = fake_var(f, "lat", NCG_DTYPE_F32, "lat", lat);
    fake_text(f, v, "units", "degrees_north");
    fake_var(f, "z", NCG_DTYPE_F32, "lat", lat);
}

static void falling_coordinate(void **state)
{
    (void)state;
    strip("south.nc", 80, -1, 3);
    strip("north.nc", 90, -1, 10);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    assert_int_equal(model->dims[0].size, 13);
    for (int64_t i = 0; i < 13; i++)
        CHECK_NEAR(fake_coord(model, "lat", i), 90 - (double)i, 0);
    assert_int_equal(fake_find(model, "lat")->array->dtype, NCG_DTYPE_F32);
}

/* One of them would have to be read backwards: that is the user's to say. */
static void opposite_directions(void **state)
{
    (void)state;
    strip("one.nc", 95, -1, 1);
    strip("down.nc", 90, -1, 10);
    strip("up.nc", 70, 1, 10);
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("down.nc, up.nc: lat falls in the first and rises in the "
                  "second");
}

/* NEMO: a counter without units, the times in an auxiliary coordinate. */
static fake_file *nemo(const char *path, double start, bool has_times)
{
    double counter[] = {1, 2, 3}, times[] = {start, start + 1, start + 2};
    fake_file *f = fake_add_file(&world, path);
    fake_dim(f, "time_counter", 3, true);
    fake_var(f, "time_counter", NCG_DTYPE_F64, "time_counter", counter);
    int t = fake_var(f, "time_centered", NCG_DTYPE_F64, "time_counter", times);
    fake_text(f, t, "units", has_times ? "days since 2000-01-01" : "1");
    int v = fake_var(f, "sst", NCG_DTYPE_F64, "time_counter", times);
    fake_text(f, v, "coordinates", "time_centered");
    return f;
}

static void auxiliary_time(void **state)
{
    (void)state;
    nemo("b.nc", 3, true);
    nemo("a.nc", 0, true);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_source_spec *spec = fake_spec(&world, model, "sst");
    for (int64_t i = 0; i < 6; i++)
        CHECK_NEAR(fake_value(&world, spec, &i), (double)i, 0);
    int dim = nci_model_find_dim(model, "time_counter");
    assert_int_equal(nci_model_coord(model, dim),
                     nci_model_find_var(model, "time_centered"));
}

static void counter_joins_in_the_order_given(void **state)
{
    (void)state;
    nemo("b.nc", 3, false);
    nemo("a.nc", 0, false);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_source_spec *spec = fake_spec(&world, model, "sst");
    int64_t at = 0;
    CHECK_NEAR(fake_value(&world, spec, &at), 3, 0);
    assert_int_equal(spec->shape[0], 6);
    assert_non_null(strstr(world.notes, "order given"));
}

/* Curvilinear positions stay in the files; those that move with time are
 * joined as data are. */
static void large_coordinates_stay_in_files(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fake_file *f = daily(i ? "b.nc" : "a.nc", 5 * i, 5);
        fake_dim(f, "x", 4, false);
        fake_var(f, "nav_lat", NCG_DTYPE_F32, "lat x", NULL);
        fake_var(f, "zeta", NCG_DTYPE_F32, "time lat", NULL);
        fake_text(f, 3, "coordinates", "nav_lat zeta");
    }
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    assert_int_equal(fake_find(model, "nav_lat")->kind, NCI_KIND_COORD);
    assert_int_equal(fake_spec(&world, model, "nav_lat")->join_axis, -1);
    assert_int_equal(fake_spec(&world, model, "zeta")->shape[0], 10);
}

static void variables_of_groups(void **state)
{
    (void)state;
    double time[] = {0, 1}, bnds[] = {-1, 0, 0, 1};
    fake_file *f = fake_add_file(&world, "a.nc");
    fake_dim(f, "/g/time", 2, true);
    fake_dim(f, "/g/bnds", 2, false);
    int t = fake_var(f, "/g/time", NCG_DTYPE_F64, "/g/time", time);
    fake_text(f, t, "units", "days since 2000-01-01");
    fake_text(f, t, "bounds", "time_bnds");
    fake_var(f, "/g/time_bnds", NCG_DTYPE_F64, "/g/time /g/bnds", bnds);
    int v = fake_var(f, "/g/T", NCG_DTYPE_F32, "/g/time", time);
    fake_text(f, v, "grid_mapping", "crs");
    fake_var(f, "crs", NCG_DTYPE_I32, "", NULL);
    nci_join_options options = {.variables = "g/T"};
    CHECK_OK(fake_join(&world, &options, &model, &err));
    assert_int_equal(model->nvars, 4);
    assert_int_equal(fake_find(model, "/g/time_bnds")->kind, NCI_KIND_BOUNDS);
    assert_int_equal(fake_find(model, "crs")->kind, NCI_KIND_OTHER);
    int time_var = nci_model_find_var(model, "/g/time");
    assert_int_equal(nci_model_bounds(model, time_var),
                     nci_model_find_var(model, "/g/time_bnds"));
}

static void nothing_to_join_along(void **state)
{
    (void)state;
    double x[] = {1, 2};
    for (int i = 0; i < 2; i++) {
        fake_file *f = fake_add_file(&world, i ? "b.nc" : "a.nc");
        fake_dim(f, "x", 2, false);
        fake_var(f, "x", NCG_DTYPE_F64, "x", x);
        fake_var(f, "topo", NCG_DTYPE_F64, "x", x);
    }
    CHECK_STATUS(NCG_EMISMATCH, fake_join(&world, NULL, &model, &err));
    CHECK_MESSAGE("a.nc, b.nc: both hold topo");
}

static void empty_file(void **state)
{
    (void)state;
    daily("a.nc", 0, 5);
    daily("b.nc", 5, 0);
    daily("c.nc", 5, 5);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    check_days(0, 10);
    assert_non_null(strstr(world.notes, "b.nc: time is empty"));
}

static void listing(void **state)
{
    (void)state;
    char *text = NULL;
    daily("a.nc", 0, 5);
    daily("b.nc", 10, 5);
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    CHECK_OK(nci_model_describe(model, &text, &err));
    assert_non_null(strstr(text, "2 files: a.nc .. b.nc, joined along time"));
    assert_non_null(strstr(text, "2000-01-01 .. 2000-01-15, step about 1 day, "
                                 "1 gap"));
    assert_non_null(strstr(text, "tas: f8 (time, lat)  10 x 3"));
    assert_non_null(strstr(text, "K"));
    nci_free(text);
}

/* n-th allocation fails, for every n: an error each time, and no leak. */
static void memory_runs_out(void **state)
{
    (void)state;
    scalar_height(daily("a.nc", 0, 5), 2);
    scalar_height(daily("b.nc", 5, 5), 3);
    only("pr.nc", "pr", 0, 10);
    nci_join_options options = {.variables = "tas,pr"};
    ncg_status st = NCG_ENOMEM;
    for (int64_t n = 1; st; n++) {
        nci_mem_fail_at(n);
        st = fake_join(&world, &options, &model, &err);
        nci_mem_fail_at(0);
        if (st && st != NCG_ENOMEM)
            fail_msg("allocation %lld: %s", (long long)n, err.message);
        while (world.nspecs)
            if (st)
                nci_source_spec_free(&world.specs[--world.nspecs]);
            else
                break;
    }
    check_days(0, 10);
}

/* Digests and look-ups must not be quadratic: 1,000 files in a moment. */
static void a_thousand_files(void **state)
{
    (void)state;
    char path[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "f%04d.nc", i);
        daily(path, 3 * i, 3);
    }
    CHECK_OK(fake_join(&world, NULL, &model, &err));
    const nci_source_spec *spec = fake_spec(&world, model, "tas");
    assert_int_equal(spec->nsegments, 1000);
    assert_int_equal(spec->shape[0], 3000);
    assert_true(world.reads <= 1000 * 3 + 8);
}

/* Random cuts of one series, shuffled, some overlapping: the series again. */
static void random_cuts(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int round = 0; round < 60; round++) {
        int at = 0, total = 40 + rand_r(&seed) % 60, n = 0;
        double start[100];
        int count[100];
        bool is_overlapping = round % 2;
        while (at < total) {
            int size = 1 + rand_r(&seed) % 20;
            size = at + size > total ? total - at : size;
            int back = is_overlapping && at > 3 ? rand_r(&seed) % 4 : 0;
            start[n] = at - back;
            count[n++] = size + back;
            at += size;
        }
        for (int i = n - 1; i > 0; i--) {
            int k = rand_r(&seed) % (i + 1);
            double s = start[i];
            int c = count[i];
            start[i] = start[k], count[i] = count[k];
            start[k] = s, count[k] = c;
        }
        for (int i = 0; i < n; i++) {
            char path[32];
            snprintf(path, sizeof path, "%d.nc", i);
            fake_file *f = daily(path, start[i], count[i]);
            f->header->vars[3].storage.chunk[0] = 1 + rand_r(&seed) % 9;
        }
        nci_join_options options = {
            .overlap = round % 4 == 1 ? NCG_OVERLAP_FIRST : NCG_OVERLAP_LAST};
        CHECK_OK(
            fake_join(&world, is_overlapping ? &options : NULL, &model, &err));
        check_days(0, total);
        nci_model_release(&model);
        fake_fini(&world);
    }
}

NCG_TESTS(JOIN_TEST(one_file), JOIN_TEST(sorted_by_time),
          JOIN_TEST(overlap_is_an_error), JOIN_TEST(overlap_first),
          JOIN_TEST(overlap_last), JOIN_TEST(overlap_of_nested_files),
          JOIN_TEST(equal_files_overlap), JOIN_TEST(gaps_are_told),
          JOIN_TEST(variables_in_files_of_their_own),
          JOIN_TEST(times_of_variables_must_agree),
          JOIN_TEST(scalars_of_variables_may_differ),
          JOIN_TEST(named_variables), JOIN_TEST(types_that_cannot_be_read),
          JOIN_TEST(steps_between_steps), JOIN_TEST(falling_coordinate),
          JOIN_TEST(opposite_directions),
          JOIN_TEST(auxiliary_time),
          JOIN_TEST(counter_joins_in_the_order_given),
          JOIN_TEST(large_coordinates_stay_in_files),
          JOIN_TEST(variables_of_groups), JOIN_TEST(nothing_to_join_along),
          JOIN_TEST(empty_file), JOIN_TEST(listing), JOIN_TEST(memory_runs_out),
          JOIN_TEST(a_thousand_files), JOIN_TEST(random_cuts))
