/* SPDX-License-Identifier: BSD-3-Clause */
/* BLOCK nodes as layers: their reach, in positions, becomes relations between
 * chunks once the inputs have theirs. */
#include <string.h>

#include "base/mem.h"
#include "graph/lower.h"
#include "graph/relation.h"

static ncg_status relate_arg(const nci_lowering *lw, nci_layer *layer,
                             const nci_block_arg *arg, int from_layer,
                             ncg_error *err)
{
    nci_layer_input *input = nci_lower_add_input(layer, from_layer, err);
    if (!input)
        return NCG_ENOMEM;
    const nci_layer *from = &lw->plan->layers[from_layer];
    int axes[NCG_MAX_RANK];
    int n = nci_layer_array_axes(from, axes);
    for (int a = 0; a < n; a++) {
        int d = arg->reach[a].from;
        if (d < 0)
            continue;
        input->from[axes[a]] = d;
        NCI_TRY(nci_relation_from_reach(&arg->reach[a],
                                        layer->grid.axis[d].nchunks,
                                        &from->array.axis[a],
                                        &input->relation[axes[a]], err));
    }
    return NCG_OK;
}

static ncg_status copy_arg(const nci_node *node, int i, nci_block_arg *arg,
                           ncg_error *err)
{
    const nci_node *input = node->inputs[i].node;
    arg->dtype = input->dtype;
    arg->has_missing = input->has_missing;
    memcpy(arg->missing, input->missing, sizeof arg->missing);
    arg->rank = input->rank;
    memcpy(arg->shape, input->shape, sizeof arg->shape);
    for (int a = 0; a < input->rank; a++) {
        const nci_reach *reach = &node->block.reach[i * NCG_MAX_RANK + a];
        int64_t n = reach->from < 0 ? 0 : node->grid.axis[reach->from].nchunks;
        NCI_TRY(nci_reach_copy(reach, n, &arg->reach[a], err));
    }
    return NCG_OK;
}

static ncg_status fill_layer(nci_lowering *lw, nci_layer *layer,
                             const nci_node *node, const int *layers,
                             ncg_error *err)
{
    nci_block_work *work = &layer->block;
    NCI_TRY(nci_grid_copy(&node->grid, &layer->grid, err));
    NCI_TRY(nci_grid_copy(&node->grid, &layer->array, err));
    work->kernel = node->block.kernel;
    work->params = nci_buf_retain(node->block.params);
    work->has_missing = node->has_missing;
    memcpy(work->missing, node->missing, sizeof work->missing);
    work->args = nci_calloc((size_t)node->ninputs + 1, sizeof *work->args);
    if (!work->args)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < node->ninputs; i++) {
        work->nargs = i + 1;
        NCI_TRY(copy_arg(node, i, &work->args[i], err));
        NCI_TRY(relate_arg(lw, layer, &work->args[i], layers[i], err));
    }
    return NCG_OK;
}

/* "ncg.sort/1" is "sort" for people. */
static void short_name(const char *kernel, char *out, size_t size)
{
    const char *dot = strrchr(kernel, '.');
    const char *from = dot ? dot + 1 : kernel;
    size_t n = strcspn(from, "/");
    n = n < size - 1 ? n : size - 1;
    memcpy(out, from, n);
    out[n] = 0;
}

ncg_status nci_lower_block(nci_lowering *lw, nci_node *node, int *out,
                           ncg_error *err)
{
    char what[64];
    int *layers = nci_alloc(((size_t)node->ninputs + 1) * sizeof *layers);
    ncg_status st =
        layers ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < node->ninputs; i++)
        st = nci_lower_array(lw, node->inputs[i].node, &layers[i], err);
    short_name(node->block.kernel, what, sizeof what);
    nci_layer *layer = NULL;
    if (!st && !(layer = nci_lower_add_layer(lw, NCI_LAYER_BLOCK, node, what,
                                             err)))
        st = NCG_ENOMEM;
    if (!st) {
        *out = lw->plan->nlayers - 1;
        st = fill_layer(lw, layer, node, layers, err);
    }
    nci_free(layers);
    return st;
}
