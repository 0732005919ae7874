/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_WORKER_INTERNAL_H
#define NCI_ENGINE_SCHED_WORKER_INTERNAL_H
/*
 * The books of a worker: one chunk for each output that is here, on its way,
 * to be made here, or wanted by a peer; one job for each task assigned.
 */
#include "engine/sched/task_map.h"
#include "engine/sched/worker.h"

typedef struct nci_waiter nci_waiter;
typedef struct nci_job_here nci_job_here;
typedef struct nci_chunk nci_chunk;

/* A peer that waits for a chunk. */
struct nci_waiter {
    nci_waiter *next;
    uint64_t request;
    int age; /* ticks */
};

struct nci_job_here {
    nci_chunk *chunk; /* what it makes */
    uint32_t attempt;
    int threads;
    int64_t need;     /* output and scratch, counted while it runs */
    int64_t missing;  /* inputs not in memory */
    int64_t sequence; /* order of assignment */
    size_t place;     /* in the heap of those that can start, plus 1 */
    bool runs;
    nci_job_here *next; /* among the free ones */
};

struct nci_chunk {
    int64_t task;
    int64_t bytes;
    nci_job_here *job;  /* NULL: not assigned here */
    nci_waiter *waiters;
    bool has;           /* in memory */
    bool on_disk;
    bool is_released;   /* goes as soon as nothing uses it */
    bool is_forgotten;  /* so does its memory; the copy on disk stays */
    bool is_writing, is_saving;
    bool is_fetching;   /* wanted by `transfer`, waiting for room or asked for */
    bool is_reading;    /* the same from disk */
    bool has_room;      /* the fetch or read has its bytes */
    uint32_t transfer;  /* the fetch or read */
    uint32_t from;
    int users;          /* running tasks that use it */
    int sends;
    int aborted;        /* fetches under way that nobody wants */
    nci_chunk *next;    /* in the queue for room; among the free ones */
    bool is_queued;
};

struct nci_worker {
    const nci_plan *plan;
    nci_sched_costs costs;
    uint32_t number;
    int threads;
    int64_t limit;
    nci_task_map chunks;
    nci_job_here **ready; /* heap by sequence */
    size_t nready, ready_capacity;
    nci_chunk *room_first, *room_last; /* fetches and reads without room */
    nci_chunk *free_chunks;
    nci_job_here *free_jobs;
    nci_waiter *free_waiters;
    struct nci_worker_block *blocks;
    int64_t managed, peak;
    int64_t sequence;
    int idle, tasks, running, fetches;
    int64_t nhere;  /* chunks in memory */
    int nwaiters;
    bool over;
    bool failed; /* memory ran out */
};

/* What a call appends to. */
typedef struct nci_worker_out {
    nci_worker *worker;
    nci_worker_actions *actions;
} nci_worker_out;

void nci_worker_do(nci_worker_out *o, nci_worker_action action);
void nci_worker_tell(nci_worker_out *o, nci_event event);

/* ---- worker_chunk.c ------------------------------------------------------------ */

static inline nci_chunk *nci_chunk_find(const nci_worker *w, int64_t task)
{
    return nci_task_map_get(&w->chunks, task);
}
/* nci_chunk_get makes one where there is none; NULL without memory. */
nci_chunk *nci_chunk_get(nci_worker *w, int64_t task);
void nci_chunk_free_blocks(nci_worker *w);
nci_job_here *nci_chunk_new_job(nci_worker *w);
/* nci_chunk_settle lets go of what nothing uses and nobody wants; the chunk may
 * be gone then. */
void nci_chunk_settle(nci_worker_out *o, nci_chunk *chunk);
/* nci_chunk_arrived: it is in memory now. */
void nci_chunk_arrived(nci_worker_out *o, nci_chunk *chunk);
/* nci_chunk_refuse: it will not come here. */
void nci_chunk_refuse(nci_worker_out *o, nci_chunk *chunk);
void nci_chunk_order(nci_worker_out *o, const nci_action *order);
void nci_chunk_event(nci_worker_out *o, const nci_worker_event *event);
/* nci_chunk_start starts fetches and reads that have room. */
void nci_chunk_start(nci_worker_out *o);
void nci_chunk_drop_all(nci_worker_out *o);

/* ---- worker.c ------------------------------------------------------------------- */

void nci_worker_book(nci_worker *w, int64_t bytes);
/* nci_worker_wake: tasks that wait for this chunk have one input more. */
void nci_worker_wake(nci_worker_out *o, int64_t task);

#endif
