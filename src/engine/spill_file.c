/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/spill_pack.h"

struct nci_extent {
    int64_t offset, nbytes;
    nci_token sum;
    nci_extent *next; /* among the free ones */
};

struct nci_spill_file {
    char *directory;
    ncg_wire_compression how;
    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1: not made yet */
    int64_t end;
    nci_extent *free;
};

ncg_status nci_spill_file_create(const nci_spill_place *place,
                                 nci_spill_file **out, ncg_error *err)
{
    const char *directory = place->directory, *tmp = getenv("TMPDIR");
    if (!directory || !directory[0])
        directory = tmp && tmp[0] ? tmp : "/tmp";
    nci_spill_file *file = nci_calloc(1, sizeof *file);
    if (file)
        file->directory = nci_strdup(directory);
    if (!file || !file->directory) {
        nci_free(file);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    pthread_mutex_init(&file->lock, NULL);
    file->how = place->how;
    file->fd = -1;
    *out = file;
    return NCG_OK;
}

void nci_spill_file_free(nci_spill_file **slot)
{
    nci_spill_file *file = *slot;
    *slot = NULL;
    if (!file)
        return;
    while (file->free) {
        nci_extent *next = file->free->next;
        nci_free(file->free);
        file->free = next;
    }
    if (file->fd >= 0)
        close(file->fd);
    pthread_mutex_destroy(&file->lock);
    nci_free(file->directory);
    nci_free(file);
}

/* `there`: bytes before the chunk in the file. */
static ncg_status fail_write(const nci_spill_file *file, int sys, int64_t there,
                             int64_t nbytes, ncg_error *err)
{
    char chunk[32], before[32];
    if (sys == ENOMEM)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_fail_sys(err, NCG_EOUTPUT, sys,
                        "cannot spill a chunk of %s (%lld bytes) to %.200s "
                        "(%s there already): %s; give another directory "
                        "(--spill-dir) or more memory (--mem)",
                        nci_format_bytes((double)nbytes, chunk),
                        (long long)nbytes, file->directory,
                        nci_format_bytes((double)there, before), strerror(sys));
}

/* A file that only this process can open, and its name gone. */
static ncg_status open_locked(nci_spill_file *file, int64_t nbytes,
                              ncg_error *err)
{
    nci_text text = {0};
    nci_text_add(&text, "%s/ncgraph-spill-XXXXXX", file->directory);
    char *path = nci_text_take(&text);
    if (!path)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    file->fd = mkostemp(path, O_CLOEXEC);
    int sys = errno;
    if (file->fd >= 0)
        unlink(path);
    nci_free(path);
    return file->fd >= 0 ? NCG_OK : fail_write(file, sys, 0, nbytes, err);
}

/* A place of just this size that is free, or one at the end. */
static nci_extent *take_locked(nci_spill_file *file, int64_t nbytes)
{
    nci_extent **link = &file->free;
    while (*link && (*link)->nbytes != nbytes)
        link = &(*link)->next;
    nci_extent *extent = *link;
    if (extent) {
        *link = extent->next;
        return extent;
    }
    extent = nci_alloc(sizeof *extent);
    if (!extent)
        return NULL;
    *extent = (nci_extent){.offset = file->end, .nbytes = nbytes};
    file->end += nci_spill_room(file->how, nbytes);
    return extent;
}

static ncg_status take(nci_spill_file *file, int64_t nbytes, nci_extent **out,
                       ncg_error *err)
{
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&file->lock);
    if (file->fd < 0)
        st = open_locked(file, nbytes, err);
    if (!st && !(*out = take_locked(file, nbytes)))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_unlock(&file->lock);
    return st;
}

void nci_spill_file_drop(nci_spill_file *file, nci_extent **slot)
{
    nci_extent *extent = *slot;
    *slot = NULL;
    if (!extent)
        return;
    pthread_mutex_lock(&file->lock);
    extent->next = file->free;
    file->free = extent;
    pthread_mutex_unlock(&file->lock);
}

ncg_status nci_spill_file_write(nci_spill_file *file, const nci_buf *chunk,
                                nci_extent **out, ncg_error *err)
{
    const char *data = nci_buf_data(chunk);
    int64_t nbytes = (int64_t)nci_buf_size(chunk);
    nci_extent *extent = NULL;
    NCI_TRY(take(file, nbytes, &extent, err));
    extent->sum = nci_token_of(data, (size_t)nbytes);
    int sys =
        nci_spill_put(file->fd, file->how, data, nbytes, extent->offset);
    if (sys) {
        int64_t there = extent->offset;
        nci_spill_file_drop(file, &extent);
        return fail_write(file, sys, there, nbytes, err);
    }
    *out = extent;
    return NCG_OK;
}

static ncg_status fail_read(const nci_spill_file *file, int64_t nbytes, int sys,
                            ncg_error *err)
{
    if (sys == ENOMEM)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_fail_sys(err, sys > 0 ? NCG_EIO : NCG_ECORRUPT,
                        sys > 0 ? sys : 0,
                        "cannot read a spilled chunk of %lld bytes back from "
                        "%.200s: %s; give another directory (--spill-dir) or "
                        "more memory (--mem)",
                        (long long)nbytes, file->directory,
                        sys > 0 ? strerror(sys) : "the file is short");
}

ncg_status nci_spill_file_read_to(nci_spill_file *file,
                                  const nci_extent *extent, void *out,
                                  ncg_error *err)
{
    int sys = nci_spill_get(file->fd, file->how, out, extent->nbytes,
                            extent->offset);
    if (sys && sys != NCI_SPILL_DAMAGED)
        return fail_read(file, extent->nbytes, sys, err);
    if (!sys && nci_token_equal(nci_token_of(out, (size_t)extent->nbytes),
                                extent->sum))
        return NCG_OK;
    return nci_fail(err, NCG_ECORRUPT,
                    "a spilled chunk of %lld bytes came back damaged from "
                    "%.200s: its checksum does not fit; give another "
                    "directory (--spill-dir) or more memory (--mem)",
                    (long long)extent->nbytes, file->directory);
}

ncg_status nci_spill_file_read(nci_spill_file *file, const nci_extent *extent,
                               nci_buf **out, ncg_error *err)
{
    nci_buf *buf = NULL;
    NCI_TRY(nci_buf_create((size_t)extent->nbytes, &buf, err));
    ncg_status st = nci_spill_file_read_to(file, extent, nci_buf_data(buf),
                                           err);
    if (st)
        nci_buf_release(&buf);
    else
        *out = buf;
    return st;
}
