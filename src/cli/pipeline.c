/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grammar of the pipeline. A lone ":" starts a step; the first word of a step
 * is a verb or a CDO name, which is replaced by the words it stands for.
 */
#include "cli/pipeline.h"

#include <stdlib.h>
#include <string.h>

static ncg_status unknown_verb(const char *word, ncg_error *err)
{
    const char *near = nci_verb_suggest(word);
    if (near)
        return nci_usage(err, "unknown verb '%s'; did you mean '%s'?", word,
                         near);
    return nci_usage(err, "unknown verb '%s'; `ncgraph verbs` lists them",
                     word);
}

static void add_word(nci_step *step, const char *text, size_t length)
{
    step->words[step->nwords++] = nci_xformat("%.*s", (int)length, text);
}

/* Puts the words of an expansion ("mean time by=year") into the step. */
static void add_expansion(nci_step *step, const char *text)
{
    size_t verb = strcspn(text, " ");
    char *name = nci_xformat("%.*s", (int)verb, text);
    step->verb = nci_verb_find(name);
    free(name);
    for (text += verb; *text;) {
        text += strspn(text, " ");
        size_t n = strcspn(text, " ");
        if (n)
            add_word(step, text, n);
        text += n;
    }
}

/* More words than an expansion ever has. */
#define EXPANSION_WORDS 8

static ncg_status collect_words(char **words, size_t n, nci_step *step,
                                ncg_error *err)
{
    char *expansion = NULL;
    step->words = nci_xalloc(n + EXPANSION_WORDS, sizeof *step->words);
    step->verb = nci_verb_find(words[0]);
    if (!step->verb) {
        ncg_status st = nci_alias_expand(words[0], &expansion, err);
        if (st)
            return st;
        if (!expansion)
            return unknown_verb(words[0], err);
        step->written = words[0];
        add_expansion(step, expansion);
        free(expansion);
    }
    for (size_t i = 1; i < n; i++)
        add_word(step, words[i], strlen(words[i]));
    return NCG_OK;
}

static ncg_status unknown_key(const nci_verb *verb, const char *key,
                              ncg_error *err)
{
    const char *names[8];
    char list[128] = "";
    size_t n = 0, used = 0;
    for (const nci_key *k = nci_keys; k->name; k++)
        if (verb->keys & k->bit) {
            names[n++] = k->name;
            used += (size_t)snprintf(list + used, sizeof list - used,
                                     " %s=", k->name);
        }
    names[n] = NULL;
    for (const nci_key *k = nci_keys; k->name; k++)
        if (!strcmp(k->name, key))
            return nci_usage(err, "%s has no key '%s='; it takes%s", verb->name,
                             key, list);
    const char *near = cli_suggest(key, names);
    if (near)
        return nci_usage(err, "%s: unknown key '%s='; did you mean '%s='?",
                         verb->name, key, near);
    return nci_usage(err, "%s: unknown key '%s='; it takes%s", verb->name, key,
                     list);
}

static ncg_status parse_by(const nci_verb *verb, const char *value,
                           ncg_reduce_options *r, ncg_error *err)
{
    static const char *const groups[] = {
        "month",     "season", "year", "yearmonth", "yearseason",
        "dayofyear", "date",   "hour", "file",      NULL};
    r->by = value;
    for (size_t i = 0; groups[i]; i++)
        if (!strcmp(groups[i], value))
            return NCG_OK;
    const char *near = cli_suggest(value, groups);
    if (near)
        return nci_usage(err, "%s: no groups by '%s'; did you mean by=%s?",
                         verb->name, value, near);
    return nci_usage(err,
                     "%s: no groups by '%s'; there are month season year "
                     "yearmonth yearseason dayofyear date hour file",
                     verb->name, value);
}

static ncg_status parse_number(const nci_verb *verb, const char *key,
                               const char *value, int64_t most, int64_t *out,
                               ncg_error *err)
{
    if (!nci_parse_int64(value, 0, most, out))
        return nci_usage(err, "%s: %s= takes a whole number from 0, not '%s'",
                         verb->name, key, value);
    return NCG_OK;
}

static ncg_status parse_skipna(const nci_verb *verb, const char *value,
                               ncg_reduce_options *r, ncg_error *err)
{
    if (!strcmp(value, "yes") || !strcmp(value, "true"))
        r->skipna = true;
    else if (!strcmp(value, "no") || !strcmp(value, "false"))
        r->skipna = false;
    else
        return nci_usage(err, "%s: skipna= takes yes or no, not '%s'",
                         verb->name, value);
    return NCG_OK;
}

static ncg_status parse_quantiles(const char *value, nci_step *step,
                                  ncg_error *err)
{
    size_t n = 1;
    for (const char *at = value; *at; at++)
        n += *at == ',';
    free(step->q);
    step->q = nci_xalloc(n, sizeof *step->q);
    step->nq = n;
    for (size_t i = 0; i < n; i++) {
        char *end;
        double q = strtod(value, &end);
        if (end == value || (*end && *end != ',') || !(q >= 0 && q <= 1))
            return nci_usage(err,
                             "%s: q= takes numbers from 0 to 1, as in "
                             "q=0.1,0.9, not '%.*s'",
                             step->verb->name, (int)strcspn(value, ","), value);
        step->q[i] = q;
        value = end + (*end == ',');
    }
    return NCG_OK;
}

static ncg_status set_key(nci_step *step, unsigned bit, const char *value,
                          ncg_error *err)
{
    const nci_verb *verb = step->verb;
    ncg_reduce_options *r = &step->reduce;
    int64_t number = 0;
    ncg_status st = NCG_OK;
    switch (bit) {
    case NCI_KEY_BY:
        return parse_by(verb, value, r, err);
    case NCI_KEY_WEIGHTS:
        r->weights = value;
        return NCG_OK;
    case NCI_KEY_SKIPNA:
        return parse_skipna(verb, value, r, err);
    case NCI_KEY_Q:
        return parse_quantiles(value, step, err);
    case NCI_KEY_METHOD:
        step->method = value;
        return NCG_OK;
    case NCI_KEY_MIN_COUNT:
        return parse_number(verb, "min_count", value, INT64_MAX, &r->min_count,
                            err);
    default:
        st = parse_number(verb, "ddof", value, INT32_MAX, &number, err);
        r->ddof = (int)number;
        return st;
    }
}

static ncg_status parse_key(nci_step *step, const char *word, ncg_error *err)
{
    const nci_verb *verb = step->verb;
    size_t length = strcspn(word, "=");
    const char *value = word + length + 1;
    for (const nci_key *k = nci_keys; k->name; k++)
        if (strlen(k->name) == length && !strncmp(k->name, word, length) &&
            (verb->keys & k->bit)) {
            if (!*value)
                return nci_usage(err, "%s: %s= needs a value: %s", verb->name,
                                 k->name, k->values);
            return set_key(step, k->bit, value, err);
        }
    char *key = nci_xformat("%.*s", (int)length, word);
    ncg_status st = unknown_key(verb, key, err);
    free(key);
    return st;
}

/* Sorts the words of a reduction into dimensions and keys. */
static ncg_status parse_reduce(nci_step *step, ncg_error *err)
{
    const ncg_reduce_options defaults = NCG_REDUCE_OPTIONS_INIT;
    step->reduce = defaults;
    step->reduce.op = step->verb->op;
    step->dims = nci_xstrdup("");
    for (size_t i = 0; i < step->nwords; i++) {
        const char *word = step->words[i];
        if (strchr(word, '=')) {
            ncg_status st = parse_key(step, word, err);
            if (st)
                return st;
            continue;
        }
        char *before = step->dims;
        step->dims = nci_xformat("%s%s%s", before, *before ? " " : "", word);
        free(before);
    }
    step->reduce.dims = step->dims;
    return NCG_OK;
}

static ncg_status check_reduce(const nci_step *step, ncg_error *err)
{
    if (!*step->dims)
        return nci_usage(err,
                         "%s needs a dimension: `%s time`, `%s lat lon`, "
                         "`%s all`",
                         step->verb->name, step->verb->name, step->verb->name,
                         step->verb->name);
    if ((step->verb->keys & NCI_KEY_Q) && !step->nq)
        return nci_usage(err, "%s: which ones? `%s %s q=0.1,0.9`",
                         step->verb->name, step->verb->name, step->dims);
    return NCG_OK;
}

static ncg_status check_anom(const nci_step *step, ncg_error *err)
{
    if (*step->dims && strcmp(step->dims, "time"))
        return nci_usage(err, "anom works along time, not along '%s'",
                         step->dims);
    return NCG_OK;
}

static ncg_status check_select(const nci_step *step, ncg_error *err)
{
    const nci_verb *verb = step->verb;
    bool any = false;
    for (size_t i = 0; i < step->nwords; i++) {
        const char *word = step->words[i];
        const char *equals = strchr(word, '=');
        if (!equals && verb->kind == NCI_VERB_SEL && !strcmp(word, "nearest"))
            continue;
        if (!equals || equals == word || !equals[1])
            return nci_usage(
                err, "%s takes words such as %s, not '%s'", verb->name,
                verb->kind == NCI_VERB_SEL ? "lat=30..60" : "time=0:12", word);
        any = true;
    }
    if (!any)
        return nci_usage(err, "%s needs something to select: %s", verb->name,
                         verb->usage);
    return NCG_OK;
}

static ncg_status parse_step(char **words, size_t n, nci_step *step,
                             ncg_error *err)
{
    ncg_status st = collect_words(words, n, step, err);
    if (st)
        return st;
    switch (step->verb->kind) {
    case NCI_VERB_REDUCE:
    case NCI_VERB_QUANTILE:
        st = parse_reduce(step, err);
        return st ? st : check_reduce(step, err);
    case NCI_VERB_ANOM:
        st = parse_reduce(step, err);
        return st ? st : check_anom(step, err);
    default:
        return check_select(step, err);
    }
}

static size_t find_colon(const nci_words *words, size_t from)
{
    while (from < words->n && strcmp(words->items[from], ":"))
        from++;
    return from;
}

ncg_status nci_pipeline_parse(const nci_words *words, size_t first,
                              nci_pipeline *out, ncg_error *err)
{
    size_t at = find_colon(words, first), colons = 0;
    memset(out, 0, sizeof *out);
    out->inputs = words->items + first;
    out->ninputs = at - first;
    for (size_t i = at; i < words->n; i++)
        colons += !strcmp(words->items[i], ":");
    out->steps = nci_xalloc(colons, sizeof *out->steps);
    while (at < words->n) {
        size_t begin = at + 1;
        at = find_colon(words, begin);
        if (at == begin)
            return nci_usage(err, "no verb after ':'; `ncgraph verbs` lists "
                                  "them");
        ncg_status st = parse_step(words->items + begin, at - begin,
                                   &out->steps[out->nsteps++], err);
        if (st)
            return st;
    }
    return NCG_OK;
}

void nci_pipeline_fini(nci_pipeline *p)
{
    for (size_t i = 0; i < p->nsteps; i++) {
        for (size_t j = 0; j < p->steps[i].nwords; j++)
            free(p->steps[i].words[j]);
        free(p->steps[i].words);
        free(p->steps[i].dims);
        free(p->steps[i].q);
    }
    free(p->steps);
    memset(p, 0, sizeof *p);
}

char *nci_pipeline_text(const nci_pipeline *p)
{
    char *text = nci_xstrdup("");
    for (size_t i = 0; i < p->nsteps; i++) {
        char *longer =
            nci_xformat("%s%s: %s", text, i ? " " : "", p->steps[i].verb->name);
        free(text);
        text = longer;
        for (size_t j = 0; j < p->steps[i].nwords; j++) {
            longer = nci_xformat("%s %s", text, p->steps[i].words[j]);
            free(text);
            text = longer;
        }
    }
    return text;
}

const char *nci_step_weights(const nci_step *step)
{
    const char *w = step->reduce.weights;
    bool is_rule =
        w && (!strcmp(w, "area") || !strcmp(w, "coslat") || !strcmp(w, "days"));
    return is_rule ? NULL : w;
}

/* Weights are not reduced themselves: those along a dimension that an earlier
 * step reduced are no longer there. */
static ncg_status check_weights(const nci_step *step, const ncg_dataset *first,
                                const ncg_dataset *now, ncg_error *err)
{
    const char *weights = nci_step_weights(step);
    if (!weights || ncg_dataset_find(now, weights) >= 0 ||
        ncg_dataset_find(first, weights) < 0)
        return NCG_OK;
    return nci_usage(err,
                     "%s: weights=%s: an earlier step took away a dimension of "
                     "%s; give the weights there, or reduce both dimensions in "
                     "one step",
                     step->verb->name, weights, weights);
}

static ncg_status apply_step(const nci_step *step, const nci_options *options,
                             ncg_dataset *in, ncg_dataset **out, ncg_error *err)
{
    const char *const *words = (const char *const *)step->words;
    ncg_reduce_options reduce = step->reduce;
    switch (step->verb->kind) {
    case NCI_VERB_SEL:
        return ncg_dataset_sel(in, words, step->nwords, out, err);
    case NCI_VERB_ISEL:
        return ncg_dataset_isel(in, words, step->nwords, out, err);
    case NCI_VERB_ANOM:
        return ncg_dataset_anomaly(in, reduce.by, out, err);
    case NCI_VERB_QUANTILE:
        reduce.keepdims = options->keepdims;
        reduce.stamp = options->stamp;
        return ncg_dataset_quantile(in, step->q, step->nq, step->method,
                                    &reduce, out, err);
    default:
        reduce.keepdims = options->keepdims;
        reduce.stamp = options->stamp;
        return ncg_dataset_reduce(in, &reduce, out, err);
    }
}

ncg_status nci_pipeline_apply(const nci_pipeline *p, const nci_options *options,
                              ncg_dataset *in, ncg_dataset **out,
                              ncg_error *err)
{
    ncg_dataset *now = ncg_dataset_retain(in);
    for (size_t i = 0; i < p->nsteps; i++) {
        ncg_dataset *next = NULL;
        ncg_status st = check_weights(&p->steps[i], in, now, err);
        if (!st)
            st = apply_step(&p->steps[i], options, now, &next, err);
        ncg_dataset_release(&now);
        if (st)
            return st;
        now = next;
    }
    *out = now;
    return NCG_OK;
}
