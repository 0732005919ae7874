/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Selection by numbers: inclusive ranges in either direction, lists of exact
 * values (up to the rounding of the stored type), nearest points. Longitudes
 * are angles: a range goes eastward from its first value, across the seam of
 * the grid if need be.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

/* Values of one coordinate while positions are looked for. */
typedef struct look {
    const nci_choice *choice;
    const nci_variable *coord;
    double *values;
    int64_t n;
    double relative; /* rounding of the stored type */
    bool is_angle;
} look;

static double tolerance(const look *l, double x)
{
    return l->relative * fmax(fabs(x), 1e-6);
}

bool nci_split_range(const char *text, char **low, char **high)
{
    const char *dots = strstr(text, "..");
    if (!dots)
        return false;
    *low = nci_strndup(text, (size_t)(dots - text));
    *high = nci_strdup(dots + 2);
    return true;
}

static ncg_status parse_number(const look *l, const char *text, double *out,
                               ncg_error *err)
{
    char *end;
    *out = strtod(text, &end);
    while (*end == ' ')
        end++;
    if (end == text || *end || isnan(*out))
        return nci_fail(err, NCG_EINVAL, "%s=%s: \"%s\" is no number",
                        l->choice->name, l->choice->value, text);
    return NCG_OK;
}

static void find_extent(const look *l, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < l->n; i++) {
        *low = fmin(*low, l->values[i]);
        *high = fmax(*high, l->values[i]);
    }
}

static ncg_status fail_nothing(const look *l, const char *why, ncg_error *err)
{
    double low, high;
    const char *units = nci_attrs_text(&l->coord->attrs, "units");
    find_extent(l, &low, &high);
    return nci_fail(
        err, NCG_EINVAL, "%s=%s %s: %s has %lld values from %.10g to %.10g%s%s",
        l->choice->name, l->choice->value, why, l->coord->name, (long long)l->n,
        low, high, units ? " " : "", units ? units : "");
}

/* ---- ranges ---------------------------------------------------------------
 */

static ncg_status add(nci_positions *found, int64_t position, ncg_error *err)
{
    return nci_positions_add(found, position)
               ? NCG_OK
               : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static ncg_status find_plain(const look *l, double a, double b,
                             nci_positions *found, ncg_error *err)
{
    double low = fmin(a, b), high = fmax(a, b);
    for (int64_t i = 0; i < l->n; i++) {
        double x = l->values[i];
        if (x >= low - tolerance(l, low) && x <= high + tolerance(l, high))
            NCI_TRY(add(found, i, err));
    }
    return NCG_OK;
}

typedef struct turned {
    double x; /* the longitude, turned into the range asked for */
    int64_t position;
} turned;

static int compare_turned(const void *a, const void *b)
{
    const turned *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

static bool is_there(const look *l, double x)
{
    for (int64_t i = 0; i < l->n; i++)
        if (fabs(l->values[i] - x) <= tolerance(l, x))
            return true;
    return false;
}

/* Collects what lies eastward between a and b, each point as far west as it
 * can; of a column that the grid has at both ends each stays at its own. *seam
 * tells whether that goes across the end of the grid. */
static size_t turn(const look *l, double a, double b, turned *out, bool *seam)
{
    size_t n = 0;
    double first = 0;
    *seam = false;
    for (int64_t i = 0; i < l->n; i++) {
        double x = l->values[i];
        double turns = ceil((a - tolerance(l, a) - x) / 360);
        if (turns < 0 && x <= b + tolerance(l, b) &&
            is_there(l, x + 360 * turns))
            turns = 0;
        x += 360 * turns;
        if (!(x <= b + tolerance(l, b)))
            continue;
        if (n == 0)
            first = turns;
        *seam = *seam || turns != first;
        out[n++] = (turned){x, i};
    }
    return n;
}

static ncg_status find_eastward(const look *l, double a, double b,
                                nci_choice *choice, ncg_error *err)
{
    bool seam;
    if (b < a)
        b += 360 * ceil((a - b) / 360);
    turned *list = nci_alloc(((size_t)l->n + 1) * sizeof *list);
    double *shifted = nci_alloc(((size_t)l->n + 1) * sizeof *shifted);
    ncg_status st = NCG_OK;
    if (!list || !shifted)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    size_t n = st ? 0 : turn(l, a, b, list, &seam);
    if (n && seam)
        qsort(list, n, sizeof *list, compare_turned);
    for (size_t i = 0; !st && i < n; i++) {
        shifted[i] = list[i].x;
        st = add(&choice->found, list[i].position, err);
    }
    if (!st && n && list[0].x != l->values[list[0].position]) {
        choice->shifted = shifted;
        shifted = NULL;
    } else if (!st && n && seam) {
        choice->shifted = shifted;
        shifted = NULL;
    }
    nci_free(list);
    nci_free(shifted);
    return st;
}

static ncg_status find_range(const look *l, const char *low, const char *high,
                             nci_choice *choice, ncg_error *err)
{
    double a = -INFINITY, b = INFINITY;
    if (!low || !high)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (*low)
        NCI_TRY(parse_number(l, low, &a, err));
    if (*high)
        NCI_TRY(parse_number(l, high, &b, err));
    if (l->is_angle && isfinite(a) && isfinite(b))
        NCI_TRY(find_eastward(l, a, b, choice, err));
    else
        NCI_TRY(find_plain(l, a, b, &choice->found, err));
    return choice->found.count ? NCG_OK
                               : fail_nothing(l, "selects nothing", err);
}

/* ---- single values --------------------------------------------------------
 */

static double distance(const look *l, double x, double y)
{
    double d = fabs(x - y);
    return l->is_angle ? fabs(d - 360 * round(d / 360)) : d;
}

static ncg_status find_value(const look *l, const char *text,
                             nci_choice *choice, ncg_error *err)
{
    double x, least = INFINITY;
    int64_t best = -1;
    NCI_TRY(parse_number(l, text, &x, err));
    for (int64_t i = 0; i < l->n; i++) {
        double d = distance(l, l->values[i], x);
        if (d < least) {
            least = d;
            best = i;
        }
    }
    if (best < 0)
        return fail_nothing(l, "selects nothing", err);
    if (!choice->is_nearest && least > tolerance(l, x)) {
        char why[128];
        snprintf(why, sizeof why,
                 "is not there (the nearest is %.10g; add the word nearest)",
                 l->values[best]);
        return fail_nothing(l, why, err);
    }
    return add(&choice->found, best, err);
}

/* Longitudes of a list are given back within half a turn of what was asked. */
static ncg_status turn_list(const look *l, const nci_strings *items,
                            nci_choice *choice, ncg_error *err)
{
    bool any = false;
    double *shifted = nci_alloc((items->count + 1) * sizeof *shifted);
    if (!shifted)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < items->count; i++) {
        double x = l->values[choice->found.items[i]];
        double turns = round((strtod(items->items[i], NULL) - x) / 360);
        shifted[i] = x + 360 * turns;
        any = any || turns != 0;
    }
    if (any)
        choice->shifted = shifted;
    else
        nci_free(shifted);
    return NCG_OK;
}

static ncg_status find_list(const look *l, nci_choice *choice, ncg_error *err)
{
    nci_strings items = {0};
    ncg_status st = NCG_OK;
    if (!nci_strings_split(&items, choice->value, ","))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (!items.count)
        st = nci_fail(err, NCG_EINVAL, "%s=%s names no value", choice->name,
                      choice->value);
    for (size_t i = 0; !st && i < items.count; i++)
        st = find_value(l, items.items[i], choice, err);
    if (!st && l->is_angle && items.count > 1)
        st = turn_list(l, &items, choice, err);
    choice->is_single = items.count == 1 && !strchr(choice->value, ',');
    nci_strings_fini(&items);
    return st;
}

/* Longitude in degrees: units say so, or nothing is said against it. */
static bool is_degrees(const nci_variable *coord)
{
    const char *units = nci_attrs_text(&coord->attrs, "units");
    return !units || !strncmp(units, "degree", 6);
}

ncg_status nci_choose_values(const nci_variable *coord, nci_role role,
                             nci_choice *choice, ncg_error *err)
{
    look l = {.choice = choice, .coord = coord};
    NCI_TRY(nci_variable_values(coord, &l.values, &l.n, err));
    l.relative = coord->array->dtype == NCG_DTYPE_F32 ? 4e-7 : 1e-10;
    l.is_angle = role == NCI_ROLE_LON && is_degrees(coord);
    char *low = NULL, *high = NULL;
    ncg_status st = nci_split_range(choice->value, &low, &high)
                        ? find_range(&l, low, high, choice, err)
                        : find_list(&l, choice, err);
    nci_free(low);
    nci_free(high);
    nci_free(l.values);
    return st;
}
