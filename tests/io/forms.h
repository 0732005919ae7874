/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_IO_FORMS_H
#define NCG_TESTS_IO_FORMS_H
/*
 * Files with one dataset "v" in a given storage form, made by HDF5 itself, or
 * chunk by chunk where the library lacks a filter. Element i of the array has
 * the value form_value(i), so that readers can be checked without a referee.
 */
#include "test.h"

#include <hdf5.h>

/* One way of storing. A chunk of zeros means no chunks. */
typedef struct form {
    const char *name;
    int rank;
    hsize_t shape[4], max[4], chunk[4];
    hid_t type;
    bool is_latest;     /* newest file format: other chunk indexes */
    hsize_t user_block; /* bytes in front of the HDF5 part */
    void (*setup)(hid_t dcpl);
    /* Makes the stored bytes of a whole chunk (NULL: HDF5 does); returns
     * their number. */
    size_t (*encode)(int number, const void *chunk, size_t nbytes, size_t size,
                     void *out, uint32_t *mask);
    bool half_written; /* only the first index of axis 0 is written */
} form;

static inline double form_value(int64_t i)
{
    return (double)((i * 7919 + 13) % 101);
}

static inline hsize_t form_size(const form *f)
{
    hsize_t n = 1;
    for (int d = 0; d < f->rank; d++)
        n *= f->shape[d];
    return n;
}

/* A path for this process's files; removed by form_remove. */
static inline const char *form_path(const char *name)
{
    static char path[512];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/ncg-io-%ld-%s", dir ? dir : "/tmp",
             (long)getpid(), name);
    return path;
}

static inline hid_t form_create_file(const form *f, const char *path)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t create = H5Pcreate(H5P_FILE_CREATE);
    if (f->is_latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    if (f->user_block)
        H5Pset_userblock(create, f->user_block);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    H5Pclose(create);
    H5Pclose(access);
    assert_true(file >= 0);
    return file;
}

/* Writes all chunks by H5Dwrite_chunk; the file's type is the host's. */
static inline void form_write_chunks(const form *f, hid_t set,
                                     const double *values)
{
    size_t size = H5Tget_size(f->type), n = 1;
    hsize_t count[4], at[4] = {0};
    for (int d = 0; d < f->rank; d++) {
        n *= f->chunk[d];
        count[d] = (f->shape[d] + f->chunk[d] - 1) / f->chunk[d];
    }
    double *wide = calloc(n, sizeof *wide);
    char *stored = malloc(2 * n * size + 4096);
    for (int number = 0;; number++) {
        hsize_t offset[4];
        for (size_t i = 0; i < n; i++) {
            hsize_t rest = i, from = 0, in[4];
            bool is_inside = true;
            for (int d = f->rank - 1; d >= 0; d--) {
                in[d] = rest % f->chunk[d] + at[d] * f->chunk[d];
                rest /= f->chunk[d];
                is_inside = is_inside && in[d] < f->shape[d];
            }
            for (int d = 0; d < f->rank; d++)
                from = from * f->shape[d] + in[d];
            wide[i] = is_inside ? values[from] : 0;
        }
        char *plain = malloc(n * 8);
        memcpy(plain, wide, n * 8);
        H5Tconvert(H5T_NATIVE_DOUBLE, f->type, n, plain, NULL, H5P_DEFAULT);
        uint32_t mask = 0;
        size_t nbytes = f->encode(number, plain, n * size, size, stored, &mask);
        for (int d = 0; d < f->rank; d++)
            offset[d] = at[d] * f->chunk[d];
        assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, mask, offset, nbytes,
                                   stored) >= 0);
        free(plain);
        int d = f->rank - 1;
        while (d >= 0 && ++at[d] == count[d])
            at[d--] = 0;
        if (d < 0)
            break;
    }
    free(wide);
    free(stored);
}

static inline void form_write(const form *f, hid_t set, hid_t space)
{
    hsize_t n = form_size(f);
    double *values = malloc((n + 1) * sizeof *values);
    for (hsize_t i = 0; i < n; i++)
        values[i] = form_value((int64_t)i);
    if (f->encode) {
        form_write_chunks(f, set, values);
    } else if (f->half_written) {
        hsize_t zero[4] = {0}, count[4];
        memcpy(count, f->shape, sizeof count);
        count[0] = 1;
        hid_t memory = H5Screate_simple(f->rank, count, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, zero, NULL, count, NULL);
        assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT,
                             values) >= 0);
        H5Sclose(memory);
    } else {
        assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL,
                             H5P_DEFAULT, values) >= 0);
    }
    free(values);
}

static inline void form_make(const form *f, const char *path)
{
    hid_t file = form_create_file(f, path);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space =
        f->rank ? H5Screate_simple(f->rank, f->shape, f->max[0] ? f->max : NULL)
                : H5Screate(H5S_SCALAR);
    if (f->chunk[0])
        H5Pset_chunk(dcpl, f->rank, f->chunk);
    if (f->setup)
        f->setup(dcpl);
    hid_t set =
        H5Dcreate2(file, "v", f->type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(set >= 0);
    form_write(f, set, space);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(dcpl);
    assert_true(H5Fclose(file) >= 0);
}

#endif
