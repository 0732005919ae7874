/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Positions taken from dimensions, applied to every variable of a model. A
 * dimension that is dropped leaves its coordinate as a scalar coordinate.
 */
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

static bool is_whole(const nci_pick *pick, int64_t size)
{
    return !pick || (!pick->index && pick->start == 0 && pick->step == 1 &&
                     pick->count == size);
}

static int64_t pick_at(const nci_pick *pick, int64_t i)
{
    return pick->index ? pick->index[i] : pick->start + i * pick->step;
}

static ncg_status select_array(const nci_model *model, const nci_variable *var,
                               nci_node *array, const nci_pick *const *picks,
                               nci_node **out, ncg_error *err)
{
    nci_pick axes[NCG_MAX_RANK];
    bool whole = true;
    for (int a = 0; a < var->rank; a++) {
        int dim = var->dims[a];
        int64_t size = model->dims[dim].size;
        whole = whole && is_whole(picks[dim], size);
        axes[a] =
            picks[dim] ? *picks[dim] : (nci_pick){.count = size, .step = 1};
    }
    if (whole) {
        *out = nci_node_retain(array);
        return NCG_OK;
    }
    return nci_node_select(array, axes, out, err);
}

/* Text that is not in memory keeps a dropped dimension, with size 1: nothing
 * computes on text. */
static bool can_drop(const nci_variable *var)
{
    return var->array->kind == NCI_NODE_CONST || nci_variable_is_numeric(var);
}

static ncg_status pick_array(const nci_model *model, const nci_variable *var,
                             const nci_pick *const *picks, const bool *drop,
                             nci_variable *to, ncg_error *err)
{
    bool axes[NCG_MAX_RANK] = {false};
    nci_node *selected = NULL;
    for (int a = 0; a < var->rank; a++)
        axes[a] = drop && drop[var->dims[a]] && var->array && can_drop(var);
    nci_variable_set_dims(to, var, axes);
    if (!var->array)
        return NCG_OK;
    NCI_TRY(select_array(model, var, var->array, picks, &selected, err));
    ncg_status st = nci_array_squeeze(selected, axes, &to->array, err);
    nci_node_release(&selected);
    return st ? nci_error_wrap(err, "%s", var->name) : NCG_OK;
}

/* The points that are left do not tell how far apart they were. */
static ncg_status pick_sizes(const nci_model *model, int index,
                             const nci_pick *const *picks, const bool *drop,
                             nci_variable *to, ncg_error *err)
{
    const nci_variable *var = &model->vars[index];
    nci_node *sizes = NULL, *selected = NULL;
    if (var->rank != 1 || !picks[var->dims[0]] ||
        nci_model_coord(model, var->dims[0]) != index)
        return NCG_OK;
    nci_node_release(&to->sizes);
    NCI_TRY(nci_cell_sizes_before(model, index, &sizes, err));
    if (!sizes)
        return NCG_OK;
    bool axis = drop && drop[var->dims[0]];
    ncg_status st = select_array(model, var, sizes, picks, &selected, err);
    if (!st)
        st = nci_array_squeeze(selected, &axis, &to->sizes, err);
    nci_node_release(&selected);
    nci_node_release(&sizes);
    return st;
}

static ncg_status pick_files(const nci_pick *pick, nci_model *out,
                             ncg_error *err)
{
    int32_t *files = nci_alloc((size_t)pick->count * sizeof *files);
    if (!files)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < pick->count; i++)
        files[i] = out->file_of[pick_at(pick, i)];
    nci_free(out->file_of);
    out->file_of = files;
    return NCG_OK;
}

static ncg_status pick_dims(const nci_model *model,
                            const nci_pick *const *picks, const bool *drop,
                            nci_model *out, ncg_error *err)
{
    for (size_t d = 0; d < model->ndims; d++) {
        if (!picks[d])
            continue;
        if (drop && drop[d] && picks[d]->count != 1)
            return nci_fail(err, NCG_EINVAL,
                            "%s: %lld positions cannot be dropped",
                            model->dims[d].name, (long long)picks[d]->count);
        if ((int)d == model->join_dim && out->file_of)
            NCI_TRY(pick_files(picks[d], out, err));
        out->dims[d].size = picks[d]->count;
    }
    return NCG_OK;
}

ncg_status nci_model_pick(const nci_model *model, const nci_pick *const *picks,
                          const bool *drop, nci_model **out, ncg_error *err)
{
    nci_model *fresh = NULL;
    NCI_TRY(nci_model_begin(model, &fresh, err));
    ncg_status st = pick_dims(model, picks, drop, fresh, err);
    for (size_t i = 0; !st && i < model->nvars; i++) {
        const nci_variable *var = &model->vars[i];
        nci_variable *to = nci_model_add_like(fresh, var, err);
        st = to ? pick_array(model, var, picks, drop, to, err) : NCG_ENOMEM;
        if (!st)
            st = pick_sizes(model, (int)i, picks, drop, to, err);
    }
    if (!st)
        st = nci_cf_references(model, drop, fresh, err);
    if (st) {
        nci_model_release(&fresh);
        return st;
    }
    nci_model_prune(fresh);
    *out = fresh;
    return NCG_OK;
}
