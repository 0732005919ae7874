/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A short list, oldest first. The lock is only tried: whoever does not get it
 * does without the list, so nobody waits here, also not in the child of a
 * fork() that happened while another thread held it.
 */
#include "base/block.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define KEEPS_BLOCKS 0
#endif
#endif
#ifndef KEEPS_BLOCKS
#define KEEPS_BLOCKS 1
#endif

typedef struct block {
    void *memory;
    size_t size;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static block kept[NCI_BLOCK_SLOTS];
static size_t nkept, bytes_kept;
static _Atomic size_t bound = SIZE_MAX;
static _Atomic size_t given_back; /* to the heap since it was trimmed */

void nci_block_bound(size_t nbytes)
{
    atomic_store_explicit(&bound, nbytes, memory_order_relaxed);
}

/* Bytes that may be kept: half of the bound, the other is the heap's. */
static size_t room(void)
{
    size_t half = atomic_load_explicit(&bound, memory_order_relaxed) / 2;
    return half < NCI_BLOCK_KEPT ? half : NCI_BLOCK_KEPT;
}

/* The heap keeps pages between blocks that are in use; it does not return them
 * by itself. */
static void give_back(block old)
{
    free(old.memory);
    if (old.size < NCI_BLOCK_MIN || old.size > NCI_BLOCK_MAPPED)
        return;
    size_t most = atomic_load_explicit(&bound, memory_order_relaxed) / 2;
    if (atomic_fetch_add(&given_back, old.size) + old.size < most)
        return;
    atomic_store(&given_back, 0);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static block remove_locked(size_t i)
{
    block found = kept[i];
    for (nkept--; i < nkept; i++)
        kept[i] = kept[i + 1];
    bytes_kept -= found.size;
    return found;
}

/* The smallest that is large enough, and not by more than a quarter: what is
 * handed out is charged by the size that was asked for. */
void *nci_block_take(size_t nbytes)
{
    size_t best = NCI_BLOCK_SLOTS;
    void *memory = NULL;
    if (nbytes < NCI_BLOCK_MIN || nbytes > NCI_BLOCK_KEPT ||
        pthread_mutex_trylock(&lock))
        return NULL;
    for (size_t i = 0; i < nkept; i++)
        if (kept[i].size >= nbytes && kept[i].size - nbytes <= nbytes / 4 &&
            (best == NCI_BLOCK_SLOTS || kept[i].size < kept[best].size))
            best = i;
    if (best < NCI_BLOCK_SLOTS)
        memory = remove_locked(best).memory;
    pthread_mutex_unlock(&lock);
    return memory;
}

/* Makes room for a block in the list: those that go move into `gone`. */
static size_t evict_locked(size_t nbytes, block *gone)
{
    size_t n = 0, most = room();
    while (nkept && (nkept == NCI_BLOCK_SLOTS || bytes_kept + nbytes > most))
        gone[n++] = remove_locked(0);
    return n;
}

void nci_block_give(void *memory)
{
    block gone[NCI_BLOCK_SLOTS];
    block given = {memory,
                   memory && KEEPS_BLOCKS ? malloc_usable_size(memory) : 0};
    if (given.size < NCI_BLOCK_MIN || given.size > room() ||
        (uintptr_t)memory % 64 || pthread_mutex_trylock(&lock)) {
        give_back(given);
        return;
    }
    size_t n = evict_locked(given.size, gone);
    kept[nkept++] = given;
    bytes_kept += given.size;
    pthread_mutex_unlock(&lock);
    while (n)
        give_back(gone[--n]);
}
