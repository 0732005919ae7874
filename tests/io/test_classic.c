/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic files written by NetCDF-C, read by our own reader: the three
 * formats, every type, interleaved records, a single record variable (no
 * padding), streaming, and damage at every byte.
 */
#include "files.h"

#include "base/dtype.h"
#include "io/io.h"

static const int formats[] = {0, NC_64BIT_OFFSET, NC_64BIT_DATA};

static const char *file_path(const char *name)
{
    static char path[512];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/ncg-classic-%ld-%s", dir ? dir : "/tmp",
             (long)getpid(), name);
    return path;
}

static double value_of(int v, int64_t i)
{
    return (double)((i * 31 + v * 7) % 100);
}

/* One variable of each type, fixed and record ones mixed. */
static void make_all_types(const char *path, int format, size_t nrecords)
{
    int ncid, t, y, x, id;
    nc_type last = format == NC_64BIT_DATA ? NC_UINT64 : NC_DOUBLE;
    NC(nc_create(path, NC_CLOBBER | format, &ncid));
    NC(nc_def_dim(ncid, "time", NC_UNLIMITED, &t));
    NC(nc_def_dim(ncid, "y", 3, &y));
    NC(nc_def_dim(ncid, "x", 5, &x));
    NC(nc_put_att_text(ncid, NC_GLOBAL, "title", 5, "hello"));
    for (nc_type type = NC_BYTE; type <= last; type++) {
        char name[32];
        const int dims[] = {t, y, x};
        const double scale[] = {1.5, -2};
        snprintf(name, sizeof name, "record_%d", (int)type);
        NC(nc_def_var(ncid, name, type, 3, dims, &id));
        NC(nc_put_att_double(ncid, id, "numbers", NC_DOUBLE, 2, scale));
        snprintf(name, sizeof name, "fixed_%d", (int)type);
        NC(nc_def_var(ncid, name, type, 2, dims + 1, &id));
        NC(nc_put_att_text(ncid, id, "units", 1, "K"));
    }
    NC(nc_def_var(ncid, "scalar", NC_INT, 0, NULL, &id));
    NC(nc_enddef(ncid));
    for (int v = 0; v <= id; v++) {
        int rank;
        nc_type type;
        char text[4096];
        double values[4096];
        size_t start[3] = {0}, count[3] = {nrecords, 3, 5};
        NC(nc_inq_var(ncid, v, NULL, &type, &rank, NULL, NULL));
        size_t n = rank == 3 ? nrecords * 15 : rank == 2 ? 15 : 1;
        for (size_t i = 0; i < n; i++)
            values[i] = text[i] = (char)value_of(v, (int64_t)i);
        if (type == NC_CHAR)
            NC(nc_put_vara_text(ncid, v, start, count + 3 - rank, text));
        else
            NC(nc_put_vara_double(ncid, v, start, count + 3 - rank, values));
    }
    NC(nc_close(ncid));
}

static void check_values(nci_file *file, int v, const void *values, int64_t n)
{
    const nci_var *var = &nci_file_header(file)->vars[v];
    for (int64_t i = 0; i < n; i++) {
        size_t size = ncg_dtype_size(var->dtype);
        const char *at = (const char *)values + (size_t)i * size;
        double x =
            var->dtype == NCG_DTYPE_CHAR ? *at : nci_dtype_get(var->dtype, at);
        if (x != value_of(v, i))
            fail_msg("%s: element %lld is %g, not %g", var->name, (long long)i,
                     x, value_of(v, i));
    }
}

/* Reads all variables of a file; they hold value_of. */
static void check_file(const char *path, int64_t nrecords)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_file *file = NULL;
    nci_io_stats stats;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_file_open(io, path, &file, &err));
    const nci_header *header = nci_file_header(file);
    for (size_t v = 0; v < header->nvars; v++) {
        int64_t shape[NCG_MAX_RANK];
        const nci_var *var = &header->vars[v];
        nci_var_shape(header, var, shape);
        if (var->rank && header->dims[var->dims[0]].is_unlimited)
            assert_int_equal(shape[0], nrecords);
        nci_box box = nci_box_whole(var->rank, shape);
        int64_t n = nci_box_size(&box);
        void *values = calloc((size_t)n + 1, 8);
        CHECK_OK(nci_file_read_box(file, (int)v, &box, values, &err));
        check_values(file, (int)v, values, n);
        free(values);
    }
    nci_file_release(&file);
    nci_io_get_stats(io, &stats);
    assert_int_equal(stats.chunks_library + stats.headers_library, 0);
    nci_io_destroy(&io);
}

static void every_type_and_format(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        const char *path = file_path("types.nc");
        make_all_types(path, formats[f], 17);
        check_file(path, 17);
        make_all_types(path, formats[f], 0);
        check_file(path, 0);
        unlink(path);
    }
}

static void attributes_are_kept(void **state)
{
    (void)state;
    ncg_error err;
    nci_io *io = NULL;
    nci_file *file = NULL;
    for (int f = 0; f < 3; f++) {
        const char *path = file_path("attrs.nc");
        make_all_types(path, formats[f], 1);
        CHECK_OK(nci_io_create(NULL, &io, &err));
        CHECK_OK(nci_file_open(io, path, &file, &err));
        const nci_header *header = nci_file_header(file);
        assert_string_equal(nci_attrs_text(&header->attrs, "title"), "hello");
        const nci_attr *attr =
            nci_attrs_find(&header->vars[0].attrs, "numbers");
        assert_int_equal(attr->dtype, NCG_DTYPE_F64);
        assert_int_equal(attr->count, 2);
        assert_true(((const double *)attr->values)[0] == 1.5);
        assert_true(((const double *)attr->values)[1] == -2);
        nci_file_release(&file);
        nci_io_destroy(&io);
        unlink(path);
    }
}

/* One short record variable: records are not padded to 4 bytes. */
static void single_record_variable(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        int ncid, dims[2], id;
        const char *path = file_path("single.nc");
        NC(nc_create(path, NC_CLOBBER | formats[f], &ncid));
        NC(nc_def_dim(ncid, "time", NC_UNLIMITED, &dims[0]));
        NC(nc_def_dim(ncid, "x", 3, &dims[1]));
        NC(nc_def_var(ncid, "v", NC_SHORT, 2, dims, &id));
        NC(nc_enddef(ncid));
        for (size_t r = 0; r < 9; r++) {
            const size_t start[] = {r, 0}, count[] = {1, 3};
            double row[3];
            for (int i = 0; i < 3; i++)
                row[i] = value_of(0, (int64_t)r * 3 + i);
            NC(nc_put_vara_double(ncid, id, start, count, row));
        }
        NC(nc_close(ncid));
        check_file(path, 9);
        unlink(path);
    }
}

/* Rows longer than a tile, shares below and above one half of a record. */
static void large_records(void **state)
{
    (void)state;
    const size_t widths[][2] = {
        {1300000, 10}, {10, 40000}, {200000, 9000}, {5000, 5000}, {3, 2}};
    for (size_t k = 0; k < 5; k++) {
        int ncid, t, dims[2], id[2];
        const char *path = file_path("large.nc");
        NC(nc_create(path, NC_CLOBBER | NC_64BIT_OFFSET, &ncid));
        NC(nc_def_dim(ncid, "time", NC_UNLIMITED, &t));
        for (int v = 0; v < 2; v++) {
            NC(nc_def_dim(ncid, v ? "b" : "a", widths[k][v], &dims[1]));
            dims[0] = t;
            NC(nc_def_var(ncid, v ? "vb" : "va", NC_FLOAT, 2, dims, &id[v]));
        }
        NC(nc_set_fill(ncid, NC_NOFILL, NULL));
        NC(nc_enddef(ncid));
        for (int v = 0; v < 2; v++)
            for (size_t r = 0; r < 5; r++) {
                size_t n = widths[k][v];
                const size_t start[] = {r, 0}, count[] = {1, n};
                double *row = malloc(n * sizeof *row);
                for (size_t i = 0; i < n; i++)
                    row[i] = value_of(v, (int64_t)(r * n + i));
                NC(nc_put_vara_double(ncid, id[v], start, count, row));
                free(row);
            }
        NC(nc_close(ncid));
        check_file(path, 5);
        unlink(path);
    }
}

/* A writer that did not know how many records would come leaves all ones. */
static void streaming_counts_records(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        size_t nbytes;
        const char *path = file_path("stream.nc");
        make_all_types(path, formats[f], 6);
        char *bytes = slurp(path, &nbytes);
        memset(bytes + 4, 0xff, formats[f] == NC_64BIT_DATA ? 8 : 4);
        spit(path, bytes, nbytes);
        check_file(path, 6);
        free(bytes);
        unlink(path);
    }
}

/* Opens a file and reads all of it; whatever happens must be an answer. */
static ncg_status read_all(const char *path, ncg_error *err)
{
    nci_io *io = NULL;
    nci_file *file = NULL;
    ncg_status st = nci_io_create(NULL, &io, err);
    assert_int_equal(st, NCG_OK);
    st = nci_file_open(io, path, &file, err);
    const nci_header *header = file ? nci_file_header(file) : NULL;
    for (size_t v = 0; !st && v < header->nvars; v++) {
        int64_t shape[NCG_MAX_RANK];
        nci_var_shape(header, &header->vars[v], shape);
        nci_box box = nci_box_whole(header->vars[v].rank, shape);
        if (nci_box_size(&box) > 100000)
            continue;
        char *values = calloc((size_t)nci_box_size(&box) + 1, 8);
        st = nci_file_read_box(file, (int)v, &box, values, err);
        free(values);
    }
    nci_file_release(&file);
    nci_io_destroy(&io);
    return st;
}

static void truncated_at_every_byte(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        size_t nbytes;
        ncg_error err;
        const char *path = file_path("cut.nc");
        make_all_types(path, formats[f], 2);
        char *bytes = slurp(path, &nbytes);
        for (size_t n = 1; n < nbytes; n += n < 2500 ? 1 : 7) {
            spit(path, bytes, n);
            ncg_status st = read_all(path, &err);
            if (st != NCG_ECORRUPT && n < nbytes - 4)
                fail_msg("cut at %zu of %zu: %s %s", n, nbytes,
                         ncg_status_name(st), err.message);
            if (st) {
                CHECK_MESSAGE("truncated");
                CHECK_MESSAGE("cut.nc");
            }
        }
        free(bytes);
        unlink(path);
    }
}

/* Each byte of the header changed: an error or some values, never a crash. */
static void damaged_at_every_byte(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        size_t nbytes;
        ncg_error err;
        const char *path = file_path("bad.nc");
        make_all_types(path, formats[f], 2);
        char *bytes = slurp(path, &nbytes);
        for (size_t at = 4; at < nbytes && at < 1500; at++) {
            char keep = bytes[at];
            bytes[at] = (char)(at % 2 ? 0xff : bytes[at] ^ 0x11);
            spit(path, bytes, nbytes);
            read_all(path, &err);
            bytes[at] = keep;
        }
        free(bytes);
        unlink(path);
    }
}

NCG_TESTS(NCG_TEST(every_type_and_format), NCG_TEST(attributes_are_kept),
          NCG_TEST(single_record_variable), NCG_TEST(large_records),
          NCG_TEST(streaming_counts_records), NCG_TEST(truncated_at_every_byte),
          NCG_TEST(damaged_at_every_byte))
