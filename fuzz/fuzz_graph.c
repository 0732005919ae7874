/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that claim to be expressions: whatever comes out is computed on
 * paper (its chunks) and let go. Sources without files are real ones. */
#include "base/mem.h"
#include "engine/source_codec.h"

static ncg_status decode_source(void *table, nci_unpack *in, nci_node **out,
                                ncg_error *err)
{
    nci_source_spec *spec = NULL;
    if (!nci_unpack_i64(in, 0, 1))
        return nci_source_decode(table, in, out, err);
    ncg_status st = nci_unpack_source(in, 4, &spec, err);
    if (!st)
        st = nci_node_source(0, spec, out, err);
    nci_source_spec_free(&spec);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_codec_hooks hooks = {.decode = decode_source};
    nci_source_table *table = NULL;
    nci_node **nodes = NULL;
    size_t n = 0;
    if (nci_source_table_create(&table, NULL))
        return 0;
    hooks.ctx = table;
    if (nci_decode_nodes((const char *)data, size, &hooks, &nodes, &n, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        nci_grid grid = {0};
        if (!nci_node_grid(nodes[i], &grid, NULL))
            nci_grid_fini(&grid);
        nci_node_release(&nodes[i]);
    }
    nci_free(nodes);
    nci_source_table_free(&table);
    return 0;
}
