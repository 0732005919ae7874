/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_PROCESS_H
#define NCI_API_PROCESS_H
/*
 * Processes of a cluster. Each public function that starts them first asks
 * whether this process was started by a nanny (then it plays the part that it
 * was started for), else it becomes a nanny itself, or goes on alone.
 */
#include <signal.h>

#include "engine/cluster/worker.h"
#include "engine/launch/start.h"

enum { NCI_DEATH_TIMEOUT = 60 }; /* of workers, s */

extern const ncg_launch_options nci_launch_defaults;

/* nci_process_check: EINVAL: options were not initialised. */
ncg_status nci_process_check(const ncg_launch_options *o, ncg_error *err);
/* nci_process_restarts: how often a nanny starts what died; 0: by default,
 * negative: never. */
int nci_process_restarts(int wanted);
/* nci_process_note passes a sentence to the note of the context options that
 * `ctx` is (may be NULL). */
void nci_process_note(void *ctx, const char *sentence);

/* nci_process_leave: signals that ask this process to end, 2: at once;
 * nci_process_listen has them counted. */
extern volatile sig_atomic_t nci_process_leave;
void nci_process_listen(void);

/* nci_process_watch is a nanny's whole life: it does not return on rank 0,
 * elsewhere it ends with NCG_WORKER_DONE. */
ncg_status nci_process_watch(const nci_ranks *ranks,
                             const ncg_launch_options *o, nci_child_kind first,
                             ncg_error *err);
/* nci_process_work is a worker's: addresses, keys, signals and notes are set
 * here, the rest of `options` is the caller's. */
ncg_status nci_process_work(const nci_handover *who,
                            const ncg_context_options *context,
                            const nci_work_options *options, ncg_error *err);

#endif
