/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking graphs: layers, keys, what a key needs. */
#include "api/walk.h"

#include "base/mem.h"

/* ---- what a task needs
 * ------------------------------------------------------------------ */

typedef struct planned_walk {
    const nci_plan *plan;
    nci_view_fn visit;
    void *ctx;
} planned_walk;

static void visit_planned(void *ctx, int input, int64_t task)
{
    const planned_walk *w = ctx;
    const nci_layer *layer = nci_plan_layer(w->plan, task);
    (void)input;
    w->visit(w->ctx, (size_t)(layer - w->plan->layers), task - layer->base);
}

static void visit_tasks(const nci_view *view, size_t number, int64_t task,
                        nci_view_fn visit, void *ctx)
{
    const nci_view_layer *layer = &view->layers[number];
    int64_t count = 0, nforeign = 0;
    const int32_t *deps = nci_tasks_deps(layer->tasks, task, &count);
    const nci_foreign *foreign = nci_tasks_foreign(layer->tasks, &nforeign);
    for (int64_t i = 0; i < count; i++)
        if (deps[i] >= 0)
            visit(ctx, number, deps[i]);
        else
            visit(ctx, layer->inputs[foreign[~deps[i]].array],
                  foreign[~deps[i]].chunk);
}

static ncg_status visit_input(const nci_view *view, const nci_view_layer *layer,
                              int input, const int64_t *index,
                              nci_view_fn visit, void *ctx, ncg_error *err)
{
    const nci_grid *from = view->layers[layer->inputs[input]].grid;
    int64_t *lists[NCG_MAX_RANK], count[NCG_MAX_RANK], at[NCG_MAX_RANK] = {0};
    int64_t room = 1, total = 1;
    for (int a = 0; a < from->rank; a++)
        room += from->axis[a].nchunks;
    int64_t *memory = nci_alloc((size_t)room * sizeof *memory);
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_node_deps(layer->node, layer->grid, index, input, from, memory, lists,
                  count);
    for (int a = 0; a < from->rank; a++)
        total *= count[a];
    for (int64_t i = 0; i < total; i++) {
        int64_t chunk[NCG_MAX_RANK];
        for (int a = 0; a < from->rank; a++)
            chunk[a] = lists[a][at[a]];
        visit(ctx, layer->inputs[input], nci_grid_number(from, chunk));
        for (int a = from->rank - 1; a >= 0 && ++at[a] == count[a]; a--)
            at[a] = 0;
    }
    nci_free(memory);
    return NCG_OK;
}

ncg_status nci_view_deps(const nci_view *view, size_t number, int64_t chunk,
                         nci_view_fn visit, void *ctx, ncg_error *err)
{
    const nci_view_layer *layer = &view->layers[number];
    int64_t index[NCG_MAX_RANK];
    if (layer->layer) {
        planned_walk walk = {view->plan, visit, ctx};
        nci_plan_deps(view->plan, layer->layer->base + chunk, visit_planned,
                      &walk);
        return NCG_OK;
    }
    if (layer->tasks) {
        visit_tasks(view, number, chunk, visit, ctx);
        return NCG_OK;
    }
    nci_grid_index(layer->grid, chunk, index);
    for (int i = 0; i < layer->node->ninputs; i++)
        NCI_TRY(visit_input(view, layer, i, index, visit, ctx, err));
    return NCG_OK;
}

/* ---- the public walk
 * -------------------------------------------------------------------- */

ncg_status ncg_graph_nlayers(ncg_graph *graph, size_t *out, ncg_error *err)
{
    const nci_view *view = NULL;
    if (!graph || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_view(graph, &view, err));
    *out = view->nlayers;
    return NCG_OK;
}

static ncg_status get_layer(ncg_graph *graph, size_t number,
                            const nci_view **view, ncg_error *err)
{
    if (!graph)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_view(graph, view, err));
    if (number >= (*view)->nlayers)
        return nci_fail(err, NCG_EINVAL, "no layer %zu of %zu", number,
                        (*view)->nlayers);
    return NCG_OK;
}

ncg_status ncg_graph_layer(ncg_graph *graph, size_t number, ncg_layer_info *out,
                           ncg_error *err)
{
    const nci_view *view = NULL;
    if (!out || out->struct_size < sizeof *out)
        return nci_fail(err, NCG_EINVAL, "no place for the layer");
    NCI_TRY(get_layer(graph, number, &view, err));
    const nci_view_layer *layer = &view->layers[number];
    ncg_layer_info info = {.struct_size = sizeof info,
                           .name = layer->name,
                           .kind = layer->kind,
                           .kernel = layer->kernel,
                           .dtype = layer->dtype,
                           .rank = layer->tasks ? 1 : layer->grid->rank,
                           .ntasks = layer->ntasks,
                           .ninputs = layer->ninputs,
                           .inputs = layer->inputs};
    nci_token_text(layer->token, info.token);
    for (int d = 0; !layer->tasks && d < info.rank; d++) {
        info.shape[d] = nci_axis_size(&layer->grid->axis[d]);
        info.nchunks[d] = layer->grid->axis[d].nchunks;
        info.edges[d] = layer->grid->axis[d].edge;
    }
    if (layer->tasks)
        info.shape[0] = info.nchunks[0] = layer->ntasks;
    *out = info;
    return NCG_OK;
}

ncg_status ncg_graph_key(ncg_graph *graph, size_t number, int64_t i,
                         ncg_key *out, ncg_error *err)
{
    const nci_view *view = NULL;
    if (!out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(get_layer(graph, number, &view, err));
    const nci_view_layer *layer = &view->layers[number];
    if (i < 0 || i >= layer->ntasks)
        return nci_fail(err, NCG_EINVAL, "layer %zu has %lld keys, not %lld",
                        number, (long long)layer->ntasks, (long long)i + 1);
    nci_view_key(layer, i, out);
    return NCG_OK;
}

typedef struct key_walk {
    const nci_view *view;
    ncg_key_fn visit;
    void *payload;
    ncg_status status;
} key_walk;

static void visit_key(void *ctx, size_t layer, int64_t chunk)
{
    key_walk *w = ctx;
    ncg_key key;
    if (w->status)
        return;
    nci_view_key(&w->view->layers[layer], chunk, &key);
    w->status = w->visit(&key, w->payload);
}

static int64_t chunk_of(const nci_view_layer *layer, const ncg_key *key)
{
    int rank = layer->tasks ? 1 : layer->grid->rank;
    bool good = key->rank == rank;
    for (int d = 0; good && d < rank; d++)
        good = key->index[d] >= 0 &&
               key->index[d] < (layer->tasks ? layer->ntasks
                                             : layer->grid->axis[d].nchunks);
    if (!good)
        return -1;
    return layer->tasks ? key->index[0]
                        : nci_grid_number(layer->grid, key->index);
}

ncg_status ncg_graph_deps(ncg_graph *graph, const ncg_key *key,
                          ncg_key_fn visit, void *payload, ncg_error *err)
{
    const nci_view *view = NULL;
    nci_token token;
    char text[NCG_KEY_TEXT_SIZE];
    if (!graph || !key || !visit)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_view(graph, &view, err));
    int64_t layer =
        nci_token_parse(key->layer, &token) ? nci_view_find(view, token) : -1;
    int64_t chunk = layer < 0 ? -1 : chunk_of(&view->layers[layer], key);
    if (chunk < 0)
        return nci_fail(err, NCG_EINVAL, "the graph has no key %s",
                        nci_key_text(key, text, sizeof text));
    key_walk walk = {view, visit, payload, NCG_OK};
    NCI_TRY(nci_view_deps(view, (size_t)layer, chunk, visit_key, &walk, err));
    return walk.status;
}
