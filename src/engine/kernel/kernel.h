/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_KERNEL_H
#define NCI_ENGINE_KERNEL_KERNEL_H
/*
 * The work of one task, by kind of layer. Pure: what comes in decides what
 * comes out, bit for bit, for any `threads` and any instruction set. Any
 * thread; OpenMP regions run with num_threads(threads).
 */
#include "engine/kernel/registry.h"
#include "engine/source.h"
#include "graph/plan.h"

/* One input chunk: task number and its buffer, in the order of
 * nci_plan_deps. */
typedef struct nci_dep {
    int input;
    int64_t task;
    const nci_buf *buf;
} nci_dep;

typedef struct nci_task_env {
    const nci_plan *plan;
    const nci_source_table *sources;
    nci_kernel_table *kernels; /* NULL: the library's own only */
    nci_scratch *scratch;          /* of the calling thread, for tiles */
    int threads;                   /* k of this task */
    const _Atomic bool *cancelled; /* looked at between tiles */
    _Atomic int64_t *fills; /* of the task's layer, see engine/fills.h; or
                               NULL: nobody counts */
} nci_task_env;

/* nci_kernel_run runs one task; *out is a new buffer of nci_plan_bytes(task).
 * Errors of reading name file, variable, chunk; ECANCELED when cancelled. */
ncg_status nci_kernel_run(const nci_task_env *env, int64_t task,
                          const nci_dep *deps, int64_t ndeps, nci_buf **out,
                          ncg_error *err);
/* nci_kernel_most_scratch bounds nci_kernel_scratch on one thread over all
 * tasks of a layer, without looking at each; -1: not known, a kernel has a
 * function of its own that tells it. */
int64_t nci_kernel_most_scratch(const nci_plan *plan,
                                const nci_source_table *sources,
                                nci_kernel_table *kernels,
                                const nci_layer *layer);
/* nci_kernel_scratch bounds the bytes that running a task needs beside its
 * inputs and its output: tile buffers, program blocks, gathered operands. */
int64_t nci_kernel_scratch(const nci_plan *plan,
                           const nci_source_table *sources,
                           nci_kernel_table *kernels, int64_t task,
                           int threads);
/* nci_kernel_threads tells on how many cores a task is worth running when
 * `available` are idle: 1 for ordinary tasks, more where a tile is large. */
int nci_kernel_threads(const nci_plan *plan, const nci_source_table *sources,
                       int64_t task, int available);
/* nci_values_pack makes bytes of what storing values of explicit tasks left;
 * nci_values_unpack makes it of bytes that hold n values, which stay where they
 * lie. ENET: they do not. */
ncg_status nci_values_pack(const nci_buf *list, nci_buf **out, ncg_error *err);
ncg_status nci_values_unpack(nci_buf *packed, int64_t n, nci_buf **out,
                             ncg_error *err);
/* nci_block_threads: the same of BLOCK tasks, as their kernel says. */
int nci_block_threads(const nci_layer *layer, int64_t chunk, int available);

#endif
