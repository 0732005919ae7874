/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_MESSAGE_H
#define NCI_IO_HDF5_MESSAGE_H
/*
 * What the messages of a data set say: shape, type, layout, filters, fill
 * value. Each reader takes the cursor of a body and the name for errors.
 */
#include "base/header.h"
#include "io/hdf5/object.h"

enum { NCI_H5_MAX_RANK = 32 };

typedef struct nci_h5_space {
    bool is_null; /* no value at all */
    int rank;     /* 0: one value */
    uint64_t dims[NCI_H5_MAX_RANK];
    uint64_t max[NCI_H5_MAX_RANK]; /* UINT64_MAX: unlimited */
    uint64_t count;                /* values */
} nci_h5_space;

ncg_status nci_h5_space_read(const nci_h5 *h5, nci_h5_cursor at,
                             const char *name, nci_h5_space *out,
                             ncg_error *err);

typedef enum nci_h5_class {
    NCI_H5_FIXED,
    NCI_H5_FLOAT,
    NCI_H5_TIME,
    NCI_H5_STRING,
    NCI_H5_BITFIELD,
    NCI_H5_OPAQUE,
    NCI_H5_COMPOUND,
    NCI_H5_REFERENCE,
    NCI_H5_ENUM,
    NCI_H5_VLEN,
    NCI_H5_ARRAY,
    NCI_H5_CLASS_COUNT
} nci_h5_class;

typedef struct nci_h5_type {
    nci_h5_class klass;
    uint32_t size;
    bool is_committed;  /* a named type of the file */
    bool is_text;       /* vlen: of characters */
    bool is_big_endian; /* numbers; enum: of its base */
    bool is_plain;      /* numbers: all bits, in an order that we know */
    bool is_object_ref; /* reference, or vlen of it: to an object */
    ncg_dtype dtype;    /* as NetCDF-C shows it; NONE: it has no name there */
} nci_h5_type;

/* nci_h5_type_read reads a datatype; a type that is well-formed but has no
 * dtype is no error. */
ncg_status nci_h5_type_read(const nci_h5 *h5, nci_h5_cursor at,
                            const char *name, nci_h5_type *out, ncg_error *err);

typedef enum nci_h5_layout_class {
    NCI_H5_COMPACT,
    NCI_H5_CONTIGUOUS,
    NCI_H5_CHUNKED,
    NCI_H5_VIRTUAL
} nci_h5_layout_class;

typedef struct nci_h5_layout {
    nci_h5_layout_class klass;
    uint64_t address; /* relative; of data or of the chunk index */
    uint64_t nbytes;  /* contiguous (0: by shape), compact */
    bool has_nbytes;
    int rank; /* chunked: of the chunks */
    uint64_t chunk[NCI_H5_MAX_RANK];
    nci_chunk_index index;
    bool edge_unfiltered;
    uint64_t single_nbytes; /* single chunk, filtered */
    uint32_t single_mask;
    bool single_filtered;
} nci_h5_layout;

/* nci_h5_layout_read: address of compact data is that of the bytes inside the
 * header. Errors: EUNSUPPORTED: version or chunk index that is not known. */
ncg_status nci_h5_layout_read(const nci_h5 *h5, const nci_h5_message *message,
                              const char *name, nci_h5_layout *out,
                              ncg_error *err);

/* nci_h5_filters_read fills out->filters. *fits is false when there are more
 * filters or parameters than a storage holds; then nfilters is 0. */
ncg_status nci_h5_filters_read(nci_h5_cursor at, const char *name,
                               nci_storage *out, bool *fits, ncg_error *err);

/* nci_h5_fill_read stores the fill value of a type that fits into
 * storage->fill, in host order; otherwise has_fill stays false. */
ncg_status nci_h5_fill_read(nci_h5_cursor at, bool is_old,
                            const nci_h5_type *type, const char *name,
                            nci_storage *out, ncg_error *err);

#endif
