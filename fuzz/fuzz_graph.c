/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that claim to be expressions: whatever comes out is computed on
 * paper (its chunks) and let go. */
#include "base/mem.h"
#include "graph/codec.h"

static ncg_status no_source(void *ctx, nci_unpack *in, nci_node **out,
                            ncg_error *err)
{
    nci_source_spec *spec = NULL;
    (void)ctx;
    ncg_status st = nci_unpack_source(in, 4, &spec, err);
    if (!st)
        st = nci_node_source(0, spec, out, err);
    nci_source_spec_free(&spec);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nci_codec_hooks hooks = {.decode = no_source};
    nci_node **nodes = NULL;
    size_t n = 0;
    if (nci_decode_nodes((const char *)data, size, &hooks, &nodes, &n, NULL))
        return 0;
    for (size_t i = 0; i < n; i++) {
        nci_grid grid = {0};
        if (!nci_node_grid(nodes[i], &grid, NULL))
            nci_grid_fini(&grid);
        nci_node_release(&nodes[i]);
    }
    nci_free(nodes);
    return 0;
}
