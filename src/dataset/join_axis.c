/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dimension along which files are joined: the first of the unlimited ones,
 * then of those of time, then of the others, whose coordinate differs between
 * files. Its keys are decoded times where there are times, else the
 * coordinate's numbers; both as integers that order as the values do.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"

typedef struct candidate {
    const char *name;
    int priority; /* 0 unlimited, 1 time, 2 other */
} candidate;

enum { MAX_CANDIDATES = 64 };

typedef struct candidates {
    candidate items[MAX_CANDIDATES];
    size_t count;
} candidates;

/* When a forecast began: no order of what it says. */
static bool is_reference_time(const nci_join_var *var)
{
    const char *name = nci_attrs_text(&var->desc->attrs, "standard_name");
    return name && !strcmp(name, "forecast_reference_time");
}

/* The coordinate that orders dimension `name`: its own where that has times,
 * else an auxiliary one with times, else its own numbers; -1. */
static int find_key(const nci_join_group *group, const char *name)
{
    int own = -1, aux = -1;
    for (size_t v = 0; v < group->nvars; v++) {
        const nci_join_var *var = &group->vars[v];
        const nci_header *header =
            nci_join_member(group, (size_t)var->member)->header;
        if (var->desc->rank != 1 || var->how != NCI_JOIN_NUMBER ||
            var->kind != NCI_KIND_COORD ||
            strcmp(header->dims[var->desc->dims[0]].name, name))
            continue;
        if (!strcmp(var->name, name))
            own = (int)v;
        else if (var->has_time_units && aux < 0 && !is_reference_time(var))
            aux = (int)v;
    }
    if (own >= 0 && (group->vars[own].has_time_units || aux < 0))
        return own;
    return aux;
}

static bool is_time_like(const nci_join_group *group, const char *name)
{
    int key = find_key(group, name);
    const char *last = strrchr(name, '/');
    if (!strncasecmp(last ? last + 1 : name, "time", 4))
        return true;
    if (key < 0)
        return false;
    const nci_attrs *attrs = &group->vars[key].desc->attrs;
    const char *axis = nci_attrs_text(attrs, "axis");
    const char *standard = nci_attrs_text(attrs, "standard_name");
    return group->vars[key].has_time_units || (axis && !strcmp(axis, "T")) ||
           (standard && !strcmp(standard, "time"));
}

static void add_candidate(const nci_join_group *group, candidates *list,
                          const nci_dim *dim)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].name, dim->name))
            return;
    if (list->count == MAX_CANDIDATES)
        return;
    int priority = dim->is_unlimited                ? 0
                   : is_time_like(group, dim->name) ? 1
                                                    : 2;
    size_t at = list->count++;
    for (; at > 0 && list->items[at - 1].priority > priority; at--)
        list->items[at] = list->items[at - 1];
    list->items[at] = (candidate){dim->name, priority};
}

static void find_candidates(const nci_join_group *group, candidates *list)
{
    for (int pass = 0; pass < 2 && !list->count; pass++) {
        for (size_t v = 0; v < group->nvars; v++) {
            const nci_join_var *var = &group->vars[v];
            const nci_header *header =
                nci_join_member(group, (size_t)var->member)->header;
            if (pass == 0 && var->kind != NCI_KIND_DATA)
                continue;
            for (int d = 0; d < var->desc->rank; d++)
                add_candidate(group, list, &header->dims[var->desc->dims[d]]);
        }
    }
}

/* An integer that orders as the doubles do. */
static nci_us order_of(double x)
{
    int64_t bits;
    x += 0.0; /* -0 and 0 are one */
    memcpy(&bits, &x, sizeof bits);
    return bits >= 0 ? (nci_us)bits : (nci_us)INT64_MIN - bits;
}

static ncg_status fail_missing_key(const nci_join_group *group, size_t member,
                                   int64_t at, ncg_error *err)
{
    return nci_fail(err, NCG_EMISMATCH,
                    "%s: %s: the value at position %lld is missing; the file "
                    "has no place among the others",
                    nci_join_path(group, member), group->vars[group->key].name,
                    (long long)at);
}

static ncg_status make_keys(nci_join_group *group, size_t member,
                            const nci_time_units *units, ncg_error *err)
{
    const nci_join_var *var = &group->vars[group->key];
    double *values = NULL;
    int64_t n;
    NCI_TRY(nci_join_values(group, var, member, &values, &n, err));
    nci_us *keys = nci_calloc((size_t)n, sizeof *keys);
    ncg_status st = keys ? NCG_OK
                         : nci_fail(err, NCG_ENOMEM, "%s: %lld keys", var->name,
                                    (long long)n);
    for (int64_t i = 0; !st && i < n; i++) {
        if (isnan(values[i]) || (units && !nci_time_is_number(values[i])))
            st = fail_missing_key(group, member, i, err);
        else
            keys[i] = units ? nci_time_absolute_us(units, values[i])
                            : order_of(values[i]);
    }
    nci_free(values);
    group->keys[member] = keys;
    return st;
}

static ncg_status check_calendar(const nci_join_group *group, size_t member,
                                 const nci_time_units *b, ncg_error *err)
{
    const nci_time_units *a = &group->key_units;
    const nci_join_var *var = &group->vars[group->key];
    if (a->calendar == b->calendar)
        return NCG_OK;
    return nci_fail(
        err, NCG_EMISMATCH, "%s, %s: %s: calendars differ: %s and %s",
        nci_join_path(group, (size_t)var->member), nci_join_path(group, member),
        var->name, nci_calendar_name(a->calendar),
        nci_calendar_name(b->calendar));
}

/* Times in units that are not known still order files whose units are equal,
 * by their numbers. */
static bool is_same_everywhere(const nci_join_group *group, int v)
{
    for (size_t m = 0; m < group->nfiles; m++)
        if (nci_join_header_var(group, &group->vars[v], m) &&
            !nci_join_same_attrs(group, &group->vars[v], m))
            return false;
    return true;
}

static ncg_status parse_first_units(nci_join_group *group, ncg_error *err)
{
    nci_join_var *var = &group->vars[group->key];
    ncg_error why;
    group->key_is_time = var->has_time_units;
    if (!group->key_is_time)
        return NCG_OK;
    ncg_status st = nci_join_time_units(group, group->key, (size_t)var->member,
                                        &group->key_units, &why);
    if (!st)
        return NCG_OK;
    if (!is_same_everywhere(group, group->key)) {
        if (err)
            *err = why;
        return st;
    }
    nci_join_note(group->work, "%s; files are ordered by the numbers",
                  why.message);
    group->key_is_time = false;
    return NCG_OK;
}

static ncg_status read_keys(nci_join_group *group, ncg_error *err)
{
    const nci_join_var *var = &group->vars[group->key];
    NCI_TRY(parse_first_units(group, err));
    for (size_t m = 0; m < group->nfiles; m++) {
        if (!nci_join_header_var(group, var, m))
            return nci_fail(err, NCG_EMISMATCH,
                            "%s has no variable %s, which %s has",
                            nci_join_path(group, m), var->name,
                            nci_join_path(group, (size_t)var->member));
        nci_time_units units = group->key_units;
        if (group->key_is_time && !nci_join_same_attrs(group, var, m)) {
            NCI_TRY(nci_join_time_units(group, group->key, m, &units, err));
            NCI_TRY(check_calendar(group, m, &units, err));
        }
        NCI_TRY(make_keys(group, m, group->key_is_time ? &units : NULL, err));
    }
    return NCG_OK;
}

static void free_keys(nci_join_group *group)
{
    for (size_t m = 0; m < group->nfiles; m++) {
        nci_free(group->keys[m]);
        group->keys[m] = NULL;
    }
}

static void find_sizes(nci_join_group *group)
{
    for (size_t m = 0; m < group->nfiles; m++) {
        const nci_header *header = nci_join_member(group, m)->header;
        int dim = nci_header_find_dim(header, group->join_name);
        group->sizes[m] = dim < 0 ? -1 : header->dims[dim].size;
    }
}

/* Numbers that differ by rounding only are one coordinate. */
static ncg_status compare_numbers(const nci_join_group *group, size_t member,
                                  bool *differ, ncg_error *err)
{
    const nci_join_var *var = &group->vars[group->key];
    double *a = NULL, *b = NULL;
    int64_t n, at;
    ncg_status st = nci_join_values(group, var, 0, &a, &n, err);
    if (!st)
        st = nci_join_values(group, var, member, &b, &n, err);
    if (!st)
        *differ = nci_join_compare(a, b, n, &at) == 2;
    nci_free(a);
    nci_free(b);
    return st;
}

/* Whether the coordinate of the dimension differs between files. */
static ncg_status is_different(const nci_join_group *group, bool *differ,
                               ncg_error *err)
{
    *differ = false;
    for (size_t m = 1; !*differ && m < group->nfiles; m++) {
        *differ = group->sizes[m] != group->sizes[0];
        if (*differ || group->key < 0 || group->sizes[0] <= 0 ||
            !memcmp(group->keys[m], group->keys[0],
                    (size_t)group->sizes[0] * sizeof(nci_us)))
            continue;
        *differ = group->key_is_time;
        if (!*differ)
            NCI_TRY(compare_numbers(group, m, differ, err));
    }
    return NCG_OK;
}

/* Tries one dimension: reads the small variables and its keys. */
static ncg_status try_candidate(nci_join_group *group, const char *name,
                                ncg_error *err)
{
    nci_join_free_parts(group);
    free_keys(group);
    group->join_name = name;
    group->key = find_key(group, name);
    find_sizes(group);
    NCI_TRY(nci_join_read(group, err));
    return group->key >= 0 ? read_keys(group, err) : NCG_OK;
}

static ncg_status fail_same(const nci_join_group *group, ncg_error *err)
{
    const char *name = group->vars[0].name;
    for (size_t v = 0; v < group->nvars; v++)
        if (group->vars[v].kind == NCI_KIND_DATA) {
            name = group->vars[v].name;
            break;
        }
    return nci_fail(err, NCG_EMISMATCH,
                    "%s, %s: both hold %s and no coordinate differs: there is "
                    "no dimension to join along",
                    nci_join_path(group, 0), nci_join_path(group, 1), name);
}

/* Asks for another try where each file has one time, as a scalar. */
static ncg_status look_for_scalar(nci_join_group *group, size_t tried,
                                  ncg_error *err)
{
    if (group->work->is_lifted)
        return NCG_OK;
    if (!tried)
        NCI_TRY(nci_join_read(group, err));
    group->work->scalar = nci_join_scalar_time(group);
    return group->work->scalar ? fail_same(group, err) : NCG_OK;
}

ncg_status nci_join_find_axis(nci_join_group *group, ncg_error *err)
{
    candidates list = {.count = 0};
    if (group->nfiles == 1)
        return nci_join_read(group, err);
    group->keys = nci_calloc(group->nfiles, sizeof *group->keys);
    group->sizes = nci_calloc(group->nfiles, sizeof *group->sizes);
    if (!group->keys || !group->sizes)
        return nci_fail(err, NCG_ENOMEM, "joining %zu files", group->nfiles);
    find_candidates(group, &list);
    for (size_t i = 0; i < list.count; i++) {
        bool differ;
        NCI_TRY(try_candidate(group, list.items[i].name, err));
        NCI_TRY(is_different(group, &differ, err));
        if (differ)
            return NCG_OK;
    }
    NCI_TRY(look_for_scalar(group, list.count, err));
    /* Equal everywhere: repeated steps, which the overlap rule judges, or
     * records without a coordinate. */
    if (!list.count || list.items[0].priority == 2)
        return fail_same(group, err);
    return list.count > 1 ? try_candidate(group, list.items[0].name, err)
                          : NCG_OK;
}
