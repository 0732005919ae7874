/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_CONTRACT_H
#define NCI_GRAPH_OPS_CONTRACT_H
/*
 * Parameters of the kernel "ncg.contract/1", a struct of 64-bit integers. An
 * axis of an input goes to an axis of the result (>= 0), or is the n-th pair
 * that is summed over (-1 - n). An axis of the result that both inputs have is
 * one of a batch.
 */
#include "ncgraph.h"

typedef struct nci_contract_params {
    int64_t is_partial; /* the result has an axis of parts in front */
    int64_t npairs;
    int64_t a[NCG_MAX_RANK], b[NCG_MAX_RANK];
} nci_contract_params;

#endif
