/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_IO_H
#define NCI_IO_IO_H
/*
 * How bytes come in. A file is opened (probed and its header read), after that
 * any thread reads tiles of its variables: raw bytes by pread, filters undone
 * here, no library lock. What our readers do not know goes through NetCDF-C
 * under one mutex (library.h), with the same answers.
 *
 * Drivers are asked in turn: classic, hdf5, netcdf. A driver that meets a
 * structure it does not know answers NCG_EUNSUPPORTED and the next one is
 * asked; ECORRUPT, EIO and ENOTFOUND end the search (a damaged HDF5 structure
 * is an error that names file, object and offset, never a wrong number).
 *
 * Open descriptors are kept in a least-recently-used cache (fd_cache.h), so
 * that 10,000 files work under `ulimit -n 64`.
 */
#include "base/buf.h"
#include "base/header.h"
#include "base/tile.h"

typedef struct nci_io nci_io;
typedef struct nci_file nci_file;
typedef struct nci_scratch nci_scratch;

typedef struct nci_io_options {
    bool no_checksum;   /* do not verify fletcher32 */
    bool force_library; /* only the netcdf driver (tests) */
} nci_io_options;

typedef struct nci_io_stats {
    int64_t headers_direct, headers_library;
    int64_t headers_adopted; /* of them, that other processes read */
    int64_t chunks_direct, chunks_library;
    int64_t bytes_disk, bytes_decoded;
} nci_io_stats;

ncg_status nci_io_create(const nci_io_options *options, nci_io **out,
                         ncg_error *err);
void nci_io_destroy(nci_io **io);
void nci_io_get_stats(const nci_io *io, nci_io_stats *out);
/* nci_io_count adds what other processes read for this one. */
void nci_io_count(nci_io *io, const nci_io_stats *more);

/* nci_file_open probes `path` and reads its header. Any thread, in parallel.
 * The file holds no descriptor of its own.
 * Errors: ENOTFOUND, EIO (with errno), ECORRUPT (truncated, damaged: offset
 * and object named), EIO also for what is not a NetCDF or HDF5 file. */
ncg_status nci_file_open(nci_io *io, const char *path, nci_file **out,
                         ncg_error *err);
/* nci_file_adopt opens a file whose header another process read; takes it.
 * EUNSUPPORTED: open it by nci_file_open: it is another file here, or goes
 * through a library. */
ncg_status nci_file_adopt(nci_io *io, nci_header *header_take, nci_file **out,
                          ncg_error *err);
nci_file *nci_file_retain(nci_file *file);
void nci_file_release(nci_file **file);
const nci_header *nci_file_header(const nci_file *file);

/* nci_file_load_index reads the chunk table of a variable, once; later calls
 * return at once. Any thread. Tiles load it by themselves. */
ncg_status nci_file_load_index(nci_file *file, int var, ncg_error *err);
/* nci_file_stored_bytes sums what the chunks of `box` take on disk (loads the
 * index); -1 where unknown. */
ncg_status nci_file_stored_bytes(nci_file *file, int var, const nci_box *box,
                                 int64_t *out, ncg_error *err);

/* nci_scratch_create makes one thread's buffers and decompressors; they grow
 * as needed and are reused between tiles. */
ncg_status nci_scratch_create(nci_scratch **out, ncg_error *err);
void nci_scratch_destroy(nci_scratch **scratch);
/* nci_scratch_room gives room for a tile that is not read from a file; holds
 * until the next call, or tile, with this scratch. */
ncg_status nci_scratch_room(nci_scratch *scratch, size_t nbytes, uint8_t **out,
                            ncg_error *err);
/* nci_scratch_need bounds the bytes that reading tiles of `var` makes a
 * scratch hold: raw chunk + decoded chunk. */
int64_t nci_scratch_need(const nci_var *var);

/* nci_file_read_tile reads storage chunk `index` (index[d] counts chunks of
 * storage.chunk[d] along axis d). out->data points into `scratch` and holds
 * until the next call with it. A chunk that was never written gives
 * data == NULL and the fill value.
 * Errors name file, variable and chunk: EIO, ECORRUPT (sizes, checksum,
 * stream), EUNSUPPORTED (filter id and name). */
ncg_status nci_file_read_tile(nci_file *file, int var, const int64_t *index,
                              nci_scratch *scratch, nci_tile *out,
                              ncg_error *err);

/* nci_has_parts: data without storage chunks and filters. Its chunks are only
 * small runs of bytes (storage.chunk); reading several at a time costs nothing
 * but their bytes. nci_file_read_part reads any box of such a variable, in
 * file positions, as a tile; NCI_PART_BYTES or one chunk are not exceeded by
 * the caller. */
enum { NCI_PART_BYTES = 256 << 10 };
bool nci_has_parts(const nci_var *var);
ncg_status nci_file_read_part(nci_file *file, int var, const nci_box *box,
                              nci_scratch *scratch, nci_tile *out,
                              ncg_error *err);
/* nci_tile_bytes bounds the decoded bytes of a tile or part. */
int64_t nci_tile_bytes(const nci_var *var);

/* nci_scratch_keep makes the data of the last tile hold beyond the next call,
 * until another tile is kept in the same slot (0 .. NCI_SCRATCH_KEPT - 1);
 * false: it does not. The caller counts the bytes: nci_scratch_need is without
 * them. */
enum { NCI_SCRATCH_KEPT = 8 };
bool nci_scratch_keep(nci_scratch *scratch, const nci_tile *tile, int slot);

/* nci_file_read_box reads a whole box as a row-major array in host order, raw
 * values (no unpacking): for coordinates and small variables. STRING gives
 * interned pointers. `out` has room for the box. */
ncg_status nci_file_read_box(nci_file *file, int var, const nci_box *box,
                             void *out, ncg_error *err);

#endif
