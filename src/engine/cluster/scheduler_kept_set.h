/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_SCHEDULER_KEPT_SET_H
#define NCI_ENGINE_CLUSTER_SCHEDULER_KEPT_SET_H
/*
 * One set of chunks that stay on workers, for the files that are about sets
 * (scheduler_kept.c), about the runs that make and read them
 * (scheduler_kept_run.c) and about sets from before this process
 * (scheduler_kept_again.c). The scheduler's lock is held in all functions.
 */
#include "engine/cluster/scheduler_kept.h"

typedef struct nci_kept_set {
    nci_token space;
    uint32_t serial;
    bool is_open; /* how many chunks it has is known */
    int64_t nchunks, nthere;
    nci_plan_run *maker; /* makes it, or is to begin again; NULL: none */
    bool is_complete;  /* the run that makes it has ended */
    bool was_made;     /* and made it */
    bool is_repairing; /* a run is queued that makes what is lost */
    ncg_error broken;  /* that could not make it */
    nci_buf *body;     /* the message that made it, and which output it was */
    int output;
    nci_conn_id *clients; /* that read it */
    size_t nclients, capacity;
    int names;        /* published data, and sets made of it, that read it */
    nci_token *needs; /* sets that it was made of */
    size_t nneeds, needs_capacity;
    uint32_t packed; /* number of the memo that it was last packed for */
    struct nci_kept_set *next;
} kept_set;

/* nci_kept_of_id: the set of a value of the machine; NULL: of none. */
kept_set *nci_kept_of_id(const nci_scheduler *s, int64_t id);
/* nci_kept_id: a chunk as a value of the machine. */
int64_t nci_kept_id(const kept_set *set, int64_t chunk);
/* nci_kept_need: the set is made of another one, which stays so that it can be
 * made again. False: memory is out. */
bool nci_kept_need(nci_scheduler *s, kept_set *set, nci_token space);
/* nci_kept_review drops a set that nobody reads. */
void nci_kept_review(nci_scheduler *s, kept_set *set);
/* nci_kept_repair has the chunks made that are not there. */
void nci_kept_repair(nci_scheduler *s, kept_set *set);
/* nci_kept_is_arriving: it is being made, for the first time. */
bool nci_kept_is_arriving(const kept_set *set);
/* nci_kept_drop_there tells a worker to drop a chunk. */
void nci_kept_drop_there(nci_scheduler *s, uint32_t worker, nci_token space,
                         int64_t chunk);

#endif
