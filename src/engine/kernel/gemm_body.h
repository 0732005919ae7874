/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Products of matrices in one type; block_contract.c includes this once a
 * type. VALUE: the type of products and sums; NAME(x): names; DTYPES(X): what
 * is read; MISSING: what a missing value is read as; MICRO: the
 * innermost loop, a MICRO_FN.
 *
 * A tile of the result is worked off over k in steps of at most DEPTH: packed
 * strips of MR rows and NR columns lie as the innermost loop reads them. Each
 * value of the result sums its products one by one in the order of k, so bits
 * do not depend on tiles or threads.
 */

/* n values at data[outer[i] + depth[k]] in strips of `width`; the last strip
 * is filled up with zeros. */
static void NAME(pack)(const factor *f, const int64_t *outer, int64_t n,
                       const int64_t *depth, int64_t ndepth, int64_t width,
                       VALUE *to)
{
#define PACK(enumerator, type)                                                 \
    case enumerator: {                                                         \
        const type *data = f->data;                                            \
        type mark;                                                             \
        memcpy(&mark, f->missing, sizeof mark);                                \
        for (int64_t i = 0; i < n; i += width) {                               \
            int64_t w = n - i < width ? n - i : width;                         \
            for (int64_t k = 0; k < ndepth; k++, to += width) {                \
                const type *from = data + depth[k];                            \
                for (int64_t r = 0; r < w; r++) {                              \
                    type x = from[outer[i + r]];                               \
                    to[r] = f->has_missing && x == mark ? MISSING : (VALUE)x;  \
                }                                                              \
                for (int64_t r = w; r < width; r++)                            \
                    to[r] = 0;                                                 \
            }                                                                  \
        }                                                                      \
        return;                                                                \
    }
    switch (f->dtype) {
        DTYPES(PACK)
    default:
        return;
    }
#undef PACK
}

/* Adds what one step of k gives to a tile of `rows` x `columns`. */
static void NAME(add)(int64_t rows, int64_t columns, int64_t depth,
                      const VALUE *a, const VALUE *b, VALUE *c)
{
    MICRO_FN micro = MICRO;
    for (int64_t j = 0; j < columns; j += NR)
        for (int64_t i = 0; i < rows; i += MR)
            micro(depth, a + i * depth, b + j * depth, c + i * COLUMNS + j);
}

/* The tile that begins at (i, j), into `c`. */
static void NAME(tile)(const product *p, int64_t i, int64_t j, void *memory,
                       VALUE *c)
{
    int64_t rows = smaller(ROWS, p->ni - i);
    int64_t columns = smaller(COLUMNS, p->nj - j);
    VALUE *a = memory, *b = a + ROWS * DEPTH;
    int64_t whole = (rows + MR - 1) / MR * MR; /* ROWS is a multiple, too */
    memset(c, 0, (size_t)whole * COLUMNS * sizeof *c);
    for (int64_t k = 0; k < p->nk; k += DEPTH) {
        int64_t depth = smaller(DEPTH, p->nk - k);
        NAME(pack)(&p->a, p->ai + i, rows, p->ak + k, depth, MR, a);
        NAME(pack)(&p->b, p->bj + j, columns, p->bk + k, depth, NR, b);
        NAME(add)(rows, columns, depth, a, b, c);
    }
}

#undef VALUE
#undef NAME
#undef MISSING
#undef DTYPES
#undef MICRO
#undef MICRO_FN
