/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_SELECT_H
#define NCI_ENGINE_KERNEL_SELECT_H
/*
 * Order statistics without sorting. Values become keys: signed integers in the
 * same order, the largest one where a value is missing. The k-th smallest key
 * is found by bisection between the least and the greatest: each step counts
 * the keys up to the middle, many at a time and without a branch, until one
 * key remains or exactly k keys lie below. Built once for each instruction
 * set; integers alone, so all sets give the same.
 *
 * Keys have 32 bits for small integers and F32, else 64.
 */
#include "engine/kernel/isa.h"

enum {
    NCI_KEY_ROW = 128, /* bytes of a row of keys: one of each column */
    NCI_KEY_COLUMNS = NCI_KEY_ROW / 4
};

/* What a column (a line) of keys is known for. */
typedef struct nci_key_range {
    int64_t low, high; /* of the keys that are not missing; 0 without any */
    int64_t valid;
} nci_key_range;

typedef struct nci_select_loops {
    size_t size; /* of a key */
    int columns; /* of a row */
    int64_t missing;
    /* range[columns] of n rows; can_miss: the largest key says missing */
    void (*column_ranges)(const void *keys, int64_t n, bool can_miss,
                          nci_key_range *range);
    /* pairs[2 * columns]: of each column the key of rank[c], counted from 0,
     * and the next one (the largest key where there is none). */
    void (*columns_at)(const void *keys, int64_t n, const nci_key_range *range,
                       const int64_t *rank, int64_t *pairs);
    nci_key_range (*line_range)(const void *keys, int64_t n, bool can_miss);
    /* The same for one line; scratch has room for n keys. */
    void (*line_at)(const void *keys, int64_t n, const nci_key_range *range,
                    int64_t rank, void *scratch, int64_t *pair);
} nci_select_loops;

typedef struct nci_select_isa {
    nci_select_loops narrow, wide;
    /* n values to keys, by dtype; `missing` (of the dtype) may be NULL */
    void (*load[NCG_DTYPE_BOOL + 1])(const void *raw, int64_t n,
                                   const void *missing, void *keys);
} nci_select_isa;

extern const nci_select_isa nci_select_base;
#if defined(__x86_64__)
extern const nci_select_isa nci_select_avx2;
#endif
/* nci_select_of gives the loops that go with an instruction set. */
const nci_select_isa *nci_select_of(const nci_isa *isa);
/* nci_select_for gives those for keys of a dtype. */
const nci_select_loops *nci_select_for(const nci_select_isa *isa,
                                       ncg_dtype dtype);

/* nci_key_value gives the value of a key. nci_key_step gives b - a, which for
 * 64-bit integers is exact before it is rounded. */
double nci_key_value(ncg_dtype dtype, const void *missing, int64_t key);
double nci_key_step(ncg_dtype dtype, const void *missing, int64_t a, int64_t b);
/* nci_key_put stores the value of a key, exactly. */
void nci_key_put(ncg_dtype dtype, const void *missing, int64_t key, void *out);

#endif
