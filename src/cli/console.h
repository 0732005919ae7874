/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_CONSOLE_H
#define NCI_CLI_CONSOLE_H
/*
 * What the command says on standard error: notes, progress, the last line.
 * The callbacks may come from any thread; a lock keeps lines whole.
 */
#include "cli/cli.h"

/* nci_console_init sets what is shown; called once, before any other. */
void nci_console_init(const nci_options *options);
/* nci_console_error prints "ncgraph: message". */
void nci_console_error(const char *message);
/* nci_console_say prints a line under -v. */
void nci_console_say(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* nci_console_note is the library's note callback; `payload` is a pointer to
 * the context pointer, which --strict cancels at the first note. */
void nci_console_note(const char *note, void *payload);
/* nci_console_warn prints a note of the command itself, unless -q. */
void nci_console_warn(const char *note);
/* nci_console_strict fails with the first note under --strict. */
ncg_status nci_console_strict(ncg_error *err);
/* nci_console_progress is the library's progress callback, NULL payload. */
void nci_console_progress(const ncg_progress *progress, void *payload);
/* nci_console_finish removes the bar. */
void nci_console_finish(void);
/* nci_console_summary prints the last line: what was read, in which time. */
void nci_console_summary(const ncg_stats *stats, double seconds);

#endif
