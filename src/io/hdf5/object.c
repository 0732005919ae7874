/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Object headers.
 *
 *   version 1                            version 2
 *   0  version, reserved                 0  "OHDR", version, flags
 *   2  number of messages (2)            6  [times (16)] [phase change (4)]
 *   4  reference count (4)               .  bytes of the first block (1 to 8)
 *   8  bytes of the first block (4)      .  messages, checksum (4)
 *   16 messages
 *   message: type (2) size (2)           message: type (1) size (2)
 *     flags (1) reserved (3)               flags (1) [order (2)]
 *   continuation: messages only          continuation: "OCHK", messages,
 *                                          checksum (4)
 */
#include "io/hdf5/object.h"

#include "base/mem.h"

enum {
    FIRST_PEEK = 64,
    MAX_CONTINUATIONS = 4096,
    FLAG_SHARED = 0x02,
    FLAG_MUST_KNOW = 0x80,
    LAST_KNOWN_TYPE = 0x18,
    V2_ORDER_SIZE = 0x03,
    V2_TRACKS_ORDER = 0x04,
    V2_PHASE_CHANGE = 0x10,
    V2_TIMES = 0x20
};

void nci_h5_object_fini(nci_h5_object *object)
{
    for (size_t i = 0; i < object->nblocks; i++)
        nci_h5_block_fini(&object->blocks[i]);
    nci_free(object->blocks);
    nci_free(object->messages);
    *object = (nci_h5_object){0};
}

const nci_h5_message *nci_h5_object_find(const nci_h5_object *object,
                                         nci_h5_message_type type)
{
    for (size_t i = 0; i < object->count; i++)
        if (object->messages[i].type == type)
            return &object->messages[i];
    return NULL;
}

static ncg_status no_memory(const char *name, ncg_error *err)
{
    return nci_fail(err, NCG_ENOMEM, "out of memory for the header of %s",
                    name);
}

/* Loads a block and keeps it with the object. */
static ncg_status add_block(nci_h5 *h5, nci_h5_object *object, uint64_t address,
                            uint64_t nbytes, const char *name, ncg_error *err)
{
    if (object->nblocks > MAX_CONTINUATIONS)
        return nci_h5_corrupt(h5, object->address, name,
                              "too many continuations of its header", err);
    if (!nci_grow(&object->blocks, &object->blocks_capacity,
                  object->nblocks + 1, sizeof *object->blocks))
        return no_memory(name, err);
    NCI_TRY(nci_h5_load(h5, address, nbytes, name,
                        &object->blocks[object->nblocks], err));
    object->nblocks++;
    return NCG_OK;
}

/* Takes one message's head; the cursor stands on its body after. */
static bool read_head(const nci_h5_object *object, nci_h5_cursor *at,
                      nci_h5_message *out)
{
    bool old = object->version == 1;
    uint64_t type = nci_h5_uint(at, old ? 2 : 1);
    out->size = (size_t)nci_h5_uint(at, 2);
    uint8_t flags = (uint8_t)nci_h5_uint(at, 1);
    if (old)
        nci_h5_skip(at, 3);
    else if (object->tracks_order)
        out->order = (uint16_t)nci_h5_uint(at, 2);
    out->type = type > UINT8_MAX ? UINT8_MAX : (uint8_t)type;
    out->is_shared = flags & FLAG_SHARED;
    out->must_know = flags & FLAG_MUST_KNOW;
    return !at->failed;
}

/* Collects the messages of bytes [from, to) of a block. What is left at the
 * end and too small for a message is a gap. */
static ncg_status read_messages(nci_h5 *h5, nci_h5_object *object, size_t from,
                                size_t to, const char *name, ncg_error *err)
{
    nci_h5_block block = object->blocks[object->nblocks - 1];
    nci_h5_cursor at = nci_h5_cursor_of(block.data + from, to - from);
    size_t least = object->version == 1 ? 8 : object->tracks_order ? 6 : 4;
    while (nci_h5_left(&at) >= least) {
        nci_h5_message message = {0};
        if (!read_head(object, &at, &message))
            break;
        message.body = nci_h5_skip(&at, message.size);
        if (!message.body)
            return nci_h5_corrupt(h5, block.address, name,
                                  "a message reaches beyond its header", err);
        message.address = block.address + (uint64_t)(message.body - block.data);
        if (!nci_grow(&object->messages, &object->capacity, object->count + 1,
                      sizeof *object->messages))
            return no_memory(name, err);
        object->messages[object->count++] = message;
    }
    return NCG_OK;
}

static ncg_status check_new_block(nci_h5 *h5, const nci_h5_object *object,
                                  const char *signature, const char *name,
                                  ncg_error *err)
{
    const nci_h5_block *block = &object->blocks[object->nblocks - 1];
    nci_h5_cursor at = nci_h5_cursor_of(block->data, block->size);
    if (!nci_h5_signature(&at, signature))
        return nci_h5_corrupt(h5, block->address, name,
                              "no object header there", err);
    return nci_h5_check_sum(h5, block, name, err);
}

/* A continuation message names the next block; blocks are appended while the
 * list of messages grows, so this ends when all are read. */
static ncg_status follow(nci_h5 *h5, nci_h5_object *object, const char *name,
                         ncg_error *err)
{
    for (size_t i = 0; i < object->count; i++) {
        if (object->messages[i].type != NCI_H5_CONTINUATION)
            continue;
        nci_h5_cursor at = nci_h5_cursor_of(object->messages[i].body,
                                            object->messages[i].size);
        uint64_t address = nci_h5_address(&at, h5);
        uint64_t size = nci_h5_length(&at, h5);
        if (at.failed || (object->version == 2 && size < 8))
            return nci_h5_corrupt(h5, object->messages[i].address, name,
                                  "bad continuation message", err);
        NCI_TRY(add_block(h5, object, address, size, name, err));
        if (object->version == 2)
            NCI_TRY(check_new_block(h5, object, "OCHK", name, err));
        size_t from = object->version == 2 ? 4 : 0;
        size_t to = (size_t)size - from;
        NCI_TRY(read_messages(h5, object, from, to, name, err));
    }
    return NCG_OK;
}

static ncg_status load_old(nci_h5 *h5, nci_h5_object *object, nci_h5_cursor at,
                           const char *name, ncg_error *err)
{
    nci_h5_skip(&at, 8);
    uint64_t size = nci_h5_uint(&at, 4);
    if (at.failed)
        return nci_h5_corrupt(h5, object->address, name, "truncated", err);
    object->version = 1;
    NCI_TRY(add_block(h5, object, object->address, 16 + size, name, err));
    return read_messages(h5, object, 16, 16 + (size_t)size, name, err);
}

static ncg_status load_new(nci_h5 *h5, nci_h5_object *object, nci_h5_cursor at,
                           const char *name, ncg_error *err)
{
    const uint8_t *begin = at.at;
    nci_h5_skip(&at, 4);
    object->version = (int)nci_h5_uint(&at, 1);
    uint8_t flags = (uint8_t)nci_h5_uint(&at, 1);
    object->tracks_order = flags & V2_TRACKS_ORDER;
    nci_h5_skip(&at, (flags & V2_TIMES ? 16 : 0) +
                         (flags & V2_PHASE_CHANGE ? 4 : 0));
    uint64_t size = nci_h5_uint(&at, 1 << (flags & V2_ORDER_SIZE));
    if (at.failed)
        return nci_h5_corrupt(h5, object->address, name, "truncated", err);
    if (object->version != 2)
        return nci_fail(err, NCG_EUNSUPPORTED, "%s: object header version %d",
                        name, object->version);
    size_t head = (size_t)(at.at - begin);
    if (size > h5->file_size)
        return nci_h5_corrupt(h5, object->address, name,
                              "header larger than the file", err);
    NCI_TRY(add_block(h5, object, object->address, head + size + 4, name, err));
    NCI_TRY(check_new_block(h5, object, "OHDR", name, err));
    return read_messages(h5, object, head, head + (size_t)size, name, err);
}

ncg_status nci_h5_object_load(nci_h5 *h5, uint64_t address, const char *name,
                              nci_h5_object *out, ncg_error *err)
{
    uint8_t head[FIRST_PEEK];
    size_t got = 0;
    nci_h5_object object = {.address = address};
    NCI_TRY(nci_h5_peek(h5, address, sizeof head, name, head, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(head, got), probe = at;
    ncg_status st;
    if (nci_h5_signature(&probe, "OHDR"))
        st = load_new(h5, &object, at, name, err);
    else if (got && head[0] == 1)
        st = load_old(h5, &object, at, name, err);
    else
        st = nci_h5_corrupt(h5, address, name, "no object header there", err);
    if (!st)
        st = follow(h5, &object, name, err);
    if (st)
        nci_h5_object_fini(&object);
    else
        *out = object;
    return st;
}

/* Where a shared message is: version, type, then by version
 *   1: reserved (6), a length, address     2: address
 *   3: address, or the id in the message heap where type is 1 */
static ncg_status shared_address(const nci_h5 *h5, nci_h5_cursor at,
                                 const char *name, uint64_t *out,
                                 ncg_error *err)
{
    uint64_t version = nci_h5_uint(&at, 1), type = nci_h5_uint(&at, 1);
    if (version < 1 || version > 3)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: shared message of version %llu", name,
                        (unsigned long long)version);
    if (version == 3 && type == 1)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: message kept in the file's heap of shared "
                        "messages",
                        name);
    if (version == 1) {
        nci_h5_skip(&at, 6);
        nci_h5_length(&at, h5);
    }
    *out = nci_h5_address(&at, h5);
    if (at.failed)
        return nci_fail(err, NCG_ECORRUPT, "%s: shared message cut short",
                        name);
    return NCG_OK;
}

void nci_h5_body_fini(nci_h5_body *body)
{
    nci_h5_object_fini(&body->owner);
}

ncg_status nci_h5_body_open(nci_h5 *h5, nci_h5_message_type type,
                            bool is_shared, nci_h5_cursor body,
                            const char *name, nci_h5_body *out, ncg_error *err)
{
    nci_h5_body found = {.cursor = body};
    if (is_shared) {
        uint64_t address;
        NCI_TRY(shared_address(h5, body, name, &address, err));
        NCI_TRY(nci_h5_object_load(h5, address, name, &found.owner, err));
        const nci_h5_message *message = nci_h5_object_find(&found.owner, type);
        if (!message || message->is_shared) {
            nci_h5_body_fini(&found);
            return nci_h5_corrupt(h5, address, name,
                                  "shared message is not there", err);
        }
        found.cursor = nci_h5_cursor_of(message->body, message->size);
    }
    *out = found;
    return NCG_OK;
}
