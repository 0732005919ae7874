/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk over a NetCDF-4 file's groups, in the order of NetCDF-C: the data
 * sets of a group first, then each child group.
 *
 * A data set with CLASS "DIMENSION_SCALE" is a dimension and, unless its NAME
 * says otherwise, its coordinate variable. Hidden attributes carry ids:
 * _Netcdf4Dimid of a dimension, _Netcdf4Coordinates those of a variable.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/hdf5/dataset.h"
#include "io/hdf5/group.h"
#include "io/hdf5/netcdf4.h"

enum { MAX_DEPTH = 64 };

static const char dim_only[] =
    "This is a netCDF dimension but not a netCDF variable";
static const char non_coord[] = "_nc4_non_coord_";

/* Attributes that NetCDF-C keeps to itself. */
static const char *const hidden[] = {"CLASS",
                                     "DIMENSION_LIST",
                                     "NAME",
                                     "REFERENCE_LIST",
                                     "_ARRAY_DIMENSIONS",
                                     "_Codecs",
                                     "_Format",
                                     "_IsNetcdf4",
                                     "_NCProperties",
                                     "_NCZARR_ATTR",
                                     "_Netcdf4Coordinates",
                                     "_Netcdf4Dimid",
                                     "_SuperblockVersion",
                                     "_nc3_strict"};

static bool is_hidden(const char *name)
{
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (!strcmp(name, hidden[i]))
            return true;
    return false;
}

void nci_n4_tree_fini(nci_n4_tree *tree)
{
    for (size_t i = 0; i < tree->ngroups; i++)
        nci_free(tree->groups[i].path);
    for (size_t i = 0; i < tree->ndims; i++)
        nci_free(tree->dims[i].name);
    nci_free(tree->groups);
    nci_free(tree->dims);
    nci_free(tree->vars);
}

static ncg_status no_memory(ncg_error *err)
{
    return nci_fail(err, NCG_ENOMEM, "out of memory for a file's header");
}

/* "/a/b" + "T" = "/a/b/T"; in the root group plainly "T". */
static char *full_name(const nci_n4_tree *tree, int group, const char *name)
{
    const char *path = tree->groups[group].path;
    size_t size = strlen(path) + strlen(name) + 2;
    char *full = nci_alloc(size);
    if (full)
        snprintf(full, size, "%s%s%s", path, *path ? "/" : "", name);
    return full;
}

ncg_status nci_n4_add_dim(nci_n4_tree *tree, int group, const char *name,
                          int64_t id, uint64_t address, int64_t size,
                          bool is_unlimited, ncg_error *err)
{
    char *full = full_name(tree, group, name);
    if (!full || !nci_grow(&tree->dims, &tree->dims_capacity, tree->ndims + 1,
                           sizeof *tree->dims)) {
        nci_free(full);
        return no_memory(err);
    }
    tree->dims[tree->ndims++] =
        (nci_n4_dim){group, id, address, full, size, is_unlimited, -1};
    return NCG_OK;
}

/* One data set under construction. */
typedef struct visit {
    nci_n4_tree *tree;
    int group;
    const char *name; /* of the link */
    const nci_h5_object *object;
    nci_h5_attributes attributes;
    nci_h5_space space;
    nci_n4_var var;
} visit;

static ncg_status add_scale(visit *v, ncg_error *err)
{
    nci_n4_tree *tree = v->tree;
    int64_t id = -1;
    const nci_h5_attribute *given =
        nci_h5_attributes_find(&v->attributes, "_Netcdf4Dimid");
    if (!v->space.rank)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: a dimension scale without a dimension", v->name);
    if (given &&
        (nci_h5_attribute_ints(given, 1, &id) != 1 || id < 0 || id > INT32_MAX))
        return nci_fail(err, NCG_ECORRUPT, "%s: bad _Netcdf4Dimid", v->name);
    if (id >= tree->next_id)
        tree->next_id = id + 1;
    if (id < 0)
        id = tree->next_id++;
    v->var.source = NCI_N4_OWN;
    v->var.ids[0] = id;
    return nci_n4_add_dim(tree, v->group, v->name, id, v->object->address,
                          (int64_t)v->space.dims[0],
                          v->space.max[0] == UINT64_MAX, err);
}

/* Ids in _Netcdf4Coordinates come before everything else; a scale with more
 * than one axis has nothing else. */
static ncg_status find_source(visit *v, bool is_scale, ncg_error *err)
{
    int rank = v->space.rank;
    const nci_h5_attribute *ids =
        nci_h5_attributes_find(&v->attributes, "_Netcdf4Coordinates");
    const nci_h5_attribute *list =
        nci_h5_attributes_find(&v->attributes, "DIMENSION_LIST");
    if (is_scale && rank == 1)
        return NCG_OK;
    if (ids) {
        v->var.source = NCI_N4_IDS;
        if (ids->space.count == (uint64_t)rank &&
            nci_h5_attribute_ints(ids, rank, v->var.ids) == rank)
            return NCG_OK;
        return nci_fail(err, NCG_ECORRUPT, "%s: bad _Netcdf4Coordinates",
                        v->name);
    }
    if (is_scale)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: a dimension scale of %d dimensions", v->name,
                        rank);
    if (!list || !rank)
        return NCG_OK;
    return nci_n4_read_scales(v->tree->h5, list, rank, v->name, &v->var, err);
}

static ncg_status put_attributes(nci_h5 *h5, const nci_h5_attributes *list,
                                 const char *owner, nci_attrs *out,
                                 ncg_error *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (!is_hidden(list->items[i].name))
            NCI_TRY(nci_h5_attribute_put(h5, &list->items[i], owner, out, err));
    return NCG_OK;
}

/* NetCDF-C leaves out what it has no type for: references and the like, and
 * user-defined types without a name in the file. */
static bool netcdf_hides(const nci_h5_dataset *set)
{
    if (set->space.is_null)
        return true;
    switch (set->klass) {
    case NCI_VAR_PLAIN:
        return false;
    case NCI_VAR_OTHER:
        return true;
    default:
        return !set->type.is_committed;
    }
}

static ncg_status add_var(visit *v, const char *name, ncg_error *err)
{
    nci_n4_tree *tree = v->tree;
    nci_h5_dataset set;
    NCI_TRY(nci_h5_dataset_read(tree->h5, v->object, name, &set, err));
    nci_var *var =
        nci_header_add_var(tree->header, name, set.dtype, set.space.rank, NULL);
    if (!var || !nci_grow(&tree->vars, &tree->vars_capacity, tree->nvars + 1,
                          sizeof *tree->vars))
        return no_memory(err);
    var->klass = set.klass;
    var->storage = set.storage;
    v->var.is_hidden = netcdf_hides(&set);
    for (int d = 0; d < set.space.rank; d++) {
        v->var.unlimited[d] = set.space.max[d] == UINT64_MAX;
        v->var.dims[d] = -1;
    }
    tree->vars[tree->nvars++] = v->var;
    return put_attributes(tree->h5, &v->attributes, name, &var->attrs, err);
}

static ncg_status visit_with_attributes(visit *v, ncg_error *err)
{
    const nci_h5_attribute *klass =
        nci_h5_attributes_find(&v->attributes, "CLASS");
    const nci_h5_attribute *label =
        nci_h5_attributes_find(&v->attributes, "NAME");
    bool is_scale = klass && nci_h5_attribute_starts(klass, "DIMENSION_SCALE");
    const char *name = v->name;
    NCI_TRY(nci_h5_dataset_space(v->tree->h5, v->object, name, &v->space, err));
    if (v->space.rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: %d dimensions; at most %d are known", name,
                        v->space.rank, NCG_MAX_RANK);
    if (is_scale)
        NCI_TRY(add_scale(v, err));
    if (is_scale && label && nci_h5_attribute_starts(label, dim_only))
        return NCG_OK;
    NCI_TRY(find_source(v, is_scale, err));
    if (!strncmp(name, non_coord, strlen(non_coord)) && name[strlen(non_coord)])
        name += strlen(non_coord);
    char *full = full_name(v->tree, v->group, name);
    ncg_status st = full ? add_var(v, full, err) : no_memory(err);
    nci_free(full);
    return st;
}

static ncg_status visit_dataset(nci_n4_tree *tree, int group, const char *name,
                                const nci_h5_object *object, ncg_error *err)
{
    visit v = {.tree = tree, .group = group, .name = name, .object = object};
    v.var.group = group;
    NCI_TRY(nci_h5_attributes_read(tree->h5, object, name, &v.attributes, err));
    ncg_status st = visit_with_attributes(&v, err);
    nci_h5_attributes_fini(&v.attributes);
    return st;
}

static ncg_status visit_group(nci_n4_tree *tree, int parent, const char *name,
                              uint64_t address, int depth, ncg_error *err);

/* Visits what a link leads to; a group is only marked, for later. */
static ncg_status visit_link(nci_n4_tree *tree, int group, nci_h5_link *link,
                             bool *is_group, ncg_error *err)
{
    nci_h5_object object;
    NCI_TRY(
        nci_h5_object_load(tree->h5, link->address, link->name, &object, err));
    ncg_status st = NCG_OK;
    *is_group = nci_h5_object_is_group(&object);
    if (!*is_group && nci_h5_object_find(&object, NCI_H5_LAYOUT))
        st = visit_dataset(tree, group, link->name, &object, err);
    nci_h5_object_fini(&object);
    return st;
}

static ncg_status visit_links(nci_n4_tree *tree, int group, nci_h5_links *links,
                              int depth, ncg_error *err)
{
    size_t ngroups = 0;
    for (size_t i = 0; i < links->count; i++) {
        bool is_group;
        NCI_TRY(visit_link(tree, group, &links->items[i], &is_group, err));
        if (!is_group)
            continue;
        nci_h5_link child = links->items[i];
        links->items[i] = links->items[ngroups];
        links->items[ngroups++] = child;
    }
    for (size_t i = 0; i < ngroups; i++)
        NCI_TRY(visit_group(tree, group, links->items[i].name,
                            links->items[i].address, depth + 1, err));
    return NCG_OK;
}

static ncg_status add_group(nci_n4_tree *tree, int parent, const char *name,
                            uint64_t address, ncg_error *err)
{
    for (int up = parent; up >= 0; up = tree->groups[up].parent)
        if (tree->groups[up].address == address)
            return nci_h5_corrupt(tree->h5, address, name,
                                  "a group that contains itself", err);
    const char *above = parent < 0 ? "" : tree->groups[parent].path;
    size_t size = strlen(above) + strlen(name) + 2;
    char *path = nci_alloc(size);
    if (!path || !nci_grow(&tree->groups, &tree->groups_capacity,
                           tree->ngroups + 1, sizeof *tree->groups)) {
        nci_free(path);
        return no_memory(err);
    }
    snprintf(path, size, "%s%s%s", above, *name ? "/" : "", name);
    tree->groups[tree->ngroups++] = (nci_n4_group){parent, path, address};
    return NCG_OK;
}

/* Of the groups only the root's attributes are kept. */
static ncg_status read_globals(nci_n4_tree *tree, const nci_h5_object *object,
                               ncg_error *err)
{
    nci_h5_attributes list;
    NCI_TRY(nci_h5_attributes_read(tree->h5, object, "global attributes", &list,
                                   err));
    ncg_status st = put_attributes(tree->h5, &list, "global attributes",
                                   &tree->header->attrs, err);
    nci_h5_attributes_fini(&list);
    return st;
}

static ncg_status visit_group(nci_n4_tree *tree, int parent, const char *name,
                              uint64_t address, int depth, ncg_error *err)
{
    nci_h5_object object;
    nci_h5_links links = {0};
    const char *shown = *name ? name : "root group";
    int group = (int)tree->ngroups;
    if (depth > MAX_DEPTH)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: groups nested more than %d deep", shown,
                        MAX_DEPTH);
    NCI_TRY(add_group(tree, parent, name, address, err));
    NCI_TRY(nci_h5_object_load(tree->h5, address, shown, &object, err));
    ncg_status st =
        nci_h5_object_is_group(&object)
            ? nci_h5_links_read(tree->h5, &object, shown, &links, err)
            : nci_h5_corrupt(tree->h5, address, shown, "is not a group", err);
    if (!st && parent < 0)
        st = read_globals(tree, &object, err);
    nci_h5_object_fini(&object);
    if (!st)
        st = visit_links(tree, group, &links, depth, err);
    nci_h5_links_fini(&links);
    return st;
}

ncg_status nci_n4_walk(nci_n4_tree *tree, ncg_error *err)
{
    return visit_group(tree, -1, "", tree->h5->root, 0, err);
}
