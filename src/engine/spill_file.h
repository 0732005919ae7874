/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SPILL_FILE_H
#define NCI_ENGINE_SPILL_FILE_H
/*
 * Chunks on a local disk for as long as a run lasts, or as they are held: one file, places in it
 * used again, a checksum (XXH3) for each chunk, kept in memory. The file is
 * made with the first chunk, for this process alone, and has no name from then
 * on: nothing is left behind however the process ends. Any thread.
 */
#include "base/buf.h"

typedef struct nci_spill_file nci_spill_file;
typedef struct nci_extent nci_extent; /* a chunk in the file */

typedef struct nci_spill_place {
    const char *directory; /* NULL: $TMPDIR or /tmp */
    ncg_wire_compression how;
} nci_spill_place;

/* nci_spill_file_create copies the place. */
ncg_status nci_spill_file_create(const nci_spill_place *place,
                                 nci_spill_file **out, ncg_error *err);
void nci_spill_file_free(nci_spill_file **file);
/* nci_spill_file_write: EOUTPUT names directory, bytes and remedy. */
ncg_status nci_spill_file_write(nci_spill_file *file, const nci_buf *chunk,
                                nci_extent **out, ncg_error *err);
/* nci_spill_file_read: EIO; ECORRUPT where what is there is not what was
 * written. */
ncg_status nci_spill_file_read(nci_spill_file *file, const nci_extent *extent,
                               nci_buf **out, ncg_error *err);
/* nci_spill_file_read_to does the same to `out`, which has room for it. */
ncg_status nci_spill_file_read_to(nci_spill_file *file,
                                  const nci_extent *extent, void *out,
                                  ncg_error *err);
/* nci_spill_file_drop gives a chunk's place back; NULL is accepted. */
void nci_spill_file_drop(nci_spill_file *file, nci_extent **extent);

#endif
