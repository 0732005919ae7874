/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_FUZZ_HDF5_SEEDS_H
#define NCG_FUZZ_HDF5_SEEDS_H
/*
 * Small HDF5 files, together with every structure that the reader knows: seeds
 * for the fuzzers and for the tests with damaged files.
 */
#include <hdf5.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { HDF5_SEEDS = 6 };

static inline void seed_set(hid_t file, const char *name, hid_t type,
                            const hsize_t *dims, const hsize_t *max,
                            const hsize_t *chunk, int deflate, bool early)
{
    short values[1200] = {7};
    hid_t space = H5Screate_simple(2, dims, max);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk)
        H5Pset_chunk(plist, 2, chunk);
    if (deflate)
        H5Pset_deflate(plist, 1);
    if (early)
        H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
    hid_t set =
        H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_SHORT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
}

static inline void seed_attrs(hid_t where, int count, hsize_t size)
{
    static int values[3000];
    char name[32];
    hid_t space = H5Screate_simple(1, &size, NULL);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "attr_%d", i);
        hid_t attr = H5Acreate2(where, name, H5T_STD_I32BE, space, H5P_DEFAULT,
                                H5P_DEFAULT);
        H5Awrite(attr, H5T_NATIVE_INT, values);
        H5Aclose(attr);
    }
    H5Sclose(space);
}

static inline hid_t seed_create(const char *path, bool latest)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

static inline void seed_old(const char *path)
{
    const hsize_t dims[2] = {20, 10}, max[2] = {H5S_UNLIMITED, 10};
    const hsize_t chunk[2] = {3, 4};
    hid_t file = seed_create(path, false);
    hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    seed_set(group, "chunked", H5T_IEEE_F32BE, dims, max, chunk, 1, false);
    seed_set(file, "plain", H5T_STD_I16LE, dims, NULL, NULL, 0, false);
    seed_attrs(file, 3, 2);
    H5Gclose(group);
    H5Fclose(file);
}

static inline void seed_arrays(const char *path)
{
    const hsize_t dims[2] = {20, 10}, chunk[2] = {3, 4};
    const hsize_t open[2] = {20, H5S_UNLIMITED}, one[2] = {1, 1};
    const hsize_t tall[2] = {1100, 1};
    hid_t file = seed_create(path, true);
    seed_set(file, "fixed", H5T_STD_I16LE, dims, dims, chunk, 0, false);
    seed_set(file, "filtered", H5T_STD_I16LE, dims, dims, chunk, 1, false);
    seed_set(file, "single", H5T_STD_I8LE, dims, dims, dims, 1, false);
    seed_set(file, "implicit", H5T_STD_I8LE, dims, dims, chunk, 0, true);
    seed_set(file, "growing", H5T_STD_I8LE, dims, open, one, 0, false);
    seed_set(file, "pages", H5T_STD_I8LE, tall, tall, one, 0, false);
    H5Fclose(file);
}

static inline void seed_tree2(const char *path)
{
    const hsize_t dims[2] = {20, 10};
    const hsize_t max[2] = {H5S_UNLIMITED, H5S_UNLIMITED}, chunk[2] = {1, 1};
    hid_t file = seed_create(path, true);
    seed_set(file, "tree", H5T_STD_I8LE, dims, max, chunk, 0, false);
    seed_set(file, "filtered", H5T_STD_I8LE, dims, max, chunk, 1, false);
    H5Fclose(file);
}

static inline void seed_dense(const char *path)
{
    const hsize_t dims[2] = {2, 1};
    char name[32];
    hid_t file = seed_create(path, true);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "name_%d", i);
        seed_set(file, name, H5T_STD_I8LE, dims, dims, NULL, 0, false);
    }
    seed_attrs(file, 12, 3);
    H5Fclose(file);
}

/* Attributes that fill more than one block of their heap. */
static inline void seed_heap(const char *path)
{
    hid_t file = seed_create(path, true);
    seed_attrs(file, 12, 260);
    H5Fclose(file);
}

static inline void seed_netcdf(const char *path)
{
    int nc, dims[2], var, group;
    size_t start[2] = {0, 0}, count[2] = {3, 4};
    const float values[12] = {1};
    const char *words[] = {"a", "word"};
    nc_create(path, NC_NETCDF4 | NC_CLOBBER, &nc);
    nc_def_dim(nc, "t", NC_UNLIMITED, &dims[0]);
    nc_def_dim(nc, "x", 4, &dims[1]);
    nc_def_var(nc, "x", NC_DOUBLE, 1, &dims[1], &var);
    nc_put_att_text(nc, var, "units", 1, "m");
    nc_def_grp(nc, "g", &group);
    nc_def_var(group, "data", NC_FLOAT, 2, dims, &var);
    nc_def_var_deflate(group, var, 1, 1, 1);
    nc_put_att_string(group, var, "words", 2, words);
    nc_put_vara_float(group, var, start, count, values);
    nc_close(nc);
}

static inline void seed_write(int number, const char *path)
{
    static void (*const makers[HDF5_SEEDS])(const char *) = {
        seed_old, seed_arrays, seed_tree2, seed_dense, seed_heap, seed_netcdf};
    makers[number](path);
}

#endif
