/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ncgraph info INPUT... [: VERB ...]`: list a data set, or what steps make of
 * it, without reading data.
 */
#include "cli/cmd.h"
#include "cli/console.h"
#include "cli/session.h"

#include <stdio.h>

ncg_status nci_cmd_info(const nci_command *cmd, ncg_error *err)
{
    nci_pipeline p = {0};
    nci_session s;
    char *text = NULL;
    ncg_status st = nci_session_start(&s, cmd->options, err);
    if (!st)
        st = nci_pipeline_parse(cmd->words, cmd->first, &p, err);
    if (!st && cmd->options->output)
        st = nci_usage(err, "info prints a listing and takes no -o");
    if (!st && cmd->options->json)
        st = nci_usage(err, "--json goes with -o -");
    if (!st && !p.ninputs)
        st = nci_usage(err, "info needs files: ncgraph info INPUT...");
    if (!st)
        st = nci_session_open(&s, &p, err);
    if (!st)
        st = ncg_dataset_describe(s.result, &text, err);
    if (!st && (fputs(text, stdout) == EOF || fflush(stdout)))
        st = nci_refuse(err, NCG_EOUTPUT, "cannot write to standard output");
    ncg_free(text);
    nci_console_finish();
    nci_session_close(&s);
    nci_pipeline_fini(&p);
    return st;
}
