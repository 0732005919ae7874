/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_COPY_EVEN_H
#define NCI_ENGINE_KERNEL_COPY_EVEN_H
#include "base/grid.h"

/* nci_copy_even copies elements of 1, 2, 4 or 8 bytes into a row-major array of
 * `count`: the one at position i is from[sum of i[d] * stride[d]]. Transposed
 * axes go in tiles that stay in the first-level cache. */
void nci_copy_even(uint8_t *to, const uint8_t *from, size_t size, int rank,
                   const int64_t *count, const int64_t *stride);

#endif
