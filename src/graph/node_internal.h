/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_NODE_INTERNAL_H
#define NCI_GRAPH_NODE_INTERNAL_H
/* What the files that make nodes share. */
#include "graph/node.h"

/* nci_node_alloc makes an empty node with one reference and room for inputs;
 * NULL: no memory. */
nci_node *nci_node_alloc(nci_node_kind kind, ncg_dtype dtype, int rank,
                         int ninputs, ncg_error *err);
void nci_node_set_missing(nci_node *node, const nci_node *from);
/* nci_node_deepen sets the depth of a node that has its inputs. What walks an
 * expression calls itself once a level, so there are at most NCI_NODE_DEPTH of
 * them: EUNSUPPORTED. */
enum { NCI_NODE_DEPTH = 2000 };
ncg_status nci_node_deepen(nci_node *node, ncg_error *err);
/* nci_node_hash_common starts a token with what all kinds have. */
void nci_node_hash_common(const nci_node *node, nci_hash *hash);
/* nci_operand_check: EINVAL: it does not broadcast to the shape, or holds no
 * numbers. */
ncg_status nci_operand_check(const nci_operand *operand, int rank,
                             const int64_t *shape, ncg_error *err);
/* nci_node_everywhere makes an array of the dtype, shape, missing value and name
 * of `like` (nothing else of it is looked at) with one value everywhere. */
ncg_status nci_node_everywhere(const nci_node *like, const void *value,
                               nci_node **out, ncg_error *err);
/* nci_reduce_nothing gives what takes the place of a REDUCE node that reduces
 * over `axis`, which has no positions. */
ncg_status nci_reduce_nothing(const nci_node *reduced, int axis, nci_node **out,
                              ncg_error *err);
/* nci_node_block_on makes the same BLOCK node on other inputs, whose values are
 * equal. */
ncg_status nci_node_block_on(nci_node *node, const nci_operand *inputs,
                             nci_node **out, ncg_error *err);

#endif
