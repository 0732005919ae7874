/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_WORKER_H
#define NCI_ENGINE_SCHED_WORKER_H
/*
 * The worker's state machine: what one process of a cluster does for one run.
 * Pure as the scheduler's: orders and events in, actions out; a driver owns
 * threads, sockets, buffers and the disk.
 *
 *     scheduler --orders--> worker machine --actions--> driver
 *               <--TELL----                <--events---
 *
 * Memory. Chunks, chunks on their way, and the output and scratch of running
 * tasks are counted; a task, fetch or load starts only while all of it stays
 * within the limit. The scheduler has booked more exactly the same, so what
 * has to wait here waits only for what is on its way out (a chunk still being
 * sent to a peer after its RELEASE).
 *
 * Order. Tasks whose inputs are there start in the order in which they were
 * assigned.
 *
 * A peer may ask for a chunk before it is made: the request waits. It is
 * refused when this worker neither has the chunk nor expects it, and keeps
 * that so for a while (an order may be on its way): see TICK.
 *
 * One owner at a time: the caller serialises.
 */
#include "engine/sched/sched.h"

typedef struct nci_worker nci_worker;

typedef enum nci_worker_event_kind {
    NCI_WORKER_ENDED,   /* task, attempt, status, bytes, spent: a START */
    NCI_WORKER_ARRIVED, /* task, attempt, status: a FETCH; not OK: failed */
    NCI_WORKER_WRITTEN, /* task, attempt, status: a WRITE */
    NCI_WORKER_SAVED,   /* task, attempt, status: a CHECKPOINT */
    NCI_WORKER_READ,    /* task, attempt, status: a READ */
    NCI_WORKER_WANTED,  /* task, request: a peer asks for a chunk */
    NCI_WORKER_SERVED,  /* task, request: a SERVE has ended, well or not */
    NCI_WORKER_GONE,    /* request: the peer is gone before it was served */
    NCI_WORKER_TICK     /* about once a second: requests that wait too long */
} nci_worker_event_kind;

typedef struct nci_worker_event {
    nci_worker_event_kind kind;
    int64_t task;
    uint32_t attempt; /* that of the action which this answers */
    ncg_status status;
    int64_t bytes;    /* ENDED: what a STORE task left, encoded */
    int64_t spent;    /* ENDED: ns */
    int64_t fills;    /* ENDED: default fills that it met; told on */
    uint64_t request; /* any number that tells requests apart; not 0 */
} nci_worker_event;

typedef enum nci_worker_action_kind {
    NCI_WORKER_START,      /* run task (attempt) on `threads` cores now; keep
                              its output under its number: ENDED */
    NCI_WORKER_FETCH,      /* get task's chunk (bytes) from worker `from`, or
                              NCI_CHECKPOINT: ARRIVED */
    NCI_WORKER_ABORT,      /* a FETCH is no longer wanted; ARRIVED comes all
                              the same, soon, and what came is let go of */
    NCI_WORKER_SERVE,      /* answer request with task's chunk, from disk where
                              `on_disk`: SERVED */
    NCI_WORKER_REFUSE,     /* answer request: it is not here */
    NCI_WORKER_WRITE,      /* write task's chunk to the local disk: WRITTEN */
    NCI_WORKER_READ_BACK,  /* read task's chunk from there: READ */
    NCI_WORKER_CHECKPOINT, /* write task's chunk, from the local disk where
                              `on_disk`, to the shared one: SAVED */
    NCI_WORKER_DROP,       /* let go of task's chunk in memory */
    NCI_WORKER_DROP_COPY,  /* let go of task's copy on the local disk */
    NCI_WORKER_TELL,       /* send `event` to the scheduler; its worker number
                              is set */
    NCI_WORKER_LEAVE,      /* end: nothing here is needed */
    NCI_WORKER_STOP        /* the run is over (status): cancel what runs; every
                              chunk and copy is let go of by DROP and DROP_COPY
                              as what uses them ends */
} nci_worker_action_kind;

typedef struct nci_worker_action {
    nci_worker_action_kind kind;
    int64_t task;
    uint32_t attempt;
    int threads;
    uint32_t from;
    int64_t bytes;
    uint64_t request;
    bool on_disk;
    ncg_status status;
    nci_event event; /* TELL */
} nci_worker_action;

typedef struct nci_worker_actions {
    nci_worker_action *items;
    size_t count, capacity;
} nci_worker_actions;

typedef struct nci_worker_stats {
    int64_t managed; /* bytes counted now */
    int64_t peak;    /* highest of it */
    int64_t chunks;  /* in memory */
    int tasks;       /* assigned, not ended */
    int running;     /* of them */
    int threads;     /* cores that they take */
    int fetches;     /* under way or waiting for room */
} nci_worker_stats;

/* nci_worker_create: the plan and the costs as the scheduler has them; `number`
 * is the worker's in the scheduler's actions. Threads and limit are those that
 * it was announced with (JOINED). */
ncg_status nci_worker_create(const nci_plan *plan, const nci_sched_costs *costs,
                             uint32_t number, int threads, int64_t limit,
                             nci_worker **out, ncg_error *err);
void nci_worker_free(nci_worker **worker);

/* nci_worker_order takes an action of the scheduler for this worker;
 * nci_worker_handle an event. Both append actions. ENOMEM: the worker cannot go
 * on, the driver closes its connection. Use one nci_worker_actions. */
ncg_status nci_worker_order(nci_worker *worker, const nci_action *order,
                            nci_worker_actions *actions, ncg_error *err);
ncg_status nci_worker_handle(nci_worker *worker, const nci_worker_event *event,
                             nci_worker_actions *actions, ncg_error *err);
/* nci_worker_has tells whether a chunk is in memory or on the local disk. */
bool nci_worker_has(const nci_worker *worker, int64_t task);
void nci_worker_get_stats(const nci_worker *worker, nci_worker_stats *out);
/* nci_worker_check verifies the invariants; for tests and the simulator. */
bool nci_worker_check(const nci_worker *worker, ncg_error *err);

#endif
