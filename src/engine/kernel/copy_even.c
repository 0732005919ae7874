/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/kernel/copy_even.h"

#include <string.h>

enum { TILE = 32 };

/* A plane: y steps of the outer axis, x of the inner one. */
typedef struct plane {
    int64_t ny, nx;
    int64_t from_y, from_x; /* elements from one to the next */
    int64_t to_y, to_x;
} plane;

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

/* ---- transposed planes: four by four values in registers -------------------
 */

typedef uint32_t four32 __attribute__((vector_size(16)));
typedef uint64_t two64 __attribute__((vector_size(16)));

static inline void turn4(const uint8_t *from, int64_t from_step, uint8_t *to,
                         int64_t to_step)
{
    four32 a, b, c, d, e, f;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + from_step, sizeof b);
    memcpy(&c, from + 2 * from_step, sizeof c);
    memcpy(&d, from + 3 * from_step, sizeof d);
    e = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    f = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    a = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    c = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    b = __builtin_shufflevector(e, f, 0, 1, 4, 5);
    e = __builtin_shufflevector(e, f, 2, 3, 6, 7);
    d = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    f = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    memcpy(to, &b, sizeof b);
    memcpy(to + to_step, &e, sizeof e);
    memcpy(to + 2 * to_step, &d, sizeof d);
    memcpy(to + 3 * to_step, &f, sizeof f);
}

static inline void turn2(const uint8_t *from, int64_t from_step, uint8_t *to,
                         int64_t to_step)
{
    two64 a, b, c;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + from_step, sizeof b);
    c = __builtin_shufflevector(a, b, 0, 2);
    a = __builtin_shufflevector(a, b, 1, 3);
    memcpy(to, &c, sizeof c);
    memcpy(to + to_step, &a, sizeof a);
}

static void copy_one(const plane *p, size_t size, const uint8_t *from,
                     uint8_t *to, int64_t y, int64_t x)
{
    int64_t n = (int64_t)size;
    memcpy(to + (y * p->to_y + x) * n, from + (y + x * p->from_x) * n, size);
}

/* A tile whose y lie side by side in `from` and whose x do in `to`. */
static void turn_tile(const plane *p, size_t size, const uint8_t *from,
                      uint8_t *to, const int64_t *y, const int64_t *x)
{
    int64_t n = (int64_t)size, wide = 16 / n;
    int64_t y_end = y[0] + (y[1] - y[0]) / wide * wide;
    int64_t x_end = x[0] + (x[1] - x[0]) / wide * wide;
    for (int64_t i = y[0]; i < y_end; i += wide)
        for (int64_t j = x[0]; j < x_end; j += wide) {
            const uint8_t *at = from + (i + j * p->from_x) * n;
            uint8_t *out = to + (i * p->to_y + j) * n;
            if (n == 4)
                turn4(at, p->from_x * n, out, p->to_y * n);
            else
                turn2(at, p->from_x * n, out, p->to_y * n);
        }
    for (int64_t i = y[0]; i < y[1]; i++)
        for (int64_t j = i < y_end ? x_end : x[0]; j < x[1]; j++)
            copy_one(p, size, from, to, i, j);
}

static bool turn_plane(const plane *p, size_t size, const uint8_t *from,
                       uint8_t *to)
{
    if (p->from_y != 1 || p->to_x != 1 || (size != 4 && size != 8))
        return false;
    for (int64_t y0 = 0; y0 < p->ny; y0 += TILE)
        for (int64_t x0 = 0; x0 < p->nx; x0 += TILE) {
            int64_t y[2] = {y0, y0 + TILE < p->ny ? y0 + TILE : p->ny};
            int64_t x[2] = {x0, x0 + TILE < p->nx ? x0 + TILE : p->nx};
            turn_tile(p, size, from, to, y, x);
        }
    return true;
}

static void copy_plane(const plane *p, size_t size, const uint8_t *from,
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
    plane p = {1, 1, 0, 1, 0, 1};
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
