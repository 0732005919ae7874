/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the indexes that number chunks share, and the three simple ones: a
 * single chunk, chunks without an index, and the fixed array.
 *
 *   fixed array  "FAHD", version 0, filtered, bytes of an element, page bits,
 *                elements, data block, checksum
 *   data block   "FADB", version 0, filtered, header, then elements, checksum;
 *                with more elements than a page holds: a bit for each page
 *                that is there (first in the high bit), checksum, pages of
 *                elements, each with its checksum
 */
#include "io/hdf5/dataset.h"
#include "io/hdf5/index.h"

ncg_status nci_h5_order_init(nci_h5_walk *walk, bool swap, nci_h5_order *out,
                             ncg_error *err)
{
    nci_h5_object object;
    nci_h5_space space;
    const nci_storage *storage = &walk->var->storage;
    const char *name = walk->var->name;
    NCI_TRY(
        nci_h5_object_load(walk->h5, walk->origin.object, name, &object, err));
    ncg_status st = nci_h5_dataset_space(walk->h5, &object, name, &space, err);
    nci_h5_object_fini(&object);
    if (!st && space.rank != walk->var->rank)
        st = nci_fail(err, NCG_ECORRUPT, "%s: its rank has changed", name);
    if (st)
        return st;
    int open = 0;
    for (int d = space.rank - 1; d >= 0 && swap; d--)
        if (space.max[d] == UINT64_MAX)
            open = d;
    for (int i = 0; i < space.rank; i++) {
        int axis = i == 0 ? open : i <= open ? i - 1 : i;
        uint64_t chunk = (uint64_t)storage->chunk[axis], max = space.max[axis];
        out->axis[i] = axis;
        out->count[i] =
            max == UINT64_MAX ? max : max / chunk + (max % chunk != 0);
    }
    return NCG_OK;
}

/* False where chunk `number` lies outside the present grid. */
static bool to_index(const nci_h5_walk *walk, const nci_h5_order *order,
                     uint64_t number, uint64_t *index)
{
    bool inside = true;
    for (int i = walk->var->rank - 1; i >= 0; i--) {
        uint64_t count = i && order->count[i] ? order->count[i] : UINT64_MAX;
        int axis = order->axis[i];
        index[axis] = number % count;
        number /= count;
        if (index[axis] >= (uint64_t)walk->table->count[axis])
            inside = false;
    }
    return inside;
}

ncg_status nci_h5_place_element(nci_h5_walk *walk, const nci_h5_order *order,
                                uint64_t number, nci_h5_cursor *at,
                                ncg_error *err)
{
    uint64_t index[NCG_MAX_RANK];
    uint64_t address = nci_h5_address(at, walk->h5);
    uint64_t nbytes = walk->chunk_bytes;
    uint32_t mask = 0;
    if (walk->is_filtered) {
        nbytes = nci_h5_uint(at, walk->size_bytes);
        mask = (uint32_t)nci_h5_uint(at, 4);
    }
    if (at->failed)
        return nci_fail(err, NCG_ECORRUPT, "%s: its chunk index is cut short",
                        walk->var->name);
    if (address == NCI_NO_ADDRESS)
        return NCG_OK;
    if (!to_index(walk, order, number, index))
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: entry %llu of its chunk index lies outside the "
                        "variable",
                        walk->var->name, (unsigned long long)number);
    return nci_h5_place(walk, index, address, nbytes, mask, err);
}

ncg_status nci_h5_walk_single(nci_h5_walk *walk, ncg_error *err)
{
    const uint64_t origin[NCG_MAX_RANK] = {0};
    return nci_h5_place(walk, origin, walk->root,
                        walk->var->storage.index_chunk_bytes,
                        walk->var->storage.index_filter_mask, err);
}

/* Chunks lie one behind the other in the order of the largest grid. */
ncg_status nci_h5_walk_implicit(nci_h5_walk *walk, ncg_error *err)
{
    nci_h5_order order;
    uint64_t index[NCG_MAX_RANK], total = 1;
    NCI_TRY(nci_h5_order_init(walk, false, &order, err));
    for (int i = 0; i < walk->var->rank; i++)
        if (__builtin_mul_overflow(total, order.count[i], &total) ||
            total > walk->h5->file_size)
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: more chunks than the file has bytes",
                            walk->var->name);
    for (uint64_t number = 0; number < total; number++)
        if (to_index(walk, &order, number, index))
            NCI_TRY(nci_h5_place(walk, index,
                                 walk->root + number * walk->chunk_bytes,
                                 walk->chunk_bytes, 0, err));
    return NCG_OK;
}

typedef struct fixed {
    nci_h5_walk *walk;
    nci_h5_order order;
    uint64_t header, count, page, data;
} fixed;

static ncg_status bad(const nci_h5_walk *walk, uint64_t address, ncg_error *err)
{
    return nci_h5_corrupt(walk->h5, address, walk->var->name,
                          "not the chunk index that is needed", err);
}

static ncg_status enter(const fixed *f, nci_h5_cursor at, uint64_t from,
                        uint64_t count, ncg_error *err)
{
    for (uint64_t i = 0; i < count; i++)
        NCI_TRY(nci_h5_place_element(f->walk, &f->order, from + i, &at, err));
    return NCG_OK;
}

static ncg_status open_fixed(fixed *f, ncg_error *err)
{
    nci_h5 *h5 = f->walk->h5;
    nci_h5_block head;
    uint64_t nbytes = 12 + (uint64_t)(h5->offset_size + h5->length_size);
    NCI_TRY(nci_h5_load(h5, f->header, nbytes, f->walk->var->name, &head, err));
    nci_h5_cursor at = nci_h5_cursor_of(head.data, head.size);
    bool sound = nci_h5_signature(&at, "FAHD") && !nci_h5_uint(&at, 1) &&
                 nci_h5_uint(&at, 1) == (uint64_t)f->walk->is_filtered &&
                 nci_h5_take_element_size(f->walk, nci_h5_uint(&at, 1));
    uint64_t bits = nci_h5_uint(&at, 1);
    f->count = nci_h5_length(&at, h5);
    f->data = nci_h5_address(&at, h5);
    ncg_status st = nci_h5_check_sum(h5, &head, f->walk->var->name, err);
    nci_h5_block_fini(&head);
    if (st)
        return st;
    if (!sound || bits > 32 || f->count > h5->file_size)
        return bad(f->walk, f->header, err);
    f->page = 1ULL << bits;
    return NCG_OK;
}

static ncg_status check_data(const fixed *f, const nci_h5_block *block,
                             ncg_error *err)
{
    nci_h5 *h5 = f->walk->h5;
    nci_h5_cursor at = nci_h5_cursor_of(block->data, block->size);
    if (!nci_h5_signature(&at, "FADB") || nci_h5_uint(&at, 1) ||
        nci_h5_uint(&at, 1) != (uint64_t)f->walk->is_filtered ||
        nci_h5_address(&at, h5) != f->header)
        return bad(f->walk, block->address, err);
    return nci_h5_check_sum(h5, block, f->walk->var->name, err);
}

static ncg_status read_page(const fixed *f, uint64_t address, uint64_t number,
                            ncg_error *err)
{
    nci_h5_walk *walk = f->walk;
    uint64_t from = number * f->page, left = f->count - from;
    uint64_t count = left < f->page ? left : f->page;
    nci_h5_block block;
    NCI_TRY(nci_h5_load(walk->h5, address,
                        count * nci_h5_element_size(walk) + 4, walk->var->name,
                        &block, err));
    ncg_status st = nci_h5_check_sum(walk->h5, &block, walk->var->name, err);
    if (!st)
        st = enter(f, nci_h5_cursor_of(block.data, block.size), from, count,
                   err);
    nci_h5_block_fini(&block);
    return st;
}

static ncg_status read_pages(const fixed *f, const nci_h5_block *block,
                             size_t prefix, uint64_t npages, ncg_error *err)
{
    uint64_t stride = f->page * nci_h5_element_size(f->walk) + 4;
    uint64_t first = f->data + block->size;
    for (uint64_t i = 0; i < npages; i++)
        if (block->data[prefix + i / 8] & (0x80 >> (i % 8)))
            NCI_TRY(read_page(f, first + i * stride, i, err));
    return NCG_OK;
}

ncg_status nci_h5_walk_fixed_array(nci_h5_walk *walk, ncg_error *err)
{
    fixed f = {.walk = walk, .header = walk->root};
    nci_h5_block block;
    NCI_TRY(nci_h5_order_init(walk, false, &f.order, err));
    NCI_TRY(open_fixed(&f, err));
    if (f.data == NCI_NO_ADDRESS)
        return NCG_OK;
    size_t prefix = 6 + (size_t)walk->h5->offset_size;
    uint64_t npages = f.count > f.page ? (f.count - 1) / f.page + 1 : 0;
    uint64_t body =
        npages ? (npages + 7) / 8 : f.count * nci_h5_element_size(walk);
    NCI_TRY(nci_h5_load(walk->h5, f.data, prefix + body + 4, walk->var->name,
                        &block, err));
    ncg_status st = check_data(&f, &block, err);
    if (!st && npages)
        st = read_pages(&f, &block, prefix, npages, err);
    else if (!st)
        st = enter(&f, nci_h5_cursor_of(block.data + prefix, body), 0, f.count,
                   err);
    nci_h5_block_fini(&block);
    return st;
}
