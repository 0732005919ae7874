/* SPDX-License-Identifier: BSD-3-Clause */
/* Building a model from another: the small tools that the operations share. */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/ops.h"

ncg_status nci_array_f64(ncg_dtype dtype, int rank, const int64_t *shape,
                         const double *values, nci_node **out, ncg_error *err)
{
    nci_box box = nci_box_whole(rank, shape);
    int64_t n = nci_box_size(&box);
    size_t size = ncg_dtype_size(dtype), nbytes;
    nci_buf *buf = NULL;
    if (!nci_mul_size((size_t)n, size, &nbytes))
        return nci_fail(err, NCG_ENOMEM, "array too large");
    NCI_TRY(nci_buf_create(nbytes, &buf, err));
    char *data = nci_buf_data(buf);
    for (int64_t i = 0; i < n; i++)
        nci_dtype_put(dtype, data + (size_t)i * size, values[i]);
    ncg_status st = nci_node_const(dtype, rank, shape, buf, NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

/* The first value along axes of size 1 is the only one; for integers that
 * double cannot hold, which a map would round. */
static ncg_status squeeze_by_first(nci_node *input, const bool *drop,
                                   nci_node **out, ncg_error *err)
{
    nci_reduce reduce = {.op = NCG_OP_FIRST, .label_axis = -1};
    for (int a = 0; a < input->rank; a++)
        reduce.over[a] = drop[a];
    return nci_node_reduce(input, &reduce, NULL, out, err);
}

ncg_status nci_array_squeeze(nci_node *input, const bool *drop, nci_node **out,
                             ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK];
    nci_operand operand = {.node = input};
    int rank = 0;
    for (int a = 0; a < input->rank; a++) {
        if (drop[a])
            continue;
        operand.axis[rank] = a;
        shape[rank++] = input->shape[a];
    }
    if (rank == input->rank) {
        *out = nci_node_retain(input);
        return NCG_OK;
    }
    if (input->kind == NCI_NODE_CONST)
        return nci_node_const(input->dtype, rank, shape, input->data,
                              input->has_missing ? input->missing : NULL, out,
                              err);
    /* An element-wise map is fused into what follows, a reduction is not. */
    if (!nci_dtype_is_wide(input->dtype) &&
        !nci_node_map(NCI_MAP_CAST, input->dtype, rank, shape, &operand, 1, out,
                      NULL))
        return NCG_OK;
    return squeeze_by_first(input, drop, out, err);
}

/* ---- models ----------------------------------------------------------------
 */

ncg_status nci_model_begin(const nci_model *model, nci_model **out,
                           ncg_error *err)
{
    nci_model *fresh = NULL;
    NCI_TRY(nci_model_copy(model, &fresh, err));
    while (fresh->nvars)
        nci_model_remove_var(fresh, fresh->nvars - 1);
    *out = fresh;
    return NCG_OK;
}

nci_variable *nci_model_add_like(nci_model *model, const nci_variable *var,
                                 ncg_error *err)
{
    nci_variable *fresh = nci_model_add_var(model, var->name);
    if (!fresh || !nci_attrs_copy(&var->attrs, &fresh->attrs)) {
        nci_fail(err, NCG_ENOMEM, "%s: out of memory", var->name);
        return NULL;
    }
    fresh->kind = var->kind;
    fresh->storage = var->storage;
    fresh->stored = var->stored;
    fresh->is_enum = var->is_enum;
    fresh->is_asked = var->is_asked;
    fresh->is_weights = var->is_weights;
    fresh->note = var->note;
    fresh->sizes = var->sizes ? nci_node_retain(var->sizes) : NULL;
    return fresh;
}

void nci_variable_set_dims(nci_variable *to, const nci_variable *from,
                           const bool *drop)
{
    to->rank = 0;
    for (int a = 0; a < from->rank; a++) {
        if (drop && drop[a])
            continue;
        to->storage.chunk[to->rank] = from->storage.chunk[a];
        to->dims[to->rank++] = from->dims[a];
    }
}

static bool is_used(const nci_model *model, int dim)
{
    for (size_t i = 0; i < model->nvars; i++)
        if (nci_variable_axis(&model->vars[i], dim) >= 0)
            return true;
    return false;
}

static void remove_dim(nci_model *model, int dim)
{
    nci_free(model->dims[dim].name);
    memmove(&model->dims[dim], &model->dims[dim + 1],
            (model->ndims - (size_t)dim - 1) * sizeof *model->dims);
    model->ndims--;
    for (size_t i = 0; i < model->nvars; i++)
        for (int a = 0; a < model->vars[i].rank; a++)
            model->vars[i].dims[a] -= model->vars[i].dims[a] > dim;
    if (model->join_dim == dim) {
        nci_free(model->file_of);
        model->file_of = NULL;
        model->join_dim = -1;
    } else if (model->join_dim > dim) {
        model->join_dim--;
    }
}

void nci_model_prune(nci_model *model)
{
    for (int d = (int)model->ndims - 1; d >= 0; d--)
        if (!is_used(model, d))
            remove_dim(model, d);
}

bool nci_attrs_put_like(nci_attrs *attrs, const char *name, const char *text)
{
    const nci_attr *old = nci_attrs_find(attrs, name);
    if (!old || old->dtype != NCG_DTYPE_STRING)
        return nci_attrs_put_text(attrs, name, text);
    const char *word = nci_intern(text);
    return word && nci_attrs_put(attrs, name, NCG_DTYPE_STRING, 1, &word);
}
