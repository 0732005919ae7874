/* SPDX-License-Identifier: BSD-3-Clause */
/* NetCDF-4 files that NetCDF-C writes, in all the ways it marks dimensions and
 * variables: our header must be NetCDF-C's own. */
#include "files.h"
#include "folder.h"
#include "hdf5_referee.h"

static char path[256];

static int create(int mode)
{
    int nc;
    static int number;
    snprintf(path, sizeof path, "%s/netcdf_%d.nc", folder, number++);
    NC(nc_create(path, NC_NETCDF4 | NC_CLOBBER | mode, &nc));
    return nc;
}

static void check_and_drop(int nc)
{
    NC(nc_close(nc));
    check_file(path, REFEREE_BOTH);
    unlink(path);
}

static void classic_model(void **state)
{
    (void)state;
    int nc = create(NC_CLASSIC_MODEL), dims[3], var;
    NC(nc_def_dim(nc, "time", NC_UNLIMITED, &dims[0]));
    NC(nc_def_dim(nc, "lat", 4, &dims[1]));
    NC(nc_def_dim(nc, "lon", 5, &dims[2]));
    NC(nc_def_var(nc, "lat", NC_DOUBLE, 1, &dims[1], &var));
    NC(nc_put_att_text(nc, var, "units", 13, "degrees_north"));
    NC(nc_def_var(nc, "tas", NC_FLOAT, 3, dims, &var));
    NC(nc_def_var(nc, "time", NC_DOUBLE, 1, dims, &var));
    NC(nc_put_att_text(nc, NC_GLOBAL, "empty", 0, ""));
    check_and_drop(nc);
}

static void types_fills_and_attributes(void **state)
{
    (void)state;
    int nc = create(0), dims[2], var;
    NC(nc_def_dim(nc, "x", 6, &dims[0]));
    NC(nc_def_dim(nc, "y", 7, &dims[1]));
    for (nc_type type = NC_BYTE; type <= NC_STRING; type++) {
        char name[16];
        double one[3] = {1, 2, 3};
        const char *words[] = {"a", "", "long word"};
        snprintf(name, sizeof name, "v%d", type);
        NC(nc_def_var(nc, name, type, type % 3, dims, &var));
        if (type != NC_CHAR && type != NC_STRING) {
            NC(nc_put_att_double(nc, var, "range", type, 3, one));
            NC(nc_put_att_double(nc, var, "_FillValue", type, 1, one));
            if (type % 2)
                NC(nc_def_var_endian(nc, var, NC_ENDIAN_BIG));
        }
        NC(nc_put_att_string(nc, var, "words", 3, words));
        NC(nc_put_att_string(nc, var, "word", 1, words + 2));
        NC(nc_put_att_text(nc, var, "text", 5, "hello"));
    }
    NC(nc_def_var(nc, "no_fill", NC_FLOAT, 2, dims, &var));
    NC(nc_def_var_fill(nc, var, NC_NOFILL, NULL));
    check_and_drop(nc);
}

static void filters_and_chunks(void **state)
{
    (void)state;
    int nc = create(0), dims[2], var;
    size_t chunk[2] = {3, 4}, start[2] = {0, 0}, count[2] = {9, 10};
    float values[90] = {1, 2, 3};
    NC(nc_def_dim(nc, "t", NC_UNLIMITED, &dims[0]));
    NC(nc_def_dim(nc, "x", 10, &dims[1]));
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        NC(nc_def_var(nc, name, NC_FLOAT, 2, dims, &var));
        NC(nc_def_var_chunking(nc, var, NC_CHUNKED, chunk));
        NC(nc_def_var_deflate(nc, var, i & 1, i > 0, i));
        if (i > 1)
            NC(nc_def_var_fletcher32(nc, var, NC_FLETCHER32));
        count[0] = (size_t)(2 * i + 3); /* they end at different times */
        NC(nc_put_vara_float(nc, var, start, count, values));
    }
    NC(nc_def_var(nc, "never", NC_SHORT, 2, dims, &var));
    check_and_drop(nc);
}

static void groups_and_inherited_dimensions(void **state)
{
    (void)state;
    int nc = create(0), a, b, c, dims[4], var;
    size_t start[2] = {0, 0}, count[2] = {3, 4};
    int values[12] = {0};
    NC(nc_def_dim(nc, "x", 4, &dims[0]));
    NC(nc_def_grp(nc, "a", &a));
    NC(nc_def_grp(a, "b", &b));
    NC(nc_def_grp(nc, "c", &c));
    NC(nc_def_dim(a, "t", NC_UNLIMITED, &dims[1]));
    NC(nc_def_dim(b, "x", 9, &dims[2]));
    NC(nc_def_dim(nc, "late", 2, &dims[3]));
    int tx[2] = {dims[1], dims[0]}, tb[2] = {dims[1], dims[2]};
    NC(nc_def_var(b, "values", NC_INT, 2, tx, &var));
    NC(nc_put_vara_int(b, var, start, count, values));
    NC(nc_def_var(b, "other", NC_INT, 2, tb, &var));
    NC(nc_def_var(a, "t", NC_DOUBLE, 1, &dims[1], &var));
    NC(nc_def_var(nc, "x", NC_DOUBLE, 1, &dims[0], &var));
    NC(nc_def_var(c, "z", NC_INT, 1, &dims[3], &var));
    NC(nc_put_att_text(a, NC_GLOBAL, "of_a", 2, "hi"));
    check_and_drop(nc);
}

static void odd_names_and_coordinates(void **state)
{
    (void)state;
    int nc = create(0), dims[3], var;
    NC(nc_def_dim(nc, "z", 2, &dims[0]));
    NC(nc_def_dim(nc, "y", 3, &dims[1]));
    NC(nc_def_dim(nc, "x", NC_UNLIMITED, &dims[2]));
    /* of the name of a dimension that it does not have */
    NC(nc_def_var(nc, "y", NC_FLOAT, 1, &dims[0], &var));
    /* a coordinate variable with two axes */
    int zx[2] = {dims[0], dims[2]}, xz[2] = {dims[2], dims[0]};
    NC(nc_def_var(nc, "z", NC_FLOAT, 2, zx, &var));
    NC(nc_def_var(nc, "data", NC_FLOAT, 2, xz, &var));
    NC(nc_def_var(nc, "twice", NC_FLOAT, 2, (int[2]){dims[1], dims[1]}, &var));
    NC(nc_def_var(nc,
                  "gr\xc3\xb6\xc3\x9f"
                  "e",
                  NC_FLOAT, 0, NULL, &var));
    check_and_drop(nc);
}

static void dimensions_in_another_order(void **state)
{
    (void)state;
    int nc = create(0), dims[4], var;
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "d%d", 3 - i);
        NC(nc_def_dim(nc, name, (size_t)i + 2, &dims[i]));
    }
    NC(nc_def_var(nc, "late", NC_INT, 1, &dims[3], &var));
    NC(nc_def_var(nc, "d0", NC_INT, 1, &dims[3], &var));
    NC(nc_def_var(nc, "d3", NC_INT, 1, &dims[0], &var));
    NC(nc_enddef(nc));
    NC(nc_redef(nc));
    NC(nc_rename_dim(nc, dims[1], "renamed"));
    NC(nc_def_dim(nc, "after", 3, &dims[1]));
    NC(nc_def_var(nc, "last", NC_INT, 2, &dims[1], &var));
    check_and_drop(nc);
}

static void user_defined_types(void **state)
{
    (void)state;
    int nc = create(0), dim, var, kind, pair, blob, list;
    signed char value = 3;
    NC(nc_def_dim(nc, "x", 3, &dim));
    NC(nc_def_enum(nc, NC_BYTE, "kind", &kind));
    NC(nc_insert_enum(nc, kind, "low", &value));
    NC(nc_def_compound(nc, 8, "pair", &pair));
    NC(nc_insert_compound(nc, pair, "a", 0, NC_INT));
    NC(nc_insert_compound(nc, pair, "b", 4, NC_FLOAT));
    NC(nc_def_opaque(nc, 5, "blob", &blob));
    NC(nc_def_vlen(nc, "list", NC_INT, &list));
    int types[] = {kind, pair, blob, list};
    const char *names[] = {"an_enum", "a_pair", "a_blob", "a_list"};
    for (int i = 0; i < 4; i++)
        NC(nc_def_var(nc, names[i], types[i], 1, &dim, &var));
    NC(nc_put_att(nc, NC_GLOBAL, "enum_attr", kind, 1, &value));
    check_and_drop(nc);
}

static void very_many_of_everything(void **state)
{
    (void)state;
    int nc = create(0), dims[40], var;
    char name[32];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "dim_%d", i);
        NC(nc_def_dim(nc, name, (size_t)i + 1, &dims[i]));
    }
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "variable_number_%d", i * 37 % 400);
        NC(nc_def_var(nc, name, NC_FLOAT, 2, &dims[i % 39], &var));
        for (int k = 0; k < i % 23; k++) {
            snprintf(name, sizeof name, "attribute_%d", k * 7 % 23);
            NC(nc_put_att_int(nc, var, name, NC_INT, 1, &k));
        }
    }
    for (int k = 0; k < 150; k++) {
        snprintf(name, sizeof name, "global_%d", k * 7 % 150);
        NC(nc_put_att_text(nc, NC_GLOBAL, name, strlen(path), path));
    }
    check_and_drop(nc);
}

/* A user block put in front of a finished file. */
static void user_block_in_front(void **state)
{
    (void)state;
    static const double values[3000] = {1, 2, 3};
    char moved[300], bytes[4096] = {0};
    int nc = create(0), dim, var;
    NC(nc_def_dim(nc, "x", 3000, &dim));
    NC(nc_def_var(nc, "x", NC_DOUBLE, 1, &dim, &var));
    NC(nc_put_var_double(nc, var, values));
    NC(nc_close(nc));
    snprintf(moved, sizeof moved, "%s.moved", path);
    FILE *from = fopen(path, "rb"), *to = fopen(moved, "wb");
    assert_non_null(from);
    assert_non_null(to);
    fwrite(bytes, 1, 1024, to);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, from)) > 0;)
        fwrite(bytes, 1, n, to);
    fclose(from);
    fclose(to);
    check_file(moved, REFEREE_BOTH);
    unlink(moved);
    unlink(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(classic_model),
        NCG_TEST(types_fills_and_attributes),
        NCG_TEST(filters_and_chunks),
        NCG_TEST(groups_and_inherited_dimensions),
        NCG_TEST(odd_names_and_coordinates),
        NCG_TEST(dimensions_in_another_order),
        NCG_TEST(user_defined_types),
        NCG_TEST(very_many_of_everything),
        NCG_TEST(user_block_in_front)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
