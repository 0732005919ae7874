/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_VALUE_H
#define NCI_CLI_VALUE_H
/* Computed arrays in memory, and their values as text. */
#include <stdio.h>

#include "cli/cli.h"

typedef struct nci_values {
    ncg_dtype dtype;
    int rank;
    int64_t shape[NCG_MAX_RANK];
    int64_t size;
    bool has_missing;
    unsigned char missing[8]; /* of dtype, where has_missing */
    void *data;               /* owned */
} nci_values;

/* nci_values_compute computes `array` into *out, which nci_values_fini
 * releases. */
ncg_status nci_values_compute(ncg_array *array, nci_values *out,
                              ncg_error *err);
void nci_values_fini(nci_values *values);
bool nci_value_is_missing(const nci_values *values, int64_t index);
/* nci_value_text returns the shortest text that reads back as the value; the
 * caller frees it. */
char *nci_value_text(const nci_values *values, int64_t index);
/* nci_value_json prints the value as JSON, missing ones as null. */
void nci_value_json(const nci_values *values, int64_t index, FILE *to);
/* nci_json_text prints a string as JSON. */
void nci_json_text(const char *text, FILE *to);
/* nci_json_stats writes the counters of a run to a file ("-": standard
 * output). */
ncg_status nci_json_stats(const char *path, const ncg_stats *stats,
                          double elapsed, ncg_error *err);

#endif
