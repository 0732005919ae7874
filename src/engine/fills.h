/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_FILLS_H
#define NCI_ENGINE_FILLS_H
/*
 * How many values that a run read from files were missing for no other reason
 * than that they equal NetCDF's default fill, which the file does not state.
 * Each layer of the plan has a counter, to which its tasks add when they end
 * well; workers of a cluster say it with the end of each task. A plan may read
 * a variable in several layers (passes): the one that met the most counts, so
 * that a variable that is read twice as a whole does not count twice.
 */
#include <stdatomic.h>

#include "engine/source.h"
#include "graph/plan.h"

/* nci_fills_create makes the counters of a plan's layers, all 0; nci_free. */
ncg_status nci_fills_create(const nci_plan *plan, _Atomic int64_t **out,
                            ncg_error *err);
/* Counts of tasks that other processes ran. A task that was run again, because
 * what it made was lost, counts once. Zero-initialise. */
typedef struct nci_fills_told {
    int64_t *of_layer; /* NULL: none was met */
    int64_t nlayers;   /* 0 as long as it is NULL */
    uint64_t *seen;    /* bits: tasks that have counted */
} nci_fills_told;

/* nci_fills_tell: a task has ended well and met `n`. Without memory it does not
 * count: the values do not depend on it. */
void nci_fills_tell(nci_fills_told *told, const nci_plan *plan, int64_t task,
                    int64_t n);
void nci_fills_told_fini(nci_fills_told *told);
/* nci_fills_given is nci_fills_end for counts of another process, which may be
 * anything. */
int64_t nci_fills_given(const nci_plan *plan, const nci_source_table *sources,
                        const int64_t *counts, int64_t n);
/* nci_fills_end gives the sources what was counted of them, and returns the
 * sum over all. After a run that ended well. */
int64_t nci_fills_end(const nci_plan *plan, const nci_source_table *sources,
                      const _Atomic int64_t *counts);
/* nci_fills_untold returns what was counted of a layer's source and has not
 * been told: once a source, later 0. */
int64_t nci_fills_untold(const nci_layer *layer,
                         const nci_source_table *sources, const char **name);

#endif
