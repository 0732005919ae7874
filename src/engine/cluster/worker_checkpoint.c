/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks in a directory that all workers see: what one that leaves has found no
 * other place for. The scheduler says which directory it is, the same for all;
 * a file has the name of its run and task. What is not needed any more somebody
 * removes; at the end of a run everybody removes what is left of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/cluster/worker_internal.h"

enum { PREFIX = 64 };

/* The beginning of the names of a run's files. */
static void prefix_of(const nci_hand_run *r, char out[PREFIX])
{
    snprintf(out, PREFIX, "ncgraph-%016llx%016llx-",
             (unsigned long long)r->space.high,
             (unsigned long long)r->space.low);
}

ncg_status nci_checkpoint_path_locked(const nci_hand_run *r, int64_t task,
                                      char **out, ncg_error *err)
{
    const char *folder = r->hand->roster.checkpoint;
    char prefix[PREFIX], path[NCI_FOLDER_SIZE + 2 * PREFIX];
    if (!*folder)
        return nci_fail(err, NCG_EOUTPUT, "no directory for checkpoints");
    prefix_of(r, prefix);
    snprintf(path, sizeof path, "%s/%s%lld.chunk", folder, prefix,
             (long long)task);
    *out = nci_strdup(path);
    return *out ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

ncg_status nci_checkpoint_write(const char *path, const nci_buf *chunk,
                                ncg_error *err)
{
    char name[PATH_MAX + 32];
    const char *data = nci_buf_data(chunk);
    size_t left = nci_buf_size(chunk);
    snprintf(name, sizeof name, "%s.%ld", path, (long)getpid());
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  0600);
    bool is_good = fd >= 0;
    while (is_good && left) {
        ssize_t n = write(fd, data, left);
        is_good = n > 0 || (n < 0 && errno == EINTR);
        data += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    is_good = is_good && !fsync(fd) && !rename(name, path);
    int sys = errno;
    if (fd >= 0)
        close(fd);
    if (is_good)
        return NCG_OK;
    unlink(name);
    return nci_fail_sys(err, NCG_EOUTPUT, sys, "cannot write %s: %s", path,
                        strerror(sys));
}

ncg_status nci_checkpoint_read(const char *path, int64_t nbytes,
                               nci_buf **out, ncg_error *err)
{
    struct stat info;
    size_t at = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return nci_fail_sys(err, nci_from_errno(errno), errno, "%s: %s", path,
                            strerror(errno));
    ncg_status st = NCG_OK;
    bool is_there = !fstat(fd, &info);
    if (is_there && nbytes == NCI_FETCH_ANY)
        nbytes = info.st_size;
    if (!is_there || info.st_size != nbytes)
        st = nci_fail(err, NCG_ECORRUPT, "%s is not as long as it should be",
                      path);
    if (!st)
        st = nci_buf_create((size_t)nbytes, out, err);
    while (!st && at < (size_t)nbytes) {
        ssize_t n = read(fd, (char *)nci_buf_data(*out) + at,
                         (size_t)nbytes - at);
        if (n == 0)
            st = nci_fail(err, NCG_ECORRUPT, "%s is shorter than it was", path);
        else if (n < 0 && errno != EINTR)
            st = nci_fail_sys(err, NCG_EIO, errno, "cannot read %s: %s", path,
                              strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (st)
        nci_buf_release(out);
    return st;
}

/* ---- removing ------------------------------------------------------------ */

typedef struct removal {
    nci_hand *hand;
    char *path;                 /* of one; NULL: all of a run */
    char folder[NCI_FOLDER_SIZE], prefix[PREFIX];
} removal;

static void remove_all(const removal *r)
{
    DIR *list = opendir(r->folder);
    size_t length = strlen(r->prefix);
    struct dirent *entry;
    while (list && (entry = readdir(list)))
        if (!strncmp(entry->d_name, r->prefix, length))
            unlinkat(dirfd(list), entry->d_name, 0);
    if (list)
        closedir(list);
}

static void remove_errand(void *ctx)
{
    removal *r = ctx;
    nci_hand *hand = r->hand;
    if (r->path)
        unlink(r->path);
    else
        remove_all(r);
    nci_free(r->path);
    nci_free(r);
    pthread_mutex_lock(&hand->lock);
    hand->errands--;
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

void nci_checkpoint_drop_locked(nci_hand_run *r, int64_t task)
{
    nci_hand *hand = r->hand;
    removal *what = *hand->roster.checkpoint ? nci_calloc(1, sizeof *what)
                                             : NULL;
    if (!what)
        return;
    what->hand = hand;
    memcpy(what->folder, hand->roster.checkpoint, sizeof what->folder);
    prefix_of(r, what->prefix);
    if ((task < 0 || !nci_checkpoint_path_locked(r, task, &what->path, NULL)) &&
        !nci_errands_add(hand->disk, remove_errand, what, NULL)) {
        hand->errands++;
        return;
    }
    nci_free(what->path);
    nci_free(what);
}
