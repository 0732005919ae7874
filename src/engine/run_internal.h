/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_RUN_INTERNAL_H
#define NCI_ENGINE_RUN_INTERNAL_H
/*
 * One run of a plan, as its two halves see it: run.c prepares and waits,
 * run_tasks.c works off the tasks on the threads of the pool.
 */
#include <stdatomic.h>

#include "engine/lane.h"
#include "engine/sched/choose.h"
#include "engine/spill_file.h"
#include "engine/tile_cache.h"

/* One action that a thread has taken, and how it ended. */
typedef struct nci_local_item {
    nci_action action;
    nci_buf *chunk;   /* PUT, SPILL: owned */
    nci_extent *copy; /* LOAD: borrowed; SPILL: made by it */
    size_t first_dep; /* of its inputs, in the lane of the thread */
    size_t ndeps;
    bool lacks_memory; /* it ran out while the inputs were noted */
    nci_buf *out;      /* what it left */
    nci_event event;
} nci_local_item;

enum { NCI_BATCH = NCI_SCHED_AHEAD + 1 };

/* What a thread does before it comes back to the lock. The thread takes items
 * from the front without the lock; one that has nothing to do takes some from
 * the end, with it, and may tell the scheduler of those that have ended while
 * another one goes on. */
typedef struct nci_batch {
    _Atomic uint64_t span; /* first item not begun << 32 | end */
    nci_local_item items[NCI_BATCH];
    _Atomic uint32_t done; /* items that have ended, from the front */
    uint32_t reported;     /* and the scheduler knows of; under the lock */
    bool is_timed;
    unsigned untimed; /* batches of one task that were not */
    ncg_error error;  /* of the first item that failed */
} nci_batch;

typedef struct nci_local_run {
    nci_executor *executor;
    const nci_plan *plan;
    const nci_source_table *sources;
    const nci_work *work;
    const nci_sink *sink;
    nci_lane_run tasks;    /* what they have in common */
    int64_t held;          /* bytes of persisted arrays, and of what is put */
    int64_t limit;         /* the executor's, without that and what is beside */
    int64_t spilled_held;  /* of persisted arrays, for want of room */
    nci_tile_cache *cache; /* NULL: no source is read twice */
    nci_spill_file *spill; /* NULL: everything stays in memory */
    nci_batch *batches;    /* one a thread */
    _Atomic bool stopping; /* kernels look at it between tiles */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    nci_sched_choice choice; /* of the order */
    nci_sched *sched;
    nci_actions actions;
    nci_action *ring; /* what no thread has taken yet */
    size_t ring_first, nring;
    int64_t pace;       /* ns a task, of late; 0: not known */
    int64_t books;      /* ns that the scheduler takes for one; the same */
    nci_task_map store; /* task -> what it left */
    nci_task_map disk;  /* task -> its copy on disk */
    int active;         /* threads that work for this run, or will */
    int last;           /* the one that took tasks last; -1: it has ended */
    bool over;
    ncg_status status;
    bool has_error;
    ncg_error error; /* of the first failure */
    int64_t failed;  /* its task, -1 */
} nci_local_run;

/* nci_local_apply carries out what the scheduler has said, and gets threads for
 * what is to be done. The caller holds the lock; it is no thread of the pool.
 */
void nci_local_apply(nci_local_run *run);
/* nci_local_execute does the work of an item; its event tells how it ended.
 * What was put is let go. nci_local_set_failed makes an event, of a task or put
 * or of a transfer, one of failure. */
ncg_status nci_local_execute(nci_local_run *run, nci_lane *lane,
                             nci_local_item *item, ncg_error *err);
void nci_local_set_failed(nci_event *event, ncg_status status);
/* nci_local_help wakes threads for what waits behind a task that takes longer
 * than expected. The caller holds the lock. */
void nci_local_help(nci_local_run *run);

#endif
