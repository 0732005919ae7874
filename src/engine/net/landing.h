/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_LANDING_H
#define NCI_ENGINE_NET_LANDING_H
/*
 * Memory that chunks are received into. To clear fresh pages takes the system
 * as long as to copy a chunk out of a socket, so memory of chunks that were let
 * go of is kept for the next ones, up to a bound. Any thread; what was received
 * may outlive its landing.
 */
#include "base/buf.h"

typedef struct nci_landing nci_landing;

/* nci_landing_create: at most `keep` bytes are kept free. */
ncg_status nci_landing_create(int64_t keep, nci_landing **out, ncg_error *err);
/* nci_landing_close frees what is kept; later ends of chunks free theirs. */
void nci_landing_close(nci_landing **landing);
/* nci_landing_take returns a buffer of `nbytes`, not cleared. */
ncg_status nci_landing_take(nci_landing *landing, size_t nbytes, nci_buf **out,
                            ncg_error *err);

#endif
