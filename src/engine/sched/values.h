/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_VALUES_H
#define NCI_ENGINE_SCHED_VALUES_H
/*
 * The state machine of what stays on workers between runs: values that calls
 * of functions gave (futures), and chunks that were kept (persisted arrays).
 * Pure as the scheduler's: events in, actions out.
 *
 *     waiting -> ready -> running -> there -> idle -> (waiting)
 *                            |-> failed
 *
 * A value is wanted while somebody outside holds it, or a call that has not
 * ended needs it. One that is wanted no more is dropped; its record stays as
 * long as calls name it as an input, so that what was lost with a worker can be
 * made again from the start. A kept chunk cannot be made again here: LOST tells.
 *
 * A worker has as many calls at a time as it has threads. A call goes to the
 * worker that holds most of its inputs, where that has a thread, else to the
 * one that has waited longest; one that needs resources only where there are
 * enough that no other call has. Each RUN and TAKE is answered exactly once,
 * unless the worker leaves; answers of older attempts change nothing.
 *
 * A worker that drains gets no calls; its values move to others (TAKE); CLEAR
 * says that nothing on it is needed any more, or that nobody can take it.
 *
 * One owner at a time: the caller serialises.
 */
#include <stdbool.h>

#include "base/error.h"
#include "engine/sched/resources.h"
#include "engine/sched/sched.h"

typedef struct nci_values nci_values;

typedef enum nci_value_event_kind {
    NCI_VALUE_JOINED,  /* worker, threads, resources */
    NCI_VALUE_LEFT,    /* worker */
    NCI_VALUE_SILENT,  /* worker: nothing new until BACK */
    NCI_VALUE_BACK,    /* worker */
    NCI_VALUE_DRAIN,   /* worker */
    NCI_VALUE_CALL,    /* id (not known yet), inputs, retries, resources that
                          it takes; worker: NCI_NO_WORKER for any. It is held
                          from now on */
    NCI_VALUE_KEPT,    /* worker, id, bytes: a chunk is there, and held */
    NCI_VALUE_RELEASE, /* id: not held any more */
    NCI_VALUE_CANCEL,  /* id */
    NCI_VALUE_DONE,    /* worker, id, attempt, bytes: a RUN */
    NCI_VALUE_FAILED,  /* worker, id, attempt, status: a RUN */
    NCI_VALUE_MISSED,  /* worker, id, attempt: a RUN could not have its inputs;
                          nobody is to blame */
    NCI_VALUE_TAKEN,   /* worker, id, attempt: a TAKE */
    NCI_VALUE_NOT_TAKEN
} nci_value_event_kind;

typedef struct nci_value_event {
    nci_value_event_kind kind;
    uint32_t worker;
    int threads;
    int64_t id; /* >= 0 */
    uint32_t attempt;
    int64_t bytes;
    ncg_status status;
    const int64_t *inputs; /* known ids */
    size_t ninputs;
    int retries;
    const nci_resources *resources; /* NULL: none */
} nci_value_event;

typedef enum nci_value_action_kind {
    NCI_VALUE_RUN,       /* worker calls (attempt) */
    NCI_VALUE_STOP,      /* worker need not end the call (attempt); it answers
                            all the same */
    NCI_VALUE_TAKE,      /* worker fetches the value (attempt) from `from` */
    NCI_VALUE_DROP,      /* worker lets go of it */
    NCI_VALUE_CLEAR,     /* worker may leave */
    NCI_VALUE_READY,     /* the value (bytes) of a call is on worker, perhaps
                            not for the first time */
    NCI_VALUE_ERRED,     /* it failed: status; cause: the id whose call did */
    NCI_VALUE_LOST,      /* a kept chunk is gone, and its record */
    NCI_VALUE_FORGOTTEN  /* nobody can ask for id any more */
} nci_value_action_kind;

typedef struct nci_value_action {
    nci_value_action_kind kind;
    uint32_t worker, from;
    int64_t id, cause;
    uint32_t attempt;
    int64_t bytes;
    ncg_status status;
} nci_value_action;

typedef struct nci_value_actions {
    nci_value_action *items;
    size_t count, capacity;
} nci_value_actions;

typedef struct nci_values_stats {
    int64_t waiting, ready, running, there, failed; /* calls */
    int64_t kept; /* chunks */
    int64_t bytes; /* of all that is on workers */
} nci_values_stats;

ncg_status nci_values_create(nci_values **out, ncg_error *err);
void nci_values_free(nci_values **values);
/* nci_values_handle takes one event and appends actions. ENOMEM: a call or a
 * kept chunk was not taken; other events are taken whatever happens, and what
 * could not be said because memory ran out is told by ENOMEM. EINVAL: an id
 * that is known already, an input that is not. */
ncg_status nci_values_handle(nci_values *values, const nci_value_event *event,
                             nci_value_actions *actions, ncg_error *err);
/* nci_values_where tells who has a value, NCI_NO_WORKER: nobody now. bytes may
 * be NULL. */
uint32_t nci_values_where(const nci_values *values, int64_t id,
                          int64_t *bytes);
/* nci_values_held: bytes and number of values on a worker. */
int64_t nci_values_held(const nci_values *values, uint32_t worker,
                        int64_t *count);
void nci_values_get_stats(const nci_values *values, nci_values_stats *out);
/* nci_values_check verifies the invariants; for tests and the simulator. */
bool nci_values_check(const nci_values *values, ncg_error *err);

/* Faults for the test of the simulator: each breaks one thing. */
typedef enum nci_values_fault {
    NCI_VALUES_NO_DROP = 1,    /* what nobody wants stays */
    NCI_VALUES_NO_REVIVE = 2,  /* what was lost is not made again */
    NCI_VALUES_NO_RERUN = 4    /* calls of a worker that left are forgotten */
} nci_values_fault;
void nci_values_break(nci_values *values, unsigned faults);

#endif
