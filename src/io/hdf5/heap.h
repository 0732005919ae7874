/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_HEAP_H
#define NCI_IO_HDF5_HEAP_H
/*
 * The three heaps of HDF5: local (names of old groups), global (values of
 * variable length) and fractal (many links or attributes of one object).
 */
#include "io/hdf5/reader.h"

/* nci_h5_local_load reads the data of the local heap at `address`; names are
 * looked up in it by offset. */
ncg_status nci_h5_local_load(nci_h5 *h5, uint64_t address, const char *name,
                             nci_h5_block *out, ncg_error *err);
/* nci_h5_local_name returns the terminated name at `offset`, or NULL. */
const char *nci_h5_local_name(const nci_h5_block *heap, uint64_t offset);

/* nci_h5_global_get finds object `index` of the collection at `address`. The
 * bytes hold until the next call: collections are cached, the last few. */
ncg_status nci_h5_global_get(nci_h5 *h5, uint64_t address, uint32_t index,
                             const char *name, nci_h5_cursor *out,
                             ncg_error *err);

/* A fractal heap whose blocks are loaded when first needed and kept. */
typedef struct nci_h5_fractal {
    uint64_t address;
    int id_size, offset_bytes, length_bytes; /* of heap ids */
    bool has_checksums;                      /* direct blocks carry one */
    unsigned width;                          /* blocks in a row */
    uint64_t start_size, max_direct;
    uint64_t root;
    unsigned root_rows; /* 0: the root is a direct block */
    uint64_t huge_tree;
    bool huge_direct; /* ids of huge objects hold their address */
    struct nci_h5_heap_block *blocks;
    size_t nblocks, capacity;
} nci_h5_fractal;

ncg_status nci_h5_fractal_open(nci_h5 *h5, uint64_t address, const char *name,
                               nci_h5_fractal *out, ncg_error *err);
/* nci_h5_fractal_get finds the object of a heap id (heap->id_size bytes). The
 * bytes hold until nci_h5_fractal_fini. */
ncg_status nci_h5_fractal_get(nci_h5 *h5, nci_h5_fractal *heap,
                              const uint8_t *id, const char *name,
                              nci_h5_cursor *out, ncg_error *err);
void nci_h5_fractal_fini(nci_h5_fractal *heap);

#endif
