/* SPDX-License-Identifier: BSD-3-Clause */
/* The element-wise loops for what every machine of the architecture has. */
#define NCI_MAP_TABLE nci_isa_map_base
#include "engine/kernel/isa_map_body.h"

const nci_isa_map *nci_isa_map_of(const nci_isa *isa)
{
#if defined(__x86_64__)
    if (isa == &nci_isa_avx2)
        return &nci_isa_map_avx2;
#endif
    (void)isa;
    return &nci_isa_map_base;
}
