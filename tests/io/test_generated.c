/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of data/make_fixtures.py (NCG_FIXTURES): each storage form gives
 * the numbers that its maker put in, without the library; each damaged file is
 * an error that names it, never a number. */
#include "io/io.h"

#include <dirent.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "test.h"

static ncg_error err;

static bool begins(const char *name, const char *with)
{
    return !strncmp(name, with, strlen(with));
}

static const char *folder(const char *part)
{
    static char path[512];
    const char *root = getenv("NCG_FIXTURES");
    snprintf(path, sizeof path, "%s/%s", root ? root : "", part);
    return root && !access(path, R_OK) ? path : NULL;
}

/* Calls `visit` for each file of a folder, in no fixed order. */
static int each_file(const char *part,
                     void (*visit)(const char *name, const char *path))
{
    char path[800];
    int count = 0;
    struct dirent *entry;
    DIR *dir = opendir(folder(part));
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder(part), entry->d_name);
        visit(entry->d_name, path);
        count++;
    }
    closedir(dir);
    return count;
}

/* ---- storage ------------------------------------------------------------ */

/* common.value of data/fixtures */
static double made_value(int64_t i)
{
    return (double)((i * 7919 + 13) % 101);
}

static ncg_status read_whole(nci_file *file, int var, char **out, int64_t *n)
{
    const nci_header *header = nci_file_header(file);
    int64_t shape[NCG_MAX_RANK];
    nci_var_shape(header, &header->vars[var], shape);
    nci_box box = nci_box_whole(header->vars[var].rank, shape);
    *n = nci_box_size(&box);
    *out = nci_calloc((size_t)*n + 1, 8);
    return nci_file_read_box(file, var, &box, *out, &err);
}

static nci_io *io;

static void check_storage(const char *name, const char *path)
{
    nci_file *file = NULL;
    char *data;
    int64_t n;
    if (begins(name, "unwritten") || begins(name, "never_written"))
        return;
    ncg_status st = nci_file_open(io, path, &file, &err);
    if (st)
        fail_msg("%s: %s", name, err.message);
    int var = nci_header_find_var(nci_file_header(file), "T");
    if (var >= 0 && nci_file_header(file)->vars[var].rank == 3) {
        ncg_dtype dtype = nci_file_header(file)->vars[var].dtype;
        CHECK_OK(read_whole(file, var, &data, &n));
        for (int64_t i = 0; n == 11 * 13 * 17 && i < n; i++)
            if (nci_dtype_get(dtype,
                              data + (size_t)i * ncg_dtype_size(dtype)) !=
                made_value(i))
                fail_msg("%s: value %lld", name, (long long)i);
        nci_free(data);
    }
    nci_file_release(&file);
}

static void every_storage_form(void **state)
{
    nci_io_stats stats;
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    assert_true(each_file("storage", check_storage) > 50);
    nci_io_get_stats(io, &stats);
    assert_int_equal(stats.headers_library, 0);
    assert_int_equal(stats.chunks_library, 0);
    nci_io_destroy(&io);
}

/* ---- damage ------------------------------------------------------------- */

/* Reads every number of a file; the first failure ends it. */
static ncg_status read_all(const char *path)
{
    nci_file *file = NULL;
    ncg_status st = nci_file_open(io, path, &file, &err);
    for (size_t v = 0; !st && v < nci_file_header(file)->nvars; v++) {
        char *data = NULL;
        int64_t n;
        if (!nci_dtype_is_numeric(nci_file_header(file)->vars[v].dtype))
            continue;
        st = read_whole(file, (int)v, &data, &n);
        nci_free(data);
    }
    nci_file_release(&file);
    return st;
}

static void check_damaged(const char *name, const char *path)
{
    err.message[0] = '\0';
    ncg_status st = read_all(path);
    if (st != NCG_ECORRUPT && st != NCG_EUNSUPPORTED && st != NCG_EIO)
        fail_msg("%s: %s: %s", name, ncg_status_name(st), err.message);
    if (!strstr(err.message, name) || strchr(err.message, '\n'))
        fail_msg("%s: the message is no line that names it: %s", name,
                 err.message);
    const char *number = strstr(name, "unknown_filter_");
    if (number) {
        char id[16] = "";
        sscanf(number + strlen("unknown_filter_"), "%15[0-9]", id);
        if (st != NCG_EUNSUPPORTED || !strstr(err.message, id))
            fail_msg("%s: the filter is not named: %s", name, err.message);
    }
}

static void every_damaged_file(void **state)
{
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    assert_true(each_file("damaged", check_damaged) > 20);
    nci_io_destroy(&io);
}

/* ---- the same through both readers --------------------------------------- */

static nci_io *library;

static void compare_vars(const char *name, nci_file *a, nci_file *b)
{
    const nci_header *header = nci_file_header(a);
    for (size_t v = 0; v < header->nvars; v++) {
        const nci_var *var = &header->vars[v];
        int other = nci_header_find_var(nci_file_header(b), var->name);
        char *mine, *theirs;
        int64_t n, m;
        if (!nci_dtype_is_numeric(var->dtype))
            continue;
        if (other < 0)
            fail_msg("%s: the library sees no %s", name, var->name);
        CHECK_OK(read_whole(a, (int)v, &mine, &n));
        CHECK_OK(read_whole(b, other, &theirs, &m));
        if (n != m ||
            memcmp(mine, theirs, (size_t)n * ncg_dtype_size(var->dtype)))
            fail_msg("%s: %s differs", name, var->name);
        nci_free(mine);
        nci_free(theirs);
    }
}

static void compare_readers(const char *name, const char *path)
{
    nci_file *a = NULL, *b = NULL;
    if (!strcmp(name, "streaming.nc")) /* NetCDF-C cannot */
        return;
    CHECK_OK(nci_file_open(io, path, &a, &err));
    CHECK_OK(nci_file_open(library, path, &b, &err));
    assert_int_equal(nci_file_header(a)->nvars, nci_file_header(b)->nvars);
    compare_vars(name, a, b);
    nci_file_release(&a);
    nci_file_release(&b);
}

/* Files of all three classic formats and of NetCDF-4: none of the one reader's
 * reads goes through the library, all of the other's do. */
static void readers_agree(void **state)
{
    static const char *const parts[] = {"classic", "sets", "cf"};
    const nci_io_options forced = {.force_library = true};
    (void)state;
    for (int i = 0; i < 3; i++) {
        nci_io_stats stats;
        CHECK_OK(nci_io_create(NULL, &io, &err));
        CHECK_OK(nci_io_create(&forced, &library, &err));
        assert_true(each_file(parts[i], compare_readers) > 10);
        nci_io_get_stats(io, &stats);
        assert_int_equal(stats.headers_library, 0);
        assert_int_equal(stats.chunks_library, 0);
        assert_true(stats.headers_direct > 10 && stats.chunks_direct > 10);
        nci_io_get_stats(library, &stats);
        assert_int_equal(stats.headers_direct, 0);
        assert_int_equal(stats.chunks_direct, 0);
        assert_true(stats.headers_library > 10 && stats.chunks_library > 10);
        nci_io_destroy(&io);
        nci_io_destroy(&library);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {NCG_TEST(every_storage_form),
                                       NCG_TEST(every_damaged_file),
                                       NCG_TEST(readers_agree)};
    if (!folder("storage") || !folder("damaged")) {
        puts("skipped: NCG_FIXTURES has no files of data/make_fixtures.py");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
