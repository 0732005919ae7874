/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of a scan in one type; block_scan.c includes this once a type.
 * VALUE: the type; WRAP: one in which sums wrap without harm; NAME(x): names;
 * MISSING(x): whether x is missing, given `m`; FROM(X), TO: dtypes that are
 * read and written as VALUE.
 *
 * `buf` holds `rows` rows of `width` values, the accumulators one row.
 */

static void NAME(load)(ncg_dtype dtype, const void *from, int64_t n, VALUE *to)
{
#define LOAD(enumerator, type)                                                 \
    case enumerator:                                                           \
        for (int64_t i = 0; i < n; i++)                                        \
            to[i] = (VALUE)((const type *)from)[i];                            \
        return;
    switch (dtype) {
        DTYPES(LOAD)
    default:
        return;
    }
#undef LOAD
}

static void NAME(store)(ncg_dtype dtype, const VALUE *from, int64_t n, void *to)
{
#define STORE(enumerator, type)                                                \
    case enumerator:                                                           \
        for (int64_t i = 0; i < n; i++)                                        \
            ((type *)to)[i] = (type)from[i];                                   \
        return;
    switch (dtype) {
        DTYPES(STORE)
    default:
        return;
    }
#undef STORE
}

/* The first row of all: it becomes the accumulators. */
static void NAME(begin)(const scan *s, const VALUE *row, int64_t width,
                        VALUE *acc)
{
    const marker *m = &s->marker;
    bool replaces = s->skipna && s->op <= NCI_SCAN_PROD;
    VALUE neutral = s->op == NCI_SCAN_PROD;
    (void)m;
    for (int64_t j = 0; j < width; j++)
        acc[j] = replaces && MISSING(row[j]) ? neutral : row[j];
}

/* a: accumulator, x: value. Widths of 1 keep it in a register. */
#define SCAN(expression)                                                       \
    do {                                                                       \
        if (width == 1) {                                                      \
            VALUE a = acc[0];                                                  \
            for (int64_t r = first; r != end; r += step) {                     \
                VALUE x = buf[r];                                              \
                buf[r] = a = (expression);                                     \
            }                                                                  \
            acc[0] = a;                                                        \
            return;                                                            \
        }                                                                      \
        for (int64_t r = first; r != end; r += step) {                         \
            VALUE *row = buf + r * width;                                      \
            for (int64_t j = 0; j < width; j++) {                              \
                VALUE a = acc[j], x = row[j];                                  \
                row[j] = acc[j] = (expression);                                \
            }                                                                  \
        }                                                                      \
        return;                                                                \
    } while (0)

static void NAME(rows)(const scan *s, VALUE *buf, int64_t rows, int64_t width,
                       VALUE *acc)
{
    const marker *m = &s->marker;
    int64_t step = s->is_reverse ? -1 : 1;
    int64_t first = s->is_reverse ? rows - 1 : 0;
    int64_t end = first + step * rows;
    (void)m;
    switch (s->op) {
    case NCI_SCAN_SUM:
        if (s->skipna)
            SCAN((VALUE)((WRAP)a + (WRAP)(MISSING(x) ? 0 : x)));
        SCAN((VALUE)((WRAP)a + (WRAP)x));
    case NCI_SCAN_PROD:
        if (s->skipna)
            SCAN((VALUE)((WRAP)a * (WRAP)(MISSING(x) ? 1 : x)));
        SCAN((VALUE)((WRAP)a * (WRAP)x));
    case NCI_SCAN_MIN:
        if (s->skipna)
            SCAN(MISSING(x) ? a : MISSING(a) || x < a ? x : a);
        SCAN(MISSING(a) ? a : MISSING(x) || x < a ? x : a);
    case NCI_SCAN_MAX:
        if (s->skipna)
            SCAN(MISSING(x) ? a : MISSING(a) || x > a ? x : a);
        SCAN(MISSING(a) ? a : MISSING(x) || x > a ? x : a);
    case NCI_SCAN_FFILL:
    case NCI_SCAN_BFILL:
        SCAN(MISSING(x) ? a : x);
    }
}

/* Fills at most s->limit positions after a value; last: where that was. The
 * first row lies at position `at`. */
static void NAME(fill)(const scan *s, VALUE *buf, int64_t rows, int64_t width,
                       int64_t at, VALUE *acc, int64_t *last)
{
    const marker *m = &s->marker;
    (void)m;
    for (int64_t k = 0; k < rows; k++) {
        int64_t r = s->is_reverse ? rows - 1 - k : k, position = at + r;
        VALUE *row = buf + r * width;
        for (int64_t j = 0; j < width; j++) {
            int64_t far =
                s->is_reverse ? last[j] - position : position - last[j];
            if (!MISSING(row[j])) {
                acc[j] = row[j];
                last[j] = position;
            } else if (last[j] != NOWHERE && far <= s->limit) {
                row[j] = acc[j];
            }
        }
    }
}

/* One line of the box: `s->n` rows of `s->inner` values at `from`; `to` is
 * NULL where only the accumulators are wanted. */
static void NAME(line)(const scan *s, const uint8_t *from, uint8_t *to,
                       bool has_begun, VALUE *acc, int64_t *last)
{
    VALUE buf[NCI_BLOCK];
    int64_t width = s->inner < NCI_BLOCK ? s->inner : NCI_BLOCK;
    int64_t most = NCI_BLOCK / width;
    for (int64_t done = 0; done < s->n;) {
        int64_t rows = s->inner > NCI_BLOCK ? 1 : s->n - done;
        rows = rows < most ? rows : most;
        int64_t at = s->is_reverse ? s->n - done - rows : done;
        for (int64_t p = 0; p < s->inner; p += width) {
            int64_t w = s->inner - p < width ? s->inner - p : width;
            size_t offset = (size_t)(at * s->inner + p);
            NAME(load)(s->in, from + offset * s->in_size, rows * w, buf);
            if (last) {
                NAME(fill)(s, buf, rows, w, s->start + at, acc + p, last + p);
            } else {
                int64_t first = s->is_reverse ? rows - 1 : 0;
                if (!has_begun && !done)
                    NAME(begin)(s, buf + first * w, w, acc + p);
                if (!has_begun && !done) {
                    memcpy(buf + first * w, acc + p, (size_t)w * sizeof *buf);
                    NAME(rows)
                    (s, s->is_reverse ? buf : buf + w, rows - 1, w, acc + p);
                } else {
                    NAME(rows)(s, buf, rows, w, acc + p);
                }
            }
            if (to)
                NAME(store)(s->out, buf, rows * w, to + offset * s->out_size);
        }
        done += rows;
    }
}

static void NAME(run)(const scan *s, void *memory)
{
    VALUE *acc = memory;
    int64_t *last = s->counts ? (int64_t *)(acc + s->inner) : NULL;
    size_t line = (size_t)(s->n * s->inner), row = (size_t)s->inner;
    for (int64_t o = 0; o < s->outer; o++) {
        size_t at = (size_t)o * line, to = (size_t)o * row;
        const uint8_t *carry = s->carry ? s->carry + to * s->carry_size : NULL;
        if (carry)
            NAME(load)(s->carry_dtype, carry, s->inner, acc);
        for (int64_t j = 0; last && j < s->inner; j++)
            last[j] = s->where ? s->where[to + (size_t)j] : NOWHERE;
        bool is_whole = s->mode == NCI_SCAN_APPLY;
        NAME(line)
        (s, s->data + at * s->in_size,
         is_whole ? s->to + at * s->out_size : NULL, carry != NULL, acc, last);
        if (s->mode == NCI_SCAN_TOTAL)
            NAME(store)(s->out, acc, s->inner, s->to + to * s->out_size);
        if (s->mode == NCI_SCAN_WHERE)
            memcpy(s->to + to * 8, last, row * sizeof *last);
    }
}

#undef SCAN
#undef VALUE
#undef WRAP
#undef NAME
#undef MISSING
#undef DTYPES
