/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A short list, oldest first. The lock is only tried: whoever does not get it
 * does without the list, so nobody waits here, also not in the child of a
 * fork() that happened while another thread held it.
 *
 * Blocks in use are counted by what malloc says of their size, so that both
 * ends of a life see the same number.
 */
#include "base/block.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
static _Atomic int runs;
static _Atomic int64_t in_use, most_in_use; /* bytes of big blocks */
static _Atomic size_t given_back; /* to the heap since it was trimmed */

void nci_block_bound(size_t nbytes)
{
    atomic_store_explicit(&bound, nbytes, memory_order_relaxed);
}

/* ---- blocks of their own ---------------------------------------------------- */

/* Such a block begins a page after its mapping, on whose first page this lies:
 *
 *     page: ... stamp | block ... (length - page bytes)
 *
 * No other block has a stamp before it: it names the block's address, and goes
 * with its page. What lies before a page of malloc's can be read, too: malloc
 * takes whole pages, and puts a word of its own before each block. */
typedef struct stamp {
    size_t length; /* of the mapping */
    uint64_t name[2];
} stamp;

static size_t page_size(void)
{
    static _Atomic size_t known;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (!size) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

static stamp *stamp_of(const void *memory)
{
    return (stamp *)((uintptr_t)memory - sizeof(stamp));
}

static void make_name(const void *memory, uint64_t *name)
{
    name[0] = (uint64_t)(uintptr_t)memory * UINT64_C(0x9E3779B97F4A7C15);
    name[1] = name[0] ^ UINT64_C(0x6B6F6C62676D636E);
}

static bool is_mapped(const void *memory)
{
    uint64_t name[2];
    if (!KEEPS_BLOCKS || !memory || (uintptr_t)memory % page_size())
        return false;
    make_name(memory, name);
    const stamp *s = stamp_of(memory);
    return s->name[0] == name[0] && s->name[1] == name[1];
}

static void unmap(void *memory)
{
    size_t page = page_size();
    munmap((char *)memory - page, stamp_of(memory)->length);
}

static size_t usable_size(void *memory)
{
    if (is_mapped(memory))
        return stamp_of(memory)->length - page_size();
    return malloc_usable_size(memory);
}

void *nci_block_map(size_t nbytes)
{
    size_t page = page_size();
    if (!KEEPS_BLOCKS || nbytes < NCI_BLOCK_OWN || nbytes > SIZE_MAX - 2 * page)
        return NULL;
    size_t length = (nbytes + 2 * page - 1) / page * page;
    char *from = mmap(NULL, length, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (from == MAP_FAILED)
        return NULL;
    stamp *s = stamp_of(from + page);
    s->length = length;
    make_name(from + page, s->name);
    return from + page;
}

void *nci_block_resize(void *old, size_t nbytes)
{
    if (!is_mapped(old))
        return realloc(old, nbytes);
    size_t had = usable_size(old);
    void *memory = malloc(nbytes);
    if (!memory)
        return NULL;
    memcpy(memory, old, had < nbytes ? had : nbytes);
    unmap(old);
    return memory;
}

/* ---- freeing ---------------------------------------------------------------- */

/* Bytes that may be kept at any time: half of the bound, the other is the
 * heap's. During a run that comes on top of the most that was in use. */
static size_t room(void)
{
    size_t half = atomic_load_explicit(&bound, memory_order_relaxed) / 2;
    size_t always = half < NCI_BLOCK_KEPT ? half : NCI_BLOCK_KEPT;
    int64_t left = atomic_load_explicit(&most_in_use, memory_order_relaxed) -
                   atomic_load_explicit(&in_use, memory_order_relaxed);
    bool runs_now = atomic_load_explicit(&runs, memory_order_relaxed) > 0;
    return runs_now && left > 0 ? always + (size_t)left : always;
}

/* The heap keeps pages between blocks that are in use; it does not return them
 * by itself. */
static void give_back(block old)
{
    if (is_mapped(old.memory)) {
        unmap(old.memory);
        return;
    }
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

/* ---- counting ------------------------------------------------------------- */

size_t nci_block_size(void *memory)
{
    size_t size = memory && KEEPS_BLOCKS ? usable_size(memory) : 0;
    return size < NCI_BLOCK_MIN ? 0 : size;
}

static void count(int64_t nbytes)
{
    int64_t now = atomic_fetch_add(&in_use, nbytes) + nbytes;
    int64_t most = atomic_load_explicit(&most_in_use, memory_order_relaxed);
    while (now > most &&
           !atomic_compare_exchange_weak(&most_in_use, &most, now))
        continue;
}

/* ---- the list -------------------------------------------------------------- */

/* The smallest that is large enough, and not by more than a quarter: what is
 * handed out is charged by the size that was asked for. */
void *nci_block_take(size_t nbytes)
{
    size_t best = NCI_BLOCK_SLOTS;
    block found = {NULL, 0};
    if (nbytes < NCI_BLOCK_MIN || pthread_mutex_trylock(&lock))
        return NULL;
    for (size_t i = 0; i < nkept; i++)
        if (kept[i].size >= nbytes && kept[i].size - nbytes <= nbytes / 4 &&
            (best == NCI_BLOCK_SLOTS || kept[i].size < kept[best].size))
            best = i;
    if (best < NCI_BLOCK_SLOTS)
        found = remove_locked(best);
    pthread_mutex_unlock(&lock);
    count((int64_t)found.size);
    return found.memory;
}

/* Makes room for a block in the list: those that go move into `gone`. */
static size_t evict_locked(size_t nbytes, block *gone)
{
    size_t n = 0, most = room();
    while (nkept && (nkept == NCI_BLOCK_SLOTS || bytes_kept + nbytes > most))
        gone[n++] = remove_locked(0);
    return n;
}

static void give_back_all(block *gone, size_t n)
{
    while (n)
        give_back(gone[--n]);
}

/* Blocks of sizes that nobody wants any more make room for others. */
static void evict(void)
{
    block gone[NCI_BLOCK_SLOTS];
    if (pthread_mutex_trylock(&lock))
        return;
    size_t n = evict_locked(0, gone);
    pthread_mutex_unlock(&lock);
    give_back_all(gone, n);
}

void nci_block_made(void *memory)
{
    size_t size = nci_block_size(memory);
    if (!size)
        return;
    count((int64_t)size);
    evict();
}

void nci_block_changed(size_t before, void *memory)
{
    count((int64_t)nci_block_size(memory) - (int64_t)before);
}

void nci_block_give(void *memory)
{
    block gone[NCI_BLOCK_SLOTS];
    block given = {memory, nci_block_size(memory)};
    count(-(int64_t)given.size);
    if (!given.size || given.size > room() || (uintptr_t)memory % 64 ||
        pthread_mutex_trylock(&lock)) {
        give_back(given);
        return;
    }
    size_t n = evict_locked(given.size, gone);
    kept[nkept++] = given;
    bytes_kept += given.size;
    pthread_mutex_unlock(&lock);
    give_back_all(gone, n);
}

/* ---- runs ------------------------------------------------------------------- */

void nci_block_run_begins(void)
{
    if (atomic_fetch_add(&runs, 1) == 0)
        atomic_store(&most_in_use, atomic_load(&in_use));
}

void nci_block_run_ends(void)
{
    atomic_fetch_sub(&runs, 1);
    evict();
}

/* ---- fresh pages ------------------------------------------------------------ */

/* Where the system cannot give all at once, they come one by one. */
void nci_block_populate(void *memory, size_t nbytes)
{
#if defined(MADV_POPULATE_WRITE) && KEEPS_BLOCKS
    uintptr_t page = page_size();
    uintptr_t from = ((uintptr_t)memory + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)memory + nbytes) / page * page;
    if (nbytes >= NCI_BLOCK_MIN && from < to)
        (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
    (void)memory, (void)nbytes;
#endif
}
