/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is not there, not ours, cut short or damaged: one clear message that
 * names the file (and variable and chunk), the right status, never a crash or
 * a wrong number.
 */
#include "files.h"
#include "forms.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/io.h"

/* NetCDF-C and HDF5 leak when they open damaged files; our own leaks count. */
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnetcdf.so\nleak:libhdf5";
}

static nci_io *io;

static int begin(void **state)
{
    (void)state;
    return nci_io_create(NULL, &io, NULL);
}

static int end(void **state)
{
    (void)state;
    nci_io_destroy(&io);
    return 0;
}

static ncg_status open_only(const char *path, ncg_error *err)
{
    nci_file *file = NULL;
    ncg_status st = nci_file_open(io, path, &file, err);
    nci_file_release(&file);
    return st;
}

/* Reads "v" as a whole; compares with form_value where `check`. */
static ncg_status read_v(const char *path, bool check, ncg_error *err)
{
    nci_file *file = NULL;
    ncg_status st = nci_file_open(io, path, &file, err);
    if (st)
        return st;
    const nci_header *header = nci_file_header(file);
    int v = nci_header_find_var(header, "v");
    if (v < 0) {
        nci_file_release(&file);
        return NCG_EINVAL;
    }
    int64_t shape[NCG_MAX_RANK];
    nci_var_shape(header, &header->vars[v], shape);
    nci_box box = nci_box_whole(header->vars[v].rank, shape);
    int64_t n = nci_box_size(&box);
    if (n <= 1 << 20) {
        float *values = calloc((size_t)n + 1, 8);
        st = nci_file_read_box(file, v, &box, values, err);
        for (int64_t i = 0; check && !st && i < n; i++)
            if (values[i] != (float)form_value(i))
                fail_msg("element %lld is %g", (long long)i, values[i]);
        free(values);
    }
    nci_file_release(&file);
    return st;
}

static void not_a_file_of_ours(void **state)
{
    (void)state;
    ncg_error err;
    static const char html[] = "<!DOCTYPE html><html>404</html>\n";
    const char *path = form_path("bad.nc");
    unlink(path);
    CHECK_STATUS(NCG_ENOTFOUND, open_only(path, &err));
    CHECK_MESSAGE(path);
    CHECK_MESSAGE("No such file");
    assert_int_equal(err.sys, 2);
    CHECK_STATUS(NCG_EIO, open_only("/tmp", &err));
    CHECK_MESSAGE("/tmp: not a NetCDF or HDF5 file: it is a directory");
    spit(path, "", 0);
    CHECK_STATUS(NCG_EIO, open_only(path, &err));
    CHECK_MESSAGE("bad.nc: not a NetCDF or HDF5 file");
    for (size_t n = 1; n < sizeof html; n++) {
        spit(path, html, n);
        CHECK_STATUS(NCG_EIO, open_only(path, &err));
        CHECK_MESSAGE("bad.nc: not a NetCDF or HDF5 file");
    }
    static const char magics[2][8] = {"CDF\001", "\x89HDF\r\n\x1a"};
    for (int k = 0; k < 2; k++)
        for (size_t n = 1; n < 8; n++) {
            spit(path, magics[k], n);
            CHECK_STATUS(NCG_ECORRUPT, open_only(path, &err));
            CHECK_MESSAGE("truncated");
        }
    spit(path, "CDF\007abcdefgh", 12);
    CHECK_STATUS(NCG_EIO, open_only(path, &err));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    CHECK_STATUS(NCG_EIO, open_only(path, &err));
    CHECK_MESSAGE("not a regular file");
    unlink(path);
}

static void unreadable_file(void **state)
{
    (void)state;
    ncg_error err;
    const char *path = form_path("secret.nc");
    spit(path, "CDF\001", 4);
    chmod(path, 0);
    if (geteuid() != 0) {
        CHECK_STATUS(NCG_EIO, open_only(path, &err));
        CHECK_MESSAGE("Permission denied");
    }
    unlink(path);
}

static void shuffle_deflate(hid_t dcpl)
{
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, 4);
}

static void checksum(hid_t dcpl)
{
    H5Pset_fletcher32(dcpl);
}

static const form small = {
    .rank = 2, .shape = {12, 20}, .chunk = {5, 8}, .setup = shuffle_deflate};

static void make_small(const char *path, bool latest, bool contiguous)
{
    form f = small;
    f.type = H5T_IEEE_F32LE;
    f.is_latest = latest;
    if (contiguous) {
        f.chunk[0] = 0;
        f.setup = NULL;
    }
    form_make(&f, path);
}

static void truncated_hdf5(void **state)
{
    (void)state;
    ncg_error err;
    for (int k = 0; k < 4; k++) {
        size_t nbytes;
        const char *path = form_path("cut.h5");
        make_small(path, k & 1, k & 2);
        char *bytes = slurp(path, &nbytes);
        CHECK_OK(read_v(path, true, &err));
        for (size_t n = 1; n < nbytes; n += n < 1000 ? 1 : 13) {
            spit(path, bytes, n);
            ncg_status st = read_v(path, true, &err);
            if (!st || st == NCG_EINVAL)
                fail_msg("cut at %zu of %zu: not noticed", n, nbytes);
            CHECK_MESSAGE("cut.h5");
        }
        free(bytes);
        unlink(path);
    }
}

/* Any answer but a crash. Data bytes have no checksum here, so values may
 * differ. */
static void damaged_hdf5(void **state)
{
    (void)state;
    ncg_error err;
    for (int k = 0; k < 2; k++) {
        size_t nbytes;
        const char *path = form_path("flip.h5");
        make_small(path, k, false);
        char *bytes = slurp(path, &nbytes);
        for (size_t at = 0; at < nbytes; at += at < 3000 ? 1 : 5) {
            char keep = bytes[at];
            bytes[at] = (char)(at % 2 ? 0xff : bytes[at] ^ 0x11);
            spit(path, bytes, nbytes);
            read_v(path, false, &err);
            bytes[at] = keep;
        }
        free(bytes);
        unlink(path);
    }
}

/* Where the stored bytes of a chunk lie. */
static haddr_t chunk_address(const char *path, hsize_t number, hsize_t *size)
{
    haddr_t address;
    hsize_t at[4];
    unsigned mask;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "v", H5P_DEFAULT);
    hid_t space = H5Dget_space(set);
    assert_true(
        H5Dget_chunk_info(set, space, number, at, &mask, &address, size) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    return address;
}

static void damage_byte(const char *path, off_t at)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damaged_chunk_is_named(void **state)
{
    (void)state;
    ncg_error err;
    hsize_t size;
    const char *path = form_path("chunk.h5");
    make_small(path, false, false);
    haddr_t address = chunk_address(path, 4, &size);
    for (off_t i = 0; i < 2; i++)
        damage_byte(path, (off_t)address + i);
    CHECK_STATUS(NCG_ECORRUPT, read_v(path, false, &err));
    CHECK_MESSAGE("chunk.h5: v: chunk (1,1)");
    CHECK_MESSAGE("deflate");
    char where[64];
    snprintf(where, sizeof where, "at byte %llu", (unsigned long long)address);
    CHECK_MESSAGE(where);
    unlink(path);
}

static void wrong_checksum_is_found(void **state)
{
    (void)state;
    ncg_error err;
    hsize_t size;
    const char *path = form_path("sum.h5");
    form f = small;
    f.type = H5T_IEEE_F32LE;
    f.setup = checksum;
    form_make(&f, path);
    damage_byte(path, (off_t)chunk_address(path, 2, &size) + 77);
    CHECK_STATUS(NCG_ECORRUPT, read_v(path, false, &err));
    CHECK_MESSAGE("sum.h5: v: chunk (0,2)");
    CHECK_MESSAGE("wrong checksum");
    nci_io *careless = NULL, *keep = io;
    const nci_io_options options = {.no_checksum = true};
    CHECK_OK(nci_io_create(&options, &careless, &err));
    io = careless;
    CHECK_OK(read_v(path, false, &err));
    io = keep;
    nci_io_destroy(&careless);
    unlink(path);
}

static void zfp(hid_t dcpl)
{
    H5Pset_filter(dcpl, 32013, H5Z_FLAG_OPTIONAL, 0, NULL);
}

static size_t as_it_is(int number, const void *chunk, size_t nbytes,
                       size_t size, void *out, uint32_t *mask)
{
    (void)number;
    (void)size;
    (void)mask;
    memcpy(out, chunk, nbytes);
    return nbytes;
}

static void unknown_filter_is_named(void **state)
{
    (void)state;
    ncg_error err;
    const char *path = form_path("zfp.h5");
    form f = small;
    f.type = H5T_IEEE_F32LE;
    f.setup = zfp;
    f.encode = as_it_is;
    form_make(&f, path);
    if (H5Zfilter_avail(32013) <= 0) {
        CHECK_STATUS(NCG_EUNSUPPORTED, read_v(path, false, &err));
        CHECK_MESSAGE("zfp.h5: v: chunk (0,0): zfp (32013) filter not built "
                      "in; install its HDF5 plugin (hdf5-filter-plugin-zfp");
    }
    unlink(path);
}

static void scaleoffset(hid_t dcpl)
{
    H5Pset_scaleoffset(dcpl, H5Z_SO_INT, H5Z_SO_INT_MINBITS_DEFAULT);
}

/* Filters that only the library has go through it, variable by variable. */
static void library_filters_fall_back(void **state)
{
    (void)state;
    ncg_error err;
    nci_io_stats before, after;
    const char *path = form_path("so.h5");
    form f = small;
    f.type = H5T_STD_I32LE;
    f.setup = scaleoffset;
    form_make(&f, path);
    nci_io_get_stats(io, &before);
    CHECK_OK(read_v(path, false, &err));
    nci_io_get_stats(io, &after);
    assert_true(after.chunks_library > before.chunks_library);
    unlink(path);
}

static void changed_file_is_noticed(void **state)
{
    (void)state;
    ncg_error err;
    nci_file *file = NULL;
    float value;
    const char *path = form_path("changed.h5");
    const nci_box box = {.rank = 2, .count = {1, 1}};
    make_small(path, false, false);
    CHECK_OK(nci_file_open(io, path, &file, &err));
    int v = nci_header_find_var(nci_file_header(file), "v");
    assert_int_equal(truncate(path, 3000), 0);
    ncg_status st = nci_file_read_box(file, v, &box, &value, &err);
    assert_true(st == NCG_ECORRUPT || st == NCG_EIO);
    nci_file_release(&file);
    unlink(path);
}

/* The n-th allocation fails, n = 1, 2, ... until all goes well. */
static void out_of_memory(void **state)
{
    (void)state;
    ncg_error err = {0};
    const char *path = form_path("oom.h5");
    make_small(path, false, false);
    int64_t n = 1;
    for (ncg_status st = NCG_ENOMEM; st; n++) {
        nci_io *keep = io;
        io = NULL;
        nci_mem_fail_at(n);
        st = nci_io_create(NULL, &io, &err);
        if (!st)
            st = read_v(path, true, &err);
        nci_mem_fail_at(0);
        nci_io_destroy(&io);
        io = keep;
        if (st && st != NCG_ENOMEM)
            fail_msg("allocation %lld: %s: %s", (long long)n,
                     ncg_status_name(st), err.message);
        assert_true(n < 10000);
    }
    assert_true(n > 10);
    unlink(path);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        NCG_TEST(not_a_file_of_ours),      NCG_TEST(unreadable_file),
        NCG_TEST(truncated_hdf5),          NCG_TEST(damaged_hdf5),
        NCG_TEST(damaged_chunk_is_named),  NCG_TEST(wrong_checksum_is_found),
        NCG_TEST(unknown_filter_is_named), NCG_TEST(library_filters_fall_back),
        NCG_TEST(changed_file_is_noticed), NCG_TEST(out_of_memory)};
    return cmocka_run_group_tests(tests, begin, end);
}
