/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_TASK_LOG_H
#define NCI_ENGINE_TASK_LOG_H
/*
 * What tasks this process ran, and when: the last ones, in a ring that the runs
 * of all contexts share. While nobody asked for it a task costs one look.
 */
#include "graph/plan.h"
#include "ncgraph.h"

/* nci_task_log_start makes room for `most` notes and forgets all there were;
 * 0: nothing is noted any more. Any thread. */
ncg_status nci_task_log_start(size_t most, ncg_error *err);
/* nci_task_log_now is the time to note, in seconds since 1970; 0 where nothing
 * is noted. */
double nci_task_log_now(void);
/* nci_task_log_note notes a task that began at `start`, which was not 0, and
 * has ended now. Any thread. */
void nci_task_log_note(const nci_plan *plan, int64_t task, double start,
                       size_t nbytes, ncg_status status);
/* nci_task_log_since stores up to `room` notes of tasks that ended at `since`
 * or later, the first ones first, and returns how many there are. */
size_t nci_task_log_since(double since, ncg_task_note *out, size_t room);

#endif
