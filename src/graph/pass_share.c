/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *     fold mean <- combine           fold mean, std <- combine
 *     fold std  <- combine    ->                    <- combine
 *
 * Only folds that need nothing but the source are joined: no layer comes
 * between, and none has to change its place.
 */
#include "graph/pass_share.h"

#include <string.h>

#include "base/mem.h"
#include "graph/plan_internal.h"

/* What joined folds may take at once: a run that has little memory goes on.
 * Small states may be made several times side by side (kernel/piece.c). */
enum { MOST_BYTES = 32 << 20, SMALL_STATE = 4096, COPIES = 64 };

static bool is_simple(const nci_layer *layer)
{
    const nci_fused *f = &layer->fused;
    return layer->kind == NCI_LAYER_FUSED && f->folds && !layer->ninputs &&
           f->noperands && f->operands[0].kind == NCI_OPERAND_SOURCE;
}

static bool is_same_pick(const nci_pick *a, const nci_pick *b)
{
    if (a->count != b->count || !a->index != !b->index)
        return false;
    if (a->index)
        return !memcmp(a->index, b->index,
                       (size_t)a->count * sizeof *a->index);
    return a->start == b->start && (a->count == 1 || a->step == b->step);
}

static bool is_same_access(const nci_access *a, const nci_access *b)
{
    if (a->source != b->source || a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->from[d] != b->from[d] ||
            !is_same_pick(&a->picks[d], &b->picks[d]))
            return false;
    return true;
}

static bool is_same_grid(const nci_grid *a, const nci_grid *b)
{
    for (int d = 0; d < a->rank; d++) {
        const nci_axis *x = &a->axis[d], *y = &b->axis[d];
        if (x->nchunks != y->nchunks ||
            memcmp(x->edge, y->edge,
                   ((size_t)x->nchunks + 1) * sizeof *x->edge) != 0)
            return false;
    }
    return a->rank == b->rank;
}

static bool has_same_cells(const nci_fused *a, const nci_fused *b)
{
    if (a->rank != b->rank || a->label_axis != b->label_axis ||
        memcmp(a->over, b->over, (size_t)a->rank * sizeof *a->over) != 0)
        return false;
    return a->label_axis < 0 ||
           !memcmp(a->labels, b->labels,
                   (size_t)a->shape[a->label_axis] * sizeof *a->labels);
}

static bool has_room(const nci_layer *a, const nci_layer *b)
{
    int64_t cells = nci_plan_most_cells(a);
    size_t bytes = nci_fused_state(&a->fused, a->fused.nmore + 1, cells) +
                   nci_fused_state(&b->fused, 1, cells);
    return bytes <= MOST_BYTES / (cells <= SMALL_STATE ? COPIES : 1);
}

static bool can_join(const nci_layer *a, const nci_layer *b)
{
    return is_simple(a) && is_simple(b) &&
           a->fused.nmore + 1 < NCI_MAX_PARTS &&
           is_same_access(&a->fused.operands[0], &b->fused.operands[0]) &&
           a->grid.rank == b->grid.rank && is_same_grid(&a->grid, &b->grid) &&
           has_same_cells(&a->fused, &b->fused) && has_room(a, b);
}

/* Layer `from` ends, its fold goes on in layer `to`. */
static ncg_status join(nci_plan *plan, int to, int from, ncg_error *err)
{
    nci_layer *a = &plan->layers[to], *b = &plan->layers[from];
    size_t n = (size_t)a->fused.nmore + 1;
    nci_fused *more = nci_realloc(a->fused.more, n * sizeof *more);
    nci_hash hash;
    if (!more)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    a->fused.more = more;
    more[a->fused.nmore++] = b->fused;
    b->fused = (nci_fused){0};
    nci_hash_init(&hash, "ncgraph.folds/1");
    nci_hash_token(&hash, a->token);
    nci_hash_token(&hash, b->token);
    a->token = nci_hash_done(&hash);
    for (int u = from + 1; u < plan->nlayers; u++)
        for (int i = 0; i < plan->layers[u].ninputs; i++)
            if (plan->layers[u].inputs[i].layer == from) {
                plan->layers[u].inputs[i].layer = to;
                plan->layers[u].combine.part = a->fused.nmore;
            }
    return NCG_OK;
}

/* Takes out the layers that have ended; at[] is where each one comes to. */
static void close_gaps(nci_plan *plan, int *at)
{
    int n = 0;
    for (int i = 0; i < plan->nlayers; i++) {
        nci_layer *layer = &plan->layers[i];
        bool has_ended = at[i] < 0;
        at[i] = n;
        if (has_ended)
            nci_layer_fini(layer);
        else
            plan->layers[n++] = *layer;
    }
    plan->nlayers = n;
    for (int u = 0; u < n; u++)
        for (int i = 0; i < plan->layers[u].ninputs; i++)
            plan->layers[u].inputs[i].layer =
                at[plan->layers[u].inputs[i].layer];
    for (int i = 0; i < plan->noutputs; i++)
        plan->outputs[i] = at[plan->outputs[i]];
}

ncg_status nci_pass_share(nci_plan *plan, ncg_error *err)
{
    ncg_status st = NCG_OK;
    bool any = false;
    int *at = nci_calloc((size_t)plan->nlayers + 1, sizeof *at);
    if (!at)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < plan->nlayers; i++)
        for (int k = i + 1; !st && at[i] >= 0 && k < plan->nlayers; k++)
            if (at[k] >= 0 &&
                can_join(&plan->layers[i], &plan->layers[k])) {
                st = join(plan, i, k, err);
                at[k] = st ? at[k] : -1;
                any = true;
            }
    if (any)
        close_gaps(plan, at);
    nci_free(at);
    return st;
}
