/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_BTREE2_H
#define NCI_IO_HDF5_BTREE2_H
/* Version 2 B-trees: the index of dense links, attributes, huge objects and of
 * chunks with more than one unlimited dimension. */
#include "io/hdf5/reader.h"

typedef enum nci_h5_record_type {
    NCI_H5_RECORD_HUGE = 1,
    NCI_H5_RECORD_HUGE_FILTERED = 2,
    NCI_H5_RECORD_LINK_NAME = 5,
    NCI_H5_RECORD_ATTRIBUTE_NAME = 8,
    NCI_H5_RECORD_CHUNK = 10,
    NCI_H5_RECORD_CHUNK_FILTERED = 11
} nci_h5_record_type;

/* nci_h5_record_fn sees one record; a status other than OK ends the walk. */
typedef ncg_status (*nci_h5_record_fn)(nci_h5_cursor record, void *payload,
                                       ncg_error *err);

/* nci_h5_btree2_walk visits all records in order. The tree's type must be one
 * of `type` and `other`; *found (may be NULL) tells which, before the first
 * visit. */
ncg_status nci_h5_btree2_walk(nci_h5 *h5, uint64_t address,
                              nci_h5_record_type type, nci_h5_record_type other,
                              nci_h5_record_type *found, const char *name,
                              nci_h5_record_fn visit, void *payload,
                              ncg_error *err);

#endif
