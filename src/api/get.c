/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The schedulers of this library: keys of a graph become outputs of one plan,
 * whose chunks are copied to where the results want them as they come.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/results.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/serial.h"

/* ---- what a submitted run adds
 * ------------------------------------------------ */

static _Thread_local nci_run_control *current;

void nci_control_set(nci_run_control *control)
{
    current = control;
}

nci_run_control *nci_control_get(void)
{
    return current;
}

/* ---- which keys
 * ---------------------------------------------------------------- */

typedef struct getting {
    ncg_context *ctx;
    const ncg_graph *graph;
    ncg_results *results;
    nci_output *outputs;
    int *item_of; /* of each output */
    int noutputs;
    nci_run_control *control;
} getting;

static nci_result *find_or_add(ncg_results *r, nci_token token, bool *is_new)
{
    for (size_t i = 0; i < r->nitems; i++)
        if (nci_token_equal(r->items[i].token, token)) {
            *is_new = false;
            return &r->items[i];
        }
    *is_new = true;
    r->items[r->nitems].token = token;
    return &r->items[r->nitems++];
}

static ncg_status start_item(const getting *g, nci_result *item, ncg_error *err)
{
    char text[33];
    nci_node *node = NULL;
    item->tasks = nci_tasks_retain(nci_graph_find_tasks(g->graph, item->token));
    if (item->tasks)
        return NCG_OK;
    NCI_TRY(nci_graph_find(g->graph, item->token, &node, err));
    nci_token_text(item->token, text);
    if (!node)
        return nci_fail(err, NCG_EINVAL,
                        "a key is of layer %s, which the graph does not have",
                        text);
    item->node = nci_node_retain(node);
    return nci_node_grid(node, &item->grid, err);
}

static ncg_status number_of(const nci_result *item, const nci_key_part *part,
                            int64_t i, int64_t *out, ncg_error *err)
{
    const int64_t *index = part->index + i * part->rank;
    ncg_key key = {.rank = part->rank};
    char text[NCG_KEY_TEXT_SIZE];
    bool good = part->rank == (item->tasks ? 1 : item->grid.rank);
    for (int d = 0; good && d < part->rank; d++) {
        key.index[d] = index[d];
        good = index[d] >= 0 &&
               index[d] < (item->tasks ? nci_tasks_count(item->tasks)
                                       : item->grid.axis[d].nchunks);
    }
    if (good) {
        *out = item->tasks ? index[0] : nci_grid_number(&item->grid, index);
        return NCG_OK;
    }
    nci_token_text(item->token, key.layer);
    return nci_fail(err, NCG_EINVAL, "the graph has no key %s",
                    nci_key_text(&key, text, sizeof text));
}

/* Until every part is in, a layer that is wanted as a whole has count -1. */
enum { WHOLE = -1 };

static ncg_status add_part(nci_result *item, const nci_key_part *part,
                           ncg_error *err)
{
    if (part->is_all)
        item->count = WHOLE;
    if (item->count == WHOLE)
        return NCG_OK;
    size_t n = (size_t)(item->count + part->count) + 1;
    int64_t *list = nci_realloc(item->list, n * sizeof *list);
    if (!list)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    item->list = list;
    for (int64_t i = 0; i < part->count; i++)
        NCI_TRY(number_of(item, part, i, &list[item->count++], err));
    return NCG_OK;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_list(nci_result *item)
{
    int64_t n = 0;
    qsort(item->list, (size_t)item->count, sizeof *item->list, ascending);
    for (int64_t i = 0; i < item->count; i++)
        if (!n || item->list[n - 1] != item->list[i])
            item->list[n++] = item->list[i];
    item->count = n;
}

static ncg_status make_room(nci_result *item, ncg_error *err)
{
    size_t nbytes = item->node ? ncg_dtype_size(item->node->dtype) : 0;
    for (int d = 0; item->node && d < item->node->rank; d++)
        if (!nci_mul_size(nbytes, (size_t)item->node->shape[d], &nbytes))
            return nci_fail(err, NCG_ENOMEM, "the array is too large");
    if (item->count == WHOLE && item->node) {
        item->count = nci_grid_nchunks(&item->grid);
        nci_free(item->list);
        item->list = NULL;
        if (item->node->kind == NCI_NODE_CONST) {
            item->whole = nci_buf_retain(item->node->data);
            return NCG_OK;
        }
        return nci_buf_create(nbytes, &item->whole, err);
    }
    if (item->count == WHOLE) {
        item->count = nci_tasks_count(item->tasks);
        nci_free(item->list);
        item->list = nci_alloc((size_t)item->count * sizeof *item->list);
        for (int64_t i = 0; item->list && i < item->count; i++)
            item->list[i] = i;
    }
    item->bufs = nci_calloc((size_t)item->count + 1, sizeof *item->bufs);
    if (!item->bufs || !item->list)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

static ncg_status collect_items(getting *g, const ncg_keys *keys,
                                bool tasks_only, ncg_error *err)
{
    for (size_t i = 0; i < keys->nparts; i++) {
        bool is_new = false;
        if (tasks_only &&
            !nci_graph_find_tasks(g->graph, keys->parts[i].token))
            continue;
        nci_result *item =
            find_or_add(g->results, keys->parts[i].token, &is_new);
        if (is_new)
            NCI_TRY(start_item(g, item, err));
        NCI_TRY(add_part(item, &keys->parts[i], err));
    }
    for (size_t i = 0; i < g->results->nitems; i++) {
        nci_result *item = &g->results->items[i];
        if (item->count != WHOLE)
            sort_list(item);
        NCI_TRY(make_room(item, err));
    }
    return NCG_OK;
}

ncg_status nci_results_of_tasks(ncg_context *ctx, const ncg_graph *graph,
                                const ncg_keys *keys, ncg_results **out,
                                ncg_error *err)
{
    getting g = {.ctx = ctx, .graph = graph};
    NCI_TRY(nci_results_create(ctx, keys->nparts, &g.results, err));
    ncg_status st = collect_items(&g, keys, true, err);
    if (st || !g.results->nitems)
        ncg_results_release(&g.results);
    if (!st)
        *out = g.results;
    return st;
}

nci_output nci_result_output(const nci_result *item)
{
    return (nci_output){
        .list = item->list, .nlist = item->count, .tasks = item->tasks};
}

/* A stored block has the values of many tasks. */
void nci_result_keep(nci_result *item, const int64_t *index,
                     const nci_buf *stored)
{
    nci_buf **values = nci_buf_data(stored);
    int64_t first = index[0] * NCI_STORE_TASKS;
    int64_t n = (int64_t)(nci_buf_size(stored) / sizeof *values);
    for (int64_t i = 0; i < n; i++)
        item->bufs[first + i] = nci_buf_retain(values[i]);
}

/* ---- the sink
 * -------------------------------------------------------------------- */

static const nci_result *item_of(const getting *g, int output)
{
    return &g->results->items[g->item_of[output]];
}

/* Chunks of a whole are copied to their place by the thread that made them:
 * no two overlap. What is handed on is empty. */
static ncg_status place_chunk(void *ctx, int output, const int64_t *index,
                              const int64_t *count, nci_buf *chunk_take,
                              nci_buf **out, ncg_error *err)
{
    const nci_result *item = item_of(ctx, output);
    (void)count;
    if (!item->whole) {
        *out = chunk_take;
        return NCG_OK;
    }
    nci_buf *empty = NULL;
    NCI_TRY(nci_buf_wrap(NULL, 0, NULL, NULL, &empty, err));
    nci_box box =
        nci_grid_box(&item->grid, nci_grid_number(&item->grid, index));
    nci_box_move(item->node, &box, nci_buf_data(item->whole),
                 nci_buf_data(chunk_take), true);
    nci_buf_release(&chunk_take);
    *out = empty;
    return NCG_OK;
}

static void tell_done(const getting *g, const nci_result *item, int64_t number)
{
    const nci_run_control *control = g->control;
    ncg_key key = {.rank = item->tasks ? 1 : item->grid.rank};
    if (!control || !control->key_done)
        return;
    nci_token_text(item->token, key.layer);
    if (item->tasks)
        key.index[0] = number;
    else
        nci_grid_index(&item->grid, number, key.index);
    control->key_done(&key, control->key_done_payload);
}

static ncg_status keep_chunk(void *ctx, int output, const int64_t *index,
                             const nci_buf *stored, ncg_error *err)
{
    const getting *g = ctx;
    const nci_result *item = item_of(g, output);
    (void)err;
    if (item->whole) {
        tell_done(g, item, nci_grid_number(&item->grid, index));
        return NCG_OK;
    }
    if (item->node) {
        item->bufs[index[0]] = nci_buf_retain((nci_buf *)stored);
        tell_done(g, item, item->list[index[0]]);
        return NCG_OK;
    }
    int64_t first = index[0] * NCI_STORE_TASKS, last = first + NCI_STORE_TASKS;
    nci_result_keep((nci_result *)item, index, stored);
    for (int64_t i = first; i < last && i < item->count; i++)
        tell_done(g, item, item->list[i]);
    return NCG_OK;
}

/* ---- running
 * ----------------------------------------------------------------------- */

static ncg_status make_outputs(getting *g, ncg_error *err)
{
    size_t n = g->results->nitems + 1;
    g->outputs = nci_calloc(n, sizeof *g->outputs);
    g->item_of = nci_calloc(n, sizeof *g->item_of);
    if (!g->outputs || !g->item_of)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->results->nitems; i++) {
        nci_result *item = &g->results->items[i];
        bool is_there = item->whole && item->node->kind == NCI_NODE_CONST;
        for (int64_t k = 0; is_there && k < item->count; k++)
            tell_done(g, item, k);
        if (is_there || !item->count)
            continue;
        nci_output *output = &g->outputs[g->noutputs];
        g->item_of[g->noutputs++] = (int)i;
        *output = nci_result_output(item);
        if (!item->node)
            continue;
        output->node = item->node;
        output->dtype = item->node->dtype;
        output->grid = &item->grid;
        output->has_fill = item->node->has_missing;
        memcpy(output->fill, item->node->missing, sizeof item->node->missing);
    }
    return NCG_OK;
}

static ncg_status run(getting *g, bool is_serial, ncg_error *err)
{
    nci_plan *plan = NULL;
    nci_sink sink = {.ctx = g,
                     .encode = place_chunk,
                     .put = keep_chunk,
                     .is_plain = true,
                     .retries = g->control ? g->control->retries : 0};
    nci_shipment shipment = {0};
    NCI_TRY(nci_context_lower(g->ctx, g->outputs, g->noutputs, &plan,
                              is_serial ? NULL : &shipment, err));
    ncg_status st = nci_context_run_plan(g->ctx, plan, &shipment, &sink,
                                         g->control, is_serial, err);
    nci_shipment_fini(&shipment);
    if (st && g->control && g->control->failed >= 0 && !g->control->plan) {
        g->control->plan = plan; /* to look into, and to run a task again */
        plan = NULL;
    }
    nci_plan_free(&plan);
    return st;
}

static ncg_status get(ncg_context *ctx, ncg_graph *graph, const ncg_keys *keys,
                      bool is_serial, ncg_results **out, ncg_error *err)
{
    if (!ctx || !graph || !keys || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    NCI_TRY(nci_handle_check(&graph->handle, NCI_HANDLE_GRAPH, err));
    NCI_TRY(nci_handle_check(&keys->handle, NCI_HANDLE_KEYS, err));
    if (graph->ctx && graph->ctx != ctx)
        return nci_fail(err, NCG_EINVAL,
                        "the graph's arrays belong to another context");
    getting g = {.ctx = ctx, .graph = graph, .control = current};
    NCI_TRY(nci_results_create(ctx, keys->nparts, &g.results, err));
    ncg_status st = collect_items(&g, keys, false, err);
    if (!st)
        st = make_outputs(&g, err);
    if (!st && g.noutputs)
        st = run(&g, is_serial, err);
    nci_free(g.outputs);
    nci_free(g.item_of);
    if (st)
        ncg_results_release(&g.results);
    else
        *out = g.results;
    return st;
}

ncg_status ncg_get_threads(ncg_context *ctx, ncg_graph *graph,
                           const ncg_keys *keys, ncg_results **out,
                           ncg_error *err)
{
    return get(ctx, graph, keys, false, out, err);
}

ncg_status ncg_get_serial(ncg_context *ctx, ncg_graph *graph,
                          const ncg_keys *keys, ncg_results **out,
                          ncg_error *err)
{
    return get(ctx, graph, keys, true, out, err);
}
