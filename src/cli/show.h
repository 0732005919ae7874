/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_SHOW_H
#define NCI_CLI_SHOW_H
/* -o -: small results on standard output. */
#include "cli/cli.h"

/* nci_show computes every data variable and prints a table, or with `json`
 * {"variable": value or nested list}.
 * Errors: EINVAL: more than 10,000 values; all errors of computing. */
ncg_status nci_show(ncg_dataset *ds, bool json, ncg_error *err);

#endif
