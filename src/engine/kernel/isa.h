/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_ISA_H
#define NCI_ENGINE_KERNEL_ISA_H
/*
 * The innermost loops, built once for each instruction set from isa_body.h and
 * chosen at run time. Element-wise loops round the same on every set; sums
 * along a row run in NCI_LANES fixed lanes that meet in a fixed order, so all
 * tables give the same bits (engine.kernel_isa compares them).
 *
 * All lengths are in elements; pointers to raw values need no alignment.
 */
#include "base/tile.h"

enum {
    NCI_BLOCK = 1024, /* elements that pass through the cache at a time */
    NCI_LANES = 16,
    NCI_MAX_STRIPS = 8,   /* steps folded at a time */
    NCI_STRIP_BLOCK = 512 /* cells folded at a time */
};

/* nci_mask is a decode rule with its tests turned into values of the raw
 * dtype: a value is missing when it equals one of `missing`, is NaN, or lies
 * outside low..high. */
typedef struct nci_mask {
    ncg_dtype raw; /* BOOL and CHAR are U8 here */
    int nmissing;  /* 0, 1 or NCI_MAX_MISSING (filled up with repeats) */
    uint8_t missing[NCI_MAX_MISSING][8];
    bool has_range; /* else low and high are those of the dtype */
    uint8_t low[8], high[8];
    bool has_scale;
    double scale, offset;
} nci_mask;

/* nci_mask_of prepares a rule of a file. */
void nci_mask_of(const nci_decode *decode, nci_mask *out);
/* nci_mask_plain is the rule of an array of ours: NaN, or `missing` (of
 * `dtype`, may be NULL), nothing else. */
void nci_mask_plain(ncg_dtype dtype, const void *missing, nci_mask *out);

/* Strips are values of the same cells at successive steps. */
typedef struct nci_strips_in {
    const void *x[NCI_MAX_STRIPS];
    int count;
    double scale, offset; /* of packed values: x * scale + offset */
    /* Of raw loops: from each byte plane to the next; what is missing. */
    int64_t plane;
    float missing_f32;
    int16_t missing_i16;
} nci_strips_in;

/* What the values of a strip are: doubles, NaN where missing; raw values, none
 * of them missing. */
typedef enum nci_strip_kind {
    NCI_STRIP_F64,
    NCI_STRIP_F32,
    NCI_STRIP_I16,
    NCI_STRIP_KINDS
} nci_strip_kind;

/* Folds strips into columns, in their order; the bits are those of folding one
 * after the other. */
typedef struct nci_strip_loops {
    void (*add)(double *sum, const nci_strips_in *in, int64_t n);
    void (*min)(double *low, const nci_strips_in *in, int64_t n);
    void (*max)(double *high, const nci_strips_in *in, int64_t n);
    /* k[i], NaN at first, becomes the first value; d = x - k: s += d,
     * q += d d; NaN counts as 0. */
    void (*squares)(double *k, double *s, double *q, const nci_strips_in *in,
                    int64_t n);
} nci_strip_loops;

/* How raw values lie that are folded as they came from the file. They have no
 * range; one value marks what is missing, or, with NAN, none. Planes: x is
 * that of the lowest byte. */
typedef enum nci_raw_kind {
    NCI_RAW_F32,
    NCI_RAW_F32_SWAPPED,
    NCI_RAW_F32_PLANES,
    NCI_RAW_F32_NAN,
    NCI_RAW_F32_SWAPPED_NAN,
    NCI_RAW_F32_PLANES_NAN,
    NCI_RAW_I16_PLANES,
    NCI_RAW_KINDS
} nci_raw_kind;

/* The same as nci_strip_loops, with the bits of strips of doubles; true where a
 * value is missing (or NaN): the caller counts those. row_sum adds up n values
 * at x[0], floats with the bits of row_sum; *sum has no meaning where it
 * returns true. */
typedef struct nci_raw_loops {
    bool (*row_sum)(const nci_strips_in *in, int64_t n, double *sum);
    bool (*add)(double *sum, const nci_strips_in *in, int64_t n);
    bool (*min)(double *low, const nci_strips_in *in, int64_t n);
    bool (*max)(double *high, const nci_strips_in *in, int64_t n);
    bool (*squares)(double *k, double *s, double *q, const nci_strips_in *in,
                    int64_t n);
} nci_raw_loops;

typedef struct nci_isa {
    const char *name;
    /* planes[b][i] is byte b (host order) of element i; by log2(size), from
     * 1. */
    void (*unshuffle[4])(const uint8_t *const *planes, int64_t n, void *out);
    void (*swap[4])(const void *in, int64_t n, void *out);
    /* raw values to double, NaN where missing; true where one is missing. */
    bool (*decode[NCG_DTYPE_BOOL])(const void *raw, int64_t n,
                                   const nci_mask *mask, double *out);
    /* Whether a value is missing. */
    bool (*any_missing_f32)(const void *raw, int64_t n, const nci_mask *mask);
    bool (*any_missing_i16)(const void *raw, int64_t n, const nci_mask *mask);
    void (*to_f32)(const double *x, int64_t n, void *out);
    void (*round_f32)(double *x, int64_t n);
    void (*add)(const double *a, const double *b, int64_t n, double *out);
    void (*sub)(const double *a, const double *b, int64_t n, double *out);
    void (*mul)(const double *a, const double *b, int64_t n, double *out);
    void (*div)(const double *a, const double *b, int64_t n, double *out);

    bool (*any_nan)(const double *x, int64_t n);
    int64_t (*count_nan)(const double *x, int64_t n);
    /* out[i] = x[i], `instead` where NaN */
    void (*replace_nan)(const double *x, int64_t n, double instead,
                        double *out);
    /* x_out and w_out are x and w; where one of them is NaN, NaN and 0. Returns
     * whether there is such a place. */
    bool (*join)(const double *x, const double *w, int64_t n, double *x_out,
                 double *w_out);
    void (*tally32)(int32_t *missed, const double *x, int64_t n);
    void (*tally64)(int64_t *missed, const double *x, int64_t n);

    /* Columns: one accumulator an element. NaN is left out, except by
     * column_add, which takes none. */
    void (*column_add)(double *sum, const double *x, int64_t n);
    void (*column_min)(double *low, const double *x, int64_t n);
    void (*column_max)(double *high, const double *x, int64_t n);
    /* sum += w x, weight += w; where x or w is NaN neither. Returns whether
     * there is such a place. */
    bool (*column_add_weighted)(double *sum, double *weight, const double *x,
                                const double *w, int64_t n);
    /* The same for raw floats none of which is missing. */
    void (*column_add_f32)(double *sum, const void *raw, int64_t n);
    void (*column_min_f32)(double *low, const void *raw, int64_t n);
    void (*column_max_f32)(double *high, const void *raw, int64_t n);
    void (*column_first_f32)(double *first, const void *raw, int64_t n);
    bool (*column_squares_f32)(const double *k, double *s, double *q,
                               const void *raw, int64_t n);
    /* first[i] = x[i] where first[i] is NaN */
    void (*column_first)(double *first, const double *x, int64_t n);
    /* d = x - k: s += d, q += d d; weighted: s += w d, q += w d d. Returns
     * whether a d was NaN, which counts as 0. */
    bool (*column_squares)(const double *k, double *s, double *q,
                           const double *x, int64_t n);
    bool (*column_squares_weighted)(const double *k, double *s, double *q,
                                    const double *x, const double *w,
                                    int64_t n);
    /* s and q become mean and squared deviations about it; meaningless where
     * count is 0 */
    void (*column_deviations)(const int32_t *count, const double *k, double *s,
                              double *q, int64_t n);

    /* Strips of NCI_RAW_I16_PLANES as they are stored: s += p, q += p p, 0
     * where missing; true where a value is. Below 2^53 all sums are exact. NULL
     * in tables that have nothing faster than the loops of `raw`. */
    bool (*packed_add)(double *s, const nci_strips_in *in, int64_t n);
    bool (*packed_squares)(double *s, double *q, const nci_strips_in *in,
                           int64_t n);
    /* Such sums become those of values; such squares what column_deviations
     * leaves. */
    void (*unpack_sums)(const int32_t *count, double scale, double offset,
                        double *s, int64_t n);
    void (*unpack_deviations)(const int32_t *count, double scale, double offset,
                              double *s, double *q, int64_t n);

    nci_strip_loops strips[NCI_STRIP_KINDS];
    nci_raw_loops raw[NCI_RAW_KINDS];

    /* States of n cells, merged into those of `a`; a cell whose count is 0
     * holds no value. Only merge_squares leaves the sum of both counts. */
    void (*add_counts)(int32_t *a, const int32_t *b, int64_t n);
    void (*merge_min)(const int32_t *a_count, double *a, const int32_t *b_count,
                      const double *b, int64_t n);
    void (*merge_max)(const int32_t *a_count, double *a, const int32_t *b_count,
                      const double *b, int64_t n);
    /* means m, squared deviations q */
    void (*merge_squares)(int32_t *a_count, double *a_m, double *a_q,
                          const int32_t *b_count, const double *b_m,
                          const double *b_q, int64_t n);

    /* What states hold at the end, NaN where count < least (which is at least
     * 1 for the mean, more than ddof for deviations): x, x / count,
     * q / (count - ddof), the root of it. */
    void (*finish_value)(const int32_t *count, const double *x, int32_t least,
                         int64_t n, double *out);
    void (*finish_mean)(const int32_t *count, const double *x, int32_t least,
                        int64_t n, double *out);
    void (*finish_variance)(const int32_t *count, const double *q,
                            int32_t least, int32_t ddof, bool is_root,
                            int64_t n, double *out);

    /* Rows: one accumulator for all elements. row_sum takes no NaN. */
    double (*row_sum)(const double *x, int64_t n);
    double (*row_min)(const double *x, int64_t n);
    double (*row_max)(const double *x, int64_t n);
    /* out[0] = sum of w x, out[1] = sum of w; where x or w is NaN neither.
     * Returns how many such places there are. */
    int64_t (*row_sum_weighted)(const double *x, const double *w, int64_t n,
                                double out[2]);
    /* out[0] = sum of d, out[1] = sum of d d; weighted: of w d and w d d,
     * out[2] = sum of w, and the return value, as above. */
    void (*row_squares)(const double *x, int64_t n, double k, double out[2]);
    int64_t (*row_squares_weighted)(const double *x, const double *w, int64_t n,
                                    double k, double out[3]);
} nci_isa;

extern const nci_isa nci_isa_base;
#if defined(__x86_64__)
extern const nci_isa nci_isa_avx2;
#endif
/* nci_isa_best returns the fastest table that this machine runs. */
const nci_isa *nci_isa_best(void);
/* nci_isa_force makes nci_isa_best return `isa` (NULL: choose again); for
 * tests. */
void nci_isa_force(const nci_isa *isa);

#endif
