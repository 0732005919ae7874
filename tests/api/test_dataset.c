/* SPDX-License-Identifier: BSD-3-Clause */
/* The public functions of data sets: open, select, reduce, save, explain. */
#include "api/files.h"

static void read_back(const char *path, const char *name, double *out)
{
    int nc, v;
    nc_ok(nc_open(path, NC_NOWRITE, &nc));
    nc_ok(nc_inq_varid(nc, name, &v));
    nc_ok(nc_get_var_double(nc, v, out));
    nc_ok(nc_close(nc));
}

static double mean_at(int y, int x)
{
    double sum = 0;
    int n = 0;
    for (int t = 0; t < NT * NFILES; t++)
        if (field(t, y, x) != FILL) {
            sum += field(t, y, x);
            n++;
        }
    return sum / n;
}

static void save_mean(ncg_context *ctx, const char *path)
{
    ncg_dataset *ds = open_all(ctx), *mean = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_save_options save = NCG_SAVE_OPTIONS_INIT;
    ncg_error err;
    how.dims = "time";
    save.overwrite = true;
    CHECK_OK(ncg_dataset_reduce(ds, &how, &mean, &err));
    CHECK_OK(ncg_dataset_save(mean, path, &save, &err));
    ncg_dataset_release(&mean);
    ncg_dataset_release(&ds);
}

static void dataset_mean_is_right(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    double got[NY][NX];
    save_mean(ctx, in_workdir("mean.nc"));
    read_back(in_workdir("mean.nc"), "tas", &got[0][0]);
    for (int y = 0; y < NY; y++)
        for (int x = 0; x < NX; x++)
            CHECK_NEAR(got[y][x], mean_at(y, x), 1e-7);
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_context_stats(ctx, &stats);
    assert_int_equal(stats.headers_direct, NFILES);
    assert_int_equal(stats.chunks_library, 0);
    assert_true(stats.chunks_direct >= NFILES * NT / 2);
    ncg_context_destroy(&ctx);
    assert_null(ctx);
}

static long size_of(const char *path, char **bytes)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    *bytes = malloc((size_t)n);
    assert_int_equal(fread(*bytes, 1, (size_t)n, f), n);
    fclose(f);
    return n;
}

static void dataset_bytes_do_not_depend_on_threads(void **state)
{
    (void)state;
    char *first = NULL, *other = NULL;
    ncg_context *one = new_context(1);
    save_mean(one, in_workdir("one.nc"));
    ncg_context_destroy(&one);
    long n = size_of(in_workdir("one.nc"), &first);
    for (int threads = 2; threads <= 4; threads++) {
        ncg_context *ctx = new_context(threads);
        save_mean(ctx, in_workdir("other.nc"));
        ncg_context_destroy(&ctx);
        assert_int_equal(size_of(in_workdir("other.nc"), &other), n);
        assert_memory_equal(first, other, (size_t)n);
        free(other);
    }
    free(first);
}

static void dataset_save_refuses_to_overwrite(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_dataset *ds = open_all(ctx);
    ncg_error err;
    save_mean(ctx, in_workdir("kept.nc"));
    CHECK_STATUS(NCG_EEXISTS,
                 ncg_dataset_save(ds, in_workdir("kept.nc"), NULL, &err));
    CHECK_MESSAGE("kept.nc");
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

static void dataset_explain_predicts(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *ds = open_all(ctx), *mean = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_plan_info info = {.struct_size = sizeof info};
    char *text = NULL, *dot = NULL;
    ncg_error err;
    how.dims = "lat lon";
    how.weights = "area";
    CHECK_OK(ncg_dataset_reduce(ds, &how, &mean, &err));
    CHECK_OK(ncg_dataset_explain(mean, NULL, &info, &text, &dot, &err));
    assert_int_equal(info.files, NFILES);
    assert_int_equal(info.passes, 1);
    assert_int_equal(info.storage_chunks, NFILES * (NT / 2) * 2);
    assert_true(info.least_memory > 0);
    assert_true(info.peak_memory >= info.least_memory);
    assert_true(info.bytes_disk > 0);
    assert_non_null(strstr(text, "tas"));
    assert_non_null(strstr(dot, "digraph"));
    ncg_free(text);
    ncg_free(dot);
    ncg_dataset_release(&mean);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

static void dataset_errors_name_what_is_wrong(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_dataset *ds = open_all(ctx), *out = NULL;
    ncg_array *array = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    const char *missing[] = {in_workdir("nowhere.nc")};
    ncg_error err;
    how.dims = "tiem";
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_reduce(ds, &how, &out, &err));
    CHECK_MESSAGE("time");
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_array(ds, "tsa", &array, &err));
    CHECK_MESSAGE("tas");
    CHECK_STATUS(NCG_ENOTFOUND,
                 ncg_dataset_open(ctx, missing, 1, NULL, &out, &err));
    CHECK_MESSAGE("nowhere.nc");
    const char *empty[] = {"lat=95..99"};
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_sel(ds, empty, 1, &out, &err));
    assert_null(out);
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_open(NULL, missing, 1, NULL, &out, NULL));
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

static void dataset_budget_is_kept(void **state)
{
    (void)state;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_error err;
    options.threads = 2;
    options.memory_limit = 1000;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    ncg_dataset *ds = open_all(ctx);
    CHECK_STATUS(NCG_EBUDGET,
                 ncg_dataset_save(ds, in_workdir("never.nc"), NULL, &err));
    assert_int_not_equal(access(in_workdir("never.nc"), F_OK), 0);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

static void dataset_outlives_its_context(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_dataset *ds = open_all(ctx);
    ncg_error err;
    ncg_context_destroy(&ctx);
    assert_int_equal(ncg_dataset_dim_size(ds, 0), NT * NFILES);
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_save(ds, in_workdir("never.nc"), NULL, &err));
    ncg_dataset_release(&ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(dataset_mean_is_right),
        NCG_TEST(dataset_bytes_do_not_depend_on_threads),
        NCG_TEST(dataset_save_refuses_to_overwrite),
        NCG_TEST(dataset_explain_predicts),
        NCG_TEST(dataset_errors_name_what_is_wrong),
        NCG_TEST(dataset_budget_is_kept),
        NCG_TEST(dataset_outlives_its_context)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
