/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of copy_turn.h, included by one .c file for each instruction set.
 * It defines NCI_TURN_TABLE and turns squares of WIDE32 x WIDE32 and WIDE64 x
 * WIDE64 values:
 *     static void square32(const uint8_t *from, int64_t from_step,
 *                          uint8_t *to, int64_t to_step)    steps in bytes
 */
#include <string.h>

#include "engine/kernel/copy_turn.h"

typedef struct span {
    int64_t first, end;
} span;

static span tile_span(int64_t first, int64_t n)
{
    int64_t end = first + NCI_TURN_TILE;
    return (span){first, end < n ? end : n};
}

static void prefetch_tile(const nci_plane *p, int64_t size, const uint8_t *from,
                          span y, span x)
{
    enum { LINE = 64 };
    for (int64_t j = x.first; j < x.end; j++) {
        const uint8_t *at = from + (y.first + j * p->from_x) * size;
        const uint8_t *last = at + (y.end - y.first) * size - 1;
        for (; at < last; at += LINE)
            __builtin_prefetch(at);
        __builtin_prefetch(last);
    }
}

#define TURN(bits)                                                             \
    static void turn_tile##bits(const nci_plane *p, const uint8_t *from,       \
                                uint8_t *to, span y, span x)                   \
    {                                                                          \
        enum { SIZE = (bits) / 8, WIDE = WIDE##bits };                         \
        int64_t y_end = y.first + (y.end - y.first) / WIDE * WIDE;             \
        int64_t x_end = x.first + (x.end - x.first) / WIDE * WIDE;             \
        for (int64_t j = x.first; j < x_end; j += WIDE)                        \
            for (int64_t i = y.first; i < y_end; i += WIDE)                    \
                square##bits(from + (i + j * p->from_x) * SIZE,                \
                             p->from_x * SIZE, to + (i * p->to_y + j) * SIZE,  \
                             p->to_y * SIZE);                                  \
        for (int64_t i = y.first; i < y.end; i++)                              \
            for (int64_t j = i < y_end ? x_end : x.first; j < x.end; j++)      \
                memcpy(to + (i * p->to_y + j) * SIZE,                          \
                       from + (i + j * p->from_x) * SIZE, SIZE);               \
    }                                                                          \
                                                                               \
    static void turn##bits(const nci_plane *p, const uint8_t *from,            \
                           uint8_t *to)                                        \
    {                                                                          \
        for (int64_t y0 = 0; y0 < p->ny; y0 += NCI_TURN_TILE)                  \
            for (int64_t x0 = 0; x0 < p->nx; x0 += NCI_TURN_TILE) {            \
                span y = tile_span(y0, p->ny), x = tile_span(x0, p->nx);       \
                prefetch_tile(p, (bits) / 8, from, y,                          \
                              tile_span(x.end, p->nx));                        \
                turn_tile##bits(p, from, to, y, x);                            \
            }                                                                  \
    }
TURN(32)
TURN(64)

const nci_turn_loops NCI_TURN_TABLE = {turn32, turn64};
