/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels that move values. Those that only gather find their one input in
 * their output, because the runner put it there. */
#include <string.h>

#include "engine/kernel/registry.h"
#include "engine/kernel/view.h"

/* ncg.copy/1: the input's box is the output's. ncg.reshape/1: they differ, but
 * the values lie in the same order. */
static ncg_status run_gathered(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call;
    (void)err;
    return NCG_OK;
}

/* ---- ncg.concat/1
 * --------------------------------------------------------------- */

static int64_t box_size(const ncg_chunk *chunk)
{
    int64_t n = 1;
    for (int d = 0; d < chunk->rank; d++)
        n *= chunk->count[d];
    return n;
}

/* Gives missing values the output's marker; false where a value that is there
 * equals it. */
#define REMARK(name, type)                                                     \
    static bool name(void *data, int64_t n, const ncg_chunk *in,               \
                     const ncg_chunk *out)                                     \
    {                                                                          \
        type *x = data, old, mark;                                             \
        bool clashes = false;                                                  \
        memcpy(&old, in->missing, sizeof old);                                 \
        memcpy(&mark, out->missing, sizeof mark);                              \
        for (int64_t i = 0; i < n; i++) {                                      \
            clashes |= x[i] == mark;                                           \
            x[i] = in->has_missing && x[i] == old ? mark : x[i];               \
        }                                                                      \
        return !clashes;                                                       \
    }
REMARK(remark8, uint8_t)
REMARK(remark16, uint16_t)
REMARK(remark32, uint32_t)
REMARK(remark64, uint64_t)

static bool remark(const ncg_chunk *in, const ncg_chunk *out)
{
    int64_t n = box_size(out);
    switch (ncg_dtype_size(out->dtype)) {
    case 1:
        return remark8(out->data, n, in, out);
    case 2:
        return remark16(out->data, n, in, out);
    case 4:
        return remark32(out->data, n, in, out);
    default:
        return remark64(out->data, n, in, out);
    }
}

/* The output is one input's box; markers of missing integers may differ. */
static ncg_status run_concat(const ncg_kernel_call *call, ncg_error *err)
{
    const ncg_chunk *out = call->output;
    if (!out->has_missing)
        return NCG_OK;
    for (size_t i = 0; i < call->ninputs; i++) {
        const ncg_chunk *in = &call->inputs[i];
        if (!in->data)
            continue;
        bool same = in->has_missing && !memcmp(in->missing, out->missing,
                                               ncg_dtype_size(out->dtype));
        if (!same && !remark(in, out))
            return nci_fail(err, NCG_EMISMATCH,
                            "a value of array %zu is what marks missing "
                            "values in another one: cast one of them first",
                            i);
    }
    return NCG_OK;
}

/* ---- ncg.pad/1
 * -------------------------------------------------------------------- */

/* Repeats the first `size` bytes. */
static void spread(uint8_t *data, size_t size, size_t nbytes)
{
    for (size_t done = size; done < nbytes;) {
        size_t n = done < nbytes - done ? done : nbytes - done;
        memcpy(data + done, data, n);
        done += n;
    }
}

/* Parameters: 8 bytes of value, then for each axis how many positions lie
 * before the input. */
static ncg_status run_pad(const ncg_kernel_call *call, ncg_error *err)
{
    const ncg_chunk *in = &call->inputs[0], *out = call->output;
    const uint8_t *params = call->params;
    size_t size = ncg_dtype_size(out->dtype);
    if (call->nparams != ((size_t)out->rank + 1) * 8)
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    nci_box to = {.rank = out->rank}, from = {.rank = in->rank};
    bool inside = in->data != NULL;
    for (int d = 0; d < out->rank; d++) {
        int64_t before;
        memcpy(&before, params + 8 + 8 * d, sizeof before);
        to.start[d] = out->start[d];
        to.count[d] = out->count[d];
        from.start[d] = in->start[d] + before;
        from.count[d] = in->count[d];
        inside = inside && from.count[d] == to.count[d];
    }
    if (!inside) {
        memcpy(out->data, params, size);
        spread(out->data, size, (size_t)box_size(out) * size);
    }
    if (in->data)
        nci_copy_box(out->data, &to, in->data, &from, size);
    return NCG_OK;
}

const nci_kernel nci_kernels_shape[] = {
    {.name = "ncg.copy/1", .run = run_gathered, .gathers = true,
     .passes = true},
    {.name = "ncg.reshape/1", .run = run_gathered, .gathers = true,
     .passes = true},
    {.name = "ncg.concat/1", .run = run_concat, .gathers = true},
    {.name = "ncg.pad/1", .run = run_pad},
    {0},
};
