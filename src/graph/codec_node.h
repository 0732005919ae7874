/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_CODEC_NODE_H
#define NCI_GRAPH_CODEC_NODE_H
/* One node as bytes; its inputs are numbers of nodes that come before it. */
#include "graph/codec.h"
#include "graph/collect.h"

enum {
    NCI_NODES_MANY = 1 << 24
}; /* nodes, inputs: far above what is sensible */

ncg_status nci_encode_node(const nci_node *node, const nci_collection *all,
                           const nci_codec_hooks *hooks, nci_pack *pack,
                           ncg_error *err);
/* nci_decode_node makes it from those made so far. */
ncg_status nci_decode_node(nci_unpack *in, nci_node *const *made, int64_t nmade,
                           const nci_codec_hooks *hooks, nci_node **out,
                           ncg_error *err);

#endif
