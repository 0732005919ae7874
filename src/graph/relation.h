/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_RELATION_H
#define NCI_GRAPH_RELATION_H
/* Building the per-axis relations of a plan's inputs. */
#include "graph/plan.h"

/* nci_relation_from_pick relates the chunks of `ours` (positions 0..) to the
 * chunks of `input` that the picked positions fall into. */
ncg_status nci_relation_from_pick(const nci_axis *ours, const nci_pick *pick,
                                  const nci_axis *input, nci_relation *out,
                                  ncg_error *err);
/* nci_relation_from_lists takes, for each of our chunks, items[first[i]..
 * first[i+1]) (ascending); both arrays are taken on success. */
ncg_status nci_relation_from_lists(int64_t nout, int64_t nin, int64_t *first,
                                   int64_t *items, nci_relation *out,
                                   ncg_error *err);
/* nci_relation_from_reach relates chunks to those of `input` that the
 * positions [low, high) of each fall into. */
ncg_status nci_relation_from_reach(const nci_reach *reach, int64_t nchunks,
                                   const nci_axis *input, nci_relation *out,
                                   ncg_error *err);
/* nci_relation_runs: chunk i needs input chunks i * arity .. up to nin. */
ncg_status nci_relation_runs(int64_t nin, int64_t arity, nci_relation *out,
                             ncg_error *err);
void nci_relation_fini(nci_relation *relation);

#endif
