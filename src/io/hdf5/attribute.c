/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding and parsing attributes; their values are in attribute_value.c.
 *
 *   attribute       version, reserved or flags (0: type shared, 1: space
 *                   shared), bytes of name, type and space (2 each), version
 *                   3: character set, then the three; version 1 pads each to 8
 *   attribute info  version 0, flags (0: order tracked, 1: indexed), [largest
 *                   order (2)], heap, tree by name, [tree by order]
 *   record in the tree by name: heap id (8), flags, order (4), hash (4)
 */
#include "io/hdf5/attribute.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/hdf5/btree2.h"

enum { FLAG_SHARED_TYPE = 1, FLAG_SHARED_SPACE = 2, RECORD_SHARED = 2 };

void nci_h5_attributes_fini(nci_h5_attributes *attributes)
{
    nci_free(attributes->items);
    nci_h5_fractal_fini(&attributes->heap);
    *attributes = (nci_h5_attributes){0};
}

const nci_h5_attribute *nci_h5_attributes_find(const nci_h5_attributes *list,
                                               const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

typedef struct parts {
    const uint8_t *name;
    uint64_t name_size;
    nci_h5_cursor type, space;
    unsigned flags;
} parts;

static nci_h5_cursor part(nci_h5_cursor *at, uint64_t size, bool padded)
{
    const uint8_t *data = nci_h5_skip(at, size);
    if (padded && size % 8)
        nci_h5_skip(at, 8 - size % 8);
    return nci_h5_cursor_of(data, data ? (size_t)size : 0);
}

/* Splits a message; what is left of `at` are the values. */
static ncg_status split(nci_h5_cursor *at, const char *owner, parts *out,
                        ncg_error *err)
{
    unsigned version = (unsigned)nci_h5_uint(at, 1);
    unsigned flags = (unsigned)nci_h5_uint(at, 1);
    if (!at->failed && (version < 1 || version > 3))
        return nci_fail(err, NCG_EUNSUPPORTED, "%s: attribute of version %u",
                        owner, version);
    out->flags = version == 1 ? 0 : flags;
    out->name_size = nci_h5_uint(at, 2);
    uint64_t type = nci_h5_uint(at, 2), space = nci_h5_uint(at, 2);
    if (version == 3)
        nci_h5_skip(at, 1);
    out->name = part(at, out->name_size, version == 1).at;
    out->type = part(at, type, version == 1);
    out->space = part(at, space, version == 1);
    if (at->failed || !memchr(out->name, 0, (size_t)out->name_size))
        return nci_fail(err, NCG_ECORRUPT, "%s: damaged attribute", owner);
    return NCG_OK;
}

static ncg_status read_type(nci_h5 *h5, const parts *p, const char *owner,
                            nci_h5_type *out, ncg_error *err)
{
    nci_h5_body body;
    bool shared = p->flags & FLAG_SHARED_TYPE;
    NCI_TRY(nci_h5_body_open(h5, NCI_H5_DATATYPE, shared, p->type, owner, &body,
                             err));
    ncg_status st = nci_h5_type_read(h5, body.cursor, owner, out, err);
    nci_h5_body_fini(&body);
    out->is_committed = shared;
    return st;
}

static ncg_status read_space(nci_h5 *h5, const parts *p, const char *owner,
                             nci_h5_space *out, ncg_error *err)
{
    nci_h5_body body;
    bool shared = p->flags & FLAG_SHARED_SPACE;
    NCI_TRY(nci_h5_body_open(h5, NCI_H5_DATASPACE, shared, p->space, owner,
                             &body, err));
    ncg_status st = nci_h5_space_read(h5, body.cursor, owner, out, err);
    nci_h5_body_fini(&body);
    return st;
}

static ncg_status add(nci_h5 *h5, nci_h5_cursor at, uint32_t order,
                      const char *owner, nci_h5_attributes *out, ncg_error *err)
{
    nci_h5_attribute attribute = {.order = order};
    parts p = {0};
    uint64_t nbytes;
    NCI_TRY(split(&at, owner, &p, err));
    attribute.name = (const char *)p.name;
    NCI_TRY(read_type(h5, &p, owner, &attribute.type, err));
    NCI_TRY(read_space(h5, &p, owner, &attribute.space, err));
    if (__builtin_mul_overflow(attribute.space.count, attribute.type.size,
                               &nbytes) ||
        nbytes > nci_h5_left(&at))
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: attribute %s is shorter than its values", owner,
                        attribute.name);
    attribute.values = nci_h5_cursor_of(at.at, (size_t)nbytes);
    if (!nci_grow(&out->items, &out->capacity, out->count + 1,
                  sizeof *out->items))
        return nci_fail(err, NCG_ENOMEM, "out of memory for attributes of %s",
                        owner);
    out->items[out->count++] = attribute;
    return NCG_OK;
}

typedef struct dense {
    nci_h5 *h5;
    const char *name;
    nci_h5_attributes *out;
} dense;

static ncg_status add_dense(nci_h5_cursor record, void *payload, ncg_error *err)
{
    dense *d = payload;
    nci_h5_cursor message;
    const uint8_t *id = nci_h5_skip(&record, (uint64_t)d->out->heap.id_size);
    uint64_t flags = nci_h5_uint(&record, 1);
    uint32_t order = (uint32_t)nci_h5_uint(&record, 4);
    if (record.failed)
        return nci_h5_corrupt(d->h5, d->out->heap.address, d->name,
                              "record of an attribute is cut short", err);
    if (flags & RECORD_SHARED)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: attribute kept in the file's heap of shared "
                        "messages",
                        d->name);
    NCI_TRY(
        nci_h5_fractal_get(d->h5, &d->out->heap, id, d->name, &message, err));
    return add(d->h5, message, order, d->name, d->out, err);
}

static ncg_status read_dense(nci_h5 *h5, const nci_h5_message *info,
                             const char *name, nci_h5_attributes *out,
                             ncg_error *err)
{
    dense d = {h5, name, out};
    nci_h5_cursor at = nci_h5_cursor_of(info->body, info->size);
    unsigned version = (unsigned)nci_h5_uint(&at, 1);
    unsigned flags = (unsigned)nci_h5_uint(&at, 1);
    if (version && !at.failed)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: attribute info message of version %u", name,
                        version);
    if (flags & 1)
        nci_h5_skip(&at, 2);
    uint64_t heap = nci_h5_address(&at, h5), tree = nci_h5_address(&at, h5);
    if (at.failed)
        return nci_h5_corrupt(h5, info->address, name, "cut short", err);
    if (heap == NCI_NO_ADDRESS)
        return NCG_OK;
    NCI_TRY(nci_h5_fractal_open(h5, heap, name, &out->heap, err));
    return nci_h5_btree2_walk(h5, tree, NCI_H5_RECORD_ATTRIBUTE_NAME,
                              NCI_H5_RECORD_ATTRIBUTE_NAME, NULL, name,
                              add_dense, &d, err);
}

static ncg_status read_compact(nci_h5 *h5, const nci_h5_message *message,
                               uint32_t order, const char *name,
                               nci_h5_attributes *out, ncg_error *err)
{
    nci_h5_cursor at = nci_h5_cursor_of(message->body, message->size);
    if (message->is_shared)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: attribute kept in the file's heap of shared "
                        "messages",
                        name);
    return add(h5, at, order, name, out, err);
}

static int by_order(const void *a, const void *b)
{
    const nci_h5_attribute *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static ncg_status read_all(nci_h5 *h5, const nci_h5_object *object,
                           const char *name, nci_h5_attributes *out,
                           ncg_error *err)
{
    for (size_t i = 0; i < object->count; i++) {
        const nci_h5_message *m = &object->messages[i];
        uint32_t order = object->tracks_order ? m->order : (uint32_t)out->count;
        if (m->type == NCI_H5_ATTRIBUTE)
            NCI_TRY(read_compact(h5, m, order, name, out, err));
        else if (m->type == NCI_H5_ATTRIBUTE_INFO)
            NCI_TRY(read_dense(h5, m, name, out, err));
    }
    return NCG_OK;
}

/* Without tracking the order is that of the messages, or of the tree. */
ncg_status nci_h5_attributes_read(nci_h5 *h5, const nci_h5_object *object,
                                  const char *name, nci_h5_attributes *out,
                                  ncg_error *err)
{
    nci_h5_attributes list = {0};
    ncg_status st = read_all(h5, object, name, &list, err);
    if (st) {
        nci_h5_attributes_fini(&list);
        return st;
    }
    if (list.count && object->tracks_order)
        qsort(list.items, list.count, sizeof *list.items, by_order);
    *out = list;
    return NCG_OK;
}
