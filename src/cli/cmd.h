/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_CMD_H
#define NCI_CLI_CMD_H
/*
 * The commands: main.c has the table of those with a name, everything else is
 * `run`. A new command is one file cmd_NAME.c, one line here, one in the table.
 */
#include "cli/opt.h"

typedef struct nci_command {
    const nci_options *options;
    const nci_words *words;
    size_t first; /* index of the first word after the command's name */
    int argc;
    char **argv;
} nci_command;

typedef ncg_status nci_command_fn(const nci_command *cmd, ncg_error *err);

nci_command_fn nci_cmd_run, nci_cmd_info, nci_cmd_verbs, nci_cmd_help;
nci_command_fn nci_cmd_cluster, nci_cmd_worker;

#endif
