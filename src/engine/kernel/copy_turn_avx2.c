/* SPDX-License-Identifier: BSD-3-Clause */
/* Transposed planes for AVX2: eight rows of eight values, four of four. Pairs
 * of rows are interleaved, then pairs of pairs, then halves change places. */
#if defined(__x86_64__)
#include <stdint.h>
#include <string.h>

typedef uint32_t eight32 __attribute__((vector_size(32)));
typedef uint64_t four64 __attribute__((vector_size(32)));
enum { WIDE32 = 8, WIDE64 = 4 };

#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define EVEN32(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define ODD32(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define FRONT32(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define BACK32(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

static inline eight32 load32(const uint8_t *at)
{
    eight32 x;
    memcpy(&x, at, sizeof x);
    return x;
}

/* Columns 0 to 3 of four rows, each beside its column + 4. */
static inline void quarter32(const uint8_t *from, int64_t step, eight32 *c0,
                             eight32 *c1, eight32 *c2, eight32 *c3)
{
    eight32 a = load32(from), b = load32(from + step);
    eight32 c = load32(from + 2 * step), d = load32(from + 3 * step);
    eight32 low = LOW32(a, b), high = HIGH32(a, b);
    eight32 low2 = LOW32(c, d), high2 = HIGH32(c, d);
    *c0 = EVEN32(low, low2);
    *c1 = ODD32(low, low2);
    *c2 = EVEN32(high, high2);
    *c3 = ODD32(high, high2);
}

static inline void put32(uint8_t *to, int64_t step, eight32 a, eight32 b)
{
    eight32 front = FRONT32(a, b), back = BACK32(a, b);
    memcpy(to, &front, sizeof front);
    memcpy(to + 4 * step, &back, sizeof back);
}

static inline void square32(const uint8_t *from, int64_t from_step, uint8_t *to,
                            int64_t to_step)
{
    eight32 a, b, c, d, e, f, g, h;
    quarter32(from, from_step, &a, &b, &c, &d);
    quarter32(from + 4 * from_step, from_step, &e, &f, &g, &h);
    put32(to, to_step, a, e);
    put32(to + to_step, to_step, b, f);
    put32(to + 2 * to_step, to_step, c, g);
    put32(to + 3 * to_step, to_step, d, h);
}

#define LOW64(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define HIGH64(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define FRONT64(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define BACK64(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)

static inline four64 load64(const uint8_t *at)
{
    four64 x;
    memcpy(&x, at, sizeof x);
    return x;
}

static inline void put64(uint8_t *to, int64_t step, four64 a, four64 b)
{
    four64 front = FRONT64(a, b), back = BACK64(a, b);
    memcpy(to, &front, sizeof front);
    memcpy(to + 2 * step, &back, sizeof back);
}

static inline void square64(const uint8_t *from, int64_t from_step, uint8_t *to,
                            int64_t to_step)
{
    four64 a = load64(from), b = load64(from + from_step);
    four64 c = load64(from + 2 * from_step), d = load64(from + 3 * from_step);
    put64(to, to_step, LOW64(a, b), LOW64(c, d));
    put64(to + to_step, to_step, HIGH64(a, b), HIGH64(c, d));
}

#define NCI_TURN_TABLE nci_turn_avx2
#include "engine/kernel/copy_turn_body.h"
#else
typedef int nci_turn_avx2_is_for_x86;
#endif
