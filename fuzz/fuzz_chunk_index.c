/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as an HDF5 file: the chunk tables of all its variables. */
#include "io/hdf5/reader.h"

enum { MOST_CHUNKS = 1 << 14 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tables of absurd grids take memory, not thought. */
static bool is_small(const nci_var *var)
{
    int64_t chunks = 1;
    for (int d = 0; d < var->rank; d++) {
        int64_t along = var->storage.file_shape[d] / var->storage.chunk[d] + 1;
        if (along > MOST_CHUNKS || (chunks *= along) > MOST_CHUNKS)
            return false;
    }
    return true;
}

static void read_tables(nci_bytes *bytes, const nci_header *header)
{
    ncg_error err;
    for (size_t i = 0; i < header->nvars; i++) {
        nci_chunk_table table;
        const nci_var *var = &header->vars[i];
        if (var->storage.layout != NCI_LAYOUT_CHUNKED || !is_small(var))
            continue;
        if (!nci_hdf5_chunk_table(bytes, var, &table, &err))
            nci_chunk_table_fini(&table);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_bytes *bytes = NULL;
    nci_header *header = nci_header_create("fuzz");
    ncg_error err;
    nci_h5_ignore_sums(true);
    if (header && !nci_bytes_from_memory(data, size, &bytes, &err)) {
        if (!nci_hdf5_inspect(bytes, header, &err))
            read_tables(bytes, header);
        nci_bytes_close(&bytes);
    }
    nci_header_free(&header);
    return 0;
}
