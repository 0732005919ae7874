/* SPDX-License-Identifier: BSD-3-Clause */
/* What the attributes of CF and UGRID make of the variables they name. */
#include "dataset/refs.h"

#include "base/mem.h"
#include "test.h"

static ncg_error err;
static nci_header *header;

static int setup(void **state)
{
    (void)state;
    header = nci_header_create("a.nc");
    nci_header_add_dim(header, "time", 4, true);
    nci_header_add_dim(header, "lat", 3, false);
    nci_header_add_dim(header, "lev", 2, false);
    return header ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nci_header_free(&header);
    return 0;
}

/* Adds a variable with one attribute (NULL: none). */
static void add(const char *name, ncg_dtype dtype, int rank, int first_dim,
                const char *attr, const char *text)
{
    int dims[] = {first_dim, (first_dim + 1) % 3};
    nci_var *var = nci_header_add_var(header, name, dtype, rank, dims);
    assert_non_null(var);
    if (attr)
        nci_attrs_put_text(&var->attrs, attr, text);
}

static void check_kind(const char *name, nci_var_kind kind)
{
    nci_var_kind kinds[32];
    CHECK_OK(nci_refs_kinds(header, kinds, &err));
    int v = nci_header_find_var(header, name);
    if (kinds[v] != kind)
        fail_msg("%s is of kind %d, not %d", name, (int)kinds[v], (int)kind);
}

static void coordinates_and_bounds(void **state)
{
    (void)state;
    add("tas", NCG_DTYPE_F32, 2, 0, "coordinates", "height lon absent");
    add("time", NCG_DTYPE_F64, 1, 0, "climatology", "clim");
    add("clim", NCG_DTYPE_F64, 2, 0, NULL, NULL);
    add("height", NCG_DTYPE_F64, 0, 0, NULL, NULL);
    add("lon", NCG_DTYPE_F64, 1, 1, "bounds", "lon_bnds");
    add("lon_bnds", NCG_DTYPE_F64, 2, 1, NULL, NULL);
    add("label", NCG_DTYPE_CHAR, 2, 1, NULL, NULL);
    check_kind("tas", NCI_KIND_DATA);
    check_kind("time", NCI_KIND_COORD);
    check_kind("clim", NCI_KIND_BOUNDS);
    check_kind("height", NCI_KIND_COORD);
    check_kind("lon", NCI_KIND_COORD);
    check_kind("lon_bnds", NCI_KIND_BOUNDS);
    check_kind("label", NCI_KIND_OTHER);
}

static void mappings_and_measures(void **state)
{
    (void)state;
    add("a", NCG_DTYPE_F32, 2, 0, "grid_mapping", "crs: x lat other: lev");
    add("b", NCG_DTYPE_F32, 2, 0, "cell_measures", "area: areacella");
    add("crs", NCG_DTYPE_I32, 0, 0, NULL, NULL);
    add("other", NCG_DTYPE_I32, 0, 0, NULL, NULL);
    add("x", NCG_DTYPE_F32, 2, 1, NULL, NULL);
    add("areacella", NCG_DTYPE_F32, 2, 1, NULL, NULL);
    add("area", NCG_DTYPE_F32, 2, 1, NULL, NULL);
    add("c", NCG_DTYPE_F32, 2, 0, "grid_mapping", "plain");
    add("plain", NCG_DTYPE_I32, 0, 0, NULL, NULL);
    add("unnamed", NCG_DTYPE_I32, 0, 0, "grid_mapping_name", "mercator");
    check_kind("crs", NCI_KIND_OTHER);
    check_kind("other", NCI_KIND_OTHER);
    check_kind("x", NCI_KIND_DATA);
    check_kind("areacella", NCI_KIND_OTHER);
    check_kind("area", NCI_KIND_DATA);
    check_kind("plain", NCI_KIND_OTHER);
    check_kind("unnamed", NCI_KIND_OTHER);
}

static void formula_terms(void **state)
{
    (void)state;
    add("lev", NCG_DTYPE_F64, 1, 2, "formula_terms", "a: hyam p0: P0 ps: ps");
    add("hyam", NCG_DTYPE_F64, 1, 2, NULL, NULL);
    add("P0", NCG_DTYPE_F64, 0, 0, NULL, NULL);
    add("ps", NCG_DTYPE_F32, 2, 0, NULL, NULL);
    check_kind("hyam", NCI_KIND_OTHER);
    check_kind("P0", NCI_KIND_OTHER);
    check_kind("ps", NCI_KIND_DATA); /* a field of its own */
}

static void meshes(void **state)
{
    (void)state;
    add("d", NCG_DTYPE_F32, 2, 0, "mesh", "m");
    add("m", NCG_DTYPE_I32, 0, 0, "cf_role", "mesh_topology");
    nci_attrs *attrs = &header->vars[1].attrs;
    nci_attrs_put_text(attrs, "node_coordinates", "node_x node_y");
    nci_attrs_put_text(attrs, "face_node_connectivity", "faces");
    add("node_x", NCG_DTYPE_F64, 1, 1, NULL, NULL);
    add("node_y", NCG_DTYPE_F64, 1, 1, NULL, NULL);
    add("faces", NCG_DTYPE_I32, 2, 1, NULL, NULL);
    check_kind("d", NCI_KIND_DATA);
    check_kind("m", NCI_KIND_OTHER);
    check_kind("node_x", NCI_KIND_COORD);
    check_kind("faces", NCI_KIND_OTHER);
    bool wanted[8] = {true};
    CHECK_OK(nci_refs_close(header, wanted, &err));
    for (size_t v = 0; v < header->nvars; v++)
        assert_true(wanted[v]);
}

static void closure(void **state)
{
    (void)state;
    add("tas", NCG_DTYPE_F32, 2, 0, "ancillary_variables", "flag");
    add("pr", NCG_DTYPE_F32, 2, 0, NULL, NULL);
    add("flag", NCG_DTYPE_I8, 2, 0, NULL, NULL);
    add("lat", NCG_DTYPE_F64, 1, 1, "bounds", "lat_bnds");
    add("lat_bnds", NCG_DTYPE_F64, 2, 1, NULL, NULL);
    bool wanted[8] = {true};
    CHECK_OK(nci_refs_close(header, wanted, &err));
    bool expected[] = {true, false, true, true, true};
    for (int v = 0; v < 5; v++)
        assert_int_equal(wanted[v], expected[v]);
}

static int find_name(const void *where, const char *name)
{
    const char *const *names = where;
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

static void words_are_looked_up_through_groups(void **state)
{
    (void)state;
    static const char *const names[] = {"lat", "/a/lat", "/a/b/x", "/a/y",
                                        NULL};
    assert_int_equal(nci_refs_find("/a/b/T", "lat", find_name, names), 1);
    assert_int_equal(nci_refs_find("/a/b/T", "x", find_name, names), 2);
    assert_int_equal(nci_refs_find("/a/b/T", "y", find_name, names), 3);
    assert_int_equal(nci_refs_find("/b/T", "lat", find_name, names), 0);
    assert_int_equal(nci_refs_find("/a/T", "/lat", find_name, names), 0);
    assert_int_equal(nci_refs_find("/b/T", "/a/y", find_name, names), 3);
    assert_int_equal(nci_refs_find("T", "x", find_name, names), -1);
}

#define REFS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
NCG_TESTS(REFS_TEST(coordinates_and_bounds), REFS_TEST(mappings_and_measures),
          REFS_TEST(formula_terms), REFS_TEST(meshes), REFS_TEST(closure),
          REFS_TEST(words_are_looked_up_through_groups))
