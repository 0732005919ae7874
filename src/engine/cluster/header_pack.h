/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_HEADER_PACK_H
#define NCI_ENGINE_CLUSTER_HEADER_PACK_H
/*
 * What inspection of a file found, as bytes for another process (graph/pack.h).
 * Any bytes are safe to decode; whether a reader may trust the header that
 * comes out is nci_file_adopt's to say.
 */
#include "base/header.h"
#include "graph/pack.h"

void nci_header_pack(nci_pack *pack, const nci_header *header);
/* nci_header_unpack makes a header for `path`, as this process calls the file.
 * ENET: damaged, or of a host with another byte order. */
ncg_status nci_header_unpack(nci_unpack *in, const char *path,
                             nci_header **out, ncg_error *err);

#endif
