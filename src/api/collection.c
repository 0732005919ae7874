/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The collection protocol from the caller's side. A collection is reached
 * through its table alone: nothing in this file knows an array from a data set
 * or from a program's own type.
 *
 * Collections of one scheduler run together. Among them, those of one optimize
 * function are optimised together, as dask does it.
 */
#include <stdlib.h>
#include <string.h>

#include "api/graph.h"
#include "api/protocol.h"
#include "base/mem.h"

/* ---- members
 * ------------------------------------------------------------------ */

static ncg_status check_one(const ncg_collection *c, size_t i, ncg_error *err)
{
    const ncg_collection_type *t = c->type;
    if (!t || !c->self)
        return nci_fail(err, NCG_EINVAL, "collection %zu is NULL", i);
    if (t->struct_size < sizeof *t)
        return nci_fail(err, NCG_EINVAL,
                        "the type of collection %zu was not initialised "
                        "(struct_size)",
                        i);
    if (!t->graph || !t->keys || !t->postcompute || !t->tokenize ||
        !t->retain || !t->release || !t->release_result)
        return nci_fail(err, NCG_EINVAL,
                        "the type %s of collection %zu lacks a member",
                        t->name ? t->name : "", i);
    return NCG_OK;
}

ncg_status nci_collections_check(const ncg_collection *collections, size_t n,
                                 const void *out, ncg_error *err)
{
    if ((n && !collections) || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    for (size_t i = 0; i < n; i++)
        NCI_TRY(check_one(&collections[i], i, err));
    return NCG_OK;
}

static ncg_get_fn scheduler_of(const ncg_collection *c,
                               const ncg_compute_options *options)
{
    if (options && options->scheduler)
        return options->scheduler;
    return c->type->scheduler ? c->type->scheduler : ncg_get_threads;
}

/* ---- groups
 * -------------------------------------------------------------------- */

/* Members of the collections that belong together, merged. */
typedef struct merging {
    ncg_graph **graphs;
    ncg_keys **keys;
    size_t count;
} merging;

static ncg_status merging_init(merging *m, size_t n, ncg_error *err)
{
    *m = (merging){nci_calloc(n + 1, sizeof *m->graphs),
                   nci_calloc(n + 1, sizeof *m->keys), 0};
    return m->graphs && m->keys ? NCG_OK
                                : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static void merging_fini(merging *m)
{
    for (size_t i = 0; m->graphs && i < m->count; i++)
        ncg_graph_release(&m->graphs[i]);
    for (size_t i = 0; m->keys && i < m->count; i++)
        ncg_keys_release(&m->keys[i]);
    nci_free(m->graphs);
    nci_free(m->keys);
}

static ncg_status merging_add(merging *m, const ncg_collection *c,
                              ncg_error *err)
{
    size_t at = m->count++;
    NCI_TRY(c->type->graph(c->self, &m->graphs[at], err));
    return c->type->keys(c->self, &m->keys[at], err);
}

static ncg_status merging_join(const merging *m, ncg_graph **graph,
                               ncg_keys **keys, ncg_error *err)
{
    NCI_TRY(ncg_graph_merge(m->graphs, m->count, graph, err));
    return ncg_keys_join(m->keys, m->count, keys, err);
}

/* Which collections of a call are meant: those with done[i] == `stage`. */
typedef struct selection {
    const ncg_collection *collections;
    size_t n;
    bool *done;
    const ncg_compute_options *options;
} selection;

/* The merged graph and keys of collection `first` and those after it that
 * have the same optimize function and, unless it is NULL, scheduler. */
static ncg_status optimize_group(selection *s, size_t first, ncg_get_fn get,
                                 ncg_graph **graph, ncg_keys **keys,
                                 ncg_error *err)
{
    ncg_optimize_fn optimize = s->collections[first].type->optimize;
    merging m;
    ncg_graph *raw = NULL;
    ncg_status st = merging_init(&m, s->n, err);
    for (size_t i = first; !st && i < s->n; i++) {
        const ncg_collection *c = &s->collections[i];
        if (s->done[i] || c->type->optimize != optimize ||
            (get && scheduler_of(c, s->options) != get))
            continue;
        s->done[i] = true;
        st = merging_add(&m, c, err);
    }
    if (!st)
        st = merging_join(&m, &raw, keys, err);
    if (!st && optimize && !(s->options && s->options->no_optimize))
        st = optimize(raw, *keys, graph, err);
    else if (!st)
        *graph = ncg_graph_retain(raw);
    ncg_graph_release(&raw);
    merging_fini(&m);
    return st;
}

/* The same for all optimize functions: groups are optimised each for itself,
 * then merged. */
static ncg_status merge_scheduler(selection *s, ncg_get_fn get,
                                  ncg_graph **graph, ncg_keys **keys,
                                  ncg_error *err)
{
    merging m;
    ncg_status st = merging_init(&m, s->n, err);
    for (size_t i = 0; !st && i < s->n; i++) {
        if (s->done[i] ||
            (get && scheduler_of(&s->collections[i], s->options) != get))
            continue;
        size_t at = m.count++;
        st = optimize_group(s, i, get, &m.graphs[at], &m.keys[at], err);
    }
    if (!st)
        st = merging_join(&m, graph, keys, err);
    merging_fini(&m);
    return st;
}

ncg_status nci_collections_merge(const ncg_collection *collections, size_t n,
                                 const ncg_compute_options *options,
                                 ncg_graph **graph, ncg_keys **keys,
                                 ncg_error *err)
{
    ncg_graph *merged = NULL;
    ncg_keys *joined = NULL;
    bool *done = nci_calloc(n + 1, sizeof *done);
    if (!done)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    selection s = {collections, n, done, options};
    ncg_status st = merge_scheduler(&s, NULL, &merged, &joined, err);
    nci_free(done);
    if (st) {
        ncg_graph_release(&merged);
        ncg_keys_release(&joined);
        return st;
    }
    *graph = merged;
    *keys = joined;
    return NCG_OK;
}

/* ---- compute
 * --------------------------------------------------------------------- */

static ncg_status run_scheduler(ncg_context *ctx, selection *s, ncg_get_fn get,
                                ncg_results **out, ncg_error *err)
{
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_status st = merge_scheduler(s, get, &graph, &keys, err);
    if (!st)
        st = get(ctx, graph, keys, out, err);
    ncg_graph_release(&graph);
    ncg_keys_release(&keys);
    return st;
}

/* Runs the scheduler of collection `first`, gives every collection of that
 * scheduler its result. */
static ncg_status compute_group(ncg_context *ctx, selection *s, size_t first,
                                void **results, ncg_error *err)
{
    ncg_get_fn get = scheduler_of(&s->collections[first], s->options);
    ncg_results *computed = NULL;
    ncg_status st = run_scheduler(ctx, s, get, &computed, err);
    for (size_t i = first; !st && i < s->n; i++) {
        const ncg_collection *c = &s->collections[i];
        if (scheduler_of(c, s->options) == get)
            st = c->type->postcompute(c->self, computed, &results[i], err);
    }
    ncg_results_release(&computed);
    return st;
}

void nci_collections_drop(const ncg_collection *collections, size_t n,
                          void **results)
{
    for (size_t i = 0; i < n; i++) {
        if (results[i])
            collections[i].type->release_result(results[i]);
        results[i] = NULL;
    }
}

ncg_status ncg_compute(ncg_context *ctx, const ncg_collection *collections,
                       size_t n, const ncg_compute_options *options,
                       void **results, ncg_error *err)
{
    if (!ctx)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    NCI_TRY(nci_collections_check(collections, n, results, err));
    bool *done = nci_calloc(n + 1, sizeof *done);
    void **made = nci_calloc(n + 1, sizeof *made);
    selection s = {collections, n, done, options};
    ncg_status st =
        done && made ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < n; i++)
        if (!done[i])
            st = compute_group(ctx, &s, i, made, err);
    if (st && made)
        nci_collections_drop(collections, n, made);
    else if (!st && n)
        memcpy(results, made, n * sizeof *made);
    nci_free(done);
    nci_free(made);
    return st;
}

void ncg_collection_release(ncg_collection *collection)
{
    if (collection && collection->type && collection->self)
        collection->type->release(collection->self);
    if (collection)
        *collection = (ncg_collection){NULL, NULL};
}

/* ---- looking
 * ------------------------------------------------------------------------ */

ncg_status ncg_optimize(const ncg_collection *collections, size_t n,
                        ncg_graph **out, ncg_error *err)
{
    ncg_keys *keys = NULL;
    NCI_TRY(nci_collections_check(collections, n, out, err));
    ncg_status st =
        nci_collections_merge(collections, n, NULL, out, &keys, err);
    ncg_keys_release(&keys);
    return st;
}

ncg_status ncg_visualize(const ncg_collection *collections, size_t n,
                         const char *path, bool optimized, ncg_error *err)
{
    ncg_compute_options options = NCG_COMPUTE_OPTIONS_INIT;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    options.no_optimize = !optimized;
    NCI_TRY(nci_collections_check(collections, n, path, err));
    NCI_TRY(
        nci_collections_merge(collections, n, &options, &graph, &keys, err));
    ncg_status st = ncg_graph_draw(graph, path, err);
    ncg_graph_release(&graph);
    ncg_keys_release(&keys);
    return st;
}

ncg_status ncg_tokenize(const ncg_collection *collections, size_t n,
                        char token[33], ncg_error *err)
{
    nci_hash hash;
    NCI_TRY(nci_collections_check(collections, n, token, err));
    nci_hash_init(&hash, "ncgraph.collections/1");
    for (size_t i = 0; i < n; i++) {
        char one[33] = "";
        NCI_TRY(collections[i].type->tokenize(collections[i].self, one, err));
        one[32] = '\0';
        nci_hash_text(&hash, one);
    }
    nci_token_text(nci_hash_done(&hash), token);
    return NCG_OK;
}

void ncg_token_of(const char *const *tokens, size_t n, const void *bytes,
                  size_t nbytes, char out[33])
{
    nci_hash hash;
    if (!out)
        return;
    nci_hash_init(&hash, "ncgraph.token/1");
    for (size_t i = 0; tokens && i < n; i++)
        nci_hash_text(&hash, tokens[i] ? tokens[i] : "");
    nci_hash_bytes(&hash, bytes ? bytes : "", bytes ? nbytes : 0);
    nci_token_text(nci_hash_done(&hash), out);
}
