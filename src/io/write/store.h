/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_STORE_H
#define NCI_IO_WRITE_STORE_H
/*
 * The open output file while data go into it: a NetCDF-C id for the classic
 * formats, an HDF5 file (defined by NetCDF-C, closed, opened again) for the
 * others, because only HDF5 takes chunks that are compressed already. The
 * caller holds the library's mutex.
 */
#include "io/write/define.h"

typedef struct nci_write_store {
    const char *path; /* for messages */
    const char *temp; /* the file itself */
    bool is_hdf5;
    int ncid;     /* NetCDF-C's, -1: not open */
    int64_t file; /* HDF5's, -1: not open */
    nci_write_var *vars;
    size_t nvars;
} nci_write_store;

/* nci_store_define creates and defines the file, then opens it for data.
 * On failure call nci_store_close all the same. */
ncg_status nci_store_define(nci_write_store *store, const nci_header *header,
                            const nci_write_format *format, int deflate,
                            ncg_error *err);
/* nci_store_put_box writes row-major values of a box. */
ncg_status nci_store_put_box(nci_write_store *store, nci_write_var *var,
                             const int64_t *start, const int64_t *count,
                             const void *data, ncg_error *err);
/* nci_store_put_chunk writes the encoded chunk that begins at `start`. */
ncg_status nci_store_put_chunk(nci_write_store *store, nci_write_var *var,
                               const int64_t *start, const void *data,
                               size_t nbytes, ncg_error *err);
/* nci_store_close closes what is open; data may meet a full disk only here. */
ncg_status nci_store_close(nci_write_store *store, ncg_error *err);

#endif
