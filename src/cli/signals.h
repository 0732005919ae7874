/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_SIGNALS_H
#define NCI_CLI_SIGNALS_H
/* SIGINT, SIGTERM and SIGHUP: cancel what is being written, or end at once. */
#include "cli/cli.h"

void nci_signals_install(void);
/* nci_signals_guard names the context whose computation the first signal
 * cancels, so that its temporary file is removed; NULL: signals end the
 * command at once. */
void nci_signals_guard(ncg_context *ctx);
/* nci_signals_caught returns the signal that arrived, or 0. */
int nci_signals_caught(void);
/* nci_signals_repeat cancels again: the signal may have come in the moment
 * before the computation began. Called from the progress callback. */
void nci_signals_repeat(void);

#endif
