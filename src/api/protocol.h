/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_PROTOCOL_H
#define NCI_API_PROTOCOL_H
/* What waiting and submitted computations of collections share. */
#include "api/handles.h"

/* nci_collections_check: EINVAL where a collection or its type is not
 * complete, or `out` is NULL. */
ncg_status nci_collections_check(const ncg_collection *collections, size_t n,
                                 const void *out, ncg_error *err);
/* nci_collections_merge gives one graph of all, and the keys of all. */
ncg_status nci_collections_merge(const ncg_collection *collections, size_t n,
                                 const ncg_compute_options *options,
                                 ncg_graph **graph, ncg_keys **keys,
                                 ncg_error *err);
/* nci_collections_drop releases results that nobody took. */
void nci_collections_drop(const ncg_collection *collections, size_t n,
                          void **results);
/* nci_context_persist computes n arrays in one run and keeps their chunks;
 * out[i] is the array on them, the caller's. `values` (NULL: none) is what
 * nci_results_of_tasks gave; the same run fills it. */
ncg_status nci_context_persist(ncg_context *ctx, nci_node *const *nodes,
                               size_t n, ncg_results *values,
                               nci_node **out, ncg_error *err);

#endif
