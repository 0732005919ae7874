/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_TARGET_H
#define NCI_IO_WRITE_TARGET_H
/*
 * The name that an output file gets, and the temporary name under which it
 * grows: checks before anything is computed, a rename at the end, removal on
 * failure. Knows nothing of what is in the file.
 */
#include <sys/types.h>

#include "base/error.h"

typedef struct nci_target {
    char *path;  /* as the user gave it, for messages */
    char *final; /* absolute, symbolic links resolved */
    char *dir;   /* of `final` */
    char *temp;  /* in `dir` */
    bool overwrite;
    int mode; /* permissions of the file that is replaced, -1: none */
    int slot; /* in the table for signal handlers, -1: none */
} nci_target;

/* nci_target_open checks `path` and creates the empty temporary file.
 * Errors: EEXISTS without `overwrite`; EOUTPUT where `path` is no file that
 * can be written. Zero-initialise; on failure nothing is left. */
ncg_status nci_target_open(const char *path, bool overwrite, nci_target *out,
                           ncg_error *err);
/* nci_target_reserve checks that the file may grow to `nbytes` from here on, so
 * that the first write of a library meets no full disk. EOUTPUT otherwise. */
ncg_status nci_target_reserve(const nci_target *target, int64_t nbytes,
                              ncg_error *err);
/* nci_target_check_limit is EOUTPUT where the process may not write a file of
 * `nbytes`. */
ncg_status nci_target_check_limit(const nci_target *target, int64_t nbytes,
                                  ncg_error *err);
/* nci_target_has_room tells whether the process may write a file of `nbytes`
 * (ulimit -f); a write beyond would end it by a signal. */
bool nci_target_has_room(int64_t nbytes);
/* nci_target_commit synchronises the temporary file and gives it its name. A
 * file that appeared meanwhile is kept, unless `overwrite`: EEXISTS. */
ncg_status nci_target_commit(nci_target *target, ncg_error *err);
/* nci_target_discard removes the temporary file; its blocks are freed at once,
 * even where a library still holds it open, so that closing succeeds on a
 * full disk. No effect after a commit. */
void nci_target_discard(nci_target *target);
/* nci_target_fini releases memory, not files. */
void nci_target_fini(nci_target *target);
/* nci_target_remove_all unlinks the temporary files of the process;
 * async-signal-safe. */
void nci_target_remove_all(void);

#endif
