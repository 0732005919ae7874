/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of one step each, with their time as a scalar coordinate: nothing in
 * them is a dimension to join along. Their headers are seen with a dimension
 * of size 1 in front, named as the scalar; the files stay as they are.
 *
 *     file      tas(lat, lon), time            seen as  tas(time, lat, lon),
 *                                                       time(time)
 */
#include <string.h>
#include <strings.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"
#include "dataset/refs.h"

/* ---- which scalar ------------------------------------------------------- */

static bool is_scalar_time(const nci_join_group *group, const nci_join_var *var)
{
    const char *standard = nci_attrs_text(&var->desc->attrs, "standard_name");
    if (var->desc->rank != 0 || var->kind != NCI_KIND_COORD ||
        var->how != NCI_JOIN_NUMBER || !var->has_time_units ||
        (standard && strcmp(standard, "time")))
        return false;
    for (size_t m = 0; m < group->nfiles; m++)
        if (!var->parts[m])
            return false;
    return true;
}

static bool has_different_parts(const nci_join_group *group,
                                const nci_join_var *var)
{
    for (size_t m = 1; m < group->nfiles; m++) {
        const nci_var *in = nci_join_header_var(group, var, m);
        if (in->dtype != var->desc->dtype ||
            !nci_join_same_attrs(group, var, m) ||
            memcmp(var->parts[m], var->parts[0], ncg_dtype_size(in->dtype)))
            return true;
    }
    return false;
}

const char *nci_join_scalar_time(const nci_join_group *group)
{
    for (size_t v = 0; v < group->nvars; v++)
        if (is_scalar_time(group, &group->vars[v]) &&
            has_different_parts(group, &group->vars[v]))
            return group->vars[v].desc->name;
    return NULL;
}

bool nci_join_unlist(nci_attrs *attrs, const char *name)
{
    nci_strings words = {0};
    nci_text text = {0};
    const char *old = nci_attrs_text(attrs, "coordinates");
    if (!old)
        return true;
    bool ok = nci_strings_split(&words, old, " \t\n"), is_first = true;
    for (size_t i = 0; i < words.count; i++) {
        if (!strcmp(words.items[i], name))
            continue;
        nci_text_add(&text, "%s%s", is_first ? "" : " ", words.items[i]);
        is_first = false;
    }
    char *line = nci_text_take(&text);
    ok = ok && line;
    if (ok && is_first)
        nci_attrs_remove(attrs, "coordinates");
    else if (ok)
        ok = nci_attrs_put_text(attrs, "coordinates", line);
    nci_free(line);
    nci_strings_fini(&words);
    return ok;
}

/* ---- headers with the dimension ----------------------------------------- */

static void lift_var(nci_var *var, int dim)
{
    size_t n = (size_t)var->rank;
    nci_storage *storage = &var->storage;
    memmove(var->dims + 1, var->dims, n * sizeof var->dims[0]);
    memmove(storage->chunk + 1, storage->chunk, n * sizeof storage->chunk[0]);
    memmove(storage->file_shape + 1, storage->file_shape,
            n * sizeof storage->file_shape[0]);
    var->dims[0] = dim;
    storage->chunk[0] = 1;
    storage->file_shape[0] = 1;
    var->rank++;
}

/* Whether the attribute `coordinates` lists the scalar. */
static bool lists(const nci_var *var, const char *scalar)
{
    nci_strings words = {0};
    const char *text = nci_attrs_text(&var->attrs, "coordinates");
    bool answer = text && nci_strings_split(&words, text, " \t\n") &&
                  nci_strings_has(&words, scalar);
    nci_strings_fini(&words);
    return answer;
}

/* Data variables that list the scalar; all of them where none does. */
static void lift_data(nci_header *header, const nci_var_kind *kinds,
                      const char *scalar, int dim)
{
    bool is_listed = false;
    for (size_t v = 0; v < header->nvars && !is_listed; v++)
        is_listed =
            kinds[v] == NCI_KIND_DATA && lists(&header->vars[v], scalar);
    for (size_t v = 0; v < header->nvars; v++)
        if (kinds[v] == NCI_KIND_DATA && header->vars[v].rank < NCG_MAX_RANK &&
            (!is_listed || lists(&header->vars[v], scalar)))
            lift_var(&header->vars[v], dim);
}

static void lift_all(nci_header *header, const nci_var_kind *kinds, int scalar,
                     int dim)
{
    nci_var *var = &header->vars[scalar];
    static const char *const attrs[] = {"bounds", "climatology"};
    lift_data(header, kinds, var->name, dim);
    for (int i = 0; i < 2; i++) {
        const char *name = nci_attrs_text(&var->attrs, attrs[i]);
        int at = name ? nci_header_find_var(header, name) : -1;
        if (at >= 0 && header->vars[at].rank == 1)
            lift_var(&header->vars[at], dim);
    }
    lift_var(var, dim);
}

/* Names and attributes stay those of `from`. */
static nci_header *copy_shallow(const nci_header *from, const char *dim)
{
    nci_header *header = nci_calloc(1, sizeof *header);
    if (!header)
        return NULL;
    *header = *from;
    header->dims = nci_calloc(from->ndims + 1, sizeof *header->dims);
    header->vars = nci_calloc(from->nvars, sizeof *header->vars);
    if (!header->dims || !header->vars) {
        nci_join_lift_free(&header);
        return NULL;
    }
    if (from->ndims)
        memcpy(header->dims, from->dims, from->ndims * sizeof *header->dims);
    memcpy(header->vars, from->vars, from->nvars * sizeof *header->vars);
    header->dims[header->ndims++] =
        (nci_dim){.name = (char *)dim, .size = 1, .is_unlimited = true};
    return header;
}

ncg_status nci_join_lift(const nci_header *from, const char *scalar,
                         nci_header **out, ncg_error *err)
{
    int at = nci_header_find_var(from, scalar);
    *out = NULL;
    if (at < 0 || from->vars[at].rank || nci_header_find_dim(from, scalar) >= 0)
        return NCG_OK;
    nci_var_kind *kinds = nci_calloc(from->nvars, sizeof *kinds);
    nci_header *header = copy_shallow(from, from->vars[at].name);
    ncg_status st = kinds && header
                        ? nci_refs_kinds(from, kinds, err)
                        : nci_fail(err, NCG_ENOMEM, "%s: header", from->path);
    if (!st) {
        lift_all(header, kinds, at, (int)header->ndims - 1);
        *out = header;
        header = NULL;
    }
    nci_join_lift_free(&header);
    nci_free(kinds);
    return st;
}

void nci_join_lift_free(nci_header **header)
{
    if (!*header)
        return;
    nci_free((*header)->dims);
    nci_free((*header)->vars);
    nci_free(*header);
    *header = NULL;
}
