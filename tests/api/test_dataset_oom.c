/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that runs out while data sets are opened, selected from, looked into,
 * reduced and saved, and while kernels are registered. */
#include "api/files.h"
#include "api/oom.h"

typedef struct bed {
    ncg_context *ctx;
    ncg_dataset *ds; /* as stored */
} bed;

/* A step that failed leaves what it was to make as it was. */
#define MADE(st, out) assert_true(!(st) == ((out) != NULL))

static ncg_status step_select(void *arg, ncg_error *err)
{
    const char *first[] = {"time=0:2"}, *north[] = {"lat=0..90"};
    ncg_dataset *part = NULL, *some = NULL;
    ncg_status st = ncg_dataset_isel(((bed *)arg)->ds, first, 1, &part, err);
    MADE(st, part);
    if (!st) {
        st = ncg_dataset_sel(part, north, 1, &some, err);
        MADE(st, some);
    }
    ncg_dataset_release(&some);
    ncg_dataset_release(&part);
    return st;
}

static ncg_status step_dataset(void *arg, ncg_error *err)
{
    const double q[] = {0.5};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_dataset *out = NULL, *anomaly = NULL;
    char *text = NULL, *plan = NULL, *dot = NULL;
    how.dims = "time";
    ncg_status st =
        ncg_dataset_quantile(((bed *)arg)->ds, q, 1, "linear", &how, &out, err);
    MADE(st, out);
    if (!st) {
        st = ncg_dataset_anomaly(((bed *)arg)->ds, NULL, &anomaly, err);
        MADE(st, anomaly);
    }
    if (!st) {
        st = ncg_dataset_describe(anomaly, &text, err);
        MADE(st, text);
    }
    if (!st) {
        st = ncg_dataset_explain(out, NULL, NULL, &plan, &dot, err);
        MADE(st, plan);
        MADE(st, dot);
    }
    ncg_free(dot);
    ncg_free(plan);
    ncg_free(text);
    ncg_dataset_release(&anomaly);
    ncg_dataset_release(&out);
    return st;
}

/* Files of which nothing is known yet, and of a list. */
static ncg_status step_open(void *arg, ncg_error *err)
{
    const char *paths[] = {in_workdir("in_*.nc")};
    char *text = NULL;
    ncg_dataset *ds = NULL;
    ncg_status st =
        ncg_dataset_open(((bed *)arg)->ctx, paths, 1, NULL, &ds, err);
    MADE(st, ds);
    if (!st) {
        st = ncg_dataset_describe(ds, &text, err);
        MADE(st, text);
    }
    ncg_free(text);
    ncg_dataset_release(&ds);
    return st;
}

static ncg_status step_attributes(void *arg, ncg_error *err)
{
    const double range[2] = {200, 300};
    ncg_dataset *ranged = NULL, *named = NULL, *bare = NULL;
    double *values = NULL;
    size_t count = 0;
    ncg_status st = ncg_dataset_set_attr(((bed *)arg)->ds, "tas", "valid_range",
                                         NCG_DTYPE_F64, 2, range, &ranged, err);
    MADE(st, ranged);
    if (!st) {
        st = ncg_dataset_set_text(ranged, NULL, "title", "a test", &named, err);
        MADE(st, named);
    }
    if (!st) {
        st = ncg_dataset_remove_attr(named, "tas", "valid_range", &bare, err);
        MADE(st, bare);
    }
    if (!st) {
        st = ncg_dataset_values(bare, "tas", &values, &count, err);
        MADE(st, values);
    }
    ncg_free(values);
    ncg_dataset_release(&bare);
    ncg_dataset_release(&named);
    ncg_dataset_release(&ranged);
    return st;
}

static ncg_status step_array(void *arg, ncg_error *err)
{
    int64_t *sizes = NULL;
    size_t n = 0;
    ncg_array *x = NULL;
    ncg_status st = ncg_dataset_array(((bed *)arg)->ds, "tas", &x, err);
    MADE(st, x);
    if (!st) {
        st = ncg_array_chunks(x, 0, &sizes, &n, err);
        MADE(st, sizes);
    }
    ncg_free(sizes);
    ncg_array_release(&x);
    return st;
}

static bool is_there(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

/* A file that was not written whole is not there. */
static ncg_status step_save(void *arg, ncg_error *err)
{
    const char *path = in_workdir("mean.nc");
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_dataset *mean = NULL;
    how.dims = "time";
    how.by = "month";
    ncg_status st = ncg_dataset_reduce(((bed *)arg)->ds, &how, &mean, err);
    MADE(st, mean);
    if (!st) {
        st = ncg_dataset_save(mean, path, NULL, err);
        assert_true(!st == is_there(path));
    }
    remove(path);
    ncg_dataset_release(&mean);
    return st;
}

static ncg_status nothing(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

static ncg_status step_kernel(void *arg, ncg_error *err)
{
    static int number;
    char name[64];
    (void)arg;
    snprintf(name, sizeof name, "org.example.nothing/%d", ++number);
    return ncg_kernel_register(((bed *)arg)->ctx, name, nothing, NULL, err);
}

/* ---- the tests
 * ----------------------------------------------------------------------- */

static int set_up(void **state)
{
    static bed b;
    if (make_files(state))
        return -1;
    b.ctx = new_context(1);
    b.ds = open_all(b.ctx);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bed *b = *state;
    ncg_dataset_release(&b->ds);
    ncg_context_destroy(&b->ctx);
    return remove_files(state);
}

static void oom_of_opening(void **state)
{
    fail_each_allocation("open, describe", step_open, *state);
}

static void oom_of_operations(void **state)
{
    fail_each_allocation("isel, sel", step_select, *state);
    fail_each_allocation("quantile, anomaly, describe, explain", step_dataset,
                         *state);
    fail_each_allocation("attributes, values", step_attributes, *state);
    fail_each_allocation("array, chunks", step_array, *state);
    fail_each_allocation("kernel", step_kernel, *state);
}

static void oom_of_saving(void **state)
{
    fail_each_allocation("reduce, save", step_save, *state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(oom_of_opening),
                                       NCG_TEST(oom_of_operations),
                                       NCG_TEST(oom_of_saving)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
