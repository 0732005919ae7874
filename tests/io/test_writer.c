/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer against NetCDF-C as reader, for each format; encoding. */
#include <pthread.h>
#include <unistd.h>

#include "io/write/encode.h"
#include "written.h"

static void formats(void **state)
{
    static const char *const names[] = {"nc4", "nc4c", "nc3", "nc64", "nc5"};
    (void)state;
    for (int i = 0; i < 5; i++)
        for (int deflate = 0; deflate < 5; deflate += 2) {
            write_file(in_folder("f.nc"), names[i], deflate);
            check_file(in_folder("f.nc"), deflate, i < 2);
        }
    assert_int_equal(count_in_folder(), 1);
}

static void equal_results_are_equal_files(void **state)
{
    char command[256];
    (void)state;
    write_file(in_folder("a.nc"), "nc4", 1);
    sleep(1);
    write_file(in_folder("b.nc"), "nc4", 1);
    snprintf(command, sizeof command, "cmp %s/a.nc %s/b.nc", folder, folder);
    assert_int_equal(system(command), 0);
}

static void groups_strings_and_names(void **state)
{
    (void)state;
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "n", 3, false);
    nci_header_add_dim(h, "/one/t", 2, true);
    nci_header_add_dim(h, "u", 4, true);
    nci_header_add_dim(h, "none", 0, false);
    nci_header_add_var(h, "/one/T", NCG_DTYPE_F32, 2, (int[]){1, 0});
    nci_header_add_var(h, "words", NCG_DTYPE_STRING, 1, (int[]){0});
    nci_header_add_var(h, "more", NCG_DTYPE_STRING, 1, (int[]){2});
    nci_header_add_var(h, "u", NCG_DTYPE_I32, 1, (int[]){0});
    nci_header_add_var(h, "nothing", NCG_DTYPE_I32, 1, (int[]){3});
    const char *words[] = {nci_intern("one"), nci_intern(""),
                           nci_intern("drei"), nci_intern("z")};
    nci_attrs_put(&h->vars[1].attrs, "_FillValue", NCG_DTYPE_STRING, 1,
                  &words[2]);
    nci_write_options options = {"nc4", 4, false};
    nci_writer *writer = NULL;
    CHECK_OK(nci_writer_create(in_folder("g.nc"), h, &options, &writer, &err));
    float t[] = {1, 2, 3, 4, 5, 6};
    nci_buf *buf = NULL;
    for (int64_t i = 0; i < 6; i++) {
        CHECK_OK(
            nci_writer_encode(writer, 0, (int64_t[]){1, 1}, &t[i], &buf, &err));
        CHECK_OK(
            nci_writer_put(writer, 0, (int64_t[]){i / 3, i % 3}, buf, &err));
        nci_buf_release(&buf);
    }
    CHECK_OK(nci_writer_put_var(writer, 1, words, &err));
    CHECK_OK(nci_writer_put_var(writer, 2, words, &err));
    CHECK_OK(nci_writer_put_var(writer, 3, (int[]){7, 8, 9}, &err));
    CHECK_OK(nci_writer_put_var(writer, 4, t, &err));
    CHECK_OK(nci_writer_finish(&writer, &err));
    nci_header_free(&h);

    int ncid, group, id, back[3];
    size_t size;
    char *got[4];
    float values[6];
    assert_int_equal(nc_open(in_folder("g.nc"), NC_NOWRITE, &ncid), 0);
    assert_int_equal(nc_inq_grp_ncid(ncid, "one", &group), 0);
    assert_int_equal(nc_inq_dimid(group, "t", &id), 0);
    assert_int_equal(nc_inq_dimlen(group, id, &size), 0);
    assert_int_equal(size, 2);
    assert_int_equal(nc_inq_varid(group, "T", &id), 0);
    assert_int_equal(nc_get_var_float(group, id, values), 0);
    assert_true(values[5] == 6);
    assert_int_equal(nc_inq_dimid(ncid, "u", &id), 0);
    assert_int_equal(nc_inq_dimlen(ncid, id, &size), 0);
    assert_int_equal(size, 4);
    assert_int_equal(nc_inq_varid(ncid, "more", &id), 0);
    assert_int_equal(nc_get_var_string(ncid, id, got), 0);
    assert_string_equal(got[2], "drei");
    nc_free_string(4, got);
    assert_int_equal(nc_inq_varid(ncid, "words", &id), 0);
    assert_int_equal(nc_get_var_string(ncid, id, got), 0);
    assert_string_equal(got[0], "one");
    nc_free_string(3, got);
    assert_int_equal(nc_inq_varid(ncid, "u", &id), 0);
    assert_int_equal(nc_get_var_int(ncid, id, back), 0);
    assert_int_equal(back[2], 9);
    assert_int_equal(nc_close(ncid), 0);
}

static void every_dtype(void **state)
{
    (void)state;
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "n", 9000, false);
    for (int d = NCG_DTYPE_I8; d < NCG_DTYPE_STRING; d++) {
        const char *name = ncg_dtype_name((ncg_dtype)d);
        nci_var *v = nci_header_add_var(h, name, (ncg_dtype)d, 1, (int[]){0});
        v->storage.chunk[0] = 5000;
    }
    nci_write_options options = {"nc4", 1, true};
    nci_writer *writer = NULL;
    CHECK_OK(nci_writer_create(in_folder("d.nc"), h, &options, &writer, &err));
    for (size_t i = 0; i < h->nvars; i++) {
        char *values = make_values(h->vars[i].dtype, 9000);
        assert_true(nci_writer_is_chunked(writer, (int)i));
        CHECK_OK(put_chunks(writer, h, (int)i, values));
        free(values);
    }
    CHECK_OK(nci_writer_finish(&writer, &err));
    int ncid;
    assert_int_equal(nc_open(in_folder("d.nc"), NC_NOWRITE, &ncid), 0);
    for (size_t i = 0; i < h->nvars; i++)
        if (h->vars[i].dtype != NCG_DTYPE_CHAR)
            expect_doubles(ncid, h->vars[i].name, h->vars[i].dtype, 9000);
    assert_int_equal(nc_close(ncid), 0);
    nci_header_free(&h);
}

/* ---- encoding ------------------------------------------------------------ */

static void shuffles_every_size(void **state)
{
    (void)state;
    enum { N = 1003 };
    for (size_t elem = 1; elem <= 9; elem++) {
        uint8_t in[N * 9], out[N * 9];
        for (size_t i = 0; i < N * elem; i++)
            in[i] = (uint8_t)(i * 31 + i / 256);
        nci_shuffle(in, N, elem, out);
        for (size_t i = 0; i < N; i++)
            for (size_t b = 0; b < elem; b++)
                assert_int_equal(out[b * N + i], in[i * elem + b]);
    }
}

static void *encode_many(void *payload)
{
    nci_writer *writer = payload;
    float *values = make_values(NCG_DTYPE_F32, 3 * 20 * NX);
    nci_buf *first = NULL;
    ncg_error own;
    for (int i = 0; i < 20; i++) {
        nci_buf *buf = NULL;
        if (nci_writer_encode(writer, 1, (int64_t[]){2, 19, NX}, values, &buf,
                              &own))
            break;
        if (!first)
            first = nci_buf_retain(buf);
        if (nci_buf_size(buf) != nci_buf_size(first) ||
            memcmp(nci_buf_data(buf), nci_buf_data(first), nci_buf_size(buf)))
            nci_buf_release(&first);
        nci_buf_release(&buf);
    }
    free(values);
    return first;
}

static void threads_encode_alike(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, true};
    nci_writer *writer = NULL;
    pthread_t threads[4];
    nci_buf *got[4];
    CHECK_OK(nci_writer_create(in_folder("p.nc"), h, &options, &writer, &err));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_many, writer),
                         0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], (void **)&got[i]);
    for (int i = 0; i < 4; i++) {
        assert_non_null(got[i]);
        assert_int_equal(nci_buf_size(got[i]), nci_buf_size(got[0]));
        assert_memory_equal(nci_buf_data(got[i]), nci_buf_data(got[0]),
                            nci_buf_size(got[0]));
    }
    for (int i = 0; i < 4; i++)
        nci_buf_release(&got[i]);
    nci_writer_abandon(&writer);
    nci_header_free(&h);
}

NCG_TESTS(IN_FOLDER(formats), IN_FOLDER(equal_results_are_equal_files),
          IN_FOLDER(groups_strings_and_names), IN_FOLDER(every_dtype),
          NCG_TEST(shuffles_every_size), IN_FOLDER(threads_encode_alike))
