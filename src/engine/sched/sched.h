/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_SCHED_H
#define NCI_ENGINE_SCHED_SCHED_H
/*
 * The scheduler's state machine: events in, actions out. No clock, threads,
 * sockets or files here; a driver carries the actions out (one process:
 * engine/executor.c; tests: the simulator with virtual time).
 *
 *     waiting -> ready -> running -> memory -> released
 *                           |-> stored -> putting -> released   (STORE tasks)
 *                           |-> erred (the run ends)
 *
 * Order. Tasks are pulled lazily from a walk of the plan (order.h): inputs
 * before their users. Only pulled, unfinished or still needed tasks have records: the
 * frontier, not the graph.
 *
 * Memory. Every task's output and scratch are known before it starts and
 * reserved when it is assigned. The lowest unfinished task in the order is
 * always admitted; a task ahead of it only while all bytes held by tasks ahead
 * of the order stay within limit - peak, where peak is that of running the
 * plan in order on one thread. So nothing deadlocks when limit >= peak, and
 * the sum of managed bytes never exceeds the limit.
 *
 * Spill. Where the limit lies below that peak but not below what the largest
 * single task takes (its inputs, output and scratch: the floor), outputs may
 * leave memory and come back (spill.c):
 *
 *     memory -> spilling -> disk -> loading -> memory
 *
 * A task is admitted once all of it has room, the inputs that are on disk
 * included; from then on it needs nothing more. To make room, the output whose
 * next use lies farthest ahead goes first. One that came back keeps its copy on
 * disk and leaves again without writing.
 *
 * Outputs. What a STORE task leaves is held until it has been put. Puts happen
 * one at a time, in the order of the STORE tasks; the scheduler says when. A task finishes when its result is in memory, a STORE task when it has
 * been put.
 *
 * One owner at a time: the caller serialises events.
 */
#include "graph/plan.h"

typedef struct nci_sched nci_sched;

/* Sizes come from outside, so that the simulator can invent them. */
typedef struct nci_sched_costs {
    void *ctx;
    int64_t (*scratch)(void *ctx, int64_t task, int threads);
    int (*threads)(void *ctx, int64_t task, int available);
} nci_sched_costs;

typedef enum nci_event_kind {
    NCI_EVENT_WORKER_JOINED, /* worker, threads, limit */
    NCI_EVENT_TASK_DONE,     /* worker, task, attempt, bytes (STORE) */
    NCI_EVENT_PUT_DONE,      /* worker, task, attempt */
    NCI_EVENT_TASK_FAILED,   /* worker, task, attempt, status; also of a put */
    NCI_EVENT_SPILLED,       /* worker, task, attempt: its output is on disk */
    NCI_EVENT_LOADED,        /* worker, task, attempt: and back in memory */
    NCI_EVENT_SPILL_FAILED,  /* worker, task, attempt, status; also of a load */
    NCI_EVENT_CANCEL
} nci_event_kind;

typedef struct nci_event {
    nci_event_kind kind;
    uint32_t worker;
    int threads;
    int64_t limit;
    int64_t task;
    uint32_t attempt;
    int64_t bytes; /* what a STORE task left, encoded */
    ncg_status status;
} nci_event;

typedef enum nci_action_kind {
    NCI_ACTION_RUN,     /* worker runs task (attempt) on `threads` cores */
    NCI_ACTION_PUT,     /* worker puts what a STORE task left, then drops it */
    NCI_ACTION_RELEASE, /* worker drops the task's output, also on disk */
    NCI_ACTION_SPILL,   /* worker writes the task's output to disk, keeps it */
    NCI_ACTION_FORGET,  /* worker drops the output that is on disk from memory */
    NCI_ACTION_LOAD,    /* worker reads the task's output from disk */
    NCI_ACTION_DONE,    /* every output is made */
    NCI_ACTION_FAILED   /* the run is over: status of the first error */
} nci_action_kind;

typedef struct nci_action {
    nci_action_kind kind;
    uint32_t worker;
    int64_t task;
    uint32_t attempt;
    int threads;
    ncg_status status;
} nci_action;

/* Actions are appended; the caller resets count and frees items. */
typedef struct nci_actions {
    nci_action *items;
    size_t count, capacity;
} nci_actions;

typedef struct nci_sched_stats {
    int64_t managed;  /* bytes reserved or held now */
    int64_t peak;     /* highest of it */
    int64_t records;  /* tasks with a record now */
    int64_t finished; /* tasks done */
    int running;      /* tasks and puts under way */
    int threads;      /* cores that they take */
    int64_t spilled;  /* bytes written to disk, in all */
} nci_sched_stats;

/* nci_sched_create: an order with its peak (choose.h), borrowed. EBUDGET is the
 * answer to a worker whose limit is below that peak. */
struct nci_sched_choice;
ncg_status nci_sched_create(const nci_plan *plan, const nci_sched_costs *costs,
                            const struct nci_sched_choice *choice,
                            nci_sched **out, ncg_error *err);
void nci_sched_free(nci_sched **sched);
/* nci_sched_floor returns the bytes that the largest task takes with its
 * inputs: the least limit under which the plan runs with spilling. */
ncg_status nci_sched_floor(const nci_plan *plan, const nci_sched_costs *costs,
                           int64_t *out, ncg_error *err);
/* nci_sched_allow_spill lets outputs leave memory, before the worker joins;
 * from then on EBUDGET begins below `floor` (nci_sched_floor). */
ncg_status nci_sched_allow_spill(nci_sched *sched, int64_t floor,
                                 ncg_error *err);
/* nci_sched_handle takes one event and appends actions. Events of tasks that
 * do not run, or of an older attempt, change nothing. A failure (also memory
 * that runs out in here) stops new work; FAILED follows when all that runs has
 * ended. The status is not OK only where an event cannot be taken at all: a
 * worker that does not fit (EBUDGET, EINVAL), no memory to begin with. Use one
 * nci_actions for all events of a run: FAILED and DONE then always have room.
 */
ncg_status nci_sched_handle(nci_sched *sched, const nci_event *event,
                            nci_actions *actions, ncg_error *err);
void nci_sched_get_stats(const nci_sched *sched, nci_sched_stats *out);
/* nci_sched_check verifies the invariants (memory sum, counts, order); for
 * tests and the simulator. False: *err says which one is broken. */
bool nci_sched_check(const nci_sched *sched, ncg_error *err);

#endif
