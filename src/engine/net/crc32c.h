/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_CRC32C_H
#define NCI_ENGINE_NET_CRC32C_H
/*
 * CRC32C (Castagnoli), as iSCSI has it: the crc of "123456789" is 0xe3069283.
 * By the processor's instruction where there is one, three streams at a time.
 */
#include <stddef.h>
#include <stdint.h>

/* nci_crc32c continues `crc` (0 to begin with) over the bytes. */
uint32_t nci_crc32c(uint32_t crc, const void *bytes, size_t nbytes);
/* nci_crc32c_portable gives the same without the instruction; for tests. */
uint32_t nci_crc32c_portable(uint32_t crc, const void *bytes, size_t nbytes);

#endif
