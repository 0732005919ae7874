/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_VIEW_H
#define NCI_ENGINE_KERNEL_VIEW_H
/*
 * A view is the raw memory behind an operand: a tile as it came from the file,
 * a chunk of another layer, a constant. Blocks of it are gathered along a walk
 * into host order and decoded to double. Also the way back: doubles to values
 * of a dtype, and copies of boxes.
 */
#include <stdatomic.h>

#include "engine/kernel/isa.h"
#include "engine/kernel/walk.h"

typedef struct nci_view {
    uint32_t size; /* of one raw value */
    bool is_shuffled, is_swapped;
    bool is_fill; /* every value is `fill` */
    bool all_missing;
    int64_t plane; /* elements of the whole tile */
    const uint8_t *data;
    uint8_t fill[16];
    nci_mask mask;
    _Atomic int64_t *fills; /* counts default fills that are met; or NULL */
} nci_view;

/* nci_view_tile looks at a tile; decode == NULL: all missing. */
void nci_view_tile(const nci_tile *tile, const nci_decode *decode,
                   nci_view *out);
/* nci_view_keep_packed: values stay as they are stored; what is missing still
 * is. */
void nci_view_keep_packed(nci_view *view);
/* nci_view_count has the values counted that are missing for no other reason
 * than that they equal NetCDF's default fill; nothing else of a rule has a
 * count. nci_view_met counts those among n raw values in host order, a block
 * in which some are missing: others cost nothing. */
void nci_view_count(nci_view *view, const nci_decode *decode,
                    _Atomic int64_t *fills);
void nci_view_met(const nci_view *view, const void *raw, int64_t n);
/* nci_view_met_void does so for n values of a view that is the same value. */
void nci_view_met_void(const nci_view *view, int64_t n);
/* nci_view_plain looks at host-order values of `dtype`. */
void nci_view_plain(ncg_dtype dtype, const void *data, const void *missing,
                    nci_view *out);

/* nci_view_load reads the next n <= NCI_BLOCK values of the walk as doubles,
 * NaN where missing; returns whether one is. `temp` holds n raw values; *raw
 * is where they lie in host order. */
bool nci_view_load(const nci_view *view, const nci_isa *isa, nci_walk *walk,
                   int64_t n, void *temp, double *out, const void **raw);

/* nci_view_raw only gathers them; they are n at the address that it returns,
 * for nci_isa.decode. Not for views that are all_missing. */
const void *nci_view_raw(const nci_view *view, const nci_isa *isa,
                         nci_walk *walk, int64_t n, void *temp);

/* nci_view_dense is nci_view_raw for n elements from `at` on. */
const void *nci_view_dense(const nci_view *view, const nci_isa *isa, int64_t at,
                           int64_t n, void *temp);
/* nci_view_raw_kind tells which raw loops take values of a view, and fills in
 * what they need to know but where; NCI_RAW_KINDS: none does.
 * nci_view_raw_at is where they find the elements from `at` on. */
nci_raw_kind nci_view_raw_kind(const nci_view *view, nci_strips_in *in);
const void *nci_view_raw_at(const nci_view *view, int64_t at);
/* nci_view_prefetch asks for n elements from `at` on. */
void nci_view_prefetch(const nci_view *view, int64_t at, int64_t n);
/* nci_view_is_void tells whether every value of a view is missing: without
 * looking at each. */
bool nci_view_is_void(const nci_view *view, const nci_isa *isa);

/* nci_view_is_plain tells whether a view holds doubles in host order that need
 * no test; nci_view_copy reads the next n of such values as they are. */
bool nci_view_is_plain(const nci_view *view);
void nci_view_copy(const nci_view *view, nci_walk *walk, int64_t n,
                   double *out);

/* nci_encode converts doubles to `dtype`: rounded to nearest, clamped; NaN
 * becomes `missing` (of dtype), or without it NaN, 0 for integers. */
void nci_encode(const nci_isa *isa, const double *x, int64_t n, ncg_dtype dtype,
                const uint8_t *missing, void *out);
/* nci_encode_run does so along a run of elements of `out`. */
void nci_encode_run(const nci_isa *isa, const double *x, const nci_run *run,
                    ncg_dtype dtype, const uint8_t *missing, void *out);

/* nci_copy_box copies what two row-major arrays over boxes share. */
void nci_copy_box(uint8_t *to, const nci_box *to_box, const uint8_t *from,
                  const nci_box *from_box, size_t size);

#endif
