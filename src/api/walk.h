/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_WALK_H
#define NCI_API_WALK_H
/*
 * A graph as people walk it: the arrays as they were built, or, of an
 * optimised graph, the layers of the plan that runs.
 */
#include "api/graph.h"

typedef struct nci_view_layer {
    nci_token token;
    const char *name, *kind, *kernel;
    const nci_node *node;   /* as built */
    const nci_layer *layer; /* of the plan */
    nci_tasks *tasks;       /* explicit tasks; borrowed */
    const nci_grid *grid;   /* of the keys; explicit tasks: rank 0 */
    nci_grid own;           /* where it is made for the view */
    ncg_dtype dtype;
    int64_t ntasks;
    size_t *inputs;
    size_t ninputs;
} nci_view_layer;

struct nci_view {
    nci_view_layer *layers;
    size_t nlayers, capacity;
    nci_plan *plan; /* of an optimised graph */
};

/* nci_graph_view makes the view the first time; borrowed from the graph. */
ncg_status nci_graph_view(ncg_graph *graph, const nci_view **out,
                          ncg_error *err);
/* nci_view_find returns the number of the layer of a token, or -1. */
int64_t nci_view_find(const nci_view *view, nci_token token);
/* nci_view_key gives key `i` of a layer. */
void nci_view_key(const nci_view_layer *layer, int64_t i, ncg_key *out);
/* nci_view_deps calls visit(ctx, layer, chunk) for what a task needs. */
typedef void (*nci_view_fn)(void *ctx, size_t layer, int64_t chunk);
ncg_status nci_view_deps(const nci_view *view, size_t layer, int64_t chunk,
                         nci_view_fn visit, void *ctx, ncg_error *err);

/* nci_node_deps (node_deps.c) gives, for chunk `index` of `grid` of a node, the
 * chunks of input `input` with grid `from` that it is made of: lists[a] holds
 * count[a] chunk indices of axis a, ascending, in `memory`, which has room for
 * all chunks of all axes of `from`. */
void nci_node_deps(const nci_node *node, const nci_grid *grid,
                   const int64_t *index, int input, const nci_grid *from,
                   int64_t *memory, int64_t **lists, int64_t *count);

#endif
