/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_CODEC_TASKS_H
#define NCI_GRAPH_CODEC_TASKS_H
/*
 * Lists of explicit tasks as bytes. Functions go by the names under which they
 * are registered, with their parameters; values that are held go along. The
 * arrays that tasks need are expressions and go as such, beside the list.
 */
#include "graph/pack.h"
#include "graph/tasks.h"

/* nci_pack_tasks writes a sealed list. EUNSUPPORTED names a task whose function
 * has no name, and the remedy. */
ncg_status nci_pack_tasks(nci_pack *pack, const nci_tasks *tasks,
                          ncg_error *err);
/* nci_unpack_tasks reads one, to be completed by nci_tasks_bind with `*narrays`
 * arrays. Any bytes are safe. */
ncg_status nci_unpack_tasks(nci_unpack *in, nci_tasks **out, int *narrays,
                            ncg_error *err);
/* nci_tasks_bind retains the arrays and seals the list, which then has the
 * token that it had. */
ncg_status nci_tasks_bind(nci_tasks *tasks, nci_node *const *arrays,
                          int narrays, ncg_error *err);

#endif
