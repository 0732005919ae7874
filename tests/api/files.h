/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_API_FILES_H
#define NCG_TESTS_API_FILES_H
/* Small files for tests of the public API, written by NetCDF-C into a
 * directory of their own that goes with the test. */
#include <netcdf.h>

#include "test.h"

enum { NT = 10, NY = 6, NX = 8, NFILES = 3 };

static char workdir[] = "/tmp/ncgraph-api-XXXXXX";

static inline const char *in_workdir(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, 256, "%s/%s", workdir, name);
    return path;
}

static inline void nc_ok(int code)
{
    if (code)
        fail_msg("netcdf: %s", nc_strerror(code));
}

static const float FILL = 1e20f;

/* The value at time t of all files together; every seventh is missing. */
static inline float field(int t, int y, int x)
{
    int k = (t * NY + y) * NX + x;
    return k % 7 == 3 ? FILL : (float)(250 + 0.25 * k + (t % 3));
}

static inline void write_file(int f)
{
    char name[32];
    int nc, dims[3], vt, vy, vx, v;
    double time[NT], lat[NY], lon[NX];
    static float data[NT][NY][NX];
    size_t chunk[3] = {2, 4, 8};
    snprintf(name, sizeof name, "in_%d.nc", f);
    nc_ok(nc_create(in_workdir(name), NC_NETCDF4, &nc));
    nc_ok(nc_def_dim(nc, "time", NC_UNLIMITED, &dims[0]));
    nc_ok(nc_def_dim(nc, "lat", NY, &dims[1]));
    nc_ok(nc_def_dim(nc, "lon", NX, &dims[2]));
    nc_ok(nc_def_var(nc, "time", NC_DOUBLE, 1, &dims[0], &vt));
    nc_ok(nc_def_var(nc, "lat", NC_DOUBLE, 1, &dims[1], &vy));
    nc_ok(nc_def_var(nc, "lon", NC_DOUBLE, 1, &dims[2], &vx));
    nc_ok(nc_def_var(nc, "tas", NC_FLOAT, 3, dims, &v));
    nc_ok(nc_def_var_chunking(nc, v, NC_CHUNKED, chunk));
    nc_ok(nc_def_var_deflate(nc, v, 1, 1, 1));
    nc_ok(nc_def_var_fill(nc, v, 0, &FILL));
    nc_ok(nc_put_att_text(nc, vt, "units", 21, "days since 2000-01-01"));
    nc_ok(nc_put_att_text(nc, vt, "calendar", 8, "standard"));
    nc_ok(nc_put_att_text(nc, vy, "units", 13, "degrees_north"));
    nc_ok(nc_put_att_text(nc, vx, "units", 12, "degrees_east"));
    nc_ok(nc_put_att_text(nc, v, "units", 1, "K"));
    nc_ok(nc_enddef(nc));
    for (int t = 0; t < NT; t++) {
        time[t] = f * NT + t + 0.5;
        for (int y = 0; y < NY; y++)
            for (int x = 0; x < NX; x++)
                data[t][y][x] = field(f * NT + t, y, x);
    }
    for (int y = 0; y < NY; y++)
        lat[y] = -75 + 30 * y;
    for (int x = 0; x < NX; x++)
        lon[x] = 45 * x;
    size_t start[3] = {0}, count[3] = {NT, NY, NX};
    nc_ok(nc_put_vara_double(nc, vt, start, count, time));
    nc_ok(nc_put_var_double(nc, vy, lat));
    nc_ok(nc_put_var_double(nc, vx, lon));
    nc_ok(nc_put_vara_float(nc, v, start, count, &data[0][0][0]));
    nc_ok(nc_close(nc));
}

static inline int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(workdir))
        return -1;
    for (int f = 0; f < NFILES; f++)
        write_file(f);
    return 0;
}

static inline int remove_files(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", workdir);
    return system(command);
}

static inline ncg_dataset *open_all(ncg_context *ctx)
{
    const char *paths[] = {in_workdir("in_*.nc")};
    ncg_dataset *ds = NULL;
    ncg_error err;
    CHECK_OK(ncg_dataset_open(ctx, paths, 1, NULL, &ds, &err));
    return ds;
}

static inline ncg_context *new_context(int threads)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_error err;
    options.threads = threads;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

#endif
