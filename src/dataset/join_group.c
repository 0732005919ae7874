/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The variables of one group of files: which there are, in the order of the
 * first file, how each is taken (now or later) and where each class has it.
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"
#include "dataset/refs.h"

/* Coordinates up to these sizes are read at once, larger ones stay in the
 * files (an unstructured grid's positions are data in size). */
static const int64_t EAGER_VALUES = INT64_C(1) << 20;
static const int64_t EAGER_TEXT = INT64_C(1) << 26;

int nci_join_group_find(const nci_join_group *group, const char *name)
{
    for (size_t i = 0; i < group->nvars; i++)
        if (!strcmp(group->vars[i].name, name))
            return (int)i;
    return -1;
}

static int find_in_group(const void *where, const char *name)
{
    return nci_join_group_find(where, name);
}

int64_t nci_join_count(const nci_join_group *group, const nci_join_var *var,
                       size_t member)
{
    const nci_header *header = nci_join_member(group, member)->header;
    const nci_var *in = nci_join_header_var(group, var, member);
    int64_t n = 1;
    for (int d = 0; d < in->rank; d++)
        if (!nci_mul_i64(n, header->dims[in->dims[d]].size, &n))
            return INT64_MAX;
    return n;
}

static nci_join_var *add_var(nci_join_group *group, const char *name)
{
    size_t nclasses = group->work->nclasses;
    if (!nci_grow(&group->vars, &group->vars_capacity, group->nvars + 1,
                  sizeof *group->vars))
        return NULL;
    nci_join_var *var = &group->vars[group->nvars];
    *var = (nci_join_var){.name = name, .axis = -1, .owner = -1};
    var->var_of = nci_alloc(nclasses * sizeof *var->var_of);
    if (!var->var_of)
        return NULL;
    for (size_t k = 0; k < nclasses; k++)
        var->var_of[k] = -1;
    group->nvars++;
    return var;
}

/* nfiles: the group has no file of that class. */
static size_t first_member(const nci_join_group *group, int klass)
{
    size_t m = 0;
    while (m < group->nfiles && nci_join_member(group, m)->klass != klass)
        m++;
    return m;
}

/* Adds the variables of one class; the first class has no duplicates. */
static ncg_status add_class(nci_join_group *group, int klass, bool is_first,
                            ncg_error *err)
{
    const nci_join_class *from = &group->work->classes[klass];
    size_t member = first_member(group, klass);
    const nci_header *header = nci_join_member(group, member)->header;
    for (size_t v = 0; v < header->nvars; v++) {
        const nci_var *desc = &header->vars[v];
        if (!from->wanted[v])
            continue;
        int at = is_first ? -1 : nci_join_group_find(group, desc->name);
        nci_join_var *var =
            at >= 0 ? &group->vars[at] : add_var(group, desc->name);
        if (!var)
            return nci_fail(err, NCG_ENOMEM, "%s: variables", header->path);
        var->var_of[klass] = (int)v;
        if (at >= 0)
            continue;
        var->kind = from->kinds[v];
        var->desc = desc;
        var->member = (int)member;
    }
    return NCG_OK;
}

static bool is_dim_coord(const nci_join_group *group, const nci_join_var *var)
{
    const nci_header *header =
        nci_join_member(group, (size_t)var->member)->header;
    return var->desc->rank == 1 &&
           !strcmp(header->dims[var->desc->dims[0]].name, var->name);
}

static nci_join_how choose_how(const nci_join_group *group,
                               const nci_join_var *var)
{
    int64_t n = nci_join_count(group, var, (size_t)var->member);
    int rank = var->desc->rank;
    if (!nci_dtype_is_numeric(var->desc->dtype))
        return NCI_JOIN_TEXT;
    switch (var->kind) {
    case NCI_KIND_COORD:
        return rank == 0 || is_dim_coord(group, var) ||
                       (rank == 1 && n <= EAGER_VALUES)
                   ? NCI_JOIN_NUMBER
                   : NCI_JOIN_LAZY;
    case NCI_KIND_BOUNDS: /* of what is read itself */
        return rank <= 2 && n <= 2 * EAGER_VALUES ? NCI_JOIN_NUMBER
                                                  : NCI_JOIN_LAZY;
    case NCI_KIND_OTHER:
        return rank == 0 ? NCI_JOIN_NUMBER : NCI_JOIN_LAZY;
    default:
        return NCI_JOIN_LAZY;
    }
}

static void find_bounds(nci_join_group *group, int owner)
{
    const nci_join_var *var = &group->vars[owner];
    static const char *const attrs[] = {"bounds", "climatology"};
    for (int i = 0; i < 2; i++) {
        const char *name = nci_attrs_text(&var->desc->attrs, attrs[i]);
        int at =
            name ? nci_refs_find(var->name, name, find_in_group, group) : -1;
        if (at >= 0)
            group->vars[at].owner = owner;
    }
}

static bool has_time_units(const nci_join_group *group, const nci_join_var *var)
{
    const char *units = nci_attrs_text(&var->desc->attrs, "units");
    if (!units && var->owner >= 0)
        units = nci_attrs_text(&group->vars[var->owner].desc->attrs, "units");
    return nci_time_is_units(units) && var->how == NCI_JOIN_NUMBER;
}

ncg_status nci_join_group_vars(nci_join_group *group, ncg_error *err)
{
    int first = nci_join_member(group, 0)->klass;
    NCI_TRY(add_class(group, first, true, err));
    for (size_t k = 0; k < group->work->nclasses; k++)
        if ((int)k != first && first_member(group, (int)k) < group->nfiles)
            NCI_TRY(add_class(group, (int)k, false, err));
    for (size_t i = 0; i < group->nvars; i++) {
        nci_join_var *var = &group->vars[i];
        var->how = choose_how(group, var);
        int64_t n = nci_join_count(group, var, (size_t)var->member);
        var->is_dropped = var->how == NCI_JOIN_TEXT && n > EAGER_TEXT;
        if (var->is_dropped)
            nci_join_note(group->work, "%s: %s: left out: too much text",
                          nci_join_path(group, (size_t)var->member), var->name);
        var->parts = nci_calloc(group->nfiles, sizeof *var->parts);
        if (!var->parts)
            return nci_fail(err, NCG_ENOMEM, "%s: %zu files", var->name,
                            group->nfiles);
    }
    for (size_t i = 0; i < group->nvars; i++)
        find_bounds(group, (int)i);
    for (size_t i = 0; i < group->nvars; i++)
        group->vars[i].has_time_units = has_time_units(group, &group->vars[i]);
    return NCG_OK;
}

bool nci_join_same_attrs(const nci_join_group *group, const nci_join_var *var,
                         size_t member)
{
    const nci_join_file *a = nci_join_member(group, (size_t)var->member);
    const nci_join_file *b = nci_join_member(group, member);
    return nci_token_equal(a->attrs[var->var_of[a->klass]],
                           b->attrs[var->var_of[b->klass]]);
}

ncg_status nci_join_decode(const nci_join_group *group, const nci_join_var *var,
                           size_t member, nci_decode *out, nci_strings *notes,
                           ncg_error *err)
{
    NCI_TRY(nci_decode_make(
        nci_join_header_var(group, var, member), nci_join_path(group, member),
        group->work->options->no_default_fill, out, notes, err));
    if (var->kind == NCI_KIND_COORD || var->kind == NCI_KIND_BOUNDS)
        out->has_min = out->has_max = false;
    return NCG_OK;
}

ncg_status nci_join_time_units(const nci_join_group *group, int v,
                               size_t member, nci_time_units *out,
                               ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    const nci_var *in = nci_join_header_var(group, var, member);
    const nci_var *owner = NULL;
    const char *units = nci_attrs_text(&in->attrs, "units");
    const char *calendar = nci_attrs_text(&in->attrs, "calendar");
    if (var->owner >= 0)
        owner = nci_join_header_var(group, &group->vars[var->owner], member);
    if (!units && owner)
        units = nci_attrs_text(&owner->attrs, "units");
    if (!calendar && owner)
        calendar = nci_attrs_text(&owner->attrs, "calendar");
    ncg_status st = nci_time_units_parse(units, calendar, out, err);
    return st ? nci_error_wrap(err, "%s: %s", nci_join_path(group, member),
                               var->name)
              : NCG_OK;
}

void nci_join_group_fini(nci_join_group *group)
{
    nci_join_free_parts(group);
    for (size_t i = 0; i < group->nvars; i++) {
        nci_free(group->vars[i].var_of);
        nci_free(group->vars[i].parts);
    }
    for (size_t m = 0; group->keys && m < group->nfiles; m++)
        nci_free(group->keys[m]);
    nci_free(group->keys);
    nci_free(group->sizes);
    nci_free(group->order);
    nci_free(group->segments);
    nci_free(group->vars);
    nci_free(group->files);
}
