/* SPDX-License-Identifier: BSD-3-Clause */
/* The loops for AVX2; without FMA, whose roundings differ. */
#if defined(__x86_64__)
#define NCI_ISA_TABLE nci_isa_avx2
#define NCI_ISA_NAME "avx2"
#include "engine/kernel/isa_body.h"
#else
typedef int nci_isa_avx2_is_for_x86;
#endif
