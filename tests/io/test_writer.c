/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer against NetCDF-C as reader, for each format. */
#include "io/write/writer.h"

#include <fcntl.h>
#include <netcdf.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/dtype.h"
#include "base/grid.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/write/encode.h"
#include "test.h"

static ncg_error err;
static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, 256, "%s/%s", dir, name);
    return out;
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s", "/tmp/ncgraph-writer-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    (void)state;
    nci_mem_fail_at(0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static int count_files(void)
{
    char command[128];
    int count = -1;
    snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *pipe = popen(command, "r");
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

/* ---- a header to write -------------------------------------------------- */

enum { NT = 7, NY = 50, NX = 61 };

/* time (unlimited), y, x; T(time, y, x) f4 in chunks of 3 x 20 x 61, its
 * coordinates, a packed variable, a scalar. */
static nci_header *make_header(bool is_classic)
{
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "time", NT, true);
    nci_header_add_dim(h, "y", NY, false);
    nci_header_add_dim(h, "x", NX, false);
    int cube[] = {0, 1, 2}, line[] = {0};
    nci_var *t = nci_header_add_var(h, "time", NCG_DTYPE_F64, 1, line);
    t->storage.chunk[0] = 512;
    nci_attrs_put_text(&t->attrs, "units", "days since 2000-01-01");
    nci_var *v = nci_header_add_var(h, "T", NCG_DTYPE_F32, 3, cube);
    memcpy(v->storage.chunk, (int64_t[]){3, 20, NX}, 3 * sizeof(int64_t));
    nci_attrs_put(&v->attrs, "_FillValue", NCG_DTYPE_F64, 1, &(double){-999});
    nci_attrs_put_text(&v->attrs, "units", "K");
    nci_attrs_put(&v->attrs, "range", NCG_DTYPE_F32, 2, (float[]){1, 2});
    nci_attrs_put_text(&v->attrs, "empty", "");
    nci_var *p = nci_header_add_var(h, "packed", NCG_DTYPE_I16, 3, cube);
    memcpy(p->storage.chunk, (int64_t[]){4, NY, 40}, 3 * sizeof(int64_t));
    p->storage.has_fill = true;
    memcpy(p->storage.fill, &(int16_t){-5}, 2);
    nci_header_add_var(h, "scalar", NCG_DTYPE_I32, 0, NULL);
    nci_var *c =
        nci_header_add_var(h, "letters", NCG_DTYPE_CHAR, 1, (int[]){2});
    c->storage.chunk[0] = NX;
    if (!is_classic)
        nci_attrs_put(&h->attrs, "words", NCG_DTYPE_STRING, 2,
                      (const char *[]){nci_intern("a"), nci_intern("b c")});
    nci_attrs_put_text(&h->attrs, "title", "a test");
    nci_attrs_put(&h->attrs, "big", NCG_DTYPE_I64, 1, &(int64_t){7});
    return h;
}

static void *make_values(ncg_dtype dtype, int64_t n)
{
    size_t size = ncg_dtype_size(dtype);
    char *out = malloc((size_t)n * size + 1);
    for (int64_t i = 0; i < n; i++)
        nci_dtype_put(dtype, out + (size_t)i * size,
                      (double)((i * 37) % 113) * 0.5);
    return out;
}

static void gather(const char *from, const nci_var *var, const int64_t *shape,
                   const nci_box *box, char *to)
{
    size_t size = ncg_dtype_size(var->dtype);
    int64_t n = nci_box_size(box);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0, stride = 1;
        for (int d = var->rank - 1; d >= 0; d--) {
            at += (box->start[d] + rest % box->count[d]) * stride;
            rest /= box->count[d];
            stride *= shape[d];
        }
        memcpy(to + (size_t)i * size, from + (size_t)at * size, size);
    }
}

/* Writes a variable chunk by chunk, as the engine does. */
static ncg_status put_chunks(nci_writer *writer, const nci_header *h, int var,
                             const char *values)
{
    const nci_var *v = &h->vars[var];
    int64_t shape[NCG_MAX_RANK], index[NCG_MAX_RANK];
    nci_grid grid;
    nci_var_shape(h, v, shape);
    CHECK_OK(nci_grid_regular(v->rank, shape, v->storage.chunk, &grid, &err));
    ncg_status st = NCG_OK;
    for (int64_t i = 0; !st && i < nci_grid_nchunks(&grid); i++) {
        nci_box box = nci_grid_box(&grid, i);
        nci_buf *buf = NULL;
        char *part = malloc((size_t)nci_box_size(&box) * 8);
        gather(values, v, shape, &box, part);
        st = nci_writer_encode(writer, var, box.count, part, &buf, &err);
        free(part);
        nci_grid_index(&grid, i, index);
        if (!st)
            st = nci_writer_put(writer, var, index, buf, &err);
        nci_buf_release(&buf);
    }
    nci_grid_fini(&grid);
    return st;
}

static ncg_status put_all(nci_writer *writer, const nci_header *h)
{
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < h->nvars; i++) {
        const nci_var *v = &h->vars[i];
        int64_t shape[NCG_MAX_RANK], n = 1;
        nci_var_shape(h, v, shape);
        for (int d = 0; d < v->rank; d++)
            n *= shape[d];
        void *values = make_values(v->dtype, n);
        st = v->rank == 3 ? put_chunks(writer, h, (int)i, values)
                          : nci_writer_put_var(writer, (int)i, values, &err);
        free(values);
    }
    return st;
}

static void write_file(const char *path, const char *format, int deflate)
{
    nci_header *h = make_header(format[2] != '4' || format[3]);
    nci_write_options options = {format, deflate, true};
    nci_writer *writer = NULL;
    CHECK_OK(nci_writer_create(path, h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    assert_true(nci_writer_bytes(writer) > 0);
    CHECK_OK(nci_writer_finish(&writer, &err));
    assert_null(writer);
    nci_header_free(&h);
}

static void expect_doubles(int ncid, const char *name, ncg_dtype dtype,
                           int64_t n)
{
    int id;
    double *got = malloc((size_t)n * sizeof *got);
    char *want = make_values(dtype, n);
    assert_int_equal(nc_inq_varid(ncid, name, &id), 0);
    assert_int_equal(nc_get_var_double(ncid, id, got), 0);
    for (int64_t i = 0; i < n; i++)
        assert_true(
            got[i] ==
            nci_dtype_get(dtype, want + (size_t)i * ncg_dtype_size(dtype)));
    free(got);
    free(want);
}

/* ---- what comes back ---------------------------------------------------- */

static void check_file(const char *path, int deflate, bool is_hdf5)
{
    int ncid, id, dim, shuffle, packed, level;
    size_t size;
    float fill, range[2];
    short short_fill;
    assert_int_equal(nc_open(path, NC_NOWRITE, &ncid), 0);
    assert_int_equal(nc_inq_dimid(ncid, "time", &dim), 0);
    assert_int_equal(nc_inq_dimlen(ncid, dim, &size), 0);
    assert_int_equal(size, NT);
    assert_int_equal(nc_inq_unlimdim(ncid, &id), 0);
    assert_int_equal(id, dim);
    expect_doubles(ncid, "time", NCG_DTYPE_F64, NT);
    expect_doubles(ncid, "T", NCG_DTYPE_F32, NT * NY * NX);
    expect_doubles(ncid, "packed", NCG_DTYPE_I16, NT * NY * NX);
    expect_doubles(ncid, "scalar", NCG_DTYPE_I32, 1);
    assert_int_equal(nc_inq_varid(ncid, "T", &id), 0);
    assert_int_equal(nc_get_att_float(ncid, id, "_FillValue", &fill), 0);
    assert_true(fill == -999);
    assert_int_equal(nc_get_att_float(ncid, id, "range", range), 0);
    assert_true(range[1] == 2);
    assert_int_equal(nc_inq_attlen(ncid, id, "empty", &size), 0);
    assert_int_equal(size, 0);
    if (is_hdf5) {
        assert_int_equal(
            nc_inq_var_deflate(ncid, id, &shuffle, &packed, &level), 0);
        assert_int_equal(packed, deflate > 0);
        assert_int_equal(shuffle, deflate > 0);
    }
    assert_int_equal(nc_inq_varid(ncid, "packed", &id), 0);
    assert_int_equal(nc_get_att_short(ncid, id, "_FillValue", &short_fill), 0);
    assert_int_equal(short_fill, -5);
    assert_int_equal(nc_inq_varid(ncid, "time", &id), 0);
    assert_int_not_equal(nc_inq_attlen(ncid, id, "_FillValue", &size), 0);
    assert_int_equal(nc_close(ncid), 0);
}

static void formats(void **state)
{
    static const char *const names[] = {"nc4", "nc4c", "nc3", "nc64", "nc5"};
    (void)state;
    for (int i = 0; i < 5; i++)
        for (int deflate = 0; deflate < 5; deflate += 2) {
            write_file(in_dir("f.nc"), names[i], deflate);
            check_file(in_dir("f.nc"), deflate, i < 2);
        }
    assert_int_equal(count_files(), 1);
}

static void equal_results_are_equal_files(void **state)
{
    char command[256];
    (void)state;
    write_file(in_dir("a.nc"), "nc4", 1);
    sleep(1);
    write_file(in_dir("b.nc"), "nc4", 1);
    snprintf(command, sizeof command, "cmp %s/a.nc %s/b.nc", dir, dir);
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
    CHECK_OK(nci_writer_create(in_dir("g.nc"), h, &options, &writer, &err));
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
    assert_int_equal(nc_open(in_dir("g.nc"), NC_NOWRITE, &ncid), 0);
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
    CHECK_OK(nci_writer_create(in_dir("d.nc"), h, &options, &writer, &err));
    for (size_t i = 0; i < h->nvars; i++) {
        char *values = make_values(h->vars[i].dtype, 9000);
        assert_true(nci_writer_is_chunked(writer, (int)i));
        CHECK_OK(put_chunks(writer, h, (int)i, values));
        free(values);
    }
    CHECK_OK(nci_writer_finish(&writer, &err));
    int ncid;
    assert_int_equal(nc_open(in_dir("d.nc"), NC_NOWRITE, &ncid), 0);
    for (size_t i = 0; i < h->nvars; i++)
        if (h->vars[i].dtype != NCG_DTYPE_CHAR)
            expect_doubles(ncid, h->vars[i].name, h->vars[i].dtype, 9000);
    assert_int_equal(nc_close(ncid), 0);
    nci_header_free(&h);
}

/* ---- what is refused ---------------------------------------------------- */

static void refuse(const nci_header *h, const char *format, const char *part)
{
    nci_write_options options = {format, 1, true};
    nci_writer *writer = NULL;
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 nci_writer_create(in_dir("r.nc"), h, &options, &writer, &err));
    CHECK_MESSAGE(part);
    assert_null(writer);
    assert_int_equal(count_files(), 0);
}

static void refuses_what_a_format_lacks(void **state)
{
    (void)state;
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "t", 3, true);
    nci_header_add_var(h, "wide", NCG_DTYPE_I64, 1, (int[]){0});
    refuse(h, "nc3", "wide has dtype i8");
    refuse(h, "nc64", "use nc4 or nc5");
    h->vars[0].dtype = NCG_DTYPE_STRING;
    refuse(h, "nc5", "use nc4");
    h->vars[0].dtype = NCG_DTYPE_F32;
    nci_header_add_var(h, "/g/T", NCG_DTYPE_F32, 1, (int[]){0});
    refuse(h, "nc4c", "/g/T is in a group");
    h->vars[1].name[1] = h->vars[1].name[0] = h->vars[1].name[2] = 'g';
    nci_header_add_dim(h, "s", 2, true);
    refuse(h, "nc5", "t and s are both unlimited");
    h->dims[1].is_unlimited = false;
    nci_header_add_var(h, "late", NCG_DTYPE_F32, 2, (int[]){1, 0});
    refuse(h, "nc3", "must come first");
    nci_writer *writer = NULL;
    nci_write_options options = {"nc7", 1, true};
    CHECK_STATUS(NCG_EINVAL,
                 nci_writer_create(in_dir("r.nc"), h, &options, &writer, &err));
    CHECK_MESSAGE("nc7");
    nci_header_free(&h);
}

static ncg_status create_at(const char *path, bool overwrite)
{
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, overwrite};
    nci_writer *writer = NULL;
    ncg_status st = nci_writer_create(path, h, &options, &writer, &err);
    nci_writer_abandon(&writer);
    nci_header_free(&h);
    return st;
}

static void refuses_bad_targets(void **state)
{
    (void)state;
    char name[400];
    CHECK_STATUS(NCG_EOUTPUT, create_at(dir, true));
    CHECK_MESSAGE("directory");
    CHECK_STATUS(NCG_EOUTPUT, create_at(in_dir("no/such.nc"), true));
    CHECK_MESSAGE("does not exist");
    CHECK_STATUS(NCG_EOUTPUT, create_at(in_dir("sub/"), true));
    CHECK_STATUS(NCG_EOUTPUT, create_at("", true));
    CHECK_STATUS(NCG_EOUTPUT, create_at("/dev/null", true));
    CHECK_MESSAGE("regular");
    CHECK_STATUS(NCG_EOUTPUT, create_at("/proc/x.nc", true));
    CHECK_MESSAGE("/proc/x.nc");
    snprintf(name, sizeof name, "%s/%0300d.nc", dir, 1);
    CHECK_STATUS(NCG_EOUTPUT, create_at(name, true));
    write_file(in_dir("e.nc"), "nc3", 0);
    CHECK_STATUS(NCG_EOUTPUT, create_at(in_dir("e.nc/x.nc"), true));
    CHECK_STATUS(NCG_EEXISTS, create_at(in_dir("e.nc"), false));
    CHECK_MESSAGE("e.nc exists");
    snprintf(name, sizeof name, "%s/%0250d", dir, 1);
    CHECK_OK(create_at(name, true));
    assert_int_equal(count_files(), 1);
}

static void put_text_file(const char *path)
{
    FILE *file = fopen(path, "w");
    fputs("old", file);
    fclose(file);
}

static void expect_text_file(const char *path)
{
    char text[8] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "old");
}

static void an_old_file_stays_until_the_end(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, true};
    nci_writer *writer = NULL;
    put_text_file(in_dir("o.nc"));
    assert_int_equal(chmod(in_dir("o.nc"), 0640), 0);
    assert_int_equal(symlink("o.nc", in_dir("link.nc")), 0);
    CHECK_OK(nci_writer_create(in_dir("link.nc"), h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    expect_text_file(in_dir("o.nc"));
    nci_writer_abandon(&writer);
    expect_text_file(in_dir("o.nc"));
    CHECK_OK(nci_writer_create(in_dir("link.nc"), h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    CHECK_OK(nci_writer_finish(&writer, &err));
    check_file(in_dir("o.nc"), 1, true);
    struct stat info;
    assert_int_equal(stat(in_dir("o.nc"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_int_equal(lstat(in_dir("link.nc"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(count_files(), 2);
    nci_header_free(&h);
}

static void a_file_that_appears_is_kept(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, false};
    nci_writer *writer = NULL;
    CHECK_OK(nci_writer_create(in_dir("m.nc"), h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    put_text_file(in_dir("m.nc"));
    CHECK_STATUS(NCG_EEXISTS, nci_writer_finish(&writer, &err));
    CHECK_MESSAGE("m.nc");
    nci_writer_abandon(&writer);
    expect_text_file(in_dir("m.nc"));
    assert_int_equal(count_files(), 1);
    nci_header_free(&h);
}

static void temporaries_go(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, false};
    nci_writer *writer[3] = {NULL};
    for (int i = 0; i < 3; i++)
        CHECK_OK(nci_writer_create(in_dir(i ? "t.nc" : "s.nc"), h, &options,
                                   &writer[i], &err));
    assert_int_equal(count_files(), 3);
    nci_writer_remove_temporaries();
    assert_int_equal(count_files(), 0);
    for (int i = 0; i < 3; i++)
        nci_writer_abandon(&writer[i]);
    nci_writer_abandon(&writer[0]);
    nci_header_free(&h);
}

static void order_is_checked(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, false};
    nci_writer *writer = NULL;
    nci_buf *buf = NULL;
    float *values = make_values(NCG_DTYPE_F32, 3 * 20 * NX);
    CHECK_OK(nci_writer_create(in_dir("b.nc"), h, &options, &writer, &err));
    CHECK_OK(nci_writer_encode(writer, 1, (int64_t[]){3, 20, NX}, values, &buf,
                               &err));
    CHECK_STATUS(NCG_EBUG,
                 nci_writer_put(writer, 1, (int64_t[]){0, 1, 0}, buf, &err));
    CHECK_OK(nci_writer_put(writer, 1, (int64_t[]){0, 0, 0}, buf, &err));
    CHECK_STATUS(NCG_EBUG,
                 nci_writer_put(writer, 1, (int64_t[]){0, 0, 0}, buf, &err));
    CHECK_STATUS(NCG_EBUG,
                 nci_writer_put(writer, 1, (int64_t[]){0, 9, 0}, buf, &err));
    CHECK_STATUS(NCG_EBUG, nci_writer_put_var(writer, 1, values, &err));
    nci_buf_release(&buf);
    CHECK_STATUS(NCG_EBUG, nci_writer_encode(writer, 1, (int64_t[]){4, 1, 1},
                                             values, &buf, &err));
    CHECK_STATUS(NCG_EBUG, nci_writer_finish(&writer, &err));
    nci_writer_abandon(&writer);
    free(values);
    nci_header_free(&h);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, true};
    bool is_done = false;
    for (int64_t n = 1; !is_done; n++) {
        nci_writer *writer = NULL;
        nci_mem_fail_at(n);
        ncg_status st =
            nci_writer_create(in_dir("n.nc"), h, &options, &writer, &err);
        nci_mem_fail_at(0);
        is_done = !st;
        if (st)
            assert_int_equal(st, NCG_ENOMEM);
        nci_writer_abandon(&writer);
        assert_int_equal(count_files(), 0);
    }
    nci_header_free(&h);
}

/* ---- encoding ----------------------------------------------------------- */

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
    CHECK_OK(nci_writer_create(in_dir("p.nc"), h, &options, &writer, &err));
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

#define WITH_DIR(name)                                                         \
    cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

NCG_TESTS(WITH_DIR(formats), WITH_DIR(equal_results_are_equal_files),
          WITH_DIR(groups_strings_and_names), WITH_DIR(every_dtype),
          WITH_DIR(refuses_what_a_format_lacks), WITH_DIR(refuses_bad_targets),
          WITH_DIR(an_old_file_stays_until_the_end),
          WITH_DIR(a_file_that_appears_is_kept), WITH_DIR(temporaries_go),
          WITH_DIR(order_is_checked), WITH_DIR(memory_may_run_out),
          NCG_TEST(shuffles_every_size), WITH_DIR(threads_encode_alike))
