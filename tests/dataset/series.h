/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_DATASET_SERIES_H
#define NCG_TESTS_DATASET_SERIES_H
/* A series of daily values cut into files, whose values tell their day. */
#include "dataset/units.h"
#include "fake.h"

static ncg_error err;
static fake_world world;
static nci_model *model;

static inline int teardown(void **state)
{
    (void)state;
    nci_model_release(&model);
    fake_fini(&world);
    nci_units_release();
    return 0;
}

/* A file of `n` daily steps from `start`, tas(time, lat) = 100 * day + lat. */
static inline fake_file *daily(const char *path, double start, int n)
{
    double lat[] = {-10, 0, 10}, time[400], bnds[800], tas[1200];
    for (int i = 0; i < n; i++) {
        time[i] = start + i;
        bnds[2 * i] = start + i - 0.5;
        bnds[2 * i + 1] = start + i + 0.5;
        for (int k = 0; k < 3; k++)
            tas[3 * i + k] = 100 * (start + i) + k;
    }
    fake_file *f = fake_add_file(&world, path);
    fake_dim(f, "time", n, true);
    fake_dim(f, "lat", 3, false);
    fake_dim(f, "bnds", 2, false);
    int t = fake_var(f, "time", NCG_DTYPE_F64, "time", time);
    fake_text(f, t, "units", "days since 2000-01-01");
    fake_text(f, t, "bounds", "time_bnds");
    fake_var(f, "time_bnds", NCG_DTYPE_F64, "time bnds", bnds);
    int y = fake_var(f, "lat", NCG_DTYPE_F64, "lat", lat);
    fake_text(f, y, "units", "degrees_north");
    int v = fake_var(f, "tas", NCG_DTYPE_F64, "time lat", tas);
    fake_text(f, v, "units", "K");
    f->header->vars[v].storage.chunk[0] = 7;
    f->header->vars[v].storage.chunk[1] = 3;
    return f;
}

static inline void check_days(double first, int64_t n)
{
    const nci_source_spec *spec = fake_spec(&world, model, "tas");
    assert_int_equal(spec->shape[0], n);
    assert_int_equal(model->dims[nci_model_find_dim(model, "time")].size, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[] = {i, 1};
        CHECK_NEAR(fake_coord(model, "time", i), first + (double)i, 1e-12);
        CHECK_NEAR(fake_value(&world, spec, at), 100 * (first + (double)i) + 1,
                   0);
        CHECK_NEAR(fake_coord(model, "time_bnds", 2 * i),
                   first + (double)i - 0.5, 1e-12);
    }
    const nci_axis *axis = &spec->grid.axis[0];
    assert_int_equal(axis->edge[axis->nchunks], n);
    for (int64_t k = 0; k < axis->nchunks; k++)
        assert_true(axis->edge[k] < axis->edge[k + 1]);
}

/* A second variable in files of its own. */
static inline fake_file *only(const char *path, const char *name, double start,
                              int n)
{
    fake_file *f = daily(path, start, n);
    nci_free(f->header->vars[3].name);
    f->header->vars[3].name = nci_strdup(name);
    return f;
}

static inline void scalar_height(fake_file *f, double height)
{
    int h = fake_var(f, "height", NCG_DTYPE_F64, "", &height);
    fake_text(f, h, "units", "m");
    fake_text(f, 3, "coordinates", "height");
}

#define JOIN_TEST(name) cmocka_unit_test_teardown(name, teardown)

#endif
