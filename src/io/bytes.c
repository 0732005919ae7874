/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of one file: a path read by pread through the cache of
 * descriptors, or memory. Every read is checked against the length that the
 * file had when it was opened. The head is read with the first opening, so that
 * the header of a small file costs one read. While the head is kept (one thread
 * reads a header then) small reads elsewhere go through a window, as the parts
 * of an HDF5 header lie near each other.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/file.h"

enum {
    HEAD_BYTES = 64 * 1024,
    WINDOW_BYTES = 16 * 1024,
    WINDOW_BACK = 4 * 1024, /* of it, in front of what was asked for */
    SMALL_READ = 4 * 1024
};

struct nci_bytes {
    uint64_t size;
    const uint8_t *memory; /* instead of a file; borrowed */
    nci_io *io;            /* borrowed */
    char *path;
    nci_fd_slot slot;
    uint8_t *head; /* first bytes of the file, or NULL */
    size_t head_bytes;
    uint8_t *window; /* bytes elsewhere, or NULL */
    uint64_t window_at;
    size_t window_bytes;
};

/* pread until all is there. */
static ncg_status read_fully(int fd, uint64_t offset, size_t nbytes,
                             uint8_t *out, ncg_error *err)
{
    while (nbytes > 0) {
        ssize_t n = pread(fd, out, nbytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nci_fail_sys(err, NCG_EIO, errno,
                                "cannot read %zu bytes at %" PRIu64 ": %s",
                                nbytes, offset, strerror(errno));
        if (n == 0)
            return nci_fail(err, NCG_ECORRUPT,
                            "truncated: the file ends at byte %" PRIu64
                            " while it is being read",
                            offset);
        out += n;
        offset += (uint64_t)n;
        nbytes -= (size_t)n;
    }
    return NCG_OK;
}

static ncg_status read_file(nci_bytes *bytes, uint64_t offset, size_t nbytes,
                            void *out, ncg_error *err)
{
    int fd;
    NCI_TRY(nci_fd_pin(&bytes->io->fds, &bytes->slot, &fd, err));
    ncg_status st = read_fully(fd, offset, nbytes, out, err);
    nci_fd_unpin(&bytes->io->fds, &bytes->slot);
    nci_count(&bytes->io->bytes_disk, (int64_t)nbytes);
    return st;
}

/* A small read beyond the head; moves the window where it must. */
static ncg_status read_window(nci_bytes *bytes, uint64_t offset, size_t nbytes,
                              void *out, ncg_error *err)
{
    uint64_t end = bytes->window_at + bytes->window_bytes;
    if (offset < bytes->window_at || offset + nbytes > end) {
        if (!bytes->window && !(bytes->window = nci_alloc(WINDOW_BYTES)))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        uint64_t at = offset > WINDOW_BACK ? offset - WINDOW_BACK : 0;
        uint64_t left = bytes->size - at;
        size_t n = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        bytes->window_bytes = 0;
        NCI_TRY(read_file(bytes, at, n, bytes->window, err));
        bytes->window_at = at;
        bytes->window_bytes = n;
    }
    memcpy(out, bytes->window + (offset - bytes->window_at), nbytes);
    return NCG_OK;
}

ncg_status nci_bytes_read(nci_bytes *bytes, uint64_t offset, size_t nbytes,
                          void *out, ncg_error *err)
{
    if (offset > bytes->size || nbytes > bytes->size - offset)
        return nci_fail(err, NCG_ECORRUPT,
                        "truncated: %zu bytes at %" PRIu64
                        " reach beyond the file's end at %" PRIu64,
                        nbytes, offset, bytes->size);
    if (nbytes == 0)
        return NCG_OK;
    if (bytes->memory) {
        memcpy(out, bytes->memory + offset, nbytes);
        return NCG_OK;
    }
    if (offset + nbytes <= bytes->head_bytes) {
        memcpy(out, bytes->head + offset, nbytes);
        return NCG_OK;
    }
    if (bytes->head && nbytes <= SMALL_READ)
        return read_window(bytes, offset, nbytes, out, err);
    return read_file(bytes, offset, nbytes, out, err);
}

uint64_t nci_bytes_size(const nci_bytes *bytes)
{
    return bytes->size;
}

int64_t nci_bytes_mtime_ns(const nci_bytes *bytes)
{
    return bytes->slot.mtime_ns;
}

void nci_bytes_forget_head(nci_bytes *bytes)
{
    nci_free(bytes->head);
    nci_free(bytes->window);
    bytes->head = bytes->window = NULL;
    bytes->head_bytes = bytes->window_bytes = 0;
}

/* Opens the file and reads its head. */
static ncg_status read_head(nci_bytes *bytes, ncg_error *err)
{
    int fd;
    NCI_TRY(nci_fd_pin(&bytes->io->fds, &bytes->slot, &fd, err));
    ncg_status st = NCG_OK;
    bytes->size = (uint64_t)bytes->slot.size;
    size_t nbytes = bytes->size < HEAD_BYTES ? bytes->size : HEAD_BYTES;
    bytes->head = nci_alloc(nbytes);
    if (bytes->head)
        st = read_fully(fd, 0, nbytes, bytes->head, err);
    else
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        bytes->head_bytes = nbytes;
    nci_fd_unpin(&bytes->io->fds, &bytes->slot);
    nci_count(&bytes->io->bytes_disk, (int64_t)nbytes);
    return st;
}

static ncg_status read_nothing(nci_bytes *bytes, ncg_error *err)
{
    int fd;
    NCI_TRY(nci_fd_pin(&bytes->io->fds, &bytes->slot, &fd, err));
    bytes->size = (uint64_t)bytes->slot.size;
    nci_fd_unpin(&bytes->io->fds, &bytes->slot);
    return NCG_OK;
}

static ncg_status open_bytes(nci_io *io, const char *path,
                             ncg_status (*begin)(nci_bytes *, ncg_error *),
                             nci_bytes **out, ncg_error *err)
{
    ncg_status st;
    nci_bytes *bytes = nci_calloc(1, sizeof *bytes);
    if (!bytes)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    bytes->io = io;
    bytes->path = nci_strdup(path);
    nci_fd_slot_init(&bytes->slot, bytes->path);
    if (bytes->path)
        st = begin(bytes, err);
    else
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st)
        nci_bytes_close(&bytes);
    else
        *out = bytes;
    return st;
}

ncg_status nci_bytes_open(nci_io *io, const char *path, nci_bytes **out,
                          ncg_error *err)
{
    return open_bytes(io, path, read_head, out, err);
}

ncg_status nci_bytes_open_later(nci_io *io, const char *path, nci_bytes **out,
                                ncg_error *err)
{
    return open_bytes(io, path, read_nothing, out, err);
}

ncg_status nci_bytes_from_memory(const void *memory, size_t nbytes,
                                 nci_bytes **out, ncg_error *err)
{
    nci_bytes *bytes = nci_calloc(1, sizeof *bytes);
    if (!bytes)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    bytes->memory = memory;
    bytes->size = nbytes;
    *out = bytes;
    return NCG_OK;
}

void nci_bytes_close(nci_bytes **slot)
{
    nci_bytes *bytes = *slot;
    *slot = NULL;
    if (!bytes)
        return;
    if (bytes->io)
        nci_fd_close(&bytes->io->fds, &bytes->slot);
    nci_bytes_forget_head(bytes);
    nci_free(bytes->path);
    nci_free(bytes);
}
