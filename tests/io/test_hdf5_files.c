/* SPDX-License-Identifier: BSD-3-Clause */
/* Every real HDF5 file at hand: headers as NetCDF-C reads them, chunk tables
 * and filters as libhdf5 does. */
#include <ftw.h>

#include "hdf5_referee.h"

static int files_checked;

/* Several links lead to one dimension scale: NetCDF-C lists the dimension once
 * for each, all with one number, and names variables' dimensions by the last.
 */
static bool netcdf_is_wrong(const char *path)
{
    return strstr(path, "kerchunk_air_linked.nc");
}

static int visit(const char *path, const struct stat *info, int kind,
                 struct FTW *where)
{
    (void)info;
    (void)where;
    if (kind != FTW_F || !is_hdf5(path))
        return 0;
    check_file(path, netcdf_is_wrong(path) ? REFEREE_STORAGE : REFEREE_BOTH);
    files_checked++;
    return 0;
}

static void check_folder(const char *variable)
{
    const char *root = getenv(variable);
    int before = files_checked;
    if (root && !access(root, R_OK))
        nftw(root, visit, 16, FTW_PHYS);
    print_message("%d HDF5 files under %s=%s\n", files_checked - before,
                  variable, root ? root : "(not set)");
}

static void shared_files_agree(void **state)
{
    (void)state;
    check_folder("NCG_SHARED_DATA");
}

static void real_files_agree(void **state)
{
    (void)state;
    check_folder("NCG_REAL_DATA");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(shared_files_agree),
                                       NCG_TEST(real_files_agree)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || files_checked ? failed : 77;
}
