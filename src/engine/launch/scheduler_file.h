/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_SCHEDULER_FILE_H
#define NCI_ENGINE_LAUNCH_SCHEDULER_FILE_H
/*
 * scheduler.json: how to find a standing cluster. Beside it lies the file with
 * the secret, whose name it tells. Both can be read by their owner only, are
 * written under another name first and renamed, so that nobody reads half of
 * one.
 *
 *     {"ncgraph": 1, "cluster": "32 hex digits", "epoch": 1,
 *      "host": "node1", "pid": 4711,
 *      "addresses": ["10.0.0.1:40123", "127.0.0.1:40123"],
 *      "secret_file": "/home/me/scheduler.json.key",
 *      "http": "http://127.0.0.1:8787/?token=...",
 *      "tls": "SHA-256 of the certificate of the authority, in hex"}
 *
 * "tls" only where the cluster has it, "http" where it shows its state.
 */
#include "engine/launch/handover.h"

typedef struct nci_scheduler_file {
    uint8_t cluster[NCI_CLUSTER_ID_BYTES];
    uint8_t secret[NCI_SECRET_BYTES];
    uint64_t epoch;
    int64_t pid;
    char host[256];
    char addresses[NCI_ADDRESSES_BYTES]; /* comma-separated */
    char http[256];                      /* "http://...", or empty */
    char tls[NCI_PRINT_BYTES]; /* of the certificates' authority; empty:
                                  without TLS */
} nci_scheduler_file;

/* nci_scheduler_file_write writes both. EOUTPUT names the path. */
ncg_status nci_scheduler_file_write(const char *path,
                                    const nci_scheduler_file *what,
                                    ncg_error *err);
/* nci_scheduler_file_read: ENOTFOUND; ECORRUPT where it is something else;
 * EAUTH where others could read or change the secret. */
ncg_status nci_scheduler_file_read(const char *path, nci_scheduler_file *out,
                                   ncg_error *err);
/* nci_scheduler_file_wait reads it, and again until it is there and sound;
 * at most `seconds`. */
ncg_status nci_scheduler_file_wait(const char *path, double seconds,
                                   nci_scheduler_file *out, ncg_error *err);
/* nci_scheduler_file_remove removes both, if they are those of this cluster. */
void nci_scheduler_file_remove(const char *path,
                               const nci_scheduler_file *what);

#endif
