/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_DEFINE_H
#define NCI_IO_WRITE_DEFINE_H
/*
 * Defining an output file through NetCDF-C: groups, dimensions, variables,
 * attributes. The caller holds the library's mutex.
 */
#include "io/write/layout.h"

typedef struct nci_write_definition {
    const nci_header *header;
    const nci_write_format *format;
    int deflate;
    const char *path; /* for messages */
    int ncid;         /* of the root group */
    nci_write_var *vars;
} nci_write_definition;

/* nci_define_file defines everything and sets `group` and `id` of each
 * variable. */
ncg_status nci_define_file(const nci_write_definition *def, ncg_error *err);
/* nci_define_attrs puts the attributes that NetCDF-C does not make itself. */
ncg_status nci_define_attrs(const nci_write_definition *def,
                            const nci_attrs *attrs, int group, int varid,
                            const char *owner, ncg_error *err);
/* nci_nc_type returns NetCDF-C's type of a dtype. */
int nci_nc_type(ncg_dtype dtype);
/* nci_fail_write reports a code of NetCDF-C about the output file; of HDF5's
 * errors it names the cause in the operating system, where there is one. */
ncg_status nci_fail_write(ncg_error *err, int code, const char *path,
                          const char *what);

#endif
