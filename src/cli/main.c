/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ncgraph command: options, then the command by its first word. Prints the
 * error of whatever failed and turns its status into the exit code.
 */
#include "cli/cmd.h"
#include "cli/console.h"
#include "cli/signals.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file with one of these names is written ./info and so on. */
static const struct {
    const char *name;
    nci_command_fn *run;
} commands[] = {
    {"info", nci_cmd_info},
    {"verbs", nci_cmd_verbs},
    {"help", nci_cmd_help},
    {"cluster", nci_cmd_cluster},
    {"worker", nci_cmd_worker},
};

/* Finds the command and moves cmd->first behind its name. */
static nci_command_fn *find_command(nci_command *cmd)
{
    const nci_words *w = cmd->words;
    for (size_t i = 0; w->n && i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(w->items[0], commands[i].name)) {
            cmd->first = 1;
            return commands[i].run;
        }
    return nci_cmd_run;
}

/* --help after files is about the command; after a verb, about the verb. */
static ncg_status show_help(nci_command *cmd, ncg_error *err)
{
    const nci_words *w = cmd->words;
    bool has_step = false;
    char *step = NULL;
    for (size_t i = 0; i < w->n; i++)
        has_step |= !strcmp(w->items[i], ":");
    if (!has_step && w->n > cmd->first) {
        const char *word = w->items[cmd->first];
        if (!nci_verb_find(word)) {
            ncg_error ignored;
            nci_alias_expand(word, &step, &ignored);
            if (!step)
                cmd->first = w->n;
        }
    }
    free(step);
    return nci_cmd_help(cmd, err);
}

static ncg_status dispatch(nci_command *cmd, ncg_error *err)
{
    nci_command_fn *run = find_command(cmd);
    if (cmd->options->version) {
        printf("ncgraph %s\n", ncg_version());
        return NCG_OK;
    }
    if (cmd->options->help)
        return run == nci_cmd_help ? nci_cmd_help(cmd, err)
                                   : show_help(cmd, err);
    return run(cmd, err);
}

/* mpirun takes a lone ":" for itself: "::" says the same. */
static void accept_double_colons(int argc, char **argv)
{
    static char colon[] = ":";
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "::"))
            argv[i] = colon;
}

int main(int argc, char **argv)
{
    nci_options options;
    nci_words words;
    ncg_error err = {NCG_OK, 0, -1, ""};
    nci_signals_install();
    accept_double_colons(argc, argv);
    ncg_status st = nci_opt_parse(argc, argv, &options, &words, &err);
    nci_console_init(&options);
    if (!st) {
        nci_command cmd = {&options, &words, 0, argc, argv};
        st = dispatch(&cmd, &err);
    }
    nci_opt_fini(&options, &words);
    int signal_number = nci_signals_caught();
    if (st && signal_number) {
        nci_console_error("interrupted, nothing was written");
        return 128 + signal_number;
    }
    if (st && st != NCG_WORKER_DONE)
        nci_console_error(err.message);
    return st ? ncg_status_exit_code(st) : 0;
}
