/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_ARRAY_BLOCK_H
#define NCI_API_ARRAY_BLOCK_H
/* Making an array of a kernel: begin, fill grid and reach, end. */
#include "api/arrays.h"

typedef struct nci_block_make {
    nci_node **nodes; /* of the inputs; borrowed nodes, owned list */
    nci_reach *reach; /* [ninputs][NCG_MAX_RANK], all "whole axis" at first */
    nci_grid grid;
    nci_block_spec spec;
} nci_block_make;

/* nci_block_begin checks inputs, kernel and options. Whatever it returns,
 * nci_block_end follows. */
ncg_status nci_block_begin(nci_block_make *make, const char *kernel,
                           ncg_array *const *inputs, size_t ninputs,
                           const ncg_block_options *options, ncg_error *err);
/* nci_block_end makes the array where `st` is success, and ends `make`. */
ncg_status nci_block_end(nci_block_make *make, ncg_context *ctx, ncg_status st,
                         ncg_array **out, ncg_error *err);

#endif
