/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_SCHED_INTERNAL_H
#define NCI_ENGINE_SCHED_SCHED_INTERNAL_H
/*
 * The scheduler's books: one record for each task of the frontier, found by
 * task number (map) and by order number (window).
 *
 *     order number   0 ......... low ................ pulled ........ ntasks
 *                    | finished  | the window          | not pulled    |
 *                    |           | record or NULL      |               |
 *                                  (NULL: finished and released)
 *
 * Finished tasks below `low` keep their record, outside the window, until
 * their last user has run.
 */
#include "engine/sched/order.h"
#include "engine/sched/sched.h"
#include "engine/sched/task_map.h"

typedef enum nci_task_state {
    NCI_TASK_WAITING, /* for inputs */
    NCI_TASK_READY,   /* in the ready heap */
    NCI_TASK_ADMITTED, /* has its room, waits for inputs from disk or a core;
                          in a cluster: in the queue of a worker, not sent */
    NCI_TASK_RUNNING,
    NCI_TASK_MEMORY, /* finished, its output is held */
    NCI_TASK_STORED, /* STORE: waits for its turn to be put */
    NCI_TASK_PUTTING,
    NCI_TASK_GONE /* in a cluster: not needed, but still assigned somewhere */
} nci_task_state;

/* Where a finished task's output is. */
typedef enum nci_place {
    NCI_PLACE_MEMORY,
    NCI_PLACE_SPILLING, /* in memory, being written */
    NCI_PLACE_DISK,
    NCI_PLACE_LOADING /* has its room in memory again, waits or is being read */
} nci_place;

typedef struct nci_record nci_record;
struct nci_record {
    int64_t task;
    const nci_layer *layer;
    int64_t order;
    int64_t bytes;   /* of the output */
    int64_t need;    /* output + scratch on one thread */
    int64_t held;    /* reserved or held now */
    int64_t waiting; /* inputs not in memory */
    int64_t left;    /* unfinished users, once an input */
    uint32_t attempt;
    int threads; /* while running or putting */
    int output;  /* STORE: which one; else -1 */
    nci_task_state state;
    nci_record *next; /* among the free ones, or those to be put */

    int64_t next_use; /* order number of the first unfinished user; -1 */
    union {
        struct { /* with spilling: */
            nci_place place;
            bool on_disk;       /* there is a copy */
            bool is_dropped;    /* nobody needs it; it is being written */
            uint32_t transfer;  /* number of the last write or read */
            int64_t pins;       /* admitted and running users, once an input */
            int64_t loads;      /* ADMITTED: inputs on their way */
            nci_record *queued; /* next in a nci_queue */
        };
        struct { /* in a cluster (cluster_internal.h): */
            struct nci_copy *copies;   /* where its output is or will be */
            struct nci_lease *leases;  /* where it is assigned */
            struct nci_member *member; /* ADMITTED: whose queue it is in */
            nci_record *lost;          /* next in the list of those lost */
            nci_record *parked;        /* next of those that wait for sources */
            int64_t estimate;          /* ns, while queued or assigned */
            int64_t cohort;   /* of a root: its first user; -1: none */
            int64_t unplaced; /* inputs neither in memory nor assigned */
            uint32_t put;     /* number of the PUT under way */
            int64_t saved;    /* bytes in the checkpoint directory */
            int strikes;      /* workers that died while it ran */
            uint8_t is_root : 1;
            uint8_t is_checkpointed : 1;
            uint8_t is_again : 1; /* its output was lost before */
            uint8_t is_stray : 1; /* taken from the member of its cohort */
            uint8_t is_parked : 1; /* what it reads is not there; counts as an
                                      input that is missing */
        } at;
    };
};

/* First come, first served. */
typedef struct nci_queue {
    nci_record *first, *last;
} nci_queue;

/* The lowest order number on top. Room is reserved beforehand. */
typedef struct nci_heap {
    nci_record **items;
    size_t count, capacity;
} nci_heap;

bool nci_heap_reserve(nci_heap *heap, size_t count);
void nci_heap_push(nci_heap *heap, nci_record *record);
nci_record *nci_heap_pop(nci_heap *heap);
/* nci_heap_remove takes a record out from anywhere; slow. False: not there. */
bool nci_heap_remove(nci_heap *heap, const nci_record *record);
void nci_heap_fini(nci_heap *heap);

/* Records by task; memory in blocks, reused. */
enum { NCI_RECORD_BLOCK = 128 };

typedef struct nci_record_block {
    struct nci_record_block *next;
    nci_record records[NCI_RECORD_BLOCK];
} nci_record_block;

typedef struct nci_records {
    nci_task_map map;
    nci_record_block *blocks;
    nci_record *free;
} nci_records;

/* nci_records_add returns a zeroed record of `task`, NULL without memory. */
nci_record *nci_records_add(nci_records *records, int64_t task);
void nci_records_remove(nci_records *records, nci_record *record);
static inline nci_record *nci_records_find(const nci_records *records,
                                           int64_t task)
{
    return nci_task_map_get(&records->map, task);
}
void nci_records_fini(nci_records *records);

struct nci_sched {
    const nci_plan *plan;
    nci_sched_costs costs;
    int64_t peak; /* of the plan in order on one thread */

    nci_order order;
    bool walked;      /* the walk has come to its end */
    uint64_t *needed; /* NULL: every task */
    nci_records records;
    nci_record **window; /* ring: order number & (capacity - 1) */
    size_t window_capacity;
    int64_t low, pulled;
    int64_t nwaiting; /* records in state WAITING */
    int64_t max_waiting;
    nci_heap ready;

    nci_record *put_first, *put_last; /* STORE tasks in the order of putting */
    bool putting;

    bool has_worker;
    int threads, idle; /* cores; idle is negative by what is assigned ahead */
    int surplus;       /* how much that may be: while tasks are short */
    int64_t pace;      /* ns a task, of late; 0: not known */
    int running;       /* tasks and puts under way */
    int64_t limit;
    int64_t managed; /* sum of held */
    int64_t ahead;   /* the part of it ahead of the order: see share_ahead */
    int64_t managed_peak;
    int64_t finished;
    ncg_status failure; /* the first one */
    bool over;          /* DONE or FAILED has been said */

    /* with spilling: */
    int64_t *rank;     /* order number of each task, -1: never runs; else NULL */
    int64_t floor;     /* what the largest task takes with its inputs */
    int64_t leaving;   /* bytes being written, which are let go after that */
    int64_t spilled;   /* bytes written in all */
    nci_queue to_load; /* outputs with room in memory */
    nci_queue to_run;  /* ADMITTED, with all inputs in memory */

    struct nci_cluster *cluster; /* NULL: one worker, in this process */
};

/* What spill.c uses of sched.c. */
bool nci_sched_emit(nci_actions *actions, nci_action action);
void nci_sched_fail(nci_sched *sched, ncg_status status);
void nci_sched_set_held(nci_sched *sched, nci_record *record, int64_t held);
void nci_sched_release(nci_sched *sched, nci_record *record);
/* nci_sched_pull takes the next task of the walk; false: there is none. */
bool nci_sched_pull(nci_sched *sched);
bool nci_sched_may_pull(const nci_sched *sched);
bool nci_sched_may_put(const nci_sched *sched);
void nci_sched_advance(nci_sched *sched);
void nci_sched_start_put(nci_sched *sched, nci_actions *actions);

/* nci_spill_dispatch gives idle cores work where outputs may be spilled. */
void nci_spill_dispatch(nci_sched *sched, nci_actions *actions);
/* nci_spill_event handles SPILLED, LOADED and SPILL_FAILED. */
void nci_spill_event(nci_sched *sched, const nci_event *event,
                     nci_actions *actions);
/* nci_spill_unpin: a user of `record` has run. nci_spill_drop: the last one
 * has; false where it is still being written. */
void nci_spill_unpin(nci_record *record);
bool nci_spill_drop(nci_record *record);

/* nci_spill_rank fills sched->rank where it is still empty. */
ncg_status nci_spill_rank(nci_sched *sched, ncg_error *err);
/* nci_spill_next_use returns the order number of an output's next user. */
int64_t nci_spill_next_use(const nci_sched *sched, nci_record *record);

/* nci_sched_share_ahead: what a record adds to `ahead`. */
int64_t nci_sched_share_ahead(const nci_sched *sched, const nci_record *record);
static inline nci_record **nci_sched_window(const nci_sched *sched,
                                            int64_t order)
{
    return &sched->window[(size_t)order & (sched->window_capacity - 1)];
}

#endif
