/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The attribute cell_methods (CF 7.3 and 7.4): what was done is appended, as
 * "time: mean", "lat: lon: mean" or "area: mean (area-weighted)". For a
 * climatology the method that the file already names for time becomes the one
 * within years or days.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

#define METHOD(name, value, verb, method) [value] = method,
static const char *const methods[] = {NCG_OP_MAP(METHOD)};

/* NULL: CF has no word for it. */
static const char *method_of(const nci_reducing *r)
{
    return r->quantile ? nci_quantile_method_name(r->quantile)
                       : methods[r->options->op];
}

static bool is_horizontal(nci_role role)
{
    return role == NCI_ROLE_LAT || role == NCI_ROLE_LON || role == NCI_ROLE_X ||
           role == NCI_ROLE_Y;
}

/* "area" stands for all horizontal dimensions of a variable. */
static bool is_whole_area(const nci_reducing *r, const nci_variable *var,
                          const nci_weights *weights)
{
    int reduced = 0;
    if (!weights || !weights->is_area)
        return false;
    for (int a = 0; a < var->rank; a++) {
        if (!is_horizontal(r->in->dims[var->dims[a]].role))
            continue;
        if (!r->mask[var->dims[a]])
            return false;
        reduced++;
    }
    return reduced >= 2;
}

/* A dimension of a group is known to its variables by the last word. */
static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The names in front of a method: those of the reduced dimensions, without
 * `except`. */
static void add_names(const nci_reducing *r, const nci_variable *var,
                      const nci_weights *weights, int except, nci_text *text)
{
    bool area = is_whole_area(r, var, weights), written = false;
    for (int a = 0; a < var->rank; a++) {
        const nci_dimension *dim = &r->in->dims[var->dims[a]];
        if (!r->mask[var->dims[a]] || var->dims[a] == except)
            continue;
        if (!area || !is_horizontal(dim->role))
            nci_text_add(text, "%s: ", short_name(dim->name));
        else if (!written)
            nci_text_add(text, "area: ");
        written = written || is_horizontal(dim->role);
    }
}

/* ---- the last entry of an existing text -----------------------------------
 */

/* "time: maximum (interval: 1 hour)" cut into where it begins, the method and
 * the comment. */
typedef struct last_entry {
    size_t begin; /* offset of its first name */
    char method[64];
    char comment[128]; /* with brackets; empty where there is none */
    bool is_plain;     /* one name, no within, over or where */
} last_entry;

static size_t word_length(const char *at)
{
    if (*at != '(')
        return strcspn(at, " \t\n");
    size_t n = strcspn(at, ")");
    return n + (at[n] == ')');
}

static void copy_word(char *to, size_t size, const char *word, size_t n)
{
    n = n < size - 1 ? n : size - 1;
    memcpy(to, word, n);
    to[n] = '\0';
}

static void find_last_entry(const char *text, const char *name, last_entry *out)
{
    bool after_name = false;
    int names = 0, words = 0;
    bool named = false;
    *out = (last_entry){0};
    for (const char *at = text; *(at += strspn(at, " \t\n"));) {
        size_t n = word_length(at);
        bool is_name = n > 1 && at[n - 1] == ':';
        if (is_name && !after_name) {
            *out = (last_entry){.begin = (size_t)(at - text)};
            names = words = 0;
            named = false;
        }
        if (is_name) {
            names++;
            named =
                named || (strlen(name) == n - 1 && !memcmp(at, name, n - 1));
        } else if (*at == '(') {
            copy_word(out->comment, sizeof out->comment, at, n);
        } else if (words++ == 0) {
            copy_word(out->method, sizeof out->method, at, n);
        }
        after_name = is_name;
        at += n;
    }
    out->is_plain = names == 1 && named && words == 1;
}

/* ---- climatologies ---------------------------------------------------------
 */

/* One statistic of all members together is not one of yearly ones. */
static bool is_nested(const nci_reducing *r)
{
    ncg_op op = r->options->op;
    return !r->quantile && op != NCG_OP_STD && op != NCG_OP_VAR && op != NCG_OP_RANGE;
}

static void add_climatology(const nci_reducing *r, const char *name,
                            const char *old, nci_text *text)
{
    last_entry last;
    const char *method = method_of(r), *inner = method;
    const char *cycle = r->groups.by == NCI_BY_HOUR ? "days" : "years";
    find_last_entry(old, name, &last);
    bool absorbed = last.is_plain;
    size_t kept = absorbed ? last.begin : strlen(old);
    while (kept && strchr(" \t\n", old[kept - 1]))
        kept--;
    nci_text_add_bytes(text, old, kept);
    if (kept)
        nci_text_add(text, " ");
    bool chain = absorbed && strcmp(last.method, "point") != 0;
    if (chain)
        inner = last.method;
    const char *space = chain && last.comment[0] ? " " : "";
    const char *comment = chain ? last.comment : "";
    if (chain && r->is_daily &&
        (r->groups.by == NCI_BY_MONTH || r->groups.by == NCI_BY_SEASON))
        nci_text_add(text,
                     "%s: %s within days%s%s %s: %s over days %s: %s "
                     "over years",
                     name, inner, space, comment, name, method, name, method);
    else
        nci_text_add(text, "%s: %s within %s%s%s %s: %s over %s", name, inner,
                     cycle, space, comment, name, method, cycle);
    if (!is_nested(r) && !chain)
        nci_text_add(text, " (comment: of all steps together)");
}

char *nci_cf_methods(const nci_reducing *r, const nci_variable *from,
                     const nci_weights *weights)
{
    nci_text text = {0}, names = {0};
    const char *old = nci_attrs_text(&from->attrs, "cell_methods");
    int label = r->label_dim;
    bool climatology = label >= 0 && nci_variable_axis(from, label) >= 0 &&
                       nci_by_is_climatology(r->groups.by);
    if (climatology)
        add_climatology(r, short_name(r->in->dims[label].name), old ? old : "",
                        &text);
    else
        nci_text_add(&text, "%s", old ? old : "");
    add_names(r, from, weights, climatology ? label : -1, &names);
    if (names.length)
        nci_text_add(&text, "%s%s%s", text.length ? " " : "", names.data,
                     method_of(r));
    if (weights && (names.length || climatology))
        nci_text_add(&text, " (%s)", weights->method);
    text.failed = text.failed || names.failed;
    nci_text_fini(&names);
    return nci_text_take(&text);
}
