/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which dimensions a variable has. By preference: its own (coordinate
 * variables), hidden ids, attached dimension scales; a data set without scales
 * gets invented dimensions dim_N by size, numbered as NetCDF-C numbers its
 * phony ones. An unlimited dimension is as long as its longest variable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/hdf5/netcdf4.h"

/* DIMENSION_LIST: for each axis a sequence of references, of which NetCDF-C
 * takes the last. In the file: length (4), address and index (4) of a global
 * heap object with the references. */
ncg_status nci_n4_read_scales(nci_h5 *h5, const nci_h5_attribute *list,
                              int rank, const char *name, nci_n4_var *var,
                              ncg_error *err)
{
    if (list->type.klass != NCI_H5_VLEN || !list->type.is_object_ref)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: DIMENSION_LIST of a kind that is not known", name);
    if (list->space.count != (uint64_t)rank)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: DIMENSION_LIST does not fit its rank", name);
    nci_h5_cursor at = list->values;
    for (int d = 0; d < rank; d++) {
        uint64_t length = nci_h5_uint(&at, 4);
        uint64_t address = nci_h5_address(&at, h5);
        uint32_t index = (uint32_t)nci_h5_uint(&at, 4);
        nci_h5_cursor refs;
        var->scales[d] = NCI_NO_ADDRESS;
        if (!length || !index)
            continue;
        NCI_TRY(nci_h5_global_get(h5, address, index, name, &refs, err));
        nci_h5_skip(&refs, 8 * (length - 1));
        var->scales[d] = nci_h5_uint(&refs, h5->offset_size);
        if (refs.failed)
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: DIMENSION_LIST is cut short", name);
    }
    if (at.failed)
        return nci_fail(err, NCG_ECORRUPT, "%s: DIMENSION_LIST is cut short",
                        name);
    if (var->scales[0] != NCI_NO_ADDRESS)
        var->source = NCI_N4_SCALES;
    return NCG_OK;
}

static int find_id(const nci_n4_tree *tree, int64_t id)
{
    for (size_t i = 0; i < tree->ndims; i++)
        if (tree->dims[i].id == id)
            return (int)i;
    return -1;
}

/* Looks in the variable's group and those above it, then everywhere. */
static int find_scale(const nci_n4_tree *tree, int group, uint64_t address)
{
    int found = -1;
    for (int g = group; g >= 0 && found < 0; g = tree->groups[g].parent)
        for (size_t i = 0; i < tree->ndims && found < 0; i++)
            if (tree->dims[i].group == g && tree->dims[i].address == address)
                found = (int)i;
    for (size_t i = 0; i < tree->ndims && found < 0; i++)
        if (tree->dims[i].address == address)
            found = (int)i;
    return found;
}

static bool uses(const nci_n4_var *var, int rank, int dim)
{
    for (int d = 0; d < rank; d++)
        if (var->dims[d] == dim)
            return true;
    return false;
}

/* A dimension of the group with this size that the variable has not yet. */
static int find_size(const nci_n4_tree *tree, const nci_n4_var *var, int axis,
                     int64_t size)
{
    for (size_t i = 0; i < tree->ndims; i++) {
        const nci_n4_dim *dim = &tree->dims[i];
        if (dim->group == var->group && dim->size == size &&
            dim->is_unlimited == var->unlimited[axis] &&
            !uses(var, axis, (int)i))
            return (int)i;
    }
    return -1;
}

static ncg_status invent(nci_n4_tree *tree, size_t index, int axis,
                         ncg_error *err)
{
    nci_n4_var *var = &tree->vars[index];
    int64_t size = tree->header->vars[index].storage.file_shape[axis];
    int found = find_size(tree, var, axis, size);
    if (found < 0) {
        char name[32];
        int64_t id = tree->next_id++;
        snprintf(name, sizeof name, "dim_%lld", (long long)id);
        NCI_TRY(nci_n4_add_dim(tree, var->group, name, id, NCI_NO_ADDRESS, size,
                               var->unlimited[axis], err));
        found = (int)tree->ndims - 1;
    }
    var->dims[axis] = found;
    return NCG_OK;
}

static ncg_status resolve_axis(nci_n4_tree *tree, size_t index, int axis,
                               ncg_error *err)
{
    nci_n4_var *var = &tree->vars[index];
    const char *name = tree->header->vars[index].name;
    switch (var->source) {
    case NCI_N4_OWN:
    case NCI_N4_IDS:
        var->dims[axis] = find_id(tree, var->ids[axis]);
        break;
    case NCI_N4_SCALES:
        if (var->scales[axis] == NCI_NO_ADDRESS)
            return invent(tree, index, axis, err);
        var->dims[axis] = find_scale(tree, var->group, var->scales[axis]);
        break;
    case NCI_N4_INVENT:
        return invent(tree, index, axis, err);
    }
    if (var->dims[axis] < 0)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: the dimension of axis %d is not in the file", name,
                        axis);
    return NCG_OK;
}

static ncg_status resolve_group(nci_n4_tree *tree, int group, bool hidden,
                                ncg_error *err)
{
    for (size_t i = 0; i < tree->nvars; i++) {
        if (tree->vars[i].group != group || tree->vars[i].is_hidden != hidden)
            continue;
        for (int d = 0; d < tree->header->vars[i].rank; d++)
            NCI_TRY(resolve_axis(tree, i, d, err));
    }
    return NCG_OK;
}

/* Child groups come before their parents, because NetCDF-C numbers invented
 * dimensions so; what it hides comes last, not to disturb the numbers. */
static ncg_status resolve_below(nci_n4_tree *tree, int group, bool hidden,
                                ncg_error *err)
{
    for (int child = group + 1; child < (int)tree->ngroups; child++)
        if (tree->groups[child].parent == group)
            NCI_TRY(resolve_below(tree, child, hidden, err));
    return resolve_group(tree, group, hidden, err);
}

/* Sizes of unlimited dimensions, and that the others are what they say. */
static ncg_status measure(nci_n4_tree *tree, ncg_error *err)
{
    for (size_t i = 0; i < tree->ndims; i++)
        if (tree->dims[i].is_unlimited)
            tree->dims[i].size = 0;
    for (size_t i = 0; i < tree->nvars; i++) {
        const nci_var *var = &tree->header->vars[i];
        for (int d = 0; d < var->rank; d++) {
            nci_n4_dim *dim = &tree->dims[tree->vars[i].dims[d]];
            int64_t size = var->storage.file_shape[d];
            if (dim->is_unlimited && dim->size < size)
                dim->size = size;
            if (!dim->is_unlimited && dim->size != size)
                return nci_fail(err, NCG_EUNSUPPORTED,
                                "%s: %lld values along dimension %s of %lld",
                                var->name, (long long)size, dim->name,
                                (long long)dim->size);
        }
    }
    return NCG_OK;
}

static int by_place(const void *a, const void *b)
{
    const nci_n4_dim *x = *(nci_n4_dim *const *)a, *y = *(nci_n4_dim *const *)b;
    if (x->group != y->group)
        return (x->group > y->group) - (x->group < y->group);
    return (x->id > y->id) - (x->id < y->id);
}

/* Group by group, each in the order of its ids. */
static ncg_status emit_dims(nci_n4_tree *tree, nci_n4_dim **sorted,
                            ncg_error *err)
{
    for (size_t i = 0; i < tree->ndims; i++)
        sorted[i] = &tree->dims[i];
    if (tree->ndims)
        qsort(sorted, tree->ndims, sizeof *sorted, by_place);
    for (size_t i = 0; i < tree->ndims; i++) {
        nci_n4_dim *dim = sorted[i];
        dim->index = (int)i;
        if (!nci_header_add_dim(tree->header, dim->name, dim->size,
                                dim->is_unlimited))
            return nci_fail(err, NCG_ENOMEM, "out of memory for dimensions");
    }
    for (size_t i = 0; i < tree->nvars; i++)
        for (int d = 0; d < tree->header->vars[i].rank; d++)
            tree->header->vars[i].dims[d] =
                tree->dims[tree->vars[i].dims[d]].index;
    return NCG_OK;
}

ncg_status nci_n4_resolve(nci_n4_tree *tree, ncg_error *err)
{
    NCI_TRY(resolve_below(tree, 0, false, err));
    NCI_TRY(resolve_below(tree, 0, true, err));
    NCI_TRY(measure(tree, err));
    nci_n4_dim **sorted = nci_calloc(tree->ndims, sizeof *sorted);
    if (!sorted)
        return nci_fail(err, NCG_ENOMEM, "out of memory for dimensions");
    ncg_status st = emit_dims(tree, sorted, err);
    nci_free(sorted);
    return st;
}
