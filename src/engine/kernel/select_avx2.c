/* SPDX-License-Identifier: BSD-3-Clause */
/* Selection for AVX2. */
#if defined(__x86_64__)
#define NCI_SELECT_TABLE nci_select_avx2
#include "engine/kernel/select_body.h"
#else
typedef int nci_select_avx2_is_for_x86;
#endif
