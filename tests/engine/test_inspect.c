/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that workers inspect for a client: the same header and values as when
 * it is read here, for every form that is taken; the others are not taken; no
 * bytes do harm. */
#include "io/files.h"
#include "folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "engine/cluster/functions.h"
#include "engine/cluster/header_pack.h"
#include "engine/cluster/inspect.h"

enum { NX = 50, NT = 3, NFILES = 4 };

static char paths[NFILES][96];
static char *list[NFILES];

static void write_values(int ncid, int var)
{
    float values[NT * NX];
    size_t start[] = {0, 0}, count[] = {NT, NX};
    for (int i = 0; i < NT * NX; i++)
        values[i] = (float)(i * 7 % 31);
    NC(nc_put_vara_float(ncid, var, start, count, values));
}

/* A record variable with attributes of every sort, a scalar, a run. */
static void write_file(const char *path, int mode, bool has_text)
{
    int ncid, dims[2], var, scalar, run, text;
    const double scale = 0.5;
    const char *words[] = {"one", "two"};
    NC(nc_create(path, mode | NC_CLOBBER, &ncid));
    NC(nc_def_dim(ncid, "time", NC_UNLIMITED, &dims[0]));
    NC(nc_def_dim(ncid, "x", NX, &dims[1]));
    NC(nc_def_var(ncid, "v", NC_FLOAT, 2, dims, &var));
    NC(nc_def_var(ncid, "run", NC_SHORT, 1, dims + 1, &run));
    NC(nc_def_var(ncid, "scalar", NC_INT, 0, NULL, &scalar));
    NC(nc_put_att_text(ncid, var, "units", 1, "K"));
    NC(nc_put_att_text(ncid, var, "empty", 0, ""));
    NC(nc_put_att_double(ncid, var, "scale_factor", NC_DOUBLE, 1, &scale));
    if (mode & NC_NETCDF4) {
        size_t chunk[] = {1, 20};
        NC(nc_def_var_chunking(ncid, var, NC_CHUNKED, chunk));
        NC(nc_def_var_deflate(ncid, var, 1, 1, 4));
        NC(nc_put_att_string(ncid, NC_GLOBAL, "words", 2, words));
    }
    if (has_text)
        NC(nc_def_var(ncid, "text", NC_STRING, 0, NULL, &text));
    NC(nc_enddef(ncid));
    write_values(ncid, var);
    NC(nc_close(ncid));
}

static int make_files(void **state)
{
    static const char *const names[] = {"a.nc", "b.nc", "text.nc", "gone.nc"};
    if (make_folder(state))
        return -1;
    for (int i = 0; i < NFILES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", folder, names[i]);
        list[i] = paths[i];
    }
    write_file(paths[0], NC_NETCDF4, false);
    write_file(paths[1], NC_64BIT_OFFSET, false);
    write_file(paths[2], NC_NETCDF4, true);
    return 0;
}

static int drop_files(void **state)
{
    for (int i = 0; i + 1 < NFILES; i++)
        unlink(paths[i]);
    return drop_folder(state);
}

/* What a worker answers. */
static nci_buf *answer(void)
{
    ncg_error err;
    nci_pack pack = {0};
    nci_buf *out = NULL;
    nci_inspect_ask(&pack, list, NFILES);
    nci_function_frame frame = {
        .call = {.argument = {pack.text.data, pack.text.length},
                 .process = "here"}};
    CHECK_OK(nci_function_run(NCI_FUNCTION_INSPECT, &frame, &out, &err));
    nci_text_fini(&pack.text);
    return out;
}

static void same_header(const nci_file *a, const nci_file *b)
{
    nci_pack one = {0}, two = {0};
    nci_header_pack(&one, nci_file_header(a));
    nci_header_pack(&two, nci_file_header(b));
    assert_int_equal(one.text.length, two.text.length);
    assert_memory_equal(one.text.data, two.text.data, one.text.length);
    nci_text_fini(&one.text);
    nci_text_fini(&two.text);
}

static void same_values(nci_file *a, nci_file *b)
{
    ncg_error err;
    float one[NT * NX], two[NT * NX];
    int var = nci_header_find_var(nci_file_header(a), "v");
    const nci_box box = {.rank = 2, .count = {NT, NX}};
    CHECK_OK(nci_file_read_box(a, var, &box, one, &err));
    CHECK_OK(nci_file_read_box(b, var, &box, two, &err));
    assert_memory_equal(one, two, sizeof one);
    assert_true(one[9] == 9 * 7 % 31);
}

static void headers_are_the_same(void **state)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_io_stats stats;
    nci_file *files[NFILES] = {NULL};
    nci_buf *bytes = answer();
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    nci_inspect_take(io, nci_buf_data(bytes), nci_buf_size(bytes), list, NFILES,
                     files);
    for (int i = 0; i < 2; i++) {
        nci_file *here = NULL;
        assert_non_null(files[i]);
        CHECK_OK(nci_file_open(io, paths[i], &here, &err));
        same_header(files[i], here);
        same_values(files[i], here);
        nci_file_release(&here);
        nci_file_release(&files[i]);
    }
    assert_null(files[2]); /* its texts are read by a library */
    assert_null(files[3]);
    nci_io_get_stats(io, &stats);
    assert_int_equal(stats.headers_adopted, 2);
    assert_int_equal(stats.headers_direct, 4);
    nci_buf_release(&bytes);
    nci_io_destroy(&io);
}

static void other_files_are_not_taken(void **state)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_file *files[NFILES] = {NULL};
    nci_buf *bytes = answer();
    (void)state;
    const struct timespec other[] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(AT_FDCWD, paths[1], other, 0), 0);
    char *swapped[] = {paths[1], paths[1], paths[0]};
    CHECK_OK(nci_io_create(NULL, &io, &err));
    nci_inspect_take(io, nci_buf_data(bytes), nci_buf_size(bytes), swapped, 3,
                     files);
    for (int i = 0; i < 3; i++)
        assert_null(files[i]);
    nci_buf_release(&bytes);
    nci_io_destroy(&io);
}

/* Reads what a damaged header still lets pass. */
static void read_some(nci_file *file, nci_scratch *scratch)
{
    const nci_header *header = nci_file_header(file);
    const int64_t first[NCG_MAX_RANK] = {0};
    for (size_t i = 0; i < header->nvars; i++) {
        nci_tile tile;
        if (nci_scratch_need(&header->vars[i]) < 1 << 20)
            nci_file_read_tile(file, (int)i, first, scratch, &tile, NULL);
    }
}

static void try_bytes(nci_io *io, nci_scratch *scratch, const uint8_t *bytes,
                      size_t nbytes)
{
    nci_file *files[2] = {NULL};
    nci_inspect_take(io, bytes, nbytes, list, 2, files);
    for (int i = 0; i < 2; i++) {
        if (files[i])
            read_some(files[i], scratch);
        nci_file_release(&files[i]);
    }
}

static void damaged_answers(void **state)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_scratch *scratch = NULL;
    nci_buf *bytes = answer();
    uint8_t *data = nci_buf_data(bytes);
    size_t n = nci_buf_size(bytes);
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_scratch_create(&scratch, &err));
    for (size_t i = 0; i < n; i++) {
        uint8_t was = data[i];
        static const uint8_t flips[] = {0xff, 0x01};
        uint8_t *cut = malloc(i + 1); /* so that a look behind it is seen */
        assert_non_null(cut);
        memcpy(cut, data, i);
        try_bytes(io, scratch, cut, i);
        free(cut);
        for (size_t k = 0; k < sizeof flips; k++) {
            data[i] = was ^ flips[k];
            try_bytes(io, scratch, data, n);
        }
        data[i] = was;
    }
    nci_scratch_destroy(&scratch);
    nci_io_destroy(&io);
    nci_buf_release(&bytes);
}

/* The header of a file as a worker answers it. */
static nci_header *answered(const nci_buf *bytes, int file)
{
    ncg_error err;
    nci_header *header = NULL;
    nci_unpack in = {.data = nci_buf_data(bytes), .size = nci_buf_size(bytes)};
    nci_unpack one = {0};
    for (int i = 0; i <= file; i++)
        one.data = nci_unpack_bytes(&in, &one.size);
    CHECK_OK(nci_header_unpack(&one, paths[file], &header, &err));
    return header;
}

static nci_storage *storage_of(nci_header *header)
{
    return &header->vars[nci_header_find_var(header, "v")].storage;
}

/* Whole, but not what our own inspection makes. */
static void headers_that_lie(void **state)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_file *file = NULL;
    nci_buf *bytes = answer();
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    nci_header *header = answered(bytes, 1);
    assert_int_equal(storage_of(header)->layout, NCI_LAYOUT_RECORD);
    storage_of(header)->record_size = 0;
    CHECK_STATUS(NCG_EUNSUPPORTED, nci_file_adopt(io, header, &file, &err));
    header = answered(bytes, 0);
    header->dims[0].size = header->dims[1].size = INT64_C(1) << 40;
    CHECK_STATUS(NCG_EUNSUPPORTED, nci_file_adopt(io, header, &file, &err));
    header = answered(bytes, 0);
    assert_int_equal(storage_of(header)->layout, NCI_LAYOUT_CHUNKED);
    storage_of(header)->filters[0].id = 4711; /* which only a library reads */
    CHECK_STATUS(NCG_EUNSUPPORTED, nci_file_adopt(io, header, &file, &err));
    nci_buf_release(&bytes);
    nci_io_destroy(&io);
}

/* It goes to the library, which has larger values than there is room for. */
static void a_type_that_lies(void **state)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_file *file = NULL;
    nci_buf *bytes = answer();
    int8_t values[NT * NX];
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    nci_header *header = answered(bytes, 0);
    int var = nci_header_find_var(header, "v");
    header->vars[var].dtype = NCG_DTYPE_I8;
    header->vars[var].storage.elem_size = 1;
    header->vars[var].storage.index = NCI_INDEX_NONE;
    const nci_box box = {.rank = 2, .count = {NT, NX}};
    CHECK_OK(nci_file_adopt(io, header, &file, &err));
    CHECK_STATUS(NCG_EIO, nci_file_read_box(file, var, &box, values, &err));
    CHECK_MESSAGE("is not what it was");
    nci_file_release(&file);
    nci_buf_release(&bytes);
    nci_io_destroy(&io);
}

static void out_of_memory(void **state)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_buf *bytes = answer();
    (void)state;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    for (int64_t k = 1; k < 400; k++) {
        nci_file *files[2] = {NULL};
        nci_mem_fail_at(k);
        nci_inspect_take(io, nci_buf_data(bytes), nci_buf_size(bytes), list, 2,
                         files);
        nci_mem_fail_at(0);
        nci_file_release(&files[0]);
        nci_file_release(&files[1]);
    }
    nci_io_destroy(&io);
    nci_buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(headers_are_the_same),  NCG_TEST(out_of_memory),
        NCG_TEST(damaged_answers),       NCG_TEST(headers_that_lie),
        NCG_TEST(a_type_that_lies),      NCG_TEST(other_files_are_not_taken)};
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
