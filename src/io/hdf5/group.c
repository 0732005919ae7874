/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Groups. Old ones have a version 1 B-tree of nodes of symbols, whose names
 * are in a local heap; new ones have link messages in the header or, when
 * there are many, in a fractal heap under a version 2 B-tree.
 *
 *   tree node    "TREE", type 0, level, entries (2), left, right, then key,
 *                child, key, child, ..., key
 *   symbol node  "SNOD", version 1, reserved, symbols (2), then each: name in
 *                the heap, object header, kind (4; 2: soft link), reserved
 *                (4), scratch (16)
 *   link info    version 0, flags (0: order tracked, 1: indexed), [largest
 *                order (8)], heap, tree by name, [tree by order]
 *   link         version 1, flags, [kind], [order (8)], [character set],
 *                bytes of the name, name, hard link: object header
 */
#include "io/hdf5/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/hdf5/btree2.h"
#include "io/hdf5/heap.h"

enum {
    MAX_LEVEL = 32,
    SYMBOL_SOFT = 2,
    LINK_NAME_SIZE = 3,
    LINK_HAS_ORDER = 4,
    LINK_HAS_KIND = 8,
    LINK_HAS_CHARSET = 16
};

bool nci_h5_object_is_group(const nci_h5_object *object)
{
    return nci_h5_object_find(object, NCI_H5_SYMBOL_TABLE) ||
           nci_h5_object_find(object, NCI_H5_LINK_INFO) ||
           nci_h5_object_find(object, NCI_H5_GROUP_INFO);
}

void nci_h5_links_fini(nci_h5_links *links)
{
    for (size_t i = 0; i < links->count; i++)
        nci_free(links->items[i].name);
    nci_free(links->items);
    *links = (nci_h5_links){0};
}

static ncg_status add_link(nci_h5_links *links, const char *name, size_t length,
                           uint64_t address, int64_t order, ncg_error *err)
{
    char *copy = nci_strndup(name, length);
    if (!copy || !nci_grow(&links->items, &links->capacity, links->count + 1,
                           sizeof *links->items)) {
        nci_free(copy);
        return nci_fail(err, NCG_ENOMEM, "out of memory for links");
    }
    links->items[links->count++] = (nci_h5_link){copy, address, order};
    return NCG_OK;
}

/* ---- old groups -------------------------------------------------------- */

typedef struct symbols {
    nci_h5 *h5;
    const char *name;
    nci_h5_block heap;
    nci_h5_links *links;
} symbols;

static ncg_status read_symbols(symbols *s, uint64_t address, ncg_error *err)
{
    uint8_t head[8];
    size_t got = 0;
    NCI_TRY(nci_h5_peek(s->h5, address, sizeof head, s->name, head, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(head, got);
    if (!nci_h5_signature(&at, "SNOD"))
        return nci_h5_corrupt(s->h5, address, s->name, "no symbol node there",
                              err);
    nci_h5_skip(&at, 2);
    uint64_t count = nci_h5_uint(&at, 2);
    uint64_t nbytes =
        8 + count * (24 + (uint64_t)(s->h5->length_size + s->h5->offset_size));
    nci_h5_block node;
    NCI_TRY(nci_h5_load(s->h5, address, nbytes, s->name, &node, err));
    at = nci_h5_cursor_of(node.data + 8, node.size - 8);
    ncg_status st = NCG_OK;
    for (uint64_t i = 0; i < count && !st; i++) {
        uint64_t offset = nci_h5_length(&at, s->h5);
        uint64_t object = nci_h5_address(&at, s->h5);
        uint64_t kind = nci_h5_uint(&at, 4);
        nci_h5_skip(&at, 20);
        const char *name = nci_h5_local_name(&s->heap, offset);
        if (!name)
            st = nci_h5_corrupt(s->h5, address, s->name,
                                "a name lies outside its heap", err);
        else if (kind != SYMBOL_SOFT)
            st = add_link(s->links, name, strlen(name), object, 0, err);
    }
    nci_h5_block_fini(&node);
    return st;
}

static ncg_status walk_tree(symbols *s, uint64_t address, int level,
                            ncg_error *err)
{
    nci_h5 *h5 = s->h5;
    uint8_t head[8];
    size_t got = 0;
    NCI_TRY(nci_h5_peek(h5, address, sizeof head, s->name, head, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(head, got);
    bool found = nci_h5_signature(&at, "TREE") && !nci_h5_uint(&at, 1);
    int here = (int)nci_h5_uint(&at, 1);
    uint64_t count = nci_h5_uint(&at, 2);
    if (!found || at.failed || here > MAX_LEVEL ||
        (level >= 0 && here != level))
        return nci_h5_corrupt(h5, address, s->name,
                              "no node of the group's B-tree there", err);
    uint64_t pair = (uint64_t)(h5->length_size + h5->offset_size);
    uint64_t nbytes = 8 + 2 * (uint64_t)h5->offset_size + count * pair;
    nci_h5_block node;
    NCI_TRY(nci_h5_load(h5, address, nbytes, s->name, &node, err));
    at = nci_h5_cursor_of(node.data, node.size);
    nci_h5_skip(&at, 8 + 2 * (uint64_t)h5->offset_size);
    ncg_status st = NCG_OK;
    for (uint64_t i = 0; i < count && !st; i++) {
        nci_h5_length(&at, h5);
        uint64_t child = nci_h5_address(&at, h5);
        st = here ? walk_tree(s, child, here - 1, err)
                  : read_symbols(s, child, err);
    }
    nci_h5_block_fini(&node);
    return st;
}

static ncg_status read_old(nci_h5 *h5, const nci_h5_message *table,
                           const char *name, nci_h5_links *out, ncg_error *err)
{
    symbols s = {.h5 = h5, .name = name, .links = out};
    nci_h5_cursor at = nci_h5_cursor_of(table->body, table->size);
    uint64_t tree = nci_h5_address(&at, h5), heap = nci_h5_address(&at, h5);
    if (at.failed)
        return nci_h5_corrupt(h5, table->address, name, "cut short", err);
    NCI_TRY(nci_h5_local_load(h5, heap, name, &s.heap, err));
    ncg_status st = walk_tree(&s, tree, -1, err);
    nci_h5_block_fini(&s.heap);
    return st;
}

/* ---- new groups -------------------------------------------------------- */

static ncg_status read_link(const nci_h5 *h5, nci_h5_cursor at,
                            const char *group, nci_h5_links *out,
                            ncg_error *err)
{
    unsigned version = (unsigned)nci_h5_uint(&at, 1);
    unsigned flags = (unsigned)nci_h5_uint(&at, 1);
    unsigned kind = flags & LINK_HAS_KIND ? (unsigned)nci_h5_uint(&at, 1) : 0;
    uint64_t order = flags & LINK_HAS_ORDER ? nci_h5_uint(&at, 8) : 0;
    if (flags & LINK_HAS_CHARSET)
        nci_h5_skip(&at, 1);
    uint64_t length = nci_h5_uint(&at, 1 << (flags & LINK_NAME_SIZE));
    const uint8_t *name = nci_h5_skip(&at, length);
    uint64_t address = kind ? 0 : nci_h5_address(&at, h5);
    if (version != 1 && !at.failed)
        return nci_fail(err, NCG_EUNSUPPORTED, "%s: link message of version %u",
                        group, version);
    if (at.failed || !length || memchr(name, 0, (size_t)length))
        return nci_fail(err, NCG_ECORRUPT, "%s: damaged link message", group);
    if (kind)
        return NCG_OK;
    return add_link(out, (const char *)name, (size_t)length, address,
                    (int64_t)order, err);
}

typedef struct dense {
    nci_h5 *h5;
    const char *name;
    nci_h5_fractal heap;
    nci_h5_links *links;
} dense;

static ncg_status read_dense_link(nci_h5_cursor record, void *payload,
                                  ncg_error *err)
{
    dense *d = payload;
    nci_h5_cursor link;
    nci_h5_skip(&record, 4);
    const uint8_t *id = nci_h5_skip(&record, (uint64_t)d->heap.id_size);
    if (!id)
        return nci_h5_corrupt(d->h5, d->heap.address, d->name,
                              "record of a link is cut short", err);
    NCI_TRY(nci_h5_fractal_get(d->h5, &d->heap, id, d->name, &link, err));
    return read_link(d->h5, link, d->name, d->links, err);
}

static ncg_status read_dense(nci_h5 *h5, const nci_h5_message *info,
                             const char *name, nci_h5_links *out,
                             bool *tracks_order, ncg_error *err)
{
    dense d = {.h5 = h5, .name = name, .links = out};
    nci_h5_cursor at = nci_h5_cursor_of(info->body, info->size);
    unsigned version = (unsigned)nci_h5_uint(&at, 1);
    unsigned flags = (unsigned)nci_h5_uint(&at, 1);
    if (version && !at.failed)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: link info message of version %u", name, version);
    if (flags & 1)
        nci_h5_skip(&at, 8);
    *tracks_order = flags & 1;
    uint64_t heap = nci_h5_address(&at, h5), tree = nci_h5_address(&at, h5);
    if (at.failed)
        return nci_h5_corrupt(h5, info->address, name, "cut short", err);
    if (heap == NCI_NO_ADDRESS)
        return NCG_OK;
    NCI_TRY(nci_h5_fractal_open(h5, heap, name, &d.heap, err));
    ncg_status st = nci_h5_btree2_walk(h5, tree, NCI_H5_RECORD_LINK_NAME,
                                       NCI_H5_RECORD_LINK_NAME, NULL, name,
                                       read_dense_link, &d, err);
    nci_h5_fractal_fini(&d.heap);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const nci_h5_link *)a)->name,
                  ((const nci_h5_link *)b)->name);
}

static int by_order(const void *a, const void *b)
{
    int64_t x = ((const nci_h5_link *)a)->order;
    int64_t y = ((const nci_h5_link *)b)->order;
    return x != y ? (x > y) - (x < y) : by_name(a, b);
}

static ncg_status read_all(nci_h5 *h5, const nci_h5_object *group,
                           const char *name, nci_h5_links *out,
                           bool *tracks_order, ncg_error *err)
{
    const nci_h5_message *table =
        nci_h5_object_find(group, NCI_H5_SYMBOL_TABLE);
    if (table)
        return read_old(h5, table, name, out, err);
    const nci_h5_message *info = nci_h5_object_find(group, NCI_H5_LINK_INFO);
    if (info)
        NCI_TRY(read_dense(h5, info, name, out, tracks_order, err));
    for (size_t i = 0; i < group->count; i++) {
        const nci_h5_message *m = &group->messages[i];
        if (m->type == NCI_H5_LINK)
            NCI_TRY(read_link(h5, nci_h5_cursor_of(m->body, m->size), name, out,
                              err));
    }
    return NCG_OK;
}

ncg_status nci_h5_links_read(nci_h5 *h5, const nci_h5_object *group,
                             const char *name, nci_h5_links *out,
                             ncg_error *err)
{
    nci_h5_links links = {0};
    bool tracks_order = false;
    ncg_status st = read_all(h5, group, name, &links, &tracks_order, err);
    if (st) {
        nci_h5_links_fini(&links);
        return st;
    }
    if (links.count)
        qsort(links.items, links.count, sizeof *links.items,
              tracks_order ? by_order : by_name);
    *out = links;
    return NCG_OK;
}
