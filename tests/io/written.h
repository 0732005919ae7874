/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_IO_WRITTEN_H
#define NCG_TESTS_IO_WRITTEN_H
/* Files in a folder of the test, a header with some of everything, and
 * NetCDF-C as the reader of what was written. */
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/grid.h"
#include "base/mem.h"
#include "base/text.h"
#include "folder.h"
#include "io/write/writer.h"

static ncg_error err;

/* ---- a header to write */

enum { NT = 7, NY = 50, NX = 61 };

/* time (unlimited), y, x; T(time, y, x) f4 in chunks of 3 x 20 x 61, its
 * coordinates, a packed variable, a scalar. */
static inline nci_header *make_header(bool is_classic)
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

static inline void *make_values(ncg_dtype dtype, int64_t n)
{
    size_t size = ncg_dtype_size(dtype);
    char *out = malloc((size_t)n * size + 1);
    for (int64_t i = 0; i < n; i++)
        nci_dtype_put(dtype, out + (size_t)i * size,
                      (double)((i * 37) % 113) * 0.5);
    return out;
}

static inline void gather(const char *from, const nci_var *var,
                          const int64_t *shape, const nci_box *box, char *to)
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
static inline ncg_status put_chunks(nci_writer *writer, const nci_header *h,
                                    int var, const char *values)
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

static inline ncg_status put_all(nci_writer *writer, const nci_header *h)
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

static inline void write_file(const char *path, const char *format, int deflate)
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

/* ---- what comes back */

static inline void expect_doubles(int ncid, const char *name, ncg_dtype dtype,
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

static inline void check_file(const char *path, int deflate, bool is_hdf5)
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

#define IN_FOLDER(name)                                                        \
    cmocka_unit_test_setup_teardown(name, make_folder, clear_folder)

#endif
