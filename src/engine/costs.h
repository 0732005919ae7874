/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_COSTS_H
#define NCI_ENGINE_COSTS_H
/* What a task takes beside its inputs and its output: the kernel's scratch,
 * and for stored chunks that of encoding. One place, used for running and for
 * predicting. The functions have the shape of nci_sched_costs. */
#include "engine/kernel/kernel.h"

typedef struct nci_costs {
    const nci_plan *plan;
    const nci_source_table *sources;
    nci_kernel_table *kernels;
    bool encodes; /* the sink encodes chunks */
    int retries;  /* a task that fails runs so many times more */
} nci_costs;

int64_t nci_costs_scratch(void *costs, int64_t task, int threads);
/* nci_costs_most_scratch bounds it on one thread over the tasks of a layer; -1:
 * not known. */
int64_t nci_costs_most_scratch(void *costs, int layer);
int nci_costs_threads(void *costs, int64_t task, int available);
/* nci_costs_encode bounds what encoding a chunk of a STORE layer takes: padded
 * to the shape of the output's first chunk, filtered, deflated. */
int64_t nci_costs_encode(const nci_layer *layer);
/* nci_costs_run runs a task, again after a failure as often as `retries` says;
 * not after a cancellation. `ctx` is the nci_costs. */
ncg_status nci_costs_run(void *ctx, const nci_task_env *env, int64_t task,
                         const nci_dep *deps, int64_t ndeps, nci_buf **out,
                         ncg_error *err);

#endif
