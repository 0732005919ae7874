/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_FUNCTIONS_H
#define NCI_ENGINE_CLUSTER_FUNCTIONS_H
/*
 * Functions that the processes of a cluster call by name: bytes in, bytes out.
 * One list for the process; any thread.
 */
#include "base/buf.h"

/* nci_function_add: EINVAL (not a name), EEXISTS. */
ncg_status nci_function_add(const char *name, ncg_function_fn fn,
                            void *payload, ncg_error *err);

/* A call under way. */
typedef struct nci_function_frame {
    ncg_function_call call; /* first */
    const _Atomic bool *is_canceled; /* NULL: never */
    nci_buf *value;                  /* what it gave */
} nci_function_frame;

/* nci_function_run calls; *out may stay NULL: an empty value. ENOTFOUND: this
 * process has no such function. */
ncg_status nci_function_run(const char *name, nci_function_frame *frame,
                            nci_buf **out, ncg_error *err);

/* The function that gives its argument; every process has it. */
#define NCI_FUNCTION_VALUE "ncg.value/1"

#endif
