/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_TURN_H
#define NCI_API_TURN_H
/*
 * One computation at a time runs in a context, others wait. A function that a
 * computation calls (a kernel, a source, a task, progress) would wait for
 * itself if it computed in the same context: it is told so instead.
 */
#include "api/handles.h"

typedef struct nci_turn {
    ncg_context *ctx;
    const struct nci_turn *outer; /* of the same thread, in another context */
} nci_turn;

/* nci_turn_begin waits until the context is free, and takes it. *turn lies in
 * the caller's frame until nci_turn_end, in the same thread. EINVAL: the thread
 * is in a computation of this context. */
ncg_status nci_turn_begin(ncg_context *ctx, nci_turn *turn, ncg_error *err);
void nci_turn_end(nci_turn *turn);
/* nci_turn_is_inside tells whether the calling thread is in a computation of
 * the context: one that it began, or one of the engine's threads. */
bool nci_turn_is_inside(const ncg_context *ctx);

#endif
