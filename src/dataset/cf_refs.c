/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes that name other variables: coordinates, cell_measures,
 * ancillary_variables, formula_terms, bounds, grid_mapping. After an operation
 * they name only what is still there; names that never were in the data set
 * (external variables) stay as long as they can still fit.
 */
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"
#include "dataset/refs.h"

/* What a word in the attributes of a variable is checked against. */
typedef struct view {
    const nci_model *before, *now;
    const char *from; /* the variable, whose group words are relative to */
} view;

static int find_in_model(const void *where, const char *name)
{
    return nci_model_find_var(where, name);
}

static int find_before(const view *v, const char *word)
{
    return nci_refs_find(v->from, word, find_in_model, v->before);
}

/* A reference is gone when the variable was there before and is not now. */
static bool is_gone(const view *v, const char *word)
{
    int old = find_before(v, word);
    return old >= 0 &&
           nci_model_find_var(v->now, v->before->vars[old].name) < 0;
}

static bool put_or_remove(nci_attrs *attrs, const char *name, nci_text *text)
{
    char *value = nci_text_take(text);
    bool ok = value != NULL;
    if (ok && *value)
        ok = nci_attrs_put_like(attrs, name, value);
    else
        nci_attrs_remove(attrs, name);
    nci_free(value);
    return ok;
}

/* Lists of names: those that are gone are left out. */
static bool clean_list(const view *v, nci_attrs *attrs, const char *name)
{
    const char *old = nci_attrs_text(attrs, name);
    nci_strings words = {0};
    nci_text text = {0};
    size_t gone = 0;
    if (!old)
        return true;
    bool ok = nci_strings_split(&words, old, " \t\n");
    for (size_t i = 0; ok && i < words.count; i++) {
        if (is_gone(v, words.items[i]))
            gone++;
        else
            nci_text_add(&text, "%s%s", text.length ? " " : "", words.items[i]);
    }
    nci_strings_fini(&words);
    if (ok && gone)
        return put_or_remove(attrs, name, &text);
    nci_text_fini(&text);
    return ok;
}

static bool is_horizontal(nci_role role)
{
    return role == NCI_ROLE_LAT || role == NCI_ROLE_LON || role == NCI_ROLE_X ||
           role == NCI_ROLE_Y;
}

/* Whether a variable lost a dimension along which cells are measured. */
static bool lost_cells(const view *v, const nci_variable *var, bool volume)
{
    int at = nci_model_find_var(v->before, var->name);
    const nci_variable *old = at < 0 ? NULL : &v->before->vars[at];
    for (int a = 0; old && a < old->rank; a++) {
        const nci_dimension *dim = &v->before->dims[old->dims[a]];
        if (!is_horizontal(dim->role) && !(volume && dim->role == NCI_ROLE_LEV))
            continue;
        int now = nci_model_find_dim(v->now, dim->name);
        if (now < 0 || nci_variable_axis(var, now) < 0)
            return true;
    }
    return false;
}

/* cell_measures: pairs of "area:" and a name. */
static bool clean_measures(const view *v, nci_variable *var)
{
    const char *old = nci_attrs_text(&var->attrs, "cell_measures");
    nci_strings words = {0};
    nci_text text = {0};
    if (!old)
        return true;
    bool ok = nci_strings_split(&words, old, " \t\n");
    for (size_t i = 0; ok && i + 1 < words.count; i += 2) {
        const char *name = words.items[i + 1];
        bool volume = !strcmp(words.items[i], "volume:");
        bool external = find_before(v, name) < 0;
        if (external ? !lost_cells(v, var, volume) : !is_gone(v, name))
            nci_text_add(&text, "%s%s %s", text.length ? " " : "",
                         words.items[i], name);
    }
    nci_strings_fini(&words);
    if (ok && (!text.data || strcmp(text.data, old) != 0))
        return put_or_remove(&var->attrs, "cell_measures", &text);
    nci_text_fini(&text);
    return ok;
}

/* One name, or pairs of which every one is needed: all or nothing. */
static bool clean_whole(const view *v, nci_attrs *attrs, const char *name)
{
    const char *old = nci_attrs_text(attrs, name);
    nci_strings words = {0};
    bool gone = false;
    if (!old)
        return true;
    bool ok = nci_strings_split(&words, old, " :\t\n");
    for (size_t i = 0; ok && i < words.count; i++)
        gone = gone || is_gone(v, words.items[i]);
    nci_strings_fini(&words);
    if (gone)
        nci_attrs_remove(attrs, name);
    return ok;
}

static bool clean(const view *v, nci_variable *var)
{
    static const char *const whole[] = {"bounds", "climatology", "grid_mapping",
                                        "formula_terms", "mesh"};
    for (int i = 0; i < 5; i++)
        if (!clean_whole(v, &var->attrs, whole[i]))
            return false;
    if (!nci_attrs_find(&var->attrs, "mesh"))
        nci_attrs_remove(&var->attrs, "location");
    return clean_list(v, &var->attrs, "coordinates") &&
           clean_list(v, &var->attrs, "ancillary_variables") &&
           clean_measures(v, var);
}

/* Within a group variables name each other without the path. */
static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool lists_word(const char *list, const char *word)
{
    nci_strings words = {0};
    bool found = list && nci_strings_split(&words, list, " \t\n") &&
                 nci_strings_has(&words, word);
    nci_strings_fini(&words);
    return found;
}

static bool add_coordinate(nci_variable *var, const char *name)
{
    const char *old = nci_attrs_text(&var->attrs, "coordinates");
    nci_text text = {0};
    if (lists_word(old, name))
        return true;
    nci_text_add(&text, "%s%s%s", old ? old : "", old && *old ? " " : "", name);
    return put_or_remove(&var->attrs, "coordinates", &text);
}

/* Scalar coordinates that stand for the dropped dimensions of `var`. */
static bool add_scalars(const nci_model *before, const bool *dropped,
                        const nci_model *model, nci_variable *var)
{
    int at = nci_model_find_var(before, var->name);
    if (at < 0 || var->kind == NCI_KIND_BOUNDS || var->kind == NCI_KIND_COORD)
        return true;
    for (size_t i = 0; i < before->nvars; i++) {
        const nci_variable *coord = &before->vars[i];
        if (coord->rank != 1 || !dropped[coord->dims[0]] ||
            nci_variable_axis(&before->vars[at], coord->dims[0]) < 0)
            continue;
        int now = nci_model_find_var(model, coord->name);
        bool is_coord = coord->kind == NCI_KIND_COORD ||
                        !strcmp(coord->name, before->dims[coord->dims[0]].name);
        if (is_coord && now >= 0 && model->vars[now].rank == 0 &&
            !add_coordinate(var, short_name(coord->name)))
            return false;
    }
    return true;
}

/* A mesh without one of its connectivities describes nothing. */
static bool is_broken_mesh(const nci_model *before, const nci_model *model,
                           const nci_variable *var)
{
    static const char suffix[] = "_connectivity";
    const char *role = nci_attrs_text(&var->attrs, "cf_role");
    const view v = {before, model, var->name};
    if (!role || strcmp(role, "mesh_topology") != 0)
        return false;
    for (size_t i = 0; i < var->attrs.count; i++) {
        const char *name = var->attrs.items[i].name;
        size_t n = strlen(name), m = sizeof suffix - 1;
        const char *word = nci_attrs_text(&var->attrs, name);
        if (n > m && !strcmp(name + n - m, suffix) && word && is_gone(&v, word))
            return true;
    }
    return false;
}

static void remove_meshes(const nci_model *before, nci_model *model)
{
    for (size_t i = model->nvars; i-- > 0;)
        if (is_broken_mesh(before, model, &model->vars[i]))
            nci_model_remove_var(model, i);
}

ncg_status nci_cf_references(const nci_model *before, const bool *dropped,
                             nci_model *model, ncg_error *err)
{
    bool ok = true;
    remove_meshes(before, model);
    for (size_t i = 0; i < model->nvars && ok; i++) {
        view v = {before, model, model->vars[i].name};
        ok = clean(&v, &model->vars[i]);
        if (ok && dropped)
            ok = add_scalars(before, dropped, model, &model->vars[i]);
    }
    return ok ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}
