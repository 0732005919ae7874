/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of isa.h, included by one .c file for each instruction set, which
 * defines NCI_ISA_TABLE and NCI_ISA_NAME. Loops are written so that the
 * compiler's vector code rounds as the scalar code does: sums only through
 * explicit lanes, tests as selections.
 */
#include <math.h>
#include <string.h>

#include "engine/kernel/isa.h"

typedef uint16_t u16_any __attribute__((aligned(1)));
typedef uint32_t u32_any __attribute__((aligned(1)));
typedef uint64_t u64_any __attribute__((aligned(1)));

/* ---- bytes --------------------------------------------------------------- */

#if defined(__SSE2__)
#include <emmintrin.h>

#define LOAD16(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOAD8(p) _mm_loadl_epi64((const __m128i *)(const void *)(p))
#define STORE16(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#endif

#if defined(__AVX2__)
#include <immintrin.h>

#define LOAD32(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE32(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#endif

static void unshuffle2(const uint8_t *const *planes, int64_t n, void *out)
{
    const uint8_t *p0 = planes[0], *p1 = planes[1];
    u16_any *restrict to = out;
    int64_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= n; i += 16) {
        __m128i a = LOAD16(p0 + i), b = LOAD16(p1 + i);
        STORE16(to + i, _mm_unpacklo_epi8(a, b));
        STORE16(to + i + 8, _mm_unpackhi_epi8(a, b));
    }
#endif
    for (; i < n; i++)
        to[i] = (uint16_t)(p0[i] | p1[i] << 8);
}

static void unshuffle4(const uint8_t *const *planes, int64_t n, void *out)
{
    const uint8_t *p0 = planes[0], *p1 = planes[1], *p2 = planes[2],
                  *p3 = planes[3];
    u32_any *restrict to = out;
    int64_t i = 0;
#if defined(__AVX2__)
    for (; i + 32 <= n; i += 32) {
        __m256i a = LOAD32(p0 + i), b = LOAD32(p1 + i);
        __m256i c = LOAD32(p2 + i), d = LOAD32(p3 + i);
        __m256i ab = _mm256_unpacklo_epi8(a, b);
        __m256i cd = _mm256_unpacklo_epi8(c, d);
        __m256i q0 = _mm256_unpacklo_epi16(ab, cd); /* 0..3, 16..19 */
        __m256i q1 = _mm256_unpackhi_epi16(ab, cd); /* 4..7, 20..23 */
        ab = _mm256_unpackhi_epi8(a, b);
        cd = _mm256_unpackhi_epi8(c, d);
        __m256i q2 = _mm256_unpacklo_epi16(ab, cd);
        __m256i q3 = _mm256_unpackhi_epi16(ab, cd);
        STORE32(to + i, _mm256_permute2x128_si256(q0, q1, 0x20));
        STORE32(to + i + 8, _mm256_permute2x128_si256(q2, q3, 0x20));
        STORE32(to + i + 16, _mm256_permute2x128_si256(q0, q1, 0x31));
        STORE32(to + i + 24, _mm256_permute2x128_si256(q2, q3, 0x31));
    }
#endif
#if defined(__SSE2__)
    for (; i + 16 <= n; i += 16) {
        __m128i a = LOAD16(p0 + i), b = LOAD16(p1 + i);
        __m128i c = LOAD16(p2 + i), d = LOAD16(p3 + i);
        __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
        STORE16(to + i, _mm_unpacklo_epi16(ab, cd));
        STORE16(to + i + 4, _mm_unpackhi_epi16(ab, cd));
        ab = _mm_unpackhi_epi8(a, b);
        cd = _mm_unpackhi_epi8(c, d);
        STORE16(to + i + 8, _mm_unpacklo_epi16(ab, cd));
        STORE16(to + i + 12, _mm_unpackhi_epi16(ab, cd));
    }
#endif
    for (; i < n; i++)
        to[i] = (uint32_t)p0[i] | (uint32_t)p1[i] << 8 | (uint32_t)p2[i] << 16 |
                (uint32_t)p3[i] << 24;
}

static void unshuffle8(const uint8_t *const *planes, int64_t n, void *out)
{
    u64_any *restrict to = out;
    int64_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= n; i += 16) {
        __m128i quad[2][4]; /* low and high four bytes of 4 x 4 elements */
        for (int h = 0; h < 2; h++) {
            __m128i a = LOAD16(planes[4 * h] + i);
            __m128i b = LOAD16(planes[4 * h + 1] + i);
            __m128i c = LOAD16(planes[4 * h + 2] + i);
            __m128i d = LOAD16(planes[4 * h + 3] + i);
            __m128i ab = _mm_unpacklo_epi8(a, b);
            __m128i cd = _mm_unpacklo_epi8(c, d);
            quad[h][0] = _mm_unpacklo_epi16(ab, cd);
            quad[h][1] = _mm_unpackhi_epi16(ab, cd);
            ab = _mm_unpackhi_epi8(a, b);
            cd = _mm_unpackhi_epi8(c, d);
            quad[h][2] = _mm_unpacklo_epi16(ab, cd);
            quad[h][3] = _mm_unpackhi_epi16(ab, cd);
        }
        for (int q = 0; q < 4; q++) {
            STORE16(to + i + 4 * q, _mm_unpacklo_epi32(quad[0][q], quad[1][q]));
            STORE16(to + i + 4 * q + 2,
                    _mm_unpackhi_epi32(quad[0][q], quad[1][q]));
        }
    }
#endif
    for (; i < n; i++) {
        uint64_t v = 0;
        for (int b = 0; b < 8; b++)
            v |= (uint64_t)planes[b][i] << (8 * b);
        to[i] = v;
    }
}

static void swap2(const void *in, int64_t n, void *out)
{
    const u16_any *from = in;
    u16_any *restrict to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (uint16_t)(from[i] << 8 | from[i] >> 8);
}

static void swap4(const void *in, int64_t n, void *out)
{
    const u32_any *from = in;
    u32_any *restrict to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = __builtin_bswap32(from[i]);
}

static void swap8(const void *in, int64_t n, void *out)
{
    const u64_any *from = in;
    u64_any *restrict to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = __builtin_bswap64(from[i]);
}

/* ---- decoding ------------------------------------------------------------ */

/* The tests of a mask in the type VIA, which holds every value of the raw type
 * T. `nm` and `ranged` are constants at each call below, so that each
 * combination becomes its own loop. */
#define READ_TESTS(T, VIA)                                                     \
    T value;                                                                   \
    VIA miss[NCI_MAX_MISSING], low, high;                                      \
    for (int m = 0; m < nm; m++) {                                             \
        memcpy(&value, mask->missing[m], sizeof value);                        \
        miss[m] = (VIA)value;                                                  \
    }                                                                          \
    memcpy(&value, mask->low, sizeof value);                                   \
    low = (VIA)value;                                                          \
    memcpy(&value, mask->high, sizeof value);                                  \
    high = (VIA)value

#define IS_BAD(x, bad)                                                         \
    int bad = ranged ? !((x) >= low) | !((x) <= high) : (x) != (x);            \
    for (int m = 0; m < nm; m++)                                               \
    bad |= (x) == miss[m]

/* Types that float holds: in short loops over a piece that stays in the cache,
 * each of one width; most pieces have no missing value and are only looked
 * through. */
#define DECODE_NARROW(T, suffix, is_float)                                     \
    static inline __attribute__((always_inline)) bool decode_##suffix##_of(    \
        const suffix##_any *raw, int64_t n, const nci_mask *mask,              \
        double *restrict out, int nm, bool ranged)                             \
    {                                                                          \
        enum { PIECE = 256 };                                                  \
        float x[PIECE];                                                        \
        bool any = false;                                                      \
        READ_TESTS(T, float);                                                  \
        for (int64_t at = 0; at < n; at += PIECE) {                            \
            int64_t count = n - at < PIECE ? n - at : PIECE;                   \
            int found = 0;                                                     \
            for (int64_t i = 0; !is_float && i < count; i++)                   \
                x[i] = (float)raw[at + i];                                     \
            for (int64_t i = 0; i < count; i++) {                              \
                float v = is_float ? (float)raw[at + i] : x[i];                \
                IS_BAD(v, bad);                                                \
                found |= bad;                                                  \
            }                                                                  \
            for (int64_t i = 0; found && i < count; i++) {                     \
                float v = is_float ? (float)raw[at + i] : x[i];                \
                IS_BAD(v, bad);                                                \
                x[i] = bad ? NAN : v;                                          \
            }                                                                  \
            any |= found;                                                      \
            if (is_float && !found)                                            \
                widen((const float_any *)(const void *)(raw + at), count,      \
                      mask, out + at);                                         \
            else                                                               \
                widen(x, count, mask, out + at);                               \
        }                                                                      \
        return any;                                                            \
    }

#define DECODE_WIDE(T, suffix, VIA)                                            \
    static inline __attribute__((always_inline)) bool decode_##suffix##_of(    \
        const suffix##_any *raw, int64_t n, const nci_mask *mask,              \
        double *restrict out, int nm, bool ranged)                             \
    {                                                                          \
        int64_t any = 0;                                                       \
        READ_TESTS(T, VIA);                                                    \
        for (int64_t i = 0; i < n; i++) {                                      \
            VIA x = (VIA)raw[i];                                               \
            IS_BAD(x, bad);                                                    \
            out[i] = bad ? NAN : (double)x;                                    \
            any |= bad;                                                        \
        }                                                                      \
        if (mask->has_scale)                                                   \
            unpack(out, n, mask->scale, mask->offset);                         \
        return any != 0;                                                       \
    }

#define DECODE(T, suffix, BODY)                                                \
    typedef T suffix##_any __attribute__((aligned(1)));                        \
    BODY static bool decode_##suffix(const void *raw, int64_t n,               \
                                     const nci_mask *mask, double *out)        \
    {                                                                          \
        bool ranged = mask->has_range;                                         \
        if (mask->nmissing > 1)                                                \
            return decode_##suffix##_of(raw, n, mask, out, NCI_MAX_MISSING,    \
                                        true);                                 \
        if (mask->nmissing)                                                    \
            return ranged ? decode_##suffix##_of(raw, n, mask, out, 1, true)   \
                          : decode_##suffix##_of(raw, n, mask, out, 1, false); \
        return ranged ? decode_##suffix##_of(raw, n, mask, out, 0, true)       \
                      : decode_##suffix##_of(raw, n, mask, out, 0, false);     \
    }

/* NaN stays NaN when values are unpacked. */
static inline void unpack(double *x, int64_t n, double scale, double offset)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] * scale + offset;
}

typedef float float_any __attribute__((aligned(1)));

static inline void widen(const float_any *x, int64_t n, const nci_mask *mask,
                         double *restrict out)
{
    double scale = mask->scale, offset = mask->offset;
    if (mask->has_scale)
        for (int64_t i = 0; i < n; i++)
            out[i] = (double)x[i] * scale + offset;
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = (double)x[i];
}

DECODE(int8_t, i8, DECODE_NARROW(int8_t, i8, false))
DECODE(uint8_t, u8, DECODE_NARROW(uint8_t, u8, false))
DECODE(int16_t, i16, DECODE_NARROW(int16_t, i16, false))
DECODE(uint16_t, u16, DECODE_NARROW(uint16_t, u16, false))
DECODE(float, f32, DECODE_NARROW(float, f32, true))
DECODE(int32_t, i32, DECODE_WIDE(int32_t, i32, double))
DECODE(uint32_t, u32, DECODE_WIDE(uint32_t, u32, double))
DECODE(double, f64, DECODE_WIDE(double, f64, double))
DECODE(int64_t, i64, DECODE_WIDE(int64_t, i64, int64_t))
DECODE(uint64_t, u64, DECODE_WIDE(uint64_t, u64, uint64_t))

/* FLAG is as wide as the values, so that a vector of one fits the other. */
#define ANY_MISSING(T, suffix, FLAG)                                           \
    static inline                                                              \
        __attribute__((always_inline)) bool any_missing_##suffix##_of(         \
            const suffix##_any *x, int64_t n, const nci_mask *mask, int nm,    \
            bool ranged)                                                       \
    {                                                                          \
        FLAG found = 0;                                                        \
        READ_TESTS(T, T);                                                      \
        for (int64_t i = 0; i < n; i++) {                                      \
            IS_BAD(x[i], bad);                                                 \
            found |= (FLAG)bad;                                                \
        }                                                                      \
        return found != 0;                                                     \
    }                                                                          \
                                                                               \
    static bool any_missing_##suffix(const void *raw, int64_t n,               \
                                     const nci_mask *mask)                     \
    {                                                                          \
        bool ranged = mask->has_range;                                         \
        if (mask->nmissing > 1)                                                \
            return any_missing_##suffix##_of(raw, n, mask, NCI_MAX_MISSING,    \
                                             true);                            \
        if (mask->nmissing)                                                    \
            return ranged ? any_missing_##suffix##_of(raw, n, mask, 1, true)   \
                          : any_missing_##suffix##_of(raw, n, mask, 1, false); \
        return ranged ? any_missing_##suffix##_of(raw, n, mask, 0, true)       \
                      : any_missing_##suffix##_of(raw, n, mask, 0, false);     \
    }
ANY_MISSING(float, f32, int32_t)
ANY_MISSING(int16_t, i16, int16_t)

/* ---- element-wise -------------------------------------------------------- */

static void to_f32(const double *x, int64_t n, void *out)
{
    f32_any *restrict to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)x[i];
}

static void round_f32(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(float)x[i];
}

#define BINARY(name, op)                                                       \
    static void name(const double *a, const double *b, int64_t n, double *out) \
    {                                                                          \
        for (int64_t i = 0; i < n; i++)                                        \
            out[i] = a[i] op b[i];                                             \
    }
BINARY(add, +)
BINARY(sub, -)
BINARY(mul, *)
BINARY(div_by, /)

static bool any_nan(const double *x, int64_t n)
{
    int64_t any = 0;
    for (int64_t i = 0; i < n; i++)
        any |= x[i] != x[i];
    return any != 0;
}

static int64_t count_nan(const double *x, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += x[i] != x[i];
    return count;
}

static void replace_nan(const double *x, int64_t n, double instead,
                        double *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] == x[i] ? x[i] : instead;
}

static bool join(const double *restrict x, const double *restrict w, int64_t n,
                 double *restrict x_out, double *restrict w_out)
{
    int64_t any = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t bad = (x[i] != x[i]) | (w[i] != w[i]);
        any |= bad;
        x_out[i] = bad ? NAN : x[i];
        w_out[i] = bad ? 0 : w[i];
    }
    return any != 0;
}

static void tally32(int32_t *restrict missed, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        missed[i] += x[i] != x[i];
}

static void tally64(int64_t *restrict missed, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        missed[i] += x[i] != x[i];
}

/* ---- columns ------------------------------------------------------------- */

static bool column_add_weighted(double *restrict sum, double *restrict weight,
                                const double *restrict x,
                                const double *restrict w, int64_t n)
{
    int64_t any = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t bad = (x[i] != x[i]) | (w[i] != w[i]);
        any |= bad;
        sum[i] += bad ? 0 : w[i] * x[i];
        weight[i] += bad ? 0 : w[i];
    }
    return any != 0;
}

/* Of doubles, and of raw floats as they come from the file. */
#define COLUMNS(suffix, VOID, T)                                               \
    static void column_add##suffix(double *restrict sum,                       \
                                   const VOID *restrict x, int64_t n)          \
    {                                                                          \
        const T *from = x;                                                     \
        for (int64_t i = 0; i < n; i++)                                        \
            sum[i] += (double)from[i];                                         \
    }                                                                          \
                                                                               \
    static void column_min##suffix(double *restrict low,                       \
                                   const VOID *restrict x, int64_t n)          \
    {                                                                          \
        const T *from = x;                                                     \
        for (int64_t i = 0; i < n; i++) {                                      \
            double v = (double)from[i];                                        \
            low[i] = v < low[i] ? v : low[i];                                  \
        }                                                                      \
    }                                                                          \
                                                                               \
    static void column_max##suffix(double *restrict high,                      \
                                   const VOID *restrict x, int64_t n)          \
    {                                                                          \
        const T *from = x;                                                     \
        for (int64_t i = 0; i < n; i++) {                                      \
            double v = (double)from[i];                                        \
            high[i] = v > high[i] ? v : high[i];                               \
        }                                                                      \
    }                                                                          \
                                                                               \
    static void column_first##suffix(double *restrict first,                   \
                                     const VOID *restrict x, int64_t n)        \
    {                                                                          \
        const T *from = x;                                                     \
        for (int64_t i = 0; i < n; i++)                                        \
            first[i] = first[i] == first[i] ? first[i] : (double)from[i];      \
    }                                                                          \
                                                                               \
    static bool column_squares##suffix(const double *restrict k,               \
                                       double *restrict s, double *restrict q, \
                                       const VOID *restrict x, int64_t n)      \
    {                                                                          \
        const T *from = x;                                                     \
        int64_t any = 0;                                                       \
        for (int64_t i = 0; i < n; i++) {                                      \
            double d = (double)from[i] - k[i];                                 \
            any |= d != d;                                                     \
            d = d == d ? d : 0;                                                \
            s[i] += d;                                                         \
            q[i] += d * d;                                                     \
        }                                                                      \
        return any != 0;                                                       \
    }

COLUMNS(, double, double)
COLUMNS(_f32, void, float_any)

static bool column_squares_weighted(const double *restrict k,
                                    double *restrict s, double *restrict q,
                                    const double *restrict x,
                                    const double *restrict w, int64_t n)
{
    int64_t any = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = x[i] - k[i];
        any |= d != d;
        d = d == d ? d : 0;
        double wd = w[i] * d;
        s[i] += wd;
        q[i] += wd * d;
    }
    return any != 0;
}

/* k - k is 0, and NaN where the first value is an infinity: those equal to it
 * were taken for missing ones. */
static void column_deviations(const int32_t *restrict count,
                              const double *restrict k, double *restrict s,
                              double *restrict q, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double shift = s[i] / (double)count[i];
        double rest = q[i] - s[i] * shift;
        s[i] = k[i] + shift;
        q[i] = (rest < 0 ? 0 : rest) + (k[i] - k[i]);
    }
}

/* ---- states -------------------------------------------------------------- */

static void add_counts(int32_t *restrict a, const int32_t *restrict b,
                       int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        a[i] += b[i];
}

#define MERGE_EXTREME(name, op)                                                \
    static void name(const int32_t *restrict a_count, double *restrict a,      \
                     const int32_t *restrict b_count,                          \
                     const double *restrict b, int64_t n)                      \
    {                                                                          \
        for (int64_t i = 0; i < n; i++) {                                      \
            double x = a[i], y = b[i], na = a_count[i], nb = b_count[i];       \
            double best = y op x ? y : x;                                      \
            best = na == 0 ? y : best;                                         \
            a[i] = nb == 0 ? x : best;                                         \
        }                                                                      \
    }
MERGE_EXTREME(merge_min, <)
MERGE_EXTREME(merge_max, >)

/* Chan, Golub & LeVeque (1983); a side without values changes nothing, also
 * where the other's mean is infinite. */
static void merge_squares(int32_t *restrict a_count, double *restrict a_m,
                          double *restrict a_q, const int32_t *restrict b_count,
                          const double *restrict b_m,
                          const double *restrict b_q, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double na = a_count[i], nb = b_count[i], all = na + nb;
        double share = all == 0 ? 0 : nb / all;
        double d = b_m[i] - a_m[i], both = na * share;
        double step = share == 0 ? 0 : d * share;
        double between = both == 0 ? 0 : d * d * both;
        a_m[i] += step;
        a_q[i] += b_q[i] + between;
    }
    add_counts(a_count, b_count, n);
}

static void finish_value(const int32_t *restrict count,
                         const double *restrict x, int32_t least, int64_t n,
                         double *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = count[i] >= least ? x[i] : NAN;
}

static void finish_mean(const int32_t *restrict count, const double *restrict x,
                        int32_t least, int64_t n, double *restrict out)
{
    for (int64_t i = 0; i < n; i++) {
        double mean = x[i] / (double)count[i];
        out[i] = count[i] >= least ? mean : NAN;
    }
}

static void finish_variance(const int32_t *restrict count,
                            const double *restrict q, int32_t least,
                            int32_t ddof, bool is_root, int64_t n,
                            double *restrict out)
{
    for (int64_t i = 0; i < n; i++) {
        double variance = q[i] / ((double)count[i] - (double)ddof);
        out[i] = count[i] >= least ? variance : NAN;
    }
    for (int64_t i = 0; is_root && i < n; i++)
        out[i] = sqrt(out[i]);
}

/* ---- rows ---------------------------------------------------------------- */

/* Four vectors of four doubles are the lanes; a vector is split by the
 * compiler where the set has none so wide. Element i goes to lane i mod 16. */
typedef double lanes4 __attribute__((vector_size(32)));
typedef double lanes4_any __attribute__((vector_size(32), aligned(8)));
typedef int64_t masks4 __attribute__((vector_size(32)));

#define LOAD4(p) (*(const lanes4_any *)(p))

static inline double meet(const double *lane, int64_t n)
{
    double sum[NCI_LANES];
    memcpy(sum, lane, sizeof sum);
    for (n /= 2; n; n /= 2)
        for (int64_t i = 0; i < n; i++)
            sum[i] += sum[i + n];
    return sum[0];
}

static double row_sum(const double *x, int64_t n)
{
    lanes4 a = {0}, b = {0}, c = {0}, d = {0};
    double lane[NCI_LANES];
    int64_t i = 0;
    for (; i + NCI_LANES <= n; i += NCI_LANES) {
        a += LOAD4(x + i);
        b += LOAD4(x + i + 4);
        c += LOAD4(x + i + 8);
        d += LOAD4(x + i + 12);
    }
    memcpy(lane, &a, 32);
    memcpy(lane + 4, &b, 32);
    memcpy(lane + 8, &c, 32);
    memcpy(lane + 12, &d, 32);
    for (int64_t l = 0; i < n; i++, l++)
        lane[l] += x[i];
    return meet(lane, NCI_LANES);
}

#define ROW_EXTREME(name, op, start)                                           \
    static double name(const double *x, int64_t n)                             \
    {                                                                          \
        double lane[NCI_LANES], best = start;                                  \
        int64_t i = 0;                                                         \
        for (int l = 0; l < NCI_LANES; l++)                                    \
            lane[l] = start;                                                   \
        for (; i + NCI_LANES <= n; i += NCI_LANES)                             \
            for (int l = 0; l < NCI_LANES; l++)                                \
                lane[l] = x[i + l] op lane[l] ? x[i + l] : lane[l];            \
        for (int l = 0; i < n; i++, l++)                                       \
            lane[l] = x[i] op lane[l] ? x[i] : lane[l];                        \
        for (int l = 0; l < NCI_LANES; l++)                                    \
            best = lane[l] op best ? lane[l] : best;                           \
        return best;                                                           \
    }
ROW_EXTREME(row_min, <, INFINITY)
ROW_EXTREME(row_max, >, -INFINITY)

/* All bits set where both are numbers. */
#define BOTH_VALID(x, w) ((masks4)((x) == (x)) & (masks4)((w) == (w)))
#define MASKED(x, mask) ((lanes4)((masks4)(x) & (mask)))

static inline int64_t count_masks(const masks4 *sum)
{
    int64_t count = 0;
    for (int v = 0; v < NCI_LANES / 4; v++)
        for (int l = 0; l < 4; l++)
            count -= sum[v][l]; /* a set mask is -1 */
    return count;
}

static int64_t row_sum_weighted(const double *x, const double *w, int64_t n,
                                double out[2])
{
    lanes4 s[4] = {{0}}, t[4] = {{0}};
    masks4 valid[4] = {{0}};
    double s_lane[NCI_LANES], t_lane[NCI_LANES];
    int64_t i = 0;
    for (; i + NCI_LANES <= n; i += NCI_LANES)
        for (int v = 0; v < 4; v++) {
            lanes4 a = LOAD4(x + i + 4 * v), b = LOAD4(w + i + 4 * v);
            masks4 both = BOTH_VALID(a, b);
            s[v] += MASKED(a * b, both);
            t[v] += MASKED(b, both);
            valid[v] += both;
        }
    int64_t missed = i - count_masks(valid);
    memcpy(s_lane, s, sizeof s_lane);
    memcpy(t_lane, t, sizeof t_lane);
    for (int l = 0; i < n; i++, l++) {
        bool bad = x[i] != x[i] || w[i] != w[i];
        s_lane[l] += bad ? 0 : x[i] * w[i];
        t_lane[l] += bad ? 0 : w[i];
        missed += bad;
    }
    out[0] = meet(s_lane, NCI_LANES);
    out[1] = meet(t_lane, NCI_LANES);
    return missed;
}

static void row_squares(const double *x, int64_t n, double k, double out[2])
{
    lanes4 s[4] = {{0}}, q[4] = {{0}}, shift = {k, k, k, k};
    double s_lane[NCI_LANES], q_lane[NCI_LANES];
    int64_t i = 0;
    for (; i + NCI_LANES <= n; i += NCI_LANES)
        for (int v = 0; v < 4; v++) {
            lanes4 d = LOAD4(x + i + 4 * v) - shift;
            d = MASKED(d, (masks4)(d == d));
            s[v] += d;
            q[v] += d * d;
        }
    memcpy(s_lane, s, sizeof s_lane);
    memcpy(q_lane, q, sizeof q_lane);
    for (int l = 0; i < n; i++, l++) {
        double d = x[i] - k;
        d = d == d ? d : 0;
        s_lane[l] += d;
        q_lane[l] += d * d;
    }
    out[0] = meet(s_lane, NCI_LANES);
    out[1] = meet(q_lane, NCI_LANES);
}

static int64_t row_squares_weighted(const double *x, const double *w, int64_t n,
                                    double k, double out[3])
{
    lanes4 s[4] = {{0}}, q[4] = {{0}}, t[4] = {{0}}, shift = {k, k, k, k};
    masks4 valid[4] = {{0}};
    double s_lane[NCI_LANES], q_lane[NCI_LANES], t_lane[NCI_LANES];
    int64_t i = 0;
    for (; i + NCI_LANES <= n; i += NCI_LANES)
        for (int v = 0; v < 4; v++) {
            lanes4 d = LOAD4(x + i + 4 * v) - shift;
            lanes4 b = LOAD4(w + i + 4 * v);
            masks4 both = BOTH_VALID(d, b);
            d = MASKED(d, both);
            b = MASKED(b, both);
            s[v] += b * d;
            q[v] += b * d * d;
            t[v] += b;
            valid[v] += both;
        }
    int64_t missed = i - count_masks(valid);
    memcpy(s_lane, s, sizeof s_lane);
    memcpy(q_lane, q, sizeof q_lane);
    memcpy(t_lane, t, sizeof t_lane);
    for (int l = 0; i < n; i++, l++) {
        double d = x[i] - k;
        bool bad = d != d || w[i] != w[i];
        double wd = bad ? 0 : w[i] * d;
        s_lane[l] += wd;
        q_lane[l] += bad ? 0 : wd * d;
        t_lane[l] += bad ? 0 : w[i];
        missed += bad;
    }
    out[0] = meet(s_lane, NCI_LANES);
    out[1] = meet(q_lane, NCI_LANES);
    out[2] = meet(t_lane, NCI_LANES);
    return missed;
}

#include "engine/kernel/isa_strips.h"
#include "engine/kernel/isa_raw.h"
#include "engine/kernel/isa_packed.h"

const nci_isa NCI_ISA_TABLE = {
    .name = NCI_ISA_NAME,
    .unshuffle = {NULL, unshuffle2, unshuffle4, unshuffle8},
    .swap = {NULL, swap2, swap4, swap8},
    .decode = {[NCG_DTYPE_I8] = decode_i8,
               [NCG_DTYPE_U8] = decode_u8,
               [NCG_DTYPE_I16] = decode_i16,
               [NCG_DTYPE_U16] = decode_u16,
               [NCG_DTYPE_I32] = decode_i32,
               [NCG_DTYPE_U32] = decode_u32,
               [NCG_DTYPE_I64] = decode_i64,
               [NCG_DTYPE_U64] = decode_u64,
               [NCG_DTYPE_F32] = decode_f32,
               [NCG_DTYPE_F64] = decode_f64},
    .any_missing_f32 = any_missing_f32,
    .any_missing_i16 = any_missing_i16,
    .column_add_f32 = column_add_f32,
    .column_min_f32 = column_min_f32,
    .column_max_f32 = column_max_f32,
    .column_first_f32 = column_first_f32,
    .column_squares_f32 = column_squares_f32,
    .to_f32 = to_f32,
    .round_f32 = round_f32,
    .add = add,
    .sub = sub,
    .mul = mul,
    .div = div_by,
    .any_nan = any_nan,
    .count_nan = count_nan,
    .replace_nan = replace_nan,
    .join = join,
    .tally32 = tally32,
    .tally64 = tally64,
    .column_add = column_add,
    .column_add_weighted = column_add_weighted,
    .column_min = column_min,
    .column_max = column_max,
    .column_first = column_first,
    .column_squares = column_squares,
    .column_deviations = column_deviations,
    .column_squares_weighted = column_squares_weighted,
    .packed_add = PACKED_ADD,
    .packed_squares = PACKED_SQUARES,
    .unpack_sums = unpack_sums,
    .unpack_deviations = unpack_deviations,
    .add_counts = add_counts,
    .merge_min = merge_min,
    .merge_max = merge_max,
    .merge_squares = merge_squares,
    .finish_value = finish_value,
    .finish_mean = finish_mean,
    .finish_variance = finish_variance,
    .strips = {[NCI_STRIP_F64] = STRIP_TABLE(f64),
               [NCI_STRIP_F32] = STRIP_TABLE(f32),
               [NCI_STRIP_I16] = STRIP_TABLE(i16)},
    .raw = {[NCI_RAW_F32] = RAW_TABLE(f32),
            [NCI_RAW_F32_SWAPPED] = RAW_TABLE(f32_swapped),
            [NCI_RAW_F32_PLANES] = RAW_TABLE(f32_planes),
            [NCI_RAW_F32_NAN] = RAW_TABLE(f32_nan),
            [NCI_RAW_F32_SWAPPED_NAN] = RAW_TABLE(f32_swapped_nan),
            [NCI_RAW_F32_PLANES_NAN] = RAW_TABLE(f32_planes_nan),
            [NCI_RAW_I16_PLANES] = RAW_TABLE(i16_planes)},
    .row_sum = row_sum,
    .row_min = row_min,
    .row_max = row_max,
    .row_sum_weighted = row_sum_weighted,
    .row_squares = row_squares,
    .row_squares_weighted = row_squares_weighted,
};
