/* SPDX-License-Identifier: BSD-3-Clause */
/* STORE tasks: one chunk of an output, gathered from the array's chunks and
 * converted to its final dtype. */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/task.h"

static bool same_bytes(const nci_store *s)
{
    bool may_miss = s->has_missing || nci_dtype_is_float(s->from);
    if (s->from != s->to)
        return false;
    if (!may_miss || !s->has_fill)
        return true;
    if (nci_dtype_is_float(s->to))
        return isnan(nci_dtype_get(s->to, s->fill));
    return !memcmp(s->missing, s->fill, ncg_dtype_size(s->to));
}

/* Both of 64 bits: without the way through double. */
static void convert_wide(const nci_store *s, const uint8_t *from, int64_t n,
                         uint8_t *to)
{
    int64_t missing, fill;
    memcpy(&missing, s->missing, sizeof missing);
    memcpy(&fill, s->has_fill ? s->fill : s->missing, sizeof fill);
    for (int64_t i = 0; i < n; i++) {
        int64_t v;
        memcpy(&v, from + 8 * i, sizeof v);
        if (s->has_missing && v == missing)
            v = fill;
        else if (s->from != s->to && v < 0) /* beyond the other's range */
            v = s->to == NCG_DTYPE_U64 ? 0 : INT64_MAX;
        memcpy(to + 8 * i, &v, sizeof v);
    }
}

typedef struct conversion {
    const nci_store *store;
    const nci_isa *isa;
    nci_mask mask;
    bool is_copy, is_wide;
} conversion;

static void convert(const conversion *c, const uint8_t *from, int64_t n,
                    uint8_t *to)
{
    const nci_store *s = c->store;
    size_t from_size = ncg_dtype_size(s->from), to_size = ncg_dtype_size(s->to);
    if (c->is_copy) {
        memcpy(to, from, (size_t)n * to_size);
        return;
    }
    if (c->is_wide) {
        convert_wide(s, from, n, to);
        return;
    }
    for (int64_t at = 0; at < n; at += NCI_BLOCK) {
        double x[NCI_BLOCK];
        int64_t count = n - at < NCI_BLOCK ? n - at : NCI_BLOCK;
        c->isa->decode[c->mask.raw](from + (size_t)at * from_size, count,
                                    &c->mask, x);
        nci_encode(c->isa, x, count, s->to, s->has_fill ? s->fill : NULL,
                   to + (size_t)at * to_size);
    }
}

static int64_t offset_in(const nci_box *box, const nci_box *part,
                         const int64_t *at)
{
    int64_t offset = 0;
    for (int d = 0; d < box->rank; d++)
        offset =
            offset * box->count[d] + part->start[d] + at[d] - box->start[d];
    return offset;
}

/* Converts what a chunk shares with the output's box; returns how much. */
static int64_t convert_box(const conversion *c, const uint8_t *from,
                           const nci_box *from_box, uint8_t *to,
                           const nci_box *to_box)
{
    nci_box part;
    int64_t at[NCG_MAX_RANK] = {0}, run = 1;
    if (!nci_box_clip(from_box, to_box, &part))
        return 0;
    int d = part.rank;
    while (d > 0) {
        run *= part.count[--d];
        if (part.count[d] != to_box->count[d] ||
            part.count[d] != from_box->count[d])
            break;
    }
    size_t from_size = ncg_dtype_size(c->store->from);
    size_t to_size = ncg_dtype_size(c->store->to);
    for (;;) {
        convert(c, from + (size_t)offset_in(from_box, &part, at) * from_size,
                run, to + (size_t)offset_in(to_box, &part, at) * to_size);
        int e = d - 1;
        while (e >= 0 && ++at[e] == part.count[e])
            at[e--] = 0;
        if (e < 0)
            return nci_box_size(&part);
    }
}

/* Whether a chunk is the output as it lies, and nobody else's. */
static bool is_own_chunk(const nci_layer *from, const nci_dep *dep,
                         const nci_box *box)
{
    nci_box piece = nci_grid_box(&from->array, dep->task - from->base);
    for (int d = 0; d < box->rank; d++)
        if (piece.start[d] != box->start[d] || piece.count[d] != box->count[d])
            return false;
    return from->nusers == 1 && !nci_buf_is_view(dep->buf);
}

ncg_status nci_run_store(const nci_task_env *env, const nci_layer *layer,
                         int64_t chunk, const nci_dep *deps, int64_t ndeps,
                         nci_buf **out, ncg_error *err)
{
    const nci_store *s = &layer->store;
    const nci_layer *from = &env->plan->layers[layer->inputs[0].layer];
    if (s->list.of_tasks)
        return nci_run_store_values(deps, ndeps, out, err);
    nci_box box = nci_store_box(layer, chunk);
    conversion c = {.store = s,
                    .isa = nci_isa_best(),
                    .is_copy = same_bytes(s),
                    .is_wide =
                        nci_dtype_is_wide(s->from) && nci_dtype_is_wide(s->to)};
    int64_t covered = 0;
    nci_buf *buf = NULL;
    if (!c.is_copy &&
        (!nci_dtype_is_numeric(s->from) || !nci_dtype_is_numeric(s->to)))
        return nci_fail(err, NCG_EBUG, "%s: %s to %s", layer->name,
                        ncg_dtype_name(s->from), ncg_dtype_name(s->to));
    if (c.is_copy && ndeps == 1 && is_own_chunk(from, &deps[0], &box)) {
        *out = nci_buf_retain((nci_buf *)deps[0].buf);
        return NCG_OK;
    }
    nci_mask_plain(s->from, s->has_missing ? s->missing : NULL, &c.mask);
    NCI_TRY(nci_buf_create(
        (size_t)nci_plan_bytes(env->plan, layer->base + chunk), &buf, err));
    for (int64_t i = 0; i < ndeps; i++) {
        nci_box piece = nci_grid_box(&from->array, deps[i].task - from->base);
        covered += convert_box(&c, nci_buf_data(deps[i].buf), &piece,
                               nci_buf_data(buf), &box);
    }
    if (covered != nci_box_size(&box)) {
        nci_buf_release(&buf);
        return nci_fail(err, NCG_EBUG, "%s: chunks hold %lld of %lld values",
                        layer->name, (long long)covered,
                        (long long)nci_box_size(&box));
    }
    *out = buf;
    return NCG_OK;
}
