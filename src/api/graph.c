/* SPDX-License-Identifier: BSD-3-Clause */
/* Graphs: what is to be computed, by token. Arrays bring their whole
 * expression with them, so merging is a union of roots. */
#include "api/graph.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "graph/collect.h"

/* ---- life ------------------------------------------------------------------
 */

ncg_status nci_graph_create(ncg_graph **out, ncg_error *err)
{
    ncg_graph *graph = nci_calloc(1, sizeof *graph);
    if (!graph)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_handle_init(&graph->handle, NCI_HANDLE_GRAPH);
    atomic_init(&graph->refs, 1);
    pthread_mutex_init(&graph->lock, NULL);
    *out = graph;
    return NCG_OK;
}

ncg_graph *ncg_graph_retain(ncg_graph *graph)
{
    if (!graph)
        return NULL;
    nci_handle_assert(&graph->handle, NCI_HANDLE_GRAPH, __func__);
    atomic_fetch_add_explicit(&graph->refs, 1, memory_order_relaxed);
    return graph;
}

void ncg_graph_release(ncg_graph **slot)
{
    ncg_graph *graph = slot ? *slot : NULL;
    if (!graph)
        return;
    nci_handle_assert(&graph->handle, NCI_HANDLE_GRAPH, __func__);
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&graph->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < graph->nroots; i++)
        nci_node_release(&graph->roots[i].node);
    for (size_t i = 0; i < graph->ntasks; i++)
        nci_tasks_release(&graph->tasks[i]);
    nci_view_free(&graph->view);
    nci_free(graph->roots);
    nci_free(graph->tasks);
    if (graph->ctx)
        nci_context_release(&graph->ctx);
    pthread_mutex_destroy(&graph->lock);
    nci_handle_free(&graph->handle);
}

/* ---- making
 * ------------------------------------------------------------------ */

static const nci_root *find_root(const ncg_graph *graph, nci_token token)
{
    for (size_t i = 0; i < graph->nroots; i++)
        if (nci_token_equal(graph->roots[i].token, token))
            return &graph->roots[i];
    return NULL;
}

ncg_status nci_graph_add_root(ncg_graph *graph, ncg_context *ctx,
                              nci_token token, nci_node *node, ncg_error *err)
{
    if (graph->ctx && ctx && graph->ctx != ctx)
        return nci_fail(err, NCG_EINVAL,
                        "arrays of two contexts in one graph: open the files "
                        "in one");
    if (!graph->ctx && ctx)
        graph->ctx = nci_context_retain(ctx);
    if (find_root(graph, token))
        return NCG_OK;
    if (!nci_grow(&graph->roots, &graph->roots_capacity, graph->nroots + 1,
                  sizeof *graph->roots))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    graph->roots[graph->nroots++] = (nci_root){token, nci_node_retain(node)};
    return NCG_OK;
}

/* Of the lists of one token the best is one that holds every value, then one
 * that can run every task. */
static int64_t worth_of(const nci_tasks *tasks)
{
    int64_t all = nci_tasks_count(tasks), held = nci_tasks_held(tasks);
    return held == all ? all + 1 : held < 0 ? all : held;
}

static void prefer(nci_tasks **have, nci_tasks *other)
{
    nci_tasks *before = *have;
    if (worth_of(other) <= worth_of(before))
        return;
    *have = nci_tasks_retain(other);
    nci_tasks_release(&before);
}

ncg_status nci_graph_add_tasks(ncg_graph *graph, nci_tasks *tasks,
                               ncg_error *err)
{
    for (size_t i = 0; i < graph->ntasks; i++)
        if (nci_token_equal(nci_tasks_token(graph->tasks[i]),
                            nci_tasks_token(tasks))) {
            prefer(&graph->tasks[i], tasks);
            return NCG_OK;
        }
    if (!nci_grow(&graph->tasks, &graph->tasks_capacity, graph->ntasks + 1,
                  sizeof *graph->tasks))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    graph->tasks[graph->ntasks++] = nci_tasks_retain(tasks);
    return NCG_OK;
}

static ncg_status finish(ncg_status st, ncg_graph *graph, ncg_graph **out)
{
    if (st)
        ncg_graph_release(&graph);
    else
        *out = graph;
    return st;
}

static ncg_status add_array(ncg_graph *graph, const ncg_array *array, size_t i,
                            ncg_error *err)
{
    if (!array)
        return nci_fail(err, NCG_EINVAL, "array %zu is NULL", i);
    NCI_TRY(nci_handle_check(&array->handle, NCI_HANDLE_ARRAY, err));
    return nci_graph_add_root(graph, array->ctx, array->node->token,
                              array->node, err);
}

ncg_status ncg_graph_of(ncg_array *const *arrays, size_t n, ncg_graph **out,
                        ncg_error *err)
{
    ncg_graph *graph = NULL;
    if ((n && !arrays) || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_create(&graph, err));
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < n; i++)
        st = add_array(graph, arrays[i], i, err);
    return finish(st, graph, out);
}

static ncg_status add_graph(ncg_graph *graph, const ncg_graph *from,
                            const ncg_keys *keys, ncg_error *err)
{
    for (size_t i = 0; i < from->nroots; i++)
        if (!keys || nci_keys_has(keys, from->roots[i].token))
            NCI_TRY(nci_graph_add_root(graph, from->ctx, from->roots[i].token,
                                       from->roots[i].node, err));
    for (size_t i = 0; i < from->ntasks; i++)
        if (!keys || nci_keys_has(keys, nci_tasks_token(from->tasks[i])))
            NCI_TRY(nci_graph_add_tasks(graph, from->tasks[i], err));
    return NCG_OK;
}

ncg_status ncg_graph_merge(ncg_graph *const *graphs, size_t n, ncg_graph **out,
                           ncg_error *err)
{
    ncg_graph *graph = NULL;
    if ((n && !graphs) || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_create(&graph, err));
    graph->is_optimized = n > 0;
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < n; i++) {
        st = graphs[i] ? nci_handle_check(&graphs[i]->handle, NCI_HANDLE_GRAPH,
                                          err)
                       : nci_fail(err, NCG_EINVAL, "graph %zu is NULL", i);
        if (st)
            break;
        graph->is_optimized = graph->is_optimized && graphs[i]->is_optimized;
        st = add_graph(graph, graphs[i], NULL, err);
    }
    return finish(st, graph, out);
}

/* Keys of arrays that are no roots bring those arrays to the surface. */
static ncg_status raise_inner(ncg_graph *graph, const ncg_graph *from,
                              const ncg_keys *keys, ncg_error *err)
{
    for (size_t i = 0; keys && i < keys->nparts; i++) {
        nci_token token = keys->parts[i].token;
        nci_node *node = NULL;
        NCI_TRY(nci_graph_find(from, token, &node, err));
        if (node)
            NCI_TRY(nci_graph_add_root(graph, from->ctx, token, node, err));
    }
    return NCG_OK;
}

/* Lowering pushes selections down and fuses; here what nobody needs is left
 * out, and the arrays stay known by their tokens. */
ncg_status ncg_graph_optimize(ncg_graph *from, const ncg_keys *keys,
                              ncg_graph **out, ncg_error *err)
{
    ncg_graph *graph = NULL;
    if (!from || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&from->handle, NCI_HANDLE_GRAPH, err));
    if (keys)
        NCI_TRY(nci_handle_check(&keys->handle, NCI_HANDLE_KEYS, err));
    NCI_TRY(nci_graph_create(&graph, err));
    ncg_status st = add_graph(graph, from, keys, err);
    if (!st)
        st = raise_inner(graph, from, keys, err);
    graph->is_optimized = true;
    return finish(st, graph, out);
}

/* ---- finding
 * ----------------------------------------------------------------- */

/* Inner arrays are looked for once in a while, so no table of them is kept. */
static ncg_status find_inner(const ncg_graph *graph, nci_token token,
                             nci_node **out, ncg_error *err)
{
    nci_collection all = {0};
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < graph->nroots; i++)
        st = nci_collect(&all, graph->roots[i].node, err);
    int64_t place = st ? -1 : nci_collect_find(&all, token);
    *out = place < 0 ? NULL : all.nodes[place];
    nci_collect_fini(&all);
    return st;
}

ncg_status nci_graph_find(const ncg_graph *graph, nci_token token,
                          nci_node **out, ncg_error *err)
{
    const nci_root *root = find_root(graph, token);
    if (!root)
        return find_inner(graph, token, out, err);
    *out = root->node;
    return NCG_OK;
}

nci_tasks *nci_graph_find_tasks(const ncg_graph *graph, nci_token token)
{
    for (size_t i = 0; i < graph->ntasks; i++)
        if (nci_token_equal(nci_tasks_token(graph->tasks[i]), token))
            return graph->tasks[i];
    return NULL;
}

ncg_status ncg_graph_array(ncg_graph *graph, const char *layer, ncg_array **out,
                           ncg_error *err)
{
    nci_token token;
    nci_node *node = NULL;
    if (!graph || !layer || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&graph->handle, NCI_HANDLE_GRAPH, err));
    if (nci_token_parse(layer, &token))
        NCI_TRY(nci_graph_find(graph, token, &node, err));
    if (!node)
        return nci_fail(err, NCG_EINVAL, "the graph has no array %.40s", layer);
    ncg_status st = nci_array_wrap(graph->ctx, nci_node_retain(node), out, err);
    if (st)
        nci_node_release(&node);
    return st;
}
