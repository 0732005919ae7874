/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as a stored chunk. The head of the input picks the pipeline:
 *
 *   OFFSET SIZE FIELD
 *   0      1    number of filters
 *   1      3    which ones
 *   4      1    mask
 *   5      1    bytes of an element
 *   6      2    bytes of the chunk, little-endian
 *   8      4    szip: options, pixels a block, bits a pixel; pixels a scanline
 *   12     ...  stored bytes
 */
#include <string.h>

#include "io/filter.h"

enum { HEAD = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_filters(nci_storage *storage, const uint8_t *head)
{
    static const uint32_t ids[] = {NCI_FILTER_DEFLATE,    NCI_FILTER_SHUFFLE,
                                   NCI_FILTER_FLETCHER32, NCI_FILTER_SZIP,
                                   NCI_FILTER_BLOSC,      NCI_FILTER_LZ4,
                                   NCI_FILTER_ZSTD,       32013};
    storage->nfilters = head[0] % 4;
    for (int i = 0; i < storage->nfilters; i++) {
        nci_filter *filter = &storage->filters[i];
        filter->id = ids[head[1 + i] % 8];
        filter->nparams = 4;
        for (int k = 0; k < 4; k++)
            filter->params[k] = head[8 + k];
        if (filter->id == NCI_FILTER_SHUFFLE)
            filter->params[0] = storage->elem_size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_storage storage = {0};
    nci_scratch *scratch = NULL;
    nci_decoded out;
    ncg_error err;
    if (size < HEAD || nci_scratch_create(&scratch, &err))
        return 0;
    storage.elem_size = 1 + data[5] % 16;
    size_t chunk = ((size_t)data[6] | (size_t)data[7] << 8) + 1;
    chunk =
        (chunk + storage.elem_size - 1) / storage.elem_size * storage.elem_size;
    put_filters(&storage, data);
    if (!nci_filter_decode(&storage, data[4], chunk, true, scratch, data + HEAD,
                           size - HEAD, &out, &err)) {
        /* All of it can be read. */
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < chunk; i++)
            sum = (uint8_t)(sum + out.data[i]);
    }
    nci_scratch_destroy(&scratch);
    return 0;
}
