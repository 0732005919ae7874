/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PLAN_INTERNAL_H
#define NCI_GRAPH_PLAN_INTERNAL_H
/* What the files that walk a plan share. */
#include "graph/plan.h"

/* nci_layer_fini releases what a layer owns. */
void nci_layer_fini(nci_layer *layer);

/* One list of chunk indices an axis; the tasks are their product. */
typedef struct nci_product {
    int rank;
    const int64_t *items[NCG_MAX_RANK]; /* NULL: 0 .. count-1 */
    int64_t count[NCG_MAX_RANK];
} nci_product;

int64_t nci_product_size(const nci_product *p);
void nci_product_visit(const nci_product *p, const nci_grid *grid, int64_t base,
                       int input, nci_dep_fn visit, void *ctx);
/* nci_product_deps: the tasks of an input that chunk `index` needs. */
void nci_product_deps(const nci_plan *plan, const int64_t *index,
                      const nci_layer_input *input, nci_product *p);
/* nci_product_users: the chunks of `users` that need chunk `index` of an input
 * of `rank` axes. */
void nci_product_users(const nci_grid *users, const nci_layer_input *input,
                       const int64_t *index, int rank, nci_product *p);

/* Layers whose tasks are listed: TASKS, and STORE of a list (plan_listed.c). */
static inline bool nci_is_listed(const nci_layer *layer)
{
    return layer->kind == NCI_LAYER_TASKS ||
           (layer->kind == NCI_LAYER_STORE && layer->store.list.items);
}
void nci_listed_deps(const nci_plan *plan, const nci_layer *layer,
                     int64_t chunk, nci_dep_fn visit, void *ctx);
/* nci_listed_users: tasks of `user` that need `chunk` of `layer` through
 * `input`. */
void nci_listed_users(const nci_layer *layer, int64_t chunk,
                      const nci_layer *user, int input, nci_dep_fn visit,
                      void *ctx);
int64_t nci_listed_bytes(const nci_plan *plan, const nci_layer *layer,
                         int64_t chunk);

#endif
