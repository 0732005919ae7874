/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SPILL_PACK_H
#define NCI_ENGINE_SPILL_PACK_H
/*
 * Bytes at a place of a file, as they are or compressed:
 *
 *     OFFSET SIZE FIELD of each piece of NCI_SPILL_PIECE bytes
 *          0    4 bytes that follow; those of the piece: not compressed
 *          4    - the piece
 *
 * Numbers are the machine's: only the process that wrote them reads them. A
 * place has room for all of it uncompressed; what is not written takes no disk.
 * Any thread.
 */
#include "ncgraph.h"

enum { NCI_SPILL_PIECE = 256 << 10 };

/* nci_spill_room returns the bytes that a place for `nbytes` spans. */
int64_t nci_spill_room(ncg_wire_compression how, int64_t nbytes);
/* nci_spill_put writes; nci_spill_get reads back what was put. Return 0, errno,
 * or (get) NCI_SPILL_SHORT, NCI_SPILL_DAMAGED. */
enum { NCI_SPILL_SHORT = -1, NCI_SPILL_DAMAGED = -2 };
int nci_spill_put(int fd, ncg_wire_compression how, const char *data,
                  int64_t nbytes, int64_t offset);
int nci_spill_get(int fd, ncg_wire_compression how, char *data, int64_t nbytes,
                  int64_t offset);

#endif
