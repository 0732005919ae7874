/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Version 2 B-trees.
 *
 *   header    "BTHD", version 0, type, bytes of a node (4), bytes of a record
 *             (2), depth (2), split and merge percent, root, records in the
 *             root (2), in all, checksum
 *   leaf      "BTLF", version, type, records; checksum right after them
 *   internal  "BTIN", version, type, records, then one pointer more than
 *             records: address, records in the child, [records below it]
 *
 * The width of the counts in a pointer follows from how many records can be
 * below it, so it is worked out for each level first.
 */
#include "io/hdf5/btree2.h"

enum { MAX_DEPTH = 16, HEAD = 64, NODE_FIXED = 10, MAX_NODE = 1 << 28 };

typedef struct tree {
    nci_h5 *h5;
    const char *name;
    nci_h5_record_type type;
    uint32_t node_size;
    int record_size, depth;
    int count_bytes;                /* of the records in a child */
    int total_bytes[MAX_DEPTH + 1]; /* of the records below, by level */
    uint64_t most[MAX_DEPTH + 1];   /* records in a node, by level */
    nci_h5_record_fn visit;
    void *payload;
} tree;

static int bytes_for(uint64_t value)
{
    return nci_h5_log2(value) / 8 + 1;
}

static int pointer_size(const tree *t, int level)
{
    return t->h5->offset_size + t->count_bytes + t->total_bytes[level - 1];
}

/* False where a node has no room for a record. */
static bool measure(tree *t)
{
    uint64_t below = 0, room = t->node_size - NODE_FIXED;
    t->most[0] = room / (uint64_t)t->record_size;
    t->count_bytes = bytes_for(t->most[0]);
    below = t->most[0];
    for (int level = 1; level <= t->depth && t->most[level - 1]; level++) {
        uint64_t pointer = (uint64_t)pointer_size(t, level);
        if (room <= pointer)
            return false;
        t->most[level] =
            (room - pointer) / ((uint64_t)t->record_size + pointer);
        if (__builtin_mul_overflow(t->most[level] + 1, below, &below) ||
            __builtin_add_overflow(t->most[level], below, &below))
            return false;
        t->total_bytes[level] = bytes_for(below);
    }
    return t->most[t->depth];
}

static ncg_status walk(tree *t, uint64_t address, uint64_t count, int level,
                       ncg_error *err);

static ncg_status walk_children(tree *t, const nci_h5_block *node,
                                uint64_t count, int level, ncg_error *err)
{
    size_t records = 6, width = (size_t)t->record_size;
    nci_h5_cursor at = nci_h5_cursor_of(node->data, node->size);
    nci_h5_skip(&at, records + count * width);
    for (uint64_t i = 0; i <= count; i++) {
        uint64_t child = nci_h5_address(&at, t->h5);
        uint64_t below = nci_h5_uint(&at, t->count_bytes);
        nci_h5_uint(&at, t->total_bytes[level - 1]);
        NCI_TRY(walk(t, child, below, level - 1, err));
        if (i < count)
            NCI_TRY(t->visit(
                nci_h5_cursor_of(node->data + records + i * width, width),
                t->payload, err));
    }
    return NCG_OK;
}

static ncg_status walk_leaf(tree *t, const nci_h5_block *node, uint64_t count,
                            ncg_error *err)
{
    size_t width = (size_t)t->record_size;
    for (uint64_t i = 0; i < count; i++)
        NCI_TRY(t->visit(nci_h5_cursor_of(node->data + 6 + i * width, width),
                         t->payload, err));
    return NCG_OK;
}

static ncg_status check_node(const tree *t, const nci_h5_block *node, int level,
                             ncg_error *err)
{
    nci_h5_cursor at = nci_h5_cursor_of(node->data, node->size);
    if (!nci_h5_signature(&at, level ? "BTIN" : "BTLF"))
        return nci_h5_corrupt(t->h5, node->address, t->name,
                              "no node of a version 2 B-tree there", err);
    nci_h5_skip(&at, 1);
    if (nci_h5_uint(&at, 1) != t->type)
        return nci_h5_corrupt(t->h5, node->address, t->name,
                              "B-tree node of another type", err);
    return nci_h5_check_sum(t->h5, node, t->name, err);
}

static ncg_status walk(tree *t, uint64_t address, uint64_t count, int level,
                       ncg_error *err)
{
    if (count > t->most[level])
        return nci_h5_corrupt(t->h5, address, t->name,
                              "more records than a B-tree node holds", err);
    uint64_t nbytes = NODE_FIXED + count * (uint64_t)t->record_size;
    if (level)
        nbytes += (count + 1) * (uint64_t)pointer_size(t, level);
    nci_h5_block node;
    NCI_TRY(nci_h5_load(t->h5, address, nbytes, t->name, &node, err));
    ncg_status st = check_node(t, &node, level, err);
    if (!st)
        st = level ? walk_children(t, &node, count, level, err)
                   : walk_leaf(t, &node, count, err);
    nci_h5_block_fini(&node);
    return st;
}

ncg_status nci_h5_btree2_walk(nci_h5 *h5, uint64_t address,
                              nci_h5_record_type type, nci_h5_record_type other,
                              nci_h5_record_type *found, const char *name,
                              nci_h5_record_fn visit, void *payload,
                              ncg_error *err)
{
    tree t = {.h5 = h5, .name = name, .visit = visit, .payload = payload};
    nci_h5_block head;
    uint64_t nbytes = 22 + (uint64_t)(h5->offset_size + h5->length_size);
    NCI_TRY(nci_h5_load(h5, address, nbytes, name, &head, err));
    nci_h5_cursor at = nci_h5_cursor_of(head.data, head.size);
    bool sound = nci_h5_signature(&at, "BTHD") && !nci_h5_uint(&at, 1);
    t.type = (nci_h5_record_type)nci_h5_uint(&at, 1);
    t.node_size = (uint32_t)nci_h5_uint(&at, 4);
    t.record_size = (int)nci_h5_uint(&at, 2);
    t.depth = (int)nci_h5_uint(&at, 2);
    nci_h5_skip(&at, 2);
    uint64_t root = nci_h5_address(&at, h5), count = nci_h5_uint(&at, 2);
    sound = sound && (t.type == type || t.type == other) && t.record_size &&
            t.node_size > NODE_FIXED && t.node_size <= MAX_NODE &&
            t.depth <= MAX_DEPTH && measure(&t);
    ncg_status st = nci_h5_check_sum(h5, &head, name, err);
    nci_h5_block_fini(&head);
    if (st)
        return st;
    if (!sound)
        return nci_h5_corrupt(h5, address, name,
                              "not the version 2 B-tree that is needed", err);
    if (found)
        *found = t.type;
    return count ? walk(&t, root, count, t.depth, err) : NCG_OK;
}
