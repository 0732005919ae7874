/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Renaming variables and dimensions, all at once, so that two can change
 * names. Attributes that name variables (refs.h) or dimensions follow, and so
 * do the names in cell_methods.
 */
#include <string.h>

#include "base/mem.h"
#include "dataset/combine.h"
#include "dataset/refs.h"

typedef struct renaming {
    const nci_model *before;
    const char *const *from, *const *to;
    size_t n;
    const char *variable; /* whose attributes are rewritten */
    bool dims;            /* words are dimensions */
} renaming;

static const char *find_new(const renaming *r, const char *old)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->from[i], old))
            return r->to[i];
    return NULL;
}

/* ---- what is renamed ----------------------------------------------------- */

static ncg_status fail_unknown(const nci_model *model, const char *name,
                               ncg_error *err)
{
    size_t n = 0;
    const char **names =
        nci_alloc((model->nvars + model->ndims + 1) * sizeof *names);
    for (size_t i = 0; names && i < model->nvars; i++)
        names[n++] = model->vars[i].name;
    for (size_t i = 0; names && i < model->ndims; i++)
        names[n++] = model->dims[i].name;
    const char *near = names ? nci_suggest(name, names, n) : NULL;
    nci_free(names);
    return nci_fail(
        err, NCG_EINVAL, "no variable or dimension \"%.200s\"%s%s%s", name,
        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static ncg_status check_one(const renaming *r, size_t i, ncg_error *err)
{
    const nci_model *model = r->before;
    const char *from = r->from[i], *to = r->to[i];
    bool var = nci_model_find_var(model, from) >= 0;
    bool dim = nci_model_find_dim(model, from) >= 0;
    if (!var && !dim)
        return fail_unknown(model, from, err);
    NCI_TRY(nci_name_check(var ? "variable" : "dimension", to, err));
    for (size_t k = 0; k < i; k++)
        if (!strcmp(r->from[k], from) || !strcmp(r->to[k], to))
            return nci_fail(err, NCG_EINVAL, "\"%s\" is named twice",
                            strcmp(r->to[k], to) ? from : to);
    bool taken = (var && nci_model_find_var(model, to) >= 0) ||
                 (dim && nci_model_find_dim(model, to) >= 0);
    if (taken && !find_new(r, to))
        return nci_fail(err, NCG_EINVAL,
                        "%s cannot become %s, which is there already; rename "
                        "or drop that first",
                        from, to);
    return NCG_OK;
}

static ncg_status put_name(char **slot, const char *name, ncg_error *err)
{
    char *copy = nci_strdup(name);
    if (!copy)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_free(*slot);
    *slot = copy;
    return NCG_OK;
}

/* ---- attributes ---------------------------------------------------------- */

static int find_in_model(const void *where, const char *name)
{
    return nci_model_find_var(where, name);
}

static const char *map_word(void *payload, const char *word)
{
    const renaming *r = payload;
    if (r->dims)
        return nci_model_find_dim(r->before, word) >= 0 ? find_new(r, word)
                                                        : NULL;
    int var = nci_refs_find(r->variable, word, find_in_model, r->before);
    return var < 0 ? NULL : find_new(r, r->before->vars[var].name);
}

/* cell_methods: "lat: lon: mean (interval: 1 day)": names have colons, outside
 * of parentheses. */
static bool rewrite_methods(const renaming *r, nci_attrs *attrs)
{
    const char *old = nci_attrs_text(attrs, "cell_methods");
    nci_text text = {0};
    int depth = 0;
    for (const char *at = old; at && *at;) {
        size_t n = strcspn(at, " \t\n()");
        if (!n) {
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
            nci_text_add(&text, "%c", *at++);
            continue;
        }
        const char *fresh = NULL;
        if (depth == 0 && at[n - 1] == ':') {
            char *word = nci_strndup(at, n - 1);
            text.failed = text.failed || !word;
            fresh = word ? find_new(r, word) : NULL;
            nci_free(word);
        }
        if (fresh)
            nci_text_add(&text, "%s:", fresh);
        else
            nci_text_add_bytes(&text, at, n);
        at += n;
    }
    if (!old)
        return true;
    char *methods = nci_text_take(&text);
    bool ok = methods && nci_attrs_put_like(attrs, "cell_methods", methods);
    nci_free(methods);
    return ok;
}

/* Attributes that name dimensions. */
static bool rewrite_dims(renaming *r, nci_attrs *attrs)
{
    static const char *const names[] = {
        "compress",       "sample_dimension", "instance_dimension",
        "node_dimension", "edge_dimension",   "face_dimension"};
    bool ok = true;
    r->dims = true;
    for (size_t i = 0; ok && i < sizeof names / sizeof names[0]; i++)
        ok = nci_refs_rewrite_one(attrs, names[i], map_word, r);
    r->dims = false;
    return ok;
}

static bool rewrite(renaming *r, const char *variable, nci_attrs *attrs)
{
    r->variable = variable;
    return nci_refs_rewrite(attrs, map_word, r) && rewrite_dims(r, attrs) &&
           rewrite_methods(r, attrs);
}

/* ---- the whole ----------------------------------------------------------- */

static ncg_status apply(renaming *r, nci_model *model, ncg_error *err)
{
    for (size_t v = 0; v < model->nvars; v++) {
        const char *old = r->before->vars[v].name;
        const char *fresh = find_new(r, old);
        if (!rewrite(r, old, &model->vars[v].attrs))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        if (fresh)
            NCI_TRY(put_name(&model->vars[v].name, fresh, err));
    }
    for (size_t d = 0; d < model->ndims; d++) {
        const char *fresh = find_new(r, r->before->dims[d].name);
        if (fresh)
            NCI_TRY(put_name(&model->dims[d].name, fresh, err));
    }
    if (!rewrite(r, "", &model->attrs))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_model_find_kinds(model, err);
}

ncg_status nci_model_rename(const nci_model *model, const char *const *from,
                            const char *const *to, size_t n, nci_model **out,
                            ncg_error *err)
{
    renaming r = {.before = model, .from = from, .to = to, .n = n};
    nci_model *fresh = NULL;
    for (size_t i = 0; i < n; i++)
        if (!from[i] || !to[i])
            return nci_fail(err, NCG_EINVAL, "a name is NULL");
    for (size_t i = 0; i < n; i++)
        NCI_TRY(check_one(&r, i, err));
    NCI_TRY(nci_model_copy(model, &fresh, err));
    ncg_status st = apply(&r, fresh, err);
    if (st) {
        nci_model_release(&fresh);
        return st;
    }
    nci_model_find_roles(fresh);
    *out = fresh;
    return NCG_OK;
}
