/* SPDX-License-Identifier: BSD-3-Clause */
/* The element-wise loops for AVX2; without FMA, whose roundings differ. */
#if defined(__x86_64__)
#define NCI_MAP_TABLE nci_isa_map_avx2
#include "engine/kernel/isa_map_body.h"
#else
typedef int nci_isa_map_avx2_is_for_x86;
#endif
