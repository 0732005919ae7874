/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_SOURCE_H
#define NCI_BASE_SOURCE_H
/*
 * One variable of many files as one array: a list of segments along the join
 * axis. dataset writes it, graph sees only its shape and grid, the engine
 * reads through it.
 *
 *     position of the array   0        31       59            join axis
 *     segment                 | file 0 | file 1 | file 2 ...
 *     position in the file    0..30      0..27    file_start..
 */
#include "base/grid.h"
#include "base/hash.h"
#include "base/tile.h"

typedef struct nci_segment {
    int file; /* index into the caller's list of files */
    int var;  /* index into that file's header; -1: the variable is not in this
                 file, every value is missing */
    int64_t start, count; /* along the join axis of the array */
    int64_t file_start;   /* position in the file's variable */
    nci_decode decode;    /* files may be packed differently */
} nci_segment;

typedef struct nci_source_spec {
    char *name; /* of the variable, for messages */
    int rank;
    int64_t shape[NCG_MAX_RANK];
    int join_axis; /* -1: one segment holds everything */
    nci_segment *segments;
    size_t nsegments;
    ncg_dtype dtype;  /* of decoded values */
    bool has_missing; /* integers: values may equal `missing` */
    uint8_t missing[8];
    nci_grid grid;   /* storage chunks, joined */
    nci_token token; /* paths, sizes, mtimes, variable, decoding */
} nci_source_spec;

/* nci_source_spec_find returns the first segment that reaches beyond `position`
 * of the join axis, nsegments where none does. */
size_t nci_source_spec_find(const nci_source_spec *spec, int64_t position);
/* nci_source_spec_free releases a heap-allocated spec; accepts NULL. */
void nci_source_spec_free(nci_source_spec **spec);

#endif
