/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PASS_POOL_H
#define NCI_GRAPH_PASS_POOL_H
/* Deviations of anomalies in one read of the data. */
#include "graph/node.h"

/* nci_pass_pool looks at a reduction. Where it is the std or var of
 *
 *     x - (mean of x over the same axes, by groups or not)
 *
 * *out is one reduction of x: the squared deviations from each group's own
 * mean, pooled. The mean of such anomalies is 0, so that is the same but for
 * rounding: anomalies of floats would be rounded to float, here nothing is
 * before the end. Otherwise *out is NULL. The caller releases it. */
ncg_status nci_pass_pool(const nci_node *node, nci_node **out, ncg_error *err);

#endif
