/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_DRIVER_H
#define NCI_IO_DRIVER_H
/* What a file format provides; see io.h for the rules. */
#include "io/io.h"

/* Bytes of an open file with its length; all reads are checked against it. */
typedef struct nci_bytes nci_bytes;

typedef struct nci_driver {
    const char *name;
    /* inspect fills an empty header (path, size and mtime are set) and may
     * leave private data of its own in *priv, which `close` releases.
     * EUNSUPPORTED: not mine, ask the next driver. */
    ncg_status (*inspect)(nci_io *io, nci_bytes *bytes, nci_header *header,
                          void **priv, ncg_error *err);
    /* load_index reads what read_tile of `var` needs; called once a variable
     * (the caller locks). NULL: nothing to load. */
    ncg_status (*load_index)(nci_file *file, int var, ncg_error *err);
    ncg_status (*read_tile)(nci_file *file, int var, const int64_t *index,
                            nci_scratch *scratch, nci_tile *out,
                            ncg_error *err);
    void (*close)(void *priv);
    /* read_part reads any box where nci_has_parts. */
    ncg_status (*read_part)(nci_file *file, int var, const nci_box *box,
                            nci_scratch *scratch, nci_tile *out,
                            ncg_error *err);
} nci_driver;

extern const nci_driver nci_driver_classic;
extern const nci_driver nci_driver_hdf5;
extern const nci_driver nci_driver_netcdf;

/* nci_bytes_read reads exactly `nbytes` at `offset` into `out`. The first
 * 64 KiB of a file are read once and served from memory.
 * Errors: ECORRUPT when that reaches beyond the file's end ("truncated"). */
ncg_status nci_bytes_read(nci_bytes *bytes, uint64_t offset, size_t nbytes,
                          void *out, ncg_error *err);
uint64_t nci_bytes_size(const nci_bytes *bytes);

/* One entry of a chunk table. */
typedef struct nci_chunk {
    uint64_t address; /* absolute; NCI_NO_ADDRESS: never written */
    uint32_t nbytes;  /* stored bytes */
    uint32_t mask;    /* bit i: filter i was skipped */
} nci_chunk;

/* The chunk table of one variable: an entry for every chunk of the grid that
 * covers file_shape, in row-major order. */
typedef struct nci_chunk_table {
    int rank;
    int64_t count[NCG_MAX_RANK]; /* chunks along each axis */
    int64_t nchunks;
    nci_chunk *chunks;
} nci_chunk_table;

/* nci_hdf5_inspect fills the header of an HDF5 file from its own structures.
 * EUNSUPPORTED names what is not known; the library is asked then. */
ncg_status nci_hdf5_inspect(nci_bytes *bytes, nci_header *header,
                            ncg_error *err);
/* nci_hdf5_chunk_table walks the chunk index that `var->storage` names.
 * Addresses in the table are absolute and checked against the file's length.
 * EUNSUPPORTED: index of a kind that is not known. */
ncg_status nci_hdf5_chunk_table(nci_bytes *bytes, const nci_var *var,
                                nci_chunk_table *out, ncg_error *err);
void nci_chunk_table_fini(nci_chunk_table *table);

/* nci_bytes_open and _close: a byte source over a path (through the cache of
 * descriptors), or over memory for fuzzers and tests. */
ncg_status nci_bytes_open(nci_io *io, const char *path, nci_bytes **out,
                          ncg_error *err);
/* nci_bytes_open_later reads nothing yet, but knows size and time. */
ncg_status nci_bytes_open_later(nci_io *io, const char *path, nci_bytes **out,
                                ncg_error *err);
ncg_status nci_bytes_from_memory(const void *memory, size_t nbytes,
                                 nci_bytes **out, ncg_error *err);
void nci_bytes_close(nci_bytes **bytes);

#endif
