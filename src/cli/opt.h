/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_OPT_H
#define NCI_CLI_OPT_H
/* Options of the command: they may stand anywhere among the other words. */
#include <stdio.h>

#include "cli/cli.h"

typedef struct nci_words {
    char **items; /* pointers into argv; the array is owned */
    size_t n;
} nci_words;

/* nci_opt_parse sorts argv into options and the words that are none; NCGRAPH_
 * THREADS and NCGRAPH_MEM count where no option says otherwise. What it set is
 * released by nci_opt_fini, also after a failure. */
ncg_status nci_opt_parse(int argc, char **argv, nci_options *options,
                         nci_words *words, ncg_error *err);
void nci_opt_fini(nci_options *options, nci_words *words);
/* nci_opt_list prints the options with their one-line help. */
void nci_opt_list(FILE *to);

#endif
