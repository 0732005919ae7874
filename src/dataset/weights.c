/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weights of a reduction: cell areas, cosine of latitude, lengths of time
 * steps, or any variable. Areas come from cell_measures, else from the bounds
 * (width * difference of sin(lat), CF 7.2), else from bounds half-way between
 * the points, cut off at the poles (cells.c). Areas are in m2 on a sphere, so
 * that a weighted sum has a meaning.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/ops.h"

#define EARTH_RADIUS 6371000.0

void nci_weights_fini(nci_weights *weights)
{
    nci_node_release(&weights->node);
    *weights = (nci_weights){0};
}

/* One number a cell of `coord`; a cell that cannot be measured counts 1, which
 * only a sum depends on. */
static ncg_status sizes_of(const nci_model *model, int coord,
                           nci_cell_kind kind, double **out, int64_t *n,
                           nci_weights *weights, ncg_error *err)
{
    const nci_node *points = model->vars[coord].array;
    *n = points->rank ? points->shape[0] : 1;
    NCI_TRY(nci_cell_sizes(model, coord, kind, out, err));
    if (*out)
        return NCG_OK;
    weights->unsure = nci_intern(model->vars[coord].name);
    *out = nci_alloc(((size_t)*n + 1) * sizeof **out);
    if (!*out || !weights->unsure)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < *n; i++)
        (*out)[i] = 1;
    return NCG_OK;
}

static ncg_status cosines(const nci_variable *coord, double **out, int64_t *n,
                          ncg_error *err)
{
    double scale = nci_cell_scale(coord);
    NCI_TRY(nci_variable_values(coord, out, n, err));
    for (int64_t i = 0; i < *n; i++)
        (*out)[i] = fmax(cos((*out)[i] * scale), 0);
    return NCG_OK;
}

/* Whether all cells are as wide, up to the rounding of longitudes that are
 * stored as float; *width is then the mean. */
static bool is_even(const nci_variable *coord, const double *x, int64_t n,
                    double *width)
{
    bool is_float = coord->array->dtype == NCG_DTYPE_F32;
    double sum = 0, slack = 360 * (is_float ? 2.4e-7 : 1e-12);
    slack *= nci_cell_scale(coord);
    for (int64_t i = 0; i < n; i++) {
        if (fabs(x[i] - x[0]) > slack + 1e-6 * fabs(x[0]))
            return false;
        sum += x[i];
    }
    *width = sum / (double)n;
    return true;
}

/* ---- areas -----------------------------------------------------------------
 */

/* The horizontal axes of a variable that weights can be computed on: lat and
 * lon, or those of a rotated grid. */
typedef struct sphere_axes {
    int lat, lon;             /* dimensions, -1 */
    int lat_coord, lon_coord; /* variables, -1 */
} sphere_axes;

static bool has_standard_name(const nci_variable *var, const char *name)
{
    const char *standard = nci_attrs_text(&var->attrs, "standard_name");
    return standard && !strcmp(standard, name);
}

/* A longitude that was taken or averaged is left as a scalar coordinate, which
 * says how wide the strips are. */
static int find_scalar_lon(const nci_model *model)
{
    int found = -1;
    for (size_t i = 0; i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        if (var->rank || var->kind != NCI_KIND_COORD || !var->array ||
            var->array->kind != NCI_NODE_CONST ||
            !nci_variable_is_numeric(var) ||
            nci_cell_kind_of(var) != NCI_CELL_LON)
            continue;
        if (found >= 0)
            return -1;
        found = (int)i;
    }
    return found;
}

static sphere_axes find_sphere(const nci_model *model, int var)
{
    sphere_axes axes = {-1, -1, -1, -1};
    const nci_variable *v = &model->vars[var];
    for (int a = 0; a < v->rank; a++) {
        int dim = v->dims[a], coord = nci_model_coord(model, dim);
        if (coord < 0 || !model->vars[coord].array ||
            model->vars[coord].array->kind != NCI_NODE_CONST)
            continue;
        nci_role role = model->dims[dim].role;
        const nci_variable *c = &model->vars[coord];
        if (role == NCI_ROLE_LAT || has_standard_name(c, "grid_latitude")) {
            axes.lat = dim;
            axes.lat_coord = coord;
        } else if (role == NCI_ROLE_LON ||
                   has_standard_name(c, "grid_longitude")) {
            axes.lon = dim;
            axes.lon_coord = coord;
        }
    }
    if (axes.lon < 0)
        axes.lon_coord = find_scalar_lon(model);
    return axes;
}

/* The variable that cell_measures names as "area: NAME", or -1. */
static int find_measure(const nci_model *model, int var)
{
    const char *text = nci_attrs_text(&model->vars[var].attrs, "cell_measures");
    nci_strings words = {0};
    int found = -1;
    if (text && nci_strings_split(&words, text, " \t"))
        for (size_t i = 0; i + 1 < words.count; i++)
            if (!strcmp(words.items[i], "area:"))
                found = nci_model_find_var(model, words.items[i + 1]);
    nci_strings_fini(&words);
    if (found >= 0 && !nci_variable_is_numeric(&model->vars[found]))
        return -1;
    return found;
}

static const char *units_of(const nci_variable *var)
{
    const char *units = nci_attrs_text(&var->attrs, "units");
    return nci_intern(units && *units ? units : "1");
}

static void weights_of_variable(const nci_model *model, int var,
                                nci_weights *out)
{
    const nci_variable *v = &model->vars[var];
    out->node = nci_node_retain(v->array);
    out->var = var;
    for (int a = 0; a < v->rank; a++)
        out->dims[a] = v->dims[a];
    out->units = units_of(v);
}

static ncg_status outer(const double *lat, int64_t nlat, const double *lon,
                        int64_t nlon, double factor, nci_node **out,
                        ncg_error *err)
{
    const int64_t shape[] = {nlat, nlon};
    double *product = nci_alloc(((size_t)(nlat * nlon) + 1) * sizeof *product);
    if (!product)
        return nci_fail(err, NCG_ENOMEM, "%lld x %lld cell areas",
                        (long long)nlat, (long long)nlon);
    for (int64_t i = 0; i < nlat; i++)
        for (int64_t j = 0; j < nlon; j++)
            product[i * nlon + j] = factor * lat[i] * lon[j];
    ncg_status st = nci_array_f64(NCG_DTYPE_F64, 2, shape, product, out, err);
    nci_free(product);
    return st;
}

/* Meridians that are evenly spaced need no second axis. */
static ncg_status make_areas(const nci_model *model, const sphere_axes *axes,
                             bool cosine, nci_weights *out, ncg_error *err)
{
    double *lat = NULL, *lon = NULL;
    int64_t nlat = 0, nlon = 1;
    double factor = cosine ? 1 : EARTH_RADIUS * EARTH_RADIUS;
    ncg_status st =
        cosine ? cosines(&model->vars[axes->lat_coord], &lat, &nlat, err)
               : sizes_of(model, axes->lat_coord, NCI_CELL_LAT, &lat, &nlat,
                          out, err);
    if (!st && !cosine && axes->lon_coord >= 0)
        st = sizes_of(model, axes->lon_coord, NCI_CELL_LON, &lon, &nlon, out,
                      err);
    else if (!cosine && !(out->unsure = nci_intern("the longitude")))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st)
        goto done;
    out->dims[0] = axes->lat;
    out->dims[1] = axes->lon;
    double width = 1;
    if (lon && is_even(&model->vars[axes->lon_coord], lon, nlon, &width)) {
        factor *= width;
        nlon = 1;
    }
    if (nlon > 1) {
        st = outer(lat, nlat, lon, nlon, factor, &out->node, err);
        goto done;
    }
    for (int64_t i = 0; i < nlat; i++)
        lat[i] *= factor;
    st = nci_array_f64(NCG_DTYPE_F64, 1, &nlat, lat, &out->node, err);
done:
    nci_free(lat);
    nci_free(lon);
    return st;
}

/* Weights that do not vary along a reduced dimension are a mistake. */
static ncg_status check_use(const nci_model *model, const char *what,
                            const bool *mask, const nci_weights *weights,
                            ncg_error *err)
{
    for (int a = 0; a < weights->node->rank; a++)
        if (mask[weights->dims[a]])
            return NCG_OK;
    nci_text dims = {0};
    for (int a = 0; a < weights->node->rank; a++)
        nci_text_add(&dims, "%s%s", a ? ", " : "",
                     model->dims[weights->dims[a]].name);
    ncg_status st = nci_fail(
        err, NCG_EINVAL,
        "weights=%s vary along %s, which is not among the reduced dimensions",
        what, dims.data ? dims.data : "nothing");
    nci_text_fini(&dims);
    return st;
}

static ncg_status make_area(const nci_model *model, const char *what, int var,
                            nci_weights *out, ncg_error *err)
{
    bool cosine = !strcmp(what, "coslat");
    int measure = cosine ? -1 : find_measure(model, var);
    out->is_area = true;
    out->method = cosine ? "coslat-weighted" : "area-weighted";
    out->units = cosine ? "1" : "m2";
    if (measure >= 0) {
        weights_of_variable(model, measure, out);
        return NCG_OK;
    }
    sphere_axes axes = find_sphere(model, var);
    if (axes.lat < 0)
        return nci_fail(err, NCG_EINVAL,
                        "weights=%s needs a latitude along one dimension%s"
                        "; give weights=VARIABLE with the cells' areas (such "
                        "as areacello), or no weights",
                        what,
                        cosine ? ""
                               : " or cell_measures with an area that is "
                                 "in the files");
    return make_areas(model, &axes, cosine, out, err);
}

/* ---- days -------------------------------------------------------------------
 */

static ncg_status make_days(const nci_model *model, int var, nci_weights *out,
                            ncg_error *err)
{
    const nci_variable *v = &model->vars[var];
    for (int a = 0; a < v->rank; a++) {
        int dim = v->dims[a], coord = nci_model_coord(model, dim);
        if (model->dims[dim].role != NCI_ROLE_TIME || coord < 0 ||
            !nci_variable_is_dates(&model->vars[coord]))
            continue;
        double *days = NULL;
        int64_t n = 0;
        ncg_status st =
            sizes_of(model, coord, NCI_CELL_TIME, &days, &n, out, err);
        if (!st)
            st = nci_array_f64(NCG_DTYPE_F64, 1, &n, days, &out->node, err);
        nci_free(days);
        out->dims[0] = dim;
        out->method = "weighted by days";
        out->units = "day";
        return st;
    }
    return nci_fail(err, NCG_EINVAL,
                    "weights=days needs a time dimension with dates");
}

/* ---- any ----------------------------------------------------------------- */

static ncg_status make_named(const nci_model *model, const char *what,
                             nci_weights *out, ncg_error *err)
{
    char method[256];
    int var = nci_model_find_var(model, what);
    if (var < 0) {
        const char *words[] = {"area", "coslat", "days"};
        const char *near = nci_suggest(what, words, 3);
        return nci_fail(err, NCG_EINVAL,
                        "no weights \"%s\"%s%s%s: give area, coslat, days or "
                        "the name of a variable",
                        what, near ? " (did you mean \"" : "", near ? near : "",
                        near ? "\"?)" : "");
    }
    if (!nci_variable_is_numeric(&model->vars[var]))
        return nci_fail(err, NCG_EINVAL, "weights=%s are not numbers", what);
    weights_of_variable(model, var, out);
    snprintf(method, sizeof method, "weighted by %s", what);
    out->method = nci_intern(method);
    out->is_area = has_standard_name(&model->vars[var], "cell_area");
    return NCG_OK;
}

ncg_status nci_weights_make(const nci_model *model, const char *what,
                            const bool *mask, int var, nci_weights *out,
                            ncg_error *err)
{
    nci_weights weights = {.var = -1};
    ncg_status st;
    if (!strcmp(what, "area") || !strcmp(what, "coslat"))
        st = make_area(model, what, var, &weights, err);
    else if (!strcmp(what, "days"))
        st = make_days(model, var, &weights, err);
    else
        st = make_named(model, what, &weights, err);
    if (!st && (!weights.units || !weights.method))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = check_use(model, what, mask, &weights, err);
    if (st) {
        nci_weights_fini(&weights);
        return st;
    }
    *out = weights;
    return NCG_OK;
}

ncg_status nci_weights_operand(const nci_model *model,
                               const nci_weights *weights, int var,
                               nci_operand *out, ncg_error *err)
{
    const nci_variable *v = &model->vars[var];
    out->node = weights->node;
    for (int a = 0; a < NCG_MAX_RANK; a++)
        out->axis[a] = -1;
    for (int w = 0; w < weights->node->rank; w++) {
        int axis = nci_variable_axis(v, weights->dims[w]);
        if (axis < 0)
            return nci_fail(err, NCG_EINVAL,
                            "the weights have dimension %s, which %s has not",
                            model->dims[weights->dims[w]].name, v->name);
        out->axis[axis] = w;
    }
    return NCG_OK;
}
