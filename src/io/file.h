/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_FILE_H
#define NCI_IO_FILE_H
/* What the files of this folder share; not for other layers. */
#include <pthread.h>
#include <stdatomic.h>

#include "io/driver.h"
#include "io/fd_cache.h"

typedef struct nci_ncid_cache nci_ncid_cache;

struct nci_io {
    _Atomic int refs; /* the owner's, and one of each open file */
    nci_io_options options;
    nci_fd_cache fds;
    nci_ncid_cache *ncids;        /* guarded by the library's mutex */
    _Atomic(nci_scratch *) spare; /* for reading boxes; NULL while in use */
    _Atomic int64_t headers_direct, headers_library, headers_adopted;
    _Atomic int64_t chunks_direct, chunks_library;
    _Atomic int64_t bytes_disk, bytes_decoded;
};

/* The chunk index of one variable, loaded when first asked for. */
typedef struct nci_index {
    _Atomic bool is_loaded; /* set last, under the file's mutex */
    bool is_library;        /* of a kind that only the library knows */
    nci_chunk_table table;
} nci_index;

struct nci_file {
    _Atomic int refs;
    nci_io *io;
    const nci_driver *driver;
    nci_header *header; /* does not change once the file is open */
    nci_bytes *bytes;
    void *priv;                /* the driver's */
    _Atomic bool uses_library; /* NetCDF-C may hold it open */
    pthread_mutex_t mutex;     /* guards the loading of indexes */
    nci_index *indexes;        /* one a variable */
};

static inline void nci_count(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* nci_file_create makes an empty file; NULL: out of memory.
 * nci_settle_storage does what holds for the variables of every driver. */
nci_file *nci_file_create(nci_io *io);
void nci_settle_storage(nci_header *header);

void nci_io_retain(nci_io *io);
void nci_io_release(nci_io *io);

/* nci_bytes_forget_head frees the first bytes of a file that were kept while
 * its header was read. Not while others read. */
void nci_bytes_forget_head(nci_bytes *bytes);
int64_t nci_bytes_mtime_ns(const nci_bytes *bytes);

/* nci_tile_chunk sets what stands for a chunk of data without storage chunks:
 * a run of bytes, whole along the fastest axes; longer where the library reads
 * it. */
void nci_tile_chunk(int rank, const int64_t *shape, int64_t elem_size,
                    bool is_library, int64_t *chunk);
/* nci_tile_box is the box of a tile cut at the variable's end; false where
 * `index` is no chunk of it. */
bool nci_tile_box(const nci_header *header, const nci_var *var,
                  const int64_t *index, nci_box *out);
/* nci_read_runs reads `box` of a variable whose values lie in one run of bytes
 * from storage.address on, or in records. */
ncg_status nci_read_runs(nci_file *file, const nci_var *var, const nci_box *box,
                         nci_scratch *scratch, const uint8_t **out,
                         ncg_error *err);
/* nci_chunk_bytes is the decoded size of a storage chunk; false on overflow. */
bool nci_chunk_bytes(const nci_var *var, size_t *out);
bool nci_is_little_endian(void);

/* The netcdf driver, for variables of files that other drivers opened. */
ncg_status nci_netcdf_read_tile(nci_file *file, int var, const int64_t *index,
                                nci_scratch *scratch, nci_tile *out,
                                ncg_error *err);
/* nci_netcdf_read_strings reads strings as interned pointers. */
ncg_status nci_netcdf_read_strings(nci_file *file, int var, const nci_box *box,
                                   const char **out, ncg_error *err);
/* nci_netcdf_inspect fills an empty header through NetCDF-C. */
ncg_status nci_netcdf_inspect(int ncid, nci_header *header, ncg_error *err);

#endif
