/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_INDEX_H
#define NCI_IO_HDF5_INDEX_H
/*
 * Walks of chunk indexes. Each walk calls nci_h5_place for every chunk that it
 * finds; that checks it against the grid and the file.
 */
#include "base/header.h"
#include "io/hdf5/reader.h"

/* What a storage keeps in index_params, so that the table can be read later
 * without the superblock. */
typedef struct nci_h5_origin {
    int offset_size, length_size;
    uint64_t base;
    uint64_t object; /* address of the data set's header */
} nci_h5_origin;

void nci_h5_origin_pack(const nci_h5_origin *origin, uint8_t *params);
nci_h5_origin nci_h5_origin_unpack(const uint8_t *params);

typedef struct nci_h5_walk {
    nci_h5 *h5;
    const nci_var *var;
    nci_h5_origin origin;
    uint64_t root;        /* relative address of the index */
    uint64_t chunk_bytes; /* decoded */
    int size_bytes;       /* of a stored size in version 4 indexes */
    bool is_filtered;
    int64_t stride[NCG_MAX_RANK];
    nci_chunk_table *table;
} nci_h5_walk;

/* nci_h5_place enters the chunk at grid position `index`; `address` is
 * relative. Errors: ECORRUPT: outside the grid, there already, beyond the
 * file's end, or of the wrong size. */
ncg_status nci_h5_place(nci_h5_walk *walk, const uint64_t *index,
                        uint64_t address, uint64_t nbytes, uint32_t mask,
                        ncg_error *err);

ncg_status nci_h5_walk_btree1(nci_h5_walk *walk, ncg_error *err);
ncg_status nci_h5_walk_btree2(nci_h5_walk *walk, ncg_error *err);
ncg_status nci_h5_walk_single(nci_h5_walk *walk, ncg_error *err);
ncg_status nci_h5_walk_implicit(nci_h5_walk *walk, ncg_error *err);
ncg_status nci_h5_walk_fixed_array(nci_h5_walk *walk, ncg_error *err);
ncg_status nci_h5_walk_extensible_array(nci_h5_walk *walk, ncg_error *err);

/* Arrays number the chunks of the largest possible grid. nci_h5_order_init
 * reads that grid from the data set's header; with `swap` its one unlimited
 * axis counts as the slowest. */
typedef struct nci_h5_order {
    int axis[NCG_MAX_RANK];       /* slowest first */
    uint64_t count[NCG_MAX_RANK]; /* chunks along axis[i]; UINT64_MAX: open */
} nci_h5_order;

ncg_status nci_h5_order_init(nci_h5_walk *walk, bool swap, nci_h5_order *out,
                             ncg_error *err);
/* nci_h5_place_element reads one element of an array (an address, for filtered
 * chunks stored size and mask) and places chunk `number` of the order. */
ncg_status nci_h5_place_element(nci_h5_walk *walk, const nci_h5_order *order,
                                uint64_t number, nci_h5_cursor *at,
                                ncg_error *err);
/* nci_h5_element_size is the size of an element that the walk expects. */
uint64_t nci_h5_element_size(const nci_h5_walk *walk);
/* nci_h5_take_element_size tells whether an index with elements of `size` fits
 * the variable. Layout version 5 stores sizes in as many bytes as a length has,
 * version 4 in as many as a chunk needs; the walk goes on with what is there. */
bool nci_h5_take_element_size(nci_h5_walk *walk, uint64_t size);

#endif
