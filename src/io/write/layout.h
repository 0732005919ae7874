/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_LAYOUT_H
#define NCI_IO_WRITE_LAYOUT_H
/*
 * What the writer decides before it touches a library: the format, and for
 * each variable the storage, the fill value and the grid of chunks. Pure.
 */
#include "base/header.h"

typedef struct nci_write_format {
    const char *name;
    int mode;          /* of nc_create */
    bool is_hdf5;      /* chunks, filters */
    bool has_groups;   /* and strings, several unlimited dimensions */
    bool has_integers; /* unsigned and 64-bit ones */
} nci_write_format;

typedef struct nci_write_var {
    const char *name; /* of the writer's header */
    ncg_dtype dtype;
    size_t elem;
    int rank;
    int64_t shape[NCG_MAX_RANK];
    int64_t chunk[NCG_MAX_RANK]; /* clipped to the shape of fixed dims */
    int64_t nchunks[NCG_MAX_RANK];
    int64_t chunk_values;
    bool is_chunked, is_deflated, is_shuffled, is_unlimited;
    bool has_fill; /* stated by the header, and not NetCDF's default */
    uint8_t fill[16];
    int64_t next, total; /* chunks put, chunks in all */
    int group, id;       /* NetCDF-C's */
    int64_t dataset;     /* HDF5's, -1: not open */
} nci_write_var;

/* nci_write_format_find returns the format of a name (NULL: nc4). */
ncg_status nci_write_format_find(const char *name, const nci_write_format **out,
                                 ncg_error *err);
/* nci_write_check refuses what the format cannot hold: dtypes, groups,
 * unlimited dimensions. */
ncg_status nci_write_check(const nci_header *header,
                           const nci_write_format *format, ncg_error *err);
/* nci_write_var_init plans the storage of one variable. */
ncg_status nci_write_var_init(const nci_header *header, int var,
                              const nci_write_format *format, int deflate,
                              nci_write_var *out, ncg_error *err);
/* nci_write_dim_is_unlimited: NetCDF has no fixed dimension of size 0. */
bool nci_write_dim_is_unlimited(const nci_dim *dim);

#endif
