/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks in a version 1 B-tree, the index of nearly all NetCDF-4 files.
 *
 *   node  "TREE", type 1, level, entries (2), left, right (addresses), then
 *         key, child, key, child, ..., key
 *   key   stored bytes (4), filter mask (4), position of the chunk's first
 *         value (8 each, one for each axis, then 0)
 *
 * A node is read with one read: its size is that of 64 entries unless the file
 * was made otherwise, which is seen from the count in it.
 */
#include "base/mem.h"
#include "io/hdf5/index.h"

enum { USUAL_ENTRIES = 64, MAX_LEVEL = 64 };

typedef struct tree {
    nci_h5_walk *walk;
    size_t key_size;
    size_t node_size; /* for USUAL_ENTRIES */
} tree;

static size_t node_bytes(const tree *t, size_t entries)
{
    size_t offset = (size_t)t->walk->h5->offset_size;
    return 8 + 2 * offset + entries * (t->key_size + offset) + t->key_size;
}

static uint64_t little64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static ncg_status enter(const tree *t, const uint8_t *key, uint64_t address,
                        ncg_error *err)
{
    nci_h5_walk *walk = t->walk;
    uint64_t index[NCG_MAX_RANK];
    nci_h5_cursor at = nci_h5_cursor_of(key, 8);
    uint64_t nbytes = nci_h5_uint(&at, 4);
    uint32_t mask = (uint32_t)nci_h5_uint(&at, 4);
    for (int d = 0; d < walk->var->rank; d++) {
        uint64_t chunk = (uint64_t)walk->var->storage.chunk[d];
        uint64_t first = little64(key + 8 + 8 * d);
        index[d] = first / chunk;
        if (first % chunk)
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: a chunk begins at %llu of axis %d, between "
                            "chunks of %llu",
                            walk->var->name, (unsigned long long)first, d,
                            (unsigned long long)chunk);
    }
    return nci_h5_place(walk, index, address, nbytes, mask, err);
}

static ncg_status visit(const tree *t, uint64_t address, int level,
                        ncg_error *err);

static ncg_status visit_entries(const tree *t, nci_h5_cursor at, int level,
                                uint64_t count, ncg_error *err)
{
    const nci_h5 *h5 = t->walk->h5;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *key = nci_h5_skip(&at, t->key_size);
        uint64_t child = nci_h5_address(&at, h5);
        if (!key || at.failed)
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: its chunk index is cut short",
                            t->walk->var->name);
        NCI_TRY(level ? visit(t, child, level - 1, err)
                      : enter(t, key, child, err));
    }
    return NCG_OK;
}

/* Reads a node into `buffer`, or into fresh memory *more when it is larger
 * than usual. */
static ncg_status read_node(const tree *t, uint64_t address, uint8_t *buffer,
                            nci_h5_block *more, nci_h5_cursor *out, int *level,
                            uint64_t *count, ncg_error *err)
{
    nci_h5 *h5 = t->walk->h5;
    const char *name = t->walk->var->name;
    size_t got = 0;
    NCI_TRY(nci_h5_peek(h5, address, t->node_size, name, buffer, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(buffer, got);
    bool found = nci_h5_signature(&at, "TREE") && nci_h5_uint(&at, 1) == 1;
    *level = (int)nci_h5_uint(&at, 1);
    *count = nci_h5_uint(&at, 2);
    if (!found || at.failed || *level > MAX_LEVEL)
        return nci_h5_corrupt(h5, address, name,
                              "no node of its chunk index there", err);
    if (*count > USUAL_ENTRIES) {
        NCI_TRY(nci_h5_load(h5, address, node_bytes(t, (size_t)*count), name,
                            more, err));
        at = nci_h5_cursor_of(more->data, more->size);
        nci_h5_skip(&at, 8);
    }
    nci_h5_skip(&at, 2 * (uint64_t)h5->offset_size);
    *out = at;
    return NCG_OK;
}

static ncg_status visit(const tree *t, uint64_t address, int level,
                        ncg_error *err)
{
    nci_h5_block more = {0};
    nci_h5_cursor at;
    uint64_t count = 0;
    int here = 0;
    uint8_t *buffer = nci_alloc(t->node_size);
    if (!buffer)
        return nci_fail(err, NCG_ENOMEM, "%s: out of memory for its index",
                        t->walk->var->name);
    ncg_status st =
        read_node(t, address, buffer, &more, &at, &here, &count, err);
    if (!st && level >= 0 && here != level)
        st = nci_h5_corrupt(t->walk->h5, address, t->walk->var->name,
                            "node of its chunk index on a wrong level", err);
    if (!st)
        st = visit_entries(t, at, here, count, err);
    nci_h5_block_fini(&more);
    nci_free(buffer);
    return st;
}

ncg_status nci_h5_walk_btree1(nci_h5_walk *walk, ncg_error *err)
{
    tree t = {.walk = walk};
    t.key_size = 8 + 8 * ((size_t)walk->var->rank + 1);
    t.node_size = node_bytes(&t, USUAL_ENTRIES);
    return visit(&t, walk->root, -1, err);
}
