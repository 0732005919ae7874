/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The extensible array: chunks of a variable with one unlimited axis, which
 * counts as the slowest. The first elements are in the index block, the next
 * in data blocks that it names, the rest in data blocks named by super blocks.
 * Super block s has 2^(s/2) data blocks of 2^((s+1)/2) times the least number
 * of elements; the first ones have no block of their own but are listed in the
 * index block.
 *
 *   header       "EAHD", version 0, filtered, bytes of an element, bits of the
 *                largest number, elements in the index block, least elements
 *                in a data block, least data blocks in a super block, page
 *                bits (1 each), six counters, index block, checksum
 *   index block  "EAIB", version, filtered, header, elements, data blocks,
 *                super blocks, checksum
 *   super block  "EASB", version, filtered, header, first element, [a bit for
 *                each page], data blocks, checksum
 *   data block   "EADB", version, filtered, header, first element, elements,
 *                checksum; with pages: checksum, then pages with one each
 */
#include "io/hdf5/index.h"

enum { MAX_BITS = 64 };

typedef struct array {
    nci_h5_walk *walk;
    nci_h5_order order;
    uint64_t header, index_block;
    uint64_t in_index; /* elements in the index block */
    uint64_t least;    /* elements of the smallest data block */
    uint64_t page;     /* elements of a page */
    int number_bytes;  /* of a first element */
    unsigned nsuper;   /* super blocks in all */
    unsigned listed;   /* of them, those listed in the index block */
} array;

static ncg_status bad(const array *a, uint64_t address, ncg_error *err)
{
    return nci_h5_corrupt(a->walk->h5, address, a->walk->var->name,
                          "not the chunk index that is needed", err);
}

static bool is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

static bool read_fields(array *a, nci_h5_cursor *at)
{
    nci_h5 *h5 = a->walk->h5;
    bool sound = nci_h5_signature(at, "EAHD") && !nci_h5_uint(at, 1) &&
                 nci_h5_uint(at, 1) == (uint64_t)a->walk->is_filtered &&
                 nci_h5_take_element_size(a->walk, nci_h5_uint(at, 1));
    uint64_t bits = nci_h5_uint(at, 1);
    a->in_index = nci_h5_uint(at, 1);
    a->least = nci_h5_uint(at, 1);
    uint64_t pointers = nci_h5_uint(at, 1), page_bits = nci_h5_uint(at, 1);
    nci_h5_skip(at, 6 * (uint64_t)h5->length_size);
    a->index_block = nci_h5_address(at, h5);
    sound = sound && !at->failed && bits <= MAX_BITS && page_bits <= 32 &&
            is_power_of_two(a->least) && is_power_of_two(pointers) &&
            bits >= (uint64_t)nci_h5_log2(a->least);
    if (!sound)
        return false;
    a->page = 1ULL << page_bits;
    a->number_bytes = (int)(bits + 7) / 8;
    a->nsuper = (unsigned)bits - (unsigned)nci_h5_log2(a->least) + 1;
    a->listed = 2 * (unsigned)nci_h5_log2(pointers);
    return a->listed <= a->nsuper;
}

static ncg_status open_header(array *a, ncg_error *err)
{
    nci_h5 *h5 = a->walk->h5;
    nci_h5_block head;
    uint64_t nbytes =
        16 + 6 * (uint64_t)h5->length_size + (uint64_t)h5->offset_size;
    NCI_TRY(nci_h5_load(h5, a->header, nbytes, a->walk->var->name, &head, err));
    nci_h5_cursor at = nci_h5_cursor_of(head.data, head.size);
    bool sound = read_fields(a, &at);
    ncg_status st = nci_h5_check_sum(h5, &head, a->walk->var->name, err);
    nci_h5_block_fini(&head);
    return st ? st : sound ? NCG_OK : bad(a, a->header, err);
}

/* Loads a block and checks what all three kinds begin with; `numbered` ones
 * say which element is their first. */
static ncg_status load(const array *a, uint64_t address, uint64_t nbytes,
                       const char *signature, bool numbered, uint64_t first,
                       nci_h5_block *out, nci_h5_cursor *at, ncg_error *err)
{
    nci_h5 *h5 = a->walk->h5;
    nci_h5_block block;
    NCI_TRY(nci_h5_load(h5, address, nbytes, a->walk->var->name, &block, err));
    *at = nci_h5_cursor_of(block.data, block.size);
    bool sound = nci_h5_signature(at, signature) && !nci_h5_uint(at, 1) &&
                 nci_h5_uint(at, 1) == (uint64_t)a->walk->is_filtered &&
                 nci_h5_address(at, h5) == a->header &&
                 (!numbered || nci_h5_uint(at, a->number_bytes) == first);
    ncg_status st = sound
                        ? nci_h5_check_sum(h5, &block, a->walk->var->name, err)
                        : bad(a, address, err);
    if (st)
        nci_h5_block_fini(&block);
    else
        *out = block;
    return st;
}

static ncg_status enter(const array *a, nci_h5_cursor *at, uint64_t from,
                        uint64_t count, ncg_error *err)
{
    for (uint64_t i = 0; i < count; i++)
        NCI_TRY(nci_h5_place_element(a->walk, &a->order, from + i, at, err));
    return NCG_OK;
}

static uint64_t data_head(const array *a)
{
    return 6 + (uint64_t)a->walk->h5->offset_size + (uint64_t)a->number_bytes;
}

/* A data block without pages. `first` counts from the first data block; the
 * elements of the index block come before. `label` is the number that the block
 * itself carries. */
static ncg_status read_data(const array *a, uint64_t address, uint64_t label,
                            uint64_t first, uint64_t count, ncg_error *err)
{
    nci_h5_block block;
    nci_h5_cursor at;
    uint64_t nbytes = data_head(a) + count * nci_h5_element_size(a->walk) + 4;
    NCI_TRY(load(a, address, nbytes, "EADB", true, label, &block, &at, err));
    ncg_status st = enter(a, &at, a->in_index + first, count, err);
    nci_h5_block_fini(&block);
    return st;
}

static ncg_status read_page(const array *a, uint64_t address, uint64_t first,
                            ncg_error *err)
{
    nci_h5 *h5 = a->walk->h5;
    nci_h5_block block;
    uint64_t nbytes = a->page * nci_h5_element_size(a->walk) + 4;
    NCI_TRY(nci_h5_load(h5, address, nbytes, a->walk->var->name, &block, err));
    nci_h5_cursor at = nci_h5_cursor_of(block.data, block.size);
    ncg_status st = nci_h5_check_sum(h5, &block, a->walk->var->name, err);
    if (!st)
        st = enter(a, &at, a->in_index + first, a->page, err);
    nci_h5_block_fini(&block);
    return st;
}

static ncg_status read_paged(const array *a, uint64_t address, uint64_t first,
                             uint64_t count, const uint8_t *bits, uint64_t bit,
                             ncg_error *err)
{
    nci_h5_block block;
    nci_h5_cursor at;
    uint64_t head = data_head(a) + 4;
    uint64_t stride = a->page * nci_h5_element_size(a->walk) + 4;
    NCI_TRY(load(a, address, head, "EADB", true, first, &block, &at, err));
    nci_h5_block_fini(&block);
    for (uint64_t i = 0; i < count / a->page; i++, bit++)
        if (bits[bit / 8] & (0x80 >> (bit % 8)))
            NCI_TRY(read_page(a, address + head + i * stride,
                              first + i * a->page, err));
    return NCG_OK;
}

/* Number and size of the data blocks of super block s. */
static uint64_t blocks_of(unsigned s)
{
    return 1ULL << (s / 2);
}

static uint64_t elements_of(const array *a, unsigned s)
{
    return a->least << ((s + 1) / 2);
}

static ncg_status read_super(const array *a, unsigned s, uint64_t address,
                             uint64_t first, ncg_error *err)
{
    nci_h5 *h5 = a->walk->h5;
    uint64_t blocks = blocks_of(s), count = elements_of(a, s);
    uint64_t pages = count > a->page ? count / a->page : 0;
    uint64_t bitmap = pages ? (pages + 7) / 8 : 0;
    nci_h5_block block;
    nci_h5_cursor at;
    if (blocks > h5->file_size || bitmap > h5->file_size)
        return bad(a, address, err);
    uint64_t nbytes =
        data_head(a) + blocks * (bitmap + (uint64_t)h5->offset_size) + 4;
    NCI_TRY(load(a, address, nbytes, "EASB", true, first, &block, &at, err));
    const uint8_t *bits = nci_h5_skip(&at, blocks * bitmap);
    ncg_status st = NCG_OK;
    for (uint64_t i = 0; i < blocks && !st; i++, first += count) {
        uint64_t data = nci_h5_address(&at, h5);
        if (data == NCI_NO_ADDRESS)
            continue;
        /* Room is whole bytes a block, the bits follow without gaps. */
        st = pages ? read_paged(a, data, first, count, bits, i * pages, err)
                   : read_data(a, data, first, first, count, err);
    }
    nci_h5_block_fini(&block);
    return st;
}

/* The data blocks of super block s that the index block lists, from its
 * `number`-th block on. libhdf5 labels them as if all blocks before had the
 * size of these. */
static ncg_status read_first(const array *a, unsigned s, uint64_t number,
                             uint64_t first, nci_h5_cursor *at, ncg_error *err)
{
    uint64_t count = elements_of(a, s), blocks = blocks_of(s);
    if (count > a->page)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: pages in the first data blocks of its chunk index",
                        a->walk->var->name);
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t address = nci_h5_address(at, a->walk->h5);
        if (address != NCI_NO_ADDRESS)
            NCI_TRY(read_data(a, address, first + (number + i) * count,
                              first + i * count, count, err));
    }
    return NCG_OK;
}

static ncg_status read_listed(const array *a, nci_h5_cursor *at, ncg_error *err)
{
    uint64_t first = 0, number = 0;
    NCI_TRY(enter(a, at, 0, a->in_index, err));
    for (unsigned s = 0; s < a->nsuper; s++) {
        if (s < a->listed) {
            NCI_TRY(read_first(a, s, number, first, at, err));
        } else {
            uint64_t address = nci_h5_address(at, a->walk->h5);
            if (address != NCI_NO_ADDRESS)
                NCI_TRY(read_super(a, s, address, first, err));
        }
        first += blocks_of(s) * elements_of(a, s);
        number += blocks_of(s);
    }
    return NCG_OK;
}

ncg_status nci_h5_walk_extensible_array(nci_h5_walk *walk, ncg_error *err)
{
    array a = {.walk = walk, .header = walk->root};
    nci_h5_block block;
    nci_h5_cursor at;
    NCI_TRY(nci_h5_order_init(walk, true, &a.order, err));
    NCI_TRY(open_header(&a, err));
    if (a.index_block == NCI_NO_ADDRESS)
        return NCG_OK;
    uint64_t listed = 0;
    for (unsigned s = 0; s < a.listed; s++)
        listed += blocks_of(s);
    uint64_t addresses = listed + a.nsuper - a.listed;
    uint64_t nbytes = 6 + (uint64_t)walk->h5->offset_size * (1 + addresses) +
                      a.in_index * nci_h5_element_size(walk) + 4;
    NCI_TRY(
        load(&a, a.index_block, nbytes, "EAIB", false, 0, &block, &at, err));
    ncg_status st = read_listed(&a, &at, err);
    nci_h5_block_fini(&block);
    return st;
}
