/* SPDX-License-Identifier: BSD-3-Clause */
/* Random bits, and what becomes of them; see generate.h. */
#include "engine/generate.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"

/* ---- Philox4x32-10 ----------------------------------------------------------
 */

enum { LANES = 32, ROUNDS = 10 };

typedef struct philox {
    uint32_t x[4][LANES];
} philox;

static void philox_round(philox *p, uint32_t key0, uint32_t key1)
{
    for (int i = 0; i < LANES; i++) {
        uint64_t a = (uint64_t)p->x[0][i] * UINT32_C(0xD2511F53);
        uint64_t b = (uint64_t)p->x[2][i] * UINT32_C(0xCD9E8D57);
        p->x[0][i] = (uint32_t)(b >> 32) ^ p->x[1][i] ^ key0;
        p->x[1][i] = (uint32_t)b;
        p->x[2][i] = (uint32_t)(a >> 32) ^ p->x[3][i] ^ key1;
        p->x[3][i] = (uint32_t)a;
    }
}

static void philox_lanes(uint64_t seed, uint64_t first, philox *p)
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < LANES; i++) {
        p->x[0][i] = (uint32_t)(first + (uint64_t)i);
        p->x[1][i] = (uint32_t)((first + (uint64_t)i) >> 32);
        p->x[2][i] = p->x[3][i] = 0;
    }
    for (int r = 0; r < ROUNDS; r++) {
        philox_round(p, key0, key1);
        key0 += UINT32_C(0x9E3779B9);
        key1 += UINT32_C(0xBB67AE85);
    }
}

void nci_philox(uint64_t seed, uint64_t first, int64_t n, uint64_t *out)
{
    philox p;
    for (int64_t at = 0; at < n; at += LANES) {
        int64_t some = n - at < LANES ? n - at : LANES;
        philox_lanes(seed, first + (uint64_t)at, &p);
        for (int64_t i = 0; i < some; i++) {
            out[2 * (at + i)] = p.x[0][i] | (uint64_t)p.x[1][i] << 32;
            out[2 * (at + i) + 1] = p.x[2][i] | (uint64_t)p.x[3][i] << 32;
        }
    }
}

/* ---- from bits to values ------------------------------------------------------
 */

/* Horner's rule, the highest power first. */
static double polynomial(const double *c, double r)
{
    double sum = c[0];
    for (int i = 1; i < 8; i++)
        sum = sum * r + c[i];
    return sum;
}

/* The inverse of the normal distribution, 16 digits: algorithm AS 241
 * (Wichura, 1988). */
static double inverse_normal(double p)
{
    static const double a[8] = {
        2.5090809287301226727e+3, 3.3430575583588128105e+4,
        6.7265770927008700853e+4, 4.5921953931549871457e+4,
        1.3731693765509461125e+4, 1.9715909503065514427e+3,
        1.3314166789178437745e+2, 3.3871328727963666080e+0};
    static const double b[8] = {
        5.2264952788528545610e+3, 2.8729085735721942674e+4,
        3.9307895800092710610e+4, 2.1213794301586595867e+4,
        5.3941960214247511077e+3, 6.8718700749205790830e+2,
        4.2313330701600911252e+1, 1.0};
    static const double c[8] = {
        7.74545014278341407640e-4, 2.27238449892691845833e-2,
        2.41780725177450611770e-1, 1.27045825245236838258e+0,
        3.64784832476320460504e+0, 5.76949722146069140550e+0,
        4.63033784615654529590e+0, 1.42343711074968357734e+0};
    static const double d[8] = {
        1.05075007164441684324e-9, 5.47593808499534494600e-4,
        1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e+0,
        2.05319162663775882187e+0, 1.0};
    static const double e[8] = {
        2.01033439929228813265e-7, 2.71155556874348757815e-5,
        1.24266094738807843860e-3, 2.65321895265761230930e-2,
        2.96560571828504891230e-1, 1.78482653991729133580e+0,
        5.46378491116411436990e+0, 6.65790464350110377720e+0};
    static const double f[8] = {
        2.04426310338993978564e-15, 1.42151175831644588870e-7,
        1.84631831751005468180e-5,  7.86869131145613259100e-4,
        1.48753612908506148525e-2,  1.36929880922735805310e-1,
        5.99832206555887937690e-1,  1.0};
    double q = p - 0.5, r;
    if (fabs(q) <= 0.425) {
        r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    r = sqrt(-log(q < 0 ? p : 1.0 - p));
    double x = r <= 5.0 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                        : polynomial(e, r - 5.0) / polynomial(f, r - 5.0);
    return q < 0 ? -x : x;
}

/* The high word of a * b. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t middle = ah * bl + (al * bl >> 32);
    uint64_t low = (uint32_t)middle + al * bh;
    return ah * bh + (middle >> 32) + (low >> 32);
}

static void put_uniform(ncg_dtype dtype, const uint64_t *bits, int64_t n,
                        void *out)
{
    float *f4 = out;
    double *f8 = out;
    for (int64_t i = 0; dtype == NCG_DTYPE_F32 && i < n; i++)
        f4[i] = (float)(bits[i] >> 40) * 0x1p-24F;
    for (int64_t i = 0; dtype == NCG_DTYPE_F64 && i < n; i++)
        f8[i] = (double)(bits[i] >> 11) * 0x1p-53;
}

static void put_normal(ncg_dtype dtype, const uint64_t *bits, int64_t n,
                       void *out)
{
    float *f4 = out;
    double *f8 = out;
    for (int64_t i = 0; i < n; i++) {
        double x = inverse_normal(((double)(bits[i] >> 11) + 0.5) * 0x1p-53);
        if (dtype == NCG_DTYPE_F32)
            f4[i] = (float)x;
        else
            f8[i] = x;
    }
}

/* An integer of any dtype; a float takes its value. */
static void put_integer(ncg_dtype dtype, uint64_t value, uint8_t *out)
{
    if (dtype == NCG_DTYPE_U64)
        memcpy(out, &value, sizeof value);
    else
        nci_dtype_put_i64(dtype, out, (int64_t)value);
}

static void put_integers(const nci_generator *g, ncg_dtype dtype,
                         const uint64_t *bits, int64_t n, uint8_t *out)
{
    size_t size = ncg_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        uint64_t k = g->span ? multiply_high(bits[i], g->span) : bits[i];
        put_integer(dtype, (uint64_t)g->low + k, out + (size_t)i * size);
    }
}

static void put_random(const nci_generator *g, ncg_dtype dtype, int64_t first,
                       int64_t n, uint8_t *out)
{
    enum { BATCH = 1024 };
    uint64_t bits[BATCH + 2];
    size_t size = ncg_dtype_size(dtype);
    for (int64_t at = 0; at < n;) {
        int64_t odd = (first + at) & 1;
        int64_t some = n - at < BATCH ? n - at : BATCH;
        uint8_t *to = out + (size_t)at * size;
        nci_philox(g->seed, (uint64_t)(first + at) / 2, (some + odd + 1) / 2,
                   bits);
        if (g->kind == NCI_GENERATE_UNIFORM)
            put_uniform(dtype, bits + odd, some, to);
        else if (g->kind == NCI_GENERATE_NORMAL)
            put_normal(dtype, bits + odd, some, to);
        else
            put_integers(g, dtype, bits + odd, some, to);
        at += some;
    }
}

/* ---- values in order --------------------------------------------------------------
 */

static void put_range(const nci_generator *g, ncg_dtype dtype, int64_t first,
                      int64_t n, uint8_t *out)
{
    size_t size = ncg_dtype_size(dtype);
    if (dtype == NCG_DTYPE_F32) {
        float start = (float)g->start, delta = (float)g->delta;
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = start + (float)(first + i) * delta;
        if (first <= 1 && first + n > 1)
            ((float *)out)[1 - first] = (float)g->last;
    } else if (dtype == NCG_DTYPE_F64) {
        for (int64_t i = 0; i < n; i++)
            ((double *)out)[i] = g->start + (double)(first + i) * g->delta;
        if (first <= 1 && first + n > 1)
            ((double *)out)[1 - first] = g->last;
    } else {
        for (int64_t i = 0; i < n; i++)
            put_integer(dtype,
                        (uint64_t)g->low +
                            (uint64_t)(first + i) * (uint64_t)g->step,
                        out + (size_t)i * size);
    }
}

static void put_linspace(const nci_generator *g, ncg_dtype dtype, int64_t first,
                         int64_t n, uint8_t *out)
{
    size_t size = ncg_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        double x = (double)(first + i) * g->delta + g->start;
        if (first + i == g->size - 1)
            x = g->last;
        if (!nci_dtype_is_float(dtype))
            x = floor(x);
        nci_dtype_put(dtype, out + (size_t)i * size, x);
    }
}

static void put_full(const nci_generator *g, ncg_dtype dtype, int64_t n,
                     uint8_t *out)
{
    size_t size = ncg_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++)
        memcpy(out + (size_t)i * size, g->value, size);
}

void nci_generate(const nci_generator *g, ncg_dtype dtype, int64_t first,
                  int64_t n, void *out)
{
    switch (g->kind) {
    case NCI_GENERATE_FULL:
        put_full(g, dtype, n, out);
        break;
    case NCI_GENERATE_RANGE:
        put_range(g, dtype, first, n, out);
        break;
    case NCI_GENERATE_LINSPACE:
        put_linspace(g, dtype, first, n, out);
        break;
    default:
        put_random(g, dtype, first, n, out);
        break;
    }
}
