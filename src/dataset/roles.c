/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Roles of dimensions (time, lat, lon, lev, x, y) and dimensions by name or
 * role. CF's order of trust: standard_name, units, axis, positive; the name
 * decides only where the attributes say nothing.
 */
#include <string.h>
#include <strings.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/ops.h"

typedef struct role_word {
    const char *word;
    nci_role role;
} role_word;

static const role_word standard_names[] = {
    {"time", NCI_ROLE_TIME},
    {"latitude", NCI_ROLE_LAT},
    {"longitude", NCI_ROLE_LON},
    {"grid_latitude", NCI_ROLE_Y},
    {"grid_longitude", NCI_ROLE_X},
    {"projection_y_coordinate", NCI_ROLE_Y},
    {"projection_x_coordinate", NCI_ROLE_X},
    {"air_pressure", NCI_ROLE_LEV},
    {"height", NCI_ROLE_LEV},
    {"altitude", NCI_ROLE_LEV},
    {"depth", NCI_ROLE_LEV},
    {"model_level_number", NCI_ROLE_LEV},
};

static const role_word unit_words[] = {
    {"degrees_north", NCI_ROLE_LAT},
    {"degree_north", NCI_ROLE_LAT},
    {"degrees_N", NCI_ROLE_LAT},
    {"degree_N", NCI_ROLE_LAT},
    {"degreesN", NCI_ROLE_LAT},
    {"degreeN", NCI_ROLE_LAT},
    {"degrees_east", NCI_ROLE_LON},
    {"degree_east", NCI_ROLE_LON},
    {"degrees_E", NCI_ROLE_LON},
    {"degree_E", NCI_ROLE_LON},
    {"degreesE", NCI_ROLE_LON},
    {"degreeE", NCI_ROLE_LON},
    {"Pa", NCI_ROLE_LEV},
    {"hPa", NCI_ROLE_LEV},
    {"mb", NCI_ROLE_LEV},
    {"mbar", NCI_ROLE_LEV},
    {"millibar", NCI_ROLE_LEV},
    {"millibars", NCI_ROLE_LEV},
    {"level", NCI_ROLE_LEV},
    {"sigma_level", NCI_ROLE_LEV},
};

static const role_word names[] = {
    {"time", NCI_ROLE_TIME},  {"t", NCI_ROLE_TIME},
    {"lat", NCI_ROLE_LAT},    {"latitude", NCI_ROLE_LAT},
    {"lon", NCI_ROLE_LON},    {"longitude", NCI_ROLE_LON},
    {"lev", NCI_ROLE_LEV},    {"level", NCI_ROLE_LEV},
    {"levels", NCI_ROLE_LEV}, {"plev", NCI_ROLE_LEV},
    {"height", NCI_ROLE_LEV}, {"depth", NCI_ROLE_LEV},
    {"z", NCI_ROLE_LEV},      {"x", NCI_ROLE_X},
    {"y", NCI_ROLE_Y},
};

/* Words that users may write for a role. */
static const role_word asked[] = {
    {"time", NCI_ROLE_TIME},     {"lat", NCI_ROLE_LAT},
    {"latitude", NCI_ROLE_LAT},  {"lon", NCI_ROLE_LON},
    {"longitude", NCI_ROLE_LON}, {"lev", NCI_ROLE_LEV},
    {"level", NCI_ROLE_LEV},     {"x", NCI_ROLE_X},
    {"y", NCI_ROLE_Y},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The part of a group's path that people think of as the name. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static nci_role look_up(const role_word *words, size_t n, const char *text,
                        bool any_case)
{
    for (size_t i = 0; text && i < n; i++)
        if (any_case ? !strcasecmp(words[i].word, text)
                     : !strcmp(words[i].word, text))
            return words[i].role;
    return NCI_ROLE_NONE;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = text ? strlen(text) : 0, m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static bool starts_with(const char *text, const char *start)
{
    return text && !strncmp(text, start, strlen(start));
}

/* "ocean_sigma_coordinate", "atmosphere_hybrid_height_coordinate", ... */
static bool is_vertical_name(const char *standard_name)
{
    return (starts_with(standard_name, "ocean_") ||
            starts_with(standard_name, "atmosphere_")) &&
           ends_with(standard_name, "_coordinate");
}

static nci_role role_of_axis(const char *axis)
{
    if (!axis || !axis[0] || axis[1])
        return NCI_ROLE_NONE;
    switch (axis[0]) {
    case 'T':
    case 't':
        return NCI_ROLE_TIME;
    case 'X':
    case 'x':
        return NCI_ROLE_X;
    case 'Y':
    case 'y':
        return NCI_ROLE_Y;
    case 'Z':
    case 'z':
        return NCI_ROLE_LEV;
    default:
        return NCI_ROLE_NONE;
    }
}

static nci_role role_of_attrs(const nci_attrs *attrs)
{
    const char *standard = nci_attrs_text(attrs, "standard_name");
    const char *units = nci_attrs_text(attrs, "units");
    nci_role role =
        look_up(standard_names, COUNT(standard_names), standard, false);
    if (!role && is_vertical_name(standard))
        role = NCI_ROLE_LEV;
    if (!role)
        role = look_up(unit_words, COUNT(unit_words), units, false);
    if (!role && units && nci_time_is_units(units))
        role = NCI_ROLE_TIME;
    if (!role)
        role = role_of_axis(nci_attrs_text(attrs, "axis"));
    if (!role && nci_attrs_text(attrs, "positive"))
        role = NCI_ROLE_LEV;
    return role;
}

nci_role nci_variable_role(const nci_variable *var)
{
    nci_role role = role_of_attrs(&var->attrs);
    return role ? role
                : look_up(names, COUNT(names), base_name(var->name), true);
}

int nci_variable_axis(const nci_variable *var, int dim)
{
    for (int a = 0; a < var->rank; a++)
        if (var->dims[a] == dim)
            return a;
    return -1;
}

bool nci_variable_is_numeric(const nci_variable *var)
{
    return var->array && nci_dtype_is_numeric(var->array->dtype);
}

bool nci_model_is_data_dim(const nci_model *model, int dim)
{
    for (size_t i = 0; i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        if (var->kind == NCI_KIND_DATA && nci_variable_is_numeric(var) &&
            nci_variable_axis(var, dim) >= 0)
            return true;
    }
    return false;
}

/* Names that models give to the cells of a mesh whose positions are in a file
 * of their own. */
static const char *const cell_names[] = {"ncells", "cell", "ncol", "nCells"};

/* An unstructured grid or a list of stations: both latitudes and longitudes
 * lie along the one dimension. */
static bool is_cell_dim(const nci_model *model, int dim)
{
    bool lat = false, lon = false;
    for (size_t i = 0; i < COUNT(cell_names); i++)
        if (!strcmp(base_name(model->dims[dim].name), cell_names[i]))
            return true;
    for (size_t i = 0; i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        if (var->rank != 1 || var->dims[0] != dim ||
            !strcmp(var->name, model->dims[dim].name))
            continue;
        nci_role role = role_of_attrs(&var->attrs);
        lat = lat || role == NCI_ROLE_LAT;
        lon = lon || role == NCI_ROLE_LON;
    }
    return lat && lon;
}

static nci_role find_role(const nci_model *model, int dim)
{
    const char *name = model->dims[dim].name;
    int coord = nci_model_coord(model, dim);
    if (coord < 0)
        return look_up(names, COUNT(names), base_name(name), true);
    const nci_variable *var = &model->vars[coord];
    nci_role role = nci_variable_role(var);
    bool is_own = !strcmp(var->name, name);
    if (!is_own && (role == NCI_ROLE_LAT || role == NCI_ROLE_LON) &&
        is_cell_dim(model, dim))
        return NCI_ROLE_NONE;
    if (!role)
        role = look_up(names, COUNT(names), base_name(name), true);
    return role;
}

/* Two-dimensional latitudes or longitudes make their dimensions y and x. */
static void mark_curvilinear(nci_model *model)
{
    for (size_t i = 0; i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        if (var->rank < 2 || var->kind == NCI_KIND_BOUNDS)
            continue;
        nci_role role = role_of_attrs(&var->attrs);
        if (role != NCI_ROLE_LAT && role != NCI_ROLE_LON)
            continue;
        nci_dimension *y = &model->dims[var->dims[var->rank - 2]];
        nci_dimension *x = &model->dims[var->dims[var->rank - 1]];
        if (y->role == NCI_ROLE_NONE)
            y->role = NCI_ROLE_Y;
        if (x->role == NCI_ROLE_NONE)
            x->role = NCI_ROLE_X;
    }
}

static int count_role(const nci_model *model, nci_role role)
{
    int n = 0;
    for (size_t d = 0; d < model->ndims; d++)
        n += model->dims[d].role == role;
    return n;
}

/* Beside the time of validity a forecast has its start: that one is not what
 * "time" means. */
static void unmark_reference_time(nci_model *model)
{
    for (size_t d = 0; d < model->ndims; d++) {
        int coord = nci_model_coord(model, (int)d);
        if (coord < 0 || model->dims[d].role != NCI_ROLE_TIME ||
            count_role(model, NCI_ROLE_TIME) < 2)
            continue;
        const char *standard =
            nci_attrs_text(&model->vars[coord].attrs, "standard_name");
        if (standard && !strcmp(standard, "forecast_reference_time"))
            model->dims[d].role = NCI_ROLE_NONE;
    }
}

void nci_model_find_roles(nci_model *model)
{
    for (size_t d = 0; d < model->ndims; d++)
        model->dims[d].role = find_role(model, (int)d);
    mark_curvilinear(model);
    unmark_reference_time(model);
}

/* ---- dimensions by word ---------------------------------------------------
 */

static void list_dims(const nci_model *model, nci_text *text)
{
    const char *comma = "";
    for (size_t d = 0; d < model->ndims; d++) {
        if (!nci_model_is_data_dim(model, (int)d))
            continue;
        nci_text_add(text, "%s%s", comma, model->dims[d].name);
        comma = ", ";
    }
}

/* A latitude that is an array over y and x, or along the cells of a mesh. */
static const nci_variable *find_spread(const nci_model *model, nci_role role)
{
    for (size_t i = 0; i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        if (var->rank > 0 && var->kind != NCI_KIND_BOUNDS &&
            var->kind != NCI_KIND_DATA && role_of_attrs(&var->attrs) == role)
            return var;
    }
    return NULL;
}

static ncg_status fail_spread(const nci_model *model, const char *word,
                              const nci_variable *var, ncg_error *err)
{
    nci_text dims = {0};
    for (int a = 0; a < var->rank; a++)
        nci_text_add(&dims, "%s%s", a ? " " : "",
                     model->dims[var->dims[a]].name);
    ncg_status st = nci_fail(
        err, NCG_EINVAL,
        "%s is no dimension here but an array (%s) over %s; name %s, or space",
        word, var->name, dims.data ? dims.data : "",
        dims.data ? dims.data : "");
    nci_text_fini(&dims);
    return st;
}

/* The name or role word nearest to a wrong one, or NULL. */
static const char *suggest_dim(const nci_model *model, const char *word)
{
    size_t n = 0, room = model->ndims + COUNT(asked) + 1;
    const char **known = nci_alloc(room * sizeof *known);
    if (!known)
        return NULL;
    for (size_t d = 0; d < model->ndims; d++)
        if (nci_model_is_data_dim(model, (int)d))
            known[n++] = model->dims[d].name;
    for (size_t i = 0; i < COUNT(asked); i++)
        if (count_role(model, asked[i].role) && strlen(asked[i].word) > 2)
            known[n++] = asked[i].word;
    if (strcmp(word, "space") != 0)
        known[n++] = "space";
    const char *near = nci_suggest(word, known, n);
    nci_free(known);
    return near;
}

/* A dimension of text or of bounds only. */
static ncg_status fail_no_numbers(const nci_model *model, const char *word,
                                  ncg_error *err)
{
    nci_text list = {0};
    list_dims(model, &list);
    ncg_status st = nci_fail(err, NCG_EINVAL,
                             "no data variable of numbers lies along \"%s\"; "
                             "there are: %s",
                             word, list.data ? list.data : "none");
    nci_text_fini(&list);
    return st;
}

static ncg_status fail_unknown(const nci_model *model, const char *word,
                               ncg_error *err)
{
    if (nci_model_find_dim(model, word) >= 0)
        return fail_no_numbers(model, word, err);
    nci_role role = look_up(asked, COUNT(asked), word, false);
    const nci_variable *spread = find_spread(model, role);
    if (spread && (role == NCI_ROLE_LAT || role == NCI_ROLE_LON))
        return fail_spread(model, word, spread, err);
    const char *near = suggest_dim(model, word);
    nci_text list = {0};
    list_dims(model, &list);
    ncg_status st =
        nci_fail(err, NCG_EINVAL, "no dimension \"%s\"%s%s%s; there are: %s",
                 word, near ? " (did you mean \"" : "", near ? near : "",
                 near ? "\"?)" : "", list.data ? list.data : "none");
    nci_text_fini(&list);
    return st;
}

static int mark_role(const nci_model *model, nci_role role, bool *mask)
{
    int n = 0;
    for (size_t d = 0; role && d < model->ndims; d++)
        if (model->dims[d].role == role &&
            nci_model_is_data_dim(model, (int)d)) {
            mask[d] = true;
            n++;
        }
    return n;
}

static int mark_space(const nci_model *model, bool *mask)
{
    int n = mark_role(model, NCI_ROLE_LAT, mask) +
            mark_role(model, NCI_ROLE_LON, mask) +
            mark_role(model, NCI_ROLE_Y, mask) +
            mark_role(model, NCI_ROLE_X, mask);
    for (size_t d = 0; d < model->ndims; d++)
        if (model->dims[d].role == NCI_ROLE_NONE &&
            nci_model_is_data_dim(model, (int)d) &&
            is_cell_dim(model, (int)d)) {
            mask[d] = true;
            n++;
        }
    return n;
}

static int mark_all(const nci_model *model, bool *mask)
{
    int n = 0;
    for (size_t d = 0; d < model->ndims; d++)
        if (nci_model_is_data_dim(model, (int)d)) {
            mask[d] = true;
            n++;
        }
    return n;
}

/* x and y name the axes of the grid, whatever they measure. */
static int mark_word(const nci_model *model, const char *word, bool *mask)
{
    nci_role role = look_up(asked, COUNT(asked), word, false);
    int n = mark_role(model, role, mask);
    if (!n && role == NCI_ROLE_X)
        n = mark_role(model, NCI_ROLE_LON, mask);
    if (!n && role == NCI_ROLE_Y)
        n = mark_role(model, NCI_ROLE_LAT, mask);
    return n;
}

static ncg_status mark_one(const nci_model *model, const char *word, bool *mask,
                           ncg_error *err)
{
    int dim = nci_model_find_dim(model, word);
    if (dim >= 0 && nci_model_is_data_dim(model, dim)) {
        mask[dim] = true;
        return NCG_OK;
    }
    if (!strcmp(word, "all"))
        return mark_all(model, mask)
                   ? NCG_OK
                   : nci_fail(err, NCG_EINVAL,
                              "no variable of numbers has a dimension");
    if (!strcmp(word, "space"))
        return mark_space(model, mask) ? NCG_OK
                                       : fail_unknown(model, word, err);
    return mark_word(model, word, mask) ? NCG_OK
                                        : fail_unknown(model, word, err);
}

ncg_status nci_model_parse_dims(const nci_model *model, const char *text,
                                bool *mask, ncg_error *err)
{
    nci_strings words = {0};
    ncg_status st = NCG_OK;
    memset(mask, 0, model->ndims * sizeof *mask);
    if (!nci_strings_split(&words, text ? text : "", " ,\t\n"))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (!words.count)
        st = nci_fail(err, NCG_EINVAL,
                      "no dimension given: name one, or say \"all\"");
    for (size_t i = 0; !st && i < words.count; i++)
        st = mark_one(model, words.items[i], mask, err);
    nci_strings_fini(&words);
    return st;
}

static ncg_status resolve_role(const nci_model *model, const char *word,
                               int *dim, ncg_error *err)
{
    bool *mask = nci_calloc(model->ndims + 1, sizeof *mask);
    if (!mask)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    int n = mark_word(model, word, mask), first = -1;
    for (size_t d = model->ndims; d-- > 0;)
        if (mask[d])
            first = (int)d;
    nci_free(mask);
    if (n == 0)
        return fail_unknown(model, word, err);
    if (n > 1)
        return nci_fail(err, NCG_EINVAL,
                        "several dimensions answer to \"%s\": give the name, "
                        "such as %s",
                        word, model->dims[first].name);
    *dim = first;
    return NCG_OK;
}

ncg_status nci_model_resolve_dim(const nci_model *model, const char *word,
                                 int *dim, int *coord, ncg_error *err)
{
    int found = nci_model_find_dim(model, word), at = -1;
    int var = nci_model_find_var(model, word);
    if (found >= 0 && nci_model_is_data_dim(model, found)) {
        at = nci_model_coord(model, found);
    } else if (var >= 0 && model->vars[var].kind == NCI_KIND_COORD &&
               model->vars[var].rank == 1) {
        found = model->vars[var].dims[0];
        at = var;
    } else {
        NCI_TRY(resolve_role(model, word, &found, err));
        at = nci_model_coord(model, found);
    }
    *dim = found;
    if (coord)
        *coord = at;
    return NCG_OK;
}
