/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_COLLECT_H
#define NCI_GRAPH_COLLECT_H
/* All nodes of some expressions, each once, inputs before their users. */
#include "graph/node.h"

typedef struct nci_collection {
    nci_node **nodes; /* borrowed from the expressions */
    size_t count, capacity;
    uint32_t *slots; /* place + 1, 0: empty; by token */
    size_t nslots;
} nci_collection;

/* nci_collect adds the nodes of an expression that are not there yet. */
ncg_status nci_collect(nci_collection *all, nci_node *root, ncg_error *err);
/* nci_collect_find returns the place of a token, or -1. */
int64_t nci_collect_find(const nci_collection *all, nci_token token);
void nci_collect_fini(nci_collection *all);

#endif
