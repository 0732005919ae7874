/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks in a version 2 B-tree: more than one unlimited axis. A record is the
 * address, for filtered chunks stored size and mask (4), then the chunk's
 * place in the grid (8 for each axis).
 */
#include "io/hdf5/btree2.h"
#include "io/hdf5/index.h"

typedef struct state {
    nci_h5_walk *walk;
    nci_h5_record_type type;
} state;

static ncg_status enter(nci_h5_cursor record, void *payload, ncg_error *err)
{
    state *s = payload;
    nci_h5_walk *walk = s->walk;
    uint64_t index[NCG_MAX_RANK];
    uint64_t address = nci_h5_address(&record, walk->h5);
    uint64_t nbytes = walk->chunk_bytes;
    uint32_t mask = 0;
    if (s->type == NCI_H5_RECORD_CHUNK_FILTERED) {
        /* The tree's own record size tells the bytes of the stored size. */
        size_t rest = 4 + 8 * (size_t)walk->var->rank;
        size_t left = nci_h5_left(&record);
        if (left < rest || left - rest > 8)
            return nci_fail(err, NCG_ECORRUPT,
                            "%s: records of its chunk index have a wrong size",
                            walk->var->name);
        nbytes = nci_h5_uint(&record, (int)(left - rest));
        mask = (uint32_t)nci_h5_uint(&record, 4);
    }
    for (int d = 0; d < walk->var->rank; d++)
        index[d] = nci_h5_uint(&record, 8);
    if (record.failed)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: records of its chunk index have a wrong size",
                        walk->var->name);
    return nci_h5_place(walk, index, address, nbytes, mask, err);
}

ncg_status nci_h5_walk_btree2(nci_h5_walk *walk, ncg_error *err)
{
    state s = {.walk = walk};
    return nci_h5_btree2_walk(walk->h5, walk->root, NCI_H5_RECORD_CHUNK,
                              NCI_H5_RECORD_CHUNK_FILTERED, &s.type,
                              walk->var->name, enter, &s, err);
}
