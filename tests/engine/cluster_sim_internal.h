/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_CLUSTER_SIM_INTERNAL_H
#define NCG_TESTS_ENGINE_CLUSTER_SIM_INTERNAL_H
/*
 * cluster_sim.c: the list of what happens, a run. cluster_sim_world.c: network,
 * threads and disks. cluster_sim_happen.c: what happens. cluster_sim_check.c:
 * the promises.
 */
#include "cluster_sim.h"
#include "engine/sched/task_map.h"

#define SECOND INT64_C(1000000000)

typedef enum what {
    AT_SCHEDULER, /* event */
    AT_WORKER,    /* order */
    IN_WORKER,    /* inner */
    AT_PEER,      /* a request comes: task, request */
    END_TASK,
    END_FETCH,
    END_WRITE,
    END_READ,
    END_SAVE,
    END_SERVE,
    AT_WRITER, /* a put has its chunk, or not */
    JOIN,
    KILL,
    LEFT,
    STOP,
    SILENT,
    GO_ON,
    COME_BACK,
    DRAIN,
    TICK,
    DROP_SAVED,
    ARRIVE
} what;

typedef struct happening {
    int64_t time, number;
    what kind;
    int worker; /* place in the list */
    int64_t task;
    uint32_t attempt;
    uint64_t request;
    ncg_status status;
    nci_event event;
    nci_action order;
    nci_worker_event inner;
} happening;

typedef struct sworker {
    nci_worker *machine;
    uint32_t number;
    int threads;
    int64_t limit, end;
    bool is_alive, is_stopped, is_known, is_late; /* late: declared dead */
    int64_t last_to, last_from; /* times of the last messages */
    int to, from;               /* messages on their way */
    int64_t bytes, on_disk;
    int64_t resumes;
    nci_task_map memory, disk; /* task -> value */
} sworker;

/* A fetch by a worker, or by the writer (worker < 0). */
typedef struct request {
    int by, from;
    int64_t task;
    uint32_t attempt;
    bool is_over, is_aborted;
} request;

typedef struct csim {
    const nci_plan *plan;
    csim_options *o;
    csim_result *result;
    uint64_t random;
    int64_t now, numbers;
    nci_sched *sched;
    nci_sched_choice choice;
    nci_sched_costs costs;
    nci_actions actions;
    nci_worker_actions inner;
    happening *list; /* heap */
    size_t count, capacity;
    sworker *workers;
    int nworkers;
    request *requests;
    size_t nrequests, requests_capacity;
    nci_task_map saved; /* the checkpoint directory */
    uint64_t *values;   /* what each task leaves */
    int64_t *puts;      /* STORE tasks in their order */
    int64_t next_put;
    nci_action *writer; /* handed out, the first is under way */
    size_t nwriter, writer_capacity;
    bool is_writing;
    int64_t last_put; /* time of its last message */
    int64_t lost_put; /* the writer takes nothing before this one; -1 */
    int64_t floor;
    int64_t started; /* tasks */
    bool over, is_broken;
} csim;

/* cluster_sim.c */
void csim_later(csim *s, int64_t time, happening h);

/* cluster_sim_world.c */
uint64_t csim_roll(csim *s);
int64_t csim_between(csim *s, int64_t low, int64_t high);
uint64_t csim_mix(uint64_t a, uint64_t b);
int64_t csim_latency(csim *s);
uint64_t csim_value_in(const nci_task_map *map, int64_t task);
void csim_put_value(csim *s, nci_task_map *map, int64_t task, uint64_t value);
uint64_t csim_value_of(csim *s, int64_t task, const nci_task_map *from);
int64_t csim_bytes_of(const csim *s, int64_t task);
int csim_place_of(const csim *s, uint32_t number);
void csim_send_order(csim *s, int worker, const nci_action *order);
void csim_end_request(csim *s, uint64_t id, ncg_status status, int64_t time);
void csim_take_put(csim *s, const nci_action *put);
void csim_end_put(csim *s, const happening *h);
void csim_count_bytes(csim *s, sworker *w, int64_t bytes);
int64_t csim_need_of(const csim *s, const nci_worker_action *a);
bool csim_is_there(void *ctx, int64_t task);
void csim_close_requests(csim *s, int worker);
int64_t csim_after_all(csim *s, const sworker *w);
void csim_carry_out_all(csim *s, int worker);
void csim_tell_worker(csim *s, int worker, const nci_worker_event *event);

/* cluster_sim_check.c */
void csim_broken(csim *s, const char *text, int64_t which);
void csim_check_all(csim *s);
void csim_show(const csim *s);

/* cluster_sim_happen.c */
void csim_tell(csim *s, const nci_event *event);
void csim_happen(csim *s, const happening *h);

#endif
