/* SPDX-License-Identifier: BSD-3-Clause */
/* Data sets made, changed, combined and appended by a program: what it does
 * with files, bad arguments, and allocations that fail. Values are compared
 * with xarray's in xarray_check. */
#include "api/files.h"
#include "base/mem.h"

static ncg_error err;

static ncg_array *numbers(ncg_context *ctx, int64_t n, double first)
{
    ncg_array *array = NULL;
    double x[64];
    for (int64_t i = 0; i < n; i++)
        x[i] = first + (double)i;
    CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F64, 1, &n, NULL, x, NULL,
                                   NULL, NULL, &array, &err));
    return array;
}

static ncg_dataset *open_one(ncg_context *ctx, int f)
{
    char name[32];
    ncg_dataset *ds = NULL;
    snprintf(name, sizeof name, "in_%d.nc", f);
    const char *paths[] = {in_workdir(name)};
    CHECK_OK(ncg_dataset_open(ctx, paths, 1, NULL, &ds, &err));
    return ds;
}

static void put(ncg_dataset **ds, ncg_dataset *fresh)
{
    ncg_dataset_release(ds);
    *ds = fresh;
}

/* A data set of x(x) and v(x), made from nothing. */
static ncg_status build(ncg_context *ctx, ncg_array *x, ncg_array *v,
                        ncg_dataset **out)
{
    const char *dims[] = {"x"};
    ncg_dataset *a = NULL, *b = NULL;
    ncg_status st = ncg_dataset_create(ctx, &a, &err);
    if (!st)
        st = ncg_dataset_assign(a, "x", x, dims, &b, &err);
    if (!st) {
        put(&a, b);
        b = NULL;
        st = ncg_dataset_assign(a, "v", v, dims, &b, &err);
    }
    if (!st) {
        put(&a, b);
        b = NULL;
        st = ncg_dataset_set_text(a, "v", "units", "m", &b, &err);
    }
    if (!st)
        *out = b;
    ncg_dataset_release(&a);
    return st;
}

static void data_set_from_nothing(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = numbers(ctx, 4, 10), *v = numbers(ctx, 4, 1);
    ncg_dataset *ds = NULL, *more = NULL;
    ncg_dtype dtype = NCG_DTYPE_NONE;
    size_t count = 0;
    double *values = NULL;
    CHECK_OK(build(ctx, x, v, &ds));
    assert_int_equal(ncg_dataset_nvars(ds), 2);
    assert_false(ncg_dataset_var_is_data(ds, 0));
    int at = ncg_dataset_find(ds, "v");
    assert_int_equal(ncg_dataset_nattrs(ds, at), 1);
    assert_string_equal(ncg_dataset_attr_name(ds, at, 0), "units");
    assert_null(ncg_dataset_attr_name(ds, at, 1));
    assert_string_equal(ncg_dataset_attr_text(ds, at, "units"), "m");
    CHECK_OK(ncg_dataset_set_attr(ds, "v", "level", NCG_DTYPE_I16, 2,
                                  (const int16_t[]){3, 4}, &more, &err));
    const int16_t *level = ncg_dataset_attr(more, at, "level", &dtype, &count);
    assert_int_equal(dtype, NCG_DTYPE_I16);
    assert_int_equal(count, 2);
    assert_int_equal(level[1], 4);
    assert_null(ncg_dataset_attr(ds, at, "level", NULL, NULL));
    CHECK_OK(ncg_dataset_values(more, "x", &values, &count, &err));
    assert_int_equal(count, 4);
    CHECK_NEAR(values[3], 13, 0);
    ncg_free(values);
    put(&ds, more);
    more = NULL;
    CHECK_OK(ncg_dataset_remove_attr(ds, "v", "level", &more, &err));
    assert_int_equal(ncg_dataset_nattrs(more, at), 1);
    ncg_dataset_release(&more);
    ncg_dataset_release(&ds);
    ncg_array_release(&x);
    ncg_array_release(&v);
    ncg_context_destroy(&ctx);
}

/* tas(time, lat, lon) minus a mean over time, by name. */
static void climatology_is_subtracted(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *ds = open_all(ctx), *mean = NULL, *rest = NULL, *back = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_combine_options combine = NCG_COMBINE_OPTIONS_INIT;
    double *a = NULL, *b = NULL;
    size_t n = 0, m = 0;
    how.dims = "time";
    CHECK_OK(ncg_dataset_reduce(ds, &how, &mean, &err));
    CHECK_OK(ncg_dataset_binary("subtract", ds, mean, &combine, &rest, &err));
    CHECK_OK(ncg_dataset_binary("add", rest, mean, NULL, &back, &err));
    CHECK_OK(ncg_dataset_values(ds, "tas", &a, &n, &err));
    CHECK_OK(ncg_dataset_values(back, "tas", &b, &m, &err));
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        CHECK_NEAR(b[i], a[i], 1e-6);
    ncg_free(a);
    ncg_free(b);
    ncg_dataset_release(&back);
    ncg_dataset_release(&rest);
    ncg_dataset_release(&mean);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

/* Three files put together by concat are the data set that open makes. */
static void files_are_concatenated(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *parts[NFILES], *joined = NULL, *all = open_all(ctx);
    double *a = NULL, *b = NULL;
    size_t n = 0, m = 0;
    for (int f = 0; f < NFILES; f++)
        parts[f] = open_one(ctx, f);
    CHECK_OK(ncg_dataset_concat(parts, NFILES, "time", NULL, &joined, &err));
    CHECK_OK(ncg_dataset_values(all, "tas", &a, &n, &err));
    CHECK_OK(ncg_dataset_values(joined, "tas", &b, &m, &err));
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n * sizeof *a);
    ncg_free(a);
    ncg_free(b);
    for (int f = 0; f < NFILES; f++)
        ncg_dataset_release(&parts[f]);
    ncg_dataset_release(&joined);
    ncg_dataset_release(&all);
    ncg_context_destroy(&ctx);
}

static long size_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fclose(f);
    return n;
}

/* What fails leaves the file as it was, and nothing beside it. */
static void append_leaves_the_file_on_failure(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_dataset *one = open_one(ctx, 0), *two = open_one(ctx, 1), *bad = NULL;
    ncg_save_options save = NCG_SAVE_OPTIONS_INIT;
    const char *path = "grows.nc", *dims[] = {"time"};
    char where[256];
    snprintf(where, sizeof where, "%s", in_workdir(path));
    save.append = "time";
    CHECK_STATUS(NCG_ENOTFOUND, ncg_dataset_save(two, where, &save, &err));
    CHECK_OK(ncg_dataset_save(one, where, NULL, &err));
    long before = size_of(where);
    ncg_array *extra = numbers(ctx, NT, 0);
    CHECK_OK(ncg_dataset_assign(two, "new", extra, dims, &bad, &err));
    CHECK_STATUS(NCG_EMISMATCH, ncg_dataset_save(bad, where, &save, &err));
    CHECK_MESSAGE("new");
    const char *tas[] = {"tas"};
    put(&bad, NULL);
    CHECK_OK(ncg_dataset_drop(two, tas, 1, &bad, &err));
    CHECK_STATUS(NCG_EMISMATCH, ncg_dataset_save(bad, where, &save, &err));
    CHECK_MESSAGE("tas");
    CHECK_STATUS(NCG_EMISMATCH, ncg_dataset_save(one, where, &save, &err));
    CHECK_MESSAGE("2000-01-10");
    assert_int_equal(size_of(where), before);
    CHECK_OK(ncg_dataset_save(two, where, &save, &err));
    const char *paths[] = {where};
    put(&bad, NULL);
    CHECK_OK(ncg_dataset_open(ctx, paths, 1, NULL, &bad, &err));
    double *values = NULL;
    size_t n = 0;
    CHECK_OK(ncg_dataset_values(bad, "tas", &values, &n, &err));
    assert_int_equal(n, 2 * NT * NY * NX);
    for (int t = 0; t < 2 * NT; t++) {
        float want = field(t, 2, 3);
        double got = values[(t * NY + 2) * NX + 3];
        assert_true(want == FILL ? isnan(got) : got == (double)want);
    }
    ncg_free(values);
    ncg_array_release(&extra);
    ncg_dataset_release(&bad);
    ncg_dataset_release(&one);
    ncg_dataset_release(&two);
    ncg_context_destroy(&ctx);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1), *other = new_context(1);
    ncg_array *x = numbers(ctx, 4, 10), *alien = numbers(other, 4, 10);
    ncg_dataset *ds = NULL, *out = NULL;
    ncg_combine_options combine = NCG_COMBINE_OPTIONS_INIT;
    const char *dims[] = {"x"};
    CHECK_OK(build(ctx, x, x, &ds));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_create(NULL, &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_assign(ds, NULL, x, dims, &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_assign(ds, "w", x, NULL, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_assign(ds, "w", NULL, dims, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_assign(ds, "w", alien, dims, &out, &err));
    CHECK_MESSAGE("two contexts");
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_drop(ds, NULL, 1, &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_rename(ds, dims, NULL, 1, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_set_text(ds, "u", "units", "m", &out, &err));
    CHECK_MESSAGE("\"u\"");
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_set_text(ds, "v", "", "m", &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_merge(NULL, 1, NULL, &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_merge(&ds, 0, NULL, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_concat(&ds, 1, NULL, NULL, &out, &err));
    combine.join = (ncg_join)77;
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_merge(&ds, 1, &combine, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_binary("add", ds, NULL, NULL, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_binary_scalar("sqrt", ds, 1, false, &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_map("sqr", ds, &out, &err));
    CHECK_MESSAGE("sqrt");
    CHECK_STATUS(
        NCG_EINVAL,
        ncg_dataset_sel_values(ds, "x", NULL, 2, NCG_SEL_EXACT, 0, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_set_unlimited(ds, "y", true, &out, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_dataset_map(NULL, ds, &out, NULL));
    assert_null(out);
    ncg_open_options open = NCG_OPEN_OPTIONS_INIT;
    const char *paths[] = {in_workdir("in_0.nc")};
    open.join = NCG_JOIN_OUTER;
    CHECK_STATUS(NCG_EINVAL,
                 ncg_dataset_open(ctx, paths, 1, &open, &out, &err));
    ncg_dataset_release(&ds);
    ncg_array_release(&x);
    ncg_array_release(&alien);
    ncg_context_destroy(&other);
    ncg_context_destroy(&ctx);
}

/* Each call with its n-th allocation failing, n = 1, 2, ... */
#define CHECK_CALL(call)                                                       \
    do {                                                                       \
        for (int64_t nth_ = 1;; nth_++) {                                      \
            nci_mem_fail_at(nth_);                                             \
            ncg_status fail_st_ = (call);                                      \
            nci_mem_fail_at(0);                                                \
            if (!fail_st_)                                                     \
                break;                                                         \
            if (fail_st_ != NCG_ENOMEM)                                        \
                fail_msg("allocation %lld: %s: %s", (long long)nth_,           \
                         ncg_status_name(fail_st_), err.message);              \
            assert_null(out);                                                  \
        }                                                                      \
        ncg_dataset_release(&out);                                             \
    } while (0)

static void allocations_fail_one_by_one(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = numbers(ctx, 4, 10), *y = numbers(ctx, 4, 12);
    ncg_dataset *a = NULL, *b = NULL, *out = NULL;
    CHECK_OK(build(ctx, x, x, &a));
    CHECK_OK(build(ctx, y, x, &b));
    ncg_dataset *both[] = {a, b}, *aligned[2] = {NULL, NULL};
    ncg_combine_options combine = NCG_COMBINE_OPTIONS_INIT;
    const char *v[] = {"v"}, *w[] = {"w"};
    const double at[] = {11, 13};
    combine.join = NCG_JOIN_OUTER;
    combine.compat = NCG_COMPAT_OVERRIDE;
    CHECK_CALL(build(ctx, x, x, &out));
    CHECK_CALL(ncg_dataset_merge(both, 2, &combine, &out, &err));
    CHECK_CALL(ncg_dataset_concat(both, 2, "x", NULL, &out, &err));
    CHECK_CALL(ncg_dataset_concat(both, 2, "z", &combine, &out, &err));
    CHECK_CALL(ncg_dataset_binary("add", a, b, &combine, &out, &err));
    CHECK_CALL(ncg_dataset_binary_scalar("add", a, 2, true, &out, &err));
    CHECK_CALL(ncg_dataset_map("sqrt", a, &out, &err));
    CHECK_CALL(ncg_dataset_rename(a, v, w, 1, &out, &err));
    CHECK_CALL(ncg_dataset_drop(a, v, 1, &out, &err));
    CHECK_CALL(
        ncg_dataset_sel_values(a, "x", at, 2, NCG_SEL_EXACT, -1, &out, &err));
    CHECK_CALL(ncg_dataset_set_unlimited(a, "x", true, &out, &err));
    CHECK_CALL(ncg_dataset_align(both, 2, &combine, aligned, &err));
    ncg_dataset_release(&aligned[0]);
    ncg_dataset_release(&aligned[1]);
    ncg_dataset_release(&a);
    ncg_dataset_release(&b);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
}

/* Appending with failing allocations leaves the file as it was. */
static void append_survives_failing_allocations(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = numbers(ctx, 4, 10), *y = numbers(ctx, 4, 20);
    ncg_dataset *a = NULL, *b = NULL, *grows = NULL;
    ncg_save_options save = NCG_SAVE_OPTIONS_INIT;
    char where[256];
    snprintf(where, sizeof where, "%s", in_workdir("slowly.nc"));
    CHECK_OK(build(ctx, x, x, &a));
    CHECK_OK(build(ctx, y, y, &b));
    CHECK_OK(ncg_dataset_set_unlimited(a, "x", true, &grows, &err));
    CHECK_OK(ncg_dataset_save(grows, where, NULL, &err));
    long before = size_of(where);
    save.append = "x";
    for (int64_t nth = 1;; nth++) {
        nci_mem_fail_at(nth);
        ncg_status st = ncg_dataset_save(b, where, &save, &err);
        nci_mem_fail_at(0);
        if (!st)
            break;
        if (st != NCG_ENOMEM)
            fail_msg("allocation %lld: %s: %s", (long long)nth,
                     ncg_status_name(st), err.message);
        assert_int_equal(size_of(where), before);
    }
    assert_true(size_of(where) >= before);
    ncg_dataset_release(&grows);
    ncg_dataset_release(&a);
    ncg_dataset_release(&b);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(data_set_from_nothing),
        NCG_TEST(climatology_is_subtracted),
        NCG_TEST(files_are_concatenated),
        NCG_TEST(append_leaves_the_file_on_failure),
        NCG_TEST(bad_arguments_are_refused),
        NCG_TEST(allocations_fail_one_by_one),
        NCG_TEST(append_survives_failing_allocations)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
