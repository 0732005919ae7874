/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must hold before a file is extended: it has the variables with the same
 * dimensions and units, what is not written agrees, and the coordinates along
 * the extended dimensions continue the file's, or are the file's.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/extend.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/units.h"

/* ---- where --------------------------------------------------------------- */

static ncg_status find_dims(const nci_extending *e, const char *name, int *dim,
                            const nci_dim **in_file, ncg_error *err)
{
    *dim = nci_model_find_dim(e->model, name);
    if (*dim < 0)
        return nci_fail(err, NCG_EINVAL,
                        "the data set has no dimension \"%.100s\"", name);
    int at = nci_header_find_dim(e->header, name);
    if (at < 0)
        return nci_fail(err, NCG_EMISMATCH, "%s has no dimension %.100s",
                        e->path, name);
    *in_file = &e->header->dims[at];
    if (e->starts[*dim] >= 0)
        return nci_fail(err, NCG_EINVAL, "dimension %.100s is named twice",
                        name);
    return NCG_OK;
}

static ncg_status find_append(nci_extending *e, const char *name,
                              ncg_error *err)
{
    int dim;
    const nci_dim *in_file;
    NCI_TRY(find_dims(e, name, &dim, &in_file, err));
    if (!in_file->is_unlimited)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: dimension %s is not unlimited, so the file cannot "
                        "grow along it; save a new one, with the dimension "
                        "unlimited",
                        e->path, name);
    e->starts[dim] = in_file->size;
    e->is_append = true;
    return NCG_OK;
}

static ncg_status find_region(nci_extending *e, const char *text,
                              ncg_error *err)
{
    const char *equals = text ? strchr(text, '=') : NULL;
    char *end = NULL;
    int64_t start = equals ? strtoll(equals + 1, &end, 10) : -1;
    const nci_dim *in_file;
    int dim;
    if (start < 0 || end == equals + 1 || *end)
        return nci_fail(err, NCG_EINVAL,
                        "region \"%.100s\": write dimension=position",
                        text ? text : "");
    char *name = nci_strndup(text, (size_t)(equals - text));
    if (!name)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = find_dims(e, name, &dim, &in_file, err);
    nci_free(name);
    if (st)
        return st;
    int64_t size = e->model->dims[dim].size;
    if (start > in_file->size ||
        (!in_file->is_unlimited && size > in_file->size - start))
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %" PRId64 " positions from %" PRId64
                        " on do not lie within the %" PRId64 " of %s",
                        e->path, size, start, in_file->size, in_file->name);
    e->starts[dim] = start;
    return NCG_OK;
}

ncg_status nci_extend_find_starts(nci_extending *e,
                                  const ncg_save_options *options,
                                  ncg_error *err)
{
    e->starts = nci_alloc((e->model->ndims + 1) * sizeof *e->starts);
    if (!e->starts)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t d = 0; d < e->model->ndims; d++)
        e->starts[d] = -1;
    if (options->append)
        NCI_TRY(find_append(e, options->append, err));
    if (options->nregion && !options->region)
        return nci_fail(err, NCG_EINVAL, "the region is NULL");
    for (size_t i = 0; i < options->nregion; i++)
        NCI_TRY(find_region(e, options->region[i], err));
    return NCG_OK;
}

bool nci_extend_writes(const nci_extending *e, const nci_variable *var)
{
    for (int a = 0; var->array && a < var->rank; a++)
        if (e->starts[var->dims[a]] >= 0)
            return true;
    return false;
}

/* ---- layouts ------------------------------------------------------------- */

static ncg_status check_layout(const nci_extending *e, const nci_variable *var,
                               const nci_var *in_file, ncg_error *err)
{
    if (in_file->rank != var->rank)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %s has %d dimensions there and %d in the data set",
                        e->path, var->name, in_file->rank, var->rank);
    for (int a = 0; a < var->rank; a++) {
        const nci_dimension *ours = &e->model->dims[var->dims[a]];
        const nci_dim *theirs = &e->header->dims[in_file->dims[a]];
        if (strcmp(ours->name, theirs->name) != 0)
            return nci_fail(err, NCG_EMISMATCH,
                            "%s: dimension %d of %s is %s there and %s in the "
                            "data set",
                            e->path, a, var->name, theirs->name, ours->name);
        if (e->starts[var->dims[a]] < 0 && ours->size != theirs->size)
            return nci_fail(err, NCG_EMISMATCH,
                            "%s: dimension %s has %" PRId64
                            " positions there and %" PRId64 " in the data set",
                            e->path, ours->name, theirs->size, ours->size);
    }
    return NCG_OK;
}

static ncg_status check_kind(const nci_extending *e, const nci_variable *var,
                             const nci_var *in_file, ncg_error *err)
{
    bool number = nci_variable_is_numeric(var);
    const char *a = nci_attrs_text(&var->attrs, "units");
    const char *b = nci_attrs_text(&in_file->attrs, "units");
    const char *is_unsigned = nci_attrs_text(&in_file->attrs, "_Unsigned");
    if (is_unsigned && !strcmp(is_unsigned, "true"))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: %s has the attribute _Unsigned, which cannot be "
                        "written into; save a new file",
                        e->path, var->name);
    if (in_file->klass != NCI_VAR_PLAIN ||
        number != nci_dtype_is_numeric(in_file->dtype) ||
        (!number && in_file->dtype != var->array->dtype))
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %s is %s there and %s in the data set", e->path,
                        var->name, ncg_dtype_name(in_file->dtype),
                        ncg_dtype_name(var->array->dtype));
    if (a && b && !(nci_time_is_units(a) && nci_time_is_units(b)) &&
        !nci_units_equal(a, b))
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %s is in %.60s there and in %.60s in the data set",
                        e->path, var->name, b, a);
    return NCG_OK;
}

/* What is not written says the same in both. */
static ncg_status check_same(const nci_extending *e, int v, ncg_error *err)
{
    const nci_combining how = {0};
    const nci_variable *var = &e->model->vars[v];
    const nci_model *old = e->old->model;
    bool same = false;
    if (var->kind == NCI_KIND_DATA)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s does not lie along what is extended: drop it first",
                        var->name);
    int w = nci_model_find_var(old, var->name);
    if (w < 0 || !var->array || !old->vars[w].array ||
        var->array->kind != NCI_NODE_CONST ||
        old->vars[w].array->kind != NCI_NODE_CONST)
        return NCG_OK;
    NCI_TRY(nci_variables_equal(&how, e->model, v, old, w, &same, err));
    return same ? NCG_OK
                : nci_fail(err, NCG_EMISMATCH,
                           "%s: %s has other values there than in the data set",
                           e->path, var->name);
}

/* A variable of the file that is not written would be without values. */
static ncg_status check_left(const nci_extending *e, ncg_error *err)
{
    for (size_t i = 0; e->is_append && i < e->header->nvars; i++) {
        const nci_var *in_file = &e->header->vars[i];
        for (int a = 0; a < in_file->rank; a++) {
            const char *dim = e->header->dims[in_file->dims[a]].name;
            int d = nci_model_find_dim(e->model, dim);
            if (d >= 0 && e->starts[d] >= 0 &&
                nci_model_find_var(e->model, in_file->name) < 0)
                return nci_fail(err, NCG_EMISMATCH,
                                "%s: %s lies along %s, and the data set does "
                                "not have it: assign it first",
                                e->path, in_file->name, dim);
        }
    }
    return NCG_OK;
}

/* ---- coordinates --------------------------------------------------------- */

static int direction(const nci_index *index)
{
    if (index->count < 2 || index->is_text)
        return index->is_text ? 0 : 1;
    return index->labels[0] < index->labels[index->count - 1] ? 1 : -1;
}

static ncg_status check_continues(const nci_extending *e, const nci_index *ours,
                                  const nci_index *theirs, ncg_error *err)
{
    char a[NCI_LABEL_TEXT], b[NCI_LABEL_TEXT];
    int way = direction(theirs->count > 1 ? theirs : ours);
    if (!theirs->count || !ours->count || !way)
        return NCG_OK;
    nci_us last = theirs->labels[theirs->count - 1], first = ours->labels[0];
    if (way > 0 ? first > last : first < last)
        return NCG_OK;
    return nci_fail(err, NCG_EMISMATCH,
                    "%s ends at %s %s, and the data begin at %s: select what "
                    "is new, or write it as a region",
                    e->path, ours->name,
                    nci_index_text(theirs, theirs->count - 1, b),
                    nci_index_text(ours, 0, a));
}

/* A region lies where its coordinate says, unless the file does not know. */
static ncg_status check_region(const nci_extending *e, const nci_index *ours,
                               const nci_index *theirs, int64_t start,
                               ncg_error *err)
{
    char a[NCI_LABEL_TEXT], b[NCI_LABEL_TEXT];
    for (int64_t i = 0; i < ours->count && start + i < theirs->count; i++) {
        bool unknown = theirs->values && isnan(theirs->values[start + i]);
        if (unknown || ours->labels[i] == theirs->labels[start + i])
            continue;
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %s at position %" PRId64
                        " is %s there, and %s in the data set",
                        e->path, ours->name, start + i,
                        nci_index_text(theirs, start + i, b),
                        nci_index_text(ours, i, a));
    }
    return NCG_OK;
}

static ncg_status compare_indices(const nci_extending *e, size_t dim,
                                  const nci_index *ours,
                                  const nci_index *theirs, ncg_error *err)
{
    if (ours->var < 0 || theirs->var < 0)
        return NCG_OK;
    if (ours->is_text != theirs->is_text || ours->is_time != theirs->is_time ||
        (ours->is_time && ours->units.calendar != theirs->units.calendar))
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %s there and in the data set cannot be compared: "
                        "times, numbers or calendars differ",
                        e->path, ours->name);
    int64_t start = e->starts[dim];
    return e->is_append && start == theirs->count
               ? check_continues(e, ours, theirs, err)
               : check_region(e, ours, theirs, start, err);
}

static ncg_status check_index(const nci_extending *e, size_t dim,
                              ncg_error *err)
{
    nci_index ours = {.var = -1}, theirs = {.var = -1};
    const char *name = e->model->dims[dim].name;
    NCI_TRY(nci_index_read(e->model, name, &ours, err));
    ncg_status st = nci_index_read(e->old->model, name, &theirs, err);
    if (!st)
        st = compare_indices(e, dim, &ours, &theirs, err);
    nci_index_fini(&ours);
    nci_index_fini(&theirs);
    return st;
}

ncg_status nci_extend_check(const nci_extending *e, ncg_error *err)
{
    bool any = false;
    for (size_t v = 0; v < e->model->nvars; v++) {
        const nci_variable *var = &e->model->vars[v];
        if (!nci_extend_writes(e, var)) {
            NCI_TRY(check_same(e, (int)v, err));
            continue;
        }
        int at = nci_header_find_var(e->header, var->name);
        if (at < 0)
            return nci_fail(err, NCG_EMISMATCH,
                            "%s has no variable %s to write into; drop it, or "
                            "save a new file",
                            e->path, var->name);
        NCI_TRY(check_layout(e, var, &e->header->vars[at], err));
        NCI_TRY(check_kind(e, var, &e->header->vars[at], err));
        any = true;
    }
    if (!any)
        return nci_fail(err, NCG_EINVAL,
                        "no variable lies along what is extended");
    NCI_TRY(check_left(e, err));
    for (size_t d = 0; d < e->model->ndims; d++)
        if (e->starts[d] >= 0)
            NCI_TRY(check_index(e, d, err));
    return NCG_OK;
}
