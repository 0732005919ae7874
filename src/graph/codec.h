/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_CODEC_H
#define NCI_GRAPH_CODEC_H
/*
 * Expressions as bytes, for another process: every kind of node, inputs before
 * their users, each once. The reader builds the nodes by their own functions,
 * which check everything, and comes to the same tokens; lowering what it gets
 * gives the same plan, so layers need no form of their own.
 *
 * What a source is, only its owner knows: the hooks write and read it.
 */
#include "graph/node.h"
#include "graph/pack.h"

typedef struct nci_codec_hooks {
    void *ctx;
    /* EUNSUPPORTED names what cannot be sent, and the remedy. */
    ncg_status (*encode)(void *ctx, const nci_node *source, nci_pack *pack,
                         ncg_error *err);
    ncg_status (*decode)(void *ctx, nci_unpack *in, nci_node **out,
                         ncg_error *err);
} nci_codec_hooks;

/* nci_encode_nodes writes n expressions; *bytes is freed with nci_free. */
ncg_status nci_encode_nodes(nci_node *const *roots, size_t n,
                            const nci_codec_hooks *hooks, char **bytes,
                            size_t *nbytes, ncg_error *err);
/* nci_decode_nodes reads them: *roots (nci_free) holds *n nodes, the caller's.
 * Any bytes are safe. ECORRUPT: they are not what encoding writes. */
ncg_status nci_decode_nodes(const char *bytes, size_t nbytes,
                            const nci_codec_hooks *hooks, nci_node ***roots,
                            size_t *n, ncg_error *err);

/* For hooks (codec_source.c): the form of a source of files without the files
 * themselves; grids. */
void nci_pack_grid(nci_pack *pack, const nci_grid *grid);
ncg_status nci_unpack_grid(nci_unpack *in, nci_grid *out, ncg_error *err);
void nci_pack_source(nci_pack *pack, const nci_source_spec *spec);
ncg_status nci_unpack_source(nci_unpack *in, int nfiles,
                             nci_source_spec **out, ncg_error *err);

#endif
