/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_CLUSTER_INTERNAL_H
#define NCI_ENGINE_SCHED_CLUSTER_INTERNAL_H
/*
 * The scheduler with many workers: the same walk, window and records as with
 * one; what is added is where.
 *
 *     member   a worker as the scheduler knows it: cores, bytes, its queue
 *     copy     an output on a member: coming, in memory, on its disk ...
 *     lease    a task on a member: sent, not answered
 *
 *     WAITING -> READY -> ADMITTED -> RUNNING -> MEMORY | STORED -> PUTTING
 *               (loose)  (queued on   (leased)      |
 *                         a member)        <--------+ output lost: WAITING
 *
 * Where. A task with inputs goes to the member on which it would start first
 * (place.c): what is queued there, plus the time to bring its inputs. A task
 * without inputs belongs to a cohort, those of the same first user; the first
 * member that takes one gets the others too (cohort.c). Queues stay here: a
 * member is sent only what its cores take and a little more (feed.c), so most
 * work is free to go to a member that joins or falls idle (steal.c).
 *
 * Memory. A lease holds the output and scratch of its task and pins its inputs
 * on the member, each of which is a copy that holds its bytes from the moment
 * at which it is asked for. Leases are sent only where all that fits (admit.c);
 * outputs nobody there uses now make room: where there is another copy or one
 * on disk at once, else by being written (copy.c). So a member's books never
 * exceed its limit. A lease is booked until it is answered or its member has
 * left, also where the task has long been given to another.
 *
 * Why work goes on. Let L be the lowest unfinished task. Its inputs are
 * finished, so L is queued, loose or sent. A member looks at the lowest of its
 * own queue and of what is loose first, so L is looked at by some member W.
 * What is sent there without waiting for inputs ends. What may stay is what
 * STORE tasks left that are not to be put yet and tasks sent ahead of their
 * inputs: `ahead`, which is kept at most limit - floor. Everything else can be
 * spilled, and L needs at most floor. If W leaves, L is placed anew.
 *
 * Losses. When a member leaves, the outputs that only it had are made again by
 * tasks that run again, down to what is still there (lineage.c). These have
 * their old order, so they come first.
 */
#include "engine/sched/sched_internal.h"

typedef struct nci_member nci_member;
typedef struct nci_copy nci_copy;
typedef struct nci_lease nci_lease;
typedef struct nci_cluster nci_cluster;

typedef enum nci_copy_state {
    NCI_COPY_COMING, /* being fetched */
    NCI_COPY_MEMORY,
    NCI_COPY_SPILLING, /* in memory, being written */
    NCI_COPY_DISK,
    NCI_COPY_LOADING /* being read back */
} nci_copy_state;

struct nci_copy {
    nci_record *record;
    nci_member *member;
    nci_copy *next;             /* of the record */
    nci_copy *after, **before;  /* of the member */
    nci_copy_state state;
    uint32_t transfer; /* number of the fetch, write or read under way */
    uint32_t from;     /* COMING: the member asked; NCI_NO_WORKER: none now */
    int64_t held;      /* bytes booked: 0 on disk */
    int pins;          /* leases there that use it; 1 more where it is put */
    int sources;       /* fetches of it by others under way */
    int refusals;      /* COMING: fetches that failed */
    uint8_t on_disk : 1;
    uint8_t is_early : 1;    /* COMING: has come, but its maker has not said yet
                                that it is made */
    uint8_t is_moving : 1;   /* COMING: instead of the copy on `from` */
    uint8_t is_saving : 1;   /* being written to the checkpoint directory */
};

struct nci_lease {
    nci_record *record;
    nci_member *member;
    nci_lease *next;                 /* of the record */
    nci_lease *after, **before;      /* of the member, the oldest first */
    uint32_t attempt;
    int threads;
    int64_t held;    /* output and scratch */
    int64_t charge;  /* its part of nci_member.ahead */
    int64_t estimate;
    uint8_t is_ahead : 1; /* waits for inputs that are not made yet */
    uint8_t is_void : 1;  /* recalled, or its member was suspect: the task may
                             be given to others */
    uint8_t is_asked : 1; /* a RECALL is on its way, for a steal */
};

typedef enum nci_member_state {
    NCI_MEMBER_ACTIVE,
    NCI_MEMBER_SUSPECT, /* silent: gets nothing new, keeps what it has */
    NCI_MEMBER_DRAINING /* leaves: gets nothing new, gives what it has */
} nci_member_state;

struct nci_member {
    uint32_t number;
    nci_member_state state;
    int threads;
    int64_t limit, bandwidth, end;
    int64_t grace;   /* ns kept back before the end */
    int64_t since;   /* DRAINING: when that began */
    int64_t managed; /* sum of held of copies and leases */
    int64_t ahead;   /* of leases that wait and STORE outputs not yet put */
    int64_t leaving; /* being written to disk, then forgotten */
    nci_copy *copies;
    nci_lease *leases, **last;
    int cores;          /* of leases that do not wait for inputs */
    int nahead;         /* leases that wait for inputs */
    nci_heap queue;     /* tasks placed here, not sent */
    int64_t load;       /* ns: estimates of queue and leases */
    int64_t spent;      /* ns: a task here on the average; 0: not known */
    size_t place;       /* in cluster->active */
    bool may_leave;     /* LEAVE has been said */
    bool is_blocked;    /* the lowest of its queue has no room */
    bool is_full;       /* its disk took no more, at: */
    int64_t full_since;
    bool is_dirty, is_hungry;
    nci_member *next_dirty;
    nci_member *next_hungry, **hungry;
};

typedef struct nci_copy_block nci_copy_block;

struct nci_cluster {
    nci_cluster_options options;
    int64_t now;
    nci_task_map members; /* by number */
    nci_member **active;
    size_t nactive, active_capacity, cursor;
    int threads; /* of the active ones */
    nci_member *dirty, **last_dirty; /* to be fed */
    nci_member *hungry;              /* have cores and no work */
    const nci_member *fed;           /* the one that is being fed */
    int nfull; /* members whose disk is full */
    nci_heap loose;     /* READY tasks that belong to no member yet */
    nci_task_map cohorts; /* first user -> number of the member, plus 1 */
    int64_t unsent;     /* tasks in queues */
    int nblocked;
    uint32_t transfers; /* numbers given to transfers */
    int64_t *estimates; /* ns, one a layer; 0: not known */
    nci_record *put_last; /* the last that was handed out, while puts > 0 */
    int puts;             /* handed out */
    bool put_lost;        /* one of them could not be fetched */
    bool saves_puts;      /* what STORE tasks left was checkpointed */
    nci_record *lost;     /* to be made again */
    nci_record *parked;   /* what they read is not there */
    nci_copy *free_copies;
    nci_lease *free_leases;
    nci_copy_block *blocks;
    int64_t fetched, recomputed, stolen, moved, sent;
    unsigned faults; /* tests: see nci_cluster_fault */
};

/* Faults for the test of the simulator: each breaks one thing. */
typedef enum nci_cluster_fault {
    NCI_FAULT_NO_RELEASE = 1,  /* an output nobody needs stays where it is */
    NCI_FAULT_NO_PINS = 2,     /* inputs of assigned tasks are not kept */
    NCI_FAULT_NO_LINEAGE = 4,  /* lost inputs are taken to be there */
    NCI_FAULT_NO_BOOKING = 8,  /* fetched inputs are not reserved */
    NCI_FAULT_LOST_LEASE = 16, /* tasks of a worker that left are forgotten */
    NCI_FAULT_NO_EPOCH = 32,   /* answers to what was asked before count */
    NCI_FAULT_NO_ARRIVAL = 64  /* what came late is not looked at */
} nci_cluster_fault;

static inline nci_member *nci_cluster_member(const nci_cluster *c,
                                             uint32_t number)
{
    return nci_task_map_get(&c->members, number);
}

/* ---- cluster.c: events, and what all parts use ----------------------------- */

ncg_status nci_cluster_handle(nci_sched *s, const nci_event *event,
                              nci_actions *actions, ncg_error *err);
void nci_cluster_free(nci_sched *s);
void nci_cluster_get_stats(const nci_sched *s, nci_sched_stats *out);
bool nci_cluster_pull(nci_sched *s, nci_actions *actions);
bool nci_cluster_check(const nci_sched *s, ncg_error *err);
/* nci_cluster_say appends an action; without memory the run fails. */
void nci_cluster_say(nci_sched *s, nci_actions *actions, nci_action action);
/* nci_cluster_finish: the output of a task, not finished before, lies on `m`,
 * where it was made or fetched. */
void nci_cluster_finish(nci_sched *s, nci_record *r, nci_member *m,
                        int64_t bytes, nci_actions *actions);
/* nci_cluster_drop lets go of an output that nobody needs. */
void nci_cluster_drop(nci_sched *s, nci_record *r, nci_actions *actions);
/* nci_cluster_unfinish: the task is neither assigned nor queued any more; it
 * is READY, or WAITING where inputs are missing. */
void nci_cluster_unfinish(nci_sched *s, nci_record *r);

/* ---- member.c ---------------------------------------------------------------- */

ncg_status nci_member_join(nci_sched *s, const nci_event *event,
                           ncg_error *err);
void nci_member_leave(nci_sched *s, nci_member *m, nci_actions *actions);
void nci_member_suspect(nci_sched *s, nci_member *m, nci_actions *actions);
void nci_member_back(nci_sched *s, nci_member *m);
void nci_member_set_state(nci_sched *s, nci_member *m, nci_member_state state);
/* nci_member_touch: the member may have room or cores for more. */
void nci_member_touch(nci_sched *s, nci_member *m);
nci_member *nci_member_next_dirty(nci_sched *s);
void nci_member_set_hungry(nci_sched *s, nci_member *m, bool is_hungry);
/* nci_member_empty_queue makes READY again what is queued there. */
void nci_member_empty_queue(nci_sched *s, nci_member *m);
/* nci_member_end_copies: nothing is to be had from it any more. */
void nci_member_end_copies(nci_sched *s, nci_member *m, nci_actions *actions);
void nci_member_free(nci_member *m);

/* ---- copy.c ------------------------------------------------------------------- */

void nci_copy_free_blocks(nci_cluster *c);
nci_copy *nci_copy_find(const nci_record *r, const nci_member *m);
/* nci_copy_add: NULL without memory, the run then fails. */
nci_copy *nci_copy_add(nci_sched *s, nci_record *r, nci_member *m,
                       nci_copy_state state, int64_t held);
void nci_copy_remove(nci_sched *s, nci_copy *copy);
void nci_copy_hold(nci_sched *s, nci_copy *copy, int64_t held);
/* nci_copy_is_there tells whether it can be used or fetched from. */
static inline bool nci_copy_is_there(const nci_copy *copy)
{
    return copy->state != NCI_COPY_COMING;
}
nci_lease *nci_copy_new_lease(nci_sched *s);
/* nci_copy_source returns the best copy to fetch from, NULL: none. */
nci_copy *nci_copy_source(const nci_record *r, const nci_member *target);
/* nci_copy_fetch asks for the copy, which is COMING, from the best source. */
bool nci_copy_fetch(nci_sched *s, nci_copy *copy, nci_actions *actions);
/* nci_copy_came: a copy that was COMING is in memory. */
void nci_copy_came(nci_copy *copy);
/* nci_copy_drop: this copy is not wanted any more. */
void nci_copy_drop(nci_sched *s, nci_copy *copy, nci_actions *actions);
void nci_copy_load(nci_sched *s, nci_copy *copy, nci_actions *actions);
void nci_copy_event(nci_sched *s, nci_member *m, const nci_event *event,
                    nci_actions *actions);

/* ---- room.c -------------------------------------------------------------------- */

/* nci_room_make spills what is used after order number `order`; true once
 * there are `need` bytes. */
bool nci_room_make(nci_sched *s, nci_member *m, int64_t order,
                        int64_t need, nci_actions *actions);
/* nci_room_spilled, nci_room_failed: how a write or (failed) a read ended. */
void nci_room_spilled(nci_sched *s, nci_copy *copy, nci_actions *actions);
void nci_room_failed(nci_sched *s, nci_copy *copy, ncg_status status);
/* nci_room_tick tries full disks again. */
void nci_room_tick(nci_sched *s);

/* ---- lease.c ------------------------------------------------------------------- */

nci_lease *nci_lease_find(const nci_record *r, const nci_member *m);
/* nci_lease_live returns the lease under which a task runs, NULL: none. */
nci_lease *nci_lease_live(const nci_record *r);
nci_lease *nci_lease_add(nci_sched *s, nci_record *r, nci_member *m,
                         int threads, int64_t held, int64_t charge);
/* nci_lease_end takes a lease off the books and unpins its inputs; false: it was
 * all that kept the task's record. */
bool nci_lease_end(nci_sched *s, nci_lease *lease, nci_actions *actions);
/* nci_lease_void gives up on a lease and asks for the task back: it may go
 * elsewhere, what comes of it is told by the answer. */
void nci_lease_void(nci_sched *s, nci_lease *lease, nci_actions *actions);
/* nci_lease_ask asks for a task back that may have been started. */
void nci_lease_ask(nci_sched *s, nci_lease *lease, nci_actions *actions);
void nci_lease_event(nci_sched *s, nci_member *m, const nci_event *event,
                     nci_actions *actions);
/* nci_lease_reassign: a task without a live lease is to be placed again. */
void nci_lease_reassign(nci_sched *s, nci_record *r, nci_actions *actions);
/* nci_lease_arrived: the lease no longer waits for inputs. */
void nci_lease_arrived(nci_sched *s, nci_lease *lease);

/* ---- place.c, admit.c, feed.c, steal.c ------------------------------------------ */

/* nci_place_ready puts all READY tasks into queues, or leaves them loose. */
void nci_place_ready(nci_sched *s);
/* nci_place_choose returns the member on which a task would start first. */
nci_member *nci_place_choose(nci_sched *s, const nci_record *r);
/* nci_place_reserve gives a member the tasks with the same first user. */
void nci_place_reserve(nci_sched *s, const nci_record *r, const nci_member *m);
static inline bool nci_place_is_cohort(const nci_record *a,
                                       const nci_record *b)
{
    return a->at.is_root && b->at.is_root && a->at.cohort == b->at.cohort;
}
/* nci_place_take gives the member the lowest loose task and reserves its cohort;
 * false: there is none. */
bool nci_place_take(nci_sched *s, nci_member *m);
void nci_place_push(nci_sched *s, nci_member *m, nci_record *r);
/* nci_place_unqueue takes a task out of the queue that it is in. */
void nci_place_unqueue(nci_sched *s, nci_record *r);
void nci_place_forget_cohort(nci_sched *s, const nci_record *user);
/* nci_place_cost: ns until the task could start on the member; *missing: bytes
 * that would have to come. */
int64_t nci_place_cost(const nci_sched *s, const nci_record *r,
                       const nci_member *m, int64_t missing);
int64_t nci_place_estimate(const nci_sched *s, const nci_record *r);

/* nci_admit sends a task to a member if there is room for all that it needs;
 * false: not now. */
bool nci_admit(nci_sched *s, nci_member *m, nci_record *r, int threads,
               nci_actions *actions);
/* nci_ahead_placed: it is known where a task's output will be; users of which
 * that is known of all inputs are sent ahead of them. nci_ahead_unplaced: it no
 * longer is. nci_ahead_came: a task has come into the books. */
void nci_ahead_placed(nci_sched *s, nci_record *r, nci_actions *actions);
void nci_ahead_unplaced(nci_sched *s, nci_record *r, nci_actions *actions);
void nci_ahead_came(nci_sched *s, nci_record *r, nci_actions *actions);
/* nci_ahead_try sends a task that waits ahead of its inputs, all of which have a
 * place. */
void nci_ahead_try(nci_sched *s, nci_record *r, nci_actions *actions);

/* ---- arrive.c */

/* nci_arrive_park: the task waits for what it reads; false: that is there. */
bool nci_arrive_park(nci_sched *s, nci_record *r);
/* nci_arrive_look lets those go on whose sources have come. */
void nci_arrive_look(nci_sched *s, nci_actions *actions);

/* nci_feed_all gives work to all members that can take some. */
void nci_feed_all(nci_sched *s, nci_actions *actions);
/* nci_steal finds work for a member without any; false: none. */
bool nci_steal(nci_sched *s, nci_member *m, nci_actions *actions);

/* ---- lineage.c, drain.c ----------------------------------------------------------- */

/* nci_lineage_check_copies loses an output that has no copy left. */
void nci_lineage_check_copies(nci_sched *s, nci_record *r,
                              nci_actions *actions);
/* nci_lineage_recover makes the lost ones wait for their inputs, down to what is
 * still there. */
void nci_lineage_recover(nci_sched *s, nci_actions *actions);

void nci_drain_start(nci_sched *s, nci_member *m, nci_actions *actions);
/* nci_drain_go_on moves more off a member that leaves. */
void nci_drain_go_on(nci_sched *s, nci_member *m, nci_actions *actions);
void nci_drain_tick(nci_sched *s, nci_actions *actions);
/* nci_drain_bring_back has a member fetch what is to be put and lies in the
 * checkpoint directory alone; where none has room it is to be tried again. */
void nci_drain_bring_back(nci_sched *s, nci_record *r, nci_actions *actions);
void nci_drain_event(nci_sched *s, nci_member *m, const nci_event *event,
                     nci_actions *actions);

#endif
