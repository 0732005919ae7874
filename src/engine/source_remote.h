/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_REMOTE_H
#define NCI_ENGINE_SOURCE_REMOTE_H
/*
 * Arrays whose chunks are held by processes of a cluster. A set of chunks has a
 * name, its space; where they are, and that somebody reads them, is the
 * business of the table's holder.
 */
#include "engine/net/wire.h"
#include "engine/source_make.h"

/* Any thread. All but `get` may be NULL. */
typedef struct nci_source_holder {
    void *ctx;
    /* *out is the caller's: the part that is wanted, or all of the chunk where
     * that is at hand; waits. `what` names the part also where it is the whole.
     * ENET: nobody has it any more. */
    ncg_status (*get)(void *ctx, const nci_fetch_request *what, nci_buf **out,
                      ncg_error *err);
    ncg_status (*hold)(void *ctx, nci_token space, ncg_error *err);
    void (*let_go)(void *ctx, nci_token space);
} nci_source_holder;

/* nci_source_table_set_holder: NULL: from now on nothing can be had. */
void nci_source_table_set_holder(nci_source_table *table,
                                 const nci_source_holder *holder);
/* nci_source_new_space gives a name that no other set has. */
nci_token nci_source_new_space(void);
/* nci_source_from_remote makes the array of a set, under `token`, by which the
 * table finds it again. */
ncg_status nci_source_from_remote(nci_source_table *table,
                                  const nci_source_form *form, nci_token token,
                                  nci_token space, nci_node **out,
                                  ncg_error *err);
bool nci_source_is_remote(const nci_source *source, nci_token *space);
/* nci_source_remote_chunk: which chunk a position lies in. */
int64_t nci_source_remote_chunk(const nci_source *source, const int64_t *at);
/* nci_source_remote_all tells whether `has` is true of all chunks that the
 * positions from `low` to `high` lie in. */
bool nci_source_remote_all(const nci_source *source, const int64_t *low,
                           const int64_t *high,
                           bool (*has)(void *ctx, int64_t chunk), void *ctx);
/* nci_source_table_each_remote visits the sets that sources read; `visit` must
 * not use the table. */
void nci_source_table_each_remote(nci_source_table *table,
                                  void (*visit)(void *ctx, nci_token space),
                                  void *ctx);

#endif
