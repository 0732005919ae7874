/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a classic file: its header, the first and last tile of each
 * variable. */
#include "io/classic_header.h"
#include "io/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tiles(nci_file *file, nci_scratch *scratch, int v)
{
    const nci_var *var = &file->header->vars[v];
    int64_t shape[NCG_MAX_RANK], index[NCG_MAX_RANK] = {0};
    ncg_error err;
    nci_tile tile;
    nci_var_shape(file->header, var, shape);
    for (int d = 0; d < var->rank; d++)
        if (shape[d] == 0)
            return;
    nci_driver_classic.read_tile(file, v, index, scratch, &tile, &err);
    for (int d = 0; d < var->rank; d++)
        index[d] = (shape[d] - 1) / var->storage.chunk[d];
    nci_driver_classic.read_tile(file, v, index, scratch, &tile, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_file file = {.header = nci_header_create("fuzz")};
    nci_scratch *scratch = NULL;
    ncg_error err;
    if (!nci_scratch_create(&scratch, &err) && file.header &&
        !nci_bytes_from_memory(data, size, &file.bytes, &err)) {
        file.header->size = (int64_t)size;
        if (!nci_classic_inspect(file.bytes, file.header, &err))
            for (size_t v = 0; v < file.header->nvars && v < 64; v++)
                read_tiles(&file, scratch, (int)v);
        nci_bytes_close(&file.bytes);
    }
    nci_scratch_destroy(&scratch);
    nci_header_free(&file.header);
    return 0;
}
