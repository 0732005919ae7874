/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights against the formulas they stand for. */
#include "ops_model.h"

static const double radians = 3.14159265358979323846 / 180;

static nci_weights make(const nci_model *model, const char *what,
                        const char *dims, const char *var)
{
    nci_weights weights = {0};
    bool mask[16];
    CHECK_OK(nci_model_parse_dims(model, dims, mask, &err));
    CHECK_OK(nci_weights_make(model, what, mask, nci_model_find_var(model, var),
                              &weights, &err));
    return weights;
}

static ncg_status make_status(const nci_model *model, const char *what,
                              const char *dims, const char *var)
{
    nci_weights weights = {0};
    bool mask[16];
    CHECK_OK(nci_model_parse_dims(model, dims, mask, &err));
    ncg_status st = nci_weights_make(
        model, what, mask, nci_model_find_var(model, var), &weights, &err);
    if (!st)
        nci_weights_fini(&weights);
    return st;
}

static double at(const nci_weights *w, int64_t i)
{
    return ((const double *)nci_buf_data(w->node->data))[i];
}

static void area_from_points_is_cut_at_the_poles(void **state)
{
    (void)state;
    nci_model *model = make_grid(2, "noleap");
    nci_weights w = make(model, "area", "lat lon", "tas");
    assert_int_equal(w.node->rank, 1);
    for (int i = 0; i < 5; i++) {
        double lat = -60 + 30 * i;
        double strip = sin((lat + 15) * radians) - sin((lat - 15) * radians);
        CHECK_NEAR(at(&w, i), 6371e3 * 6371e3 * 45 * radians * strip, 1e-12);
    }
    assert_string_equal(w.units, "m2");
    nci_weights_fini(&w);
    nci_model_release(&model);
}

static void area_prefers_bounds(void **state)
{
    (void)state;
    nci_model *model = nci_model_create();
    const double lat[] = {-89, 0, 89}, lon[] = {0, 100};
    const double lat_bnds[] = {-90, -88, -88, 88, 88, 90};
    const double lon_bnds[] = {-50, 50, 50, 310};
    add_dim(model, "lat", 3);
    add_dim(model, "lon", 2);
    add_dim(model, "bnds", 2);
    add_values(model, "lat", NCI_KIND_COORD, "lat", NCG_DTYPE_F64, lat);
    put(model, "lat", "units", "degrees_north");
    put(model, "lat", "bounds", "lat_bnds");
    add_values(model, "lon", NCI_KIND_COORD, "lon", NCG_DTYPE_F64, lon);
    put(model, "lon", "units", "degrees_east");
    put(model, "lon", "bounds", "lon_bnds");
    add_values(model, "lat_bnds", NCI_KIND_BOUNDS, "lat bnds", NCG_DTYPE_F64,
               lat_bnds);
    add_values(model, "lon_bnds", NCI_KIND_BOUNDS, "lon bnds", NCG_DTYPE_F64,
               lon_bnds);
    add_source(model, "v", "lon lat", NCG_DTYPE_F32);
    nci_model_find_roles(model);
    nci_weights w = make(model, "area", "space", "v");
    assert_int_equal(w.node->rank, 2);
    double total = 0;
    for (int i = 0; i < 6; i++)
        total += at(&w, i);
    CHECK_NEAR(total, 4 * 180 * radians * 6371e3 * 6371e3, 1e-12);
    CHECK_NEAR(at(&w, 3) / at(&w, 2), 2.6, 1e-12);
    nci_operand operand;
    CHECK_OK(nci_weights_operand(model, &w, nci_model_find_var(model, "v"),
                                 &operand, &err));
    assert_int_equal(operand.axis[0], 1);
    assert_int_equal(operand.axis[1], 0);
    nci_weights_fini(&w);
    nci_model_release(&model);
}

static void area_prefers_cell_measures(void **state)
{
    (void)state;
    nci_model *model = make_grid(2, "noleap");
    nci_variable *area =
        add_source(model, "areacella", "lat lon", NCG_DTYPE_F32);
    area->kind = NCI_KIND_OTHER;
    put(model, "tas", "cell_measures", "area: areacella");
    nci_weights w = make(model, "area", "lat lon", "tas");
    assert_ptr_equal(w.node, find_var(model, "areacella")->array);
    nci_weights_fini(&w);
    w = make(model, "areacella", "lat lon", "tas");
    assert_string_equal(w.method, "weighted by areacella");
    nci_weights_fini(&w);
    CHECK_STATUS(NCG_EINVAL, make_status(model, "area", "time", "tas"));
    CHECK_MESSAGE("lat, lon");
    nci_model_release(&model);
}

static void cosine_of_latitude(void **state)
{
    (void)state;
    nci_model *model = make_grid(2, "noleap");
    nci_weights w = make(model, "coslat", "lat lon", "tas");
    for (int i = 0; i < 5; i++)
        CHECK_NEAR(at(&w, i), cos((-60 + 30 * i) * radians), 1e-12);
    nci_weights_fini(&w);
    nci_model_release(&model);
}

static void days_of_months(void **state)
{
    (void)state;
    nci_model *model = make_months(14);
    nci_weights w = make(model, "days", "time", "tas");
    CHECK_NEAR(at(&w, 1), 28.0, 0);
    CHECK_NEAR(at(&w, 11), 31.0, 0);
    nci_weights_fini(&w);
    /* Without bounds the calendar says the same. */
    nci_attrs_remove(&find_var(model, "time")->attrs, "bounds");
    w = make(model, "days", "time", "tas");
    CHECK_NEAR(at(&w, 1), 28.0, 0);
    CHECK_NEAR(at(&w, 3), 30.0, 0);
    CHECK_NEAR(at(&w, 13), 28.0, 0);
    nci_weights_fini(&w);
    nci_model_release(&model);
    model = make_grid(4, "noleap");
    w = make(model, "days", "time", "tas");
    CHECK_NEAR(at(&w, 3), 1.0, 0);
    nci_weights_fini(&w);
    nci_model_release(&model);
}

static void refused_weights(void **state)
{
    (void)state;
    nci_model *model = nci_model_create();
    const double x[4] = {0};
    add_dim(model, "time", 2);
    add_dim(model, "y", 2);
    add_dim(model, "x", 2);
    add_dim(model, "lev", 2);
    add_values(model, "lat", NCI_KIND_COORD, "y x", NCG_DTYPE_F64, x);
    put(model, "lat", "units", "degrees_north");
    add_source(model, "v", "time y x", NCG_DTYPE_F32);
    add_source(model, "w", "lev y x", NCG_DTYPE_F32);
    nci_model_find_roles(model);
    CHECK_STATUS(NCG_EINVAL, make_status(model, "area", "y x", "v"));
    CHECK_MESSAGE("weights=VARIABLE");
    CHECK_STATUS(NCG_EINVAL, make_status(model, "are", "y x", "v"));
    CHECK_MESSAGE("did you mean \"area\"");
    CHECK_STATUS(NCG_EINVAL, make_status(model, "days", "y x", "w"));
    nci_weights w = make(model, "w", "y x", "v");
    nci_operand operand;
    CHECK_STATUS(NCG_EINVAL,
                 nci_weights_operand(model, &w, nci_model_find_var(model, "v"),
                                     &operand, &err));
    CHECK_MESSAGE("lev");
    nci_weights_fini(&w);
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(area_from_points_is_cut_at_the_poles),
          NCG_TEST(area_prefers_bounds), NCG_TEST(area_prefers_cell_measures),
          NCG_TEST(cosine_of_latitude), NCG_TEST(days_of_months),
          NCG_TEST(refused_weights))
