/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_LOWER_H
#define NCI_GRAPH_LOWER_H
/* What lower.c and tree.c share while a plan is made. */
#include "graph/fuse.h"

typedef struct nci_lowering {
    nci_plan *plan;
    struct {
        nci_token token;
        int layer; /* that makes the array's chunks */
    } * arrays;
    size_t narrays, arrays_capacity;
    int operand_layer[NCI_MAX_OPERANDS]; /* of the program in hand */
    nci_replace_fn replace; /* of inputs of explicit tasks; NULL: none */
    void *replace_ctx;
} nci_lowering;

/* nci_lower_array gives the layer that makes the chunks of `node`. */
ncg_status nci_lower_array(nci_lowering *lw, nci_node *node, int *out,
                           ncg_error *err);
/* nci_lower_fused adds the layer of a program, whose content it takes on
 * success; `cell_bytes`: of one cell of the state, for folds. */
ncg_status nci_lower_fused(nci_lowering *lw, nci_program *program,
                           const nci_node *node, int64_t cell_bytes, int *out,
                           ncg_error *err);
/* nci_lower_add_layer and _add_input: pointers hold until the next addition of
 * their kind. */
nci_layer *nci_lower_add_layer(nci_lowering *lw, nci_layer_kind kind,
                               const nci_node *node, const char *what,
                               ncg_error *err);
nci_layer_input *nci_lower_add_input(nci_layer *layer, int from_layer,
                                     ncg_error *err);
/* nci_lower_block adds the layer of a BLOCK node. */
ncg_status nci_lower_block(nci_lowering *lw, nci_node *node, int *out,
                           ncg_error *err);
/* nci_lower_tasks gives the layer of a sealed list of explicit tasks. */
ncg_status nci_lower_tasks(nci_lowering *lw, nci_tasks *tasks, int *out,
                           ncg_error *err);
/* nci_lower_list makes a STORE layer, complete but for that, store the items
 * that the output lists. */
ncg_status nci_lower_list(nci_layer *layer, const nci_output *output,
                          ncg_error *err);
/* nci_lower_find and _remember: which layer makes the array of a token. */
bool nci_lower_find(const nci_lowering *lw, nci_token token, int *out);
ncg_status nci_lower_remember(nci_lowering *lw, nci_token token, int layer,
                              ncg_error *err);
/* nci_layer_array_axes lists the axes of the task grid that the layer's array
 * has, in order; returns how many. */
int nci_layer_array_axes(const nci_layer *layer, int *axes);

#endif
