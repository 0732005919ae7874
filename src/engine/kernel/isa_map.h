/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_ISA_MAP_H
#define NCI_ENGINE_KERNEL_ISA_MAP_H
/*
 * The loops of the element-wise program, by class and operation. Those that
 * vectorise are built once for each instruction set from isa_map_body.h; what
 * calls the mathematical library or divides integers is built once. All sets
 * give the same bits.
 *
 * Registers are aligned for their type; `out` overlaps no input. Truth values
 * are int64_t, 0 and 1.
 */
#include "engine/kernel/isa.h"
#include "graph/plan.h"

/* b and c are NULL where the operation has fewer inputs. */
typedef void (*nci_map_fn)(const void *a, const void *b, const void *c,
                           int64_t n, void *out);
typedef nci_map_fn nci_map_row[NCI_MAP_OP_COUNT];

typedef double (*nci_row_of_fn)(const void *a, const void *b, int64_t n);
typedef bool (*nci_column_of_fn)(double *sum, const void *a, const void *b,
                                 int64_t n);

typedef bool (*nci_squares_of_fn)(const double *k, double *s, double *q,
                                  const void *a, const void *b, int64_t n);

typedef struct nci_isa_map {
    nci_map_row row[NCI_CLASS_COUNT]; /* NULL: see nci_map_scalar */
    /* from one class to another; NULL where the bits are the same */
    nci_map_fn cast[NCI_CLASS_COUNT][NCI_CLASS_COUNT];
    nci_map_fn truth[NCI_CLASS_COUNT]; /* x != 0; NaN is true */
    nci_map_fn not_truth;              /* of truth values */
    /* integers wrapped to a dtype below 64 bits, in place */
    void (*wrap[NCG_DTYPE_BOOL + 1])(int64_t *x, int64_t n);
    /* raw values of an integer dtype to 64 bits, and back */
    void (*load[NCG_DTYPE_BOOL + 1])(const void *raw, int64_t n, int64_t *out);
    void (*save[NCG_DTYPE_BOOL + 1])(const int64_t *x, int64_t n, void *out);
    /* integers of magnitude below 2^51 to double */
    void (*small_to_f64)(const int64_t *x, int64_t n, double *out);
    /* doubles rounded to nearest and clamped; NaN stays */
    void (*clamp)(const double *x, int64_t n, double low, double high,
                  double *out);
    int64_t (*sum)(const int64_t *x, int64_t n); /* wraps */
    /* As row_sum and row_squares of isa.h, of floats (F32) or doubles; a NaN
     * makes the result NaN. */
    double (*row_sum[NCI_CLASS_F32 + 1])(const void *x, int64_t n);
    void (*row_squares[NCI_CLASS_F32 + 1])(const void *x, int64_t n, double k,
                                           double out[2]);
    /* Sums of what an operation makes of a and b, which is stored nowhere; NULL
     * for most operations. Rows as row_sum; columns, of which NaN is left out:
     * true where there was one. Squares as column_squares of isa.h. */
    nci_row_of_fn row_of[NCI_CLASS_F32 + 1][NCI_MAP_OP_COUNT];
    nci_column_of_fn column_of[NCI_CLASS_F32 + 1][NCI_MAP_OP_COUNT];
    nci_squares_of_fn squares_of[NCI_CLASS_F32 + 1][NCI_MAP_OP_COUNT];
} nci_isa_map;

extern const nci_isa_map nci_isa_map_base;
#if defined(__x86_64__)
extern const nci_isa_map nci_isa_map_avx2;
#endif
extern const nci_map_row nci_map_scalar[NCI_CLASS_COUNT];

/* nci_isa_map_of returns the table that goes with `isa`. */
const nci_isa_map *nci_isa_map_of(const nci_isa *isa);

#endif
