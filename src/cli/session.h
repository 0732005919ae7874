/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_SESSION_H
#define NCI_CLI_SESSION_H
/* A context with the command's options, and the data set of a pipeline. */
#include "cli/pipeline.h"

typedef struct nci_session {
    const nci_options *options;
    ncg_context *ctx;
    ncg_dataset *result; /* after all steps */
    double started;      /* seconds of the monotonic clock */
} nci_session;

/* nci_session_start creates the context: first of all, since under mpirun the
 * other ranks go no further (WORKER_DONE). nci_session_open opens the inputs
 * and applies the steps. nci_session_close releases all of it, also after a
 * failure. */
ncg_status nci_session_start(nci_session *s, const nci_options *options,
                             ncg_error *err);
ncg_status nci_session_open(nci_session *s, const nci_pipeline *p,
                            ncg_error *err);
void nci_session_close(nci_session *s);
/* nci_session_elapsed returns the seconds since nci_session_start. */
double nci_session_elapsed(const nci_session *s);

#endif
