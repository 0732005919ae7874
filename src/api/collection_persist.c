/* SPDX-License-Identifier: BSD-3-Clause */
/* Persisting collections: the arrays and explicit tasks that their keys name are
 * computed in one run, their chunks and values stay in the engine, and each
 * collection is rebuilt on them by its own postpersist. */
#include <string.h>

#include "api/graph.h"
#include "api/protocol.h"
#include "api/results.h"
#include "base/mem.h"

/* The lists of tasks that hold the values of `values`. */
static ncg_status add_values(ncg_graph *persisted, const ncg_results *values,
                             ncg_error *err)
{
    for (size_t i = 0; values && i < values->nitems; i++)
        NCI_TRY(nci_graph_add_tasks(persisted, values->items[i].held, err));
    return NCG_OK;
}

/* The arrays that the keys name, each with the part of the keys it is of. */
static ncg_status find_arrays(const ncg_graph *graph, const ncg_keys *keys,
                              nci_node **nodes, size_t *part_of, size_t *n,
                              ncg_error *err)
{
    for (size_t i = 0; i < keys->nparts; i++) {
        char text[33];
        nci_token token = keys->parts[i].token;
        nci_node *node = NULL;
        if (nci_graph_find_tasks(graph, token))
            continue;
        NCI_TRY(nci_graph_find(graph, token, &node, err));
        nci_token_text(token, text);
        if (!node)
            return nci_fail(err, NCG_EINVAL,
                            "a key is of layer %s, which the graph does not "
                            "have",
                            text);
        nodes[*n] = node;
        part_of[(*n)++] = i;
    }
    return NCG_OK;
}

/* The graph that has, under the same tokens, what the keys name: arrays on
 * chunks that are kept, tasks that give values that are. */
static ncg_status persist_graph(ncg_context *ctx, const ncg_graph *graph,
                                const ncg_keys *keys, ncg_graph **out,
                                ncg_error *err)
{
    size_t n = 0, *part_of = nci_calloc(keys->nparts + 1, sizeof *part_of);
    nci_node **nodes = nci_calloc(2 * keys->nparts + 1, sizeof *nodes);
    nci_node **kept = nodes ? nodes + keys->nparts : NULL;
    ncg_graph *persisted = NULL;
    ncg_results *values = NULL;
    ncg_status st = nodes && part_of
                        ? find_arrays(graph, keys, nodes, part_of, &n, err)
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = nci_results_of_tasks(ctx, graph, keys, &values, err);
    if (!st)
        st = nci_context_persist(ctx, nodes, n, values, kept, err);
    if (!st)
        st = nci_graph_create(&persisted, err);
    for (size_t i = 0; !st && i < n; i++)
        st = nci_graph_add_root(persisted, ctx, keys->parts[part_of[i]].token,
                                kept[i], err);
    if (!st)
        st = add_values(persisted, values, err);
    for (size_t i = 0; kept && i < n; i++)
        nci_node_release(&kept[i]);
    nci_free(nodes);
    nci_free(part_of);
    ncg_results_release(&values);
    if (st)
        ncg_graph_release(&persisted);
    else
        *out = persisted;
    return st;
}

static ncg_status rebuild(const ncg_collection *collections, size_t n,
                          ncg_graph *persisted, ncg_collection *made,
                          ncg_error *err)
{
    for (size_t i = 0; i < n; i++)
        NCI_TRY(collections[i].type->postpersist(collections[i].self, persisted,
                                                 &made[i], err));
    return NCG_OK;
}

static ncg_status persist(ncg_context *ctx, const ncg_collection *collections,
                          size_t n, ncg_collection *made, ncg_error *err)
{
    ncg_graph *graph = NULL, *persisted = NULL;
    ncg_keys *keys = NULL;
    ncg_status st =
        nci_collections_merge(collections, n, NULL, &graph, &keys, err);
    if (!st)
        st = persist_graph(ctx, graph, keys, &persisted, err);
    if (!st)
        st = rebuild(collections, n, persisted, made, err);
    ncg_graph_release(&graph);
    ncg_graph_release(&persisted);
    ncg_keys_release(&keys);
    return st;
}

ncg_status ncg_persist(ncg_context *ctx, const ncg_collection *collections,
                       size_t n, ncg_collection *out, ncg_error *err)
{
    if (!ctx)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    NCI_TRY(nci_collections_check(collections, n, out, err));
    for (size_t i = 0; i < n; i++)
        if (!collections[i].type->postpersist)
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "a collection of type %s cannot be persisted",
                            collections[i].type->name);
    ncg_collection *made = nci_calloc(n + 1, sizeof *made);
    if (!made)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = persist(ctx, collections, n, made, err);
    for (size_t i = 0; st && i < n; i++)
        ncg_collection_release(&made[i]);
    if (!st && n)
        memcpy(out, made, n * sizeof *made);
    nci_free(made);
    return st;
}
