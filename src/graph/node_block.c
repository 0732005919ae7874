/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BLOCK nodes: whatever is neither element-wise nor a reduction is a kernel
 * that makes a chunk from boxes of its inputs. Which boxes is data, not code,
 * so that plans can be walked, cut and sent without knowing the kernel.
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "graph/node_internal.h"

static ncg_status check_reach(const nci_reach *reach, const nci_grid *grid,
                              int64_t size, int input, int axis, ncg_error *err)
{
    if (reach->from < 0)
        return NCG_OK;
    if (reach->from >= grid->rank)
        return nci_fail(err, NCG_EINVAL,
                        "input %d follows axis %d of a result of rank %d",
                        input, reach->from, grid->rank);
    for (int64_t i = 0; i < grid->axis[reach->from].nchunks; i++)
        if (reach->low[i] < 0 || reach->high[i] > size ||
            reach->low[i] > reach->high[i])
            return nci_fail(err, NCG_EINVAL,
                            "chunk %lld needs [%lld, %lld) of axis %d of "
                            "input %d, which has %lld positions",
                            (long long)i, (long long)reach->low[i],
                            (long long)reach->high[i], axis, input,
                            (long long)size);
    return NCG_OK;
}

static ncg_status check_spec(const nci_block_spec *spec, ncg_error *err)
{
    if (!spec->kernel || !spec->grid || spec->grid->rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "no kernel or no chunks");
    for (int i = 0; i < spec->ninputs; i++)
        for (int a = 0; a < spec->inputs[i]->rank; a++)
            NCI_TRY(check_reach(&spec->reach[i * NCG_MAX_RANK + a], spec->grid,
                                spec->inputs[i]->shape[a], i, a, err));
    return NCG_OK;
}

ncg_status nci_reach_copy(const nci_reach *from, int64_t nchunks,
                          nci_reach *out, ncg_error *err)
{
    size_t nbytes = (size_t)nchunks * sizeof(int64_t);
    *out = (nci_reach){.from = from->from};
    if (from->from < 0)
        return NCG_OK;
    out->low = nci_alloc(nbytes);
    out->high = nci_alloc(nbytes);
    if (!out->low || !out->high)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (nbytes) {
        memcpy(out->low, from->low, nbytes);
        memcpy(out->high, from->high, nbytes);
    }
    return NCG_OK;
}

static int64_t chunks_along(const nci_reach *reach, const nci_grid *grid)
{
    return reach->from < 0 ? 0 : grid->axis[reach->from].nchunks;
}

static ncg_status copy_inputs(const nci_block_spec *spec, nci_node *node,
                              ncg_error *err)
{
    size_t n = (size_t)spec->ninputs * NCG_MAX_RANK;
    node->block.reach = nci_calloc(n + 1, sizeof *node->block.reach);
    if (!node->block.reach)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < spec->ninputs; i++) {
        node->inputs[i].node = nci_node_retain(spec->inputs[i]);
        node->ninputs = i + 1;
        for (int a = 0; a < spec->inputs[i]->rank; a++) {
            int at = i * NCG_MAX_RANK + a;
            const nci_reach *reach = &spec->reach[at];
            NCI_TRY(nci_reach_copy(reach, chunks_along(reach, spec->grid),
                                   &node->block.reach[at], err));
        }
    }
    return NCG_OK;
}

static ncg_status copy_params(const nci_block_spec *spec, nci_node *node,
                              ncg_error *err)
{
    node->block.kernel = nci_intern(spec->kernel);
    if (!node->block.kernel)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!spec->nparams)
        return NCG_OK;
    NCI_TRY(nci_buf_create(spec->nparams, &node->block.params, err));
    memcpy(nci_buf_data(node->block.params), spec->params, spec->nparams);
    return NCG_OK;
}

static void hash_reach(const nci_node *node, nci_hash *hash)
{
    for (int i = 0; i < node->ninputs; i++)
        for (int a = 0; a < node->inputs[i].node->rank; a++) {
            const nci_reach *reach = &node->block.reach[i * NCG_MAX_RANK + a];
            size_t nbytes = (size_t)chunks_along(reach, &node->grid) *
                            sizeof(int64_t);
            nci_hash_i64(hash, reach->from);
            if (reach->from < 0)
                continue;
            nci_hash_bytes(hash, reach->low, nbytes);
            nci_hash_bytes(hash, reach->high, nbytes);
        }
}

static void set_token(nci_node *node)
{
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    nci_hash_text(&hash, node->block.kernel);
    if (node->block.params)
        nci_hash_bytes(&hash, nci_buf_data(node->block.params),
                       nci_buf_size(node->block.params));
    for (int d = 0; d < node->rank; d++)
        nci_hash_bytes(&hash, node->grid.axis[d].edge,
                       ((size_t)node->grid.axis[d].nchunks + 1) *
                           sizeof(int64_t));
    hash_reach(node, &hash);
    node->token = nci_hash_done(&hash);
}

ncg_status nci_node_block(const nci_block_spec *spec, nci_node **out,
                          ncg_error *err)
{
    NCI_TRY(check_spec(spec, err));
    nci_node *node = nci_node_alloc(NCI_NODE_BLOCK, spec->dtype,
                                    spec->grid->rank, spec->ninputs, err);
    if (!node)
        return NCG_ENOMEM;
    if (spec->has_missing && nci_dtype_is_integer(spec->dtype)) {
        node->has_missing = true;
        memcpy(node->missing, spec->missing, sizeof node->missing);
    }
    for (int d = 0; d < node->rank; d++)
        node->shape[d] = nci_axis_size(&spec->grid->axis[d]);
    ncg_status st = nci_grid_copy(spec->grid, &node->grid, err);
    if (!st)
        st = copy_inputs(spec, node, err);
    if (!st)
        st = copy_params(spec, node, err);
    if (!st)
        st = nci_node_deepen(node, err);
    if (st) {
        nci_node_release(&node);
        return st;
    }
    node->name = spec->name      ? nci_intern(spec->name)
                 : node->ninputs ? node->inputs[0].node->name
                                 : NULL;
    set_token(node);
    *out = node;
    return NCG_OK;
}

ncg_status nci_node_block_on(nci_node *node, const nci_operand *inputs,
                             nci_node **out, ncg_error *err)
{
    bool same = true;
    for (int i = 0; i < node->ninputs; i++)
        same = same && inputs[i].node == node->inputs[i].node;
    if (same) {
        *out = nci_node_retain(node);
        return NCG_OK;
    }
    nci_node **nodes = nci_alloc(((size_t)node->ninputs + 1) * sizeof *nodes);
    if (!nodes)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < node->ninputs; i++)
        nodes[i] = inputs[i].node;
    nci_block_spec spec = {.name = node->name,
                           .kernel = node->block.kernel,
                           .dtype = node->dtype,
                           .has_missing = node->has_missing,
                           .grid = &node->grid,
                           .ninputs = node->ninputs,
                           .inputs = nodes,
                           .reach = node->block.reach};
    memcpy(spec.missing, node->missing, sizeof spec.missing);
    if (node->block.params) {
        spec.params = nci_buf_data(node->block.params);
        spec.nparams = nci_buf_size(node->block.params);
    }
    ncg_status st = nci_node_block(&spec, out, err);
    nci_free(nodes);
    return st;
}
