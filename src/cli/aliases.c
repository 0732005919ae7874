/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CDO's operator names as aliases. Most are a prefix (what is reduced) and a
 * statistic: "ymon" + "std1". An alias stands only for a step that gives the
 * same numbers; operators that look alike and differ are refused by name.
 */
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))
#define PARAMS_MAX 256

typedef struct prefix {
    const char *name;
    const char *dims; /* words after the verb */
    bool weighted;    /* CDO weights mean, std and var by area */
} prefix;

static const prefix prefixes[] = {
    {"tim", "time", false},
    {"year", "time by=year", false},
    {"seas", "time by=yearseason", false},
    {"mon", "time by=yearmonth", false},
    {"day", "time by=date", false},
    {"ymon", "time by=month", false},
    {"yseas", "time by=season", false},
    {"dhour", "time by=hour", false},
    {"fld", "space", true},
    {"zon", "lon", false},
    {"mer", "lat", true},
};

typedef struct statistic {
    const char *name;
    const char *verb;
    const char *keys;
    bool weights; /* takes the area weights of the prefix */
} statistic;

static const statistic statistics[] = {
    {"mean", "mean", "", true}, {"avg", "mean", " skipna=no", true},
    {"sum", "sum", "", false},  {"min", "min", "", false},
    {"max", "max", "", false},  {"range", "range", "", false},
    {"std", "std", "", true},   {"std1", "std", " ddof=1", true},
    {"var", "var", "", true},   {"var1", "var", " ddof=1", true},
};

/* Operators whose meaning differs from the step that they resemble. */
static const struct {
    const char *name;
    const char *why;
} unlike[] = {
    {"yday", "keeps 29 February apart; by=dayofyear counts days from "
             "1 January"},
    {"hour", "is one result for each hour of each day; dhour* (by=hour) is "
             "one for each hour of the day"},
    {"vert", "weights by the thickness of layers; `mean lev` does not"},
};

typedef struct params {
    char *text; /* owned copy, cut at the commas */
    char *items[PARAMS_MAX];
    size_t n;
} params;

static void params_split(const char *text, params *out)
{
    out->text = nci_xstrdup(text);
    out->n = 0;
    char *rest = out->text;
    while (rest && out->n < PARAMS_MAX)
        out->items[out->n++] = strsep(&rest, ",");
}

static char *expand_selname(const params *p, const char *all)
{
    return p->n >= 1 ? nci_xformat("sel var=%s", all) : NULL;
}

static char *expand_sellevel(const params *p, const char *all)
{
    return p->n >= 1 ? nci_xformat("sel lev=%s", all) : NULL;
}

static char *expand_sellonlatbox(const params *p, const char *all)
{
    (void)all;
    if (p->n != 4)
        return NULL;
    return nci_xformat("sel lon=%s..%s lat=%s..%s", p->items[0], p->items[1],
                       p->items[2], p->items[3]);
}

/* selyear,1990 or selyear,1990/1999 */
static char *expand_selyear(const params *p, const char *all)
{
    if (p->n != 1)
        return NULL;
    const char *slash = strchr(all, '/');
    if (!slash)
        return nci_xformat("sel time=%s..%s", all, all);
    return nci_xformat("sel time=%.*s..%s", (int)(slash - all), all, slash + 1);
}

static char *expand_seldate(const params *p, const char *all)
{
    (void)all;
    if (p->n < 1 || p->n > 2)
        return NULL;
    return nci_xformat("sel time=%s..%s", p->items[0], p->items[p->n - 1]);
}

/* seltimestep,1/12 or seltimestep,7: CDO counts from 1. */
static char *expand_seltimestep(const params *p, const char *all)
{
    if (p->n != 1)
        return NULL;
    int64_t first, last;
    char *slash = strchr(p->items[0], '/');
    if (slash)
        *slash = '\0';
    (void)all;
    if (!nci_parse_int64(p->items[0], 1, INT64_MAX - 1, &first) ||
        !nci_parse_int64(slash ? slash + 1 : p->items[0], first, INT64_MAX - 1,
                         &last))
        return NULL;
    return nci_xformat("isel time=%lld:%lld", (long long)first - 1,
                       (long long)last);
}

static const struct {
    const char *name;
    const char *params;
    const char *means;
    char *(*expand)(const params *, const char *all);
} selectors[] = {
    {"selname", "NAME[,NAME...]", "sel var=NAME,...", expand_selname},
    {"selvar", "NAME[,NAME...]", "sel var=NAME,...", expand_selname},
    {"sellevel", "LEVEL[,LEVEL...]", "sel lev=LEVEL,...", expand_sellevel},
    {"sellonlatbox", "W,E,S,N", "sel lon=W..E lat=S..N", expand_sellonlatbox},
    {"selyear", "FIRST[/LAST]", "sel time=FIRST..LAST", expand_selyear},
    {"seldate", "START[,END]", "sel time=START..END", expand_seldate},
    {"seltimestep", "FIRST[/LAST]", "isel time=FIRST-1:LAST",
     expand_seltimestep},
};

static ncg_status expand_selector(size_t which, const char *given, char **out,
                                  ncg_error *err)
{
    params p = {NULL, {NULL}, 0};
    if (given)
        params_split(given, &p);
    *out = selectors[which].expand(&p, given ? given : "");
    free(p.text);
    if (!*out)
        return nci_usage(err, "%s takes parameters: %s,%s",
                         selectors[which].name, selectors[which].name,
                         selectors[which].params);
    return NCG_OK;
}

static const statistic *find_statistic(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT_OF(statistics); i++)
        if (strlen(statistics[i].name) == length &&
            !strncmp(statistics[i].name, name, length))
            return &statistics[i];
    return NULL;
}

/* CDO's fldstd1 weights by area and divides by n - 1 of unlike values. */
static bool is_both(const prefix *p, const statistic *s)
{
    return p->weighted && s->weights && strstr(s->keys, "ddof");
}

static ncg_status refuse_both(const prefix *p, const statistic *s,
                              ncg_error *err)
{
    return nci_refuse(err, NCG_EUNSUPPORTED,
                      "CDO's %s%s takes weights and n - 1 together; `%s %s "
                      "weights=area` divides by the weights, `%s %s ddof=1` "
                      "weights all alike",
                      p->name, s->name, s->verb, p->dims, s->verb, p->dims);
}

static ncg_status expand_statistic(const char *name, size_t length, char **out,
                                   ncg_error *err)
{
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        const prefix *p = &prefixes[i];
        size_t n = strlen(p->name);
        if (length <= n || strncmp(p->name, name, n))
            continue;
        const statistic *s = find_statistic(name + n, length - n);
        if (!s)
            continue;
        if (is_both(p, s))
            return refuse_both(p, s, err);
        *out = nci_xformat("%s %s%s%s", s->verb, p->dims,
                           p->weighted && s->weights ? " weights=area" : "",
                           s->keys);
        return NCG_OK;
    }
    return NCG_OK;
}

static ncg_status refuse_unlike(const char *name, size_t length, ncg_error *err)
{
    for (size_t i = 0; i < COUNT_OF(unlike); i++) {
        size_t n = strlen(unlike[i].name);
        if (length > n && !strncmp(unlike[i].name, name, n) &&
            find_statistic(name + n, length - n))
            return nci_refuse(err, NCG_EUNSUPPORTED, "CDO's %.*s %s",
                              (int)length, name, unlike[i].why);
    }
    return NCG_OK;
}

/* Whether CDO's percentiles over this are ours: merpctl of 2.1.1 crashes, and
 * those over time are counted in bins between the values of two more files. */
static bool has_percentiles(const prefix *p)
{
    return !strcmp(p->name, "fld") || !strcmp(p->name, "zon");
}

/* The prefix of a percentile operator, "fld" of "fldpctl"; NULL: it is none. */
static const prefix *prefix_of_percentile(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        size_t n = strlen(prefixes[i].name);
        if (length == n + 4 && !strncmp(prefixes[i].name, name, n) &&
            !strncmp(name + n, "pctl", 4))
            return &prefixes[i];
    }
    return NULL;
}

/* By the nearest rank, as CDO. */
static ncg_status expand_percentile(const prefix *p, const char *given,
                                    char **out, ncg_error *err)
{
    char *end = NULL;
    double percent = given ? strtod(given, &end) : -1;
    if (!strncmp(p->dims, "time", 4))
        return nci_refuse(err, NCG_EUNSUPPORTED,
                          "CDO's %spctl counts values in bins between two more "
                          "files; `quantile %s q=0.95` is exact and needs none",
                          p->name, p->dims);
    if (!has_percentiles(p))
        return nci_refuse(err, NCG_EUNSUPPORTED,
                          "CDO's %spctl: use `quantile %s q=0.95`", p->name,
                          p->dims);
    if (!given || end == given || *end || !(percent >= 0 && percent <= 100))
        return nci_usage(err, "%spctl takes a percentage: %spctl,95", p->name,
                         p->name);
    *out = nci_xformat("quantile %s q=%.15g method=inverted_cdf", p->dims,
                       percent / 100);
    return NCG_OK;
}

ncg_status nci_alias_expand(const char *word, char **out, ncg_error *err)
{
    size_t length = strcspn(word, ",");
    const char *given = word[length] ? word + length + 1 : NULL;
    const prefix *percentile = prefix_of_percentile(word, length);
    *out = NULL;
    if (percentile)
        return expand_percentile(percentile, given, out, err);
    for (size_t i = 0; i < COUNT_OF(selectors); i++)
        if (strlen(selectors[i].name) == length &&
            !strncmp(selectors[i].name, word, length))
            return expand_selector(i, given, out, err);
    char *step = NULL;
    ncg_status st = expand_statistic(word, length, &step, err);
    if (st)
        return st;
    if (!step)
        return refuse_unlike(word, length, err);
    if (given) {
        free(step);
        return nci_usage(err, "%.*s takes no parameters here, got ',%s'",
                         (int)length, word, given);
    }
    *out = step;
    return NCG_OK;
}

void nci_alias_list(FILE *to)
{
    for (size_t i = 0; i < COUNT_OF(selectors); i++)
        fprintf(to, "  %s,%-*s %s\n", selectors[i].name,
                29 - (int)strlen(selectors[i].name), selectors[i].params,
                selectors[i].means);
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        fprintf(to, "  %-6s+ STATISTIC%14s STATISTIC %s%s\n", prefixes[i].name,
                "", prefixes[i].dims,
                prefixes[i].weighted ? " (mean std var: weights=area)" : "");
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (has_percentiles(&prefixes[i]))
            fprintf(to, "  %spctl,PERCENT               quantile %s "
                        "q=PERCENT/100 method=inverted_cdf\n",
                    prefixes[i].name, prefixes[i].dims);
    fputs("  STATISTIC: mean sum min max range std var; avg is mean with "
          "skipna=no,\n  std1 and var1 are std and var with ddof=1 (not "
          "with fld and mer, which weight).\n  Example: timmean, "
          "ymonstd1.\n",
          to);
}

#define NAMES_MAX                                                              \
    (COUNT_OF(selectors) + COUNT_OF(prefixes) * (COUNT_OF(statistics) + 1) + 1)

const char *const *nci_alias_names(void)
{
    static char text[NAMES_MAX][16];
    static const char *names[NAMES_MAX];
    size_t n = 0;
    if (names[0])
        return names;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        for (size_t j = 0; j <= COUNT_OF(statistics); j++) {
            bool is_last = j == COUNT_OF(statistics);
            if (is_last && !has_percentiles(&prefixes[i]))
                break;
            if (!is_last && is_both(&prefixes[i], &statistics[j]))
                continue;
            snprintf(text[n], sizeof text[n], "%s%s", prefixes[i].name,
                     is_last ? "pctl" : statistics[j].name);
            names[n] = text[n];
            n++;
        }
    for (size_t i = 0; i < COUNT_OF(selectors); i++)
        names[n++] = selectors[i].name;
    return names;
}
