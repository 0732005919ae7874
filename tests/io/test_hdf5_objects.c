/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Groups, attributes, dimension scales, types and layouts in the forms that
 * NetCDF-C does not write by itself. libhdf5 writes them; it and NetCDF-C are
 * the referees.
 */
#include <hdf5_hl.h>

#include "hdf5_form.h"

/* ---- groups, names, attributes ----------------------------------------- */

static void add_set(hid_t where, const char *name, int value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(where, name, H5T_STD_I32BE, space, H5P_DEFAULT,
                           H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
    H5Dclose(set);
    H5Sclose(space);
}

static void add_sets(hid_t where, int count)
{
    char name[64];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "set_%d_%.*s", (i * 7919) % 1000, i % 29,
                 "abcdefghijklmnopqrstuvwxyzabcd");
        add_set(where, name, i);
    }
}

static void many_links(bool latest, unsigned order, int count)
{
    hid_t file = create(latest, 0);
    hid_t plist = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_link_creation_order(plist, order);
    hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, plist, H5P_DEFAULT);
    hid_t inner = H5Gcreate2(group, "inner", H5P_DEFAULT, plist, H5P_DEFAULT);
    add_sets(file, count / 3);
    add_sets(group, count);
    add_sets(inner, 5);
    H5Lcreate_soft("/g/inner", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.nc", "/x", file, "elsewhere", H5P_DEFAULT,
                       H5P_DEFAULT);
    H5Gclose(inner);
    H5Gclose(group);
    H5Pclose(plist);
    /* NetCDF-C stops at a link that leads nowhere. */
    check_and_drop(file, REFEREE_STORAGE);
}

static void groups_of_all_forms(void **state)
{
    (void)state;
    unsigned tracked = H5P_CRT_ORDER_TRACKED;
    unsigned both = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    static const int counts[] = {3, 40, 900};
    for (int i = 0; i < 3; i++)
        for (int latest = 0; latest < 2; latest++) {
            many_links(latest, 0, counts[i]);
            many_links(latest, tracked, counts[i]);
            many_links(latest, both, counts[i]);
        }
}

static void links_keep_their_order(void **state)
{
    (void)state;
    for (int latest = 0; latest < 2; latest++)
        for (int count = 5; count < 300; count += 100) {
            hid_t file = create(latest, 0);
            hid_t plist = H5Pcreate(H5P_GROUP_CREATE);
            H5Pset_link_creation_order(plist, H5P_CRT_ORDER_TRACKED |
                                                  H5P_CRT_ORDER_INDEXED);
            hid_t group =
                H5Gcreate2(file, "g", H5P_DEFAULT, plist, H5P_DEFAULT);
            add_sets(group, count);
            H5Gclose(group);
            H5Pclose(plist);
            check_and_drop(file, REFEREE_BOTH);
        }
}

static void group_inside_itself_is_an_error(void **state)
{
    (void)state;
    nci_io *io;
    nci_bytes *bytes;
    hid_t file = create(false, 0);
    hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/g", group, "loop", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    H5Fclose(file);
    nci_header *header = nci_header_create(path);
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_bytes_open(io, path, &bytes, &err));
    CHECK_STATUS(NCG_ECORRUPT, nci_hdf5_inspect(bytes, header, &err));
    CHECK_MESSAGE("contains itself");
    assert_int_equal(header->nvars, 0);
    nci_bytes_close(&bytes);
    nci_header_free(&header);
    nci_io_destroy(&io);
    unlink(path);
}

static void add_attr(hid_t where, const char *name, hid_t type, int rank,
                     hsize_t count, const void *values, hid_t memory)
{
    hid_t space =
        rank ? H5Screate_simple(rank, &count, NULL) : H5Screate(H5S_SCALAR);
    hid_t attr = H5Acreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0);
    H5Awrite(attr, memory, values);
    H5Aclose(attr);
    H5Sclose(space);
}

static void many_attrs(bool latest, unsigned order, int count, hsize_t size)
{
    char name[64];
    hid_t file = create(latest, 0);
    hsize_t one = 3;
    hid_t space = H5Screate_simple(1, &one, NULL);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_attr_creation_order(plist, order);
    hid_t set = H5Dcreate2(file, "values", H5T_STD_I16LE, space, H5P_DEFAULT,
                           plist, H5P_DEFAULT);
    int *values = malloc(size * sizeof *values);
    for (int i = 0; i < count; i++) {
        for (hsize_t k = 0; k < size; k++)
            values[k] = (int)k * 1000 + i;
        snprintf(name, sizeof name, "attr_%d", (i * 7919) % 10007);
        add_attr(set, name, i % 2 ? H5T_STD_I32BE : H5T_STD_I64LE, 1, size,
                 values, H5T_NATIVE_INT);
    }
    free(values);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
    check_and_drop(file, REFEREE_BOTH);
}

static void attributes_of_all_forms(void **state)
{
    (void)state;
    unsigned both = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    many_attrs(false, 0, 5, 3);
    many_attrs(false, both, 5, 3);
    many_attrs(false, 0, 60, 3);
    many_attrs(false, both, 9, 3);
    many_attrs(false, both, 300, 1);
    many_attrs(true, both, 400, 400);  /* indirect blocks of the heap */
    many_attrs(true, both, 2500, 5);   /* a deep tree */
    many_attrs(true, both, 12, 40000); /* huge objects */
    many_attrs(true, 0, 200, 50);
}

static void attribute_values(void **state)
{
    (void)state;
    hid_t file = create(false, 0);
    const char *words[] = {"one", "", "three \xc3\xa9"};
    char fixed[3][6] = {"ab", "cdefg", ""};
    double numbers[3] = {1.5, -2, 1e300};
    hid_t text = H5Tcopy(H5T_C_S1), five = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_size(five, 6);
    add_attr(file, "words", text, 1, 3, words, text);
    add_attr(file, "word", text, 0, 1, words, text);
    add_attr(file, "fixed", five, 1, 3, fixed, five);
    add_attr(file, "one_fixed", five, 0, 1, fixed[1], five);
    add_attr(file, "f64be", H5T_IEEE_F64BE, 1, 3, numbers, H5T_NATIVE_DOUBLE);
    add_attr(file, "f32be", H5T_IEEE_F32BE, 0, 1, numbers, H5T_NATIVE_DOUBLE);
    add_attr(file, "u8", H5T_STD_U8LE, 0, 1, numbers, H5T_NATIVE_DOUBLE);
    add_attr(file, "u64be", H5T_STD_U64BE, 1, 1, numbers, H5T_NATIVE_DOUBLE);
    add_attr(file, "i16be", H5T_STD_I16BE, 1, 2, numbers, H5T_NATIVE_DOUBLE);
    hid_t null = H5Screate(H5S_NULL);
    H5Aclose(
        H5Acreate2(file, "nothing", H5T_C_S1, null, H5P_DEFAULT, H5P_DEFAULT));
    H5Aclose(H5Acreate2(file, "no_number", H5T_STD_I32LE, null, H5P_DEFAULT,
                        H5P_DEFAULT));
    H5Sclose(null);
    H5Tclose(text);
    H5Tclose(five);
    check_and_drop(file, REFEREE_BOTH);
}

static void add_typed(hid_t file, const char *name, hid_t type, hid_t plist)
{
    hsize_t dims[2] = {4, 5};
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t set =
        H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

/* Scales by libhdf5's own functions: DIMENSION_LIST, no ids of NetCDF-C. */
static void attached_scales(void **state)
{
    (void)state;
    for (address_bytes = 0; address_bytes <= 4; address_bytes += 4) {
        hsize_t size[2] = {4, 5};
        hid_t file = create(address_bytes, 0), plist = H5P_DEFAULT;
        add_typed(file, "data", H5T_IEEE_F32LE, plist);
        add_typed(file, "zdata", H5T_IEEE_F64BE, plist);
        add_typed(file, "no_scales", H5T_STD_I32LE, plist);
        hid_t data = H5Dopen2(file, "data", H5P_DEFAULT);
        hid_t zdata = H5Dopen2(file, "zdata", H5P_DEFAULT);
        for (unsigned d = 0; d < 2; d++) {
            hid_t space = H5Screate_simple(1, &size[d], NULL);
            hid_t scale = H5Dcreate2(file, d ? "x" : "y", H5T_IEEE_F64LE, space,
                                     H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
            H5DSset_scale(scale, d ? "x" : NULL);
            assert_true(H5DSattach_scale(data, scale, d) >= 0);
            assert_true(H5DSattach_scale(zdata, scale, d) >= 0);
            H5Dclose(scale);
            H5Sclose(space);
        }
        H5Dclose(data);
        H5Dclose(zdata);
        check_and_drop(file, REFEREE_BOTH);
    }
    address_bytes = 0;
}

/* ---- types and layouts ------------------------------------------------- */

static void add_numbers(hid_t file, hid_t plist)
{
    add_typed(file, "i8", H5T_STD_I8BE, plist);
    add_typed(file, "u16", H5T_STD_U16BE, plist);
    add_typed(file, "i64", H5T_STD_I64LE, plist);
    add_typed(file, "u64", H5T_STD_U64BE, plist);
    add_typed(file, "f32", H5T_IEEE_F32BE, plist);
    add_typed(file, "f64", H5T_IEEE_F64LE, plist);
    hid_t narrow = H5Tcopy(H5T_STD_I16LE), half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_precision(narrow, 11);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_precision(half, 16);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    add_typed(file, "i11", narrow, plist);
    add_typed(file, "f16", half, plist);
    H5Tclose(narrow);
    H5Tclose(half);
}

static void add_others(hid_t file, hid_t plist)
{
    hid_t text = H5Tcopy(H5T_C_S1), ten = H5Tcopy(H5T_C_S1);
    hid_t pair = H5Tcreate(H5T_COMPOUND, 8), blob = H5Tcreate(H5T_OPAQUE, 7);
    hid_t list = H5Tvlen_create(H5T_STD_I32LE);
    hid_t flag = H5Tenum_create(H5T_STD_I8LE);
    signed char value = 0;
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_size(ten, 10);
    H5Tinsert(pair, "a", 0, H5T_STD_I32LE);
    H5Tinsert(pair, "b", 4, H5T_IEEE_F32LE);
    H5Tenum_insert(flag, "no", &value);
    value = 1;
    H5Tenum_insert(flag, "yes", &value);
    add_typed(file, "text", text, plist);
    add_typed(file, "ten", ten, plist);
    add_typed(file, "one", H5T_C_S1, plist);
    add_typed(file, "pair", pair, plist);
    add_typed(file, "blob", blob, plist);
    add_typed(file, "list", list, plist);
    add_typed(file, "flag", flag, plist);
    add_typed(file, "ref", H5T_STD_REF_OBJ, plist);
    add_typed(file, "bits", H5T_STD_B16LE, plist);
    H5Tcommit2(file, "flag_t", flag, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    add_typed(file, "named_flag", flag, plist);
    hid_t types[] = {text, ten, pair, blob, list, flag};
    for (int i = 0; i < 6; i++)
        H5Tclose(types[i]);
}

static void types_and_layouts(void **state)
{
    (void)state;
    for (int latest = 0; latest < 2; latest++)
        for (int compact = 0; compact < 2; compact++) {
            hid_t file = create(latest, latest ? 1024 : 0);
            hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
            if (compact)
                H5Pset_layout(plist, H5D_COMPACT);
            else
                H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
            add_numbers(file, plist);
            add_others(file, plist);
            H5Pclose(plist);
            check_and_drop(file, REFEREE_BOTH);
        }
}

static void data_elsewhere_is_for_the_library(void **state)
{
    (void)state;
    hid_t file = create(false, 0);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(plist, "other.bin", 0, 20 * 4);
    add_typed(file, "outside", H5T_STD_I32LE, plist);
    H5Pclose(plist);
    H5Fclose(file);
    nci_io *io;
    nci_bytes *bytes;
    nci_header *header = nci_header_create(path);
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_bytes_open(io, path, &bytes, &err));
    CHECK_OK(nci_hdf5_inspect(bytes, header, &err));
    assert_int_equal(header->vars[0].storage.layout, NCI_LAYOUT_LIBRARY);
    nci_bytes_close(&bytes);
    nci_header_free(&header);
    nci_io_destroy(&io);
    unlink(path);
}

FORM_TESTS(NCG_TEST(groups_of_all_forms), NCG_TEST(links_keep_their_order),
           NCG_TEST(group_inside_itself_is_an_error),
           NCG_TEST(attributes_of_all_forms), NCG_TEST(attribute_values),
           NCG_TEST(attached_scales), NCG_TEST(types_and_layouts),
           NCG_TEST(data_elsewhere_is_for_the_library))
