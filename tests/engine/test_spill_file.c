/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that chunks are spilled to, alone: they come back, compressed or
 * not; bytes that come back changed; memory that runs out. */
#include "base/mem.h"
#include "spill_disk.h"

/* Half of it can be compressed, half cannot; several pieces, the last one cut.
 */
static void fill_mixed(nci_buf *buf)
{
    uint8_t *bytes = nci_buf_data(buf);
    size_t n = nci_buf_size(buf);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = i < n / 2 ? (uint8_t)(i / 1000) : (uint8_t)(seed >> 24);
    }
}

static int64_t disk_bytes(void)
{
    struct stat info;
    int fd = open_again();
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    close(fd);
    return (int64_t)info.st_blocks * 512;
}

static void compressed(void **state)
{
    const size_t size = (3 << 20) + 17;
    nci_buf *chunk = chunk_of(size, 0), *back = NULL;
    ncg_error err;
    (void)state;
    fill_mixed(chunk);
    for (int how = NCG_WIRE_PLAIN; how <= NCG_WIRE_ZSTD; how++) {
        const nci_spill_place place = {folder, (ncg_wire_compression)how};
        nci_spill_file *file = NULL;
        nci_extent *first = NULL, *second = NULL;
        CHECK_OK(nci_spill_file_create(&place, &file, &err));
        CHECK_OK(nci_spill_file_write(file, chunk, &first, &err));
        CHECK_OK(nci_spill_file_write(file, chunk, &second, &err));
        CHECK_OK(nci_spill_file_read(file, first, &back, &err));
        assert_memory_equal(nci_buf_data(back), nci_buf_data(chunk), size);
        nci_buf_release(&back);
        nci_spill_file_drop(file, &first);
        CHECK_OK(nci_spill_file_write(file, chunk, &first, &err));
        for (int i = 0; i < 2; i++) {
            CHECK_OK(
                nci_spill_file_read(file, i ? first : second, &back, &err));
            assert_memory_equal(nci_buf_data(back), nci_buf_data(chunk), size);
            nci_buf_release(&back);
        }
        int64_t used = disk_bytes();
        if (how)
            assert_true(used < (int64_t)(2 * size * 7 / 10));
        damage();
        CHECK_STATUS(NCG_ECORRUPT,
                     nci_spill_file_read(file, first, &back, &err));
        assert_null(back);
        nci_spill_file_drop(file, &first);
        nci_spill_file_drop(file, &second);
        nci_spill_file_free(&file);
    }
    nci_buf_release(&chunk);
}

static void chunks_come_back(void **state)
{
    enum { N = 40 };
    const nci_spill_place place = place_at(folder);
    nci_spill_file *file = NULL;
    nci_extent *extents[N] = {0};
    ncg_error err;
    (void)state;
    CHECK_OK(nci_spill_file_create(&place, &file, &err));
    for (int i = 0; i < 4 * N; i++) {
        nci_buf *chunk = chunk_of((size_t)(1 + i % 7 * 1000), i), *back = NULL;
        nci_spill_file_drop(file, &extents[i % N]);
        CHECK_OK(nci_spill_file_write(file, chunk, &extents[i % N], &err));
        assert_int_equal(rmdir(folder), 0); /* nothing has a name in it */
        assert_int_equal(mkdir(folder, 0700), 0);
        CHECK_OK(nci_spill_file_read(file, extents[i % N], &back, &err));
        assert_int_equal(nci_buf_size(back), nci_buf_size(chunk));
        assert_memory_equal(nci_buf_data(back), nci_buf_data(chunk),
                            nci_buf_size(chunk));
        nci_buf_release(&back);
        nci_buf_release(&chunk);
    }
    for (int i = 0; i < N; i++)
        nci_spill_file_drop(file, &extents[i]);
    nci_spill_file_free(&file);
}

static void damage_is_found(void **state)
{
    nci_spill_file *file = NULL;
    nci_extent *extent = NULL;
    nci_buf *chunk = chunk_of(3000, 7), *back = NULL;
    ncg_error err;
    const nci_spill_place place = place_at(folder);
    (void)state;
    CHECK_OK(nci_spill_file_create(&place, &file, &err));
    CHECK_OK(nci_spill_file_write(file, chunk, &extent, &err));
    damage();
    CHECK_STATUS(NCG_ECORRUPT, nci_spill_file_read(file, extent, &back, &err));
    assert_true(says_all(&err, folder, "checksum"));
    assert_null(back);
    int fd = open_again();
    assert_int_equal(ftruncate(fd, 1000), 0);
    close(fd);
    CHECK_STATUS(NCG_ECORRUPT, nci_spill_file_read(file, extent, &back, &err));
    assert_true(says_all(&err, folder, "short"));
    nci_spill_file_drop(file, &extent);
    nci_spill_file_free(&file);
    nci_buf_release(&chunk);
}

static void memory_runs_out(void **state)
{
    int before = count_descriptors();
    ncg_status st = NCG_ENOMEM;
    (void)state;
    nci_buf *chunk = chunk_of(3000, 7);
    for (int n = 1; st && n < 100; n++) {
        nci_spill_file *file = NULL;
        nci_extent *extent = NULL;
        nci_buf *back = NULL;
        ncg_error err;
        const nci_spill_place place = {folder, NCG_WIRE_LZ4};
        nci_mem_fail_at(n);
        st = nci_spill_file_create(&place, &file, &err);
        if (!st)
            st = nci_spill_file_write(file, chunk, &extent, &err);
        if (!st)
            st = nci_spill_file_read(file, extent, &back, &err);
        nci_mem_fail_at(0);
        assert_true(st == NCG_OK || st == NCG_ENOMEM);
        nci_buf_release(&back);
        if (file)
            nci_spill_file_drop(file, &extent);
        nci_spill_file_free(&file);
        assert_int_equal(count_descriptors(), before);
    }
    assert_int_equal(st, NCG_OK);
    nci_buf_release(&chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(chunks_come_back), NCG_TEST(compressed),
        NCG_TEST(damage_is_found), NCG_TEST(memory_runs_out)};
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
