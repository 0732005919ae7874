/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"

static _Atomic int64_t fail_at;

void nci_mem_fail_at(int64_t n)
{
    atomic_store(&fail_at, n);
}

static bool must_fail(void)
{
    if (atomic_load_explicit(&fail_at, memory_order_relaxed) <= 0)
        return false;
    return atomic_fetch_sub(&fail_at, 1) == 1;
}

/* Big blocks are counted; asking about the others would cost more. */
static void *counted(void *memory, size_t nbytes)
{
    if (nbytes >= NCI_BLOCK_MIN)
        nci_block_made(memory);
    return memory;
}

void *nci_alloc(size_t nbytes)
{
    if (must_fail())
        return NULL;
    return counted(malloc(nbytes ? nbytes : 1), nbytes);
}

void *nci_calloc(size_t count, size_t size)
{
    if (must_fail())
        return NULL;
    size_t nbytes = 0;
    if (!nci_mul_size(count, size, &nbytes))
        return NULL;
    return counted(calloc(1, nbytes ? nbytes : 1), nbytes);
}

void *nci_realloc(void *old, size_t nbytes)
{
    if (must_fail())
        return NULL;
    size_t before = nci_block_size(old);
    void *memory = nci_block_resize(old, nbytes ? nbytes : 1);
    if (memory)
        nci_block_changed(before, memory);
    return memory;
}

/* Addresses without pages behind a big block: chunks at the end of a run of
 * slabs are often a little larger than the others, and fit in as well. */
static size_t slack(size_t nbytes)
{
    return nbytes >= 4 * (size_t)NCI_BLOCK_MIN ? nbytes / 8 : 0;
}

void *nci_alloc_aligned(size_t nbytes)
{
    if (must_fail())
        return NULL;
    void *memory = nci_block_take(nbytes);
    if (memory)
        return memory;
    if (nbytes > SIZE_MAX / 2)
        return NULL;
    size_t room = (nbytes ? nbytes : 64) + slack(nbytes);
    memory = nci_block_map(room);
    if (!memory && posix_memalign(&memory, 64, room))
        return NULL;
    nci_block_populate(memory, nbytes);
    return counted(memory, nbytes);
}

char *nci_strdup(const char *text)
{
    return nci_strndup(text, strlen(text));
}

char *nci_strndup(const char *text, size_t length)
{
    char *copy = nci_alloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

void nci_free(void *memory)
{
    nci_block_give(memory);
}

bool nci_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool nci_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out);
}

bool nci_grow(void *items, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 8, nbytes;
    if (more < need)
        more = need;
    void **slot = items, *grown = NULL;
    if (nci_mul_size(more, size, &nbytes))
        grown = nci_realloc(*slot, nbytes);
    if (!grown)
        return false;
    *slot = grown;
    *capacity = more;
    return true;
}
