/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_COPY_TURN_H
#define NCI_ENGINE_KERNEL_COPY_TURN_H
/*
 * Transposed planes: values that lie side by side along y come to lie side by
 * side along x. Squares of them are turned in registers, tile by tile, and the
 * next tile is asked for meanwhile: its pieces of lines lie apart, where the
 * machine sees no stream that it could run ahead of. Built once for each
 * instruction set.
 */
#include "engine/kernel/isa.h"

enum { NCI_TURN_TILE = 32 };

/* A plane: y steps of the outer axis, x of the inner one. */
typedef struct nci_plane {
    int64_t ny, nx;
    int64_t from_y, from_x; /* elements from one to the next */
    int64_t to_y, to_x;
} nci_plane;

/* Both take planes with from_y == 1 and to_x == 1, of elements of 32 or 64
 * bits at any address. */
typedef void (*nci_turn_fn)(const nci_plane *p, const uint8_t *from,
                            uint8_t *to);
typedef struct nci_turn_loops {
    nci_turn_fn turn32, turn64;
} nci_turn_loops;

extern const nci_turn_loops nci_turn_base;
#if defined(__x86_64__)
extern const nci_turn_loops nci_turn_avx2;
#endif
/* nci_turn_loops_of returns the loops that go with `isa`. */
const nci_turn_loops *nci_turn_loops_of(const nci_isa *isa);

#endif
