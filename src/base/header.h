/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_HEADER_H
#define NCI_BASE_HEADER_H
/*
 * What a file says about itself, as plain structs: io fills them, dataset
 * reads them, the writer takes them. One header owns all its strings and
 * arrays; nci_header_free releases everything.
 *
 * Groups are flattened: a variable of group /grp1 is named "/grp1/T", one of
 * the root group plainly "T"; dimensions likewise.
 */
#include "base/error.h"

typedef enum nci_format {
    NCI_FORMAT_UNKNOWN,
    NCI_FORMAT_CDF1,
    NCI_FORMAT_CDF2,
    NCI_FORMAT_CDF5,
    NCI_FORMAT_HDF5, /* NetCDF-4 and plain HDF5 */
    NCI_FORMAT_OTHER /* whatever else NetCDF-C opens */
} nci_format;

typedef struct nci_attr {
    char *name;
    ncg_dtype dtype; /* CHAR: text of `count` bytes; STRING: interned */
    int64_t count;
    void *values; /* host order; text has a terminator after `count` bytes */
    bool is_unsupported; /* user-defined type: kept by name only, no values */
} nci_attr;

typedef struct nci_attrs {
    nci_attr *items;
    size_t count, capacity;
} nci_attrs;

typedef struct nci_dim {
    char *name;
    int64_t size;
    bool is_unlimited;
} nci_dim;

enum { NCI_MAX_FILTERS = 8, NCI_MAX_FILTER_PARAMS = 20 };

typedef enum nci_filter_id {
    NCI_FILTER_DEFLATE = 1,
    NCI_FILTER_SHUFFLE = 2,
    NCI_FILTER_FLETCHER32 = 3,
    NCI_FILTER_SZIP = 4,
    NCI_FILTER_NBIT = 5,
    NCI_FILTER_SCALEOFFSET = 6,
    NCI_FILTER_BLOSC = 32001,
    NCI_FILTER_LZ4 = 32004,
    NCI_FILTER_ZSTD = 32015
} nci_filter_id;

typedef struct nci_filter {
    uint32_t id;
    bool is_optional;
    int nparams;
    uint32_t params[NCI_MAX_FILTER_PARAMS];
} nci_filter;

typedef enum nci_layout {
    NCI_LAYOUT_CONTIGUOUS, /* one run of bytes at `address` */
    NCI_LAYOUT_COMPACT,    /* bytes inside the header, at `address` */
    NCI_LAYOUT_CHUNKED,    /* storage chunks found through an index */
    NCI_LAYOUT_RECORD,     /* classic record variable: begin + r * recsize */
    NCI_LAYOUT_LIBRARY     /* not ours to read: through NetCDF-C */
} nci_layout;

typedef enum nci_chunk_index {
    NCI_INDEX_NONE,
    NCI_INDEX_BTREE1,
    NCI_INDEX_SINGLE,
    NCI_INDEX_IMPLICIT,
    NCI_INDEX_FIXED_ARRAY,
    NCI_INDEX_EXTENSIBLE_ARRAY,
    NCI_INDEX_BTREE2
} nci_chunk_index;

#define NCI_NO_ADDRESS UINT64_MAX

/* Where the bytes of one variable lie. `chunk` is set for every layout: for
 * those without storage chunks it is the box that one tile reads. */
typedef struct nci_storage {
    nci_layout layout;
    int64_t chunk[NCG_MAX_RANK];         /* never 0; at least 1 */
    nci_filter filters[NCI_MAX_FILTERS]; /* in the order of writing */
    int nfilters;
    bool is_big_endian;
    uint32_t elem_size; /* bytes of one value in the file */
    uint64_t address; /* absolute in the file; NCI_NO_ADDRESS: never written */
    uint64_t nbytes;  /* contiguous, compact: bytes stored */
    uint64_t record_size; /* classic: bytes from one record to the next */
    nci_chunk_index index;
    uint8_t index_params[32];   /* of the index; meaning is io's own */
    uint64_t index_chunk_bytes; /* single chunk: filtered size, and so on */
    uint32_t index_filter_mask;
    bool edge_unfiltered;             /* partial edge chunks carry no filters */
    int64_t file_shape[NCG_MAX_RANK]; /* as stored; may be less than the
                                         dimension's size (unlimited) */
    bool has_fill;
    uint8_t fill[16]; /* value of what was never written, host order */
} nci_storage;

typedef enum nci_var_class {
    NCI_VAR_PLAIN, /* numbers, char, string */
    NCI_VAR_ENUM,  /* values of the base integer dtype */
    NCI_VAR_COMPOUND,
    NCI_VAR_OPAQUE,
    NCI_VAR_VLEN,
    NCI_VAR_OTHER
} nci_var_class;

typedef struct nci_var {
    char *name;
    ncg_dtype dtype; /* as stored; NONE where it has no dtype of ours */
    nci_var_class klass;
    int rank;
    int dims[NCG_MAX_RANK]; /* indices into the header's dims */
    nci_attrs attrs;
    nci_storage storage;
} nci_var;

typedef struct nci_header {
    char *path;
    nci_format format;
    int64_t size, mtime_ns; /* of the file */
    bool by_library;        /* read through NetCDF-C, not by our reader */
    nci_dim *dims;
    size_t ndims, dims_capacity;
    nci_var *vars;
    size_t nvars, vars_capacity;
    nci_attrs attrs; /* global attributes, those of the root group */
} nci_header;

/* nci_header_create makes an empty header; nci_header_free releases it and
 * sets *header to NULL. */
nci_header *nci_header_create(const char *path);
void nci_header_free(nci_header **header);
/* nci_header_add_dim and _add_var return the new item, or NULL when memory is
 * out; the pointer holds until the next addition. */
nci_dim *nci_header_add_dim(nci_header *header, const char *name, int64_t size,
                            bool is_unlimited);
nci_var *nci_header_add_var(nci_header *header, const char *name,
                            ncg_dtype dtype, int rank, const int *dims);
int nci_header_find_dim(const nci_header *header, const char *name);
int nci_header_find_var(const nci_header *header, const char *name);
/* nci_var_shape fills shape[rank] from the header's dimensions. */
void nci_var_shape(const nci_header *header, const nci_var *var,
                   int64_t *shape);

/* nci_attrs_put sets an attribute, replacing one of that name in its place;
 * `values` are copied (STRING: interned pointers). False: memory is out. */
bool nci_attrs_put(nci_attrs *attrs, const char *name, ncg_dtype dtype,
                   int64_t count, const void *values);
bool nci_attrs_put_text(nci_attrs *attrs, const char *name, const char *text);
void nci_attrs_remove(nci_attrs *attrs, const char *name);
const nci_attr *nci_attrs_find(const nci_attrs *attrs, const char *name);
/* nci_attrs_text returns a text attribute (CHAR, or one STRING), or NULL. */
const char *nci_attrs_text(const nci_attrs *attrs, const char *name);
bool nci_attrs_copy(const nci_attrs *from, nci_attrs *to);
void nci_attrs_fini(nci_attrs *attrs);

#endif
