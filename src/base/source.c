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
