/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LANE_H
#define NCI_ENGINE_LANE_H
/*
 * One task on one pool thread, whoever decided that it runs: the driver of one
 * process (run_tasks.c) and that of a worker (cluster/worker_run.c).
 */
#include "engine/executor_internal.h"
#include "engine/sched/task_map.h"

/* What the tasks of a run have in common. */
typedef struct nci_lane_run {
    nci_executor *executor;
    const nci_plan *plan;
    const nci_source_table *sources;
    const nci_work *work;
    int64_t limit; /* of memory: decides which scratch is kept */
    const _Atomic bool *stopping;
    _Atomic int64_t *fills; /* of the plan's layers; NULL: the lane has those
                               of its last task */
    /* What a STORE task leaves becomes `*out`; NULL: stays as it is. */
    ncg_status (*encode)(void *ctx, int output, const int64_t *index,
                         const int64_t *count, nci_buf *chunk_take,
                         nci_buf **out, ncg_error *err);
    void *encode_ctx;
} nci_lane_run;

/* nci_lane_gather notes the inputs of a task, which `store` has; it is locked
 * by the caller, and keeps them until the task has ended. */
void nci_lane_gather(nci_lane *lane, const nci_plan *plan,
                     const nci_task_map *store, int64_t task);
/* nci_lane_gather_more notes the inputs of one more task behind those noted
 * before; false without memory. */
bool nci_lane_gather_more(nci_lane *lane, const nci_plan *plan,
                          const nci_task_map *store, int64_t task);
/* nci_lane_execute runs a task whose inputs were gathered, and encodes what it
 * leaves where that is stored. No lock held. */
ncg_status nci_lane_execute(const nci_lane_run *run, nci_lane *lane,
                            int64_t task, int threads, nci_buf **out,
                            ncg_error *err);

/* Inputs of one of the tasks that were gathered. */
typedef struct nci_lane_inputs {
    const nci_dep *deps;
    size_t count;
} nci_lane_inputs;

/* nci_lane_run_task is nci_lane_execute with inputs of the caller's choice. */
ncg_status nci_lane_run_task(const nci_lane_run *run, nci_lane *lane,
                             const nci_lane_inputs *inputs, int64_t task,
                             int threads, nci_buf **out, ncg_error *err);

#endif
