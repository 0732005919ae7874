/* SPDX-License-Identifier: BSD-3-Clause */
/* Gathering raw values of an operand and decoding them block by block, while
 * the bytes are in the cache. */
#include "engine/kernel/view.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"

void nci_view_tile(const nci_tile *tile, const nci_decode *decode,
                   nci_view *out)
{
    *out = (nci_view){.size = tile->elem_size,
                      .is_shuffled = tile->is_shuffled && tile->elem_size > 1,
                      .is_swapped = tile->is_swapped && tile->elem_size > 1,
                      .is_fill = !tile->data,
                      .all_missing = !decode,
                      .plane = nci_tile_size(tile),
                      .data = tile->data};
    memcpy(out->fill, tile->fill, sizeof out->fill);
    if (decode)
        nci_mask_of(decode, &out->mask);
}

void nci_view_keep_packed(nci_view *view)
{
    view->mask.has_scale = false;
    view->mask.scale = 1;
    view->mask.offset = 0;
}

void nci_view_plain(ncg_dtype dtype, const void *data, const void *missing,
                    nci_view *out)
{
    *out = (nci_view){.size = (uint32_t)ncg_dtype_size(dtype), .data = data};
    nci_mask_plain(dtype, missing, &out->mask);
}

/* ---- default fills --------------------------------------------------------
 */

void nci_view_count(nci_view *view, const nci_decode *decode,
                    _Atomic int64_t *fills)
{
    if (!decode || !decode->has_default_fill)
        return;
    bool is_outside = (decode->has_min && decode->missing[0] < decode->min) ||
                      (decode->has_max && decode->missing[0] > decode->max);
    if (!is_outside)
        view->fills = fills;
}

#define COUNT_EQUAL(T)                                                         \
    do {                                                                       \
        T all, x;                                                              \
        memcpy(&all, value, sizeof all);                                       \
        for (int64_t i = 0; i < n; i++) {                                      \
            memcpy(&x, from + i * (int64_t)sizeof x, sizeof x);                \
            count += x == all;                                                 \
        }                                                                      \
    } while (0)

/* The default is never zero or NaN, so equal values have equal bytes. */
static int64_t count_equal(const uint8_t *from, int64_t n, const uint8_t *value,
                           uint32_t size)
{
    int64_t count = 0;
    if (size == 2)
        COUNT_EQUAL(uint16_t);
    else if (size == 4)
        COUNT_EQUAL(uint32_t);
    else if (size == 8)
        COUNT_EQUAL(uint64_t);
    return count;
}

void nci_view_met(const nci_view *view, const void *raw, int64_t n)
{
    if (!view->fills)
        return;
    int64_t count = count_equal(raw, n, view->mask.missing[0], view->size);
    if (count)
        atomic_fetch_add_explicit(view->fills, count, memory_order_relaxed);
}

void nci_view_met_void(const nci_view *view, int64_t n)
{
    if (view->fills && !memcmp(view->fill, view->mask.missing[0], view->size))
        atomic_fetch_add_explicit(view->fills, n, memory_order_relaxed);
}

/* ---- gathering ----------------------------------------------------------- */

static void gather_one(const nci_view *view, int64_t at, uint8_t *out)
{
    uint32_t size = view->size;
    for (uint32_t b = 0; b < size; b++) {
        uint32_t to = view->is_swapped ? size - 1 - b : b;
        out[to] = view->is_shuffled ? view->data[(int64_t)b * view->plane + at]
                                    : view->data[at * size + b];
    }
}

static void repeat(const uint8_t *value, uint32_t size, int64_t n, uint8_t *out)
{
    int64_t have = size, all = n * size;
    memcpy(out, value, size);
    while (have < all) {
        int64_t more = have < all - have ? have : all - have;
        memcpy(out + have, out, (size_t)more);
        have += more;
    }
}

static int log2_size(uint32_t size)
{
    return size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;
}

static void gather_planes(const nci_view *view, const nci_isa *isa, int64_t at,
                          int64_t n, void *out)
{
    const uint8_t *planes[8];
    for (uint32_t b = 0; b < view->size; b++) {
        uint32_t to = view->is_swapped ? view->size - 1 - b : b;
        planes[to] = view->data + (int64_t)b * view->plane + at;
    }
    isa->unshuffle[log2_size(view->size)](planes, n, out);
}

#define STRIDED(T)                                                             \
    do {                                                                       \
        for (int64_t i = 0; i < run->count; i++)                               \
            memcpy(out + i * (int64_t)sizeof(T),                               \
                   view->data + nci_run_at(run, i) * (int64_t)sizeof(T),       \
                   sizeof(T));                                                 \
    } while (0)

static void gather_strided(const nci_view *view, const nci_run *run,
                           uint8_t *out)
{
    if (view->is_shuffled || view->is_swapped) {
        for (int64_t i = 0; i < run->count; i++)
            gather_one(view, nci_run_at(run, i), out + i * view->size);
        return;
    }
    switch (view->size) {
    case 1:
        STRIDED(uint8_t);
        break;
    case 2:
        STRIDED(uint16_t);
        break;
    case 4:
        STRIDED(uint32_t);
        break;
    default:
        STRIDED(uint64_t);
    }
}

static void gather_run(const nci_view *view, const nci_isa *isa,
                       const nci_run *run, uint8_t *out)
{
    uint8_t value[8];
    bool is_dense = !run->table && run->stride == 1;
    if (run->count == 1 || (!run->table && run->stride == 0)) {
        gather_one(view, nci_run_at(run, 0), value);
        repeat(value, view->size, run->count, out);
    } else if (!is_dense) {
        gather_strided(view, run, out);
    } else if (view->is_shuffled) {
        gather_planes(view, isa, run->offset, run->count, out);
    } else if (view->is_swapped) {
        isa->swap[log2_size(view->size)](view->data + run->offset * view->size,
                                         run->count, out);
    } else {
        memcpy(out, view->data + run->offset * view->size,
               (size_t)(run->count * view->size));
    }
}

static const void *gather(const nci_view *view, const nci_isa *isa,
                          nci_walk *walk, int64_t n, uint8_t *temp)
{
    bool is_raw = !view->is_shuffled && !view->is_swapped;
    for (int64_t done = 0; done < n;) {
        nci_run run = nci_walk_next(walk, n - done);
        if (is_raw && run.count == n && !run.table && run.stride == 1)
            return view->data + run.offset * view->size;
        gather_run(view, isa, &run, temp + done * view->size);
        done += run.count;
    }
    return temp;
}

const void *nci_view_raw(const nci_view *view, const nci_isa *isa,
                         nci_walk *walk, int64_t n, void *temp)
{
    if (!view->is_fill)
        return gather(view, isa, walk, n, temp);
    repeat(view->fill, view->size, n, temp);
    return temp;
}

const void *nci_view_dense(const nci_view *view, const nci_isa *isa, int64_t at,
                           int64_t n, void *temp)
{
    nci_run run = {.count = n, .offset = at, .stride = 1};
    if (view->is_fill)
        repeat(view->fill, view->size, n, temp);
    else if (!view->is_shuffled && !view->is_swapped)
        return view->data + at * view->size;
    else
        gather_run(view, isa, &run, temp);
    return temp;
}

/* Floats with one mark of what is missing; those with NaN only come behind. */
static nci_raw_kind raw_float_kind(const nci_view *view)
{
    int nan_only = view->mask.nmissing ? 0 : NCI_RAW_F32_NAN - NCI_RAW_F32;
    int kind = view->is_shuffled  ? NCI_RAW_F32_PLANES
               : view->is_swapped ? NCI_RAW_F32_SWAPPED
                                  : NCI_RAW_F32;
    return (nci_raw_kind)(kind + nan_only);
}

nci_raw_kind nci_view_raw_kind(const nci_view *view, nci_strips_in *in)
{
    const nci_mask *mask = &view->mask;
    *in = (nci_strips_in){.count = 1, .scale = 1, .missing_f32 = NAN};
    if (view->is_fill || view->all_missing || mask->nmissing > 1 ||
        mask->has_range)
        return NCI_RAW_KINDS;
    if (mask->nmissing) {
        memcpy(&in->missing_f32, mask->missing[0], sizeof in->missing_f32);
        memcpy(&in->missing_i16, mask->missing[0], sizeof in->missing_i16);
    }
    if (view->is_shuffled)
        in->plane = view->is_swapped ? -view->plane : view->plane;
    if (mask->raw == NCG_DTYPE_F32 && !mask->has_scale)
        return raw_float_kind(view);
    if (mask->has_scale) {
        in->scale = mask->scale;
        in->offset = mask->offset;
    }
    return mask->raw == NCG_DTYPE_I16 && view->is_shuffled && mask->nmissing
               ? NCI_RAW_I16_PLANES
               : NCI_RAW_KINDS;
}

/* Planes begin with that of the lowest byte. */
const void *nci_view_raw_at(const nci_view *view, int64_t at)
{
    if (!view->is_shuffled)
        return view->data + at * view->size;
    int64_t first = view->is_swapped ? view->size - 1 : 0;
    return view->data + first * view->plane + at;
}

void nci_view_prefetch(const nci_view *view, int64_t at, int64_t n)
{
    enum { LINE = 64 };
    int64_t size = view->is_shuffled ? 1 : view->size;
    int planes = view->is_shuffled ? (int)view->size : 1;
    if (view->is_fill)
        return;
    for (int b = 0; b < planes; b++) {
        const uint8_t *from = view->data + b * view->plane + at * size;
        for (int64_t i = 0; i < n * size; i += LINE)
            __builtin_prefetch(from + i);
    }
}

bool nci_view_is_void(const nci_view *view, const nci_isa *isa)
{
    double value;
    return view->all_missing ||
           (view->is_fill &&
            isa->decode[view->mask.raw](view->fill, 1, &view->mask, &value));
}

bool nci_view_load(const nci_view *view, const nci_isa *isa, nci_walk *walk,
                   int64_t n, void *temp, double *out, const void **raw)
{
    *raw = temp;
    if (view->all_missing) {
        for (int64_t i = 0; i < n; i++)
            out[i] = NAN;
        memset(temp, 0, (size_t)n * 8);
        return true;
    }
    *raw = nci_view_raw(view, isa, walk, n, temp);
    bool any = isa->decode[view->mask.raw](*raw, n, &view->mask, out);
    if (any)
        nci_view_met(view, *raw, n);
    return any;
}

bool nci_view_is_plain(const nci_view *view)
{
    const nci_mask *mask = &view->mask;
    return mask->raw == NCG_DTYPE_F64 && !view->is_shuffled &&
           !view->is_swapped && !view->is_fill && !view->all_missing &&
           !mask->nmissing && !mask->has_range && !mask->has_scale;
}

void nci_view_copy(const nci_view *view, nci_walk *walk, int64_t n, double *out)
{
    for (int64_t done = 0; done < n;) {
        nci_run run = nci_walk_next(walk, n - done);
        double *to = out + done, x;
        if (!run.table && run.stride == 0) {
            memcpy(&x, view->data + run.offset * 8, sizeof x);
            for (int64_t i = 0; i < run.count; i++)
                to[i] = x;
        } else if (!run.table && run.stride == 1) {
            memcpy(to, view->data + run.offset * 8, (size_t)run.count * 8);
        } else {
            gather_strided(view, &run, (uint8_t *)to);
        }
        done += run.count;
    }
}

/* ---- boxes --------------------------------------------------------------- */

static int64_t offset_in(const nci_box *box, const nci_box *part,
                         const int64_t *at)
{
    int64_t offset = 0;
    for (int d = 0; d < box->rank; d++)
        offset =
            offset * box->count[d] + part->start[d] + at[d] - box->start[d];
    return offset;
}

void nci_copy_box(uint8_t *to, const nci_box *to_box, const uint8_t *from,
                  const nci_box *from_box, size_t size)
{
    nci_box part;
    int64_t at[NCG_MAX_RANK] = {0}, run = 1;
    if (!nci_box_clip(to_box, from_box, &part))
        return;
    int d = part.rank; /* axes d.. make one run in both arrays */
    while (d > 0) {
        run *= part.count[--d];
        if (part.count[d] != to_box->count[d] ||
            part.count[d] != from_box->count[d])
            break;
    }
    for (;;) {
        memcpy(to + (size_t)offset_in(to_box, &part, at) * size,
               from + (size_t)offset_in(from_box, &part, at) * size,
               (size_t)run * size);
        int e = d - 1;
        while (e >= 0 && ++at[e] == part.count[e])
            at[e--] = 0;
        if (e < 0)
            return;
    }
}
