/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Creation, counting and tokens of nodes. A node is complete when its _create
 * function returns; nothing changes afterwards but the count.
 */
#include "graph/node.h"

#include <stdatomic.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/node_internal.h"

nci_node *nci_node_retain(nci_node *node)
{
    if (node)
        atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

static void free_picks(nci_node *node)
{
    for (int d = 0; node->picks && d < node->rank; d++)
        nci_free((void *)node->picks[d].index);
    nci_free(node->picks);
}

static void free_block(nci_node *node)
{
    nci_reach *reach = node->block.reach;
    for (int i = 0; reach && i < node->ninputs * NCG_MAX_RANK; i++) {
        nci_free(reach[i].low);
        nci_free(reach[i].high);
    }
    nci_free(reach);
    nci_buf_release(&node->block.params);
}

void nci_node_release(nci_node **slot)
{
    nci_node *node = *slot;
    *slot = NULL;
    if (!node ||
        atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_block(node);
    for (int i = 0; i < node->ninputs; i++)
        nci_node_release(&node->inputs[i].node);
    nci_free(node->inputs);
    free_picks(node);
    nci_grid_fini(&node->grid);
    nci_buf_release(&node->data);
    nci_free((void *)node->reduce.labels);
    nci_free(node);
}

nci_node *nci_node_alloc(nci_node_kind kind, ncg_dtype dtype, int rank,
                         int ninputs, ncg_error *err)
{
    nci_node *node = nci_calloc(1, sizeof *node);
    if (node)
        node->inputs = nci_calloc((size_t)ninputs + 1, sizeof *node->inputs);
    if (!node || !node->inputs) {
        nci_free(node);
        nci_fail(err, NCG_ENOMEM, "out of memory");
        return NULL;
    }
    atomic_init(&node->refs, 1);
    node->kind = kind;
    node->dtype = dtype;
    node->rank = rank;
    node->reduce.label_axis = -1;
    return node;
}

ncg_status nci_node_deepen(nci_node *node, ncg_error *err)
{
    for (int i = 0; i < node->ninputs; i++)
        if (node->inputs[i].node->depth >= node->depth)
            node->depth = node->inputs[i].node->depth + 1;
    return node->depth <= NCI_NODE_DEPTH
               ? NCG_OK
               : nci_fail(err, NCG_EUNSUPPORTED,
                          "more than %d operations one upon another: persist "
                          "or compute the array in between, or stack what is "
                          "added up and reduce it",
                          NCI_NODE_DEPTH);
}

void nci_node_set_missing(nci_node *node, const nci_node *from)
{
    node->has_missing = from->has_missing;
    memcpy(node->missing, from->missing, sizeof node->missing);
}

void nci_node_hash_common(const nci_node *node, nci_hash *hash)
{
    nci_hash_init(hash, "ncgraph.node/1");
    nci_hash_i64(hash, node->kind);
    nci_hash_i64(hash, node->dtype);
    nci_hash_bytes(hash, node->shape, (size_t)node->rank * sizeof(int64_t));
    nci_hash_i64(hash, node->has_missing);
    nci_hash_bytes(hash, node->missing, sizeof node->missing);
    for (int i = 0; i < node->ninputs; i++) {
        nci_hash_token(hash, node->inputs[i].node->token);
        nci_hash_bytes(hash, node->inputs[i].axis,
                       (size_t)node->rank * sizeof(int));
    }
}

int64_t nci_node_stored(const nci_source_spec *spec)
{
    size_t most = 0;
    for (size_t i = 0; i < spec->nsegments; i++) {
        const nci_segment *s = &spec->segments[i];
        size_t size = s->var < 0 ? 0 : ncg_dtype_size(s->decode.raw);
        most = size > most ? size : most;
    }
    return (int64_t)(most ? most : ncg_dtype_size(spec->dtype));
}

ncg_status nci_node_source(uint32_t id, const nci_source_spec *spec,
                           nci_node **out, ncg_error *err)
{
    nci_node *node =
        nci_node_alloc(NCI_NODE_SOURCE, spec->dtype, spec->rank, 0, err);
    if (!node)
        return NCG_ENOMEM;
    memcpy(node->shape, spec->shape, sizeof node->shape);
    node->has_missing = spec->has_missing;
    memcpy(node->missing, spec->missing, sizeof node->missing);
    node->source = id;
    node->stored = nci_node_stored(spec);
    node->token = spec->token;
    ncg_status st = nci_grid_copy(&spec->grid, &node->grid, err);
    if (st) {
        nci_node_release(&node);
        return st;
    }
    *out = node;
    return NCG_OK;
}

ncg_status nci_node_const(ncg_dtype dtype, int rank, const int64_t *shape,
                          nci_buf *data, const void *missing, nci_node **out,
                          ncg_error *err)
{
    size_t size = ncg_dtype_size(dtype), nbytes = size;
    for (int d = 0; d < rank; d++)
        if (shape[d] < 0 || !nci_mul_size(nbytes, (size_t)shape[d], &nbytes))
            return nci_fail(err, NCG_EINVAL, "array too large");
    if (nci_buf_size(data) < nbytes)
        return nci_fail(err, NCG_EINVAL, "%zu bytes given for %zu",
                        nci_buf_size(data), nbytes);
    nci_node *node = nci_node_alloc(NCI_NODE_CONST, dtype, rank, 0, err);
    if (!node)
        return NCG_ENOMEM;
    if (rank)
        memcpy(node->shape, shape, (size_t)rank * sizeof *shape);
    if (missing && nci_dtype_is_integer(dtype)) {
        node->has_missing = true;
        memcpy(node->missing, missing, size);
    }
    node->data = nci_buf_retain(data);
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    nci_hash_bytes(&hash, nci_buf_data(data), nbytes);
    node->token = nci_hash_done(&hash);
    *out = node;
    return NCG_OK;
}
