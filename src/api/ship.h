/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_SHIP_H
#define NCI_API_SHIP_H
/* Sources on their way to another process: variables of files go as paths and
 * what was found in them, and the other side opens the files itself; values in
 * memory go along, generators as what they generate. */
#include "api/handles.h"
#include "graph/codec.h"

/* Where sources are found and made; a context has one of its own. */
typedef struct nci_ship {
    nci_io *io;
    nci_source_table *sources;
    pthread_mutex_t *lock; /* of additions to `sources` */
} nci_ship;

/* nci_ship_of gives the one of a context. */
static inline nci_ship nci_ship_of(ncg_context *ctx)
{
    return (nci_ship){ctx->io, ctx->sources, &ctx->lock};
}

/* nci_ship_hooks gives the hooks; `ship` must live as long as they. Encoding is
 * EUNSUPPORTED for values that a function of the program gives and for more
 * than 2 GB of values in memory; decoding is EMISMATCH where a file is not
 * what it was. */
nci_codec_hooks nci_ship_hooks(nci_ship *ship);

/* What else is learned while sources are written: the sets of chunks on a
 * cluster that they read. */
typedef struct nci_gathering {
    nci_ship ship;
    nci_token *sets; /* nci_free */
    size_t nsets, capacity;
} nci_gathering;

/* nci_gathering_hooks: the same hooks, for writing only. */
nci_codec_hooks nci_gathering_hooks(nci_gathering *gathering);

#endif
