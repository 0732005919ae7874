/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_SPILL_H
#define NCI_ENGINE_SOURCE_SPILL_H
/*
 * What is held on disk: chunks of persisted arrays and values of persisted tasks
 * leave memory where a run needs the room, and are read from the disk, into
 * scratch, from then on.
 */
#include "engine/source.h"
#include "engine/spill_file.h"
#include "graph/tasks.h"

/* A list of values that are held; its owner has the memory. */
typedef struct nci_held_tasks {
    nci_tasks *tasks; /* borrowed: it takes itself out before it ends */
    int64_t held;     /* bytes in memory */
    int64_t on_disk;
    uint32_t turn; /* the last spilling that has looked at it */
    struct nci_held_tasks *previous, *next;
} nci_held_tasks;

/* nci_source_table_hold counts the list among what is held, and lets it be
 * spilled; nci_source_table_let_go ends that. */
void nci_source_table_hold(nci_source_table *table, nci_held_tasks *list);
void nci_source_table_let_go(nci_source_table *table, nci_held_tasks *list);

/* What the plan that needs room reads. */
typedef struct nci_spill_reader {
    void *ctx;
    bool (*reads_source)(void *ctx, uint32_t id);
    bool (*reads_tasks)(void *ctx, const nci_tasks *tasks);
} nci_spill_reader;

/* nci_source_table_spill writes what is held to `place` until `want` bytes are
 * free or no more can go. What the reader reads is left alone unless
 * `also_read`. *freed is how many bytes left memory. Not while a run is under
 * way.
 * Errors: EOUTPUT names directory, bytes and remedy. */
ncg_status nci_source_table_spill(nci_source_table *table,
                                  const nci_spill_place *place, int64_t want,
                                  const nci_spill_reader *reader,
                                  bool also_read, int64_t *freed,
                                  ncg_error *err);

#endif
