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
 * Short tasks. In one process, tasks that end within microseconds are assigned
 * before cores are idle, NCI_SCHED_AHEAD a thread at most, under the same rules
 * of memory: a driver that takes several at once pays for its lock once.
 *
 * Outputs. What a STORE task leaves is held until it has been put. Puts happen
 * one at a time, in the order of the STORE tasks; the scheduler says when. A task finishes when its result is in memory, a STORE task when it has
 * been put.
 *
 * Many workers. After nci_sched_open_cluster (before the first worker) tasks
 * are placed on any number of workers that come and go (cluster_internal.h says
 * how). A worker is a number that is never used again: one that was declared
 * dead comes back under a new one, so that its old messages are told from new
 * ones. What the workers hold is booked here exactly; a worker does what it is
 * told (worker.h) in the order in which it is told.
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

/* In place of a worker's number. */
#define NCI_NO_WORKER UINT32_MAX
#define NCI_CHECKPOINT (UINT32_MAX - 1) /* the directory that all can read */

/* Short tasks that may be assigned beyond the cores, a thread. */
enum { NCI_SCHED_AHEAD = 32 };

/* Each event may carry `now`. With one worker in this process the kinds up to
 * CANCEL are all there is, `worker` is 0 and `now` is not looked at. */
typedef enum nci_event_kind {
    NCI_EVENT_WORKER_JOINED, /* worker, threads, limit; bandwidth, end,
                                can_checkpoint */
    NCI_EVENT_TASK_DONE,     /* worker, task, attempt, bytes (STORE), spent */
    NCI_EVENT_PUT_DONE,      /* task, attempt */
    NCI_EVENT_TASK_FAILED,   /* worker, task, attempt, status; also of a put */
    NCI_EVENT_SPILLED,       /* worker, task, attempt: its output is on disk */
    NCI_EVENT_LOADED,        /* worker, task, attempt: and back in memory */
    NCI_EVENT_SPILL_FAILED,  /* worker, task, attempt, status; also of a load */
    NCI_EVENT_CANCEL,

    NCI_EVENT_WORKER_LEFT,    /* worker: closed, dead, or gone after LEAVE */
    NCI_EVENT_WORKER_SUSPECT, /* worker: silent for some seconds */
    NCI_EVENT_WORKER_BACK,    /* worker: a suspect has been heard again */
    NCI_EVENT_WORKER_DRAIN,   /* worker: is to leave; LEAVE when it may */
    NCI_EVENT_FETCHED,        /* worker, task, attempt: has come from a peer */
    NCI_EVENT_FETCH_FAILED,   /* worker, task, attempt: could not be had; all
                                 ways to fail: peer gone, refused, damaged */
    NCI_EVENT_RECALLED,       /* worker, task, attempt: had not been started */
    NCI_EVENT_CHECKPOINTED,   /* worker, task, attempt */
    NCI_EVENT_CHECKPOINT_FAILED, /* worker, task, attempt */
    NCI_EVENT_PUT_LOST,       /* task, attempt: the writer could not fetch it;
                                 it gives back all PUTs in the same way until
                                 this task comes again */
    NCI_EVENT_ARRIVED,        /* some of what tasks read, and was not there, is:
                                 see nci_cluster_options.is_there */
    NCI_EVENT_TICK            /* now: about once a second; deadlines */
} nci_event_kind;

typedef struct nci_event {
    nci_event_kind kind;
    uint32_t worker;
    int threads;
    int64_t limit;
    int64_t task;
    uint32_t attempt; /* the number in the action that this answers */
    int64_t bytes;    /* what a STORE task left, encoded */
    ncg_status status;
    int64_t now;       /* ns, of any clock that does not go back; 0: as before */
    int64_t end;       /* JOINED: when the worker ends, on that clock; 0: open */
    int64_t bandwidth; /* JOINED: bytes a second; 0: not known */
    int64_t spent;     /* TASK_DONE: ns that it ran; 0: not known */
    int64_t fills;     /* TASK_DONE: default fills that it met; for the driver */
    bool can_checkpoint; /* JOINED: there is a directory that all share */
} nci_event;

/* Actions for workers carry `worker` and go there in the order in which they
 * are listed. Actions up to FAILED are those of one worker in this process. */
typedef enum nci_action_kind {
    NCI_ACTION_RUN,     /* worker runs task (attempt) on `threads` cores. In a
                           cluster: as soon as its inputs, all of them there or
                           announced by FETCH and RUN before, and a core are */
    NCI_ACTION_PUT,     /* worker puts what a STORE task left, then drops it.
                           In a cluster: the writer fetches it from `from` and
                           puts it; PUTs are handed out in the order in which
                           they are to be put, a few at a time; the holder
                           drops it when a RELEASE comes */
    NCI_ACTION_RELEASE, /* worker drops the task's output, also on disk, and
                           forgets a fetch of it that is under way */
    NCI_ACTION_SPILL,   /* worker writes the task's output to disk, keeps it */
    NCI_ACTION_FORGET,  /* worker drops the output that is on disk from memory */
    NCI_ACTION_LOAD,    /* worker reads the task's output from disk */
    NCI_ACTION_DONE,    /* every output is made; a worker drops all it has */
    NCI_ACTION_FAILED,  /* the run is over: status of the first error; a worker
                           ends what runs and drops all it has */

    NCI_ACTION_FETCH,   /* worker gets task's output (bytes) from the worker
                           `from`, where it is in memory, on disk or about to
                           be made, or from NCI_CHECKPOINT; answers FETCHED or
                           FETCH_FAILED with the same attempt */
    NCI_ACTION_RECALL,  /* worker gives a task back that it has not started:
                           RECALLED; one that runs goes on and ends as usual */
    NCI_ACTION_CHECKPOINT, /* worker writes task's output where all workers can
                              read it: CHECKPOINTED or CHECKPOINT_FAILED */
    NCI_ACTION_DROP_CHECKPOINT, /* nobody needs that file any more; for
                                   NCI_NO_WORKER: anybody may do it */
    NCI_ACTION_LEAVE    /* worker has nothing that is needed: it may end */
} nci_action_kind;

typedef struct nci_action {
    nci_action_kind kind;
    uint32_t worker;
    int64_t task;
    uint32_t attempt;
    int threads;
    ncg_status status;
    uint32_t from; /* FETCH, PUT: who has it */
    int64_t bytes; /* FETCH: its size */
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
    int threads;      /* cores that they take, or are to take */
    int64_t spilled;  /* bytes written to disk, in all */
    int64_t pace;     /* ns that a task took of late; 0: not known */

    /* in a cluster: */
    int workers;        /* that take work now */
    int64_t fetched;    /* bytes moved between workers, in all */
    int64_t recomputed; /* tasks run again because their output was lost */
    int64_t stolen;     /* tasks taken from one worker for another */
    int64_t moved;      /* bytes moved or checkpointed by drains */
} nci_sched_stats;

/* How a cluster is run; NCI_CLUSTER_OPTIONS_INIT gives the usual values. */
typedef struct nci_cluster_options {
    int64_t floor;       /* nci_sched_floor: a worker's limit is at least this */
    int64_t latency;     /* ns for a message and its answer */
    int64_t bandwidth;   /* bytes a second where a worker's is not known */
    int64_t grace;       /* ns kept back before a worker's end */
    int put_depth;       /* PUTs handed out at a time */
    int strikes;         /* deaths of workers that a task may be blamed for */
    bool can_checkpoint; /* there is a directory that all workers share */
    bool looks_ahead;    /* tasks are sent ahead of their inputs */
    /* home: the worker that has what a task without inputs reads, or
     * NCI_NO_WORKER. NULL: no worker has. */
    uint32_t (*home)(void *ctx, int64_t task);
    /* is_there: what a task reads from outside of the plan is there. One for
     * which it is not waits; it is asked again with the next ARRIVED. NULL: all
     * is there. */
    bool (*is_there)(void *ctx, int64_t task);
    void *home_ctx; /* of both */
} nci_cluster_options;

#define NCI_CLUSTER_OPTIONS_INIT                                              \
    {                                                                         \
        .latency = 200000, .bandwidth = 1000000000,                           \
        .grace = INT64_C(30000000000), .put_depth = 8, .strikes = 3,          \
        .looks_ahead = true                                                   \
    }

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
/* nci_sched_open_cluster lets any number of workers join, none to begin with:
 * the run then waits for them. Instead of nci_sched_allow_spill: outputs may
 * always leave a worker's memory. */
ncg_status nci_sched_open_cluster(nci_sched *sched,
                                  const nci_cluster_options *options,
                                  ncg_error *err);
/* nci_sched_waits_for says what a run that stands still waits for ("workers"),
 * NULL where work goes on. */
const char *nci_sched_waits_for(const nci_sched *sched);
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
/* One worker of a cluster, now. */
typedef struct nci_member_stats {
    int64_t managed; /* bytes booked there */
    int64_t running; /* tasks sent, with all their inputs made */
    int64_t sent;    /* tasks sent, these included */
    int64_t queued;  /* tasks meant for it, not sent */
} nci_member_stats;
/* nci_sched_member_stats: false where the run does not know the worker. */
bool nci_sched_member_stats(const nci_sched *sched, uint32_t worker,
                            nci_member_stats *out);
/* nci_sched_check verifies the invariants (memory sum, counts, order); for
 * tests and the simulator. False: *err says which one is broken. */
bool nci_sched_check(const nci_sched *sched, ncg_error *err);

#endif
