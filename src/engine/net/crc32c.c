/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instruction takes three cycles and one can begin each cycle, so three
 * stretches of the input are summed side by side. Their sums are joined by
 * multiplying with x^(8 * LANE) modulo the polynomial, which the `shift` tables
 * hold for each byte of a sum. Without the instruction: four bytes at a time
 * by tables. Tables are made once.
 */
#include "engine/net/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { LANE = 2048 }; /* bytes of each of the three stretches */

static const uint32_t POLYNOMIAL = 0x82f63b78u; /* bit-reversed */
static uint32_t step[4][256];  /* [k]: a byte followed by k zero bytes */
static uint32_t shift[4][256]; /* [k]: byte k of a sum, then LANE zeros */
static bool have_instruction;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t portable(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 4; n -= 4, p += 4) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
               (uint32_t)p[3] << 24;
        crc = step[3][crc & 255] ^ step[2][crc >> 8 & 255] ^
              step[1][crc >> 16 & 255] ^ step[0][crc >> 24];
    }
    while (n--)
        crc = step[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return crc;
}

static void make_tables(void)
{
    static const uint8_t zeros[LANE];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        step[0][i] = crc;
    }
    for (int k = 1; k < 4; k++)
        for (uint32_t i = 0; i < 256; i++)
            step[k][i] = step[0][step[k - 1][i] & 255] ^ step[k - 1][i] >> 8;
    for (int k = 0; k < 4; k++)
        for (uint32_t i = 0; i < 256; i++)
            shift[k][i] = portable(i << 8 * k, zeros, sizeof zeros);
#if defined(__x86_64__)
    have_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t after_lane(uint32_t crc)
{
    return shift[0][crc & 255] ^ shift[1][crc >> 8 & 255] ^
           shift[2][crc >> 16 & 255] ^ shift[3][crc >> 24];
}

static uint64_t word(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 3 * LANE; n -= 3 * LANE, p += 3 * LANE) {
        uint64_t a = crc, b = 0, c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            a = _mm_crc32_u64(a, word(p + i));
            b = _mm_crc32_u64(b, word(p + LANE + i));
            c = _mm_crc32_u64(c, word(p + 2 * LANE + i));
        }
        crc = after_lane(after_lane((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    uint64_t rest = crc;
    for (; n >= 8; n -= 8, p += 8)
        rest = _mm_crc32_u64(rest, word(p));
    crc = (uint32_t)rest;
    while (n--)
        crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
#endif

uint32_t nci_crc32c_portable(uint32_t crc, const void *bytes, size_t nbytes)
{
    pthread_once(&once, make_tables);
    return ~portable(~crc, bytes, nbytes);
}

uint32_t nci_crc32c(uint32_t crc, const void *bytes, size_t nbytes)
{
    pthread_once(&once, make_tables);
#if defined(__x86_64__)
    if (have_instruction)
        return ~by_instruction(~crc, bytes, nbytes);
#endif
    return ~portable(~crc, bytes, nbytes);
}
