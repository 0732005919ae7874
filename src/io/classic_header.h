/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_CLASSIC_HEADER_H
#define NCI_IO_CLASSIC_HEADER_H
/* Headers of classic files. */
#include "io/driver.h"

/* nci_classic_inspect fills the header of a CDF-1, CDF-2 or CDF-5 file.
 * Errors: EUNSUPPORTED: none of them; ECORRUPT names the item and its byte. */
ncg_status nci_classic_inspect(nci_bytes *bytes, nci_header *header,
                               ncg_error *err);

#endif
