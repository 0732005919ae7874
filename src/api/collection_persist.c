/* SPDX-License-Identifier: BSD-3-Clause */
/* Persisting collections: the arrays that their keys name are computed in one
 * run, their chunks stay in the engine, and each collection is rebuilt on them
 * by its own postpersist. */
#include <string.h>

#include "api/graph.h"
#include "api/protocol.h"
#include "base/mem.h"

/* The arrays that the keys name, and the graph that has, under the same
 * tokens, the persisted ones. */
static ncg_status persist_graph(ncg_context *ctx, const ncg_graph *graph,
                                const ncg_keys *keys, ncg_graph **out,
                                ncg_error *err)
{
    size_t n = 0;
    nci_node **nodes = nci_calloc(2 * keys->nparts + 1, sizeof *nodes);
    nci_node **kept = nodes ? nodes + keys->nparts : NULL;
    ncg_graph *persisted = NULL;
    ncg_status st = nodes ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < keys->nparts; i++) {
        st = nci_graph_find(graph, keys->parts[i].token, &nodes[n], err);
        if (!st && !nodes[n])
            st = nci_fail(err, NCG_EUNSUPPORTED,
                          "explicit tasks cannot be persisted: compute them, "
                          "or make arrays of their values");
        n++;
    }
    if (!st)
        st = nci_context_persist(ctx, nodes, n, kept, err);
    if (!st)
        st = nci_graph_create(&persisted, err);
    for (size_t i = 0; !st && i < n; i++)
        st = nci_graph_add_root(persisted, ctx, keys->parts[i].token, kept[i],
                                err);
    for (size_t i = 0; kept && i < n; i++)
        nci_node_release(&kept[i]);
    nci_free(nodes);
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
