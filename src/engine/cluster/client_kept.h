/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_CLIENT_KEPT_H
#define NCI_ENGINE_CLUSTER_CLIENT_KEPT_H
/*
 * What stays on a cluster, seen by a client: sets of chunks that its sources
 * read, data published under names. Any thread.
 */
#include "engine/cluster/client.h"
#include "engine/source_remote.h"

/* nci_client_holder is how sources read sets from this process. */
nci_source_holder nci_client_holder(nci_client *client);
/* nci_client_unhold lets go of a set that no source came to read. */
void nci_client_unhold(nci_client *client, nci_token space);

/* nci_client_publish: EEXISTS; ENOTFOUND: one of the sets is gone. `data` is
 * what nci_client_published gives; it begins with a packed list of the numbers
 * (low, high) of the sets that it reads. */
ncg_status nci_client_publish(nci_client *client, const char *name,
                              ncg_bytes data, bool replaces, ncg_error *err);
/* nci_client_published: *data: nci_free. This client holds its sets from then
 * on: each is to be read by a source, or let go by nci_client_unhold. */
ncg_status nci_client_published(nci_client *client, const char *name,
                                void **data, size_t *ndata, ncg_error *err);
ncg_status nci_client_unpublish(nci_client *client, const char *name,
                                ncg_error *err);
/* nci_client_names: each ended by a zero byte; *names: nci_free. */
ncg_status nci_client_names(nci_client *client, char **names, size_t *nbytes,
                            ncg_error *err);

#endif
