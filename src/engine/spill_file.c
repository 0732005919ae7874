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

struct nci_extent {
    int64_t offset, nbytes;
    nci_token sum;
    nci_extent *next; /* among the free ones */
};

struct nci_spill_file {
    char *directory;
    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1: not made yet */
    int64_t end;
    nci_extent *free;
};

ncg_status nci_spill_file_create(const char *directory, nci_spill_file **out,
                                 ncg_error *err)
{
    const char *tmp = getenv("TMPDIR");
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

static ncg_status fail_write(const nci_spill_file *file, int sys, int64_t bytes,
                             ncg_error *err)
{
    char there[32];
    return nci_fail_sys(err, NCG_EOUTPUT, sys,
                        "cannot spill %lld bytes to %.200s (%s there already): "
                        "%s; give another directory (--spill-dir) or more "
                        "memory (--mem)",
                        (long long)bytes, file->directory,
                        nci_format_bytes((double)file->end, there),
                        strerror(sys));
}

/* A directory of our own in `directory`, a file in it, and both names gone. */
static ncg_status open_locked(nci_spill_file *file, ncg_error *err)
{
    nci_text text = {0};
    nci_text_add(&text, "%s/ncgraph-spill-XXXXXX", file->directory);
    char *folder = nci_text_take(&text), *path = NULL;
    if (folder && mkdtemp(folder)) {
        nci_text_add(&text, "%s/chunks", folder);
        path = nci_text_take(&text);
        if (path)
            file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    int sys = errno;
    bool no_memory = !folder || (!path && file->fd < 0 && sys == ENOMEM);
    if (path) {
        unlink(path);
        rmdir(folder);
    }
    nci_free(path);
    nci_free(folder);
    if (file->fd >= 0)
        return NCG_OK;
    return no_memory ? nci_fail(err, NCG_ENOMEM, "out of memory")
                     : fail_write(file, sys, 0, err);
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
    file->end += nbytes;
    return extent;
}

static ncg_status take(nci_spill_file *file, int64_t nbytes, nci_extent **out,
                       ncg_error *err)
{
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&file->lock);
    if (file->fd < 0)
        st = open_locked(file, err);
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
    size_t nbytes = nci_buf_size(chunk), done = 0;
    nci_extent *extent = NULL;
    NCI_TRY(take(file, (int64_t)nbytes, &extent, err));
    extent->sum = nci_token_of(data, nbytes);
    while (done < nbytes) {
        ssize_t n = pwrite(file->fd, data + done, nbytes - done,
                           extent->offset + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int sys = n < 0 ? errno : ENOSPC;
            nci_spill_file_drop(file, &extent);
            return fail_write(file, sys, (int64_t)nbytes, err);
        }
        done += (size_t)n;
    }
    *out = extent;
    return NCG_OK;
}

static ncg_status read_all(const nci_spill_file *file, const nci_extent *extent,
                           char *data, ncg_error *err)
{
    int64_t done = 0;
    while (done < extent->nbytes) {
        ssize_t n = pread(file->fd, data + done, (size_t)(extent->nbytes - done),
                          extent->offset + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return nci_fail_sys(err, NCG_EIO, n < 0 ? errno : 0,
                                "cannot read a spilled chunk of %lld bytes "
                                "back from %.200s: %s",
                                (long long)extent->nbytes, file->directory,
                                n < 0 ? strerror(errno) : "the file is short");
        done += n;
    }
    return NCG_OK;
}

ncg_status nci_spill_file_read(nci_spill_file *file, const nci_extent *extent,
                               nci_buf **out, ncg_error *err)
{
    nci_buf *buf = NULL;
    NCI_TRY(nci_buf_create((size_t)extent->nbytes, &buf, err));
    ncg_status st = read_all(file, extent, nci_buf_data(buf), err);
    if (!st && !nci_token_equal(
                   nci_token_of(nci_buf_data(buf), nci_buf_size(buf)),
                   extent->sum))
        st = nci_fail(err, NCG_EIO,
                      "a spilled chunk of %lld bytes came back damaged from "
                      "%.200s: its checksum does not fit",
                      (long long)extent->nbytes, file->directory);
    if (st)
        nci_buf_release(&buf);
    else
        *out = buf;
    return st;
}
