/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels that only move values: rechunking and joining arrays. */
#include <string.h>

#include "engine/kernel/registry.h"
#include "engine/kernel/view.h"

static nci_box box_of(const ncg_chunk *chunk)
{
    nci_box box = {.rank = chunk->rank};
    memcpy(box.start, chunk->start, sizeof box.start);
    memcpy(box.count, chunk->count, sizeof box.count);
    return box;
}

/* ncg.copy/1: the input's box is the output's. */
static ncg_status run_copy(const ncg_kernel_call *call, ncg_error *err)
{
    const ncg_chunk *in = &call->inputs[0];
    ncg_chunk *out = call->output;
    nci_box box = box_of(out), from = box_of(in);
    (void)err;
    nci_copy_box(out->data, &box, in->data, &from, ncg_dtype_size(out->dtype));
    return NCG_OK;
}

const nci_kernel nci_kernels_shape[] = {
    {.name = "ncg.copy/1", .run = run_copy},
    {0},
};
