/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_FD_CACHE_H
#define NCI_IO_FD_CACHE_H
/*
 * A limited number of open descriptors for any number of files. A slot belongs
 * to one file; it is pinned while somebody reads, and open but idle slots are
 * closed, the least recently used first, when others need a descriptor. When
 * all are pinned, the next one waits; as a thread pins one slot at a time, a
 * pin always ends. Any thread.
 */
#include <pthread.h>

#include "base/error.h"

typedef struct nci_fd_slot nci_fd_slot;
struct nci_fd_slot {
    const char *path; /* borrowed; set by the owner */
    /* Of the first opening; a file that differs later has been replaced. */
    bool is_known;
    int64_t size, mtime_ns;
    uint64_t device, inode;
    /* Guarded by the cache's mutex. */
    int fd, pins;
    nci_fd_slot *previous, *next; /* in the list of idle ones */
};

typedef struct nci_fd_cache {
    pthread_mutex_t mutex; /* guards all below and the slots' last fields */
    pthread_cond_t freed;  /* a slot became idle, or a descriptor was closed */
    int capacity, nopen;   /* nopen counts those about to be opened too */
    nci_fd_slot idle;      /* ring; next: least recently used */
} nci_fd_cache;

/* nci_fd_cache_init takes the capacity; 0: by the process's limit. */
void nci_fd_cache_init(nci_fd_cache *cache, int capacity);
void nci_fd_cache_fini(nci_fd_cache *cache);
void nci_fd_slot_init(nci_fd_slot *slot, const char *path);
/* nci_fd_pin opens the file if needed; *fd holds until nci_fd_unpin.
 * Errors: ENOTFOUND, EIO with errno; EIO when the file was replaced. */
ncg_status nci_fd_pin(nci_fd_cache *cache, nci_fd_slot *slot, int *fd,
                      ncg_error *err);
void nci_fd_unpin(nci_fd_cache *cache, nci_fd_slot *slot);
/* nci_fd_close closes a slot that nobody has pinned. */
void nci_fd_close(nci_fd_cache *cache, nci_fd_slot *slot);

#endif
