/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_TILE_CACHE_H
#define NCI_ENGINE_TILE_CACHE_H
/*
 * Decoded tiles of a run that reads a source more than once. Between a source's
 * walk over its tiles and the reader: what the first pass decodes is kept as it
 * is (the raw dtype, still shuffled), later passes find it in memory. Values
 * are the same with and without.
 *
 * How much is kept is settled before the run: the bytes that the memory limit
 * leaves beside the plan's own peak. Tiles are kept in the order in which they
 * are first read until that is full; the others are read again. Nothing is ever
 * pushed out, so a source larger than the memory keeps its part instead of
 * losing each tile before it is wanted again. Keeping ends early where fresh
 * memory turns out to be as slow as decoding.
 *
 * Only storage that takes work to decode is kept; plain bytes lie in the
 * system's page cache already.
 */
#include "engine/source.h"
#include "graph/plan.h"

typedef struct nci_tile_cache nci_tile_cache;
typedef struct nci_kept nci_kept; /* one source's tiles */

/* nci_tile_cache_want returns the bytes that hold every tile which the plan
 * reads more than once; 0: there is none worth it. */
int64_t nci_tile_cache_want(const nci_plan *plan,
                            const nci_source_table *sources);
/* nci_tile_cache_room returns the bytes to keep under a memory limit of which
 * the plan takes `peak` without a cache. */
int64_t nci_tile_cache_room(int64_t want, int64_t limit, int64_t peak);

/* nci_tile_cache_create attaches a cache of at most `nbytes`, its own tables
 * included, to the sources that the plan reads more than once. No memory for
 * it is no error: *out is NULL, tiles are read each time. One cache a table. */
void nci_tile_cache_create(const nci_plan *plan,
                           const nci_source_table *sources, int64_t nbytes,
                           nci_tile_cache **out);
/* nci_tile_cache_free detaches it; no tile may be in use. */
void nci_tile_cache_free(nci_tile_cache **cache);
/* nci_tile_cache_task_done: a task of `layer` has ended. After the last one
 * that reads, the memory is given back. Serialised by the caller; NULL
 * accepted. */
void nci_tile_cache_task_done(nci_tile_cache *cache, const nci_layer *layer);
/* nci_tile_cache_bytes: what the kept tiles took at most. NULL: 0. */
int64_t nci_tile_cache_bytes(const nci_tile_cache *cache);

/* nci_kept_read is nci_file_read_tile through the cache; `kept` NULL: without.
 * Any thread. out->data points into the cache or into `scratch`. */
ncg_status nci_kept_read(nci_kept *kept, size_t segment, nci_file *file,
                         int var, const int64_t *index, nci_scratch *scratch,
                         nci_tile *out, ncg_error *err);

#endif
