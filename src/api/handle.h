/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_HANDLE_H
#define NCI_API_HANDLE_H
/*
 * What every public handle begins with: a word that tells what it is and
 * whether it lives. Where assertions are on, the last few handles that were
 * released are kept aside, so that using one of them is told as what it is.
 */
#include "base/error.h"

typedef enum nci_handle_kind {
    NCI_HANDLE_DEAD,
    NCI_HANDLE_CONTEXT,
    NCI_HANDLE_DATASET,
    NCI_HANDLE_ARRAY,
    NCI_HANDLE_GRAPH,
    NCI_HANDLE_KEYS,
    NCI_HANDLE_RESULTS,
    NCI_HANDLE_TASKS,
    NCI_HANDLE_RUN,
    NCI_HANDLE_FUTURE
} nci_handle_kind;

typedef struct nci_handle {
    uint32_t word;
} nci_handle;

void nci_handle_init(nci_handle *handle, nci_handle_kind kind);
/* nci_handle_free ends the memory of a handle, which begins with `handle`. */
void nci_handle_free(nci_handle *handle);
/* nci_handle_check: EINVAL where the handle was released or is another thing.
 * Always fine in plain release builds. */
ncg_status nci_handle_check(const nci_handle *handle, nci_handle_kind kind,
                            ncg_error *err);
/* nci_handle_assert stops the program instead: for functions that cannot
 * fail. */
void nci_handle_assert(const nci_handle *handle, nci_handle_kind kind,
                       const char *function);

#endif
