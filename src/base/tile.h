/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_TILE_H
#define NCI_BASE_TILE_H
/*
 * A tile is what one thread decodes at a time: one storage chunk (or a piece
 * of contiguous data), bytes as the kernels want them: filters undone except
 * the byte shuffle and the byte order, which the kernels undo block by block
 * while the bytes are in the cache.
 *
 * Elements lie in row-major order of `count`. With `is_shuffled`, byte b of
 * element i is data[b * n + i], where n is the number of elements.
 */
#include "base/grid.h"

typedef struct nci_tile {
    nci_box box; /* positions in the variable; an edge chunk may reach beyond */
    const uint8_t *data; /* NULL: never written, every element is `fill` */
    uint32_t elem_size;
    bool is_shuffled;
    bool is_swapped; /* byte order is not the host's */
    uint8_t fill[16];
} nci_tile;

/*
 * How raw values become values of the array (CF 2.5.1 and 8.1): a value is
 * missing when it equals one of `missing`, is NaN, or lies outside the valid
 * range; all tests are on raw values. Others become raw * scale + offset.
 */
enum { NCI_MAX_MISSING = 8 };

typedef struct nci_decode {
    ncg_dtype raw; /* in the file, after _Unsigned */
    ncg_dtype out; /* of the array; floats mark missing values by NaN */
    int nmissing;
    double missing[NCI_MAX_MISSING];
    int64_t missing_i64[NCI_MAX_MISSING]; /* the same for I64, U64 (wrapped) */
    bool has_min, has_max;
    double min, max;
    int64_t min_i64, max_i64;
    bool has_scale; /* scale or offset other than 1 and 0 */
    double scale, offset;
    bool has_default_fill; /* missing[0] is NetCDF's default, not stated */
} nci_decode;

/* nci_tile_size returns the number of elements. */
int64_t nci_tile_size(const nci_tile *tile);
/* nci_tile_copy gathers the part of a tile inside `box` into `out`, a
 * row-major array of `box` in host byte order: the plain, slow way, for
 * coordinates, fallbacks and as the referee of the kernels. */
void nci_tile_copy(const nci_tile *tile, const nci_box *box, void *out);
/* nci_decode_value decodes one raw value (host order) to double, NaN where it
 * is missing. */
double nci_decode_value(const nci_decode *decode, const void *raw);

#endif
