/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_SCHEDULER_INTERNAL_H
#define NCI_ENGINE_CLUSTER_SCHEDULER_INTERNAL_H
/*
 * scheduler.c: life, workers, what the net tells. scheduler_run.c: one run and
 * the machine's actions. One lock guards everything; nothing that takes long
 * happens under it.
 */
#include <pthread.h>

#include "engine/cluster/dialogue.h"
#include "engine/cluster/errands.h"
#include "engine/cluster/scheduler.h"
#include "engine/costs.h"
#include "engine/sched/choose.h"

/* A worker, as long as it is connected. */
typedef struct nci_roll {
    nci_conn_id conn;
    uint32_t number; /* never used again */
    nci_joining who;
    int64_t end;     /* when it ends, on our clock; 0: open */
    uint32_t open;   /* the run whose plan it has open, 0: none */
    uint32_t joined; /* the run whose machine knows it, 0: none */
    bool is_unfit;   /* for the run under way */
    bool is_leaving;
    nci_batch orders;
} nci_roll;

typedef enum nci_run_state {
    NCI_RUN_QUEUED,
    NCI_RUN_OPENING,
    NCI_RUN_RUNNING,
    NCI_RUN_OVER
} nci_run_state;

typedef struct nci_plan_run {
    nci_scheduler *scheduler;
    uint32_t id;
    nci_conn_id client; /* 0: gone */
    uint32_t request;   /* the client's number of it */
    nci_run_state state;
    nci_buf *body; /* of the client's message, which workers get as it is */
    nci_plan_message message;
    nci_hosted hosted;
    nci_token space;
    nci_costs costs;
    nci_io_stats reads; /* of all workers */
    nci_sched_choice choice;
    nci_sched *sched;
    nci_actions actions;
    bool is_canceled, has_error;
    ncg_error error; /* the first */
    ncg_error unfit; /* why the first worker that cannot take part cannot */
    int64_t failed;  /* its task, -1 */
    struct nci_plan_run *next;
} nci_plan_run;

struct nci_scheduler {
    nci_scheduler_options options;
    const nci_plan_host *host;
    nci_keys keys;
    nci_net *net;
    nci_net_timer *tick, *news;
    nci_errands *plans;
    char address[NCI_ADDRESSES_BYTES];

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    nci_roll *rolls;
    size_t nrolls, rolls_capacity;
    uint32_t workers, runs_made; /* so far */
    nci_plan_run *runs; /* the first one is under way */
    bool is_stopped, is_ending;
};

void nci_scheduler_note(const nci_scheduler *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
nci_roll *nci_scheduler_roll(nci_scheduler *s, uint32_t number);

/* ---- scheduler_run.c; the lock is held */

/* nci_run_submit queues what a client sent; takes the place of its answer. */
void nci_run_submit(nci_scheduler *s, nci_conn_id client,
                    const nci_message *message);
/* nci_run_next begins the first run, if it has not begun. */
void nci_run_next(nci_scheduler *s);
void nci_run_event(nci_plan_run *run, nci_event *event);
/* nci_run_records takes the events of a message. */
ncg_status nci_run_records(nci_plan_run *run, const nci_message *message,
                           bool is_client, uint32_t worker, ncg_error *err);
/* nci_run_announce lets a worker that has the plan open take part. */
void nci_run_announce(nci_plan_run *run, nci_roll *roll);
/* nci_run_failed notes an error that a worker told; task -1: it cannot open
 * the plan. */
void nci_run_failed(nci_plan_run *run, nci_roll *roll, int64_t task,
                    const ncg_error *error);
void nci_run_cancel(nci_plan_run *run);
/* nci_run_news tells the client how far it is. */
void nci_run_news(nci_plan_run *run);
/* nci_run_send_plan sends it to one worker. */
void nci_run_send_plan(nci_plan_run *run, const nci_roll *roll);
/* nci_run_check ends a run that no worker can take up. */
void nci_run_check(nci_plan_run *run);
void nci_run_free(nci_plan_run *run);

#endif
