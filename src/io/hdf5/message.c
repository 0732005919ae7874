/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dataspace, filter pipeline and fill value. Datatypes are in datatype.c,
 * layouts in layout.c.
 */
#include "io/hdf5/message.h"

#include <string.h>

static ncg_status cut_short(const char *name, const char *what, ncg_error *err)
{
    return nci_fail(err, NCG_ECORRUPT, "%s: its %s message is cut short", name,
                    what);
}

static ncg_status unknown(const char *name, const char *what, unsigned version,
                          ncg_error *err)
{
    return nci_fail(err, NCG_EUNSUPPORTED, "%s: %s message of version %u", name,
                    what, version);
}

/* version, rank, flags (bit 0: maximum sizes), then version 1: reserved (5),
 * version 2: class (0 scalar, 1 simple, 2 null); sizes, maximum sizes. */
ncg_status nci_h5_space_read(const nci_h5 *h5, nci_h5_cursor at,
                             const char *name, nci_h5_space *out,
                             ncg_error *err)
{
    nci_h5_space space = {.count = 1};
    unsigned version = (unsigned)nci_h5_uint(&at, 1);
    space.rank = (int)nci_h5_uint(&at, 1);
    bool has_max = nci_h5_uint(&at, 1) & 1;
    if (at.failed)
        return cut_short(name, "dataspace", err);
    if (version != 1 && version != 2)
        return unknown(name, "dataspace", version, err);
    if (version == 1)
        nci_h5_skip(&at, 5);
    else
        space.is_null = nci_h5_uint(&at, 1) == 2;
    if (space.rank > NCI_H5_MAX_RANK)
        return nci_fail(err, NCG_ECORRUPT, "%s: rank %d", name, space.rank);
    for (int d = 0; d < space.rank; d++) {
        space.dims[d] = space.max[d] = nci_h5_length(&at, h5);
        if (space.dims[d] > INT64_MAX ||
            __builtin_mul_overflow(space.count, space.dims[d], &space.count) ||
            space.count > INT64_MAX)
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: its size along axis %d is "
                            "absurd",
                            name, d);
    }
    /* libhdf5 knows no unlimited sizes where lengths have fewer than 8 bytes;
     * with 8 the mark is UINT64_MAX, as here. */
    for (int d = 0; has_max && d < space.rank; d++) {
        space.max[d] = nci_h5_length(&at, h5);
        if (space.max[d] < space.dims[d])
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: larger than its maximum along axis %d", name,
                            d);
    }
    if (at.failed)
        return cut_short(name, "dataspace", err);
    if (space.is_null)
        space.count = 0;
    *out = space;
    return NCG_OK;
}

/* One filter: id (2), [bytes of the name (2)], flags (2), parameters (2), name
 * (version 1: padded to 8), parameters (4 each; version 1: padded to 8).
 * Version 2 leaves the name out where the id is below 256. */
static bool read_filter(nci_h5_cursor *at, unsigned version, nci_filter *out)
{
    out->id = (uint32_t)nci_h5_uint(at, 2);
    bool named = version == 1 || out->id >= 256;
    uint64_t name = named ? nci_h5_uint(at, 2) : 0;
    out->is_optional = nci_h5_uint(at, 2) & 1;
    int nparams = (int)nci_h5_uint(at, 2);
    nci_h5_skip(at, version == 1 ? (name + 7) / 8 * 8 : name);
    for (int i = 0; i < nparams && !at->failed; i++) {
        uint32_t param = (uint32_t)nci_h5_uint(at, 4);
        if (i < NCI_MAX_FILTER_PARAMS)
            out->params[i] = param;
    }
    if (version == 1 && nparams % 2)
        nci_h5_skip(at, 4);
    out->nparams = nparams;
    return nparams <= NCI_MAX_FILTER_PARAMS;
}

ncg_status nci_h5_filters_read(nci_h5_cursor at, const char *name,
                               nci_storage *out, bool *fits, ncg_error *err)
{
    unsigned version = (unsigned)nci_h5_uint(&at, 1);
    int count = (int)nci_h5_uint(&at, 1);
    if (at.failed)
        return cut_short(name, "filter", err);
    if (version != 1 && version != 2)
        return unknown(name, "filter", version, err);
    if (version == 1)
        nci_h5_skip(&at, 6);
    *fits = count <= NCI_MAX_FILTERS;
    for (int i = 0; i < count && !at.failed; i++) {
        nci_filter filter = {0};
        if (!read_filter(&at, version, &filter))
            *fits = false;
        if (*fits)
            out->filters[i] = filter;
    }
    if (at.failed)
        return cut_short(name, "filter", err);
    out->nfilters = *fits ? count : 0;
    return NCG_OK;
}

static void store_fill(const nci_h5_type *type, const uint8_t *value,
                       uint32_t size, nci_storage *out)
{
    bool has = value && size == type->size && size <= sizeof out->fill &&
               type->is_plain;
    if (!has)
        return;
    for (uint32_t i = 0; i < size; i++)
        out->fill[type->is_big_endian ? size - 1 - i : i] = value[i];
    out->has_fill = true;
}

/* Old message: size (4), value. New one by version
 *   1, 2: space time, write time, is defined, [size (4), value]
 *   3:    flags (bit 5: defined), [size (4), value] */
ncg_status nci_h5_fill_read(nci_h5_cursor at, bool is_old,
                            const nci_h5_type *type, const char *name,
                            nci_storage *out, ncg_error *err)
{
    bool has_value = true;
    if (!is_old) {
        unsigned version = (unsigned)nci_h5_uint(&at, 1);
        if (!at.failed && (version < 1 || version > 3))
            return unknown(name, "fill value", version, err);
        if (version == 3)
            has_value = nci_h5_uint(&at, 1) & 0x20;
        else
            nci_h5_skip(&at, 2);
        if (version < 3)
            has_value = nci_h5_uint(&at, 1);
    }
    uint32_t size = has_value ? (uint32_t)nci_h5_uint(&at, 4) : 0;
    if (size == UINT32_MAX) /* version 1: undefined */
        size = 0;
    const uint8_t *value = size ? nci_h5_skip(&at, size) : NULL;
    if (at.failed)
        return cut_short(name, "fill value", err);
    store_fill(type, value, size, out);
    return NCG_OK;
}
