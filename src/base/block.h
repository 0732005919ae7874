/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_BLOCK_H
#define NCI_BASE_BLOCK_H
/*
 * Big blocks on their way to be used again. Chunks of a run are of few sizes
 * and live shortly; fresh pages for each of them cost more than much of the
 * work on them (0.1 to 0.8 ms a megabyte), and a heap that keeps them scattered
 * costs resident memory. So a few freed blocks are kept, the oldest go first.
 * Blocks that are not kept go to the heap, which would hold their pages for
 * long; after a bound of bytes it is told to return them to the system.
 * Any thread. Not in sanitizer builds, which want to see each free.
 */
#include <stddef.h>

enum {
    NCI_BLOCK_MIN = 256 << 10,   /* smaller ones are the heap's */
    NCI_BLOCK_KEPT = 24 << 20,   /* bytes kept at most */
    NCI_BLOCK_MAPPED = 32 << 20, /* larger ones are never the heap's (glibc) */
    NCI_BLOCK_SLOTS = 32
};

/* nci_block_bound: free memory in the process should be about this much at
 * most, whether kept here or in the heap. An executor sets it by its memory
 * limit; the last one made has its way. At the start: no bound but
 * NCI_BLOCK_KEPT. */
void nci_block_bound(size_t nbytes);

/* nci_block_take returns a kept block of at least `nbytes`, aligned to 64, or
 * NULL. It is ordinary malloc'd memory. */
void *nci_block_take(size_t nbytes);
/* nci_block_give keeps a block, or frees it. Takes any malloc'd memory. */
void nci_block_give(void *memory);

#endif
