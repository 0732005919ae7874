/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Included by isa_raw.h: deviations of raw values from the first one of each
 * cell. Eight cells at a time stay in registers over all strips, as if nothing
 * were missing; where something was, which shows at the end, they are done once
 * more from what is still in memory, with NaN for what is missing and a
 * deviation of 0 for NaN, as in strips of doubles.
 */

/* Eight values of strip k as they are, and which of them are missing. */
static inline __attribute__((always_inline)) void
near_floats(const floats4 f[2], const nci_strips_in *in, bool has_mark,
            lanes4 x[2], ints4 *bad)
{
    const float miss = in->missing_f32;
    const floats4 all = {miss, miss, miss, miss};
    for (int v = 0; v < 2; v++) {
        bad[v] = is_missing4(f[v], all, has_mark);
        x[v] = widen4(f[v]);
    }
}

static inline __attribute__((always_inline)) void
near_f32(const nci_strips_in *in, int k, int64_t i, bool has_mark, lanes4 x[2],
         ints4 *bad)
{
    floats4 f[2];
    memcpy(f, (const uint8_t *)in->x[k] + 4 * i, sizeof f);
    near_floats(f, in, has_mark, x, bad);
}

static inline __attribute__((always_inline)) void
near_f32_swapped(const nci_strips_in *in, int k, int64_t i, bool has_mark,
                 lanes4 x[2], ints4 *bad)
{
    const uint8_t *at = (const uint8_t *)in->x[k] + 4 * i;
    floats4 f[2];
    for (int v = 0; v < 2; v++)
        f[v] = (floats4)swapped4(*(const words4_any *)(at + 16 * v));
    near_floats(f, in, has_mark, x, bad);
}

static inline __attribute__((always_inline)) void
near_f32_planes(const nci_strips_in *in, int k, int64_t i, bool has_mark,
                lanes4 x[2], ints4 *bad)
{
    const uint8_t *p0 = (const uint8_t *)in->x[k] + i, *p1 = p0 + in->plane;
    const uint8_t *p2 = p1 + in->plane, *p3 = p2 + in->plane;
    floats4 f[2];
#if defined(__SSE2__)
    __m128i ab = _mm_unpacklo_epi8(LOAD8(p0), LOAD8(p1));
    __m128i cd = _mm_unpacklo_epi8(LOAD8(p2), LOAD8(p3));
    f[0] = (floats4)_mm_unpacklo_epi16(ab, cd);
    f[1] = (floats4)_mm_unpackhi_epi16(ab, cd);
#else
    uint32_t words[8];
    for (int l = 0; l < 8; l++)
        words[l] = (uint32_t)p0[l] | (uint32_t)p1[l] << 8 |
                   (uint32_t)p2[l] << 16 | (uint32_t)p3[l] << 24;
    memcpy(f, words, sizeof f);
#endif
    near_floats(f, in, has_mark, x, bad);
}

static inline __attribute__((always_inline)) void
near_i16_planes(const nci_strips_in *in, int k, int64_t i, bool has_mark,
                lanes4 x[2], ints4 *bad)
{
    const uint8_t *p0 = (const uint8_t *)in->x[k] + i, *p1 = p0 + in->plane;
    const int32_t miss = in->missing_i16;
    const ints4 all = {miss, miss, miss, miss};
    ints4 p[2];
    (void)has_mark;
#if defined(__SSE2__)
    __m128i raw = _mm_unpacklo_epi8(LOAD8(p0), LOAD8(p1));
    p[0] = (ints4)_mm_srai_epi32(_mm_unpacklo_epi16(raw, raw), 16);
    p[1] = (ints4)_mm_srai_epi32(_mm_unpackhi_epi16(raw, raw), 16);
#else
    int32_t words[8];
    for (int l = 0; l < 8; l++)
        words[l] = (int16_t)(uint16_t)(p0[l] | p1[l] << 8);
    memcpy(p, words, sizeof p);
#endif
    for (int v = 0; v < 2; v++) {
        bad[v] = p[v] == all;
        x[v] = __builtin_convertvector(p[v], lanes4) * in->scale + in->offset;
    }
}

/* NaN where missing. */
static inline lanes4 void4(lanes4 x, ints4 bad)
{
    return (lanes4)((masks4)x | __builtin_convertvector(bad, masks4));
}

static inline bool any_nan8(const lanes4 x[2])
{
    masks4 any = (masks4)(x[0] != x[0]) | (masks4)(x[1] != x[1]);
#if defined(__AVX2__)
    return _mm256_movemask_pd((__m256d)any) != 0;
#else
    return (any[0] | any[1] | any[2] | any[3]) != 0;
#endif
}

static inline bool all_nan8(const lanes4 x[2])
{
    masks4 any = (masks4)(x[0] == x[0]) | (masks4)(x[1] == x[1]);
#if defined(__AVX2__)
    return _mm256_movemask_pd((__m256d)any) == 0;
#else
    return !(any[0] | any[1] | any[2] | any[3]);
#endif
}

#define RAW_SQUARES(name, NEAR, ONE, HAS_MARK)                                 \
    static void name##_first(double *restrict k, const nci_strips_in *in,      \
                             int64_t i, lanes4 k8[2])                          \
    {                                                                          \
        for (int j = 0; j < in->count && any_nan8(k8); j++) {                  \
            lanes4 x[2];                                                       \
            ints4 bad[2];                                                      \
            NEAR(in, j, i, HAS_MARK, x, bad);                                  \
            for (int v = 0; v < 2; v++)                                        \
                k8[v] = first4(k8[v], void4(x[v], bad[v]));                    \
        }                                                                      \
        for (int v = 0; v < 2; v++)                                            \
            STORE4(k + i + 4 * v, k8[v]);                                      \
    }                                                                          \
                                                                               \
    static void name##_again(double *restrict s, double *restrict q,           \
                             const nci_strips_in *in, int64_t i,               \
                             const lanes4 k8[2])                               \
    {                                                                          \
        for (int j = 0; j < in->count; j++) {                                  \
            lanes4 x[2];                                                       \
            ints4 bad[2];                                                      \
            NEAR(in, j, i, HAS_MARK, x, bad);                                  \
            for (int v = 0; v < 2; v++) {                                      \
                lanes4 d = number4(void4(x[v], bad[v]) - k8[v]);               \
                STORE4(s + i + 4 * v, LOAD4(s + i + 4 * v) + d);               \
                STORE4(q + i + 4 * v, LOAD4(q + i + 4 * v) + d * d);           \
            }                                                                  \
        }                                                                      \
    }                                                                          \
                                                                               \
    static inline __attribute__((always_inline)) bool name##_of(               \
        double *restrict k, double *restrict s, double *restrict q,            \
        const nci_strips_in *in, int64_t i)                                    \
    {                                                                          \
        lanes4 k8[2] = {LOAD4(k + i), LOAD4(k + i + 4)};                       \
        lanes4 sums[2] = {LOAD4(s + i), LOAD4(s + i + 4)};                     \
        lanes4 squares[2] = {LOAD4(q + i), LOAD4(q + i + 4)};                  \
        ints4 any = {0};                                                       \
        if (__builtin_expect(any_nan8(k8), 0)) {                               \
            name##_first(k, in, i, k8);                                        \
            if (all_nan8(k8))                                                  \
                return true; /* all of them are missing */                     \
        }                                                                      \
        for (int j = 0; j < in->count; j++) {                                  \
            lanes4 x[2];                                                       \
            ints4 bad[2];                                                      \
            NEAR(in, j, i, HAS_MARK, x, bad);                                  \
            any |= bad[0] | bad[1];                                            \
            for (int v = 0; v < 2; v++) {                                      \
                lanes4 d = x[v] - k8[v];                                       \
                sums[v] += d;                                                  \
                squares[v] += d * d;                                           \
            }                                                                  \
        }                                                                      \
        if (__builtin_expect(any_set4(any) || any_nan8(sums), 0)) {            \
            name##_again(s, q, in, i, k8);                                     \
            return any_set4(any);                                              \
        }                                                                      \
        for (int v = 0; v < 2; v++) {                                          \
            STORE4(s + i + 4 * v, sums[v]);                                    \
            STORE4(q + i + 4 * v, squares[v]);                                 \
        }                                                                      \
        return false;                                                          \
    }                                                                          \
                                                                               \
    static bool name(double *restrict k, double *restrict s,                   \
                     double *restrict q, const nci_strips_in *in, int64_t n)   \
    {                                                                          \
        int64_t i = 0;                                                         \
        bool found = false;                                                    \
        for (; i + 8 <= n; i += 8)                                             \
            found |= name##_of(k, s, q, in, i);                                \
        for (; i < n; i++)                                                     \
            for (int j = 0; j < in->count; j++) {                              \
                double x = ONE(in, j, i);                                      \
                found |= x != x;                                               \
                k[i] = k[i] == k[i] ? k[i] : x;                                \
                double d = x - k[i];                                           \
                d = d == d ? d : 0;                                            \
                s[i] += d;                                                     \
                q[i] += d * d;                                                 \
            }                                                                  \
        return found;                                                          \
    }

RAW_SQUARES(raw_squares_f32, near_f32, one_f32, true)
RAW_SQUARES(raw_squares_f32_swapped, near_f32_swapped, one_f32_swapped, true)
RAW_SQUARES(raw_squares_f32_planes, near_f32_planes, one_f32_planes, true)
RAW_SQUARES(raw_squares_f32_nan, near_f32, one_f32, false)
RAW_SQUARES(raw_squares_f32_swapped_nan, near_f32_swapped, one_f32_swapped,
            false)
RAW_SQUARES(raw_squares_f32_planes_nan, near_f32_planes, one_f32_planes, false)
RAW_SQUARES(raw_squares_i16_planes, near_i16_planes, one_i16_planes, true)
