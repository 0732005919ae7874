/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds as they are meant: in the units of their coordinate, longitudes around
 * their points. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"
#include "dataset/units.h"

int nci_bounds_find(const nci_model *model, int coord)
{
    int at = nci_model_bounds(model, coord);
    if (at < 0 || !model->vars[at].array ||
        model->vars[at].array->kind != NCI_NODE_CONST ||
        !nci_variable_is_numeric(&model->vars[at]))
        return -1;
    const nci_node *node = model->vars[at].array;
    const nci_node *points = model->vars[coord].array;
    if (!points || points->rank > 1 || node->rank != points->rank + 1 ||
        node->shape[points->rank] != 2 ||
        (points->rank && node->shape[0] != points->shape[0]))
        return -1;
    return at;
}

/* CF 7.1: units of bounds, if they are there, are those of the coordinate.
 * Times of other units are converted, as files with "days" and "hours" exist;
 * anything else that is not the same must be mended in the file. */
static ncg_status convert_pairs(const nci_model *model, int coord, int at,
                                double *pairs, int64_t n, ncg_error *err)
{
    const nci_variable *c = &model->vars[coord], *b = &model->vars[at];
    const char *want = nci_attrs_text(&c->attrs, "units");
    const char *have = nci_attrs_text(&b->attrs, "units");
    if (!want || !have || !strcmp(want, have))
        return NCG_OK;
    nci_time_units from, to;
    if (nci_variable_is_dates(c) && nci_time_is_units(have)) {
        const char *calendar = nci_attrs_text(&c->attrs, "calendar");
        NCI_TRY(nci_variable_time_units(c, &to, err));
        NCI_TRY(nci_time_units_parse(have, calendar, &from, err));
        for (int64_t i = 0; i < n; i++)
            if (nci_time_is_number(pairs[i]))
                pairs[i] = nci_time_from_absolute(
                    &to, nci_time_absolute_us(&from, pairs[i]));
        return NCG_OK;
    }
    if (nci_units_equal(want, have) || !nci_units_convertible(want, have))
        return NCG_OK;
    return nci_fail(err, NCG_EMISMATCH,
                    "%s%s%s has units \"%s\" and its bounds %s \"%s\": give "
                    "both the same in the file",
                    model->nfiles ? model->file_names[0] : "",
                    model->nfiles ? ": " : "", c->name, want, b->name, have);
}

/* Bounds of longitudes are angles: (315, 45) around 0 are -45 and 45. */
static void turn_pair(double x, double *pair, bool is_only)
{
    double low = fmin(pair[0], pair[1]), high = fmax(pair[0], pair[1]);
    bool is_inside = is_only ? x >= low && x <= high : x > low && x < high;
    if (!isfinite(x) || is_inside || high - low <= 180)
        return;
    for (int k = 0; k < 2; k++)
        pair[k] += 360 * round((x - pair[k]) / 360);
}

static ncg_status turn_pairs(const nci_variable *coord, double *pairs,
                             ncg_error *err)
{
    double *x = NULL;
    int64_t n = 0;
    NCI_TRY(nci_variable_values(coord, &x, &n, err));
    for (int64_t i = 0; i < n; i++)
        turn_pair(x[i], &pairs[2 * i], n == 1);
    nci_free(x);
    return NCG_OK;
}

ncg_status nci_bounds_values(const nci_model *model, int coord, double **out,
                             ncg_error *err)
{
    const nci_variable *var = &model->vars[coord];
    int at = nci_bounds_find(model, coord);
    double *pairs = NULL;
    int64_t count;
    *out = NULL;
    if (at < 0)
        return NCG_OK;
    NCI_TRY(nci_variable_values(&model->vars[at], &pairs, &count, err));
    ncg_status st = convert_pairs(model, coord, at, pairs, count, err);
    if (!st && nci_cell_kind_of(var) == NCI_CELL_LON &&
        nci_cell_scale(var) != 1)
        st = turn_pairs(var, pairs, err);
    if (st) {
        nci_free(pairs);
        return st;
    }
    *out = pairs;
    return NCG_OK;
}
