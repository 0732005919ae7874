/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_GRAPH_H
#define NCI_CLI_GRAPH_H
/* --graph: a picture of the task graph, drawn by Graphviz. */
#include "cli/cli.h"

/* nci_graph_write draws `dot` to `path` (.svg .png .pdf by `dot -T`; .dot and
 * .gv take the text as it is). Without Graphviz the text goes to path.dot and
 * a note says so. Errors: EOUTPUT; EINVAL as nci_graph_check. */
ncg_status nci_graph_write(const char *path, const char *dot, ncg_error *err);
/* nci_graph_check accepts names with one of these endings. */
ncg_status nci_graph_check(const char *path, ncg_error *err);

#endif
