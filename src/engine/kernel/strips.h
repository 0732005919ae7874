/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_STRIPS_H
#define NCI_ENGINE_KERNEL_STRIPS_H
/*
 * Strips: the values that one step of a reduced axis brings to a run of cells.
 * Accumulators are larger than the fast caches, so several steps wait until
 * they are folded in one pass:
 *
 *     tile (1 step)    | x x x x x x x x |   strip 0
 *     tile (1 step)    | x x x x x x x x |   strip 1    ..    \  one pass, a
 *     cells            | o o o o o o o o |                    /  block at a
 * time
 *
 * Strips of one tile lie in it one after the other; those of several tiles
 * need that the tiles are kept. The owner flushes before it does anything else
 * to the accumulators or lets a tile go.
 */
#include "engine/kernel/fold.h"
#include "engine/kernel/view.h"

typedef struct nci_strip {
    nci_view view;
    int64_t at; /* first element of the view */
} nci_strip;

typedef struct nci_strips {
    nci_strip strip[NCI_MAX_STRIPS];
    int count;
    int64_t nvoid;   /* further strips, without any value */
    int64_t cell, n; /* the cells of all of them */
    int tiles;       /* kept, that strips lie in */
} nci_strips;

/* Memory of one thread for folding strips. */
enum {
    /* Blocks of strips lie a line more than a power of two apart: else all of
     * them, and the accumulators, would share a few places of the cache. */
    NCI_STRIP_LINE = 64,
    NCI_STRIP_ROOM = NCI_STRIP_BLOCK * 8 + NCI_STRIP_LINE,
    NCI_STRIPS_BYTES = 2 * NCI_MAX_STRIPS * NCI_STRIP_ROOM
};

/* nci_strips_fit: whether a fold is done by strips at all. */
bool nci_strips_fit(const nci_fold *fold);
/* nci_strips_keep: how many tiles of `nbytes` may be kept at a time. */
int nci_strips_keep(const nci_fold *fold, int64_t nbytes);
/* nci_strips_fold folds what waits into cells [first, first + n) of the run,
 * in `memory` of NCI_STRIPS_BYTES. Several threads may each take other cells;
 * whoever called them empties the list. */
void nci_strips_fold(const nci_strips *strips, nci_acc *acc, int64_t first,
                     int64_t n, uint8_t *memory);

#endif
