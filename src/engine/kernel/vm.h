/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_VM_H
#define NCI_ENGINE_KERNEL_VM_H
/*
 * Runs the element-wise program of a FUSED layer over blocks of at most
 * NCI_BLOCK positions. Registers are arrays of one class each. Values that lie
 * in memory as their register wants them are used where they are; an operand
 * that is one value everywhere is loaded once; a step's register is used
 * again as soon as no later step reads it, so that the block stays in the
 * first-level cache.
 */
#include "engine/kernel/isa_map.h"
#include "engine/kernel/view.h"

typedef struct nci_vm {
    const nci_fused *fused;
    const nci_isa *isa;
    const nci_isa_map *map;
    int place[NCI_MAX_STEPS];          /* register of each step's result */
    bool is_read[NCI_MAX_OPERANDS];    /* operand is wanted */
    bool is_one[NCI_MAX_OPERANDS];     /* operand has one value */
    const void *one[NCI_MAX_OPERANDS]; /* a block of it, once loaded */
    uint8_t *registers, *raw;          /* NCI_BLOCK values of 8 bytes each */
} nci_vm;

/* nci_vm_open prepares for a run of blocks; `registers` has room for
 * noperands + nsteps registers, `raw` for noperands. */
void nci_vm_open(nci_vm *vm, const nci_fused *fused, const nci_isa *isa,
                 const nci_walk *walks, uint8_t *registers, uint8_t *raw);
/* nci_vm_block computes the next n positions and returns the result, of class
 * nci_vm_class; it is at `into` (may be NULL) unless it is an operand as it
 * is. *weight becomes the weights (doubles), if any. */
const void *nci_vm_block(nci_vm *vm, const nci_view *views, nci_walk *walks,
                         int64_t n, void *into, const double **weight);
/* nci_vm_inputs computes the next n positions but for the last step, whose
 * result the program's is, and gives its inputs; nci_vm_finish does that step,
 * as many times as it is asked for. nci_vm_last: that step; NULL: the result is
 * another register, or there are weights. */
typedef struct nci_vm_pair {
    const void *a, *b; /* b NULL: the step has one input */
} nci_vm_pair;
const nci_step *nci_vm_last(const nci_fused *fused);
nci_vm_pair nci_vm_inputs(nci_vm *vm, const nci_view *views, nci_walk *walks,
                          int64_t n);
const void *nci_vm_finish(nci_vm *vm, const nci_vm_pair *inputs, int64_t n);
nci_class nci_vm_class(const nci_fused *fused);
/* nci_vm_is_small tells whether the result is integers of at most 32 bits. */
bool nci_vm_is_small(const nci_fused *fused);

/* nci_vm_doubles gives a result as doubles, in `temp` where it is none;
 * *any_missing tells whether one is NaN. */
const double *nci_vm_doubles(const nci_vm *vm, const void *result, int64_t n,
                             double *temp, bool *any_missing);
/* nci_vm_stores_as_is tells whether the output holds values as their register
 * does. */
bool nci_vm_stores_as_is(const nci_fused *fused);
/* nci_vm_store writes a result along a run of the layer's output. */
void nci_vm_store(const nci_vm *vm, const void *result, const nci_run *run,
                  uint8_t *data, double *temp);

#endif
