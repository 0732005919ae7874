/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reading context: descriptors, library handles, counters. It lives until
 * its owner and every file opened through it have let go.
 */
#include "io/io.h"

#include "base/mem.h"
#include "io/file.h"
#include "io/library.h"
#include "io/ncid_cache.h"

ncg_status nci_io_create(const nci_io_options *options, nci_io **out,
                         ncg_error *err)
{
    nci_io *io = nci_calloc(1, sizeof *io);
    if (!io)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = nci_ncid_cache_create(&io->ncids, err);
    if (st) {
        nci_free(io);
        return st;
    }
    atomic_init(&io->refs, 1);
    if (options)
        io->options = *options;
    nci_fd_cache_init(&io->fds, 0);
    *out = io;
    return NCG_OK;
}

void nci_io_retain(nci_io *io)
{
    atomic_fetch_add_explicit(&io->refs, 1, memory_order_relaxed);
}

void nci_io_release(nci_io *io)
{
    if (atomic_fetch_sub_explicit(&io->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_scratch *spare = atomic_load(&io->spare);
    nci_scratch_destroy(&spare);
    nci_library_lock();
    nci_ncid_cache_free(&io->ncids);
    nci_library_unlock();
    nci_fd_cache_fini(&io->fds);
    nci_free(io);
}

void nci_io_destroy(nci_io **slot)
{
    nci_io *io = *slot;
    *slot = NULL;
    if (io)
        nci_io_release(io);
}

void nci_io_count(nci_io *io, const nci_io_stats *more)
{
    atomic_fetch_add(&io->headers_direct, more->headers_direct);
    atomic_fetch_add(&io->headers_library, more->headers_library);
    atomic_fetch_add(&io->chunks_direct, more->chunks_direct);
    atomic_fetch_add(&io->chunks_library, more->chunks_library);
    atomic_fetch_add(&io->bytes_disk, more->bytes_disk);
    atomic_fetch_add(&io->bytes_decoded, more->bytes_decoded);
}

void nci_io_get_stats(const nci_io *io, nci_io_stats *out)
{
    out->headers_direct = atomic_load(&io->headers_direct);
    out->headers_library = atomic_load(&io->headers_library);
    out->headers_adopted = atomic_load(&io->headers_adopted);
    out->chunks_direct = atomic_load(&io->chunks_direct);
    out->chunks_library = atomic_load(&io->chunks_library);
    out->bytes_disk = atomic_load(&io->bytes_disk);
    out->bytes_decoded = atomic_load(&io->bytes_decoded);
}
