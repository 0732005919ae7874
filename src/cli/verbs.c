/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verbs of the command and their help. The texts here are what `ncgraph
 * verbs` and `ncgraph help VERB` print; man/ncgraph.1 says the same.
 */
#include "cli/verbs.h"

#include <string.h>

#define COMMON (NCI_KEY_BY | NCI_KEY_SKIPNA | NCI_KEY_MIN_COUNT)
#define WEIGHTED (COMMON | NCI_KEY_WEIGHTS)
#define SPREAD (WEIGHTED | NCI_KEY_DDOF)

const nci_key nci_keys[] = {
    {NCI_KEY_BY, "by",
     "month|season|year|yearmonth|yearseason|dayofyear|date|hour|file",
     "one result for each group of time steps; yearseason is each season of\n"
     "      each year, December counting to the next year"},
    {NCI_KEY_WEIGHTS, "weights", "area|coslat|days|VARIABLE",
     "weight each value (default: all alike)"},
    {NCI_KEY_SKIPNA, "skipna", "yes|no",
     "leave out missing values (default yes)"},
    {NCI_KEY_MIN_COUNT, "min_count", "N",
     "fewer valid values give missing (default 1)"},
    {NCI_KEY_DDOF, "ddof", "N", "the divisor is N - ddof (default 0)"},
    {NCI_KEY_Q, "q", "Q[,Q...]",
     "which quantiles, from 0 to 1; several become a dimension"},
    {NCI_KEY_METHOD, "method",
     "linear|lower|higher|nearest|midpoint|hazen|weibull|...",
     "between two values: any of NumPy's thirteen methods (default linear)"},
    {0, NULL, NULL, NULL},
};

#define REDUCE(name, op, keys, summary, details, examples)                     \
    {                                                                          \
        name, NCI_VERB_REDUCE, NCG_OP_##op, keys,                              \
            name " DIM... [KEY=VALUE...]", summary, details, examples          \
    }

const nci_verb nci_verbs[] = {
    {"sel", NCI_VERB_SEL, NCG_OP_MEAN, 0,
     "sel NAME=FIRST..LAST | NAME=A,B ... [nearest]",
     "select by coordinate value, date or variable name",
     "A range includes both ends. Dates may have any precision: 1990 is the\n"
     "whole year, 1990-06 the month. `nearest` takes the points nearest to\n"
     "single values. `var=` selects variables.",
     "ncgraph tas.nc : sel time=1990..2009 lat=30..60 -o part.nc\n"
     "ncgraph ta.nc : sel lev=85000,50000 var=ta -o levels.nc\n"
     "ncgraph tas.nc : sel lat=52.5 lon=13.4 nearest -o point.nc"},
    {"isel", NCI_VERB_ISEL, NCG_OP_MEAN, 0,
     "isel DIM=START:STOP[:STEP] | DIM=N[,N...] ...", "select by position",
     "Positions count from 0, the end is left out, negative ones count from\n"
     "the end, as in Python.",
     "ncgraph tas.nc : isel time=0:12 -o first-year.nc\n"
     "ncgraph tas.nc : isel time=::3 lev=-1 -o part.nc"},
    REDUCE("mean", MEAN, WEIGHTED, "arithmetic mean", "",
           "ncgraph 'tas_*.nc' : mean time -o mean.nc\n"
           "ncgraph 'tas_*.nc' : mean time by=month -o climatology.nc\n"
           "ncgraph tas.nc : mean space weights=area -o global.nc"),
    REDUCE("sum", SUM, WEIGHTED, "sum",
           "Integers are summed exactly in 64 bits, other values in double.",
           "ncgraph pr.nc : sum time by=year -o yearly.nc"),
    REDUCE("prod", PROD, COMMON, "product",
           "Integers are multiplied in 64 bits, which wrap; other values in\n"
           "double. The result has no units.",
           "ncgraph growth.nc : prod time by=year -o yearly.nc"),
    REDUCE("min", MIN, COMMON, "least value", "",
           "ncgraph tas.nc : min time by=date -o tasmin.nc"),
    REDUCE("max", MAX, COMMON, "greatest value", "",
           "ncgraph tas.nc : max time -o hottest.nc"),
    REDUCE("range", RANGE, COMMON, "greatest less least value", "",
           "ncgraph tas.nc : range time by=date -o daily-range.nc"),
    REDUCE("std", STD, SPREAD, "standard deviation", "",
           "ncgraph tas.nc : std time ddof=1 -o std.nc"),
    REDUCE("var", VAR, SPREAD, "variance", "",
           "ncgraph tas.nc : var time by=season -o var.nc"),
    REDUCE("count", COUNT, NCI_KEY_BY | NCI_KEY_MIN_COUNT,
           "number of valid values", "",
           "ncgraph pr.nc : count time by=year -o observations.nc"),
    {"median", NCI_VERB_QUANTILE, NCG_OP_MEAN, NCI_KEY_BY | NCI_KEY_SKIPNA,
     "median DIM... [KEY=VALUE...]", "median", "Exact, as quantile q=0.5.",
     "ncgraph pr.nc : median time -o median.nc"},
    {"quantile", NCI_VERB_QUANTILE, NCG_OP_MEAN,
     NCI_KEY_BY | NCI_KEY_SKIPNA | NCI_KEY_Q | NCI_KEY_METHOD,
     "quantile DIM... q=Q[,Q...] [KEY=VALUE...]", "quantiles",
     "Exact: no histogram. Where the data do not fit into the memory limit\n"
     "they are read several times. Methods: linear lower higher nearest\n"
     "midpoint hazen weibull median_unbiased normal_unbiased inverted_cdf\n"
     "averaged_inverted_cdf closest_observation interpolated_inverted_cdf.",
     "ncgraph pr.nc : quantile time q=0.95 -o p95.nc\n"
     "ncgraph tas.nc : quantile time q=0.1,0.5,0.9 by=season -o spread.nc"},
    REDUCE("any", ANY, COMMON, "1 where a value is not zero, else 0", "",
           "ncgraph mask.nc : any time -o ever.nc"),
    REDUCE("all", ALL, COMMON, "1 where every value is not zero, else 0", "",
           "ncgraph mask.nc : all time -o always.nc"),
    REDUCE("first", FIRST, COMMON, "first value",
           "The first valid one, or with skipna=no simply the first.",
           "ncgraph snow.nc : first time by=year -o first.nc"),
    REDUCE("last", LAST, COMMON, "last value",
           "The last valid one, or with skipna=no simply the last.",
           "ncgraph snow.nc : last time by=year -o last.nc"),
    REDUCE(
        "argmin", ARGMIN, COMMON, "position of the least value",
        "Positions count from 0, with by= too along the whole dimension; of\n"
        "equal values the first counts.",
        "ncgraph tas.nc : argmin time -o when-coldest.nc"),
    REDUCE(
        "argmax", ARGMAX, COMMON, "position of the greatest value",
        "Positions count from 0, with by= too along the whole dimension; of\n"
        "equal values the first counts.",
        "ncgraph tas.nc : argmax time -o when-hottest.nc"),
    {"anom", NCI_VERB_ANOM, NCG_OP_MEAN, NCI_KEY_BY, "anom [by=GROUP]",
     "anomaly: each value less its time mean",
     "With by=, less the mean of its group over all years. The data are read\n"
     "twice: for the means, then for the anomalies.",
     "ncgraph tas.nc : anom by=month -o anomaly.nc\n"
     "ncgraph tas.nc : anom by=month : std time -o variability.nc"},
    {NULL, NCI_VERB_SEL, NCG_OP_MEAN, 0, NULL, NULL, NULL, NULL},
};

const nci_verb *nci_verb_find(const char *name)
{
    for (const nci_verb *v = nci_verbs; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

const char *nci_verb_suggest(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (const nci_verb *v = nci_verbs; v->name && n < 63; v++)
        names[n++] = v->name;
    names[n] = NULL;
    const char *near = cli_suggest(name, names);
    return near ? near : cli_suggest(name, nci_alias_names());
}

/* Prints `text` with two blanks before each line. */
static void print_indented(const char *text, FILE *to)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(to, "  %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void print_keys(unsigned keys, FILE *to)
{
    fputs("\nKeys\n", to);
    for (const nci_key *k = nci_keys; k->name; k++)
        if (keys & k->bit)
            fprintf(to, "  %s=%s\n      %s\n", k->name, k->values, k->text);
}

void nci_verb_help(const nci_verb *verb, FILE *to)
{
    fprintf(to, "%s - %s\n\nUsage\n  ncgraph INPUT... : %s -o OUT.nc\n",
            verb->name, verb->summary, verb->usage);
    if (*verb->details) {
        fputc('\n', to);
        print_indented(verb->details, to);
    }
    if (verb->kind == NCI_VERB_REDUCE || verb->kind == NCI_VERB_QUANTILE)
        fputs("\n  DIM is a dimension's name or its role: time, lat, lon, lev,"
              "\n  space (horizontal), all.\n",
              to);
    if (verb->keys)
        print_keys(verb->keys, to);
    fputs("\nExamples\n", to);
    print_indented(verb->examples, to);
}
