/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sizes of cells, which weights come from: differences of sin(lat), radians
 * of longitude, days. Where there are no bounds, cells meet half-way between
 * the points; a selection or a reduction leaves points that no longer tell
 * this, so that it hands the sizes on.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

#define RADIANS (3.14159265358979323846 / 180)

/* ---- kinds -----------------------------------------------------------------
 */

static bool has_standard_name(const nci_variable *var, const char *name)
{
    const char *standard = nci_attrs_text(&var->attrs, "standard_name");
    return standard && !strcmp(standard, name);
}

nci_cell_kind nci_cell_kind_of(const nci_variable *coord)
{
    if (nci_variable_is_dates(coord))
        return NCI_CELL_TIME;
    nci_role role = nci_variable_role(coord);
    if (role == NCI_ROLE_LAT || has_standard_name(coord, "grid_latitude"))
        return NCI_CELL_LAT;
    if (role == NCI_ROLE_LON || has_standard_name(coord, "grid_longitude"))
        return NCI_CELL_LON;
    return NCI_CELL_NONE;
}

double nci_cell_scale(const nci_variable *coord)
{
    const char *units = nci_attrs_text(&coord->attrs, "units");
    return units && !strncmp(units, "rad", 3) ? 1 : RADIANS;
}

/* ---- sizes -----------------------------------------------------------------
 */

/* Longitudes may jump by a turn from one point to the next. */
static double distance(double from, double to, double turn)
{
    double d = to - from;
    return turn > 0 ? fabs(d - turn * round(d / turn)) : d;
}

/* Cells that meet half-way between the points; the outer ones are as wide on
 * both sides. turn > 0: only the widths have a meaning. */
static void halve(const double *x, int64_t n, double turn, double *bounds)
{
    for (int64_t i = 0; i < n; i++) {
        double before =
            i ? distance(x[i - 1], x[i], turn) : distance(x[0], x[1], turn);
        double after = i + 1 < n ? distance(x[i], x[i + 1], turn) : before;
        bounds[2 * i] = x[i] - before / 2;
        bounds[2 * i + 1] = x[i] + after / 2;
    }
}

static double clip(double x)
{
    const double pole = 90 * RADIANS;
    return fmin(fmax(x, -pole), pole);
}

/* *out is NULL where one point without bounds tells nothing. */
static ncg_status angle_sizes(const nci_model *model, int coord,
                              nci_cell_kind kind, double **out, ncg_error *err)
{
    double *x = NULL, *bounds = NULL;
    double scale = nci_cell_scale(&model->vars[coord]);
    int64_t n = 0;
    NCI_TRY(nci_bounds_values(model, coord, &bounds, err));
    ncg_status st = nci_variable_values(&model->vars[coord], &x, &n, err);
    if (!st && !bounds && n > 1) {
        bounds = nci_alloc(((size_t)n + 1) * 2 * sizeof *bounds);
        if (bounds)
            halve(x, n, kind == NCI_CELL_LON ? 360 * RADIANS / scale : 0,
                  bounds);
        else
            st = nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    for (int64_t i = 0; !st && bounds && i < n; i++) {
        double low = bounds[2 * i] * scale, high = bounds[2 * i + 1] * scale;
        bounds[i] = kind == NCI_CELL_LON
                        ? fabs(high - low)
                        : fabs(sin(clip(high)) - sin(clip(low)));
    }
    nci_free(x);
    if (st)
        nci_free(bounds);
    *out = st ? NULL : bounds;
    return st;
}

/* Sizes that are of another array than the coordinate's values are stale. */
static bool has_sizes(const nci_variable *coord)
{
    const nci_node *sizes = coord->sizes, *points = coord->array;
    return sizes && points && sizes->rank == points->rank && sizes->rank <= 1 &&
           (!sizes->rank || sizes->shape[0] == points->shape[0]);
}

ncg_status nci_cell_sizes(const nci_model *model, int coord, nci_cell_kind kind,
                          double **out, ncg_error *err)
{
    const nci_variable *var = &model->vars[coord];
    *out = NULL;
    if (kind == NCI_CELL_NONE || !var->array || var->array->rank > 1 ||
        var->array->kind != NCI_NODE_CONST || !nci_variable_is_numeric(var))
        return NCG_OK;
    if (has_sizes(var)) {
        const nci_variable known = {.name = var->name, .array = var->sizes};
        int64_t n;
        return nci_variable_values(&known, out, &n, err);
    }
    return kind == NCI_CELL_TIME ? nci_step_days(model, coord, out, err)
                                 : angle_sizes(model, coord, kind, out, err);
}

void nci_variable_set_sizes(nci_variable *coord, const double *sizes)
{
    nci_node *node = NULL, *points = coord->array;
    int64_t n = points && points->rank ? points->shape[0] : 1;
    bool known = sizes && points && points->rank <= 1;
    for (int64_t i = 0; known && i < n; i++)
        known = isfinite(sizes[i]);
    if (known)
        nci_array_f64(NCG_DTYPE_F64, points->rank, points->shape, sizes, &node,
                      NULL);
    nci_node_release(&coord->sizes);
    coord->sizes = node;
}

ncg_status nci_cell_sizes_before(const nci_model *model, int var,
                                 nci_node **out, ncg_error *err)
{
    const nci_variable *coord = &model->vars[var];
    double *sizes = NULL;
    *out = NULL;
    if (coord->rank != 1 || !coord->array)
        return NCG_OK;
    if (has_sizes(coord)) {
        *out = nci_node_retain(coord->sizes);
        return NCG_OK;
    }
    if (nci_bounds_find(model, var) >= 0)
        return NCG_OK;
    ncg_status st =
        nci_cell_sizes(model, var, nci_cell_kind_of(coord), &sizes, NULL);
    if (st == NCG_ENOMEM)
        return nci_fail(err, NCG_ENOMEM, "%s: out of memory", coord->name);
    if (st || !sizes)
        return NCG_OK; /* not known: who needs them is told why */
    st = nci_array_f64(NCG_DTYPE_F64, 1, coord->array->shape, sizes, out, err);
    nci_free(sizes);
    return st;
}
