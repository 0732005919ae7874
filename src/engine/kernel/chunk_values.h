/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_CHUNK_VALUES_H
#define NCI_ENGINE_KERNEL_CHUNK_VALUES_H
/* Values of a chunk as doubles, for kernels that compute in double. */
#include "base/error.h"

/* nci_chunk_load reads n values from position `from` on, NaN where missing. */
void nci_chunk_load(const ncg_chunk *in, int64_t from, int64_t n, double *to);
/* nci_chunk_put writes one value, rounded to the chunk's dtype. */
void nci_chunk_put(const ncg_chunk *out, int64_t at, bool is_missing, double x);

#endif
