/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local and the global heap.
 *
 *   local   "HEAP", version 0, reserved (3), bytes of data, free list,
 *           address of data
 *   global  "GCOL", version 1, reserved (3), bytes of the collection, objects:
 *           index (2), references (2), reserved (4), bytes, data; all three
 *           padded to 8; index 0 is free space up to the end
 */
#include <string.h>

#include "io/hdf5/heap.h"

enum { LOCAL_HEAD = 8 + 3 * 8, GLOBAL_HEAD = 16, MAX_COLLECTION = 1 << 30 };

ncg_status nci_h5_local_load(nci_h5 *h5, uint64_t address, const char *name,
                             nci_h5_block *out, ncg_error *err)
{
    uint8_t head[LOCAL_HEAD];
    size_t got = 0;
    NCI_TRY(nci_h5_peek(h5, address, sizeof head, name, head, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(head, got);
    if (!nci_h5_signature(&at, "HEAP"))
        return nci_h5_corrupt(h5, address, name, "no local heap there", err);
    nci_h5_skip(&at, 4);
    uint64_t size = nci_h5_length(&at, h5);
    nci_h5_length(&at, h5);
    uint64_t data = nci_h5_address(&at, h5);
    if (at.failed)
        return nci_h5_corrupt(h5, address, name, "truncated", err);
    return nci_h5_load(h5, data, size, name, out, err);
}

const char *nci_h5_local_name(const nci_h5_block *heap, uint64_t offset)
{
    if (offset >= heap->size ||
        !memchr(heap->data + offset, 0, heap->size - (size_t)offset))
        return NULL;
    return (const char *)heap->data + offset;
}

/* Returns the cached collection, reading it in place of the oldest. */
static ncg_status collection(nci_h5 *h5, uint64_t address, const char *name,
                             nci_h5_block **out, ncg_error *err)
{
    for (int i = 0; i < NCI_H5_HEAP_CACHE; i++)
        if (h5->collections[i].data && h5->collections[i].address == address) {
            *out = &h5->collections[i];
            return NCG_OK;
        }
    uint8_t head[GLOBAL_HEAD];
    size_t got = 0;
    NCI_TRY(nci_h5_peek(h5, address, sizeof head, name, head, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(head, got);
    if (!nci_h5_signature(&at, "GCOL") || nci_h5_uint(&at, 1) != 1)
        return nci_h5_corrupt(h5, address, name, "no global heap there", err);
    nci_h5_skip(&at, 3);
    uint64_t size = nci_h5_length(&at, h5);
    if (at.failed || size > MAX_COLLECTION)
        return nci_h5_corrupt(h5, address, name, "bad global heap", err);
    nci_h5_block fresh;
    NCI_TRY(nci_h5_load(h5, address, size, name, &fresh, err));
    nci_h5_block *slot = &h5->collections[h5->next_collection];
    h5->next_collection = (h5->next_collection + 1) % NCI_H5_HEAP_CACHE;
    nci_h5_block_fini(slot);
    *slot = fresh;
    *out = slot;
    return NCG_OK;
}

ncg_status nci_h5_global_get(nci_h5 *h5, uint64_t address, uint32_t index,
                             const char *name, nci_h5_cursor *out,
                             ncg_error *err)
{
    nci_h5_block *block = NULL;
    NCI_TRY(collection(h5, address, name, &block, err));
    nci_h5_cursor at = nci_h5_cursor_of(block->data, block->size);
    nci_h5_skip(&at, GLOBAL_HEAD);
    while (!at.failed && nci_h5_left(&at) >= GLOBAL_HEAD) {
        uint32_t found = (uint32_t)nci_h5_uint(&at, 2);
        nci_h5_skip(&at, 6);
        uint64_t size = nci_h5_length(&at, h5);
        nci_h5_skip(&at, 8 - (uint64_t)h5->length_size);
        if (!found)
            break;
        const uint8_t *data = nci_h5_skip(&at, size);
        if (found == index && data) {
            *out = nci_h5_cursor_of(data, (size_t)size);
            return NCG_OK;
        }
        if (size % 8)
            nci_h5_skip(&at, 8 - size % 8);
    }
    return nci_h5_corrupt(h5, address, name,
                          "a value is not in its global heap", err);
}
