/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/kernel/copy_even.h"

#include <string.h>

#include "engine/kernel/copy_turn.h"

enum { TILE = NCI_TURN_TILE };

#define COPY_PLANE(T)                                                          \
    do {                                                                       \
        for (int64_t y0 = 0; y0 < p->ny; y0 += TILE)                           \
            for (int64_t x0 = 0; x0 < p->nx; x0 += TILE) {                     \
                int64_t y1 = y0 + TILE < p->ny ? y0 + TILE : p->ny;            \
                int64_t x1 = x0 + TILE < p->nx ? x0 + TILE : p->nx;            \
                for (int64_t y = y0; y < y1; y++)                              \
                    for (int64_t x = x0; x < x1; x++)                          \
                        memcpy(to + (y * p->to_y + x * p->to_x) *              \
                                        (int64_t)sizeof(T),                    \
                               from + (y * p->from_y + x * p->from_x) *        \
                                          (int64_t)sizeof(T),                  \
                               sizeof(T));                                     \
            }                                                                  \
    } while (0)

static bool turn_plane(const nci_plane *p, size_t size, const uint8_t *from,
                       uint8_t *to)
{
    if (p->from_y != 1 || p->to_x != 1 || (size != 4 && size != 8))
        return false;
    const nci_turn_loops *loops = nci_turn_loops_of(nci_isa_best());
    (size == 4 ? loops->turn32 : loops->turn64)(p, from, to);
    return true;
}

static void copy_plane(const nci_plane *p, size_t size, const uint8_t *from,
                       uint8_t *to)
{
    if (turn_plane(p, size, from, to))
        return;
    if (p->from_x == 1 && p->to_x == 1) {
        for (int64_t y = 0; y < p->ny; y++)
            memcpy(to + y * p->to_y * (int64_t)size,
                   from + y * p->from_y * (int64_t)size,
                   (size_t)p->nx * size);
        return;
    }
    switch (size) {
    case 1:
        COPY_PLANE(uint8_t);
        break;
    case 2:
        COPY_PLANE(uint16_t);
        break;
    case 4:
        COPY_PLANE(uint32_t);
        break;
    default:
        COPY_PLANE(uint64_t);
    }
}

/* The axis that goes with the innermost one: where the values lie densest. */
static int partner_axis(int rank, const int64_t *count, const int64_t *stride)
{
    int best = -1;
    for (int d = 0; d < rank - 1; d++) {
        int64_t step = stride[d] < 0 ? -stride[d] : stride[d];
        int64_t least = best < 0 ? INT64_MAX : stride[best];
        least = least < 0 ? -least : least;
        if (count[d] > 1 && step < least)
            best = d;
    }
    return best;
}

/* Neighbouring axes that make one stretch in both arrays become one. */
static int join_axes(int rank, int64_t *count, int64_t *from, int64_t *to)
{
    int n = 0;
    for (int d = 0; d < rank; d++) {
        if (count[d] == 1)
            continue;
        if (n && from[n - 1] == from[d] * count[d] &&
            to[n - 1] == to[d] * count[d]) {
            count[n - 1] *= count[d];
            from[n - 1] = from[d];
            to[n - 1] = to[d];
        } else {
            count[n] = count[d];
            from[n] = from[d];
            to[n++] = to[d];
        }
    }
    return n;
}

static void dense_steps(int rank, const int64_t *count, int64_t *step)
{
    int64_t all = 1;
    for (int d = rank - 1; d >= 0; d--) {
        step[d] = all;
        all *= count[d];
    }
}

void nci_copy_even(uint8_t *to, const int64_t *to_stride, const uint8_t *from,
                   const int64_t *from_stride, size_t size, int rank,
                   const int64_t *in_count)
{
    int64_t count[NCG_MAX_RANK], stride[NCG_MAX_RANK], step[NCG_MAX_RANK];
    int64_t at[NCG_MAX_RANK] = {0};
    for (int d = 0; d < rank; d++) {
        count[d] = in_count[d];
        stride[d] = from_stride[d];
        if (to_stride)
            step[d] = to_stride[d];
    }
    if (!to_stride)
        dense_steps(rank, count, step);
    rank = join_axes(rank, count, stride, step);
    int inner = rank - 1, outer = partner_axis(rank, count, stride);
    nci_plane p = {1, 1, 0, 1, 0, 1};
    if (inner >= 0)
        p.nx = count[inner], p.from_x = stride[inner], p.to_x = step[inner];
    if (outer >= 0) {
        p.ny = count[outer];
        p.from_y = stride[outer];
        p.to_y = step[outer];
    }
    for (;;) {
        int64_t source = 0, target = 0;
        for (int d = 0; d < inner; d++) {
            source += at[d] * stride[d];
            target += at[d] * step[d];
        }
        copy_plane(&p, size, from + source * (int64_t)size,
                   to + target * (int64_t)size);
        int d = inner - 1;
        while (d >= 0 && (d == outer || ++at[d] == count[d]))
            at[d--] = 0;
        if (d < 0)
            return;
    }
}
