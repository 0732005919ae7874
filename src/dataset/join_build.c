/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A group's model: dimensions and variables in the order of the first file.
 * Small variables become arrays in memory, decoded; times of files with other
 * reference dates are counted from the first file's.
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"

/* ---- arrays in memory --------------------------------------------------- */

/* Times that are counted anew become doubles. */
static ncg_status widen_rebased(const nci_join_group *group, int v,
                                nci_join_pieces *pieces, ncg_error *err)
{
    for (size_t i = 0; i < pieces->count; i++) {
        bool is_needed;
        const nci_segment *at = &pieces->segments[i];
        if (at->var < 0)
            continue;
        NCI_TRY(nci_join_rebase(group, v, (size_t)at->file, NULL, 0, &is_needed,
                                err));
        if (!is_needed)
            continue;
        pieces->dtype = NCG_DTYPE_F64;
        pieces->has_missing = false;
        break;
    }
    return NCG_OK;
}

/* Copies or decodes n values that lie together. */
static ncg_status put_run(const nci_join_group *group, int v,
                          const nci_join_pieces *pieces, const nci_segment *at,
                          const char *from, int64_t n, char *to, ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    bool is_needed;
    size_t size = ncg_dtype_size(pieces->dtype);
    if (var->how == NCI_JOIN_TEXT) {
        memcpy(to, from, (size_t)n * size);
        return NCG_OK;
    }
    nci_decode_array(&at->decode, from, n, pieces->dtype,
                     pieces->has_missing ? pieces->missing : NULL, to);
    if (pieces->dtype != NCG_DTYPE_F64)
        return NCG_OK;
    return nci_join_rebase(group, v, (size_t)at->file, (double *)(void *)to, n,
                           &is_needed, err);
}

typedef struct extent {
    int64_t outer, inner; /* positions before and after the join axis */
    int64_t size;         /* of the join axis in the result */
} extent;

static extent find_extent(const nci_join_pieces *pieces, int rank,
                          const int64_t *shape)
{
    extent e = {1, 1, pieces->axis >= 0 ? shape[pieces->axis] : 1};
    for (int d = 0; d < rank; d++) {
        if (d < pieces->axis)
            e.outer *= shape[d];
        else if (d > pieces->axis)
            e.inner *= shape[d];
    }
    return e;
}

static ncg_status put_piece(const nci_join_group *group, int v,
                            const nci_join_pieces *pieces, size_t i,
                            const extent *e, char *out, ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    const nci_segment *at = &pieces->segments[i];
    const char *part = var->parts[at->file];
    const nci_var *in = nci_join_header_var(group, var, (size_t)at->file);
    size_t from_size = ncg_dtype_size(in->dtype);
    size_t to_size = ncg_dtype_size(pieces->dtype);
    bool is_whole = pieces->axis < 0;
    int64_t count = is_whole ? 1 : at->count;
    int64_t file_size = is_whole ? 1 : group->sizes[at->file];
    for (int64_t o = 0; o < e->outer; o++) {
        int64_t from = (o * file_size + at->file_start) * e->inner;
        int64_t to = (o * e->size + at->start) * e->inner;
        NCI_TRY(put_run(group, v, pieces, at, part + (size_t)from * from_size,
                        count * e->inner, out + (size_t)to * to_size, err));
    }
    return NCG_OK;
}

/* A scalar of each file, repeated over the file's steps. */
static ncg_status put_promoted(const nci_join_group *group, int v,
                               const nci_join_pieces *pieces, char *out,
                               ncg_error *err)
{
    size_t size = ncg_dtype_size(pieces->dtype);
    for (size_t i = 0; i < pieces->count; i++) {
        const nci_segment *at = &pieces->segments[i];
        char *first = out + (size_t)at->start * size;
        NCI_TRY(put_run(group, v, pieces, at, group->vars[v].parts[at->file], 1,
                        first, err));
        for (int64_t k = 1; k < at->count; k++)
            memcpy(first + (size_t)k * size, first, size);
    }
    return NCG_OK;
}

static ncg_status fill_const(const nci_join_group *group, int v,
                             const nci_join_pieces *pieces, int rank,
                             const int64_t *shape, char *out, ncg_error *err)
{
    if (group->vars[v].is_promoted)
        return put_promoted(group, v, pieces, out, err);
    extent e = find_extent(pieces, rank, shape);
    for (size_t i = 0; i < pieces->count; i++)
        NCI_TRY(put_piece(group, v, pieces, i, &e, out, err));
    return NCG_OK;
}

static int const_shape(const nci_join_group *group, const nci_join_var *var,
                       int64_t *shape)
{
    const nci_header *header =
        nci_join_member(group, (size_t)var->member)->header;
    if (var->is_promoted) {
        shape[0] = group->total;
        return 1;
    }
    nci_var_shape(header, var->desc, shape);
    if (var->axis >= 0)
        shape[var->axis] = group->total;
    return var->desc->rank;
}

ncg_status nci_join_const(nci_join_group *group, int v, nci_variable *out,
                          ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    int64_t shape[NCG_MAX_RANK] = {0};
    int rank = const_shape(group, var, shape);
    nci_join_pieces pieces;
    nci_buf *buf = NULL;
    NCI_TRY(nci_join_pieces_make(group, var, &pieces, err));
    nci_box box = nci_box_whole(rank, shape);
    size_t nbytes = 0;
    ncg_status st = widen_rebased(group, v, &pieces, err);
    if (!st && !nci_mul_size((size_t)nci_box_size(&box),
                             ncg_dtype_size(pieces.dtype), &nbytes))
        st = nci_fail(err, NCG_ENOMEM, "%s: too large", var->name);
    if (!st)
        st = nci_buf_create(nbytes, &buf, err);
    if (!st)
        st = fill_const(group, v, &pieces, rank, shape, nci_buf_data(buf), err);
    if (!st)
        st = nci_node_const(pieces.dtype, rank, shape, buf,
                            pieces.has_missing ? pieces.missing : NULL,
                            &out->array, err);
    if (!st)
        out->array->name = nci_intern(var->name);
    nci_buf_release(&buf);
    nci_free(pieces.segments);
    return st;
}

/* ---- the model ---------------------------------------------------------- */

static int add_dim(const nci_join_group *group, const nci_dim *dim,
                   nci_model *model)
{
    int at = nci_model_find_dim(model, dim->name);
    bool is_join = group->join_name && !strcmp(dim->name, group->join_name);
    if (at >= 0)
        return at;
    if (!nci_model_add_dim(model, dim->name, is_join ? group->total : dim->size,
                           dim->is_unlimited))
        return -1;
    if (is_join)
        model->join_dim = (int)model->ndims - 1;
    return (int)model->ndims - 1;
}

static bool add_dims(const nci_join_group *group, const nci_join_var *var,
                     nci_model *model, nci_variable *out)
{
    const nci_header *header =
        nci_join_member(group, (size_t)var->member)->header;
    out->rank = var->desc->rank;
    for (int d = 0; d < out->rank; d++) {
        out->dims[d] = add_dim(group, &header->dims[var->desc->dims[d]], model);
        if (out->dims[d] < 0)
            return false;
    }
    if (!var->is_promoted)
        return true;
    int dim = nci_header_find_dim(nci_join_member(group, 0)->header,
                                  group->join_name);
    out->rank = 1;
    out->dims[0] =
        add_dim(group, &nci_join_member(group, 0)->header->dims[dim], model);
    return out->dims[0] >= 0;
}

/* Bounds that were left out are not named any more. */
static void forget_bounds(const nci_join_group *group, int v, nci_variable *out)
{
    for (size_t i = 0; i < group->nvars; i++) {
        if (group->vars[i].owner != v || !group->vars[i].is_dropped)
            continue;
        nci_attrs_remove(&out->attrs, "bounds");
        nci_attrs_remove(&out->attrs, "climatology");
    }
}

/* Variables of groups may be written with or without the first slash. */
static bool is_asked(const nci_strings *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *one = names->items[i];
        if (!strcmp(one + (*one == '/'), name + (*name == '/')))
            return true;
    }
    return false;
}

static ncg_status add_variable(nci_join_group *group, int v, nci_model *model,
                               ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    nci_variable *out = nci_model_add_var(model, var->name);
    if (!out || !nci_attrs_copy(&var->desc->attrs, &out->attrs) ||
        !add_dims(group, var, model, out))
        return nci_fail(err, NCG_ENOMEM, "%s: adding it to the data set",
                        var->name);
    out->kind = var->kind;
    out->storage = var->desc->storage;
    out->stored = var->desc->dtype;
    out->is_enum = var->desc->klass == NCI_VAR_ENUM;
    out->is_asked = is_asked(&group->work->names, var->name);
    if (out->is_enum)
        nci_join_note(group->work,
                      "%s: %s: an enum, read as integers: the names of its "
                      "values are not kept",
                      nci_join_path(group, (size_t)var->member), var->name);
    if (group->work->is_lifted &&
        !nci_join_unlist(&out->attrs, group->work->scalar))
        return nci_fail(err, NCG_ENOMEM, "%s: attributes", var->name);
    forget_bounds(group, v, out);
    if (nci_decode_is_numeric(var->desc))
        nci_decode_strip(&out->attrs);
    return var->how == NCI_JOIN_LAZY ? nci_join_source(group, v, out, err)
                                     : nci_join_const(group, v, out, err);
}

static ncg_status add_files(const nci_join_group *group, nci_model *model,
                            ncg_error *err)
{
    const nci_join_work *work = group->work;
    size_t nfiles = work->input->nfiles;
    model->file_names = nci_calloc(nfiles, sizeof *model->file_names);
    if (!model->file_names)
        return nci_fail(err, NCG_ENOMEM, "names of %zu files", nfiles);
    model->nfiles = nfiles;
    for (size_t i = 0; i < nfiles; i++) {
        const char *path = work->files[i].header->path;
        const char *slash = strrchr(path, '/');
        model->file_names[i] = nci_strdup(slash ? slash + 1 : path);
        if (!model->file_names[i])
            return nci_fail(err, NCG_ENOMEM, "names of %zu files", nfiles);
    }
    if (model->join_dim < 0)
        return NCG_OK;
    model->file_of = nci_calloc((size_t)group->total, sizeof *model->file_of);
    if (!model->file_of)
        return nci_fail(err, NCG_ENOMEM, "%lld steps", (long long)group->total);
    for (size_t s = 0; s < group->nsegments; s++) {
        const nci_segment *at = &group->segments[s];
        for (int64_t i = 0; i < at->count; i++)
            model->file_of[at->start + i] = group->files[at->file];
    }
    return NCG_OK;
}

/* "months since": those of UDUNITS, each as long as the other. Steps that are
 * meant as the calendar's months are days away from them. */
static void note_mean_months(nci_join_group *group)
{
    for (size_t v = 0; v < group->nvars; v++) {
        const nci_join_var *var = &group->vars[v];
        nci_time_units units;
        if (var->is_dropped || var->owner >= 0 || !var->has_time_units ||
            nci_join_time_units(group, (int)v, (size_t)var->member, &units,
                                NULL) ||
            !units.is_month_or_year || units.calendar == NCI_CAL_360_DAY)
            continue;
        nci_join_note(group->work,
                      "%s: \"%s\" counts steps of %.4f days, as UDUNITS does, "
                      "not months or years of the calendar",
                      var->name, nci_attrs_text(&var->desc->attrs, "units"),
                      (double)units.unit_us / 86400e6);
    }
}

ncg_status nci_join_build(nci_join_group *group, nci_model **out,
                          ncg_error *err)
{
    nci_model *model = nci_model_create();
    if (!model || !nci_attrs_copy(&nci_join_member(group, 0)->header->attrs,
                                  &model->attrs)) {
        nci_model_release(&model);
        return nci_fail(err, NCG_ENOMEM, "making a data set");
    }
    ncg_status st = NCG_OK;
    note_mean_months(group);
    for (size_t v = 0; !st && v < group->nvars; v++)
        if (!group->vars[v].is_dropped)
            st = add_variable(group, (int)v, model, err);
    if (!st)
        st = add_files(group, model, err);
    if (st)
        nci_model_release(&model);
    else
        *out = model;
    return st;
}
