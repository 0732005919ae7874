/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HDF5 files in the forms that NetCDF-C does not write by itself: each kind of
 * chunk index with and without filters, groups and attributes old and new,
 * user blocks, odd types. libhdf5 writes them; it and NetCDF-C are the
 * referees.
 */
#include <time.h>

#include "hdf5_referee.h"

static char folder[] = "/tmp/ncg_hdf5_XXXXXX";
static char path[256];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static hid_t create(bool latest, hsize_t userblock)
{
    static int number;
    snprintf(path, sizeof path, "%s/form_%d.h5", folder, number++);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t plist = H5Pcreate(H5P_FILE_CREATE);
    if (latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    if (userblock)
        H5Pset_userblock(plist, userblock);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, plist, access);
    assert_true(file >= 0);
    H5Pclose(plist);
    H5Pclose(access);
    return file;
}

static void check_and_drop(hid_t file, int what)
{
    H5Fclose(file);
    check_file(path, what);
    unlink(path);
}

/* ---- chunk indexes ----------------------------------------------------- */

typedef struct form {
    const char *name;
    bool latest;
    int rank;
    hsize_t dims[4], max[4], chunk[4];
    bool filtered, early, edge_unfiltered;
    hsize_t userblock;
    nci_chunk_index index; /* that must come out */
    int sparse;            /* write only every n-th row; 0: all */
} form;

#define OPEN H5S_UNLIMITED
/* clang-format off */
static const form forms[] = {
    {"tree 1-D", false, 1, {1000}, {1000}, {7}, .index = NCI_INDEX_BTREE1},
    {"tree, many nodes", false, 2, {900, 70}, {OPEN, 70}, {1, 10}, true,
     .index = NCI_INDEX_BTREE1},
    {"tree, sparse", false, 3, {50, 9, 9}, {OPEN, 9, 9}, {3, 4, 5}, true,
     .index = NCI_INDEX_BTREE1, .sparse = 7},
    {"tree, user block", false, 2, {40, 30}, {40, 30}, {9, 9}, true,
     .userblock = 2048, .index = NCI_INDEX_BTREE1},
    {"single", true, 2, {20, 30}, {20, 30}, {20, 30},
     .index = NCI_INDEX_SINGLE},
    {"single, filtered", true, 2, {20, 30}, {20, 30}, {20, 30}, true,
     .index = NCI_INDEX_SINGLE},
    {"implicit", true, 2, {20, 30}, {20, 30}, {7, 8}, .early = true,
     .index = NCI_INDEX_IMPLICIT},
    {"implicit, may grow", true, 2, {20, 30}, {25, 64}, {7, 8}, .early = true,
     .index = NCI_INDEX_IMPLICIT},
    {"fixed", true, 2, {20, 30}, {20, 30}, {7, 8},
     .index = NCI_INDEX_FIXED_ARRAY},
    {"fixed, filtered, may grow", true, 3, {20, 30, 5}, {33, 64, 5}, {7, 8, 2},
     true, .index = NCI_INDEX_FIXED_ARRAY, .sparse = 9},
    {"fixed, pages", true, 2, {90, 70}, {90, 70}, {1, 1},
     .index = NCI_INDEX_FIXED_ARRAY},
    {"fixed, pages, filtered, sparse", true, 2, {9000, 4}, {9000, 4}, {1, 2},
     true, .index = NCI_INDEX_FIXED_ARRAY, .sparse = 1501},
    {"extensible", true, 1, {30}, {OPEN}, {7},
     .index = NCI_INDEX_EXTENSIBLE_ARRAY},
    {"extensible, 2nd axis", true, 3, {4, 200, 5}, {4, OPEN, 5}, {2, 3, 5},
     true, .index = NCI_INDEX_EXTENSIBLE_ARRAY},
    {"extensible, last axis, may grow", true, 3, {4, 6, 90}, {9, 6, OPEN},
     {2, 5, 3}, .index = NCI_INDEX_EXTENSIBLE_ARRAY},
    {"extensible, super blocks", true, 2, {2000, 4}, {OPEN, 4}, {1, 2}, true,
     .index = NCI_INDEX_EXTENSIBLE_ARRAY},
    {"extensible, pages, sparse", true, 1, {300000}, {OPEN}, {1},
     .index = NCI_INDEX_EXTENSIBLE_ARRAY, .sparse = 9973},
    {"extensible, pages, filtered", true, 2, {150000, 2}, {OPEN, 2}, {1, 1},
     true, .index = NCI_INDEX_EXTENSIBLE_ARRAY, .sparse = 7001},
    {"version 2 tree", true, 2, {20, 30}, {OPEN, OPEN}, {7, 8},
     .index = NCI_INDEX_BTREE2},
    {"version 2 tree, deep", true, 2, {130, 60}, {OPEN, OPEN}, {1, 1},
     .index = NCI_INDEX_BTREE2},
    {"version 2 tree, filtered", true, 3, {60, 40, 3}, {OPEN, OPEN, 3},
     {2, 3, 2}, true, .index = NCI_INDEX_BTREE2, .sparse = 3},
    {"edges without filters", true, 2, {20, 30}, {OPEN, 30}, {7, 8}, true,
     .edge_unfiltered = true, .index = NCI_INDEX_EXTENSIBLE_ARRAY},
    {"new, user block", true, 2, {20, 30}, {20, 30}, {7, 8}, true,
     .userblock = 512, .index = NCI_INDEX_FIXED_ARRAY},
    {"nothing written", false, 2, {20, 30}, {OPEN, 30}, {7, 8}, true,
     .index = NCI_INDEX_BTREE1, .sparse = -1},
    {"nothing written, new", true, 2, {20, 30}, {OPEN, OPEN}, {7, 8}, true,
     .index = NCI_INDEX_BTREE2, .sparse = -1},
    {"no rows", true, 2, {0, 30}, {OPEN, 30}, {7, 8}, true,
     .index = NCI_INDEX_EXTENSIBLE_ARRAY, .sparse = -1}};
/* clang-format on */

static hid_t form_plist(const form *f)
{
    float fill = -9.5F;
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plist, f->rank, f->chunk);
    if (f->filtered) {
        H5Pset_shuffle(plist);
        H5Pset_deflate(plist, 1);
        H5Pset_fletcher32(plist);
    }
    if (f->early)
        H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
    if (f->edge_unfiltered)
        H5Pset_chunk_opts(plist, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
    H5Pset_fill_value(plist, H5T_NATIVE_FLOAT, &fill);
    return plist;
}

static void write_rows(const form *f, hid_t set)
{
    hsize_t step = f->sparse > 0 ? (hsize_t)f->sparse : 1, row = 1;
    for (int d = 1; d < f->rank; d++)
        row *= f->dims[d];
    float *values = calloc(row * f->dims[0], sizeof *values);
    for (hsize_t i = 0; i < row; i++)
        values[i] = (float)i;
    hid_t space = H5Dget_space(set);
    if (step == 1) {
        H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    } else {
        hsize_t count[4] = {1, f->dims[1], f->dims[2], f->dims[3]};
        hid_t memory = H5Screate_simple(f->rank, count, NULL);
        for (hsize_t i = 0; i < f->dims[0]; i += step) {
            hsize_t start[4] = {i};
            H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count,
                                NULL);
            H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values);
        }
        H5Sclose(memory);
    }
    H5Sclose(space);
    free(values);
}

static void check_index_kind(const form *f)
{
    nci_io *io;
    nci_bytes *bytes;
    nci_header *header = nci_header_create(path);
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_bytes_open(io, path, &bytes, &err));
    CHECK_OK(nci_hdf5_inspect(bytes, header, &err));
    assert_int_equal(header->nvars, 1);
    assert_int_equal(header->vars[0].storage.index, f->index);
    assert_int_equal(header->vars[0].storage.edge_unfiltered,
                     f->edge_unfiltered);
    nci_bytes_close(&bytes);
    nci_header_free(&header);
    nci_io_destroy(&io);
}

static void check_form(const form *f)
{
    hid_t file = create(f->latest, f->userblock);
    hid_t space = H5Screate_simple(f->rank, f->dims, f->max);
    hid_t plist = form_plist(f);
    hid_t set = H5Dcreate2(file, "values", H5T_IEEE_F32BE, space, H5P_DEFAULT,
                           plist, H5P_DEFAULT);
    assert_true(set >= 0);
    if (f->sparse >= 0)
        write_rows(f, set);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
    print_message("%s\n", f->name);
    check_index_kind(f);
    check_file(path, REFEREE_BOTH);
    unlink(path);
}

static void chunk_indexes_of_all_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        check_form(&forms[i]);
}

/* A chunk table of 32,000 chunks: held against the library at a few places,
 * because its own query takes seconds; the time is only printed. */
static void many_chunks(void **state)
{
    (void)state;
    const form f = {"32,000 chunks",          false,          3,
                    {3200, 20, 10},           {OPEN, 20, 10}, {1, 4, 5},
                    .index = NCI_INDEX_BTREE1};
    hid_t file = create(f.latest, 0);
    hid_t space = H5Screate_simple(f.rank, f.dims, f.max);
    hid_t plist = form_plist(&f);
    hid_t set = H5Dcreate2(file, "values", H5T_IEEE_F32LE, space, H5P_DEFAULT,
                           plist, H5P_DEFAULT);
    write_rows(&f, set);
    H5Fflush(file, H5F_SCOPE_LOCAL);
    nci_io *io;
    nci_bytes *bytes;
    nci_chunk_table table;
    struct timespec a, b;
    nci_header *header = nci_header_create(path);
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_bytes_open(io, path, &bytes, &err));
    CHECK_OK(nci_hdf5_inspect(bytes, header, &err));
    clock_gettime(CLOCK_MONOTONIC, &a);
    CHECK_OK(nci_hdf5_chunk_table(bytes, &header->vars[0], &table, &err));
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_int_equal(table.nchunks, 32000);
    print_message("32,000 chunks in %.2f ms\n",
                  (double)(b.tv_sec - a.tv_sec) * 1e3 +
                      (double)(b.tv_nsec - a.tv_nsec) / 1e6);
    for (hsize_t i = 0; i < 32000; i += 1601) {
        hsize_t offset[3] = {i / 10, i / 2 % 5 * 4, i % 2 * 5}, size;
        haddr_t address;
        unsigned mask;
        H5Dget_chunk_info_by_coord(set, offset, &mask, &address, &size);
        assert_true(table.chunks[i].address == address);
        assert_int_equal(table.chunks[i].nbytes, size);
    }
    nci_chunk_table_fini(&table);
    nci_bytes_close(&bytes);
    nci_header_free(&header);
    nci_io_destroy(&io);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
    unlink(path);
}

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

/* ---- types and layouts ------------------------------------------------- */

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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(chunk_indexes_of_all_kinds),
        NCG_TEST(many_chunks),
        NCG_TEST(groups_of_all_forms),
        NCG_TEST(links_keep_their_order),
        NCG_TEST(group_inside_itself_is_an_error),
        NCG_TEST(attributes_of_all_forms),
        NCG_TEST(attribute_values),
        NCG_TEST(types_and_layouts),
        NCG_TEST(data_elsewhere_is_for_the_library)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
