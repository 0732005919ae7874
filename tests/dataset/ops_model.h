/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_OPS_MODEL_H
#define NCG_TESTS_OPS_MODEL_H
/* Small models made by hand for the tests of the operations. */
#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "dataset/ops.h"
#include "test.h"

static ncg_error err;

static inline nci_variable *find_var(const nci_model *model, const char *name)
{
    int at = nci_model_find_var(model, name);
    return at < 0 ? NULL : &model->vars[at];
}

static inline const char *attr(const nci_model *model, const char *var,
                               const char *name)
{
    nci_variable *v = find_var(model, var);
    const char *text = v ? nci_attrs_text(&v->attrs, name) : NULL;
    return text ? text : "(none)";
}

static inline double value(const nci_model *model, const char *var, int64_t i)
{
    double *x = NULL, result;
    int64_t n = 0;
    nci_variable *v = find_var(model, var);
    assert_non_null(v);
    CHECK_OK(nci_variable_values(v, &x, &n, &err));
    assert_true(i < n);
    result = x[i];
    nci_free(x);
    return result;
}

static inline int64_t dim_size(const nci_model *model, const char *name)
{
    int at = nci_model_find_dim(model, name);
    return at < 0 ? -1 : model->dims[at].size;
}

static inline void put(nci_model *model, const char *var, const char *name,
                       const char *text)
{
    assert_true(nci_attrs_put_text(&find_var(model, var)->attrs, name, text));
}

static inline void add_dim(nci_model *model, const char *name, int64_t size)
{
    assert_non_null(nci_model_add_dim(model, name, size, false));
}

/* add_var adds a variable over blank-separated dims, without an array. */
static inline nci_variable *add_var(nci_model *model, const char *name,
                                    nci_var_kind kind, const char *dims)
{
    nci_strings words = {0};
    nci_variable *var = nci_model_add_var(model, name);
    assert_non_null(var);
    var->kind = kind;
    assert_true(nci_strings_split(&words, dims, " "));
    for (size_t i = 0; i < words.count; i++) {
        var->dims[var->rank++] = nci_model_find_dim(model, words.items[i]);
        var->storage.chunk[i] = 1;
    }
    nci_strings_fini(&words);
    return var;
}

static inline int64_t shape_of(const nci_model *model, const nci_variable *var,
                               int64_t *shape)
{
    int64_t n = 1;
    for (int a = 0; a < var->rank; a++)
        n *= shape[a] = model->dims[var->dims[a]].size;
    return n;
}

/* add_values adds a variable in memory; values in row-major order. */
static inline nci_variable *add_values(nci_model *model, const char *name,
                                       nci_var_kind kind, const char *dims,
                                       ncg_dtype dtype, const double *values)
{
    int64_t shape[NCG_MAX_RANK];
    nci_variable *var = add_var(model, name, kind, dims);
    shape_of(model, var, shape);
    var->stored = dtype;
    CHECK_OK(nci_array_f64(dtype, var->rank, shape, values, &var->array, &err));
    return var;
}

/* add_source adds a variable that would be read from files. */
static inline nci_variable *add_source(nci_model *model, const char *name,
                                       const char *dims, ncg_dtype dtype)
{
    nci_source_spec spec = {.dtype = dtype, .join_axis = -1};
    nci_variable *var = add_var(model, name, NCI_KIND_DATA, dims);
    int64_t n = shape_of(model, var, spec.shape);
    spec.rank = var->rank;
    spec.token = nci_token_of(name, strlen(name));
    spec.token.high += (uint64_t)n;
    var->stored = dtype;
    CHECK_OK(
        nci_grid_regular(spec.rank, spec.shape, spec.shape, &spec.grid, &err));
    CHECK_OK(nci_node_source(1, &spec, &var->array, &err));
    nci_grid_fini(&spec.grid);
    return var;
}

static inline void add_range(nci_model *model, const char *name, double first,
                             double step, ncg_dtype dtype)
{
    int64_t n = dim_size(model, name);
    double *x = nci_alloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = first + (double)i * step;
    add_values(model, name, NCI_KIND_COORD, name, dtype, x);
    nci_free(x);
}

/* Bounds half a step around the points of a regular coordinate. */
static inline void add_range_bounds(nci_model *model, const char *name,
                                    double first, double step)
{
    char bounds[64], dims[64];
    int64_t n = dim_size(model, name);
    double *x = nci_alloc((size_t)(n + 1) * 2 * sizeof *x);
    if (nci_model_find_dim(model, "bnds") < 0)
        add_dim(model, "bnds", 2);
    for (int64_t i = 0; i < n; i++) {
        x[2 * i] = first + ((double)i - 0.5) * step;
        x[2 * i + 1] = x[2 * i] + step;
    }
    snprintf(bounds, sizeof bounds, "%s_bnds", name);
    snprintf(dims, sizeof dims, "%s bnds", name);
    add_values(model, bounds, NCI_KIND_BOUNDS, dims, NCG_DTYPE_F64, x);
    put(model, name, "bounds", bounds);
    nci_free(x);
}

/* make_line: v(name) from files, along a regular coordinate. */
static inline nci_model *make_line(const char *name, int64_t n, double first,
                                   double step, ncg_dtype dtype,
                                   const char *units)
{
    nci_model *model = nci_model_create();
    add_dim(model, name, n);
    add_range(model, name, first, step, dtype);
    if (units)
        put(model, name, "units", units);
    add_source(model, "v", name, NCG_DTYPE_F32);
    nci_model_find_roles(model);
    return model;
}

/* make_grid: tas(time, lat, lon) from files; nt days from 1990-01-01 with
 * stamps at noon; lat -60 -30 0 30 60, lon 0 45 .. 315. */
static inline nci_model *make_grid(int64_t nt, const char *calendar)
{
    nci_model *model = nci_model_create();
    assert_non_null(nci_model_add_dim(model, "time", nt, true));
    add_dim(model, "lat", 5);
    add_dim(model, "lon", 8);
    add_range(model, "time", 0.5, 1, NCG_DTYPE_F64);
    put(model, "time", "units", "days since 1990-01-01");
    put(model, "time", "calendar", calendar);
    add_range(model, "lat", -60, 30, NCG_DTYPE_F32);
    put(model, "lat", "units", "degrees_north");
    put(model, "lat", "standard_name", "latitude");
    add_range(model, "lon", 0, 45, NCG_DTYPE_F32);
    put(model, "lon", "units", "degrees_east");
    put(model, "lon", "standard_name", "longitude");
    add_source(model, "tas", "time lat lon", NCG_DTYPE_F32);
    put(model, "tas", "units", "K");
    put(model, "tas", "standard_name", "air_temperature");
    nci_model_find_roles(model);
    return model;
}

/* make_months: nt monthly means from 1990-01 with bounds, tas(time). */
static inline nci_model *make_months(int64_t nt)
{
    nci_model *model = nci_model_create();
    nci_time_units units;
    double *x = nci_alloc((size_t)(nt + 1) * 3 * sizeof *x), *b = x + nt;
    CHECK_OK(
        nci_time_units_parse("days since 1990-01-01", "noleap", &units, &err));
    for (int64_t i = 0; i <= nt; i++) {
        nci_date date = {
            .year = 1990 + i / 12, .month = (int)(i % 12) + 1, .day = 1};
        double at = nci_time_encode(&units, &date);
        if (i < nt)
            b[2 * i] = at;
        if (i > 0) {
            b[2 * i - 1] = at;
            x[i - 1] = (b[2 * i - 2] + at) / 2;
        }
    }
    assert_non_null(nci_model_add_dim(model, "time", nt, true));
    add_dim(model, "bnds", 2);
    add_values(model, "time", NCI_KIND_COORD, "time", NCG_DTYPE_F64, x);
    put(model, "time", "units", "days since 1990-01-01");
    put(model, "time", "calendar", "noleap");
    put(model, "time", "bounds", "time_bnds");
    add_values(model, "time_bnds", NCI_KIND_BOUNDS, "time bnds", NCG_DTYPE_F64,
               b);
    add_source(model, "tas", "time", NCG_DTYPE_F32);
    put(model, "tas", "units", "K");
    nci_model_find_roles(model);
    nci_free(x);
    return model;
}

#endif
