/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_SIMULATOR_H
#define NCG_TESTS_ENGINE_SIMULATOR_H
/*
 * A driver of the real scheduler with virtual time: tasks take invented times,
 * invented scratch and invented cores, may fail, and the run may be cancelled.
 * After each event everything that must hold is checked.
 */
#include "engine/sched/choose.h"
#include "engine/sched/sched.h"

typedef struct sim_options {
    uint64_t seed;
    int threads;
    double room;       /* limit = peak + room * (what all tasks hold) */
    int64_t fail_at;   /* the n-th event that ends a task is a failure; 0 */
    int64_t cancel_at; /* cancel before the n-th event; 0 */
    int stale_every;   /* repeat old events now and then; 0: never */
    bool is_checked;   /* nci_sched_check after each event */
    bool spills;       /* limit = floor + room * (peak - floor) */
    bool is_short;     /* tasks are said to take a microsecond */
    int64_t disk;      /* bytes that fit on the disk; 0: any number */
} sim_options;

typedef struct sim_result {
    ncg_status status;
    int64_t ran, put; /* tasks that ran to their end, puts */
    int64_t peak, limit, managed_peak;
    int64_t floor, spilled, loaded; /* bytes; outputs read back */
    double time; /* virtual */
    double busy; /* core-time used, virtual */
    int assigned; /* cores at most, with those assigned ahead */
} sim_result;

/* sim_run runs a plan to its end and fails the test on a broken promise. */
void sim_run(const nci_plan *plan, const sim_options *options,
             sim_result *result);
/* sim_scratch and sim_threads are the invented costs. */
int64_t sim_scratch(void *ctx, int64_t task, int threads);
int sim_threads(void *ctx, int64_t task, int available);

#endif
