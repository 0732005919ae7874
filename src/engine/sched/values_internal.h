/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_VALUES_INTERNAL_H
#define NCI_ENGINE_SCHED_VALUES_INTERNAL_H
/*
 * values.c: events and life. values_member.c: workers, what moves between them.
 * values_record.c: records, and when they go. values_call.c: calls from waiting
 * to their end, what is lost with a worker. values_class.c: who may run what.
 * values_check.c: counts and invariants.
 */
#include "engine/sched/task_map.h"
#include "engine/sched/values.h"

/* Workers that died under a call, inputs that were not there: then it fails. */
enum { NCI_VALUE_STRIKES = 3, NCI_VALUE_MISSES = 20 };

typedef struct nci_value nci_value;
typedef struct nci_value_member nci_value_member;

typedef enum nci_value_state {
    NCI_VALUE_IDLE,    /* not there and not being made */
    NCI_VALUE_OPENING, /* inside one event: about to wait */
    NCI_VALUE_WAITING, /* for inputs */
    NCI_VALUE_QUEUED,  /* for a thread */
    NCI_VALUE_RUNNING,
    NCI_VALUE_THERE,
    NCI_VALUE_BROKEN /* failed or canceled */
} nci_value_state;

/* One input of a call, in the list of the input's users. */
typedef struct nci_value_edge {
    nci_value *user, *input;
    struct nci_value_edge *next, **before;
} nci_value_edge;

typedef struct nci_value_list {
    nci_value *first, *last;
    int64_t count;
} nci_value_list;

/* Calls that need the same resources, and the same worker or any. */
typedef struct nci_value_class {
    nci_resources needs;
    bool is_bound;          /* to one worker: */
    nci_value_member *home; /* NULL: it is gone */
    nci_value_list queue;
    int64_t users; /* records, and uses */
    struct nci_value_class *next;
} nci_value_class;

/* What a call has taken of a worker's resources, until it is answered. */
typedef struct nci_value_use {
    int64_t id;
    uint32_t attempt;
    nci_value_class *class;
    struct nci_value_use *next;
} nci_value_use;

struct nci_value {
    int64_t id, bytes;
    int64_t place;          /* QUEUED: grows with the time of that */
    nci_value_class *class; /* NULL: any worker, no resources */
    nci_value_state state;
    uint32_t attempt;
    int retries, strikes, misses;
    bool is_held, is_kept;
    int64_t cause; /* BROKEN: whose failure it is */
    ncg_status status;
    nci_value_member *at; /* RUNNING, THERE */
    nci_value_member *to; /* is being moved there */
    nci_value_edge *inputs;
    size_t ninputs, missing; /* inputs that are not there */
    nci_value_edge *users;
    size_t open_users;    /* that have not ended */
    nci_value_list *list; /* that it is in */
    nci_value *next, *prev;
    nci_value *unseen; /* in a list of those to be looked at */
    bool is_listed;
};

struct nci_value_member {
    uint32_t number;
    int threads, busy; /* answers due to RUN */
    int moving;        /* answers due to TAKE of what is here */
    int64_t bytes;
    bool is_silent, is_draining, is_clear;
    bool is_free; /* in the list of those with a thread */
    nci_resources all, left;
    nci_value_use *uses;
    nci_value_member *next, *prev;   /* of that list */
    nci_value_member *after, *ahead; /* of all */
    nci_value_class *classes;        /* of calls for this worker */
    nci_value_list running, there;
};

struct nci_values {
    nci_task_map records, members;
    nci_value_list queue;     /* may run anywhere, need no resources */
    nci_value_class *classes; /* of calls that do, and may run anywhere */
    nci_value_member *all, *free, *last_free;
    nci_value *unseen;          /* to be looked at: may go, or must fail */
    nci_value_member *turn;     /* next to take what moves */
    nci_value_actions *actions; /* of the event under way */
    int64_t bound;              /* records of calls that are for one worker */
    int64_t places;
    bool is_starved; /* an action had no room */
    unsigned faults;
};

/* ---- values.c */
void nci_values_say(nci_values *s, nci_value_action action);

/* ---- values_record.c */
nci_value *nci_value_of(const nci_values *s, int64_t id);
void nci_value_link(nci_value_list *list, nci_value *v);
void nci_value_unlink(nci_value *v);
static inline bool nci_value_is_open(const nci_value *v)
{
    return v->state == NCI_VALUE_WAITING || v->state == NCI_VALUE_QUEUED ||
           v->state == NCI_VALUE_RUNNING;
}
static inline bool nci_value_is_wanted(const nci_value *v)
{
    return v->is_held || v->open_users;
}
/* nci_value_review looks later whether a record or its value may go. */
void nci_value_review(nci_values *s, nci_value *v);
/* nci_values_review looks now. */
void nci_values_review(nci_values *s);
ncg_status nci_value_call(nci_values *s, const nci_value_event *e,
                          ncg_error *err);
ncg_status nci_value_keep(nci_values *s, const nci_value_event *e,
                          ncg_error *err);

/* ---- values_member.c */
nci_value_member *nci_value_member_of(const nci_values *s, uint32_t number);
ncg_status nci_value_join(nci_values *s, const nci_value_event *e,
                          ncg_error *err);
void nci_value_leave(nci_values *s, nci_value_member *m);
/* nci_value_drain: it takes no more, what it has goes to others. */
void nci_value_drain(nci_values *s, nci_value_member *m);
/* nci_value_try_clear says that a member that drains has nothing left to do. */
void nci_value_try_clear(nci_values *s, nci_value_member *m);
/* nci_value_set_free enters it among those with a thread, or takes it out. */
void nci_value_set_free(nci_values *s, nci_value_member *m);
/* nci_value_put: the value is on m, or on nobody (NULL). */
void nci_value_put(nci_value *v, nci_value_member *m);
/* nci_value_move begins to take a value off a member that drains. */
void nci_value_move(nci_values *s, nci_value *v);
void nci_value_end_move(nci_value *v);
/* nci_value_drop_stray: m may have a copy from an older attempt, which goes
 * unless the value (NULL: not known any more) is there or about to be. */
void nci_value_drop_stray(nci_values *s, const nci_value_member *m,
                          const nci_value *v, int64_t id);
/* nci_value_moved: m was to take v (NULL: not known any more), and tells how it
 * went. */
void nci_value_moved(nci_values *s, nci_value_member *m, nci_value *v,
                     const nci_value_event *e);

/* ---- values_call.c */
/* nci_value_open begins a call that is idle, and what it needs. */
void nci_value_open(nci_values *s, nci_value *v);
/* nci_value_requeue: a call that ran is to run again. */
void nci_value_requeue(nci_values *s, nci_value *v);
void nci_value_done(nci_values *s, nci_value *v, nci_value_member *m,
                    int64_t bytes);
void nci_value_fail(nci_values *s, nci_value *v, ncg_status status,
                    int64_t cause);
/* nci_value_lose: the only copy is gone. */
void nci_value_lose(nci_values *s, nci_value *v);
/* nci_values_feed gives calls to threads. */
void nci_values_feed(nci_values *s);
/* nci_value_fits: the member has a thread and the resources that it needs. */
bool nci_value_fits(const nci_value_member *m, const nci_value *v);
/* nci_value_due: of the calls for this worker alone that it could begin, the
 * one that has waited longest. */
nci_value *nci_value_due(const nci_value_member *m);

/* ---- values_class.c */
/* nci_value_class_of the call that an event brings. *out:
 * nci_value_class_release, with the record; NULL: it needs nothing. */
ncg_status nci_value_class_of(nci_values *s, const nci_value_event *e,
                              nci_value_class **out, ncg_error *err);
void nci_value_class_release(nci_values *s, nci_value_class *c);
/* nci_value_class_part: the classes of a worker that is gone have none. */
void nci_value_class_part(nci_value_member *m);
/* nci_value_take books what the next attempt of a call takes; false: without
 * memory. nci_value_give_back ends that. */
bool nci_value_take(nci_value_member *m, const nci_value *v);
void nci_value_give_back(nci_values *s, nci_value_member *m, int64_t id,
                         uint32_t attempt);
void nci_value_give_all_back(nci_values *s, nci_value_member *m);

#endif
