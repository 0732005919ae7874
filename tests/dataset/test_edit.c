/* SPDX-License-Identifier: BSD-3-Clause */
/* Variables put in, taken out and renamed, attributes, selection by numbers. */
#include "dataset/combine.h"
#include "ops_model.h"

static nci_node *numbers(int64_t n, double first)
{
    nci_node *node = NULL;
    double *x = nci_alloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = first + (double)i;
    CHECK_OK(nci_array_f64(NCG_DTYPE_F64, 1, &n, x, &node, &err));
    nci_free(x);
    return node;
}

/* make_grid with bounds of lat, a cell measure and text that names things. */
static nci_model *make_rich(void)
{
    nci_model *model = make_grid(4, "noleap");
    add_range_bounds(model, "lat", -60, 30);
    add_values(model, "areacella", NCI_KIND_OTHER, "lat", NCG_DTYPE_F64,
               (const double[]){1, 2, 3, 2, 1});
    put(model, "tas", "cell_measures", "area: areacella");
    put(model, "tas", "cell_methods",
        "time: mean lat: lon: mean (interval: 1 day comment: lat: raw)");
    put(model, "tas", "coordinates", "lat  lon height");
    return model;
}

static void rename_follows_references(void **state)
{
    (void)state;
    nci_model *model = make_rich(), *out = NULL;
    const char *from[] = {"lat", "lat_bnds", "areacella", "tas"};
    const char *to[] = {"y", "y_b", "area", "t2m"};
    CHECK_OK(nci_model_rename(model, from, to, 4, &out, &err));
    assert_int_equal(dim_size(out, "y"), 5);
    assert_int_equal(dim_size(out, "lat"), -1);
    assert_string_equal(attr(out, "y", "bounds"), "y_b");
    assert_string_equal(attr(out, "t2m", "cell_measures"), "area: area");
    assert_string_equal(attr(out, "t2m", "coordinates"), "y  lon height");
    assert_string_equal(
        attr(out, "t2m", "cell_methods"),
        "time: mean y: lon: mean (interval: 1 day comment: lat: raw)");
    assert_string_equal(attr(model, "tas", "cell_measures"), "area: areacella");
    assert_int_equal(find_var(out, "y_b")->kind, NCI_KIND_BOUNDS);
    assert_int_equal(out->dims[nci_model_find_dim(out, "y")].role,
                     NCI_ROLE_LAT);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void rename_swaps_and_refuses(void **state)
{
    (void)state;
    nci_model *model = make_rich(), *out = NULL;
    const char *pair[] = {"lat", "lon"}, *riap[] = {"lon", "lat"};
    CHECK_OK(nci_model_rename(model, pair, riap, 2, &out, &err));
    assert_int_equal(dim_size(out, "lat"), 8);
    assert_int_equal(dim_size(out, "lon"), 5);
    nci_model_release(&out);
    const char *one[] = {"tsa"}, *two[] = {"x"};
    CHECK_STATUS(NCG_EINVAL, nci_model_rename(model, one, two, 1, &out, &err));
    CHECK_MESSAGE("tas");
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_rename(model, pair, riap, 1, &out, &err));
    CHECK_MESSAGE("lon");
    const char *tas[] = {"tas"}, *bad[] = {"a/b"};
    CHECK_STATUS(NCG_EINVAL, nci_model_rename(model, tas, bad, 1, &out, &err));
    CHECK_MESSAGE("a/b");
    nci_model_release(&model);
}

static void assign_makes_coordinates(void **state)
{
    (void)state;
    nci_model *model = make_rich(), *out = NULL, *more = NULL;
    nci_node *five = numbers(5, 7);
    const char *lat[] = {"lat"}, *plev[] = {"plev"};
    CHECK_OK(nci_model_assign(model, "lat", five, lat, &out, &err));
    assert_int_equal(find_var(out, "lat")->kind, NCI_KIND_COORD);
    assert_string_equal(attr(out, "lat", "units"), "(none)");
    CHECK_NEAR(value(out, "lat", 4), 11, 0);
    CHECK_OK(nci_model_assign(out, "plev", five, plev, &more, &err));
    assert_int_equal(dim_size(more, "plev"), 5);
    assert_int_equal(find_var(more, "plev")->kind, NCI_KIND_COORD);
    nci_model_release(&more);
    CHECK_OK(nci_model_assign(out, "b", five, lat, &more, &err));
    assert_int_equal(find_var(more, "b")->kind, NCI_KIND_DATA);
    nci_model_release(&more);
    const char *lon[] = {"lon"};
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_model_assign(model, "z", five, lon, &more, &err));
    CHECK_MESSAGE("lon");
    CHECK_MESSAGE("8");
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_assign(model, "9 /", five, lat, &more, &err));
    nci_node_release(&five);
    nci_model_release(&out);
    nci_model_release(&model);
}

static void attributes_say_what_variables_are(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap"), *a = NULL, *b = NULL, *c = NULL;
    nci_node *node = NULL;
    const char *dims[] = {"lon", "bnds"};
    CHECK_OK(nci_array_f64(NCG_DTYPE_F64, 2, (const int64_t[]){8, 2},
                           (const double[16]){0}, &node, &err));
    CHECK_OK(nci_model_assign(model, "lon_bnds", node, dims, &a, &err));
    assert_int_equal(find_var(a, "lon_bnds")->kind, NCI_KIND_DATA);
    CHECK_OK(nci_model_set_attr(a, "lon", "bounds", NCG_DTYPE_CHAR, 8,
                                "lon_bnds", &b, &err));
    assert_int_equal(find_var(b, "lon_bnds")->kind, NCI_KIND_BOUNDS);
    assert_string_equal(attr(a, "lon", "bounds"), "(none)");
    const char *gone[] = {"lon_bnds"};
    CHECK_OK(nci_model_drop(b, gone, 1, &c, &err));
    assert_string_equal(attr(c, "lon", "bounds"), "(none)");
    assert_int_equal(dim_size(c, "bnds"), -1);
    nci_model_release(&c);
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_set_attr(b, "tas", "scale_factor", NCG_DTYPE_F64, 1,
                                    &(double){2}, &c, &err));
    CHECK_MESSAGE("saving");
    const char *wrong[] = {"tass"};
    CHECK_STATUS(NCG_EINVAL, nci_model_drop(b, wrong, 1, &c, &err));
    CHECK_MESSAGE("tas");
    nci_node_release(&node);
    nci_model_release(&a);
    nci_model_release(&b);
    nci_model_release(&model);
}

static void numbers_select(void **state)
{
    (void)state;
    nci_model *model = make_rich(), *out = NULL;
    const double exact[] = {30, -60}, off[] = {31};
    CHECK_OK(nci_model_sel_values(model, "lat", exact, 2, NCG_SEL_EXACT, -1,
                                  &out, &err));
    assert_int_equal(dim_size(out, "lat"), 2);
    CHECK_NEAR(value(out, "lat", 0), 30, 0);
    CHECK_NEAR(value(out, "lat_bnds", 2), -75, 0);
    nci_model_release(&out);
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_sel_values(model, "lat", off, 1, NCG_SEL_EXACT, -1,
                                      &out, &err));
    CHECK_MESSAGE("nearest is 30");
    CHECK_OK(nci_model_sel_values(model, "lat", off, 1, NCG_SEL_BACKFILL, -1,
                                  &out, &err));
    CHECK_NEAR(value(out, "lat", 0), 60, 0);
    nci_model_release(&out);
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_sel_values(model, "lat", off, 1, NCG_SEL_NEAREST,
                                      0.5, &out, &err));
    CHECK_MESSAGE("tolerance");
    const double west[] = {-45}, day[] = {1.6};
    CHECK_OK(nci_model_sel_values(model, "lon", west, 1, NCG_SEL_NEAREST, -1,
                                  &out, &err));
    CHECK_NEAR(value(out, "lon", 0), 315, 0);
    nci_model_release(&out);
    CHECK_STATUS(NCG_EINVAL,
                 nci_model_sel_values(model, "time", day, 1, NCG_SEL_EXACT, -1,
                                      &out, &err));
    CHECK_MESSAGE("1990-01-02");
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(rename_follows_references),
          NCG_TEST(rename_swaps_and_refuses),
          NCG_TEST(assign_makes_coordinates),
          NCG_TEST(attributes_say_what_variables_are), NCG_TEST(numbers_select))
