/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_IO_HDF5_FORM_H
#define NCG_TESTS_IO_HDF5_FORM_H
/* HDF5 files that a test makes with libhdf5 in a folder of its own. */
#include "folder.h"
#include "hdf5_referee.h"

static char path[256];

/* What a file may choose that is rarely chosen; 0: as usual. */
static size_t address_bytes;
static unsigned tree_entries;

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
    if (address_bytes)
        H5Pset_sizes(plist, address_bytes, address_bytes);
    if (tree_entries)
        H5Pset_istore_k(plist, tree_entries / 2);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, plist, access);
    assert_true(file >= 0);
    H5Pclose(plist);
    H5Pclose(access);
    return file;
}

static inline void check_and_drop(hid_t file, int what)
{
    H5Fclose(file);
    check_file(path, what);
    unlink(path);
}

/* FORM_TESTS(test...): main with the folder made before and removed after. */
#define FORM_TESTS(...)                                                        \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                       \
        if (argc > 1)                                                          \
            cmocka_set_test_filter(argv[1]);                                   \
        return cmocka_run_group_tests(tests, make_folder, drop_folder);        \
    }

#endif
