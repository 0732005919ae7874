/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fractal heap. Its space is a table of rows of equal blocks: rows 0 and 1
 * of the starting size, each further row twice the one before; rows above the
 * largest direct size hold indirect blocks, which are such tables themselves.
 *
 *   direct block    "FHDB", version, heap header, offset in the heap,
 *                   [checksum], objects
 *   indirect block  "FHIB", version, heap header, offset in the heap,
 *                   addresses of children, checksum
 *   heap id         type in bits 4 and 5 of byte 0;
 *                   managed: offset, length
 *                   huge: key in a version 2 B-tree, or address and length
 *                   tiny: length - 1 in the low bits, the object itself
 */
#include <string.h>

#include "base/mem.h"
#include "io/hdf5/btree2.h"
#include "io/hdf5/heap.h"

enum { MAX_ROWS = 64, ID_MANAGED = 0, ID_HUGE = 1, ID_TINY = 2 };

struct nci_h5_heap_block {
    nci_h5_block block;
    uint64_t offset; /* in the heap; NCI_NO_ADDRESS: a huge object */
    bool is_indirect;
};
typedef struct nci_h5_heap_block heap_block;

void nci_h5_fractal_fini(nci_h5_fractal *heap)
{
    for (size_t i = 0; i < heap->nblocks; i++)
        nci_h5_block_fini(&heap->blocks[i].block);
    nci_free(heap->blocks);
    *heap = (nci_h5_fractal){0};
}

static bool is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

/* Reads the fields after the fixed part; returns the bytes of a filter
 * description, which makes the heap one that we do not read. */
static unsigned read_fields(nci_h5 *h5, nci_h5_cursor *at, nci_h5_fractal *heap)
{
    heap->id_size = (int)nci_h5_uint(at, 2);
    unsigned filter_size = (unsigned)nci_h5_uint(at, 2);
    heap->has_checksums = nci_h5_uint(at, 1) & 2;
    uint64_t max_managed = nci_h5_uint(at, 4);
    nci_h5_length(at, h5);
    heap->huge_tree = nci_h5_address(at, h5);
    nci_h5_length(at, h5);
    nci_h5_address(at, h5);
    nci_h5_skip(at, 8 * (uint64_t)h5->length_size);
    heap->width = (unsigned)nci_h5_uint(at, 2);
    heap->start_size = nci_h5_length(at, h5);
    heap->max_direct = nci_h5_length(at, h5);
    unsigned bits = (unsigned)nci_h5_uint(at, 2);
    nci_h5_uint(at, 2);
    heap->root = nci_h5_address(at, h5);
    heap->root_rows = (unsigned)nci_h5_uint(at, 2);
    heap->offset_bytes = (int)(bits + 7) / 8;
    int direct = (nci_h5_log2(heap->max_direct) + 7) / 8;
    int managed = nci_h5_log2(max_managed) / 8 + 1;
    heap->length_bytes = direct < managed ? direct : managed;
    heap->huge_direct = heap->id_size - 1 >= h5->offset_size + h5->length_size;
    return filter_size;
}

static bool is_sound(const nci_h5_fractal *heap)
{
    return is_power_of_two(heap->width) && is_power_of_two(heap->start_size) &&
           is_power_of_two(heap->max_direct) &&
           heap->max_direct >= heap->start_size &&
           heap->max_direct <= UINT32_MAX && heap->root_rows <= MAX_ROWS &&
           heap->offset_bytes >= 1 && heap->offset_bytes <= 8 &&
           heap->length_bytes >= 1 && heap->length_bytes <= 8 &&
           heap->id_size > 1 && heap->id_size <= 256;
}

ncg_status nci_h5_fractal_open(nci_h5 *h5, uint64_t address, const char *name,
                               nci_h5_fractal *out, ncg_error *err)
{
    nci_h5_fractal heap = {.address = address};
    nci_h5_block head;
    uint64_t nbytes =
        26 + 3 * (uint64_t)h5->offset_size + 12 * (uint64_t)h5->length_size;
    NCI_TRY(nci_h5_load(h5, address, nbytes, name, &head, err));
    nci_h5_cursor at = nci_h5_cursor_of(head.data, head.size);
    bool found = nci_h5_signature(&at, "FRHP") && !nci_h5_uint(&at, 1);
    unsigned filter_size = read_fields(h5, &at, &heap);
    ncg_status st;
    if (!found)
        st = nci_h5_corrupt(h5, address, name, "no fractal heap there", err);
    else if (filter_size)
        st = nci_fail(err, NCG_EUNSUPPORTED, "%s: compressed fractal heap",
                      name);
    else
        st = nci_h5_check_sum(h5, &head, name, err);
    if (!st && (at.failed || !is_sound(&heap)))
        st = nci_h5_corrupt(h5, address, name, "bad fractal heap", err);
    nci_h5_block_fini(&head);
    if (!st)
        *out = heap;
    return st;
}

/* Returns a loaded block, or a fresh one that the heap now owns. */
static ncg_status load(nci_h5 *h5, nci_h5_fractal *heap, uint64_t address,
                       uint64_t nbytes, const char *name, heap_block **out,
                       ncg_error *err)
{
    for (size_t i = heap->nblocks; i-- > 0;)
        if (heap->blocks[i].block.address == address &&
            heap->blocks[i].block.size == nbytes) {
            *out = &heap->blocks[i];
            return NCG_OK;
        }
    if (!nci_grow(&heap->blocks, &heap->capacity, heap->nblocks + 1,
                  sizeof *heap->blocks))
        return nci_fail(err, NCG_ENOMEM, "out of memory for %s", name);
    heap_block *fresh = &heap->blocks[heap->nblocks];
    *fresh = (heap_block){.offset = NCI_NO_ADDRESS};
    NCI_TRY(nci_h5_load(h5, address, nbytes, name, &fresh->block, err));
    heap->nblocks++;
    *out = fresh;
    return NCG_OK;
}

static ncg_status check_block(nci_h5 *h5, const nci_h5_fractal *heap,
                              const nci_h5_block *block, const char *signature,
                              uint64_t offset, const char *name, ncg_error *err)
{
    nci_h5_cursor at = nci_h5_cursor_of(block->data, block->size);
    bool sound = nci_h5_signature(&at, signature) && !nci_h5_uint(&at, 1) &&
                 nci_h5_address(&at, h5) == heap->address &&
                 nci_h5_uint(&at, heap->offset_bytes) == offset && !at.failed;
    if (!sound)
        return nci_h5_corrupt(h5, block->address, name,
                              "not the block of its fractal heap", err);
    return NCG_OK;
}

/* The checksum stands inside the block and counts as zero. */
static ncg_status check_direct_sum(nci_h5 *h5, const nci_h5_fractal *heap,
                                   nci_h5_block *block, const char *name,
                                   ncg_error *err)
{
    size_t where = 5 + (size_t)h5->offset_size + (size_t)heap->offset_bytes;
    if (!heap->has_checksums)
        return NCG_OK;
    if (where + 4 > block->size)
        return nci_h5_corrupt(h5, block->address, name, "too short", err);
    nci_h5_cursor at = nci_h5_cursor_of(block->data + where, 4);
    uint64_t sum = nci_h5_uint(&at, 4);
    memset(block->data + where, 0, 4);
    if (nci_h5_sum_differs(sum, block->data, block->size))
        return nci_h5_corrupt(h5, block->address, name,
                              "wrong checksum in its fractal heap", err);
    return NCG_OK;
}

static ncg_status direct(nci_h5 *h5, nci_h5_fractal *heap, uint64_t address,
                         uint64_t offset, uint64_t size, const char *name,
                         heap_block **out, ncg_error *err)
{
    NCI_TRY(load(h5, heap, address, size, name, out, err));
    if ((*out)->offset == offset && !(*out)->is_indirect)
        return NCG_OK;
    NCI_TRY(check_block(h5, heap, &(*out)->block, "FHDB", offset, name, err));
    NCI_TRY(check_direct_sum(h5, heap, &(*out)->block, name, err));
    (*out)->offset = offset;
    return NCG_OK;
}

static uint64_t row_size(const nci_h5_fractal *heap, unsigned row)
{
    return row ? heap->start_size << (row - 1) : heap->start_size;
}

/* Finds the row and column of `offset` in a table. */
static void locate(const nci_h5_fractal *heap, uint64_t offset, unsigned *row,
                   uint64_t *column)
{
    uint64_t first = heap->start_size * heap->width;
    int high = nci_h5_log2(offset);
    if (offset < first) {
        *row = 0;
        *column = offset / heap->start_size;
        return;
    }
    *row = (unsigned)(high - nci_h5_log2(first)) + 1;
    *column = (offset - (1ULL << high)) / row_size(heap, *row);
}

static ncg_status indirect(nci_h5 *h5, nci_h5_fractal *heap, uint64_t address,
                           uint64_t offset, unsigned rows, const char *name,
                           heap_block **out, ncg_error *err)
{
    uint64_t nbytes = 5 + (uint64_t)(h5->offset_size + heap->offset_bytes) +
                      (uint64_t)rows * heap->width * (uint64_t)h5->offset_size +
                      4;
    NCI_TRY(load(h5, heap, address, nbytes, name, out, err));
    if ((*out)->offset == offset && (*out)->is_indirect)
        return NCG_OK;
    NCI_TRY(check_block(h5, heap, &(*out)->block, "FHIB", offset, name, err));
    NCI_TRY(nci_h5_check_sum(h5, &(*out)->block, name, err));
    (*out)->offset = offset;
    (*out)->is_indirect = true;
    return NCG_OK;
}

/* Goes down from the root to the direct block that holds `offset`. */
static ncg_status descend(nci_h5 *h5, nci_h5_fractal *heap, uint64_t offset,
                          const char *name, heap_block **out, ncg_error *err)
{
    uint64_t address = heap->root, begin = 0;
    unsigned rows = heap->root_rows;
    if (!rows)
        return direct(h5, heap, address, 0, heap->start_size, name, out, err);
    for (int depth = 0; depth < MAX_ROWS; depth++) {
        heap_block *table;
        unsigned row;
        uint64_t column;
        NCI_TRY(indirect(h5, heap, address, begin, rows, name, &table, err));
        locate(heap, offset - begin, &row, &column);
        if (row >= rows || column >= heap->width || row > 32)
            return nci_h5_corrupt(h5, address, name,
                                  "an object lies outside its fractal heap",
                                  err);
        uint64_t size = row_size(heap, row);
        uint64_t entry = (uint64_t)row * heap->width + column;
        nci_h5_cursor at =
            nci_h5_cursor_of(table->block.data, table->block.size);
        nci_h5_skip(&at, 5 + (uint64_t)(h5->offset_size + heap->offset_bytes) +
                             entry * (uint64_t)h5->offset_size);
        address = nci_h5_address(&at, h5);
        if (row)
            begin += heap->width * heap->start_size << (row - 1);
        begin += column * size;
        if (size <= heap->max_direct)
            return direct(h5, heap, address, begin, size, name, out, err);
        int less = nci_h5_log2(heap->start_size) + nci_h5_log2(heap->width);
        rows = (unsigned)(nci_h5_log2(size) - less) + 1;
    }
    return nci_h5_corrupt(h5, address, name, "fractal heap too deep", err);
}

static ncg_status get_managed(nci_h5 *h5, nci_h5_fractal *heap,
                              nci_h5_cursor id, const char *name,
                              nci_h5_cursor *out, ncg_error *err)
{
    heap_block *block = NULL;
    uint64_t offset = nci_h5_uint(&id, heap->offset_bytes);
    uint64_t length = nci_h5_uint(&id, heap->length_bytes);
    if (id.failed)
        return nci_h5_corrupt(h5, heap->address, name, "heap id cut short",
                              err);
    NCI_TRY(descend(h5, heap, offset, name, &block, err));
    uint64_t start = offset - block->offset;
    if (offset < block->offset || start > block->block.size ||
        length > block->block.size - start)
        return nci_h5_corrupt(h5, block->block.address, name,
                              "an object lies outside its heap block", err);
    *out = nci_h5_cursor_of(block->block.data + start, (size_t)length);
    return NCG_OK;
}

typedef struct huge_search {
    const nci_h5 *h5;
    uint64_t key;
    uint64_t address, length; /* found */
} huge_search;

static ncg_status match_huge(nci_h5_cursor record, void *payload,
                             ncg_error *err)
{
    huge_search *search = payload;
    uint64_t address = nci_h5_address(&record, search->h5);
    uint64_t length = nci_h5_length(&record, search->h5);
    (void)err;
    if (nci_h5_length(&record, search->h5) == search->key) {
        search->address = address;
        search->length = length;
    }
    return NCG_OK;
}

static ncg_status get_huge(nci_h5 *h5, nci_h5_fractal *heap, nci_h5_cursor id,
                           const char *name, nci_h5_cursor *out, ncg_error *err)
{
    huge_search search = {h5, 0, NCI_NO_ADDRESS, 0};
    heap_block *block = NULL;
    if (heap->huge_direct) {
        search.address = nci_h5_address(&id, h5);
        search.length = nci_h5_length(&id, h5);
    } else {
        int width = heap->id_size - 1;
        search.key = nci_h5_uint(&id, width < 8 ? width : 8);
        NCI_TRY(nci_h5_btree2_walk(h5, heap->huge_tree, NCI_H5_RECORD_HUGE,
                                   NCI_H5_RECORD_HUGE, NULL, name, match_huge,
                                   &search, err));
    }
    if (search.address == NCI_NO_ADDRESS)
        return nci_h5_corrupt(h5, heap->address, name,
                              "a huge object is not in its heap", err);
    NCI_TRY(load(h5, heap, search.address, search.length, name, &block, err));
    *out = nci_h5_cursor_of(block->block.data, block->block.size);
    return NCG_OK;
}

static ncg_status get_tiny(nci_h5 *h5, const nci_h5_fractal *heap,
                           const uint8_t *id, const char *name,
                           nci_h5_cursor *out, ncg_error *err)
{
    bool is_long = heap->id_size > 17;
    uint64_t length = (id[0] & 15) + 1u;
    if (is_long)
        length = ((uint64_t)(id[0] & 15) << 8 | id[1]) + 1;
    size_t head = is_long ? 2 : 1;
    if (head + length > (size_t)heap->id_size)
        return nci_h5_corrupt(h5, heap->address, name, "bad tiny object", err);
    *out = nci_h5_cursor_of(id + head, (size_t)length);
    return NCG_OK;
}

ncg_status nci_h5_fractal_get(nci_h5 *h5, nci_h5_fractal *heap,
                              const uint8_t *id, const char *name,
                              nci_h5_cursor *out, ncg_error *err)
{
    nci_h5_cursor rest = nci_h5_cursor_of(id + 1, (size_t)heap->id_size - 1);
    switch (id[0] >> 4) {
    case ID_MANAGED:
        return get_managed(h5, heap, rest, name, out, err);
    case ID_HUGE:
        return get_huge(h5, heap, rest, name, out, err);
    case ID_TINY:
        return get_tiny(h5, heap, id, name, out, err);
    default:
        return nci_fail(err, NCG_EUNSUPPORTED, "%s: fractal heap id of type %d",
                        name, id[0] >> 4);
    }
}
