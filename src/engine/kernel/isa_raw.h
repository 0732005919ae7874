/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Included by isa_body.h: strips of raw values, as they came from the file, are
 * put together, tested, unpacked and folded in registers: one pass over memory.
 * Sixteen cells at a time; where one of them is missing, which is seldom, NaN
 * takes the place of what is, as in strips of doubles.
 */

typedef float floats4 __attribute__((vector_size(16)));
typedef int32_t ints4 __attribute__((vector_size(16)));
typedef uint32_t words4 __attribute__((vector_size(16)));
typedef uint32_t words4_any
    __attribute__((vector_size(16), aligned(1), may_alias));

static inline bool any_set4(ints4 x)
{
#if defined(__SSE2__)
    return _mm_movemask_ps((__m128)x) != 0;
#else
    return (x[0] | x[1] | x[2] | x[3]) != 0;
#endif
}

static inline lanes4 widen4(floats4 x)
{
#if defined(__AVX2__)
    return (lanes4)_mm256_cvtps_pd((__m128)x);
#else
    return __builtin_convertvector(x, lanes4);
#endif
}

/* All bits set where x is no number, or `miss`, where there is such a mark. */
static inline ints4 is_missing4(floats4 x, floats4 miss, bool has_mark)
{
    if (!has_mark)
        return (ints4)(x != x);
#if defined(__AVX2__)
    return (ints4)_mm_cmp_ps((__m128)x, (__m128)miss, _CMP_EQ_UQ);
#else
    return (ints4)(x == miss) | (ints4)(x != x);
#endif
}

/* Tests and widens sixteen floats. */
static inline __attribute__((always_inline)) bool
take_floats(const floats4 f[4], const nci_strips_in *in, lanes4 x[4],
            bool has_mark)
{
    const float miss = in->missing_f32;
    const floats4 all = {miss, miss, miss, miss};
    ints4 bad[4], any = {0};
    for (int v = 0; v < 4; v++) {
        bad[v] = is_missing4(f[v], all, has_mark);
        any |= bad[v];
    }
    if (__builtin_expect(any_set4(any), 0)) {
        for (int v = 0; v < 4; v++)
            x[v] = widen4((floats4)((ints4)f[v] | bad[v]));
        return true;
    }
    for (int v = 0; v < 4; v++)
        x[v] = widen4(f[v]);
    return false;
}

static inline __attribute__((always_inline)) bool
take_f32_of(const nci_strips_in *in, int k, int64_t i, lanes4 x[4],
            bool has_mark)
{
    const uint8_t *at = (const uint8_t *)in->x[k] + 4 * i;
    floats4 f[4];
    for (int v = 0; v < 4; v++)
        memcpy(&f[v], at + 16 * v, 16);
    return take_floats(f, in, x, has_mark);
}

static inline words4 swapped4(words4 x)
{
#if defined(__AVX2__)
    const __m128i turn =
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    return (words4)_mm_shuffle_epi8((__m128i)x, turn);
#else
    words4 pairs = (x >> 8 & 0x00ff00ff) | (x & 0x00ff00ff) << 8;
    return pairs >> 16 | pairs << 16;
#endif
}

static inline __attribute__((always_inline)) bool
take_f32_swapped_of(const nci_strips_in *in, int k, int64_t i, lanes4 x[4],
                    bool has_mark)
{
    const uint8_t *at = (const uint8_t *)in->x[k] + 4 * i;
    floats4 f[4];
    for (int v = 0; v < 4; v++)
        f[v] = (floats4)swapped4(*(const words4_any *)(at + 16 * v));
    return take_floats(f, in, x, has_mark);
}

static inline __attribute__((always_inline)) bool
take_f32_planes_of(const nci_strips_in *in, int k, int64_t i, lanes4 x[4],
                   bool has_mark)
{
    const uint8_t *p0 = (const uint8_t *)in->x[k] + i, *p1 = p0 + in->plane;
    const uint8_t *p2 = p1 + in->plane, *p3 = p2 + in->plane;
    floats4 f[4];
#if defined(__SSE2__)
    __m128i a = LOAD16(p0), b = LOAD16(p1), c = LOAD16(p2), d = LOAD16(p3);
    __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    f[0] = (floats4)_mm_unpacklo_epi16(ab, cd);
    f[1] = (floats4)_mm_unpackhi_epi16(ab, cd);
    ab = _mm_unpackhi_epi8(a, b);
    cd = _mm_unpackhi_epi8(c, d);
    f[2] = (floats4)_mm_unpacklo_epi16(ab, cd);
    f[3] = (floats4)_mm_unpackhi_epi16(ab, cd);
#else
    uint32_t words[NCI_LANES];
    for (int l = 0; l < NCI_LANES; l++)
        words[l] = (uint32_t)p0[l] | (uint32_t)p1[l] << 8 |
                   (uint32_t)p2[l] << 16 | (uint32_t)p3[l] << 24;
    memcpy(f, words, sizeof f);
#endif
    return take_floats(f, in, x, has_mark);
}

/* Those that have a mark of what is missing, and those that have NaN only,
 * which the mark is then. */
#define TAKE_FLOATS(name, base, has_mark)                                      \
    static inline __attribute__((always_inline)) bool take_##name(             \
        const nci_strips_in *in, int k, int64_t i, lanes4 x[4])                \
    {                                                                          \
        return take_##base##_of(in, k, i, x, has_mark);                        \
    }
TAKE_FLOATS(f32, f32, true)
TAKE_FLOATS(f32_swapped, f32_swapped, true)
TAKE_FLOATS(f32_planes, f32_planes, true)
TAKE_FLOATS(f32_nan, f32, false)
TAKE_FLOATS(f32_swapped_nan, f32_swapped, false)
TAKE_FLOATS(f32_planes_nan, f32_planes, false)

/* Values that are missing among sixteen, where there is one. */
static void void_i16(const int16_t *raw, int16_t miss, lanes4 x[4])
{
    double values[NCI_LANES];
    memcpy(values, x, sizeof values);
    for (int l = 0; l < NCI_LANES; l++)
        values[l] = raw[l] == miss ? NAN : values[l];
    memcpy(x, values, sizeof values);
}

static inline __attribute__((always_inline)) bool
take_i16_planes(const nci_strips_in *in, int k, int64_t i, lanes4 x[4])
{
    const uint8_t *p0 = (const uint8_t *)in->x[k] + i, *p1 = p0 + in->plane;
    const double scale = in->scale, offset = in->offset;
    const int16_t miss = in->missing_i16;
    int16_t raw[NCI_LANES];
    int any = 0;
#if defined(__SSE2__)
    __m128i a = LOAD16(p0), b = LOAD16(p1), all = _mm_set1_epi16(miss);
    __m128i low = _mm_unpacklo_epi8(a, b), high = _mm_unpackhi_epi8(a, b);
    any = _mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi16(low, all), _mm_cmpeq_epi16(high, all)));
#if defined(__AVX2__)
    __m256i wide[2] = {_mm256_cvtepi16_epi32(low), _mm256_cvtepi16_epi32(high)};
    for (int h = 0; h < 2; h++) {
        x[2 * h] = (lanes4)_mm256_cvtepi32_pd(_mm256_castsi256_si128(wide[h]));
        x[2 * h + 1] =
            (lanes4)_mm256_cvtepi32_pd(_mm256_extracti128_si256(wide[h], 1));
    }
#else
    __m128i four[4] = {
        _mm_unpacklo_epi16(low, low), _mm_unpackhi_epi16(low, low),
        _mm_unpacklo_epi16(high, high), _mm_unpackhi_epi16(high, high)};
    for (int v = 0; v < 4; v++)
        x[v] =
            __builtin_convertvector((ints4)_mm_srai_epi32(four[v], 16), lanes4);
#endif
    if (__builtin_expect(any, 0)) {
        STORE16(raw, low);
        STORE16(raw + 8, high);
    }
#else
    double values[NCI_LANES];
    for (int l = 0; l < NCI_LANES; l++) {
        raw[l] = (int16_t)(uint16_t)(p0[l] | p1[l] << 8);
        any |= raw[l] == miss;
        values[l] = raw[l];
    }
    memcpy(x, values, sizeof values);
#endif
    for (int v = 0; v < 4; v++)
        x[v] = x[v] * scale + offset;
    if (__builtin_expect(any, 0))
        void_i16(raw, miss, x);
    return any != 0;
}

/* ---- one cell, at the end of a run ----------------------------------------
 */

static inline double one_float(uint32_t word, const nci_strips_in *in)
{
    float x;
    memcpy(&x, &word, sizeof x);
    return x == in->missing_f32 ? NAN : (double)x;
}

static inline double one_f32(const nci_strips_in *in, int k, int64_t i)
{
    return one_float(((const u32_any *)in->x[k])[i], in);
}

static inline double one_f32_swapped(const nci_strips_in *in, int k, int64_t i)
{
    return one_float(__builtin_bswap32(((const u32_any *)in->x[k])[i]), in);
}

static inline double one_f32_planes(const nci_strips_in *in, int k, int64_t i)
{
    const uint8_t *at = (const uint8_t *)in->x[k] + i;
    uint32_t word = 0;
    for (int b = 0; b < 4; b++)
        word |= (uint32_t)at[b * in->plane] << 8 * b;
    return one_float(word, in);
}

static inline double one_i16_planes(const nci_strips_in *in, int k, int64_t i)
{
    const uint8_t *at = (const uint8_t *)in->x[k] + i;
    int16_t x = (int16_t)(uint16_t)(at[0] | at[in->plane] << 8);
    return x == in->missing_i16 ? NAN : (double)x * in->scale + in->offset;
}

/* ---- loops ----------------------------------------------------------------
 */

/* What was not seen to be all numbers takes the steps for what may be NaN. */
#define RAW_LOOP(name, TAKE, ONE, STEP4, SAFE4, SAFE1)                         \
    static bool name(double *restrict acc, const nci_strips_in *in, int64_t n) \
    {                                                                          \
        int64_t i = 0;                                                         \
        bool found = false;                                                    \
        for (; i + NCI_LANES <= n; i += NCI_LANES) {                           \
            lanes4 a[4], x[4];                                                 \
            for (int v = 0; v < 4; v++)                                        \
                a[v] = LOAD4(acc + i + 4 * v);                                 \
            for (int k = 0; k < in->count; k++) {                              \
                if (__builtin_expect(TAKE(in, k, i, x), 0)) {                  \
                    found = true;                                              \
                    for (int v = 0; v < 4; v++)                                \
                        a[v] = SAFE4(x[v], a[v]);                              \
                } else {                                                       \
                    for (int v = 0; v < 4; v++)                                \
                        a[v] = STEP4(x[v], a[v]);                              \
                }                                                              \
            }                                                                  \
            for (int v = 0; v < 4; v++)                                        \
                STORE4(acc + i + 4 * v, a[v]);                                 \
        }                                                                      \
        for (; i < n; i++)                                                     \
            for (int k = 0; k < in->count; k++) {                              \
                double x = ONE(in, k, i);                                      \
                found = found || x != x;                                       \
                acc[i] = SAFE1(x, acc[i]);                                     \
            }                                                                  \
        return found;                                                          \
    }

#define RAW_ROW_SUM(name, TAKE, ONE)                                           \
    static bool name(const nci_strips_in *in, int64_t n, double *sum)          \
    {                                                                          \
        lanes4 s[4] = {{0}}, x[4];                                             \
        double lane[NCI_LANES];                                                \
        int64_t i = 0;                                                         \
        for (; i + NCI_LANES <= n; i += NCI_LANES) {                           \
            if (__builtin_expect(TAKE(in, 0, i, x), 0))                        \
                return true;                                                   \
            for (int v = 0; v < 4; v++)                                        \
                s[v] += x[v];                                                  \
        }                                                                      \
        memcpy(lane, s, sizeof lane);                                          \
        for (int64_t l = 0; i < n; i++, l++) {                                 \
            double last = ONE(in, 0, i);                                       \
            if (last != last)                                                  \
                return true;                                                   \
            lane[l] += last;                                                   \
        }                                                                      \
        *sum = meet(lane, NCI_LANES);                                          \
        return false;                                                          \
    }

RAW_ROW_SUM(raw_row_sum_f32, take_f32, one_f32)
RAW_ROW_SUM(raw_row_sum_f32_swapped, take_f32_swapped, one_f32_swapped)
RAW_ROW_SUM(raw_row_sum_f32_planes, take_f32_planes, one_f32_planes)
RAW_ROW_SUM(raw_row_sum_f32_nan, take_f32_nan, one_f32)
RAW_ROW_SUM(raw_row_sum_f32_swapped_nan, take_f32_swapped_nan, one_f32_swapped)
RAW_ROW_SUM(raw_row_sum_f32_planes_nan, take_f32_planes_nan, one_f32_planes)

/* Integers add up exactly and are unpacked once. */
static bool raw_row_sum_i16_planes(const nci_strips_in *in, int64_t n,
                                   double *sum)
{
    const uint8_t *p0 = in->x[0], *p1 = p0 + in->plane;
    const int16_t miss = in->missing_i16;
    int64_t all = 0, i = 0;
    int any = 0;
#if defined(__SSE2__)
    enum { FEW = 1 << 14 }; /* values whose sums cannot leave 32 bits */
    const __m128i ones = _mm_set1_epi16(1), gap = _mm_set1_epi16(miss);
    while (i + NCI_LANES <= n && !any) {
        int64_t end = n - i < FEW ? n : i + FEW;
        __m128i total = _mm_setzero_si128(), bad = total;
        for (; i + NCI_LANES <= end; i += NCI_LANES) {
            __m128i a = LOAD16(p0 + i), b = LOAD16(p1 + i);
            __m128i x = _mm_unpacklo_epi8(a, b), y = _mm_unpackhi_epi8(a, b);
            bad = _mm_or_si128(bad, _mm_cmpeq_epi16(x, gap));
            bad = _mm_or_si128(bad, _mm_cmpeq_epi16(y, gap));
            total = _mm_add_epi32(total, _mm_madd_epi16(x, ones));
            total = _mm_add_epi32(total, _mm_madd_epi16(y, ones));
        }
        int32_t lane[4];
        STORE16(lane, total);
        for (int l = 0; l < 4; l++)
            all += lane[l];
        any = _mm_movemask_epi8(bad);
    }
#endif
    for (; i < n; i++) {
        int16_t x = (int16_t)(uint16_t)(p0[i] | p1[i] << 8);
        any |= x == miss;
        all += x;
    }
    *sum = (double)all * in->scale + (double)n * in->offset;
    return any != 0;
}

#define RAW_LOOPS(t, ONE)                                                      \
    RAW_LOOP(raw_add_##t, take_##t, ONE, ADD4, ADD_NUMBER4, ADD_NUMBER1)       \
    RAW_LOOP(raw_min_##t, take_##t, ONE, low4, low4, LOW1)                     \
    RAW_LOOP(raw_max_##t, take_##t, ONE, high4, high4, HIGH1)

RAW_LOOPS(f32, one_f32)
RAW_LOOPS(f32_swapped, one_f32_swapped)
RAW_LOOPS(f32_planes, one_f32_planes)
RAW_LOOPS(f32_nan, one_f32)
RAW_LOOPS(f32_swapped_nan, one_f32_swapped)
RAW_LOOPS(f32_planes_nan, one_f32_planes)
RAW_LOOPS(i16_planes, one_i16_planes)

#include "engine/kernel/isa_raw_squares.h"

#define RAW_TABLE(t)                                                           \
    {                                                                          \
        raw_row_sum_##t, raw_add_##t, raw_min_##t, raw_max_##t,                \
            raw_squares_##t                                                    \
    }
