/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_SPILL_H
#define NCI_ENGINE_SOURCE_SPILL_H
/*
 * Held chunks on disk: those of persisted arrays leave memory where a run needs
 * the room, and are read from the disk, into scratch, from then on.
 */
#include "engine/source.h"
#include "engine/spill_file.h"

/* nci_source_table_spill writes held chunks to `place` until `want` bytes are
 * free or no more can go. Sources for which
 * `is_read` is true are left alone unless `also_read`. *freed is how many bytes
 * left memory. Not while a run is under way.
 * Errors: EOUTPUT names directory, bytes and remedy. */
typedef bool (*nci_source_is_read_fn)(void *ctx, uint32_t id);
ncg_status nci_source_table_spill(nci_source_table *table,
                                  const nci_spill_place *place, int64_t want,
                                  nci_source_is_read_fn is_read, void *ctx,
                                  bool also_read, int64_t *freed,
                                  ncg_error *err);

#endif
