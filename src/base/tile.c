/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/tile.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"

int64_t nci_tile_size(const nci_tile *tile)
{
    return nci_box_size(&tile->box);
}

static void copy_element(const nci_tile *tile, int64_t n, int64_t i,
                         uint8_t *out)
{
    uint32_t size = tile->elem_size;
    if (!tile->data) {
        memcpy(out, tile->fill, size);
        return;
    }
    for (uint32_t b = 0; b < size; b++) {
        uint32_t to = tile->is_swapped ? size - 1 - b : b;
        out[to] = tile->is_shuffled ? tile->data[(int64_t)b * n + i]
                                    : tile->data[i * size + b];
    }
}

/* Advances a row-major odometer over count[0..rank); false after the last. */
static bool advance(int rank, const int64_t *count, int64_t *at)
{
    for (int d = rank - 1; d >= 0; d--) {
        if (++at[d] < count[d])
            return true;
        at[d] = 0;
    }
    return false;
}

void nci_tile_copy(const nci_tile *tile, const nci_box *box, void *out)
{
    nci_box clip;
    int64_t n = nci_tile_size(tile), at[NCG_MAX_RANK] = {0};
    uint8_t *to = out;
    if (!nci_box_clip(&tile->box, box, &clip))
        return;
    do {
        int64_t from_i = 0, to_i = 0;
        for (int d = 0; d < clip.rank; d++) {
            int64_t position = clip.start[d] + at[d];
            from_i =
                from_i * tile->box.count[d] + position - tile->box.start[d];
            to_i = to_i * box->count[d] + position - box->start[d];
        }
        copy_element(tile, n, from_i, to + to_i * tile->elem_size);
    } while (advance(clip.rank, clip.count, at));
}

static bool is_missing_i64(const nci_decode *decode, int64_t x)
{
    bool is_u64 = decode->raw == NCG_DTYPE_U64;
    for (int i = 0; i < decode->nmissing; i++)
        if (x == decode->missing_i64[i])
            return true;
    if (is_u64)
        return (decode->has_min && (uint64_t)x < (uint64_t)decode->min_i64) ||
               (decode->has_max && (uint64_t)x > (uint64_t)decode->max_i64);
    return (decode->has_min && x < decode->min_i64) ||
           (decode->has_max && x > decode->max_i64);
}

static bool is_missing(const nci_decode *decode, double x)
{
    for (int i = 0; i < decode->nmissing; i++)
        if (x == decode->missing[i])
            return true;
    return isnan(x) || (decode->has_min && x < decode->min) ||
           (decode->has_max && x > decode->max);
}

double nci_decode_value(const nci_decode *decode, const void *raw)
{
    double x = nci_dtype_get(decode->raw, raw);
    bool missing =
        nci_dtype_is_wide(decode->raw)
            ? is_missing_i64(decode, nci_dtype_get_i64(decode->raw, raw))
            : is_missing(decode, x);
    if (missing)
        return NAN;
    return decode->has_scale ? x * decode->scale + decode->offset : x;
}
