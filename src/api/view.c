/* SPDX-License-Identifier: BSD-3-Clause */
/* The view of a graph: its layers as they were built, or as they will run. */
#include "api/walk.h"

#include "base/mem.h"
#include "graph/collect.h"
#include "graph/dump.h"

/* ---- the view: common
 * ----------------------------------------------------------- */

void nci_view_free(nci_view **slot)
{
    nci_view *view = *slot;
    *slot = NULL;
    if (!view)
        return;
    for (size_t i = 0; i < view->nlayers; i++) {
        nci_grid_fini(&view->layers[i].own);
        nci_free(view->layers[i].inputs);
    }
    nci_free(view->layers);
    nci_plan_free(&view->plan);
    nci_free(view);
}

static nci_view_layer *add_layer(nci_view *view, size_t ninputs, ncg_error *err)
{
    size_t *inputs = nci_calloc(ninputs + 1, sizeof *inputs);
    if (!inputs || !nci_grow(&view->layers, &view->capacity, view->nlayers + 1,
                             sizeof *view->layers)) {
        nci_free(inputs);
        nci_fail(err, NCG_ENOMEM, "out of memory");
        return NULL;
    }
    nci_view_layer *layer = &view->layers[view->nlayers++];
    *layer = (nci_view_layer){.inputs = inputs, .ninputs = ninputs};
    return layer;
}

int64_t nci_view_find(const nci_view *view, nci_token token)
{
    for (size_t i = 0; i < view->nlayers; i++)
        if (nci_token_equal(view->layers[i].token, token))
            return (int64_t)i;
    return -1;
}

/* ---- as built
 * --------------------------------------------------------------------- */

static const char *node_kind(const nci_node *node)
{
    switch (node->kind) {
    case NCI_NODE_SOURCE:
        return "source";
    case NCI_NODE_CONST:
        return "const";
    case NCI_NODE_SELECT:
        return "select";
    case NCI_NODE_MAP:
        return "map";
    case NCI_NODE_REDUCE:
        return "reduce";
    default:
        return "block";
    }
}

static const char *op_name(ncg_op op)
{
#define OP_VERB(name, value, verb, method) verb,
    static const char *const names[] = {NCG_OP_MAP(OP_VERB)};
    return (unsigned)op < NCG_OP_COUNT_ ? names[op] : "?";
}

static const char *node_kernel(const nci_node *node)
{
    switch (node->kind) {
    case NCI_NODE_MAP:
        return nci_map_op_name(node->map);
    case NCI_NODE_REDUCE:
        return op_name(node->reduce.op);
    case NCI_NODE_BLOCK:
        return node->block.kernel;
    default:
        return node_kind(node);
    }
}

static ncg_status add_node(nci_view *view, const nci_collection *all,
                           const nci_node *node, ncg_error *err)
{
    nci_view_layer *layer = add_layer(view, (size_t)node->ninputs, err);
    if (!layer)
        return NCG_ENOMEM;
    layer->token = node->token;
    layer->name = node->name ? node->name : "array";
    layer->kind = node_kind(node);
    layer->kernel = node_kernel(node);
    layer->node = node;
    layer->dtype = node->dtype;
    for (int i = 0; i < node->ninputs; i++)
        layer->inputs[i] =
            (size_t)nci_collect_find(all, node->inputs[i].node->token);
    NCI_TRY(nci_node_grid(node, &layer->own, err));
    layer->ntasks = nci_grid_nchunks(&layer->own);
    return NCG_OK;
}

static ncg_status add_tasks(nci_view *view, nci_tasks *tasks, ncg_error *err)
{
    int narrays = 0;
    nci_node *const *arrays = nci_tasks_arrays(tasks, &narrays);
    nci_view_layer *layer = add_layer(view, (size_t)narrays, err);
    if (!layer)
        return NCG_ENOMEM;
    layer->token = nci_tasks_token(tasks);
    layer->name = layer->kind = "tasks";
    layer->kernel = "functions of the program";
    layer->tasks = tasks;
    layer->ntasks = nci_tasks_count(tasks);
    for (int i = 0; i < narrays; i++)
        layer->inputs[i] = (size_t)nci_view_find(view, arrays[i]->token);
    return NCG_OK;
}

/* Roots that stand for others (persisted) go by the names of those. */
static void rename_roots(nci_view *view, const ncg_graph *graph)
{
    for (size_t i = 0; i < graph->nroots; i++) {
        int64_t at = nci_view_find(view, graph->roots[i].node->token);
        if (at >= 0 && nci_view_find(view, graph->roots[i].token) < 0)
            view->layers[at].token = graph->roots[i].token;
    }
}

static ncg_status view_nodes(nci_view *view, const ncg_graph *graph,
                             ncg_error *err)
{
    nci_collection all = {0};
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < graph->nroots; i++)
        st = nci_collect(&all, graph->roots[i].node, err);
    for (size_t i = 0; !st && i < graph->ntasks; i++) {
        int n = 0;
        nci_node *const *arrays = nci_tasks_arrays(graph->tasks[i], &n);
        for (int k = 0; !st && k < n; k++)
            st = nci_collect(&all, arrays[k], err);
    }
    for (size_t i = 0; !st && i < all.count; i++)
        st = add_node(view, &all, all.nodes[i], err);
    for (size_t i = 0; !st && i < graph->ntasks; i++)
        st = add_tasks(view, graph->tasks[i], err);
    nci_collect_fini(&all);
    if (!st)
        rename_roots(view, graph);
    return st;
}

/* ---- as it runs
 * -------------------------------------------------------------------- */

typedef struct lowering {
    nci_output *outputs;
    nci_grid *grids;
    int64_t *list; /* 0, 1, 2 ... for all explicit tasks */
    int count;
} lowering;

static void lowering_fini(lowering *lw)
{
    for (int i = 0; lw->grids && i < lw->count; i++)
        nci_grid_fini(&lw->grids[i]);
    nci_free(lw->outputs);
    nci_free(lw->grids);
    nci_free(lw->list);
}

static ncg_status add_root(lowering *lw, const nci_root *root, ncg_error *err)
{
    NCI_TRY(nci_node_grid(root->node, &lw->grids[lw->count], err));
    lw->outputs[lw->count] = (nci_output){.node = root->node,
                                          .dtype = root->node->dtype,
                                          .grid = &lw->grids[lw->count]};
    lw->count++;
    return NCG_OK;
}

static ncg_status list_tasks(lowering *lw, const ncg_graph *graph,
                             ncg_error *err)
{
    int64_t most = 0;
    for (size_t i = 0; i < graph->ntasks; i++) {
        int64_t n = nci_tasks_count(graph->tasks[i]);
        most = n > most ? n : most;
    }
    lw->list = nci_alloc(((size_t)most + 1) * sizeof *lw->list);
    if (!lw->list)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < most; i++)
        lw->list[i] = i;
    for (size_t i = 0; i < graph->ntasks; i++)
        lw->outputs[lw->count++] =
            (nci_output){.tasks = graph->tasks[i],
                         .list = lw->list,
                         .nlist = nci_tasks_count(graph->tasks[i])};
    return NCG_OK;
}

static ncg_status lower(const ncg_graph *graph, nci_plan **out, ncg_error *err)
{
    size_t n = graph->nroots + graph->ntasks + 1;
    lowering lw = {nci_calloc(n, sizeof *lw.outputs),
                   nci_calloc(n, sizeof *lw.grids), NULL, 0};
    ncg_status st = NCG_OK;
    if (!lw.outputs || !lw.grids)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < graph->nroots; i++)
        st = add_root(&lw, &graph->roots[i], err);
    if (!st)
        st = list_tasks(&lw, graph, err);
    if (!st)
        st = nci_lower(lw.outputs, lw.count, out, err);
    lowering_fini(&lw);
    return st;
}

/* Levels of one reduction share a token; here each gets its own. */
static nci_token distinct(const nci_view *view, nci_token token)
{
    for (int64_t n = 1; nci_view_find(view, token) >= 0; n++) {
        nci_hash hash;
        nci_hash_init(&hash, "ncgraph.level/1");
        nci_hash_token(&hash, token);
        nci_hash_i64(&hash, n);
        token = nci_hash_done(&hash);
    }
    return token;
}

static ncg_status add_planned(nci_view *view, const nci_layer *from,
                              nci_token token, ncg_error *err)
{
    token = distinct(view, token);
    nci_view_layer *layer = add_layer(view, 0, err);
    if (!layer)
        return NCG_ENOMEM;
    nci_free(layer->inputs);
    layer->inputs =
        nci_calloc((size_t)from->ninputs + 1, sizeof *layer->inputs);
    if (!layer->inputs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    layer->token = token;
    layer->name = from->name;
    layer->kind = nci_layer_kind_name(from);
    layer->kernel = nci_layer_kernel(from);
    layer->layer = from;
    layer->grid = &from->grid;
    layer->dtype = from->array.rank || from->kind == NCI_LAYER_STORE
                       ? from->dtype
                       : NCG_DTYPE_NONE;
    layer->ntasks = from->ntasks;
    if (from->kind == NCI_LAYER_TASKS)
        layer->tasks = from->tasks.tasks;
    for (int i = 0; i < from->ninputs; i++)
        if (i != from->tasks.self || from->kind != NCI_LAYER_TASKS)
            layer->inputs[layer->ninputs++] = (size_t)from->inputs[i].layer;
    return NCG_OK;
}

/* What stores a root goes by the root's name: its keys are those asked for. */
static nci_token planned_token(const ncg_graph *graph, const nci_layer *layer)
{
    size_t output = (size_t)layer->store.output;
    if (layer->kind == NCI_LAYER_TASKS)
        return nci_tasks_token(layer->tasks.tasks);
    if (layer->kind == NCI_LAYER_STORE && output < graph->nroots)
        return graph->roots[output].token;
    return layer->token;
}

static ncg_status view_plan(nci_view *view, const ncg_graph *graph,
                            ncg_error *err)
{
    NCI_TRY(lower(graph, &view->plan, err));
    for (int i = 0; i < view->plan->nlayers; i++) {
        const nci_layer *layer = &view->plan->layers[i];
        NCI_TRY(add_planned(view, layer, planned_token(graph, layer), err));
    }
    return NCG_OK;
}

/* ---- both
 * -----------------------------------------------------------------------------
 */

static ncg_status make_view(const ncg_graph *graph, nci_view **out,
                            ncg_error *err)
{
    nci_view *view = nci_calloc(1, sizeof *view);
    if (!view)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = graph->is_optimized ? view_plan(view, graph, err)
                                        : view_nodes(view, graph, err);
    for (size_t i = 0; i < view->nlayers; i++)
        if (!view->layers[i].grid)
            view->layers[i].grid = &view->layers[i].own;
    if (st)
        nci_view_free(&view);
    else
        *out = view;
    return st;
}

ncg_status nci_graph_view(ncg_graph *graph, const nci_view **out,
                          ncg_error *err)
{
    NCI_TRY(nci_handle_check(&graph->handle, NCI_HANDLE_GRAPH, err));
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&graph->lock);
    if (!graph->view)
        st = make_view(graph, &graph->view, err);
    *out = graph->view;
    pthread_mutex_unlock(&graph->lock);
    return st;
}

void nci_view_key(const nci_view_layer *layer, int64_t i, ncg_key *out)
{
    *out = (ncg_key){.rank = layer->tasks ? 1 : layer->grid->rank};
    nci_token_text(layer->token, out->layer);
    if (layer->tasks)
        out->index[0] = i;
    else
        nci_grid_index(layer->grid, i, out->index);
}
