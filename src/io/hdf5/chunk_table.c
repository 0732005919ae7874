/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The chunk table of a variable: one walk over its index, whatever its kind,
 * enters each chunk at its place in the grid.
 */
#include <string.h>

#include "base/mem.h"
#include "io/hdf5/dataset.h"
#include "io/hdf5/index.h"

/* Tables are kept in memory: 1 GiB for one variable is the end. */
enum { MAX_CHUNKS = 1 << 26 };

static void put_u64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

void nci_h5_origin_pack(const nci_h5_origin *origin, uint8_t *params)
{
    params[0] = (uint8_t)origin->offset_size;
    params[1] = (uint8_t)origin->length_size;
    put_u64(params + 8, origin->base);
    put_u64(params + 16, origin->object);
}

nci_h5_origin nci_h5_origin_unpack(const uint8_t *params)
{
    nci_h5_cursor at = nci_h5_cursor_of(params, 24);
    nci_h5_origin origin;
    origin.offset_size = (int)nci_h5_uint(&at, 1);
    origin.length_size = (int)nci_h5_uint(&at, 1);
    nci_h5_skip(&at, 6);
    origin.base = nci_h5_uint(&at, 8);
    origin.object = nci_h5_uint(&at, 8);
    return origin;
}

void nci_chunk_table_fini(nci_chunk_table *table)
{
    nci_free(table->chunks);
    *table = (nci_chunk_table){0};
}

static ncg_status bad_chunk(const nci_h5_walk *walk, uint64_t address,
                            const char *reason, ncg_error *err)
{
    return nci_fail(err, NCG_ECORRUPT, "%s: chunk at offset %llu: %s",
                    walk->var->name,
                    (unsigned long long)(walk->h5->base + address), reason);
}

ncg_status nci_h5_place(nci_h5_walk *walk, const uint64_t *index,
                        uint64_t address, uint64_t nbytes, uint32_t mask,
                        ncg_error *err)
{
    const nci_chunk_table *table = walk->table;
    uint64_t room = walk->h5->file_size - walk->h5->base;
    int64_t at = 0;
    for (int d = 0; d < table->rank; d++) {
        if (index[d] >= (uint64_t)table->count[d])
            return bad_chunk(walk, address, "lies outside the variable", err);
        at += (int64_t)index[d] * walk->stride[d];
    }
    if (nbytes > UINT32_MAX || address > room || nbytes > room - address)
        return bad_chunk(walk, address,
                         "reaches beyond the end of the file: truncated or "
                         "damaged",
                         err);
    if (!walk->is_filtered && nbytes != walk->chunk_bytes)
        return bad_chunk(walk, address, "is not as large as a chunk", err);
    nci_chunk *chunk = &table->chunks[at];
    if (chunk->address != NCI_NO_ADDRESS)
        return bad_chunk(walk, address, "is the second one at its place", err);
    *chunk = (nci_chunk){walk->h5->base + address, (uint32_t)nbytes, mask};
    return NCG_OK;
}

uint64_t nci_h5_element_size(const nci_h5_walk *walk)
{
    return (uint64_t)walk->h5->offset_size +
           (walk->is_filtered ? (uint64_t)walk->size_bytes + 4 : 0);
}

bool nci_h5_take_element_size(nci_h5_walk *walk, uint64_t size)
{
    int wide = walk->h5->length_size;
    if (size == nci_h5_element_size(walk))
        return true;
    if (!walk->is_filtered ||
        size != (uint64_t)walk->h5->offset_size + (uint64_t)wide + 4)
        return false;
    walk->size_bytes = wide;
    return true;
}

/* Makes the table with all chunks unwritten. */
static ncg_status make_table(nci_h5_walk *walk, nci_chunk_table *table,
                             ncg_error *err)
{
    const nci_storage *storage = &walk->var->storage;
    table->rank = walk->var->rank;
    table->nchunks = 1;
    for (int d = 0; d < table->rank; d++) {
        int64_t size = storage->file_shape[d], chunk = storage->chunk[d];
        table->count[d] = size / chunk + (size % chunk != 0);
        if (!nci_mul_i64(table->nchunks, table->count[d], &table->nchunks))
            table->nchunks = INT64_MAX;
    }
    if (table->nchunks > MAX_CHUNKS)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: more than %d chunks in one variable",
                        walk->var->name, (int)MAX_CHUNKS);
    size_t nbytes = (size_t)table->nchunks * sizeof *table->chunks;
    table->chunks = nci_alloc(nbytes);
    if (!table->chunks)
        return nci_fail(err, NCG_ENOMEM,
                        "%s: out of memory for its chunk table",
                        walk->var->name);
    for (int64_t i = 0; i < table->nchunks; i++)
        table->chunks[i] = (nci_chunk){NCI_NO_ADDRESS, 0, 0};
    int64_t stride = 1;
    for (int d = table->rank - 1; d >= 0; d--) {
        walk->stride[d] = stride;
        stride *= table->count[d];
    }
    return NCG_OK;
}

static ncg_status run(nci_h5_walk *walk, ncg_error *err)
{
    switch (walk->var->storage.index) {
    case NCI_INDEX_BTREE1:
        return nci_h5_walk_btree1(walk, err);
    case NCI_INDEX_SINGLE:
        return nci_h5_walk_single(walk, err);
    case NCI_INDEX_IMPLICIT:
        return nci_h5_walk_implicit(walk, err);
    case NCI_INDEX_FIXED_ARRAY:
        return nci_h5_walk_fixed_array(walk, err);
    case NCI_INDEX_EXTENSIBLE_ARRAY:
        return nci_h5_walk_extensible_array(walk, err);
    case NCI_INDEX_BTREE2:
        return nci_h5_walk_btree2(walk, err);
    default:
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: a chunk index that is not known", walk->var->name);
    }
}

/* Bytes of a stored size: one more than a whole chunk needs, at most 8. */
static int size_bytes_for(uint64_t chunk_bytes)
{
    int nbytes = 1 + (nci_h5_log2(chunk_bytes) + 8) / 8;
    return nbytes < 8 ? nbytes : 8;
}

ncg_status nci_hdf5_chunk_table(nci_bytes *bytes, const nci_var *var,
                                nci_chunk_table *out, ncg_error *err)
{
    const nci_storage *storage = &var->storage;
    nci_h5_origin origin = nci_h5_origin_unpack(storage->index_params);
    nci_chunk_table table = {0};
    nci_h5 h5;
    nci_h5_walk walk = {.h5 = &h5, .var = var, .origin = origin};
    if (storage->layout != NCI_LAYOUT_CHUNKED)
        return nci_fail(err, NCG_EINVAL, "%s: is not stored in chunks",
                        var->name);
    nci_h5_attach(bytes, origin.base, origin.offset_size, origin.length_size,
                  &h5);
    walk.chunk_bytes = storage->elem_size;
    for (int d = 0; d < var->rank; d++)
        walk.chunk_bytes *= (uint64_t)storage->chunk[d];
    walk.size_bytes = size_bytes_for(walk.chunk_bytes);
    walk.is_filtered = storage->nfilters > 0;
    walk.table = &table;
    ncg_status st = make_table(&walk, &table, err);
    if (!st && table.nchunks && storage->address != NCI_NO_ADDRESS) {
        walk.root = storage->address - h5.base;
        st = run(&walk, err);
    }
    nci_h5_close(&h5);
    if (st)
        nci_chunk_table_fini(&table);
    else
        *out = table;
    return st;
}
