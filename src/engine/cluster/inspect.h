/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_INSPECT_H
#define NCI_ENGINE_CLUSTER_INSPECT_H
/*
 * Many files opened by a client and the workers of its cluster together. The
 * files are parted into batches; workers are called for all of them, the last
 * one first, while the client opens them from the first one on: a batch that
 * workers have answered by then is taken as it came, any other is opened here.
 * So nothing waits for workers that are slow, have not joined or cannot see the
 * files, and every file that is not taken is opened, or refused, as it is alone.
 */
#include "base/text.h"
#include "engine/cluster/client.h"
#include "graph/pack.h"

#define NCI_FUNCTION_INSPECT "ncg.inspect/1"

typedef struct nci_inspection nci_inspection;

/* nci_inspection_begin calls the workers; `paths` is borrowed until the end. */
ncg_status nci_inspection_begin(nci_client *client, nci_io *io,
                                const nci_strings *paths, nci_inspection **out,
                                ncg_error *err);
size_t nci_inspection_batches(const nci_inspection *inspection);
/* nci_inspection_open opens the files of a batch; any thread, in ascending
 * order. `files` is of all paths. */
ncg_status nci_inspection_open(nci_inspection *inspection, size_t batch,
                               nci_file **files, ncg_error *err);
void nci_inspection_end(nci_inspection **inspection);

/* nci_inspect_call is what workers do: paths in, headers out, an empty one for
 * each file that cannot be opened there. */
ncg_status nci_inspect_call(const ncg_function_call *call, void *payload,
                            ncg_error *err);
/* nci_inspect_take opens those of n files whose headers came; the others stay
 * NULL. Any bytes are safe. */
void nci_inspect_take(nci_io *io, const void *bytes, size_t nbytes,
                      char *const *paths, size_t n, nci_file **files);
/* nci_inspect_ask packs the argument of a call. */
void nci_inspect_ask(nci_pack *pack, char *const *paths, size_t n);

#endif
