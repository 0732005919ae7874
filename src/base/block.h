/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_BLOCK_H
#define NCI_BASE_BLOCK_H
/*
 * Big blocks on their way to be used again. Chunks of a run are of few sizes
 * and live shortly; fresh pages for each of them cost more than much of the
 * work on them (0.1 to 0.8 ms a megabyte), and a heap that keeps them scattered
 * costs resident memory. So freed blocks are kept, the oldest go first: a few
 * at any time, and during a run so many more that the process stays no larger
 * than the run has made it already. Others leave the process; small ones go to
 * the heap, which would hold their pages for long; after a bound of bytes it is
 * told to return them to the system. Pages of fresh blocks are asked for all at once, which takes
 * half the time of touching them one by one.
 * Any thread. Not in sanitizer builds, which want to see each free.
 */
#include <stddef.h>

enum {
    NCI_BLOCK_MIN = 256 << 10,   /* smaller ones are not looked at */
    NCI_BLOCK_OWN = 1 << 20,     /* from here on aligned ones are mapped alone */
    NCI_BLOCK_KEPT = 24 << 20,   /* bytes kept at most */
    NCI_BLOCK_MAPPED = 32 << 20, /* larger ones are never the heap's (glibc) */
    NCI_BLOCK_SLOTS = 256
};

/* nci_block_bound: free memory in the process should be about this much at
 * most, whether kept here or in the heap. An executor sets it by its memory
 * limit; the last one made has its way. At the start: no bound but
 * NCI_BLOCK_KEPT. */
void nci_block_bound(size_t nbytes);

/* nci_block_run_begins and nci_block_run_ends: between them freed blocks are
 * kept as long as they and those in use are little more than were in use at
 * once. Runs may overlap. */
void nci_block_run_begins(void);
void nci_block_run_ends(void);

/* nci_block_map gives a block of its own, aligned to a page, which leaves the
 * process when it is freed, where the heap would hold its pages between others.
 * NULL: too small for that, no room, or a sanitizer's build. Not malloc'd:
 * for nci_block_give and nci_block_resize, which take malloc'd memory, too. */
void *nci_block_map(size_t nbytes);
/* nci_block_resize: realloc, of blocks of either kind. */
void *nci_block_resize(void *old, size_t nbytes);

/* nci_block_made counts a block that came from the heap (NULL: nothing). */
void nci_block_made(void *memory);
/* nci_block_size: bytes counted for a block, 0 for a small one or NULL.
 * nci_block_changed: `memory` is what a block of `before` such bytes became. */
size_t nci_block_size(void *memory);
void nci_block_changed(size_t before, void *memory);
/* nci_block_populate gives a fresh block its pages. */
void nci_block_populate(void *memory, size_t nbytes);

/* nci_block_take returns a kept block of at least `nbytes`, aligned to 64, or
 * NULL. */
void *nci_block_take(size_t nbytes);
/* nci_block_give keeps a block, or frees it. Takes malloc'd memory, too. */
void nci_block_give(void *memory);

#endif
