/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_RESULTS_H
#define NCI_API_RESULTS_H
/* Results while they are made (get.c) and taken apart (collection_own.c). */
#include "api/graph.h"

ncg_status nci_results_create(ncg_context *ctx, size_t nitems,
                              ncg_results **out, ncg_error *err);
/* nci_results_of_tasks prepares for the values of those keys that are of
 * explicit tasks; NULL: there are none. For each item a run has one output
 * (nci_result_output) and gives what is stored for it (nci_result_keep). */
ncg_status nci_results_of_tasks(ncg_context *ctx, const ncg_graph *graph,
                                const ncg_keys *keys, ncg_results **out,
                                ncg_error *err);
nci_output nci_result_output(const nci_result *item);
void nci_result_keep(nci_result *item, const int64_t *index,
                     const nci_buf *stored);
/* nci_result_hold gives the list of tasks that stands for the item's: its
 * values count as held. */
ncg_status nci_result_hold(ncg_context *ctx, const nci_result *item,
                           nci_tasks **out, ncg_error *err);
/* nci_box_move copies a box between a row-major array like `node` and a piece
 * of its own. */
void nci_box_move(const nci_node *node, const nci_box *box, void *whole,
                  void *part, bool to_whole);
/* nci_result_place: which item of the list a chunk or task is, -1: none. */
int64_t nci_result_place(const nci_result *item, int64_t number);
/* nci_results_node gives the array of a layer as values in memory. */
ncg_status nci_results_node(const ncg_results *results, nci_token token,
                            nci_node **out, ncg_error *err);

#endif
