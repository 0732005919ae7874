/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that claim to be all that a plan is made of: expressions, explicit
 * tasks, outputs. What is read is lowered, its tasks are counted. */
#include "base/mem.h"
#include "engine/source_codec.h"
#include "graph/codec_output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ncg_status decode_source(void *table, nci_unpack *in, nci_node **out,
                                ncg_error *err)
{
    if (!nci_unpack_i64(in, 0, 1))
        return nci_source_decode(table, in, out, err);
    return nci_fail(err, NCG_ECORRUPT, "a source of files");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_codec_hooks hooks = {.decode = decode_source};
    nci_source_table *table = NULL;
    nci_plan *plan = NULL;
    if (nci_source_table_create(&table, NULL))
        return 0;
    hooks.ctx = table;
    if (!nci_decode_plan((const char *)data, size, &hooks, &plan, NULL) &&
        plan->ntasks < 0)
        __builtin_trap();
    nci_plan_free(&plan);
    nci_source_table_free(&table);
    return 0;
}
