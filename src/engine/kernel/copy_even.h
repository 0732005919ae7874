/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_COPY_EVEN_H
#define NCI_ENGINE_KERNEL_COPY_EVEN_H
#include "base/grid.h"

/* nci_copy_even copies elements of 1, 2, 4 or 8 bytes: position i of `count` goes
 * from from[sum of i[d] * from_stride[d]] to to[sum of i[d] * to_stride[d]];
 * to_stride NULL: into a row-major array of `count`. Transposed axes go in tiles
 * that stay in the first-level cache. */
void nci_copy_even(uint8_t *to, const int64_t *to_stride, const uint8_t *from,
                   const int64_t *from_stride, size_t size, int rank,
                   const int64_t *count);

#endif
