/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See fd_cache.h. Files are opened and closed outside the mutex; nopen is
 * raised before opening, so that the limit holds at every moment.
 */
#include "io/fd_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int default_capacity(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= 1024)
        return 512;
    int half = (int)limit.rlim_cur / 2;
    return half < 4 ? 4 : half;
}

void nci_fd_cache_init(nci_fd_cache *cache, int capacity)
{
    pthread_mutex_init(&cache->mutex, NULL);
    pthread_cond_init(&cache->freed, NULL);
    cache->capacity = capacity > 0 ? capacity : default_capacity();
    cache->nopen = 0;
    cache->idle.next = cache->idle.previous = &cache->idle;
}

void nci_fd_cache_fini(nci_fd_cache *cache)
{
    NCI_ASSERT(cache->nopen == 0);
    pthread_cond_destroy(&cache->freed);
    pthread_mutex_destroy(&cache->mutex);
}

void nci_fd_slot_init(nci_fd_slot *slot, const char *path)
{
    *slot = (nci_fd_slot){.path = path, .fd = -1};
}

static void unlink_idle(nci_fd_slot *slot)
{
    slot->previous->next = slot->next;
    slot->next->previous = slot->previous;
    slot->previous = slot->next = NULL;
}

static void append_idle(nci_fd_cache *cache, nci_fd_slot *slot)
{
    slot->previous = cache->idle.previous;
    slot->next = &cache->idle;
    slot->previous->next = slot;
    cache->idle.previous = slot;
}

/* Takes the descriptor of the least recently used idle slot, or -1. */
static int evict_locked(nci_fd_cache *cache)
{
    nci_fd_slot *victim = cache->idle.next;
    if (victim == &cache->idle)
        return -1;
    int fd = victim->fd;
    unlink_idle(victim);
    victim->fd = -1;
    return fd;
}

/* Compares with the first opening, or remembers it. */
static ncg_status identify(nci_fd_slot *slot, int fd, ncg_error *err)
{
    struct stat now;
    if (fstat(fd, &now))
        return nci_fail_sys(err, NCG_EIO, errno, "cannot inspect: %s",
                            strerror(errno));
    int64_t mtime =
        (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec;
    if (slot->is_known) {
        if (slot->size != now.st_size || slot->mtime_ns != mtime ||
            slot->device != now.st_dev || slot->inode != now.st_ino)
            return nci_fail(err, NCG_EIO,
                            "the file was changed while it was being read");
        return NCG_OK;
    }
    if (S_ISDIR(now.st_mode))
        return nci_fail(err, NCG_EIO,
                        "not a NetCDF or HDF5 file: it is a directory");
    if (!S_ISREG(now.st_mode))
        return nci_fail(err, NCG_EIO,
                        "not a NetCDF or HDF5 file: it is not a regular file");
    slot->size = now.st_size;
    slot->mtime_ns = mtime;
    slot->device = now.st_dev;
    slot->inode = now.st_ino;
    slot->is_known = true;
    return NCG_OK;
}

/* Opens without waiting for what is no regular file (a pipe would block). */
static ncg_status open_slot(nci_fd_slot *slot, int *out, ncg_error *err)
{
    int fd;
    do
        fd = open(slot->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        int code = errno;
        return nci_fail_sys(err, nci_from_errno(code), code, "cannot open: %s",
                            strerror(code));
    }
    ncg_status st = identify(slot, fd, err);
    if (st) {
        close(fd);
        return st;
    }
    *out = fd;
    return NCG_OK;
}

/* Waits for the right to open one more; true when `slot` is open already. On
 * false one is counted, and *victim is to be closed unless -1. */
static bool reserve_locked(nci_fd_cache *cache, nci_fd_slot *slot, int *victim)
{
    for (*victim = -1; slot->fd < 0;) {
        if (cache->nopen < cache->capacity) {
            cache->nopen++;
            return false;
        }
        *victim = evict_locked(cache);
        if (*victim >= 0)
            return false; /* its count goes over to the new one */
        pthread_cond_wait(&cache->freed, &cache->mutex);
    }
    return true;
}

/* The process is out of descriptors although the cache is not full: gives one
 * of ours back. False when there is none to give. */
static bool give_back(nci_fd_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    int fd = evict_locked(cache);
    if (fd >= 0)
        cache->nopen--;
    pthread_mutex_unlock(&cache->mutex);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void pin_locked(nci_fd_slot *slot, int *fd)
{
    if (slot->pins++ == 0 && slot->next)
        unlink_idle(slot);
    *fd = slot->fd;
}

ncg_status nci_fd_pin(nci_fd_cache *cache, nci_fd_slot *slot, int *fd,
                      ncg_error *err)
{
    int fresh = -1, victim;
    pthread_mutex_lock(&cache->mutex);
    bool is_open = reserve_locked(cache, slot, &victim);
    if (is_open)
        pin_locked(slot, fd);
    pthread_mutex_unlock(&cache->mutex);
    if (is_open)
        return NCG_OK;
    if (victim >= 0)
        close(victim);

    ncg_status st;
    ncg_error here;
    do
        st = open_slot(slot, &fresh, &here);
    while (st && (here.sys == EMFILE || here.sys == ENFILE) &&
           give_back(cache));

    pthread_mutex_lock(&cache->mutex);
    if (!st && slot->fd < 0) {
        slot->fd = fresh;
        fresh = -1;
    } else { /* failed, or another thread was faster */
        cache->nopen--;
        pthread_cond_signal(&cache->freed);
    }
    if (!st)
        pin_locked(slot, fd);
    pthread_mutex_unlock(&cache->mutex);
    if (fresh >= 0)
        close(fresh);
    if (st && err)
        *err = here;
    return st;
}

void nci_fd_unpin(nci_fd_cache *cache, nci_fd_slot *slot)
{
    pthread_mutex_lock(&cache->mutex);
    if (--slot->pins == 0) {
        append_idle(cache, slot);
        pthread_cond_signal(&cache->freed);
    }
    pthread_mutex_unlock(&cache->mutex);
}

void nci_fd_close(nci_fd_cache *cache, nci_fd_slot *slot)
{
    pthread_mutex_lock(&cache->mutex);
    int fd = slot->fd;
    NCI_ASSERT(slot->pins == 0);
    if (fd >= 0) {
        unlink_idle(slot);
        slot->fd = -1;
        cache->nopen--;
        pthread_cond_signal(&cache->freed);
    }
    pthread_mutex_unlock(&cache->mutex);
    if (fd >= 0)
        close(fd);
}
