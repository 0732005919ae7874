/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunk indexes of every kind, with and without filters, in files of all
 * settings. libhdf5 writes them; it and NetCDF-C are the referees.
 */
#include <time.h>

#include "hdf5_form.h"

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

static void trees_of_other_sizes(void **state)
{
    (void)state;
    static const unsigned entries[] = {8, 16, 400};
    for (int i = 0; i < 3; i++) {
        tree_entries = entries[i];
        check_form(&forms[1]);
    }
    tree_entries = 0;
}

/* There libhdf5 cannot tell unlimited sizes, so it goes astray with indexes
 * that depend on them. */
static bool grows(const form *f)
{
    for (int d = 0; d < f->rank; d++)
        if (f->max[d] == OPEN)
            return true;
    return false;
}

static void addresses_of_four_bytes(void **state)
{
    (void)state;
    address_bytes = 4;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (!forms[i].latest || !grows(&forms[i]))
            check_form(&forms[i]);
    address_bytes = 0;
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

FORM_TESTS(NCG_TEST(chunk_indexes_of_all_kinds), NCG_TEST(trees_of_other_sizes),
           NCG_TEST(addresses_of_four_bytes), NCG_TEST(many_chunks))
