/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_MEMO_H
#define NCI_GRAPH_MEMO_H
/*
 * What a walk over an expression has made already, by token: expressions that
 * use a node many times are walked in the time that their nodes take, not
 * their paths.
 */
#include "graph/node.h"

typedef struct nci_memo {
    struct nci_memo_entry {
        nci_token token;
        nci_node *node; /* retained; NULL: the place is free */
    } * entries;
    size_t count, capacity; /* capacity: a power of two, or 0 */
} nci_memo;

/* nci_memo_find returns what was kept under `token`, borrowed; or NULL. */
nci_node *nci_memo_find(const nci_memo *memo, nci_token token);
/* nci_memo_keep retains `node`. */
ncg_status nci_memo_keep(nci_memo *memo, nci_token token, nci_node *node,
                         ncg_error *err);
void nci_memo_fini(nci_memo *memo);

#endif
