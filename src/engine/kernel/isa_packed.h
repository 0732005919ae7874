/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Included by isa_body.h: sums and squares of packed integers as they are
 * stored. All of it is exact, so no order and no instruction set matters: a
 * missing value is a zero that is counted elsewhere, and two strips at a time
 * go through one multiplication of pairs. Tables without these loops take those
 * of isa_raw.h, to which such values are doubles.
 */

#if defined(__AVX2__)

/* Sixteen values of strip k, zero where missing. */
static inline __attribute__((always_inline)) __m256i
packed16(const nci_strips_in *in, int k, int64_t i, __m256i miss, __m256i *bad)
{
    const uint8_t *p0 = (const uint8_t *)in->x[k] + i, *p1 = p0 + in->plane;
    __m256i low = _mm256_cvtepu8_epi16(LOAD16(p0));
    __m256i high = _mm256_cvtepu8_epi16(LOAD16(p1));
    __m256i x = _mm256_or_si256(low, _mm256_slli_epi16(high, 8));
    __m256i is_missing = _mm256_cmpeq_epi16(x, miss);
    *bad = _mm256_or_si256(*bad, is_missing);
    return _mm256_andnot_si256(is_missing, x);
}

/* Cells 0-3 and 8-11, 4-7 and 12-15, of the values of two strips in pairs. */
static inline __attribute__((always_inline)) void
packed_pairs(const nci_strips_in *in, int k, int64_t i, __m256i miss,
             __m256i *bad, __m256i pairs[2])
{
    __m256i a = packed16(in, k, i, miss, bad), b = _mm256_setzero_si256();
    if (k + 1 < in->count)
        b = packed16(in, k + 1, i, miss, bad);
    pairs[0] = _mm256_unpacklo_epi16(a, b);
    pairs[1] = _mm256_unpackhi_epi16(a, b);
}

static inline void add_ints(double *at, __m128i x)
{
    *(lanes4_any *)at += (lanes4)_mm256_cvtepi32_pd(x);
}

static inline void add_sums(double *s, const __m256i sums[2])
{
    add_ints(s, _mm256_castsi256_si128(sums[0]));
    add_ints(s + 4, _mm256_castsi256_si128(sums[1]));
    add_ints(s + 8, _mm256_extracti128_si256(sums[0], 1));
    add_ints(s + 12, _mm256_extracti128_si256(sums[1], 1));
}

/* Integers below 2^52 become doubles in the bits behind those of 2^52. */
static inline __m256d from_words(__m256i x)
{
    const __m256d base = _mm256_set1_pd(0x1p52);
    return _mm256_sub_pd(
        _mm256_castsi256_pd(_mm256_or_si256(x, _mm256_castpd_si256(base))),
        base);
}

/* even: cells 0, 2 and 8, 10; odd: 1, 3 and 9, 11. */
static inline void add_words(double *q, __m256i even, __m256i odd)
{
    __m256d x = from_words(even), y = from_words(odd);
    __m256d low = _mm256_unpacklo_pd(x, y), high = _mm256_unpackhi_pd(x, y);
    *(lanes4_any *)q += (lanes4)_mm256_permute2f128_pd(low, high, 0x20);
    *(lanes4_any *)(q + 8) += (lanes4)_mm256_permute2f128_pd(low, high, 0x31);
}

static inline int64_t packed_add_lanes(double *restrict s,
                                       const nci_strips_in *in, int64_t n,
                                       bool *found)
{
    const __m256i miss = _mm256_set1_epi16(in->missing_i16);
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i bad = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + NCI_LANES <= n; i += NCI_LANES) {
        __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (int k = 0; k < in->count; k += 2) {
            __m256i x[2];
            packed_pairs(in, k, i, miss, &bad, x);
            for (int h = 0; h < 2; h++)
                sums[h] =
                    _mm256_add_epi32(sums[h], _mm256_madd_epi16(x[h], ones));
        }
        add_sums(s + i, sums);
    }
    *found = _mm256_movemask_epi8(bad) != 0;
    return i;
}

/* Two squares together are at most 2^31: as unsigned words they fit. */
static inline int64_t packed_squares_lanes(double *restrict s,
                                           double *restrict q,
                                           const nci_strips_in *in, int64_t n,
                                           bool *found)
{
    const __m256i miss = _mm256_set1_epi16(in->missing_i16);
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i low_half = _mm256_set1_epi64x(0xffffffff);
    __m256i bad = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + NCI_LANES <= n; i += NCI_LANES) {
        __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        __m256i even[2] = {sums[0], sums[0]}, odd[2] = {sums[0], sums[0]};
        for (int k = 0; k < in->count; k += 2) {
            __m256i x[2];
            packed_pairs(in, k, i, miss, &bad, x);
            for (int h = 0; h < 2; h++) {
                __m256i squares = _mm256_madd_epi16(x[h], x[h]);
                sums[h] =
                    _mm256_add_epi32(sums[h], _mm256_madd_epi16(x[h], ones));
                even[h] = _mm256_add_epi64(even[h],
                                           _mm256_and_si256(squares, low_half));
                odd[h] =
                    _mm256_add_epi64(odd[h], _mm256_srli_epi64(squares, 32));
            }
        }
        add_sums(s + i, sums);
        add_words(q + i, even[0], odd[0]);
        add_words(q + i + 4, even[1], odd[1]);
    }
    *found = _mm256_movemask_epi8(bad) != 0;
    return i;
}

static inline int64_t packed_at(const nci_strips_in *in, int k, int64_t i,
                                bool *found)
{
    const uint8_t *at = (const uint8_t *)in->x[k] + i;
    int16_t x = (int16_t)(uint16_t)(at[0] | at[in->plane] << 8);
    bool is_missing = x == in->missing_i16;
    *found |= is_missing;
    return is_missing ? 0 : x;
}

static bool packed_add(double *restrict s, const nci_strips_in *in, int64_t n)
{
    bool found;
    for (int64_t i = packed_add_lanes(s, in, n, &found); i < n; i++) {
        int64_t sum = 0;
        for (int k = 0; k < in->count; k++)
            sum += packed_at(in, k, i, &found);
        s[i] += (double)sum;
    }
    return found;
}

static bool packed_squares(double *restrict s, double *restrict q,
                           const nci_strips_in *in, int64_t n)
{
    bool found;
    for (int64_t i = packed_squares_lanes(s, q, in, n, &found); i < n; i++) {
        int64_t sum = 0, squares = 0;
        for (int k = 0; k < in->count; k++) {
            int64_t x = packed_at(in, k, i, &found);
            sum += x;
            squares += x * x;
        }
        s[i] += (double)sum;
        q[i] += (double)squares;
    }
    return found;
}

#define PACKED_ADD packed_add
#define PACKED_SQUARES packed_squares
#else
#define PACKED_ADD NULL
#define PACKED_SQUARES NULL
#endif

static void unpack_sums(const int32_t *restrict count, double scale,
                        double offset, double *restrict s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        s[i] = s[i] * scale + offset * (double)count[i];
}

static void unpack_deviations(const int32_t *restrict count, double scale,
                              double offset, double *restrict s,
                              double *restrict q, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double size = (double)count[i];
        double rest = (q[i] * size - s[i] * s[i]) / size;
        s[i] = s[i] / size * scale + offset;
        q[i] = rest * scale * scale;
    }
}
