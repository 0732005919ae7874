/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_NANNY_H
#define NCI_ENGINE_LAUNCH_NANNY_H
/*
 * A nanny starts processes of this program's own file, with the same
 * arguments, and watches them. The launcher knows the nanny only, which ends
 * well whatever becomes of a worker: Open MPI would end the whole job where one
 * rank died. Signals that end or drain go on to the children.
 */
#include <signal.h>
#include <sys/types.h>

#include "engine/launch/handover.h"

enum { NCI_NANNY_CHILDREN = 2 };

typedef struct nci_child {
    nci_handover how; /* role and so on */
    pid_t pid;        /* 0: not running */
    int fd;           /* our end of the pair */
    int restarts;     /* so many more when it crashes */
    int code;         /* how it ended: as a shell says it */
} nci_child;

/* nci_child_start starts the child; nci_child_address waits for the addresses
 * on which it listens: ENET where it ended without. */
ncg_status nci_child_start(nci_child *child, ncg_error *err);
ncg_status nci_child_address(nci_child *child,
                             char addresses[NCI_ADDRESSES_BYTES],
                             ncg_error *err);
/* nci_nanny_signals names those that go on to the children. A worker starts
 * with them blocked: it unblocks them when it is ready to leave well. */
void nci_nanny_signals(sigset_t *out);
/* nci_nanny_watch waits until children[0] has ended for good, restarts those
 * that crash, ends the others then, and returns the first one's exit code. */
int nci_nanny_watch(nci_child *children, int n);

#endif
