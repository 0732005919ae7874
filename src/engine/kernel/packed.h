/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_PACKED_H
#define NCI_ENGINE_KERNEL_PACKED_H
/*
 * Sums and deviations of packed integers in the file's own units. Where all
 * files that a group reads are packed alike,
 *
 *     sum of x     = scale * sum of p + offset * n
 *     deviations   = scale^2 * (n * sum of p^2 - (sum of p)^2) / n
 *
 * and the sums over the packed p are whole numbers, exact in any order. Each
 * cell is unpacked once, at the end of its group (or of its slab).
 */
#include "base/source.h"
#include "engine/kernel/fold.h"
#include "graph/plan.h"

/* nci_packing_of finds the packing of all that a task of a fold reads; false
 * where it is not one, where the fold needs the values themselves, or where
 * `most` positions of a cell could be too many for exact sums. `first` and
 * `count` are positions along the source's join axis. */
bool nci_packing_of(const nci_source_spec *spec, const nci_fused *fused,
                    int64_t first, int64_t count, int64_t most,
                    nci_packing *out);
/* nci_packed_finish unpacks n cells; their counts are those of valid values by
 * now. */
void nci_packed_finish(nci_acc *acc, int64_t cell, int64_t n);

#endif
