/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_HISTORY_H
#define NCI_CLI_HISTORY_H

/* nci_history_line returns "TIME ncgraph VERSION: COMMAND", the line for the
 * output's history attribute, with words quoted for a shell. TIME is now in
 * UTC, or SOURCE_DATE_EPOCH where that is set. The caller frees it. */
char *nci_history_line(int argc, char **argv);

#endif
