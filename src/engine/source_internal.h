/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_INTERNAL_H
#define NCI_ENGINE_SOURCE_INTERNAL_H
/* What the kinds of sources share while they are made and walked. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/source_remote.h"
#include "engine/source_spill.h"
#include "engine/spill_file.h"

typedef struct nci_source_place {
    nci_source *source; /* NULL: free */
    uint32_t next_free; /* index + 1 */
} nci_source_place;

struct nci_source_table {
    atomic_int_fast64_t refs; /* its owner, and the sources that are counted */
    pthread_mutex_t lock; /* guards all of it, and where held chunks are */
    nci_source_place *places;
    size_t count, capacity;
    uint32_t free;     /* index + 1 of the first free place */
    nci_source *found; /* list of those that are found by token */
    nci_held_tasks *tasks; /* lists of values that are held */
    uint32_t spills;       /* counts calls of nci_source_table_spill */
    int64_t held;          /* bytes in memory */
    int64_t on_disk;
    nci_spill_file *spill; /* NULL until held chunks had to go */
    nci_source_holder holder; /* of chunks elsewhere */
};

/* nci_source_create makes a source of `form` with room for nchunks buffers; its
 * token is still to be set. EINVAL: too large, a dtype without numbers. */
ncg_status nci_source_create(const nci_source_form *form,
                             const nci_source_kind *kind, int64_t nchunks,
                             nci_source **out, ncg_error *err);
void nci_source_free(nci_source **source);
/* nci_source_table_put only adds it: it stays until the table ends. */
ncg_status nci_source_table_put(nci_source_table *table, nci_source *source,
                                uint32_t *id, ncg_error *err);
/* nci_source_table_node adds a source and makes its array, which keeps it;
 * takes the source, also on failure. */
ncg_status nci_source_table_node(nci_source_table *table,
                                 nci_source *source_take, nci_node **out,
                                 ncg_error *err);

/* nci_source_hash starts a token with what `form` says; chunks count, sums
 * depend on them. nci_source_own_token makes one that nobody has. */
nci_hash nci_source_hash(const nci_source_form *form, const char *domain);
nci_token nci_source_own_token(const nci_source_form *form, const char *domain);

/* nci_source_borrow gives held chunk `chunk` wherever it is: *out is the
 * caller's. Any thread, also while no run is under way. */
ncg_status nci_source_borrow(const nci_source *source, int64_t chunk,
                             nci_buf **out, ncg_error *err);
/* nci_source_load reads a held chunk that is on disk to `out`. */
ncg_status nci_source_load(const nci_source *source, int64_t chunk, void *out,
                           ncg_error *err);
/* nci_held_tasks_spill: what nci_source_table_spill does with lists of values;
 * adds to *freed. */
ncg_status nci_held_tasks_spill(nci_source_table *table, int64_t want,
                                const nci_spill_reader *reader, bool also_read,
                                int64_t *freed, ncg_error *err);
/* nci_source_largest: bytes of the largest chunk. */
int64_t nci_source_largest(const nci_source_spec *spec);

/* nci_source_each_chunk visits the chunks of the grid that a box touches, in
 * row-major order; `wanted` is the part inside the box. */
typedef ncg_status (*nci_source_chunk_fn)(void *arg, const nci_source *source,
                                          int64_t chunk, const nci_box *wanted,
                                          ncg_error *err);
ncg_status nci_source_each_chunk(const nci_source *source, const nci_box *box,
                                 nci_tile_want_fn wants, void *want_ctx,
                                 nci_source_chunk_fn visit, void *arg,
                                 ncg_error *err);

#endif
