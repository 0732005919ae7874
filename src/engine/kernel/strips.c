/* SPDX-License-Identifier: BSD-3-Clause */
/* Folding the strips that wait, block by block of their cells: as they came
 * from the file where a loop is made for that (isa_raw.h), else as raw values
 * in host order where no one is missing, else as doubles. */
#include "engine/kernel/strips.h"

#include <string.h>

bool nci_strips_fit(const nci_fold *fold)
{
    if (fold->is_weighted || fold->is_wide)
        return false;
    switch (fold->op) {
    case NCG_OP_SUM:
    case NCG_OP_MEAN:
    case NCG_OP_MIN:
    case NCG_OP_MAX:
    case NCG_OP_RANGE:
    case NCG_OP_STD:
    case NCG_OP_VAR:
    case NCG_OP_COUNT:
        return true;
    default:
        return false;
    }
}

/* The tiles that wait and the accumulators share the caches: deviations have
 * three accumulators a cell and gain by many tiles a pass, sums have one. */
int nci_strips_keep(const nci_fold *fold, int64_t nbytes)
{
    bool has_squares = fold->op == NCG_OP_STD || fold->op == NCG_OP_VAR;
    const int64_t most = has_squares ? 4 << 20 : 2 << 20;
    int64_t n = nbytes > 0 ? most / nbytes : 0;
    return n < NCI_MAX_STRIPS - 1 ? (int)n : NCI_MAX_STRIPS - 1;
}

static void fold_loops(nci_acc *acc, const nci_strip_loops *loops,
                       const nci_strips_in *in, int64_t cell, int64_t n)
{
    double *value = acc->value[0] ? acc->value[0] + cell : NULL;
    switch (acc->fold->op) {
    case NCG_OP_MIN:
        loops->min(value, in, n);
        break;
    case NCG_OP_MAX:
        loops->max(value, in, n);
        break;
    case NCG_OP_RANGE:
        loops->min(value, in, n);
        loops->max(acc->value[1] + cell, in, n);
        break;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        loops->squares(acc->k + cell, value, acc->value[1] + cell, in, n);
        break;
    case NCG_OP_COUNT:
        break;
    default:
        loops->add(value, in, n);
    }
}

/* The kind of loop that takes raw values of a rule, F64 where none does. */
static nci_strip_kind kind_of(const nci_mask *mask)
{
    if (mask->raw == NCG_DTYPE_F32 && !mask->has_scale)
        return NCI_STRIP_F32;
    return mask->raw == NCG_DTYPE_I16 ? NCI_STRIP_I16 : NCI_STRIP_F64;
}

static bool same_rule(const nci_mask *a, const nci_mask *b)
{
    return kind_of(a) == kind_of(b) && a->has_scale == b->has_scale &&
           (!a->has_scale || (a->scale == b->scale && a->offset == b->offset));
}

/* One kind for all strips, and none of their values missing. */
static nci_strip_kind common_kind(const nci_strips *strips, const nci_isa *isa,
                                  const nci_strips_in *in, int64_t n)
{
    const nci_mask *first = &strips->strip[0].view.mask;
    nci_strip_kind kind = kind_of(first);
    for (int k = 0; kind != NCI_STRIP_F64 && k < strips->count; k++) {
        const nci_mask *mask = &strips->strip[k].view.mask;
        bool any = kind == NCI_STRIP_F32
                       ? isa->any_missing_f32(in->x[k], n, mask)
                       : isa->any_missing_i16(in->x[k], n, mask);
        if (any || !same_rule(first, mask))
            return NCI_STRIP_F64;
    }
    return kind;
}

static void tally(nci_acc *acc, const double *x, int64_t cell, int64_t n)
{
    if (acc->missed64)
        acc->isa->tally64(acc->missed64 + cell, x, n);
    else
        acc->isa->tally32(acc->missed32 + cell, x, n);
}

static void fold_doubles(const nci_strips *strips, nci_acc *acc,
                         nci_strips_in *in, int64_t cell, int64_t n,
                         uint8_t *memory)
{
    for (int k = 0; k < strips->count; k++) {
        const nci_mask *mask = &strips->strip[k].view.mask;
        double *x = (double *)(void *)(memory + k * NCI_STRIP_ROOM);
        if (acc->isa->decode[mask->raw](in->x[k], n, mask, x)) {
            tally(acc, x, cell, n);
            nci_view_met(&strips->strip[k].view, in->x[k], n);
        }
        in->x[k] = x;
    }
    fold_loops(acc, &acc->isa->strips[NCI_STRIP_F64], in, cell, n);
}

/* From one strip's raw block to the next: of the widest, and a line more. */
static size_t raw_room(const nci_strips *strips)
{
    size_t widest = 1;
    for (int k = 0; k < strips->count; k++) {
        size_t size = strips->strip[k].view.size;
        widest = size > widest ? size : widest;
    }
    return widest * NCI_STRIP_BLOCK + NCI_STRIP_LINE;
}

/* ---- as they came from the file ------------------------------------------ */

/* The kind that all strips are of, and what its loops need to know. */
static nci_raw_kind common_raw_kind(const nci_strips *strips, nci_strips_in *in)
{
    const nci_view *first = &strips->strip[0].view;
    nci_raw_kind kind = nci_view_raw_kind(first, in);
    in->count = strips->count;
    for (int k = 1; kind != NCI_RAW_KINDS && k < strips->count; k++) {
        const nci_view *view = &strips->strip[k].view;
        nci_strips_in other;
        if (nci_view_raw_kind(view, &other) != kind ||
            other.plane != in->plane || !same_rule(&view->mask, &first->mask) ||
            memcmp(view->mask.missing[0], first->mask.missing[0], 8))
            return NCI_RAW_KINDS;
    }
    return kind;
}

static bool fold_raw_loops(nci_acc *acc, const nci_raw_loops *loops,
                           const nci_strips_in *in, int64_t cell, int64_t n)
{
    double *value = acc->value[0] + cell;
    const nci_isa *isa = acc->isa;
    if (acc->is_packed && acc->k && isa->packed_squares)
        return isa->packed_squares(value, acc->value[1] + cell, in, n);
    if (acc->is_packed && !acc->k && isa->packed_add)
        return isa->packed_add(value, in, n);
    switch (acc->fold->op) {
    case NCG_OP_MIN:
        return loops->min(value, in, n);
    case NCG_OP_MAX:
        return loops->max(value, in, n);
    case NCG_OP_RANGE:
        loops->min(value, in, n);
        return loops->max(acc->value[1] + cell, in, n);
    case NCG_OP_STD:
    case NCG_OP_VAR:
        return loops->squares(acc->k + cell, value, acc->value[1] + cell, in,
                              n);
    default:
        return loops->add(value, in, n);
    }
}

/* Only blocks in which something is missing are looked at once more. */
static void count_missing(const nci_strips *strips, nci_acc *acc, int64_t first,
                          int64_t n, uint8_t *memory)
{
    double *x = (double *)(void *)(memory + NCI_STRIP_ROOM);
    for (int k = 0; k < strips->count; k++) {
        const nci_strip *strip = &strips->strip[k];
        const nci_mask *mask = &strip->view.mask;
        const void *raw = nci_view_dense(&strip->view, acc->isa,
                                         strip->at + first, n, memory);
        if (acc->isa->decode[mask->raw](raw, n, mask, x)) {
            tally(acc, x, strips->cell + first, n);
            nci_view_met(&strip->view, raw, n);
        }
    }
}

static void fold_raw(const nci_strips *strips, nci_acc *acc, nci_raw_kind kind,
                     nci_strips_in *in, int64_t first, int64_t n,
                     uint8_t *memory)
{
    for (int k = 0; k < strips->count; k++) {
        const nci_strip *strip = &strips->strip[k];
        in->x[k] = nci_view_raw_at(&strip->view, strip->at + first);
    }
    if (fold_raw_loops(acc, &acc->isa->raw[kind], in, strips->cell + first, n))
        count_missing(strips, acc, first, n, memory);
}

/* ---- block by block -------------------------------------------------------
 */

static void fold_block(const nci_strips *strips, nci_acc *acc, int64_t first,
                       int64_t n, uint8_t *memory)
{
    const nci_mask *rule = &strips->strip[0].view.mask;
    nci_strips_in in = {.count = strips->count,
                        .scale = rule->has_scale ? rule->scale : 1,
                        .offset = rule->has_scale ? rule->offset : 0};
    size_t room = raw_room(strips);
    for (int k = 0; k < strips->count; k++) {
        const nci_strip *strip = &strips->strip[k];
        in.x[k] = nci_view_dense(&strip->view, acc->isa, strip->at + first, n,
                                 memory + (size_t)k * room);
    }
    nci_strip_kind kind = common_kind(strips, acc->isa, &in, n);
    int64_t cell = strips->cell + first;
    if (kind != NCI_STRIP_F64)
        fold_loops(acc, &acc->isa->strips[kind], &in, cell, n);
    else
        fold_doubles(strips, acc, &in, cell, n,
                     memory + NCI_MAX_STRIPS * NCI_STRIP_ROOM);
}

/* A block is short in each of many places: too short for the machine to see a
 * stream and run ahead. Small tiles are near anyway. */
static void prefetch(const nci_strips *strips, int64_t first, int64_t n)
{
    enum { NEAR = 64 << 10 };
    if (strips->n < NEAR)
        return;
    for (int k = 0; k < strips->count; k++)
        nci_view_prefetch(&strips->strip[k].view, strips->strip[k].at + first,
                          n);
}

static void miss_all(nci_acc *acc, int64_t cell, int64_t n, int64_t times)
{
    for (int64_t c = cell; acc->missed64 && c < cell + n; c++)
        acc->missed64[c] += times;
    for (int64_t c = cell; !acc->missed64 && c < cell + n; c++)
        acc->missed32[c] += (int32_t)times;
}

void nci_strips_fold(const nci_strips *strips, nci_acc *acc, int64_t first,
                     int64_t n, uint8_t *memory)
{
    nci_strips_in in;
    nci_raw_kind kind = NCI_RAW_KINDS;
    if (strips->nvoid)
        miss_all(acc, strips->cell + first, n, strips->nvoid);
    if (strips->count && acc->fold->op != NCG_OP_COUNT)
        kind = common_raw_kind(strips, &in);
    for (int64_t at = 0; strips->count && at < n; at += NCI_STRIP_BLOCK) {
        int64_t left = n - at, next = left - NCI_STRIP_BLOCK;
        int64_t count = left < NCI_STRIP_BLOCK ? left : NCI_STRIP_BLOCK;
        prefetch(strips, first + at + NCI_STRIP_BLOCK,
                 next < NCI_STRIP_BLOCK ? next : NCI_STRIP_BLOCK);
        if (kind != NCI_RAW_KINDS)
            fold_raw(strips, acc, kind, &in, first + at, count, memory);
        else
            fold_block(strips, acc, first + at, count, memory);
    }
}
