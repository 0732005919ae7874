/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays and data sets as collections: the library's own tables. */
#include "api/graph.h"
#include "api/results.h"
#include "base/mem.h"

/* ---- arrays
 * -------------------------------------------------------------------- */

static ncg_status array_graph(void *self, ncg_graph **out, ncg_error *err)
{
    ncg_array *array = self;
    return ncg_graph_of(&array, 1, out, err);
}

static ncg_status array_keys(void *self, ncg_keys **out, ncg_error *err)
{
    return ncg_keys_all(self, out, err);
}

static ncg_status array_postcompute(void *self, const ncg_results *results,
                                    void **out, ncg_error *err)
{
    char token[33];
    ncg_array *array = NULL;
    ncg_array_token(self, token);
    NCI_TRY(ncg_results_array(results, token, &array, err));
    *out = array;
    return NCG_OK;
}

static ncg_status array_postpersist(void *self, ncg_graph *persisted,
                                    ncg_collection *out, ncg_error *err)
{
    char token[33];
    ncg_array *array = NULL;
    ncg_array_token(self, token);
    NCI_TRY(ncg_graph_array(persisted, token, &array, err));
    *out = ncg_array_collection(array);
    return NCG_OK;
}

static ncg_status array_tokenize(void *self, char token[33], ncg_error *err)
{
    (void)err;
    ncg_array_token(self, token);
    return NCG_OK;
}

static void array_retain(void *self)
{
    ncg_array_retain(self);
}

static void array_release(void *self)
{
    ncg_array *array = self;
    ncg_array_release(&array);
}

ncg_collection ncg_array_collection(ncg_array *array)
{
    static const ncg_collection_type type = {
        .struct_size = sizeof type,
        .name = "array",
        .graph = array_graph,
        .keys = array_keys,
        .optimize = ncg_graph_optimize,
        .scheduler = ncg_get_threads,
        .postcompute = array_postcompute,
        .postpersist = array_postpersist,
        .tokenize = array_tokenize,
        .retain = array_retain,
        .release = array_release,
        .release_result = array_release,
    };
    return (ncg_collection){&type, array};
}

/* ---- data sets
 * ------------------------------------------------------------------ */

static ncg_status dataset_graph(void *self, ncg_graph **out, ncg_error *err)
{
    const ncg_dataset *ds = self;
    ncg_graph *graph = NULL;
    NCI_TRY(nci_graph_create(&graph, err));
    ncg_status st = NCG_OK;
    for (size_t v = 0; !st && v < ds->model->nvars; v++) {
        nci_node *node = ds->model->vars[v].array;
        if (node)
            st = nci_graph_add_root(graph, ds->ctx, node->token, node, err);
    }
    if (st)
        ncg_graph_release(&graph);
    else
        *out = graph;
    return st;
}

static ncg_status dataset_keys(void *self, ncg_keys **out, ncg_error *err)
{
    const ncg_dataset *ds = self;
    ncg_keys *keys = nci_keys_create();
    ncg_status st = keys ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t v = 0; !st && v < ds->model->nvars; v++)
        if (ds->model->vars[v].array)
            st = nci_keys_add_all(keys, ds->model->vars[v].array, err);
    if (st)
        ncg_keys_release(&keys);
    else
        *out = keys;
    return st;
}

/* Gives the array that takes the place of `node`; *out is the caller's. */
typedef ncg_status (*replace_fn)(const void *from, nci_node *node,
                                 nci_node **out, ncg_error *err);

static ncg_status from_results(const void *from, nci_node *node, nci_node **out,
                               ncg_error *err)
{
    return nci_results_node(from, node->token, out, err);
}

static ncg_status from_graph(const void *from, nci_node *node, nci_node **out,
                             ncg_error *err)
{
    nci_node *found = NULL;
    NCI_TRY(nci_graph_find(from, node->token, &found, err));
    if (!found)
        return nci_fail(err, NCG_EINVAL, "the graph lacks an array");
    *out = nci_node_retain(found);
    return NCG_OK;
}

/* The same data set on other arrays of equal values. */
static ncg_status rebuild(ncg_dataset *ds, replace_fn replace, const void *from,
                          ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(nci_model_copy(ds->model, &model, err));
    ncg_status st = NCG_OK;
    for (size_t v = 0; !st && v < model->nvars; v++) {
        nci_node *made = NULL, **slot = &model->vars[v].array;
        if (*slot)
            st = replace(from, *slot, &made, err);
        if (!made)
            continue;
        nci_node_release(slot);
        *slot = made;
    }
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    if (!st)
        st = nci_dataset_wrap(&noting, model, out, err);
    nci_strings_fini(&noting.notes);
    if (st)
        nci_model_release(&model);
    return st;
}

static ncg_status dataset_postcompute(void *self, const ncg_results *results,
                                      void **out, ncg_error *err)
{
    ncg_dataset *ds = NULL;
    NCI_TRY(rebuild(self, from_results, results, &ds, err));
    *out = ds;
    return NCG_OK;
}

static ncg_status dataset_postpersist(void *self, ncg_graph *persisted,
                                      ncg_collection *out, ncg_error *err)
{
    ncg_dataset *ds = NULL;
    NCI_TRY(rebuild(self, from_graph, persisted, &ds, err));
    *out = ncg_dataset_collection(ds);
    return NCG_OK;
}

static void hash_attrs(nci_hash *hash, const nci_attrs *attrs)
{
    nci_hash_i64(hash, (int64_t)attrs->count);
    for (size_t i = 0; i < attrs->count; i++) {
        const nci_attr *attr = &attrs->items[i];
        bool is_text = attr->dtype == NCG_DTYPE_STRING;
        nci_hash_text(hash, attr->name);
        nci_hash_i64(hash, attr->dtype);
        for (int64_t k = 0; is_text && k < attr->count; k++)
            nci_hash_text(hash, ((char **)attr->values)[k]);
        if (!is_text && !attr->is_unsupported)
            nci_hash_bytes(hash, attr->values,
                           (size_t)attr->count * ncg_dtype_size(attr->dtype));
    }
}

static ncg_status dataset_tokenize(void *self, char token[33], ncg_error *err)
{
    const nci_model *model = ((ncg_dataset *)self)->model;
    nci_hash hash;
    (void)err;
    nci_hash_init(&hash, "ncgraph.dataset/1");
    for (size_t d = 0; d < model->ndims; d++) {
        nci_hash_text(&hash, model->dims[d].name);
        nci_hash_i64(&hash, model->dims[d].size);
    }
    for (size_t v = 0; v < model->nvars; v++) {
        const nci_variable *var = &model->vars[v];
        nci_hash_text(&hash, var->name);
        nci_hash_bytes(&hash, var->dims, (size_t)var->rank * sizeof(int));
        if (var->array)
            nci_hash_token(&hash, var->array->token);
        hash_attrs(&hash, &var->attrs);
    }
    hash_attrs(&hash, &model->attrs);
    nci_token_text(nci_hash_done(&hash), token);
    return NCG_OK;
}

static void dataset_retain(void *self)
{
    ncg_dataset_retain(self);
}

static void dataset_release(void *self)
{
    ncg_dataset *ds = self;
    ncg_dataset_release(&ds);
}

ncg_collection ncg_dataset_collection(ncg_dataset *ds)
{
    static const ncg_collection_type type = {
        .struct_size = sizeof type,
        .name = "dataset",
        .graph = dataset_graph,
        .keys = dataset_keys,
        .optimize = ncg_graph_optimize,
        .scheduler = ncg_get_threads,
        .postcompute = dataset_postcompute,
        .postpersist = dataset_postpersist,
        .tokenize = dataset_tokenize,
        .retain = dataset_retain,
        .release = dataset_release,
        .release_result = dataset_release,
    };
    return (ncg_collection){&type, ds};
}
