/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_APPEND_H
#define NCI_IO_WRITE_APPEND_H
/*
 * Writing into variables of a file that is there already, through NetCDF-C, so
 * that files of any origin, format and filter can grow. By default a copy of
 * the file is changed and takes its name at the end: whatever fails, the file
 * is as it was, and readers see the old or the new one. That costs a copy (on
 * file systems that share blocks, almost nothing). In place nothing is copied,
 * and a failure may leave part of the new data in the file.
 */
#include "base/error.h"

typedef struct nci_append nci_append;

/* nci_append_open opens the file for writing.
 * Errors: ENOTFOUND, EOUTPUT name the path. */
ncg_status nci_append_open(const char *path, bool in_place, nci_append **out,
                           ncg_error *err);
/* nci_append_put writes row-major values in host order of a box of a variable
 * ("/group/name" for one in a group); STRING: pointers. Any thread. */
ncg_status nci_append_put(nci_append *append, const char *var, int rank,
                          const int64_t *start, const int64_t *count,
                          const void *data, ncg_error *err);
/* nci_append_history puts a line in front of the file's history. */
ncg_status nci_append_history(nci_append *append, const char *line,
                              ncg_error *err);
/* nci_append_finish closes and synchronises; the copy gets the name. *append
 * becomes NULL on success. */
ncg_status nci_append_finish(nci_append **append, ncg_error *err);
/* nci_append_abandon closes, and removes the copy; NULL is accepted. */
void nci_append_abandon(nci_append **append);

#endif
