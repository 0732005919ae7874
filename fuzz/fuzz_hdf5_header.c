/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as an HDF5 file: its header is read, or an error says why not. */
#include "io/hdf5/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_bytes *bytes = NULL;
    nci_header *header = nci_header_create("fuzz");
    ncg_error err;
    nci_h5_ignore_sums(true);
    if (header && !nci_bytes_from_memory(data, size, &bytes, &err)) {
        nci_hdf5_inspect(bytes, header, &err);
        nci_bytes_close(&bytes);
    }
    nci_header_free(&header);
    return 0;
}
