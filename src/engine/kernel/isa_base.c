/* SPDX-License-Identifier: BSD-3-Clause */
/* The loops for what every machine of the architecture has. */
#define NCI_ISA_TABLE nci_isa_base
#define NCI_ISA_NAME "base"
#include "engine/kernel/isa_body.h"
