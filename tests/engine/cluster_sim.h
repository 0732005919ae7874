/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_CLUSTER_SIM_H
#define NCG_TESTS_ENGINE_CLUSTER_SIM_H
/*
 * A cluster in virtual time: the real machines of the scheduler and of the
 * workers, with invented threads, disks and a network between them. Messages
 * of one connection keep their order, everything else is late as it likes.
 * Workers join, die, stop for a while and come back, leave on request or at a
 * known end. Each chunk has a value, a hash of those of its inputs, so that
 * what is put can be compared. Everything comes from the seed.
 */
#include "engine/sched/choose.h"
#include "engine/sched/sched.h"
#include "engine/sched/worker.h"

typedef struct csim_options {
    uint64_t seed;
    int workers;      /* at the start */
    int threads;      /* of each: 1 to this many */
    double room;      /* limit = floor + room * (what all tasks hold) */
    int joins;        /* that many more, at some time */
    int kills;        /* workers that die */
    int stops;        /* that are silent for a while */
    int drains;       /* that are asked to leave */
    int ends;         /* that end at a time known when they join */
    int late_start;   /* no worker for the first seconds */
    bool can_checkpoint;
    bool looks_ahead;
    bool is_slow_disk;
    bool has_homes;   /* what tasks read lies on some of the workers */
    bool has_arrivals; /* some of it comes only while the run is under way */
    int64_t disk;     /* bytes of each worker's disk; 0: any number */
    int disk_until;   /* s: from then on any number; 0: never */
    int64_t cancel_at; /* cancel before this event; 0 */
    int poison;       /* workers die as soon as they run the n-th task; 0 */
    unsigned faults;  /* nci_cluster_fault */
    bool is_checked;  /* every invariant after every event */
} csim_options;

typedef struct csim_result {
    ncg_status status;
    bool is_broken;     /* a promise was broken; else the run came to its end */
    char message[640];  /* which one, at which event of which seed */
    int64_t events, tasks, puts, refusals; /* refusals: of a full disk */
    double seconds;     /* virtual */
    nci_sched_stats stats;
} csim_result;

/* csim_run runs a plan; it never fails the test itself. */
void csim_run(const nci_plan *plan, const csim_options *options,
              csim_result *result);

#endif
