/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results that stay: computed in one run, their chunks become sources of the
 * engine under the token of what they are. Plans made later find them there,
 * also in expressions that were built before.
 */
#include <string.h>

#include "api/handles.h"
#include "api/link.h"
#include "api/protocol.h"
#include "api/results.h"
#include "base/mem.h"
#include "engine/cluster/client_kept.h"
#include "engine/source_spill.h"
#include "engine/source_make.h"
#include "graph/pass_replace.h"
#include "graph/plan.h"

/* ---- finding ------------------------------------------------------------- */

ncg_status nci_context_find_held(void *arg, const nci_node *node,
                                 nci_node **out, ncg_error *err)
{
    ncg_context *ctx = arg;
    NCI_TRY(nci_source_table_find(ctx->sources, node->token, out, err));
    if (*out && node->kind == NCI_NODE_SOURCE &&
        node->source == (*out)->source)
        nci_node_release(out); /* it is that one */
    return NCG_OK;
}

typedef ncg_status find_fn(void *ctx, const nci_node *node, nci_node **out,
                           ncg_error *err);

/* `find`: what takes the place of arrays that tasks need; NULL: nothing. */
static ncg_status lower(ncg_context *ctx, const nci_output *outputs,
                        int noutputs, find_fn *find, nci_plan **out,
                        nci_shipment *shipment, ncg_error *err)
{
    if (find)
        NCI_TRY(nci_lower_with(outputs, noutputs, find, ctx, out, err));
    else
        NCI_TRY(nci_lower(outputs, noutputs, out, err));
    if (!shipment || !ctx->link)
        return NCG_OK;
    ncg_status st = 
        nci_link_pack(ctx, outputs, noutputs, find, shipment, err);
    if (st)
        nci_plan_free(out);
    return st;
}

ncg_status nci_context_lower(ncg_context *ctx, const nci_output *outputs,
                             int noutputs, nci_plan **out,
                             nci_shipment *shipment, ncg_error *err)
{
    if (!nci_source_table_finds(ctx->sources))
        return lower(ctx, outputs, noutputs, NULL, out, shipment, err);
    int n = 0;
    ncg_status st = NCG_OK;
    nci_output *own = nci_alloc(((size_t)noutputs + 1) * sizeof *own);
    if (!own)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (; n < noutputs; n++) {
        own[n] = outputs[n];
        own[n].node = NULL;
        if (!outputs[n].node)
            continue;
        st = nci_pass_replace(outputs[n].node, nci_context_find_held, ctx,
                              &own[n].node, err);
        if (st)
            break;
    }
    if (!st)
        st = lower(ctx, own, noutputs, nci_context_find_held, out, shipment,
                   err);
    for (int i = 0; i < n; i++)
        nci_node_release(&own[i].node);
    nci_free(own);
    return st;
}

/* ---- keeping --------------------------------------------------------------- */

/* One array that is computed, and its chunks as they come. */
typedef struct keeping {
    nci_node *node; /* borrowed */
    size_t at;      /* place among the results */
    nci_grid grid;
    bool is_remote; /* it stays on a cluster: no chunks here */
    nci_token space;
    nci_buf **chunks;
    int64_t nchunks;
} keeping;

typedef struct persisting {
    ncg_context *ctx;
    keeping *items;
    nci_output *outputs; /* of the arrays, then of explicit tasks */
    int count;           /* of arrays */
    int64_t nbytes;      /* of all chunks */
    bool stays;          /* on the workers of a cluster */
    nci_node **made;     /* the arrays that take the place of others */
    ncg_results *values; /* of explicit tasks; NULL: none are wanted */
} persisting;

static ncg_status keep_chunk(void *ctx, int output, const int64_t *index,
                             const nci_buf *chunk, ncg_error *err)
{
    persisting *p = ctx;
    (void)err;
    if (output >= p->count) {
        nci_result_keep(&p->values->items[output - p->count], index, chunk);
        return NCG_OK;
    }
    keeping *k = &p->items[output];
    k->chunks[nci_grid_number(&k->grid, index)] =
        nci_buf_retain((nci_buf *)chunk);
    return NCG_OK;
}

static bool is_in_memory(const nci_node *node)
{
    nci_box all = nci_box_whole(node->rank, node->shape);
    return node->kind == NCI_NODE_CONST || nci_box_is_empty(&all) ||
           nci_node_is_in_memory(node);
}

static ncg_status add_item(persisting *p, nci_node *node, size_t at,
                           ncg_error *err)
{
    keeping *k = &p->items[p->count];
    *k = (keeping){.node = node, .at = at};
    NCI_TRY(nci_node_grid(node, &k->grid, err));
    nci_output *output = &p->outputs[p->count++];
    nci_box all = nci_box_whole(node->rank, node->shape);
    *output = (nci_output){.node = node,
                           .dtype = node->dtype,
                           .has_fill = node->has_missing,
                           .grid = &k->grid};
    memcpy(output->fill, node->missing, sizeof node->missing);
    k->nchunks = nci_grid_nchunks(&k->grid);
    k->chunks = nci_calloc((size_t)k->nchunks + 1, sizeof *k->chunks);
    if (!k->chunks)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    p->nbytes += nci_box_size(&all) * (int64_t)ncg_dtype_size(node->dtype);
    return NCG_OK;
}

/* What is there already is taken; the same array twice is computed once. */
static ncg_status find_or_add(persisting *p, nci_node *const *nodes, size_t i,
                              nci_node **out, ncg_error *err)
{
    for (size_t j = 0; j < i; j++)
        if (nci_token_equal(nodes[j]->token, nodes[i]->token))
            return NCG_OK;
    if (is_in_memory(nodes[i])) {
        *out = nci_node_retain(nodes[i]);
        return NCG_OK;
    }
    NCI_TRY(nci_source_table_find(p->ctx->sources, nodes[i]->token, out, err));
    return *out ? NCG_OK : add_item(p, nodes[i], i, err);
}

static ncg_status make_array(persisting *p, keeping *k, nci_node **out,
                             ncg_error *err)
{
    nci_source_form form = {k->node->name, k->node->dtype, &k->grid,
                            k->node->has_missing ? k->node->missing : NULL};
    nci_node *node = NULL;
    if (k->is_remote)
        NCI_TRY(nci_source_from_remote(p->ctx->sources, &form, k->node->token,
                                       k->space, &node, err));
    else
        NCI_TRY(nci_source_from_chunks(p->ctx->sources, &form, k->node->token,
                                       k->chunks, &node, err));
    node->name = k->node->name;
    *out = node;
    return NCG_OK;
}

/* Names that no other set of chunks has, for arrays; none for tasks. */
static ncg_status name_sets(persisting *p, int noutputs, nci_token **out,
                            ncg_error *err)
{
    nci_token *sets = nci_calloc((size_t)noutputs + 1, sizeof *sets);
    if (!sets)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < p->count; i++)
        p->items[i].space = sets[i] = nci_source_new_space();
    *out = sets;
    return NCG_OK;
}

/* While no other run can begin: it would not know of these chunks, and have too
 * much memory for itself. */
static ncg_status hold_all(void *ctx, ncg_error *err)
{
    persisting *p = ctx;
    ncg_status st = NCG_OK;
    for (int k = 0; k < p->count; k++)
        p->items[k].is_remote = p->stays;
    for (int i = 0; !st && i < p->count; i++)
        st = make_array(p, &p->items[i], &p->made[p->items[i].at], err);
    for (size_t i = 0; !st && p->values && i < p->values->nitems; i++)
        st = nci_result_hold(p->ctx, &p->values->items[i],
                             &p->values->items[i].held, err);
    return st;
}

static ncg_status run_all(persisting *p, ncg_error *err)
{
    nci_token *sets = NULL;
    nci_sink sink = {.ctx = p,
                     .put = keep_chunk,
                     .is_plain = true,
                     .stays = &p->stays,
                     .keeps = p->nbytes,
                     .settle = hold_all};
    int n = p->count;
    for (size_t i = 0; p->values && i < p->values->nitems; i++)
        p->outputs[n++] = nci_result_output(&p->values->items[i]);
    if (!n)
        return NCG_OK;
    if (p->ctx->link)
        NCI_TRY(name_sets(p, n, &sets, err));
    sink.sets = sets;
    ncg_status st = nci_context_run(p->ctx, p->outputs, n, &sink, err);
    for (int i = 0; st && p->stays && i < p->count; i++)
        nci_client_unhold(p->ctx->link->client, p->items[i].space);
    nci_free(sets);
    return st;
}

/* ---- values of explicit tasks -------------------------------------------- */

/* What a list of values counts as held, as long as it lives. */
typedef struct holding {
    ncg_context *ctx;
    nci_held_tasks list; /* `tasks` is NULL before there is one */
} holding;

static void end_holding(void *data, void *payload)
{
    holding *h = payload;
    (void)data;
    if (h->list.tasks)
        nci_source_table_let_go(h->ctx->sources, &h->list);
    nci_context_release(&h->ctx);
    nci_free(h);
}

static ncg_status make_keeper(ncg_context *ctx, holding **held, nci_buf **out,
                              ncg_error *err)
{
    holding *h = nci_alloc(sizeof *h);
    if (!h)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *h = (holding){.ctx = ctx};
    ncg_status st = nci_buf_wrap(NULL, 0, end_holding, h, out, err);
    if (st) {
        nci_free(h);
        return st;
    }
    nci_context_retain(ctx);
    *held = h;
    return NCG_OK;
}

ncg_status nci_result_hold(ncg_context *ctx, const nci_result *item,
                           nci_tasks **out, ncg_error *err)
{
    nci_buf *keeper = NULL;
    holding *held = NULL;
    int64_t nbytes = 0;
    for (int64_t i = 0; i < item->count; i++)
        nbytes += (int64_t)nci_buf_size(item->bufs[i]);
    NCI_TRY(make_keeper(ctx, &held, &keeper, err));
    ncg_status st = nci_tasks_hold(item->tasks, item->list, item->bufs,
                                   item->count, keeper, out, err);
    if (!st) {
        held->list = (nci_held_tasks){.tasks = *out, .held = nbytes};
        nci_source_table_hold(ctx->sources, &held->list);
    }
    nci_buf_release(&keeper);
    return st;
}

/* ---- all of them ----------------------------------------------------------- */

static void fini(persisting *p)
{
    for (int i = 0; i < p->count; i++) {
        keeping *k = &p->items[i];
        for (int64_t c = 0; k->chunks && c < k->nchunks; c++)
            nci_buf_release(&k->chunks[c]);
        nci_free(k->chunks);
        nci_grid_fini(&k->grid);
    }
    nci_free(p->items);
    nci_free(p->outputs);
}

/* Arrays that are there twice get the same result. */
static void fill_repeated(nci_node *const *nodes, size_t n, nci_node **out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; !out[i] && j < i; j++)
            if (nci_token_equal(nodes[j]->token, nodes[i]->token))
                out[i] = nci_node_retain(out[j]);
}

ncg_status nci_context_persist(ncg_context *ctx, nci_node *const *nodes,
                               size_t n, ncg_results *values,
                               nci_node **out, ncg_error *err)
{
    persisting p = {.ctx = ctx, .values = values};
    size_t noutputs = n + (values ? values->nitems : 0);
    nci_node **made = p.made = nci_calloc(n + 1, sizeof *made);
    p.items = nci_calloc(n + 1, sizeof *p.items);
    p.outputs = nci_calloc(noutputs + 1, sizeof *p.outputs);
    ncg_status st = made && p.items && p.outputs
                        ? NCG_OK
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < n; i++)
        st = find_or_add(&p, nodes, i, &made[i], err);
    if (!st)
        st = run_all(&p, err);
    if (!st) {
        fill_repeated(nodes, n, made);
        memcpy(out, made, n * sizeof *made);
    }
    for (size_t i = 0; st && made && i < n; i++)
        nci_node_release(&made[i]);
    nci_free(made);
    fini(&p);
    return st;
}
