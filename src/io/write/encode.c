/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/encode.h"

#include <pthread.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/mem.h"
#include "io/write/zlib_stream.h"

/* ---- what each thread keeps -------------------------------------------- */

typedef struct scratch {
    nci_packer packer;
    uint8_t *bytes;
    size_t capacity;
} scratch;

/* More than this is given back after each chunk. */
enum { SCRATCH_KEPT = 32 << 20 };

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static bool has_scratch_key;

static void scratch_free(void *memory)
{
    scratch *own = memory;
    nci_packer_fini(&own->packer);
    nci_free(own->bytes);
    nci_free(own);
}

static void scratch_key_create(void)
{
    has_scratch_key = !pthread_key_create(&scratch_key, scratch_free);
}

static scratch *scratch_get(void)
{
    pthread_once(&scratch_once, scratch_key_create);
    if (!has_scratch_key)
        return NULL;
    scratch *own = pthread_getspecific(scratch_key);
    if (own)
        return own;
    own = nci_calloc(1, sizeof *own);
    if (own && pthread_setspecific(scratch_key, own)) {
        nci_free(own);
        return NULL;
    }
    return own;
}

/* Makes room for `nbytes` and a compressor of `level`. */
static bool scratch_fit(scratch *own, size_t nbytes, int level)
{
    if (own->capacity < nbytes) {
        nci_free(own->bytes);
        own->bytes = nci_alloc_aligned(nbytes);
        own->capacity = own->bytes ? nbytes : 0;
    }
    return nci_packer_fit(&own->packer, level) && own->bytes;
}

static void scratch_trim(scratch *own)
{
    if (own->capacity <= SCRATCH_KEPT)
        return;
    nci_free(own->bytes);
    own->bytes = NULL;
    own->capacity = 0;
}

/* ---- shuffle ----------------------------------------------------------- */

/* Whole words are loaded and cut by shifts (little-endian order below), a form
 * that compilers turn into vector packs. */
static void shuffle2(const uint8_t *data, size_t n, uint8_t *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t word;
        memcpy(&word, data + 2 * i, 2);
        out[i] = (uint8_t)word;
        out[n + i] = (uint8_t)(word >> 8);
    }
}

static void shuffle4(const uint8_t *data, size_t n, uint8_t *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, data + 4 * i, 4);
        out[i] = (uint8_t)word;
        out[n + i] = (uint8_t)(word >> 8);
        out[2 * n + i] = (uint8_t)(word >> 16);
        out[3 * n + i] = (uint8_t)(word >> 24);
    }
}

#if defined(__SSE2__)
/* Bytes with even and with odd numbers of 16-bit pairs. */
static inline __m128i even(__m128i a, __m128i b)
{
    const __m128i low = _mm_set1_epi16(0xff);
    return _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
}

static inline __m128i odd(__m128i a, __m128i b)
{
    return _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
}

/* Sixteen elements of four bytes become four planes, `step` apart. */
static inline void split4(const __m128i v[4], uint8_t *out, size_t step)
{
    __m128i e0 = even(v[0], v[1]), e1 = even(v[2], v[3]);
    __m128i o0 = odd(v[0], v[1]), o1 = odd(v[2], v[3]);
    _mm_storeu_si128((__m128i *)(void *)out, even(e0, e1));
    _mm_storeu_si128((__m128i *)(void *)(out + step), even(o0, o1));
    _mm_storeu_si128((__m128i *)(void *)(out + 2 * step), odd(e0, e1));
    _mm_storeu_si128((__m128i *)(void *)(out + 3 * step), odd(o0, o1));
}

/* Elements from the first on that come in whole sixteens; returns how many. */
static size_t shuffle8_vectors(const uint8_t *data, size_t n, uint8_t *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i e[4], o[4]; /* bytes 0, 2, 4, 6 and 1, 3, 5, 7 of elements */
        for (size_t v = 0; v < 4; v++) {
            const __m128i *from =
                (const __m128i *)(const void *)(data + 8 * i + 32 * v);
            __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
            e[v] = even(a, b);
            o[v] = odd(a, b);
        }
        split4(e, out + i, 2 * n);
        split4(o, out + n + i, 2 * n);
    }
    return i;
}
#else
static size_t shuffle8_vectors(const uint8_t *data, size_t n, uint8_t *out)
{
    (void)data;
    (void)n;
    (void)out;
    return 0;
}
#endif

static void shuffle8(const uint8_t *data, size_t n, uint8_t *restrict out)
{
    for (size_t i = shuffle8_vectors(data, n, out); i < n; i++) {
        uint64_t word;
        memcpy(&word, data + 8 * i, 8);
        for (size_t b = 0; b < 8; b++)
            out[b * n + i] = (uint8_t)(word >> (8 * b));
    }
}

static void shuffle_any(const uint8_t *data, size_t n, size_t elem,
                        uint8_t *restrict out)
{
    for (size_t b = 0; b < elem; b++)
        for (size_t i = 0; i < n; i++)
            out[b * n + i] = data[i * elem + b];
}

void nci_shuffle(const uint8_t *data, size_t n, size_t elem, uint8_t *out)
{
    bool is_little = *(const uint8_t *)&(uint16_t){1} == 1;
    if (elem == 2 && is_little)
        shuffle2(data, n, out);
    else if (elem == 4 && is_little)
        shuffle4(data, n, out);
    else if (elem == 8 && is_little)
        shuffle8(data, n, out);
    else
        shuffle_any(data, n, elem, out);
}

/* ---- padding ----------------------------------------------------------- */

static void fill_bytes(uint8_t *out, size_t nbytes, const uint8_t *fill,
                       size_t elem)
{
    memcpy(out, fill, elem);
    for (size_t done = elem; done < nbytes;) {
        size_t part = done < nbytes - done ? done : nbytes - done;
        memcpy(out + done, out, part);
        done += part;
    }
}

/* Copies rows of the last axis to their places in the padded chunk. */
static void pad(const nci_write_var *var, const int64_t *count,
                const uint8_t *data, uint8_t *out)
{
    int last = var->rank - 1;
    size_t row = (size_t)count[last] * var->elem;
    int64_t index[NCG_MAX_RANK] = {0};
    fill_bytes(out, (size_t)var->chunk_values * var->elem, var->fill,
               var->elem);
    for (int d = 0; d >= 0;) {
        int64_t at = 0;
        for (int i = 0; i < last; i++)
            at = (at + index[i]) * var->chunk[i + 1];
        memcpy(out + (size_t)at * var->elem, data, row);
        data += row;
        for (d = last - 1; d >= 0 && ++index[d] == count[d]; d--)
            index[d] = 0;
    }
}

/* ---- a chunk ----------------------------------------------------------- */

static ncg_status deflate_chunk(const nci_write_var *var, int level,
                                const int64_t *count, const uint8_t *data,
                                bool is_whole, nci_buf **out, ncg_error *err)
{
    size_t nbytes = (size_t)var->chunk_values * var->elem;
    size_t bound = nci_zlib_bound(nbytes);
    size_t padded = is_whole ? 0 : nbytes;
    size_t shuffled = var->is_shuffled ? nbytes : 0;
    scratch *own = scratch_get();
    if (!own || !scratch_fit(own, padded + shuffled + bound, level))
        return nci_fail(err, NCG_ENOMEM, "variable %s: out of memory",
                        var->name);
    if (!is_whole) {
        pad(var, count, data, own->bytes);
        data = own->bytes;
    }
    if (var->is_shuffled) {
        nci_shuffle(data, (size_t)var->chunk_values, var->elem,
                    own->bytes + padded);
        data = own->bytes + padded;
    }
    uint8_t *packed = own->bytes + padded + shuffled;
    nci_planes planes = {data, nbytes, 1};
    if (var->is_shuffled)
        planes = (nci_planes){data, nbytes / var->elem, var->elem};
    size_t size = nci_zlib_pack(&own->packer, &planes, packed, bound);
    ncg_status st = size ? nci_buf_create(size, out, err)
                         : nci_fail(err, NCG_EBUG,
                                    "variable %s: deflate failed", var->name);
    if (!st)
        memcpy(nci_buf_data(*out), packed, size);
    scratch_trim(own);
    return st;
}

ncg_status nci_encode_chunk(const nci_write_var *var, int level,
                            const int64_t *count, const void *data,
                            nci_buf **out, ncg_error *err)
{
    bool is_whole = true;
    size_t n = 1;
    for (int d = 0; d < var->rank; d++) {
        if (count[d] < 1 || count[d] > var->chunk[d])
            return nci_fail(err, NCG_EBUG,
                            "variable %s: a chunk of %lld values on axis %d",
                            var->name, (long long)count[d], d);
        is_whole &= count[d] == var->chunk[d];
        n *= (size_t)count[d];
    }
    if (var->is_deflated)
        return deflate_chunk(var, level, count, data, is_whole, out, err);
    is_whole |= !var->is_chunked;
    if (!is_whole)
        n = (size_t)var->chunk_values;
    NCI_TRY(nci_buf_create(n * var->elem, out, err));
    if (is_whole)
        memcpy(nci_buf_data(*out), data, n * var->elem);
    else
        pad(var, count, data, nci_buf_data(*out));
    return NCG_OK;
}
