/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_BLOCKS_H
#define NCI_GRAPH_OPS_BLOCKS_H
/*
 * Helpers of the builders of BLOCK nodes: chunks of a size that is worth a
 * task, lists of reaches, text for messages. Pure; any thread.
 */
#include "graph/ops/ops.h"

enum {
    NCI_WORK_MOST = 64 << 20 /* bytes of a chunk that nobody asked for */
};

/* nci_ops_work_grid gives chunks for a task on `node`: those that people see,
 * small ones merged, large ones cut. */
ncg_status nci_ops_work_grid(const nci_node *node, nci_grid *out,
                             ncg_error *err);
/* nci_axis_cut cuts each chunk into even pieces of at most `most`. */
ncg_status nci_axis_cut(const nci_axis *axis, int64_t most, nci_axis *out,
                        ncg_error *err);
/* nci_axis_fit merges neighbours up to `most` positions, or cuts. */
ncg_status nci_axis_fit(const nci_axis *axis, int64_t most, nci_axis *out,
                        ncg_error *err);
/* nci_axis_join puts `n` axes end to end. */
ncg_status nci_axis_join(const nci_axis *const *axes, int64_t n, nci_axis *out,
                         ncg_error *err);

/* nci_reach_array makes [ninputs][NCG_MAX_RANK] reaches of whole axes. */
nci_reach *nci_reach_array(int ninputs, ncg_error *err);
void nci_reach_array_free(nci_reach **reach, int ninputs);
/* nci_reach_alloc makes lists of n entries that follow axis `from`. */
ncg_status nci_reach_alloc(int from, int64_t n, nci_reach *out, ncg_error *err);
/* nci_reach_same: each chunk of our axis `from` needs the same positions. */
ncg_status nci_reach_same(int from, const nci_axis *ours, nci_reach *out,
                          ncg_error *err);
/* nci_reach_same_box does so for all axes of an input that lies as we do. */
ncg_status nci_reach_same_box(const nci_grid *ours, nci_reach *reach,
                              ncg_error *err);

/* nci_shape_text writes "(2, 3)" to `out` and returns it. */
enum { NCI_SHAPE_TEXT = 360 };
char *nci_shape_text(int rank, const int64_t *shape, char *out);
/* nci_ops_check_axis: EINVAL, with the operation's name. */
ncg_status nci_ops_check_axis(const nci_node *node, int axis, const char *what,
                              ncg_error *err);
/* nci_ops_check_numeric: EINVAL for text. */
ncg_status nci_ops_check_numeric(const nci_node *node, const char *what,
                                 ncg_error *err);
/* nci_ops_cast gives the node itself where it has the dtype. */
ncg_status nci_ops_cast(nci_node *node, ncg_dtype dtype, nci_node **out,
                        ncg_error *err);
/* nci_ops_slice takes `count` positions from `start` of one axis. */
ncg_status nci_ops_slice(nci_node *node, int axis, int64_t start, int64_t count,
                         int64_t step, nci_node **out, ncg_error *err);

#endif
