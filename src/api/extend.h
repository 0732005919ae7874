/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_EXTEND_H
#define NCI_API_EXTEND_H
/* Saving into a file that is there: appending, and writing regions. */
#include "api/datasets.h"
#include "io/io.h"

/* A data set on its way into a file. */
typedef struct nci_extending {
    ncg_context *ctx;
    const nci_model *model;
    const char *path;
    ncg_dataset *old; /* what the file holds now */
    nci_file *file;
    const nci_header *header;
    int64_t *starts; /* by dimension of the model; -1: written whole */
    bool is_append;
} nci_extending;

/* nci_dataset_extend is ncg_dataset_save with `append` or `region`. */
ncg_status nci_dataset_extend(ncg_dataset *ds, const char *path,
                              const ncg_save_options *options, ncg_error *err);

/* ---- extend_check.c ------------------------------------------------------ */

/* nci_extend_find_starts reads the options. */
ncg_status nci_extend_find_starts(nci_extending *e,
                                  const ncg_save_options *options,
                                  ncg_error *err);
/* nci_extend_check: EMISMATCH where data set and file do not fit together. */
ncg_status nci_extend_check(const nci_extending *e, ncg_error *err);
/* nci_extend_writes tells whether a variable lies along what is extended. */
bool nci_extend_writes(const nci_extending *e, const nci_variable *var);

#endif
