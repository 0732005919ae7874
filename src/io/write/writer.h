/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_WRITER_H
#define NCI_IO_WRITE_WRITER_H
/*
 * Writing one NetCDF file. NetCDF-C defines it (under the library's mutex);
 * compressed chunks are made by any thread (nci_writer_encode, no lock) and
 * put into the file in index order by H5Dwrite_chunk (nci_writer_put), so that
 * equal results are equal files. The file grows under a temporary name in the
 * target's directory and gets its name at the end: fsync, rename.
 */
#include "base/buf.h"
#include "base/header.h"

typedef struct nci_writer nci_writer;

typedef struct nci_write_options {
    const char *format; /* nc4 nc4c nc3 nc64 nc5 */
    int deflate;        /* 0: none, 1..9 */
    bool overwrite;
} nci_write_options;

/* nci_writer_create checks that `path` can be written (EEXISTS without
 * overwrite, EOUTPUT for a directory that cannot) and defines the file from
 * `header`: dims, vars (dtype, attributes, storage.chunk as chunk shape;
 * storage.fill as fill value when has_fill), global attributes. Each variable
 * must then be written whole. A dtype the format lacks (int64 in nc3) is
 * EUNSUPPORTED and names variable, dtype and the format to use.
 * In two steps, of which the second takes the libraries' time and may run
 * beside the first values' way: nci_writer_begin makes all checks, then
 * nci_writer_define, from the same header, must end before anything is put. */
ncg_status nci_writer_begin(const char *path, const nci_header *header,
                            const nci_write_options *options, nci_writer **out,
                            ncg_error *err);
ncg_status nci_writer_define(nci_writer *writer, const nci_header *header,
                             ncg_error *err);
ncg_status nci_writer_create(const char *path, const nci_header *header,
                             const nci_write_options *options, nci_writer **out,
                             ncg_error *err);
/* nci_writer_put_var writes a whole variable from memory (small ones:
 * coordinates, strings), in any order. Data of char variables: bytes; of
 * STRING: interned pointers. */
ncg_status nci_writer_put_var(nci_writer *writer, int var, const void *data,
                              ncg_error *err);
/* nci_writer_is_chunked tells whether `var` takes encoded chunks. */
bool nci_writer_is_chunked(const nci_writer *writer, int var);
/* nci_writer_encode turns the row-major data of one chunk (`count` values an
 * axis: less than storage.chunk at the edges) into what goes into the file:
 * padded to the chunk's shape with the fill value, shuffled, deflated by
 * libdeflate; for variables that take no chunks a plain copy. Any thread. */
ncg_status nci_writer_encode(const nci_writer *writer, int var,
                             const int64_t *count, const void *data,
                             nci_buf **out, ncg_error *err);
/* nci_writer_encoding tells how; nci_encode_chunk does it in any process. */
struct nci_encoding;
ncg_status nci_writer_encoding(const nci_writer *writer, int var,
                               struct nci_encoding *out, ncg_error *err);
/* nci_writer_put appends chunk `index` (chunk indices) of `var`. The caller
 * serialises; chunks come in row-major index order within a variable. */
ncg_status nci_writer_put(nci_writer *writer, int var, const int64_t *index,
                          const nci_buf *encoded, ncg_error *err);
/* nci_writer_finish closes, synchronises and renames; *writer becomes NULL on
 * success. Errors: EOUTPUT (disk full and so on) names the path. */
ncg_status nci_writer_finish(nci_writer **writer, ncg_error *err);
/* nci_writer_abandon closes and removes the temporary file; safe at any time,
 * NULL accepted. */
void nci_writer_abandon(nci_writer **writer);
/* nci_writer_remove_temporaries unlinks the temporary files of all writers of
 * the process; async-signal-safe, for a second Ctrl-C. */
void nci_writer_remove_temporaries(void);
int64_t nci_writer_bytes(const nci_writer *writer); /* encoded bytes so far */

#endif
