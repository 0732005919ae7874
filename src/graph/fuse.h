/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_FUSE_H
#define NCI_GRAPH_FUSE_H
/*
 * Fusion: turns an expression of nodes into the program of one FUSED layer.
 * Selections become picks of the operands (so they are pushed to the source);
 * element-wise nodes become steps; the first source that spans the whole
 * domain becomes operand 0 and is read tile by tile; reductions, further
 * sources and what does not fit become operands that are layers of their own.
 */
#include "graph/plan.h"

/* An operand that must be a layer: the caller lowers `node` and fills in
 * the layer's number. */
typedef struct nci_program {
    nci_fused fused; /* operands of kind LAYER have input = -1 */
    nci_node *nodes[NCI_MAX_OPERANDS]; /* borrowed, one an operand */
    int weight;                        /* register of the weights, -1 */
} nci_program;

/* nci_fuse builds the program for the values of `root` over its whole shape,
 * and of `weights` (lying in root's axes; may be NULL). */
ncg_status nci_fuse(nci_node *root, const nci_operand *weights,
                    nci_program *out, ncg_error *err);
void nci_program_fini(nci_program *program);

/* nci_pick_compose stores outer after inner: position = inner[outer[i]];
 * an index list in the result is owned by the caller. */
ncg_status nci_pick_compose(const nci_pick *outer, const nci_pick *inner,
                            nci_pick *out, ncg_error *err);
int64_t nci_pick_at(const nci_pick *pick, int64_t i);

#endif
