/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/buf.h"

#include <stdatomic.h>

#include "base/mem.h"

struct nci_buf {
    _Atomic int32_t refs;
    size_t nbytes;
    void *data;
    void (*release)(void *memory, void *payload);
    void *payload;
};

/* What has neither bytes nor anybody to tell: there is one, which stays. Tasks
 * that are run for what they do leave it, millions of times. */
static nci_buf nothing = {.refs = 2};

static void release_heap(void *memory, void *payload)
{
    (void)payload;
    nci_free(memory);
}

ncg_status nci_buf_wrap(void *memory, size_t nbytes,
                        void (*release)(void *memory, void *payload),
                        void *payload, nci_buf **out, ncg_error *err)
{
    if (!memory && !nbytes && !release) {
        *out = &nothing;
        return NCG_OK;
    }
    nci_buf *buf = nci_alloc(sizeof *buf);
    if (!buf)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    atomic_init(&buf->refs, 1);
    buf->nbytes = nbytes;
    buf->data = memory;
    buf->release = release;
    buf->payload = payload;
    *out = buf;
    return NCG_OK;
}

ncg_status nci_buf_create(size_t nbytes, nci_buf **out, ncg_error *err)
{
    void *memory = nci_alloc_aligned(nbytes);
    if (!memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory (%zu bytes)", nbytes);
    ncg_status st = nci_buf_wrap(memory, nbytes, release_heap, NULL, out, err);
    if (st)
        nci_free(memory);
    return st;
}

static void release_owner(void *memory, void *payload)
{
    nci_buf *of = payload;
    (void)memory;
    nci_buf_release(&of);
}

ncg_status nci_buf_view(const nci_buf *of, const void *data, size_t nbytes,
                        nci_buf **out, ncg_error *err)
{
    nci_buf *owner = nci_buf_retain((nci_buf *)of);
    ncg_status st =
        nci_buf_wrap((void *)data, nbytes, release_owner, owner, out, err);
    if (st)
        nci_buf_release(&owner);
    return st;
}

bool nci_buf_is_view(const nci_buf *buf)
{
    return buf && buf->release == release_owner;
}

nci_buf *nci_buf_retain(nci_buf *buf)
{
    if (buf && buf != &nothing)
        atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    return buf;
}

bool nci_buf_retain_live(nci_buf *buf)
{
    int32_t refs = atomic_load_explicit(&buf->refs, memory_order_relaxed);
    if (buf == &nothing)
        return true;
    while (refs > 0)
        if (atomic_compare_exchange_weak_explicit(&buf->refs, &refs, refs + 1,
                                                  memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

void nci_buf_release(nci_buf **slot)
{
    nci_buf *buf = *slot;
    *slot = NULL;
    if (!buf || buf == &nothing ||
        atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (buf->release)
        buf->release(buf->data, buf->payload);
    nci_free(buf);
}

void *nci_buf_data(const nci_buf *buf)
{
    return buf ? buf->data : NULL;
}

size_t nci_buf_size(const nci_buf *buf)
{
    return buf ? buf->nbytes : 0;
}

bool nci_buf_is_unique(const nci_buf *buf)
{
    return atomic_load_explicit(&buf->refs, memory_order_acquire) == 1;
}
