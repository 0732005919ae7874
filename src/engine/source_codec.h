/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_CODEC_H
#define NCI_ENGINE_SOURCE_CODEC_H
/*
 * Sources without files as bytes, for another process: values in memory and
 * held chunks with all their bytes, generators as what they generate. Functions
 * stay where they are and are refused by name.
 */
#include "engine/source_make.h"
#include "graph/codec.h"

/* nci_source_encode writes one. EUNSUPPORTED: a function, or values that do not
 * fit into what may go with a graph (NCI_SENT_BYTES). */
ncg_status nci_source_encode(const nci_source *source, nci_pack *pack,
                             ncg_error *err);
/* nci_source_decode adds what was written to the table and makes its array,
 * under the token that it had; what is there under that token is taken instead.
 * Received bytes count as held. Any bytes are safe. */
ncg_status nci_source_decode(nci_source_table *table, nci_unpack *in,
                             nci_node **out, ncg_error *err);

#endif
