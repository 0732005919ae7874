/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isel (positions, half-open slices as in Python) and sel (coordinate values):
 * "dim=what" strings become positions, positions become picks. A single
 * position takes the dimension away, except time, which stays with size 1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/ops.h"

bool nci_positions_add(nci_positions *list, int64_t position)
{
    if (!nci_grow(&list->items, &list->capacity, list->count + 1,
                  sizeof *list->items))
        return false;
    list->items[list->count++] = position;
    return true;
}

void nci_positions_fini(nci_positions *list)
{
    nci_free(list->items);
    *list = (nci_positions){0};
}

/* Picks under construction, one a dimension. */
typedef struct selection {
    const nci_model *model;
    nci_pick *picks;
    const nci_pick **given; /* NULL: the whole dimension */
    bool *drop;
} selection;

static void selection_fini(selection *s)
{
    for (size_t d = 0; s->picks && d < s->model->ndims; d++)
        nci_free((void *)s->picks[d].index);
    nci_free(s->picks);
    nci_free(s->given);
    nci_free(s->drop);
}

static ncg_status selection_init(selection *s, const nci_model *model,
                                 ncg_error *err)
{
    size_t n = model->ndims + 1;
    *s = (selection){.model = model,
                     .picks = nci_calloc(n, sizeof *s->picks),
                     .given = nci_calloc(n, sizeof *s->given),
                     .drop = nci_calloc(n, sizeof *s->drop)};
    if (s->picks && s->given && s->drop)
        return NCG_OK;
    selection_fini(s);
    return nci_fail(err, NCG_ENOMEM, "out of memory");
}

static ncg_status selection_claim(selection *s, int dim, const char *word,
                                  ncg_error *err)
{
    if (s->given[dim])
        return nci_fail(err, NCG_EINVAL, "%s is selected twice", word);
    s->given[dim] = &s->picks[dim];
    return NCG_OK;
}

/* A time keeps its dimension, as results of a reduction do. */
static void selection_single(selection *s, int dim)
{
    s->drop[dim] = s->model->dims[dim].role != NCI_ROLE_TIME;
}

/* Even steps make a cheap pick; anything else is a list, taken over. */
static void selection_list(selection *s, int dim, nci_positions *list_take)
{
    nci_pick *pick = &s->picks[dim];
    const int64_t *items = list_take->items;
    size_t n = list_take->count;
    int64_t step = n > 1 ? items[1] - items[0] : 1;
    bool even = step != 0;
    for (size_t i = 2; i < n && even; i++)
        even = items[i] - items[i - 1] == step;
    *pick = (nci_pick){.count = (int64_t)n, .start = items[0], .step = step};
    if (!even) {
        pick->index = items;
        list_take->items = NULL;
    }
    nci_positions_fini(list_take);
}

/* ---- isel -----------------------------------------------------------------
 */

/* parse_position reads an integer that fills text[0..n). */
static bool parse_position(const char *text, size_t n, int64_t *out)
{
    char digits[24], *end;
    while (n && text[0] == ' ')
        text++, n--;
    while (n && text[n - 1] == ' ')
        n--;
    if (!n || n >= sizeof digits)
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    errno = 0;
    *out = strtoll(digits, &end, 10);
    return !*end && !errno;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Python's slice.indices: ends beyond the array are cut off. */
static int64_t slice_end(int64_t value, int64_t size, int64_t step)
{
    if (value < 0)
        value += size;
    return step > 0 ? clamp(value, 0, size) : clamp(value, -1, size - 1);
}

static ncg_status fail_position(const char *word, const char *value,
                                ncg_error *err)
{
    return nci_fail(err, NCG_EINVAL,
                    "%s=%s is no position: write an integer, a list (0,2,5) "
                    "or start:stop:step",
                    word, value);
}

static ncg_status parse_slice(const char *word, const char *value, int64_t size,
                              nci_pick *pick, ncg_error *err)
{
    int64_t part[3];
    bool given[3] = {false};
    const char *at = value;
    for (int i = 0; i < 3 && at; i++) {
        size_t n = strcspn(at, ":");
        given[i] = n > 0;
        if (n && !parse_position(at, n, &part[i]))
            return fail_position(word, value, err);
        at = at[n] ? at + n + 1 : NULL;
    }
    int64_t step = given[2] ? part[2] : 1;
    if (at || step == 0 || step == INT64_MIN)
        return fail_position(word, value, err);
    int64_t start = step > 0 ? 0 : size - 1, stop = step > 0 ? size : -1;
    if (given[0])
        start = slice_end(part[0], size, step);
    if (given[1])
        stop = slice_end(part[1], size, step);
    int64_t span = step > 0 ? stop - start : start - stop;
    int64_t stride = step > 0 ? step : -step;
    int64_t count = span > 0 ? (span - 1) / stride + 1 : 0;
    if (count == 0)
        return nci_fail(err, NCG_EINVAL,
                        "%s=%s selects nothing of %lld positions", word, value,
                        (long long)size);
    *pick = (nci_pick){.count = count, .start = start, .step = step};
    return NCG_OK;
}

static ncg_status parse_list(const char *word, const char *value, int64_t size,
                             nci_positions *list, ncg_error *err)
{
    for (const char *at = value; at;) {
        size_t n = strcspn(at, ",");
        int64_t position;
        if (!parse_position(at, n, &position))
            return fail_position(word, value, err);
        if (position < -size || position >= size)
            return nci_fail(err, NCG_EINVAL,
                            "%s=%lld is outside: there are positions 0 to "
                            "%lld (or -%lld to -1)",
                            word, (long long)position, (long long)size - 1,
                            (long long)size);
        if (!nci_positions_add(list, position < 0 ? position + size : position))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        at = at[n] ? at + n + 1 : NULL;
    }
    return NCG_OK;
}

static ncg_status isel_one(selection *s, const char *word, const char *value,
                           ncg_error *err)
{
    int dim;
    NCI_TRY(nci_model_resolve_dim(s->model, word, &dim, NULL, err));
    NCI_TRY(selection_claim(s, dim, word, err));
    int64_t size = s->model->dims[dim].size;
    if (strchr(value, ':'))
        return parse_slice(word, value, size, &s->picks[dim], err);
    nci_positions list = {0};
    ncg_status st = parse_list(word, value, size, &list, err);
    if (!st) {
        if (list.count == 1 && !strchr(value, ','))
            selection_single(s, dim);
        selection_list(s, dim, &list);
    }
    nci_positions_fini(&list);
    return st;
}

/* split_item cuts "time=0:12"; the word is owned by the caller. */
static ncg_status split_item(const char *item, char **word, const char **value,
                             ncg_error *err)
{
    const char *equals = strchr(item, '=');
    if (!equals || equals == item || !equals[1])
        return nci_fail(err, NCG_EINVAL, "\"%s\": write dimension=selection",
                        item);
    *word = nci_strndup(item, (size_t)(equals - item));
    *value = equals + 1;
    return *word ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

ncg_status nci_model_isel(const nci_model *model, const char *const *what,
                          size_t nwhat, nci_model **out, ncg_error *err)
{
    selection s;
    NCI_TRY(selection_init(&s, model, err));
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < nwhat; i++) {
        char *word = NULL;
        const char *value = NULL;
        st = split_item(what[i], &word, &value, err);
        if (!st)
            st = isel_one(&s, word, value, err);
        nci_free(word);
    }
    if (!st)
        st = nci_model_pick(model, s.given, s.drop, out, err);
    selection_fini(&s);
    return st;
}

/* ---- sel of variables ------------------------------------------------------
 */

static ncg_status fail_variable(const nci_model *model, const char *word,
                                ncg_error *err)
{
    nci_strings data = {0};
    nci_text list = {0};
    for (size_t i = 0; i < model->nvars; i++) {
        if (model->vars[i].kind != NCI_KIND_DATA ||
            !nci_strings_add(&data, model->vars[i].name))
            continue;
        nci_text_add(&list, "%s%s", list.length ? ", " : "",
                     model->vars[i].name);
    }
    const char *near =
        nci_suggest(word, (const char *const *)(void *)data.items, data.count);
    ncg_status st =
        nci_fail(err, NCG_EINVAL, "no variable \"%s\"%s%s%s; there are: %s",
                 word, near ? " (did you mean \"" : "", near ? near : "",
                 near ? "\"?)" : "", list.data ? list.data : "none");
    nci_text_fini(&list);
    nci_strings_fini(&data);
    return st;
}

/* A cell measure or mask that is asked for by name is data from then on. */
static void make_data(nci_model *model, const nci_strings *wanted)
{
    for (size_t i = 0; i < model->nvars; i++) {
        nci_variable *var = &model->vars[i];
        if (!nci_strings_has(wanted, var->name))
            continue;
        var->is_asked = true;
        if (var->kind == NCI_KIND_OTHER && nci_variable_is_numeric(var))
            var->kind = NCI_KIND_DATA;
    }
}

/* Variables that describe stay when all their dimensions do. */
static bool is_described(const nci_model *model, const nci_variable *var,
                         const bool *used)
{
    if (var->kind == NCI_KIND_DATA)
        return false;
    for (int a = 0; a < var->rank; a++) {
        bool of_data = nci_model_is_data_dim(model, var->dims[a]);
        if (of_data && !used[var->dims[a]])
            return false;
    }
    return true;
}

static ncg_status select_variables(const nci_model *model, const char *value,
                                   nci_model **out, ncg_error *err)
{
    nci_strings wanted = {0};
    nci_model *fresh = NULL;
    ncg_status st = NCG_OK;
    bool *used = nci_calloc(model->ndims + 1, sizeof *used);
    if (!used || !nci_strings_split(&wanted, value, ", "))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < wanted.count; i++) {
        int var = nci_model_find_var(model, wanted.items[i]);
        if (var < 0)
            st = fail_variable(model, wanted.items[i], err);
        for (int a = 0; !st && a < model->vars[var].rank; a++)
            used[model->vars[var].dims[a]] = true;
    }
    if (!st)
        st = nci_model_copy(model, &fresh, err);
    for (size_t i = model->nvars; !st && i-- > 0;)
        if (!nci_strings_has(&wanted, model->vars[i].name) &&
            !is_described(model, &model->vars[i], used))
            nci_model_remove_var(fresh, i);
    if (!st)
        st = nci_cf_references(model, NULL, fresh, err);
    if (!st) {
        make_data(fresh, &wanted);
        nci_model_prune(fresh);
        *out = fresh;
        fresh = NULL;
    }
    nci_model_release(&fresh);
    nci_strings_fini(&wanted);
    nci_free(used);
    return st;
}

/* ---- sel ------------------------------------------------------------------
 */

/* Longitudes are given back as they were asked for: -10..40 on a grid of
 * 0..360 must not leave a coordinate that jumps. `instead` (or NULL) are values
 * to shift in place of those that are there: bounds around their points. */
static ncg_status shift_coordinate(nci_model *model, int var,
                                   const double *instead, const double *delta,
                                   ncg_error *err)
{
    nci_variable *coord = &model->vars[var];
    double *values = NULL;
    int64_t n = 0;
    NCI_TRY(nci_variable_values(coord, &values, &n, err));
    nci_node *node = coord->array, *shifted = NULL;
    int64_t each = node->rank && node->shape[0] ? n / node->shape[0] : 1;
    for (int64_t i = 0; i < n; i++)
        values[i] = (instead ? instead[i] : values[i]) + delta[i / each];
    ncg_status st = nci_array_f64(node->dtype, node->rank, node->shape, values,
                                  &shifted, err);
    nci_free(values);
    if (st)
        return st;
    nci_node_release(&coord->array);
    coord->array = shifted;
    return NCG_OK;
}

static ncg_status shift_longitudes(const nci_model *before, nci_model *model,
                                   int coord, double *shifted, ncg_error *err)
{
    int var = nci_model_find_var(model, before->vars[coord].name);
    double *values = NULL;
    int64_t n = 0;
    NCI_TRY(nci_variable_values(&model->vars[var], &values, &n, err));
    for (int64_t i = 0; i < n; i++)
        shifted[i] -= values[i];
    nci_free(values);
    int bounds = nci_model_bounds(model, var);
    double *pairs = NULL;
    NCI_TRY(nci_bounds_values(model, var, &pairs, err));
    ncg_status st = shift_coordinate(model, var, NULL, shifted, err);
    if (!st && bounds >= 0 &&
        model->vars[bounds].array->kind == NCI_NODE_CONST)
        st = shift_coordinate(model, bounds, pairs, shifted, err);
    nci_free(pairs);
    return st;
}

static ncg_status choose(const nci_model *model, int dim, int coord,
                         nci_choice *choice, ncg_error *err)
{
    if (coord < 0)
        return nci_fail(err, NCG_EINVAL,
                        "%s has no coordinate to select by; use isel %s=...",
                        choice->name, choice->name);
    const nci_variable *var = &model->vars[coord];
    if (!var->array || var->array->kind != NCI_NODE_CONST)
        return nci_fail(err, NCG_EINVAL,
                        "%s: its values are not numbers along one dimension; "
                        "use isel %s=...",
                        choice->name, choice->name);
    if (nci_variable_is_dates(var))
        return nci_choose_times(var, choice, err);
    return nci_choose_values(var, model->dims[dim].role, choice, err);
}

/* One "dim=value" of sel, with what must be done after picking. */
typedef struct sel_item {
    char *word;
    const char *value;
    int dim, coord;
    double *shifted;
} sel_item;

static ncg_status sel_one(selection *s, sel_item *item, bool nearest,
                          ncg_error *err)
{
    nci_choice choice = {
        .name = item->word, .value = item->value, .is_nearest = nearest};
    NCI_TRY(nci_model_resolve_dim(s->model, item->word, &item->dim,
                                  &item->coord, err));
    NCI_TRY(selection_claim(s, item->dim, item->word, err));
    ncg_status st = choose(s->model, item->dim, item->coord, &choice, err);
    item->shifted = choice.shifted;
    if (!st) {
        if (choice.is_single)
            selection_single(s, item->dim);
        selection_list(s, item->dim, &choice.found);
    }
    nci_positions_fini(&choice.found);
    return st;
}

static ncg_status sel_dims(const nci_model *model, sel_item *items, size_t n,
                           bool nearest, nci_model **out, ncg_error *err)
{
    selection s;
    nci_model *fresh = NULL;
    NCI_TRY(selection_init(&s, model, err));
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < n; i++)
        st = sel_one(&s, &items[i], nearest, err);
    if (!st)
        st = nci_model_pick(model, s.given, s.drop, &fresh, err);
    for (size_t i = 0; !st && i < n; i++)
        if (items[i].shifted)
            st = shift_longitudes(model, fresh, items[i].coord,
                                  items[i].shifted, err);
    selection_fini(&s);
    if (st) {
        nci_model_release(&fresh);
        return st;
    }
    *out = fresh;
    return NCG_OK;
}

ncg_status nci_model_sel(const nci_model *model, const char *const *what,
                         size_t nwhat, nci_model **out, ncg_error *err)
{
    nci_model *chosen = NULL;
    size_t n = 0;
    bool nearest = false;
    ncg_status st = NCG_OK;
    sel_item *items = nci_calloc(nwhat + 1, sizeof *items);
    if (!items)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < nwhat; i++) {
        if (!strcmp(what[i], "nearest"))
            nearest = true;
        else if (!strncmp(what[i], "var=", 4) && !chosen)
            st = select_variables(model, what[i] + 4, &chosen, err);
        else if (!(st = split_item(what[i], &items[n].word, &items[n].value,
                                   err)))
            n++;
    }
    if (!st)
        st = sel_dims(chosen ? chosen : model, items, n, nearest, out, err);
    for (size_t i = 0; i < n; i++) {
        nci_free(items[i].word);
        nci_free(items[i].shifted);
    }
    nci_model_release(&chosen);
    nci_free(items);
    return st;
}
