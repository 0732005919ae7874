/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout message: where a data set's values are.
 *
 *   version 1, 2: version, rank, class, reserved (5), [address], sizes (4
 *     each), chunked: bytes of a value (4); compact: size (4), data
 *   version 3: version, class; compact: size (2), data; contiguous: address,
 *     size; chunked: rank + 1, address, sizes of a chunk (4 each) and bytes
 *     of a value
 *   version 4, 5: as 3, chunked: flags, rank + 1, bytes of a size, sizes, kind
 *     of index, its parameters, address
 */
#include "io/hdf5/message.h"

enum { FLAG_EDGE_UNFILTERED = 1, FLAG_SINGLE_FILTERED = 2 };

static ncg_status unknown(const char *name, const char *what, unsigned value,
                          ncg_error *err)
{
    return nci_fail(err, NCG_EUNSUPPORTED, "%s: %s %u", name, what, value);
}

/* The last size is that of one value. */
static bool read_chunk(nci_h5_cursor *at, int count, int nbytes,
                       nci_h5_layout *out)
{
    if (count < 2 || count > NCI_H5_MAX_RANK + 1 || nbytes < 1 || nbytes > 8)
        return false;
    out->rank = count - 1;
    uint64_t volume = 1;
    for (int d = 0; d < out->rank; d++) {
        out->chunk[d] = nci_h5_uint(at, nbytes);
        if (!out->chunk[d] || out->chunk[d] > INT64_MAX ||
            __builtin_mul_overflow(volume, out->chunk[d], &volume))
            return false;
    }
    nci_h5_skip(at, (uint64_t)nbytes);
    return volume <= UINT32_MAX;
}

static void read_compact(nci_h5_cursor *at, int size_bytes,
                         const nci_h5_message *message, nci_h5_layout *out)
{
    out->nbytes = nci_h5_uint(at, size_bytes);
    out->has_nbytes = true;
    const uint8_t *data = nci_h5_skip(at, out->nbytes);
    if (data)
        out->address = message->address + (uint64_t)(data - message->body);
}

static bool read_old(const nci_h5 *h5, nci_h5_cursor *at,
                     const nci_h5_message *message, nci_h5_layout *out)
{
    int rank = (int)nci_h5_uint(at, 1);
    out->klass = (nci_h5_layout_class)nci_h5_uint(at, 1);
    nci_h5_skip(at, 5);
    if (out->klass > NCI_H5_CHUNKED)
        return false;
    if (out->klass != NCI_H5_COMPACT)
        out->address = nci_h5_address(at, h5);
    out->index = NCI_INDEX_BTREE1;
    if (out->klass == NCI_H5_CHUNKED)
        return read_chunk(at, rank, 4, out);
    nci_h5_skip(at, 4 * (uint64_t)rank);
    if (out->klass == NCI_H5_COMPACT)
        read_compact(at, 4, message, out);
    return true;
}

/* Parameters that the index's own header repeats are skipped. */
static ncg_status read_index(const nci_h5 *h5, nci_h5_cursor *at,
                             const char *name, nci_h5_layout *out,
                             ncg_error *err)
{
    static const nci_chunk_index kinds[] = {
        NCI_INDEX_NONE,        NCI_INDEX_SINGLE,           NCI_INDEX_IMPLICIT,
        NCI_INDEX_FIXED_ARRAY, NCI_INDEX_EXTENSIBLE_ARRAY, NCI_INDEX_BTREE2};
    static const int params[] = {0, 0, 0, 1, 5, 6};
    unsigned kind = (unsigned)nci_h5_uint(at, 1);
    if (!kind || kind >= sizeof kinds / sizeof *kinds)
        return unknown(name, "chunk index of kind", kind, err);
    out->index = kinds[kind];
    if (out->index == NCI_INDEX_SINGLE && out->single_filtered) {
        out->single_nbytes = nci_h5_length(at, h5);
        out->single_mask = (uint32_t)nci_h5_uint(at, 4);
    }
    nci_h5_skip(at, (uint64_t)params[kind]);
    out->address = nci_h5_address(at, h5);
    return NCG_OK;
}

static ncg_status read_chunked(const nci_h5 *h5, nci_h5_cursor *at,
                               unsigned version, const char *name,
                               nci_h5_layout *out, ncg_error *err)
{
    bool sound;
    unsigned flags = version >= 4 ? (unsigned)nci_h5_uint(at, 1) : 0;
    int count = (int)nci_h5_uint(at, 1);
    if (version >= 4) {
        int nbytes = (int)nci_h5_uint(at, 1);
        sound = read_chunk(at, count, nbytes, out);
    } else {
        out->index = NCI_INDEX_BTREE1;
        out->address = nci_h5_address(at, h5);
        sound = read_chunk(at, count, 4, out);
    }
    if (!sound)
        return nci_fail(err, NCG_ECORRUPT, "%s: its chunk sizes are absurd",
                        name);
    if (flags & ~(unsigned)(FLAG_EDGE_UNFILTERED | FLAG_SINGLE_FILTERED))
        return unknown(name, "chunk flags", flags, err);
    out->edge_unfiltered = flags & FLAG_EDGE_UNFILTERED;
    out->single_filtered = flags & FLAG_SINGLE_FILTERED;
    return version >= 4 ? read_index(h5, at, name, out, err) : NCG_OK;
}

static ncg_status read_new(const nci_h5 *h5, nci_h5_cursor *at,
                           unsigned version, const nci_h5_message *message,
                           const char *name, nci_h5_layout *out, ncg_error *err)
{
    unsigned klass = (unsigned)nci_h5_uint(at, 1);
    out->klass = (nci_h5_layout_class)klass;
    switch (klass) {
    case NCI_H5_COMPACT:
        read_compact(at, 2, message, out);
        return NCG_OK;
    case NCI_H5_CONTIGUOUS:
        out->address = nci_h5_address(at, h5);
        out->nbytes = nci_h5_length(at, h5);
        out->has_nbytes = true;
        return NCG_OK;
    case NCI_H5_CHUNKED:
        return read_chunked(h5, at, version, name, out, err);
    case NCI_H5_VIRTUAL:
        return NCG_OK;
    default:
        return unknown(name, "layout of class", klass, err);
    }
}

ncg_status nci_h5_layout_read(const nci_h5 *h5, const nci_h5_message *message,
                              const char *name, nci_h5_layout *out,
                              ncg_error *err)
{
    nci_h5_layout layout = {.address = NCI_NO_ADDRESS};
    nci_h5_cursor at = nci_h5_cursor_of(message->body, message->size);
    unsigned version = (unsigned)nci_h5_uint(&at, 1);
    if (!at.failed && (version < 1 || version > 5))
        return unknown(name, "layout message of version", version, err);
    if (version >= 3)
        NCI_TRY(read_new(h5, &at, version, message, name, &layout, err));
    else if (!read_old(h5, &at, message, &layout))
        return nci_fail(err, NCG_ECORRUPT, "%s: its layout is absurd", name);
    if (at.failed)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: its layout message is cut short", name);
    *out = layout;
    return NCG_OK;
}
