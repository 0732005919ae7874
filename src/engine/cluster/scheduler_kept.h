/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_SCHEDULER_KEPT_H
#define NCI_ENGINE_CLUSTER_SCHEDULER_KEPT_H
/*
 * Sets of chunks that stay on workers: the outputs of runs that were asked to
 * keep them. A set lives as long as a client reads it or something published
 * does. What is lost with a worker is made again from what the set was made of,
 * by a run of those chunks only. The scheduler's lock is held in all functions.
 */
#include "engine/cluster/scheduler_internal.h"

/* ---- a run that keeps */

/* nci_kept_promise makes the sets of a run that was sent: from now on they can
 * be published, and read by what comes later. nci_kept_begin: the run's plan is
 * open. */
ncg_status nci_kept_promise(nci_plan_run *run, ncg_error *err);
ncg_status nci_kept_begin(nci_plan_run *run, ncg_error *err);
/* nci_kept_put has a chunk kept where it is; false: it is one to be put. */
bool nci_kept_put(nci_plan_run *run, const nci_action *action);
void nci_kept_answer(nci_scheduler *s, const nci_roll *roll,
                     const nci_service *told);
void nci_kept_worker_left(nci_plan_run *run, uint32_t worker);
/* nci_kept_end: the run is over; its sets are complete, or go, unless it is to
 * begin again. */
void nci_kept_end(nci_plan_run *run, bool goes_on);

/* ---- a run that reads sets */

/* nci_kept_home: where a task finds what it reads (nci_cluster_options). */
uint32_t nci_kept_home(void *run, int64_t task);
/* nci_kept_is_there: what a task reads is there, or never will be
 * (nci_cluster_options). */
bool nci_kept_is_there(void *run, int64_t task);
/* nci_kept_arrivals tells runs that read what others compute of new chunks;
 * nci_kept_hold_up has those begin again that read what a run makes. */
void nci_kept_arrivals(nci_scheduler *s);
void nci_kept_hold_up(const nci_plan_run *maker);
/* nci_kept_is_ahead: it reads a set whose maker begins after it.
 * nci_kept_awaits: that one has not begun yet. */
bool nci_kept_is_ahead(nci_plan_run *run);
bool nci_kept_awaits(const nci_plan_run *run);
/* nci_kept_is_wanted: it makes nothing but sets that something published, or a
 * set made of them, reads. */
bool nci_kept_is_wanted(const nci_plan_run *run);
/* nci_kept_remakes: it has begun to make sets, and must begin again. */
bool nci_kept_remakes(const nci_plan_run *run);
/* nci_kept_may_begin: all that it reads, as far as that is known, is there or
 * is being made; for runs that make sets again. */
bool nci_kept_may_begin(const nci_plan_run *run);
/* nci_kept_is_waited_for tells whether something that the task reads is not
 * there, or its run reads something that is being made again. */
bool nci_kept_is_waited_for(nci_plan_run *run, int64_t task);

/* ---- sets */

struct nci_kept_set *nci_kept_find(const nci_scheduler *s, nci_token space);
void nci_kept_hold(nci_scheduler *s, nci_conn_id client, nci_token space);
void nci_kept_let_go(nci_scheduler *s, nci_conn_id client, nci_token space);
void nci_kept_forget(nci_scheduler *s, nci_conn_id client);
/* nci_kept_name: something published reads it, or (-1) no longer. ENOTFOUND */
ncg_status nci_kept_name(nci_scheduler *s, nci_token space, int change,
                         ncg_error *err);
/* nci_kept_locate: ENET: it is lost, or not there yet; ENOTFOUND: there is no
 * such chunk. nci_kept_is_coming: what is not there is being made. */
ncg_status nci_kept_locate(const nci_scheduler *s, nci_token space,
                           int64_t chunk, const nci_roll **out, int64_t *bytes,
                           ncg_error *err);
bool nci_kept_is_coming(const nci_scheduler *s, nci_token space);
/* nci_kept_key: which chunk a value of the machine is; false: that of a call. */
bool nci_kept_key(const nci_scheduler *s, int64_t id, nci_token *space,
                  int64_t *chunk);
void nci_kept_lost(nci_scheduler *s, int64_t id);
void nci_kept_describe(const nci_scheduler *s, nci_text *text);
void nci_kept_free(nci_scheduler *s);

/* ---- a scheduler that was started again */

/* nci_kept_pack writes what makes sets, and those that they are made of, known
 * to the next scheduler; unpack makes those that are not known: ENET: damaged. */
void nci_kept_pack(nci_scheduler *s, const nci_token *spaces, int64_t nspaces,
                   nci_pack *pack);
ncg_status nci_kept_unpack(nci_scheduler *s, nci_unpack *in, ncg_error *err);
/* nci_kept_are_made_of: a set is one of `spaces`, or one that these are made of.
 */
bool nci_kept_are_made_of(nci_scheduler *s, const nci_token *spaces,
                          int64_t nspaces, nci_token space);
/* nci_kept_have: a worker has a chunk from before. */
void nci_kept_have(nci_scheduler *s, const nci_roll *roll,
                   const nci_service *told);
/* nci_kept_is_early: workers may still come and bring chunks. */
bool nci_kept_is_early(const nci_scheduler *s);
/* nci_kept_tick: about once a second. */
void nci_kept_tick(nci_scheduler *s);

/* ---- making again */

/* nci_kept_missing copies what a run that makes a set again needs: the chunks
 * that nobody has (*list: nci_free), the message that made the set. */
ncg_status nci_kept_missing(const nci_plan_run *run, int64_t **list, int64_t *n,
                            nci_buf **body, int *output, nci_token *space,
                            ncg_error *err);

#endif
