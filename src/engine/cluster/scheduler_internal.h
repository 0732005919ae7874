/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_SCHEDULER_INTERNAL_H
#define NCI_ENGINE_CLUSTER_SCHEDULER_INTERNAL_H
/*
 * scheduler.c: life, what the net tells. scheduler_roll.c: workers that come
 * and go. scheduler_run.c: one run and the machine's actions.
 * scheduler_begin.c: how a run begins, again and again. scheduler_queue.c:
 * which runs are under way. scheduler_service.c: what is asked and told beside
 * runs. scheduler_values.c: calls, and what stays on workers between runs.
 * scheduler_run_on.c: functions called at once. scheduler_kept.c: sets of chunks
 * that stay. scheduler_kept_again.c: those of a scheduler that was lost.
 * scheduler_names.c: published data. scheduler_status.c: what all of it looks
 * like. One lock guards everything; nothing that takes long happens under it.
 */
#include <pthread.h>

#include "engine/cluster/dialogue.h"
#include "engine/cluster/errands.h"
#include "engine/cluster/scheduler.h"
#include "engine/cluster/service.h"
#include "engine/costs.h"
#include "engine/fills.h"
#include "engine/sched/choose.h"
#include "engine/sched/task_map.h"
#include "engine/sched/values.h"

/* A worker, as long as it is connected. */
typedef struct nci_roll {
    nci_conn_id conn;
    uint32_t number; /* never used again */
    nci_joining who;
    nci_resources resources;
    int64_t end;     /* when it ends, on our clock; 0: open */
    bool is_leaving;
    bool has_no_values; /* that anybody needs; leaving */
    bool may_leave;     /* it was told so */
    bool is_silent;
} nci_roll;

/* A worker's part in one run. */
typedef struct nci_share {
    uint32_t worker;
    bool is_open;      /* it has the plan open */
    bool has_joined;   /* the run's machine knows it */
    bool is_unfit;     /* it cannot take part */
    bool has_no_tasks; /* that the run needs; leaving */
    int64_t limit;     /* bytes that the run may take there */
    nci_batch orders;
} nci_share;

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
    nci_share *shares;
    size_t nshares, shares_capacity;
    nci_costs costs;
    nci_io_stats reads; /* of all workers */
    nci_fills_told fills;
    nci_sched_choice choice;
    nci_sched *sched;
    nci_actions actions;
    bool is_canceled, has_error;
    ncg_error error; /* the first */
    ncg_error unfit; /* why the first worker that cannot take part cannot */
    int64_t failed;  /* its task, -1 */
    struct nci_keeping *keepings, **last_keeping; /* chunks that workers were
                                                     told to keep */
    int64_t lost_keeping; /* task that must come before all others, -1 */
    uint32_t repairs;     /* serial of the set that is made again, 0: none */
    bool keeps_all;       /* nothing is put */
    nci_token awaits;     /* a set whose maker has to begin first */
    uint64_t *put;        /* bits: tasks that were put; where the run may have
                             to begin again; NULL */
    int64_t ntasks;
    int64_t least;   /* limit of the workers that were there when it began */
    bool is_waiting; /* for what it reads: it begins again when it has ended */
    bool is_held;    /* it is about to be ended for that */
    int begun;       /* how often */
    int64_t turn;    /* the later one began later */
    bool has_saved;  /* workers were told to write checkpoints */
    struct nci_plan_run *next;
} nci_plan_run;

/* A client that made calls. */
typedef struct nci_known_client {
    nci_conn_id conn;
    uint32_t serial;
} nci_known_client;

struct nci_scheduler {
    nci_scheduler_options options;
    const nci_plan_host *host;
    nci_keys keys;
    nci_net *net;
    nci_net_timer *tick, *news;
    nci_errands *plans, *services;
    char address[NCI_ADDRESSES_BYTES];

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    nci_roll *rolls;
    size_t nrolls, rolls_capacity;
    char checkpoint[NCI_FOLDER_SIZE]; /* for all workers; the first that one of
                                         them named */
    uint32_t workers, runs_made; /* so far */
    nci_plan_run *runs; /* those that have begun, in that order, then the others
                           in the order in which they came */
    int64_t turns;      /* given so far */
    nci_values *values;
    nci_value_actions value_actions;
    nci_task_map calls; /* by id */
    nci_known_client *clients;
    size_t nclients, clients_capacity;
    uint32_t serials; /* given so far */
    struct nci_doing *doings; /* under way on workers */
    struct nci_kept_set *sets; /* the latest first */
    uint32_t packs;            /* memos that were written so far */
    bool has_arrived; /* chunks of a set that is being made */
    struct nci_published *published;
    int64_t restored; /* when workers last told of what was published before
                         this process; ns, 0: never, or it is settled */
    int64_t doings_made;
    bool is_stopped, is_ending;
    int64_t began; /* ns */
    int64_t finished, failed, canceled; /* runs */
    nci_report_work past;               /* of these */
};

void nci_scheduler_note(const nci_scheduler *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
nci_roll *nci_scheduler_roll(nci_scheduler *s, uint32_t number);
/* nci_scheduler_run gives the run of a number, nci_scheduler_run_after that
 * with the next higher one: so runs are gone through while some end and begin
 * again. NULL: none. */
nci_plan_run *nci_scheduler_run(const nci_scheduler *s, uint32_t id);
nci_plan_run *nci_scheduler_run_after(const nci_scheduler *s, uint32_t id);
/* nci_scheduler_tell asks a worker for a service, if it is still here. */
void nci_scheduler_tell(nci_scheduler *s, uint32_t worker,
                        const nci_service *service);

/* ---- scheduler_roll.c; the lock is held */

nci_roll *nci_roll_of(nci_scheduler *s, nci_conn_id conn);
ncg_status nci_roll_enrol(nci_scheduler *s, nci_conn_id conn, nci_unpack *in,
                          ncg_error *err);
/* nci_roll_open: a worker has the plan of a run open. */
ncg_status nci_roll_open(nci_scheduler *s, nci_conn_id conn, uint32_t run,
                         nci_unpack *in, ncg_error *err);
void nci_roll_strike(nci_scheduler *s, nci_roll *roll);
/* nci_roll_let_go: what only it has goes to others, then it may end. */
void nci_roll_let_go(nci_scheduler *s, nci_roll *roll);
/* nci_roll_silence: it is silent, or heard again. */
void nci_roll_silence(nci_scheduler *s, nci_roll *roll, nci_silence state);
/* nci_scheduler_try_leave lets a worker go that nobody needs any more. */
void nci_scheduler_try_leave(nci_scheduler *s, nci_roll *roll);

/* nci_scheduler_describe writes the state of the cluster as JSON. */
void nci_scheduler_describe(const nci_scheduler *s, nci_text *text);

/* ---- scheduler_values.c; the lock is held */

ncg_status nci_scheduler_value(nci_scheduler *s, const nci_value_event *event,
                               ncg_error *err);
/* nci_scheduler_value_of tells the machine of a worker. */
void nci_scheduler_value_of(nci_scheduler *s, nci_value_event_kind kind,
                            const nci_roll *roll);
/* nci_calls_take takes a client's call, whose inputs come next in its message;
 * the call keeps the message's body. nci_calls_let_go: it is released or
 * canceled. nci_calls_forget: a client is gone. */
ncg_status nci_calls_take(nci_scheduler *s, nci_conn_id client,
                          const nci_service *ask, nci_unpack *in, nci_buf *body,
                          ncg_error *err);
void nci_calls_let_go(nci_scheduler *s, nci_conn_id client,
                      const nci_service *ask);
void nci_calls_forget(nci_scheduler *s, nci_conn_id client);
/* nci_calls_ended: a worker tells how a call, or the move of a value, ended. */
void nci_calls_ended(nci_scheduler *s, const nci_roll *roll,
                     const nci_service *told);
void nci_calls_free(nci_scheduler *s);

/* ---- scheduler_run_on.c; the lock is held */

/* nci_doings_begin has a function called where the client asks for it, and
 * tells the client by how many. */
void nci_doings_begin(nci_scheduler *s, nci_conn_id client,
                      const nci_service *ask, nci_buf *body);
/* nci_doings_did passes on what a worker answers; nci_doings_left answers for a
 * worker that is gone. */
void nci_doings_did(nci_scheduler *s, const nci_roll *roll,
                    const nci_service *did);
void nci_doings_left(nci_scheduler *s, const nci_roll *roll);
void nci_doings_free(nci_scheduler *s);

/* ---- scheduler_service.c; the lock is held */

/* nci_scheduler_ask takes what a client asks, nci_scheduler_told what a worker
 * tells. ENET: damaged. */
ncg_status nci_scheduler_ask(nci_scheduler *s, nci_conn_id conn,
                             const nci_message *message, ncg_error *err);
ncg_status nci_scheduler_told(nci_scheduler *s, const nci_roll *roll,
                              const nci_message *message, ncg_error *err);

/* nci_scheduler_account counts a run that is over; the lock is held. */
void nci_scheduler_account(nci_scheduler *s, const nci_plan_run *run);

/* ---- scheduler_run.c; the lock is held */

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
/* nci_run_waits_for: NULL: work goes on. */
const char *nci_run_waits_for(const nci_plan_run *run);
/* nci_run_news tells the client how far it is. */
void nci_run_news(nci_plan_run *run);
/* nci_run_send_plan sends it to one worker. */
void nci_run_send_plan(nci_plan_run *run, const nci_roll *roll);
/* nci_run_check ends a run that no worker can take up. */
void nci_run_check(nci_plan_run *run);
/* nci_run_note_put: it need not be put again when the run begins anew. */
void nci_run_note_put(nci_plan_run *run, int64_t task);
/* nci_run_apply carries out what its machine said; may end the run. */
void nci_run_apply(nci_plan_run *run);
/* nci_run_fail notes the first error. nci_run_end: client and workers are told,
 * the next one begins. */
void nci_run_fail(nci_plan_run *run, const ncg_error *error);
void nci_run_end(nci_plan_run *run);
/* nci_run_sweep: workers remove what is left in the directory for checkpoints. */
void nci_run_sweep(nci_plan_run *run);
/* nci_run_clear lets go of what its plan needs. */
void nci_run_clear(nci_plan_run *run);
void nci_run_free(nci_plan_run *run);
/* nci_run_share: a worker's part in the run; NULL: it has none yet. */
nci_share *nci_run_share(const nci_plan_run *run, uint32_t worker);
/* nci_run_has: the run's machine knows that worker. */
bool nci_run_has(const nci_plan_run *run, uint32_t worker);
/* nci_run_add_share: NULL without memory. */
nci_share *nci_run_add_share(nci_plan_run *run, uint32_t worker);
void nci_run_drop_share(nci_plan_run *run, uint32_t worker);

/* ---- scheduler_begin.c; the lock is held */

/* nci_run_begin opens the plan, here and on all workers. */
void nci_run_begin(nci_plan_run *run);

/* ---- scheduler_queue.c; the lock is held */

/* nci_run_submit queues what a client sent; takes the place of its answer. */
void nci_run_submit(nci_scheduler *s, nci_conn_id client,
                    const nci_message *message);
/* nci_run_next begins what may begin now. */
void nci_run_next(nci_scheduler *s);
/* nci_run_repair queues, before all others, a run that makes the chunks of a
 * set again that are lost. */
ncg_status nci_run_repair(nci_scheduler *s, uint32_t serial, ncg_error *err);
/* nci_run_make queues a run of a message of a client that is gone. */
ncg_status nci_run_make(nci_scheduler *s, nci_buf *body, ncg_error *err);
/* nci_run_again puts a run behind those that make what it waits for. */
void nci_run_again(nci_plan_run *run);

/* ---- scheduler_names.c; the lock is held */

void nci_names_ask(nci_scheduler *s, nci_conn_id client,
                   const nci_service *ask);
/* nci_names_memo takes what a worker was to tell; nci_names_teach tells a worker
 * what it is to remember. */
void nci_names_memo(nci_scheduler *s, const nci_service *told);
void nci_names_teach(nci_scheduler *s, const nci_roll *roll);
/* nci_names_opened: workers remember how large a set is that was published
 * before that was known. */
void nci_names_opened(nci_scheduler *s, nci_token space);
void nci_names_tick(nci_scheduler *s);
int64_t nci_names_count(const nci_scheduler *s);
void nci_names_free(nci_scheduler *s);

#endif
