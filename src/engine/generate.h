/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_GENERATE_H
#define NCI_ENGINE_GENERATE_H
/*
 * Values that follow from a position: element i of an array, counted in
 * row-major order, depends on i and the generator alone, never on chunks.
 *
 * Random bits are Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011): the key
 * is the seed, the counter i / 2; element i takes 64 of the 128 bits.
 */
#include <stdbool.h>
#include <stdint.h>

#include "ncgraph.h"

typedef enum nci_generator_kind {
    NCI_GENERATE_FULL,     /* `value` everywhere */
    NCI_GENERATE_RANGE,    /* integers: low + i * step; floats: start + i * delta
                              as numpy.arange rounds it, the second one `last`
                              (delta is what rounding left of the step) */
    NCI_GENERATE_LINSPACE, /* i * delta + start in double, `last` at the end */
    NCI_GENERATE_UNIFORM,  /* [0, 1), of 53 bits (F32: 24) */
    NCI_GENERATE_NORMAL,   /* mean 0, deviation 1: inverse distribution */
    NCI_GENERATE_INTEGERS  /* low .. low + span - 1, span 0: 2^64 */
} nci_generator_kind;

typedef struct nci_generator {
    nci_generator_kind kind;
    uint8_t value[8];
    double start, delta, last;
    int64_t low, step;
    uint64_t span, seed;
    int64_t size; /* elements of the array; LINSPACE: size - 1 is `last` */
} nci_generator;

/* nci_generate writes elements first .. first + n - 1 as `dtype`. */
void nci_generate(const nci_generator *generator, ncg_dtype dtype,
                  int64_t first, int64_t n, void *out);
/* nci_philox writes blocks first .. first + n - 1 of 128 random bits, two
 * words each. */
void nci_philox(uint64_t seed, uint64_t first, int64_t n, uint64_t *out);

#endif
