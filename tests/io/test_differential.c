/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every numeric variable of every real file that is there, read by our own
 * readers and again through NetCDF-C: the same shapes, the same bytes.
 */
#include "test.h"

#include <ftw.h>
#include <hdf5.h>

#include "base/mem.h"
#include "io/io.h"

enum { MOST_VALUES = 8 << 20 };

static nci_io *direct, *library;
static int nfiles, nvars, nwrong;

static int64_t var_values(const nci_header *header, const nci_var *var,
                          int64_t *shape)
{
    nci_var_shape(header, var, shape);
    nci_box box = nci_box_whole(var->rank, shape);
    return nci_box_size(&box);
}

static void complain(const char *path, const char *var, const char *what)
{
    print_error("%s: %s: %s\n", path, var, what);
    nwrong++;
}

static bool is_numeric(const nci_var *var)
{
    return var->dtype != NCG_DTYPE_NONE && var->dtype != NCG_DTYPE_STRING;
}

/* Reads the first rows that fit; both ways must agree, failing too. */
static void compare_var(nci_file *a, nci_file *b, int i, int k)
{
    const nci_header *header = nci_file_header(a);
    const nci_var *var = &header->vars[i];
    int64_t shape[NCG_MAX_RANK], other[NCG_MAX_RANK];
    ncg_error err = {0}, library_err = {0};
    int64_t n = var_values(header, var, shape);
    if (var_values(nci_file_header(b), &nci_file_header(b)->vars[k], other) !=
            n ||
        memcmp(shape, other, (size_t)var->rank * sizeof *shape)) {
        complain(header->path, var->name, "shapes differ");
        return;
    }
    nci_box box = nci_box_whole(var->rank, shape);
    for (int d = 0; d < box.rank && n > MOST_VALUES; d++) {
        n = n / box.count[d];
        box.count[d] = n < MOST_VALUES ? MOST_VALUES / n : 1;
        n *= box.count[d];
    }
    size_t nbytes = (size_t)n * ncg_dtype_size(var->dtype);
    char *ours = calloc(nbytes + 1, 1), *theirs = calloc(nbytes + 1, 1);
    ncg_status st = nci_file_read_box(a, i, &box, ours, &err);
    ncg_status library_st = nci_file_read_box(b, k, &box, theirs, &library_err);
    if (!st != !library_st)
        complain(header->path, var->name,
                 st ? err.message : library_err.message);
    else if (!st && memcmp(ours, theirs, nbytes))
        complain(header->path, var->name, "values differ");
    nvars++;
    free(ours);
    free(theirs);
}

/* Another name for a dataset: our reader lists each dataset once. */
static bool is_soft_link(const char *path, const char *name)
{
    H5L_info_t info;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    bool is_soft = file >= 0 &&
                   H5Lget_info(file, name, &info, H5P_DEFAULT) >= 0 &&
                   info.type == H5L_TYPE_SOFT;
    if (file >= 0)
        H5Fclose(file);
    return is_soft;
}

/* What NetCDF-C shows, ours must have; it leaves out types that it does not
 * know. */
static void compare_vars(nci_file *a, nci_file *b, const char *path)
{
    const nci_header *ours = nci_file_header(a), *theirs = nci_file_header(b);
    for (size_t k = 0; k < theirs->nvars; k++) {
        int i = nci_header_find_var(ours, theirs->vars[k].name);
        if (i < 0 && !is_soft_link(path, theirs->vars[k].name))
            complain(path, theirs->vars[k].name, "not found directly");
        else if (i < 0)
            continue;
        else if (is_numeric(&ours->vars[i]) && is_numeric(&theirs->vars[k]))
            compare_var(a, b, i, (int)k);
        else if (ours->vars[i].dtype != theirs->vars[k].dtype)
            complain(path, theirs->vars[k].name, "dtypes differ");
    }
}

static void compare_file(const char *path)
{
    nci_file *a = NULL, *b = NULL;
    ncg_error err = {0}, library_err = {0};
    ncg_status st = nci_file_open(direct, path, &a, &err);
    ncg_status library_st = nci_file_open(library, path, &b, &library_err);
    if (st && !library_st)
        complain(path, "open", err.message);
    if (!st && !library_st) {
        compare_vars(a, b, path);
        nfiles++;
    }
    nci_file_release(&a);
    nci_file_release(&b);
}

static int visit(const char *path, const struct stat *info, int type,
                 struct FTW *ftw)
{
    static const char *const endings[] = {".nc", ".nc4", ".cdf", ".h5",
                                          ".hdf5"};
    (void)info;
    (void)ftw;
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; type == FTW_F && dot && i < 5; i++)
        if (!strcmp(dot, endings[i]))
            compare_file(path);
    return 0;
}

static void readers_agree(void **state)
{
    (void)state;
    ncg_error err;
    nci_io_stats stats;
    const nci_io_options forced = {.force_library = true};
    CHECK_OK(nci_io_create(NULL, &direct, &err));
    CHECK_OK(nci_io_create(&forced, &library, &err));
    for (int i = 0; i < 2; i++) {
        const char *root = getenv(i ? "NCG_REAL_DATA" : "NCG_SHARED_DATA");
        if (root && !access(root, R_OK))
            nftw(root, visit, 16, FTW_PHYS);
    }
    nci_io_get_stats(direct, &stats);
    print_message("%d files, %d variables; direct: %lld headers, %lld chunks; "
                  "through the library: %lld headers, %lld chunks\n",
                  nfiles, nvars, (long long)stats.headers_direct,
                  (long long)stats.chunks_direct,
                  (long long)stats.headers_library,
                  (long long)stats.chunks_library);
    nci_io_get_stats(library, &stats);
    assert_int_equal(stats.headers_direct + stats.chunks_direct, 0);
    nci_io_destroy(&direct);
    nci_io_destroy(&library);
    assert_int_equal(nwrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {NCG_TEST(readers_agree)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed && nfiles == 0) {
        puts("skipped: neither NCG_SHARED_DATA nor NCG_REAL_DATA has files");
        return 77;
    }
    return failed;
}
