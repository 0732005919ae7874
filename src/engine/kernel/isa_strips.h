/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Included by isa_body.h: columns that take several steps at a time. Each
 * accumulator is loaded once, sees one value of each strip in their order, and
 * is stored: what a pass a step would do, with the same bits and a fraction of
 * the memory traffic.
 */

#if defined(__AVX2__)
static inline lanes4 low4(lanes4 x, lanes4 than)
{
    return (lanes4)_mm256_min_pd((__m256d)x, (__m256d)than);
}

static inline lanes4 high4(lanes4 x, lanes4 than)
{
    return (lanes4)_mm256_max_pd((__m256d)x, (__m256d)than);
}

static inline lanes4 load4_f32(const void *at)
{
    return (lanes4)_mm256_cvtps_pd(_mm_loadu_ps(at));
}

static inline lanes4 load4_i16(const void *at)
{
    __m128i four = _mm_loadl_epi64((const __m128i *)at);
    return (lanes4)_mm256_cvtepi32_pd(_mm_cvtepi16_epi32(four));
}
#else
#define CHOOSE4(mask, x, y)                                                    \
    ((lanes4)(((masks4)(x) & (mask)) | ((masks4)(y) & ~(mask))))

static inline lanes4 low4(lanes4 x, lanes4 than)
{
    return CHOOSE4((masks4)(x < than), x, than);
}

static inline lanes4 high4(lanes4 x, lanes4 than)
{
    return CHOOSE4((masks4)(x > than), x, than);
}

static inline lanes4 load4_f32(const void *at)
{
    typedef float four __attribute__((vector_size(16)));
    four x;
    memcpy(&x, at, sizeof x);
    return __builtin_convertvector(x, lanes4);
}

static inline lanes4 load4_i16(const void *at)
{
    typedef int16_t four __attribute__((vector_size(8)));
    typedef int32_t wide __attribute__((vector_size(16)));
    four x;
    memcpy(&x, at, sizeof x);
    return __builtin_convertvector(__builtin_convertvector(x, wide), lanes4);
}
#undef CHOOSE4
#endif

static inline lanes4 load4_f64(const void *at)
{
    return LOAD4((const double *)at);
}

/* NaN stays out: of f64 strips, where it marks what is missing. */
static inline lanes4 number4(lanes4 x)
{
    return MASKED(x, (masks4)(x == x));
}

/* LOAD4 and LOAD1 give the value of strip k at element e. `acc` are doubles;
 * the vectors v of 16 cells stay in registers over all strips. */
#define STRIP_LOOP(name, LOAD_FOUR, LOAD_ONE, STEP4, STEP1)                    \
    static void name(double *restrict acc, const nci_strips_in *in, int64_t n) \
    {                                                                          \
        const double scale = in->scale, offset = in->offset;                   \
        int64_t i = 0;                                                         \
        (void)scale;                                                           \
        (void)offset;                                                          \
        for (; i + NCI_LANES <= n; i += NCI_LANES) {                           \
            lanes4 a0 = LOAD4(acc + i), a1 = LOAD4(acc + i + 4);               \
            lanes4 a2 = LOAD4(acc + i + 8), a3 = LOAD4(acc + i + 12);          \
            for (int k = 0; k < in->count; k++) {                              \
                a0 = STEP4(LOAD_FOUR(in->x[k], i), a0);                        \
                a1 = STEP4(LOAD_FOUR(in->x[k], i + 4), a1);                    \
                a2 = STEP4(LOAD_FOUR(in->x[k], i + 8), a2);                    \
                a3 = STEP4(LOAD_FOUR(in->x[k], i + 12), a3);                   \
            }                                                                  \
            STORE4(acc + i, a0);                                               \
            STORE4(acc + i + 4, a1);                                           \
            STORE4(acc + i + 8, a2);                                           \
            STORE4(acc + i + 12, a3);                                          \
        }                                                                      \
        for (; i < n; i++) {                                                   \
            double a = acc[i];                                                 \
            for (int k = 0; k < in->count; k++) {                              \
                double x = LOAD_ONE(in->x[k], i);                              \
                a = STEP1(x, a);                                               \
            }                                                                  \
            acc[i] = a;                                                        \
        }                                                                      \
    }

/* Deviations from the first value of each cell, which becomes its k; its own
 * is 0, as is that of what is no number. */
#define STRIP_SQUARES(name, LOAD_FOUR, LOAD_ONE)                               \
    static inline __attribute__((always_inline)) void name##_of(               \
        double *restrict k, double *restrict s, double *restrict q,            \
        const nci_strips_in *in, int64_t i, bool is_known)                     \
    {                                                                          \
        const double scale = in->scale, offset = in->offset;                   \
        (void)scale;                                                           \
        (void)offset;                                                          \
        lanes4 k0 = LOAD4(k + i), k1 = LOAD4(k + i + 4);                       \
        lanes4 s0 = LOAD4(s + i), s1 = LOAD4(s + i + 4);                       \
        lanes4 q0 = LOAD4(q + i), q1 = LOAD4(q + i + 4);                       \
        for (int j = 0; j < in->count; j++) {                                  \
            lanes4 x0 = LOAD_FOUR(in->x[j], i);                                \
            lanes4 x1 = LOAD_FOUR(in->x[j], i + 4);                            \
            if (!is_known) {                                                   \
                k0 = first4(k0, x0);                                           \
                k1 = first4(k1, x1);                                           \
            }                                                                  \
            lanes4 d0 = number4(x0 - k0), d1 = number4(x1 - k1);               \
            s0 += d0;                                                          \
            s1 += d1;                                                          \
            q0 += d0 * d0;                                                     \
            q1 += d1 * d1;                                                     \
        }                                                                      \
        STORE4(s + i, s0);                                                     \
        STORE4(s + i + 4, s1);                                                 \
        STORE4(q + i, q0);                                                     \
        STORE4(q + i + 4, q1);                                                 \
        if (!is_known) {                                                       \
            STORE4(k + i, k0);                                                 \
            STORE4(k + i + 4, k1);                                             \
        }                                                                      \
    }                                                                          \
                                                                               \
    static void name(double *restrict k, double *restrict s,                   \
                     double *restrict q, const nci_strips_in *in, int64_t n)   \
    {                                                                          \
        const double scale = in->scale, offset = in->offset;                   \
        int64_t i = 0;                                                         \
        bool is_known = !any_nan(k, n);                                        \
        (void)scale;                                                           \
        (void)offset;                                                          \
        for (; is_known && i + 8 <= n; i += 8)                                 \
            name##_of(k, s, q, in, i, true);                                   \
        for (; i + 8 <= n; i += 8)                                             \
            name##_of(k, s, q, in, i, false);                                  \
        for (; i < n; i++)                                                     \
            for (int j = 0; j < in->count; j++) {                              \
                double x = LOAD_ONE(in->x[j], i);                              \
                k[i] = k[i] == k[i] ? k[i] : x;                                \
                double d = x - k[i];                                           \
                d = d == d ? d : 0;                                            \
                s[i] += d;                                                     \
                q[i] += d * d;                                                 \
            }                                                                  \
    }

static inline lanes4 first4(lanes4 k, lanes4 x)
{
    masks4 known = (masks4)(k == k);
    return (lanes4)(((masks4)k & known) | ((masks4)x & ~known));
}

#define STORE4(p, v) (*(lanes4_any *)(p) = (v))
#define ADD4(x, a) ((a) + (x))
#define ADD_NUMBER4(x, a) ((a) + number4(x))
#define ADD1(x, a) ((a) + (x))
#define ADD_NUMBER1(x, a) ((a) + ((x) == (x) ? (x) : 0))
#define LOW1(x, a) ((x) < (a) ? (x) : (a))
#define HIGH1(x, a) ((x) > (a) ? (x) : (a))

#define F32_FOUR(p, e) load4_f32((const float_any *)(p) + (e))
#define F32_ONE(p, e) ((double)((const float_any *)(p))[e])
#define F64_FOUR(p, e) load4_f64((const double *)(p) + (e))
#define F64_ONE(p, e) (((const double *)(p))[e])
#define I16_FOUR(p, e) (load4_i16((const i16_any *)(p) + (e)) * scale + offset)
#define I16_ONE(p, e) ((double)((const i16_any *)(p))[e] * scale + offset)

#define STRIPS(t, FOUR, ONE, ADD_FOUR, ADD_ONE)                                \
    STRIP_LOOP(strips_add_##t, FOUR, ONE, ADD_FOUR, ADD_ONE)                   \
    STRIP_LOOP(strips_min_##t, FOUR, ONE, low4, LOW1)                          \
    STRIP_LOOP(strips_max_##t, FOUR, ONE, high4, HIGH1)                        \
    STRIP_SQUARES(strips_squares_##t, FOUR, ONE)

STRIPS(f64, F64_FOUR, F64_ONE, ADD_NUMBER4, ADD_NUMBER1)
STRIPS(f32, F32_FOUR, F32_ONE, ADD4, ADD1)
STRIPS(i16, I16_FOUR, I16_ONE, ADD4, ADD1)

#define STRIP_TABLE(t)                                                         \
    {                                                                          \
        strips_add_##t, strips_min_##t, strips_max_##t, strips_squares_##t     \
    }
