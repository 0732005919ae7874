/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_INTERNAL_H
#define NCI_ENGINE_SOURCE_INTERNAL_H
/* What the kinds of sources share while they are made and walked. */
#include <string.h>

#include "engine/source_make.h"

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
