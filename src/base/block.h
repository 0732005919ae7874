/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_BLOCK_H
#define NCI_BASE_BLOCK_H
/*
 * Big blocks on their way to be used again. Chunks of a run are of few sizes
 * and live shortly; fresh pages for each of them cost more than much of the
 * work on them (0.1 to 0.8 ms a megabyte), and a heap that keeps them scattered
 * costs resident memory. So a few freed blocks are kept, the oldest go first.
 * Any thread. Not in sanitizer builds, which want to see each free.
 */
#include <stddef.h>

enum {
    NCI_BLOCK_MIN = 256 << 10, /* smaller ones are the heap's */
    NCI_BLOCK_KEPT = 24 << 20, /* bytes kept at most */
    NCI_BLOCK_SLOTS = 32
};

/* nci_block_take returns a kept block of at least `nbytes`, aligned to 64, or
 * NULL. It is ordinary malloc'd memory. */
void *nci_block_take(size_t nbytes);
/* nci_block_give keeps a block, or frees it. Takes any malloc'd memory. */
void nci_block_give(void *memory);

#endif
