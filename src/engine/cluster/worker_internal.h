/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_WORKER_INTERNAL_H
#define NCI_ENGINE_CLUSTER_WORKER_INTERNAL_H
/*
 * worker.c: the process, its connection, its runs. worker_open.c: how a run
 * begins. worker_run.c: the machine's actions and what they lead to. worker_chunk.c: chunks that come
 * and go, over the net and on disks. worker_keep.c: what stays between runs.
 * worker_take.c: how it comes here, and how tasks read it. worker_call.c: calls
 * of functions. worker_checkpoint.c: chunks on a disk that all see.
 *
 * One lock guards everything of a worker; nothing that takes long happens
 * under it. A run is counted: the list, jobs, fetches, errands and questions
 * of peers hold it.
 */
#include <pthread.h>

#include "engine/cluster/dialogue.h"
#include "engine/cluster/errands.h"
#include "engine/cluster/service.h"
#include "engine/cluster/worker.h"
#include "engine/costs.h"
#include "engine/lane.h"
#include "engine/net/exchange.h"
#include "engine/sched/worker.h"
#include "engine/source_remote.h"
#include "engine/spill_file.h"

typedef struct nci_hand nci_hand; /* a worker process */
typedef struct nci_kept_chunk nci_kept_chunk;

typedef struct nci_hand_run {
    nci_hand *hand;
    nci_conn_id conn; /* to the scheduler whose run it is */
    uint32_t id;
    int refs;
    nci_buf *body; /* of the plan's message */
    nci_plan_message message;
    nci_hosted hosted;
    nci_token space;
    nci_costs costs;
    nci_work work;
    nci_lane_run tasks;
    int64_t floor; /* bytes that its largest task takes */
    int64_t share; /* of the memory, its chunks' */
    bool is_started;   /* it has its share */
    bool is_forgotten; /* before it had */
    struct nci_hand_run *next_opening;
    nci_worker *machine;
    nci_worker_actions actions;
    nci_task_map store, disk; /* task -> chunk; -> its copy on disk */
    nci_spill_file *spill;    /* NULL until the first */
    nci_batch outbox;
    int64_t spent;        /* ns: by the task that ended last */
    int64_t outbox_since; /* ns: its first record may wait; 0: none does */
    uint64_t *questions; /* of peers, for chunks; not answered */
    size_t nquestions, questions_capacity;
    struct nci_hand_fetch *fetches; /* under way */
    nci_buf **trash; /* let go of when the lock is free */
    size_t ntrash, trash_capacity;
    int active; /* jobs on the pool */
    _Atomic bool stopping;
    bool is_broken; /* memory ran out in the machine */
    struct nci_hand_run *next;
} nci_hand_run;

struct nci_hand {
    nci_executor *executor;
    const nci_plan_host *host;
    const nci_work_options *options;
    nci_keys keys;
    nci_net *net;
    nci_errands *plans, *disk;
    nci_net_timer *tick;
    nci_net_timer *clock; /* NULL: no record waits; guarded by the lock */
    char addresses[NCI_NET_ADDRESSES];
    char scheduler[NCI_ADDRESSES_BYTES]; /* its addresses; under the lock */
    double begin; /* of this process: s on its clock */
    char name[NCI_NAME_SIZE + 1];
    char checkpoint[NCI_FOLDER_SIZE]; /* as the options say */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    nci_conn_id conn; /* to the scheduler */
    bool is_ready, is_closed, is_leaving, is_ending;
    ncg_error why; /* it was closed */
    nci_roster roster;
    nci_hand_run *runs;
    nci_hand_run *opening; /* have no share of the memory yet */
    int64_t granted; /* bytes: shares of runs, until the last of one has gone */
    int started;     /* runs with a share */
    nci_io_stats reads; /* that the scheduler knows of */
    int active;         /* jobs of all runs */
    int queued;         /* of them, not begun */
    int errands;        /* under way */
    nci_task_map kept;  /* what stays; worker_keep.c */
    nci_kept_chunk *oldest, *newest; /* of it, in memory */
    int64_t kept_bytes; /* in memory */
    int64_t kept_going; /* of them, being written to disk */
    int64_t kept_room;  /* that they may take */
    bool is_disk_full;
    bool has_told; /* that the disk for chunks of runs is full */
    nci_spill_file *kept_disk;    /* NULL until the first */
    struct nci_hand_memo *memos; /* what a scheduler wants to be told again */
    struct nci_locating *locating; /* questions to the scheduler */
    int64_t located;              /* asked so far */
    int takings;        /* fetches of it under way */
    struct nci_hand_call *calls; /* each with its thread */
};

/* ---- worker_open.c */

/* nci_hand_open begins to open the plan of a message. */
void nci_hand_open(nci_hand *hand, nci_conn_id conn,
                   const nci_message *message);
/* nci_hand_give_back_locked: nothing of a run is here any more. */
void nci_hand_give_back_locked(nci_hand_run *run);

/* ---- worker_run.c: the lock is held where the name ends in _locked */

nci_hand_run *nci_hand_find_locked(nci_hand *hand, uint32_t run);
void nci_hand_orders(nci_hand *hand, const nci_message *message);
void nci_hand_forget_locked(nci_hand *hand, nci_hand_run *run);
/* nci_hand_event_locked tells the machine; its actions wait in the run. */
void nci_hand_event_locked(nci_hand_run *run, const nci_worker_event *event);
/* nci_hand_apply_locked carries out what waits. With `mine` the first task to
 * start is left to the caller, true when there is one. */
bool nci_hand_apply_locked(nci_hand_run *run, nci_worker_action *mine);
/* nci_hand_on_clock sends records that have waited. */
void nci_hand_on_clock(void *hand);
/* nci_hand_leave sends what waits, unlocks and lets go. */
void nci_hand_leave(nci_hand_run *run);
/* nci_hand_leave_soon may keep records back for a moment; has_next: the caller
 * goes on with a task. */
void nci_hand_leave_soon(nci_hand_run *run, bool has_next);
/* nci_hand_keep_locked puts a chunk into the store, which takes it. */
bool nci_hand_keep_locked(nci_hand_run *run, int64_t task, nci_buf **chunk);
void nci_hand_trash_locked(nci_hand_run *run, nci_buf *chunk);
void nci_hand_run_release_locked(nci_hand_run **run);
/* nci_hand_failure tells the scheduler the words of an error. */
void nci_hand_failure(nci_hand *hand, uint32_t run, int64_t task,
                      const ncg_error *error);

/* ---- worker_keep.c */

/* nci_hand_kept gives a chunk that is kept here, from memory or disk; NULL: it
 * is not here. No lock held; may read the disk. */
ncg_status nci_hand_kept(nci_hand *hand, const nci_chunk_key *key,
                         nci_buf **out, ncg_error *err);
/* nci_hand_serve_kept_locked answers a peer; false: it is not here. */
bool nci_hand_serve_kept_locked(nci_hand *hand, uint64_t request,
                                const nci_chunk_key *key);
/* nci_hand_retain_locked keeps a chunk, which it retains. */
ncg_status nci_hand_retain_locked(nci_hand *hand, const nci_chunk_key *key,
                                  nci_buf *chunk, ncg_error *err);
void nci_hand_let_go_locked(nci_hand *hand, const nci_chunk_key *key);
void nci_hand_let_go_all_locked(nci_hand *hand);
/* nci_hand_let_go_values_locked leaves the sets of chunks. */
void nci_hand_let_go_values_locked(nci_hand *hand);
/* nci_hand_memo_locked remembers, or forgets, what a scheduler is to be told
 * that was started again. */
ncg_status nci_hand_memo_locked(nci_hand *hand, const nci_service *ask,
                                ncg_error *err);
void nci_hand_forget_memos(nci_hand *hand);
/* nci_hand_report_kept_locked tells a scheduler about memos and chunks. */
void nci_hand_report_kept_locked(nci_hand *hand, nci_conn_id conn);
/* nci_hand_make_room_locked: from now on what is kept takes `room` bytes of
 * memory; what is more goes to the disk. Waits until it has gone. */
void nci_hand_make_room_locked(nci_hand *hand, int64_t room);

/* ---- worker_take.c */

/* nci_hand_take_locked fetches what another worker keeps. */
void nci_hand_take_locked(nci_hand *hand, const nci_service *ask);
/* nci_hand_keep_output_locked keeps what a task of a run left. */
void nci_hand_keep_output_locked(nci_hand *hand, const nci_service *ask);
void nci_hand_located_locked(nci_hand *hand, const nci_service *told);
/* nci_hand_holder is how sources of a run read what is kept anywhere. */
nci_source_holder nci_hand_holder(nci_hand_run *run);

/* ---- worker_checkpoint.c */

/* nci_checkpoint_path_locked: *out: nci_free. EOUTPUT: there is no directory. */
ncg_status nci_checkpoint_path_locked(const nci_hand_run *run, int64_t task,
                                      char **out, ncg_error *err);
ncg_status nci_checkpoint_write(const char *path, const nci_buf *chunk,
                                ncg_error *err);
/* nci_checkpoint_read: nbytes: NCI_FETCH_ANY: as long as it is. */
ncg_status nci_checkpoint_read(const char *path, int64_t nbytes, nci_buf **out,
                               ncg_error *err);
/* nci_checkpoint_drop_locked removes a file, or (-1) all of the run. */
void nci_checkpoint_drop_locked(nci_hand_run *run, int64_t task);

/* ---- worker_call.c */

void nci_hand_asked(nci_hand *hand, const nci_message *message);
void nci_hand_cancel_calls_locked(nci_hand *hand);

/* ---- worker_chunk.c */

void nci_hand_fetch_locked(nci_hand_run *run, const nci_worker_action *action);
void nci_hand_answer_locked(nci_hand_run *run,
                            const nci_worker_action *action);
void nci_hand_disk_locked(nci_hand_run *run, const nci_worker_action *action);
void nci_hand_drop_copy_locked(nci_hand_run *run, int64_t task);
void nci_hand_abort_locked(nci_hand_run *run, const nci_worker_action *action);
/* For nci_net_serve. */
void nci_hand_wanted(void *hand, uint64_t request, const nci_chunk_key *key);
void nci_hand_gone(void *hand, uint64_t request);

#endif
