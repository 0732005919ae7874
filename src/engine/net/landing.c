/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/landing.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/mem.h"

enum { SMALL = 256 << 10, SLOTS = 64 };

typedef struct block {
    void *memory;
    size_t nbytes; /* mapped */
} block;

struct nci_landing {
    pthread_mutex_t lock; /* guards what follows */
    int64_t keep, kept;
    block slots[SLOTS]; /* oldest first */
    int nslots;
    int users; /* buffers out there, and the owner */
    bool closed;
};

/* What a buffer has to give back. */
typedef struct lease {
    nci_landing *landing;
    size_t nbytes;
} lease;

ncg_status nci_landing_create(int64_t keep, nci_landing **out, ncg_error *err)
{
    nci_landing *landing = nci_calloc(1, sizeof *landing);
    if (!landing)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_init(&landing->lock, NULL);
    landing->keep = keep;
    landing->users = 1;
    *out = landing;
    return NCG_OK;
}

static void drop_user(nci_landing *landing)
{
    pthread_mutex_lock(&landing->lock);
    bool last = --landing->users == 0;
    pthread_mutex_unlock(&landing->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&landing->lock);
    nci_free(landing);
}

static block remove_locked(nci_landing *landing, int slot)
{
    block taken = landing->slots[slot];
    for (int i = slot + 1; i < landing->nslots; i++)
        landing->slots[i - 1] = landing->slots[i];
    landing->nslots--;
    landing->kept -= (int64_t)taken.nbytes;
    return taken;
}

void nci_landing_close(nci_landing **slot)
{
    nci_landing *landing = *slot;
    *slot = NULL;
    if (!landing)
        return;
    pthread_mutex_lock(&landing->lock);
    landing->closed = true;
    while (landing->nslots) {
        block last = remove_locked(landing, landing->nslots - 1);
        munmap(last.memory, last.nbytes);
    }
    pthread_mutex_unlock(&landing->lock);
    drop_user(landing);
}

/* The smallest kept block that is not much too large. */
static block find_locked(nci_landing *landing, size_t nbytes)
{
    int best = -1;
    for (int i = 0; i < landing->nslots; i++) {
        size_t size = landing->slots[i].nbytes;
        if (size >= nbytes && size / 2 <= nbytes &&
            (best < 0 || size < landing->slots[best].nbytes))
            best = i;
    }
    return best < 0 ? (block){0} : remove_locked(landing, best);
}

static void give_back(void *memory, void *payload)
{
    lease *held = payload;
    nci_landing *landing = held->landing;
    block given = {memory, held->nbytes};
    block old[SLOTS + 1];
    int nold = 0;
    pthread_mutex_lock(&landing->lock);
    if (landing->closed || (int64_t)given.nbytes > landing->keep) {
        old[nold++] = given;
    } else {
        while (landing->nslots == SLOTS ||
               landing->kept + (int64_t)given.nbytes > landing->keep)
            old[nold++] = remove_locked(landing, 0);
        landing->slots[landing->nslots++] = given;
        landing->kept += (int64_t)given.nbytes;
    }
    pthread_mutex_unlock(&landing->lock);
    while (nold--)
        munmap(old[nold].memory, old[nold].nbytes);
    drop_user(landing);
    nci_free(held);
}

/* Without large pages: on a virtual machine these are taken from memory that
 * its host has yet to give, which was measured to take four times as long as
 * the bytes themselves; small ones are those that were freed before. */
static void *map(size_t nbytes)
{
    void *memory = mmap(NULL, nbytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static ncg_status fail_memory(size_t nbytes, ncg_error *err)
{
    return nci_fail(err, NCG_ENOMEM, "no memory for a chunk of %zu bytes",
                    nbytes);
}

ncg_status nci_landing_take(nci_landing *landing, size_t nbytes, nci_buf **out,
                            ncg_error *err)
{
    if (nbytes < SMALL)
        return nci_buf_create(nbytes, out, err);
    lease *held = nci_alloc(sizeof *held);
    if (!held)
        return fail_memory(nbytes, err);
    pthread_mutex_lock(&landing->lock);
    block found = find_locked(landing, nbytes);
    landing->users++;
    pthread_mutex_unlock(&landing->lock);
    if (!found.memory)
        found = (block){map(nbytes), nbytes};
    *held = (lease){landing, found.nbytes};
    ncg_status st = found.memory ? nci_buf_wrap(found.memory, nbytes, give_back,
                                                held, out, err)
                                 : fail_memory(nbytes, err);
    if (st) {
        if (found.memory)
            munmap(found.memory, found.nbytes);
        drop_user(landing);
        nci_free(held);
    }
    return st;
}
