/* SPDX-License-Identifier: BSD-3-Clause */
/* Roles of dimensions, and dimensions by name or role. */
#include "ops_model.h"

static nci_role role(const nci_model *model, const char *dim)
{
    return model->dims[nci_model_find_dim(model, dim)].role;
}

/* Names of the dimensions in a mask, for comparison. */
static const char *parse(const nci_model *model, const char *text)
{
    static char names[256];
    bool mask[16];
    CHECK_OK(nci_model_parse_dims(model, text, mask, &err));
    names[0] = '\0';
    for (size_t d = 0; d < model->ndims; d++)
        if (mask[d])
            strcat(strcat(names, names[0] ? " " : ""), model->dims[d].name);
    return names;
}

static ncg_status parse_status(const nci_model *model, const char *text)
{
    bool mask[16];
    return nci_model_parse_dims(model, text, mask, &err);
}

static void roles_of_a_grid(void **state)
{
    (void)state;
    nci_model *model = make_grid(3, "noleap");
    assert_int_equal(role(model, "time"), NCI_ROLE_TIME);
    assert_int_equal(role(model, "lat"), NCI_ROLE_LAT);
    assert_int_equal(role(model, "lon"), NCI_ROLE_LON);
    assert_string_equal(parse(model, "time lat"), "time lat");
    assert_string_equal(parse(model, "lon,time"), "time lon");
    assert_string_equal(parse(model, "space"), "lat lon");
    assert_string_equal(parse(model, "all"), "time lat lon");
    assert_string_equal(parse(model, "x y"), "lat lon");
    nci_model_release(&model);
}

static void odd_names_answer_to_roles(void **state)
{
    (void)state;
    nci_model *model = nci_model_create();
    add_dim(model, "TIME", 2);
    add_dim(model, "DEPTH", 2);
    add_dim(model, "COADSY", 2);
    add_dim(model, "COADSX", 2);
    add_range(model, "TIME", 0, 1, NCG_DTYPE_F64);
    put(model, "TIME", "units", "hour since 0000-01-01 00:00:00");
    add_range(model, "DEPTH", 0, 1, NCG_DTYPE_F64);
    put(model, "DEPTH", "positive", "down");
    add_range(model, "COADSY", 0, 1, NCG_DTYPE_F64);
    put(model, "COADSY", "units", "degrees_north");
    add_range(model, "COADSX", 0, 1, NCG_DTYPE_F64);
    put(model, "COADSX", "units", "degrees_east");
    put(model, "COADSX", "axis", "X");
    add_source(model, "SST", "TIME DEPTH COADSY COADSX", NCG_DTYPE_F32);
    nci_model_find_roles(model);
    assert_string_equal(parse(model, "lat"), "COADSY");
    assert_string_equal(parse(model, "longitude"), "COADSX");
    assert_string_equal(parse(model, "time"), "TIME");
    assert_string_equal(parse(model, "lev"), "DEPTH");
    nci_model_release(&model);
}

static void curvilinear_axes_are_y_and_x(void **state)
{
    (void)state;
    const double lat[6] = {0, 1, 2, 3, 4, 5};
    nci_model *model = nci_model_create();
    add_dim(model, "t", 2);
    add_dim(model, "nj", 2);
    add_dim(model, "ni", 3);
    add_values(model, "nav_lat", NCI_KIND_COORD, "nj ni", NCG_DTYPE_F32, lat);
    put(model, "nav_lat", "units", "degrees_north");
    add_values(model, "nav_lon", NCI_KIND_COORD, "nj ni", NCG_DTYPE_F32, lat);
    put(model, "nav_lon", "units", "degrees_east");
    add_source(model, "sst", "t nj ni", NCG_DTYPE_F32);
    nci_model_find_roles(model);
    assert_string_equal(parse(model, "space"), "nj ni");
    assert_string_equal(parse(model, "y"), "nj");
    assert_string_equal(parse(model, "time"), "t");
    CHECK_STATUS(NCG_EINVAL, parse_status(model, "lat"));
    CHECK_MESSAGE("nj ni");
    CHECK_MESSAGE("space");
    nci_model_release(&model);
}

static void cells_of_a_mesh_are_space(void **state)
{
    (void)state;
    const double x[3] = {0, 1, 2};
    nci_model *model = nci_model_create();
    add_dim(model, "time", 2);
    add_dim(model, "cell", 3);
    add_values(model, "clat", NCI_KIND_COORD, "cell", NCG_DTYPE_F64, x);
    put(model, "clat", "standard_name", "latitude");
    add_values(model, "clon", NCI_KIND_COORD, "cell", NCG_DTYPE_F64, x);
    put(model, "clon", "standard_name", "longitude");
    add_source(model, "v", "time cell", NCG_DTYPE_F32);
    nci_model_find_roles(model);
    assert_int_equal(role(model, "cell"), NCI_ROLE_NONE);
    assert_string_equal(parse(model, "space"), "cell");
    CHECK_STATUS(NCG_EINVAL, parse_status(model, "lat"));
    CHECK_MESSAGE("cell");
    nci_model_release(&model);
}

static void unknown_dims_are_named(void **state)
{
    (void)state;
    nci_model *model = make_grid(3, "noleap");
    CHECK_STATUS(NCG_EINVAL, parse_status(model, "latt"));
    CHECK_MESSAGE("did you mean \"lat\"");
    CHECK_MESSAGE("there are: time, lat, lon");
    CHECK_STATUS(NCG_EINVAL, parse_status(model, "lev"));
    CHECK_MESSAGE("no dimension \"lev\"");
    CHECK_STATUS(NCG_EINVAL, parse_status(model, " "));
    CHECK_STATUS(NCG_EINVAL, parse_status(model, NULL));
    nci_model_release(&model);
}

static void vertices_are_never_reduced(void **state)
{
    (void)state;
    nci_model *model = make_months(4);
    assert_string_equal(parse(model, "all"), "time");
    CHECK_STATUS(NCG_EINVAL, parse_status(model, "bnds"));
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(roles_of_a_grid), NCG_TEST(odd_names_answer_to_roles),
          NCG_TEST(curvilinear_axes_are_y_and_x),
          NCG_TEST(cells_of_a_mesh_are_space), NCG_TEST(unknown_dims_are_named),
          NCG_TEST(vertices_are_never_reduced))
