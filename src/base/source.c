/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/source.h"

#include "base/mem.h"

void nci_source_spec_free(nci_source_spec **slot)
{
    nci_source_spec *spec = *slot;
    *slot = NULL;
    if (!spec)
        return;
    nci_free(spec->name);
    nci_free(spec->segments);
    nci_grid_fini(&spec->grid);
    nci_free(spec);
}

size_t nci_source_spec_find(const nci_source_spec *spec, int64_t position)
{
    size_t low = 0, high = spec->nsegments;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const nci_segment *s = &spec->segments[middle];
        if (s->start + s->count <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
