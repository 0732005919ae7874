/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Selection by numbers from a program: a list of values along one dimension,
 * exact or by the nearest position within a tolerance. Times are numbers in the
 * coordinate's units.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/combine.h"

typedef struct looking {
    const char *dim;
    const nci_variable *coord;
    double *values;
    int64_t n;
    ncg_sel_method method;
    double tolerance;
    bool is_angle, is_time;
    nci_time_units units;
} looking;

static void print(const looking *l, double x, char out[NCI_LABEL_TEXT])
{
    char date[NCI_DATE_TEXT];
    int n = snprintf(out, NCI_LABEL_TEXT, "%.10g", x);
    if (l->is_time && nci_time_is_number(x)) {
        nci_date d = nci_time_decode(&l->units, x);
        snprintf(out + n, NCI_LABEL_TEXT - (size_t)n, " (%s)",
                 nci_date_format(l->units.calendar, &d, date));
    }
}

/* How far a position is from x, INFINITY where the method rules it out. */
static double distance(const looking *l, int64_t i, double x)
{
    double d = l->values[i] - x;
    if (isnan(d) || (l->method == NCG_SEL_PAD && d > 0) ||
        (l->method == NCG_SEL_BACKFILL && d < 0))
        return INFINITY;
    if (l->is_angle && l->method <= NCG_SEL_NEAREST)
        d -= 360 * round(d / 360);
    return fabs(d);
}

static int64_t find_least(const looking *l, double x, double *least)
{
    int64_t best = -1;
    *least = INFINITY;
    for (int64_t i = 0; i < l->n; i++) {
        double d = distance(l, i, x);
        if (d < *least) {
            *least = d;
            best = i;
        }
    }
    return best;
}

static ncg_status fail_value(const looking *l, double x, ncg_error *err)
{
    static const char *const words[] = {"", "", " at or before",
                                        " at or after"};
    looking any = *l;
    char asked[NCI_LABEL_TEXT], near[NCI_LABEL_TEXT];
    double least;
    any.method = NCG_SEL_NEAREST;
    int64_t best = find_least(&any, x, &least);
    print(l, x, asked);
    if (best < 0)
        return nci_fail(err, NCG_EINVAL, "%s: no value %s: %s has none", l->dim,
                        asked, l->coord->name);
    print(l, l->values[best], near);
    if (l->method == NCG_SEL_EXACT)
        return nci_fail(err, NCG_EINVAL,
                        "%s has no value %s; the nearest is %s at position "
                        "%lld: give it, or ask for the nearest",
                        l->dim, asked, near, (long long)best);
    return nci_fail(err, NCG_EINVAL,
                    "%s has no value%s %s%s; the nearest is %s at position "
                    "%lld",
                    l->dim, words[l->method], asked,
                    l->tolerance >= 0 ? " within the tolerance" : "", near,
                    (long long)best);
}

static double exact_rounding(const looking *l, double x)
{
    double relative = l->coord->array->dtype == NCG_DTYPE_F32 ? 4e-7 : 1e-10;
    return relative * fmax(fabs(x), 1e-6);
}

static ncg_status find_all(const looking *l, const double *values, size_t n,
                           int64_t *positions, ncg_error *err)
{
    for (size_t i = 0; i < n; i++) {
        double least;
        int64_t best = find_least(l, values[i], &least);
        double most = l->method == NCG_SEL_EXACT ? exact_rounding(l, values[i])
                      : l->tolerance >= 0        ? l->tolerance
                                                 : INFINITY;
        if (best < 0 || least > most)
            return fail_value(l, values[i], err);
        positions[i] = best;
    }
    return NCG_OK;
}

static ncg_status pick_positions(const nci_model *model, int dim,
                                 const int64_t *positions, size_t n,
                                 nci_model **out, ncg_error *err)
{
    nci_pick pick = {.count = (int64_t)n, .index = positions};
    const nci_pick **given = nci_calloc(model->ndims + 1, sizeof *given);
    if (!given)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    given[dim] = &pick;
    ncg_status st = nci_model_pick(model, given, NULL, out, err);
    nci_free(given);
    return st;
}

static ncg_status prepare(const nci_model *model, const char *word, int *dim,
                          looking *l, ncg_error *err)
{
    int coord;
    NCI_TRY(nci_model_resolve_dim(model, word, dim, &coord, err));
    l->coord = coord < 0 ? NULL : &model->vars[coord];
    if (!l->coord || !l->coord->array ||
        l->coord->array->kind != NCI_NODE_CONST ||
        !nci_variable_is_numeric(l->coord))
        return nci_fail(err, NCG_EINVAL,
                        "%s has no coordinate of numbers to select by; select "
                        "by position",
                        word);
    const char *units = nci_attrs_text(&l->coord->attrs, "units");
    l->is_angle = model->dims[*dim].role == NCI_ROLE_LON &&
                  (!units || !strncmp(units, "degree", 6));
    l->is_time = nci_variable_is_dates(l->coord);
    if (l->is_time)
        NCI_TRY(nci_variable_time_units(l->coord, &l->units, err));
    return nci_variable_values(l->coord, &l->values, &l->n, err);
}

ncg_status nci_model_sel_values(const nci_model *model, const char *word,
                                const double *values, size_t n,
                                ncg_sel_method method, double tolerance,
                                nci_model **out, ncg_error *err)
{
    looking l = {.dim = word, .method = method, .tolerance = tolerance};
    int dim = -1;
    if ((unsigned)method > NCG_SEL_BACKFILL)
        return nci_fail(err, NCG_EINVAL, "unknown method %d", (int)method);
    if (isnan(tolerance))
        return nci_fail(err, NCG_EINVAL, "the tolerance is not a number");
    if (!n)
        return nci_fail(err, NCG_EINVAL, "%s: no values to select", word);
    NCI_TRY(prepare(model, word, &dim, &l, err));
    int64_t *positions = nci_alloc(n * sizeof *positions);
    ncg_status st = positions ? find_all(&l, values, n, positions, err)
                              : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = pick_positions(model, dim, positions, n, out, err);
    nci_free(positions);
    nci_free(l.values);
    return st;
}
