/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_SUBMIT_H
#define NCI_API_SUBMIT_H
/*
 * Submitted runs of a context: a queue and the one thread that works it off.
 * The thread is started with the first run.
 */
#include "api/graph.h"

typedef struct nci_run_queue nci_run_queue;

/* nci_queue_stop cancels all runs, waits for the one under way and ends the
 * thread; nothing can be submitted after. Not from a callback of a run. */
void nci_queue_stop(ncg_context *ctx);
/* nci_queue_free releases the memory of a stopped queue. */
void nci_queue_free(nci_run_queue **queue);

#endif
