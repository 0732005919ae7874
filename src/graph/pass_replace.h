/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PASS_REPLACE_H
#define NCI_GRAPH_PASS_REPLACE_H
#include "graph/node.h"

/* nci_replace_fn gives another array of the same values for `node`, which the
 * caller gets; NULL: there is none. */
typedef ncg_status (*nci_replace_fn)(void *ctx, const nci_node *node,
                                     nci_node **out, ncg_error *err);
/* nci_pass_replace rewrites an expression from the top: a node for which
 * `replace` has another is left with all that it was made of, others are made
 * again where an input has changed. Tokens stay what they are. */
ncg_status nci_pass_replace(nci_node *root, nci_replace_fn replace, void *ctx,
                            nci_node **out, ncg_error *err);

#endif
