/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_CODEC_OUTPUT_H
#define NCI_GRAPH_CODEC_OUTPUT_H
/*
 * Everything that nci_lower makes a plan of, as bytes: expressions, explicit
 * tasks, final dtypes, fill values, chunks. Two processes that lower the same bytes have the
 * same plan with the same task numbers; nci_plan_hash tells whether they do.
 */
#include "graph/codec.h"
#include "graph/plan.h"

/* nci_encode_outputs: EUNSUPPORTED where something exists in this process
 * only (tasks whose functions have no name, what the hooks refuse). `replace`:
 * as nci_lower_with; may be NULL. *bytes: nci_free. */
ncg_status nci_encode_outputs(const nci_output *outputs, int noutputs,
                              nci_replace_fn replace, void *ctx,
                              const nci_codec_hooks *hooks, char **bytes,
                              size_t *nbytes, ncg_error *err);
/* nci_decode_plan reads and lowers them. Any bytes are safe. */
ncg_status nci_decode_plan(const char *bytes, size_t nbytes,
                           const nci_codec_hooks *hooks, nci_plan **out,
                           ncg_error *err);
/* nci_decode_outputs reads them and calls visit(ctx, ...) with them. */
typedef ncg_status (*nci_outputs_fn)(void *ctx, nci_output *outputs,
                                     int noutputs, ncg_error *err);
ncg_status nci_decode_outputs(const char *bytes, size_t nbytes,
                              const nci_codec_hooks *hooks,
                              nci_outputs_fn visit, void *ctx, ncg_error *err);
/* nci_plan_hash names what the tasks of a plan are. */
nci_token nci_plan_hash(const nci_plan *plan);

#endif
