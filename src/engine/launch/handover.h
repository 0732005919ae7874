/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_HANDOVER_H
#define NCI_ENGINE_LAUNCH_HANDOVER_H
/*
 * What a nanny tells the process that it starts, and what comes back. It goes
 * through a pair of sockets, so that no secret stands in an argument or in the
 * environment, where others may read it; the environment only says on which
 * descriptor to listen.
 */
#include "base/error.h"

enum {
    NCI_SECRET_BYTES = 32,
    NCI_CLUSTER_ID_BYTES = 16,
    NCI_ADDRESSES_BYTES = 512,
    NCI_PRINT_BYTES = 65 /* of a certificate, in hex */
};

typedef enum nci_child_kind {
    NCI_CHILD_NONE, /* nobody's child */
    NCI_CHILD_SCHEDULER,
    NCI_CHILD_CLIENT, /* with the scheduler in the same process */
    NCI_CHILD_WORKER
} nci_child_kind;

/* Fixed size: a child runs the same file as its parent. */
typedef struct nci_handover {
    uint32_t magic, nbytes;
    int32_t role;
    int32_t rank, ranks;      /* of the job; 0, 1 without one */
    int32_t threads;          /* 0: the child finds out */
    int32_t shares;           /* processes that share the machine */
    int32_t is_local;         /* every process is on this machine */
    int32_t attempt;          /* how many went before this child */
    int32_t is_filed;         /* all this stood in a scheduler file */
    uint64_t epoch;           /* of the scheduler */
    int64_t end;              /* when it must have ended: CLOCK_MONOTONIC, ns;
                                 0: open */
    uint8_t cluster[NCI_CLUSTER_ID_BYTES];
    uint8_t secret[NCI_SECRET_BYTES];
    char addresses[NCI_ADDRESSES_BYTES]; /* "host:port,host:port" */
    char tls[NCI_PRINT_BYTES]; /* of the cluster's authority, empty: as the
                                  options say */
} nci_handover;

/* nci_handover_init makes an empty one with a new secret and cluster id. */
ncg_status nci_handover_init(nci_handover *out, ncg_error *err);
/* nci_handover_take tells which role this process was started for, and reads
 * what the parent says; NCI_CHILD_NONE where there is no such parent. Calls
 * after the first give the same. */
ncg_status nci_handover_take(nci_handover *out, ncg_error *err);
/* nci_handover_answer tells the parent the addresses that this process listens
 * on; once. */
ncg_status nci_handover_answer(const char *addresses, ncg_error *err);

/* The nanny's side of the pair. */
ncg_status nci_handover_send(int fd, const nci_handover *what, ncg_error *err);
/* nci_handover_wait waits for the answer; false where the child ended. */
bool nci_handover_wait(int fd, char addresses[NCI_ADDRESSES_BYTES]);

#define NCI_HANDOVER_VARIABLE "NCGRAPH_CHILD"

#endif
