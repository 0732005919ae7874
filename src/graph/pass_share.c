/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *     fold mean <- combine           fold mean, std <- combine
 *     fold std  <- combine    ->                    <- combine
 *
 * A fold that needs nothing but the source joins any other that reads its
 * tiles:
 *
 *     fold x x  <- combine           fold x x, x y, y y <- combine
 *     fold x y  <- combine    ->     + read y           <- combine
 *     + read y                                          <- combine
 *     fold y y  <- combine
 *
 * Of x y one source is read tile by tile, the other one as chunks of a layer. A
 * fold of the latter source alone takes these chunks, if what meets in its
 * cells does not follow from how tiles are cut.
 */
#include "graph/pass_share.h"

#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/plan_internal.h"

/* What joined folds may take at once: a run that has little memory goes on.
 * Small states may be made several times side by side (kernel/piece.c). */
enum { MOST_BYTES = 32 << 20, SMALL_STATE = 4096, COPIES = 64 };
/* Rows of so many cells are never cut into slabs (kernel/piece.c). */
enum { LONG_ROW = 32 };

/* The pass while it runs; an entry a layer each. */
typedef struct sharing {
    bool *has_ended, any;
    bool *seen;
    int *at, n; /* new places of the layers that are left */
} sharing;

/* A fold of a source's tiles; a simple one needs nothing else. */
static bool folds_source(const nci_layer *layer)
{
    const nci_fused *f = &layer->fused;
    return layer->kind == NCI_LAYER_FUSED && f->folds && f->noperands &&
           f->operands[0].kind == NCI_OPERAND_SOURCE;
}

static bool is_simple(const nci_layer *layer)
{
    return folds_source(layer) && !layer->ninputs;
}

static bool needs_more(const nci_layer *layer)
{
    return folds_source(layer) && layer->ninputs;
}

static bool is_same_pick(const nci_pick *a, const nci_pick *b)
{
    if (a->count != b->count || !a->index != !b->index)
        return false;
    if (a->index)
        return !memcmp(a->index, b->index, (size_t)a->count * sizeof *a->index);
    return a->start == b->start && (a->count == 1 || a->step == b->step);
}

/* The same positions, of whatever array. */
static bool is_same_way(const nci_access *a, const nci_access *b)
{
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->from[d] != b->from[d] ||
            !is_same_pick(&a->picks[d], &b->picks[d]))
            return false;
    return true;
}

static bool is_same_grid(const nci_grid *a, const nci_grid *b)
{
    for (int d = 0; a->rank == b->rank && d < a->rank; d++) {
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
                   nci_fused_state(&b->fused, b->fused.nmore + 1, cells);
    return a->fused.nmore + b->fused.nmore + 2 <= NCI_MAX_PARTS &&
           bytes <= MOST_BYTES / (cells <= SMALL_STATE ? COPIES : 1);
}

static bool fits(const nci_layer *a, const nci_layer *b)
{
    return is_same_grid(&a->grid, &b->grid) &&
           has_same_cells(&a->fused, &b->fused) && has_room(a, b);
}

static bool reads_same_tiles(const nci_layer *a, const nci_layer *b)
{
    const nci_access *x = &a->fused.operands[0], *y = &b->fused.operands[0];
    return x->source == y->source && is_same_way(x, y);
}

/* ---- sources that are read as layers ---------------------------------------
 */

/* A layer that holds the chunks of a source as they are. */
static bool is_read_of(const nci_layer *layer, const nci_access *source)
{
    const nci_fused *f = &layer->fused;
    const nci_access *own = &f->operands[0];
    if (layer->kind != NCI_LAYER_FUSED || f->folds || f->nsteps ||
        f->noperands != 1 || own->kind != NCI_OPERAND_SOURCE ||
        own->source != source->source || f->out != own->dtype ||
        own->rank != f->rank)
        return false;
    for (int d = 0; d < f->rank; d++)
        if (own->from[d] != d || own->picks[d].index ||
            own->picks[d].start != 0 || own->picks[d].step != 1)
            return false;
    return true;
}

/* Whether chunks of a layer give the bits that the source gives. They are
 * rounded to their dtype, what is unpacked as another class is not; and packed
 * integers are added up as they are stored. */
static bool takes_chunks(const nci_fused *f)
{
    const nci_access *access = &f->operands[0];
    bool is_float = nci_dtype_is_float(access->dtype);
    if (f->noperands == NCI_MAX_OPERANDS)
        return false;
    if (f->nsteps)
        return !is_float || access->load == nci_class_of(access->dtype);
    return is_float && access->stored == (int64_t)ncg_dtype_size(access->dtype);
}

/* Tiles come one after the other: values of one cell that lie along two axes
 * would come in another order. */
static bool has_one_order(const nci_layer *layer)
{
    const nci_fused *f = &layer->fused;
    int naxes = 0;
    for (int d = 0; d < f->rank; d++)
        naxes += f->over[d] && nci_axis_longest(&layer->grid.axis[d]) > 1;
    return naxes < 2;
}

/* All of the last axis is read, in its order and by tiles that are not narrow.
 */
static bool has_long_rows(const nci_access *access, int rank)
{
    int last = access->rank - 1;
    const nci_pick *pick = last >= 0 ? &access->picks[last] : NULL;
    return pick && access->from[last] == rank - 1 && !pick->index &&
           pick->step == 1 && pick->count == access->shape[last] &&
           access->narrowest >= LONG_ROW;
}

/* Every cell gets its values one by one, in their order, however the tiles of
 * its own source, or of one that leads instead, are cut: rows of many cells are
 * kept. */
static bool follows_cells(const nci_layer *layer, const nci_access *lead)
{
    const nci_fused *f = &layer->fused;
    int last = f->rank - 1;
    bool follows = last >= 0 && !f->over[last] && has_one_order(layer) &&
                   nci_axis_shortest(&layer->grid.axis[last]) >= LONG_ROW &&
                   has_long_rows(&f->operands[0], f->rank) &&
                   has_long_rows(lead, f->rank);
    for (int i = 0; follows && i <= f->nmore; i++)
        follows = takes_chunks(nci_fused_part(f, i));
    return follows;
}

/* The operand of a that holds what b reads, -1: none. */
static int find_read(const nci_plan *plan, const nci_layer *a,
                     const nci_layer *b)
{
    const nci_fused *f = &a->fused;
    const nci_access *wanted = &b->fused.operands[0];
    if (!follows_cells(b, &f->operands[0]))
        return -1;
    for (int k = 1; k < f->noperands; k++) {
        const nci_access *access = &f->operands[k];
        if (access->kind == NCI_OPERAND_LAYER && is_same_way(access, wanted) &&
            is_read_of(&plan->layers[a->inputs[access->input].layer], wanted))
            return k;
    }
    return -1;
}

/* Index lists are owned by their access. */
static ncg_status copy_picks(nci_access *access, ncg_error *err)
{
    for (int a = 0; a < access->rank; a++) {
        nci_pick *pick = &access->picks[a];
        size_t nbytes = (size_t)pick->count * sizeof *pick->index;
        int64_t *own = pick->index ? nci_alloc(nbytes) : NULL;
        if (pick->index && !own) {
            while (a-- > 0)
                nci_free((void *)access->picks[a].index);
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        }
        if (own)
            memcpy(own, pick->index, nbytes);
        pick->index = own;
    }
    return NCG_OK;
}

/* The program of b takes operand k of a for its source, and gets a's source,
 * whose tiles lead the way, as an operand that no step reads. */
static ncg_status take_chunks(const nci_fused *a, int k, nci_fused *b,
                              ncg_error *err)
{
    nci_access lead = a->operands[0];
    NCI_TRY(copy_picks(&lead, err));
    lead.data = nci_buf_retain(lead.data);
    nci_buf_release(&b->operands[0].data);
    b->operands[0].kind = NCI_OPERAND_LAYER;
    b->operands[0].input = a->operands[k].input;
    memmove(b->operands + 1, b->operands,
            (size_t)b->noperands++ * sizeof *b->operands);
    b->operands[0] = lead;
    for (int s = 0; s < b->nsteps; s++) {
        b->steps[s].a++;
        b->steps[s].b++;
        b->steps[s].c++;
    }
    b->result++;
    b->weight += b->weight >= 0;
    return NCG_OK;
}

/* ---- joining ---------------------------------------------------------------
 */

/* Whether layer `user` needs layer `of`, or something that does. */
static bool depends(const nci_plan *plan, int user, int of, bool *seen)
{
    const nci_layer *layer = &plan->layers[user];
    if (user == of)
        return true;
    if (seen[user])
        return false;
    seen[user] = true;
    for (int i = 0; i < layer->ninputs; i++)
        if (depends(plan, layer->inputs[i].layer, of, seen))
            return true;
    return false;
}

/* The folds of layer `from` go on in layer `to`. */
static void move_folds(nci_plan *plan, int to, int from)
{
    nci_fused *a = &plan->layers[to].fused, *b = &plan->layers[from].fused;
    int first = a->nmore + 1;
    nci_fused *more = b->more;
    int nmore = b->nmore;
    b->more = NULL;
    b->nmore = 0;
    a->more[a->nmore++] = *b;
    for (int i = 0; i < nmore; i++)
        a->more[a->nmore++] = more[i];
    nci_free(more);
    *b = (nci_fused){0};
    for (int u = 0; u < plan->nlayers; u++)
        for (int i = 0; i < plan->layers[u].ninputs; i++)
            if (plan->layers[u].inputs[i].layer == from) {
                plan->layers[u].inputs[i].layer = to;
                plan->layers[u].combine.part += first;
            }
}

static ncg_status join(nci_plan *plan, int to, int from, ncg_error *err)
{
    nci_layer *a = &plan->layers[to], *b = &plan->layers[from];
    size_t n = (size_t)(a->fused.nmore + b->fused.nmore) + 1;
    nci_fused *more = nci_realloc(a->fused.more, n * sizeof *more);
    nci_hash hash;
    if (!more)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    a->fused.more = more;
    nci_hash_init(&hash, "ncgraph.folds/1");
    nci_hash_token(&hash, a->token);
    nci_hash_token(&hash, b->token);
    a->token = nci_hash_done(&hash);
    move_folds(plan, to, from);
    return NCG_OK;
}

/* Joins the fold of layer `from` to layer `to` if that can be. */
static ncg_status try_join(nci_plan *plan, int to, int from, sharing *s,
                           ncg_error *err)
{
    nci_layer *a = &plan->layers[to], *b = &plan->layers[from];
    int k = 0;
    if (s->has_ended[from] || !is_simple(b) || !fits(a, b))
        return NCG_OK;
    if (!reads_same_tiles(a, b) && (k = find_read(plan, a, b)) < 0)
        return NCG_OK;
    memset(s->seen, 0, (size_t)plan->nlayers * sizeof *s->seen);
    if (a->ninputs && depends(plan, to, from, s->seen))
        return NCG_OK;
    for (int i = 0; k && i <= b->fused.nmore; i++)
        NCI_TRY(take_chunks(&a->fused, k, i ? &b->fused.more[i - 1] : &b->fused,
                            err));
    NCI_TRY(join(plan, to, from, err));
    s->has_ended[from] = true;
    s->any = true;
    return NCG_OK;
}

/* ---- the layers that are left ----------------------------------------------
 */

/* Appends a layer that goes on behind its inputs. */
static void place(const nci_plan *plan, int layer, sharing *s)
{
    if (s->at[layer] >= 0 || s->has_ended[layer])
        return;
    for (int i = 0; i < plan->layers[layer].ninputs; i++)
        place(plan, plan->layers[layer].inputs[i].layer, s);
    s->at[layer] = s->n++;
}

/* Takes out the layers that have ended, and has inputs come before users
 * again. */
static ncg_status close_gaps(nci_plan *plan, sharing *s, ncg_error *err)
{
    int count = plan->nlayers;
    nci_layer *layers = nci_calloc((size_t)plan->capacity, sizeof *layers);
    if (!layers)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < count; i++)
        s->at[i] = -1;
    for (int i = 0; i < count; i++)
        place(plan, i, s);
    for (int i = 0; i < count; i++)
        if (s->has_ended[i])
            nci_layer_fini(&plan->layers[i]);
        else
            layers[s->at[i]] = plan->layers[i];
    nci_free(plan->layers);
    plan->layers = layers;
    plan->nlayers = s->n;
    for (int u = 0; u < s->n; u++)
        for (int i = 0; i < layers[u].ninputs; i++)
            layers[u].inputs[i].layer = s->at[layers[u].inputs[i].layer];
    for (int i = 0; i < plan->noutputs; i++)
        plan->outputs[i] = s->at[plan->outputs[i]];
    return NCG_OK;
}

static ncg_status sharing_init(sharing *s, size_t n, ncg_error *err)
{
    s->has_ended = nci_calloc(n + 1, sizeof *s->has_ended);
    s->seen = nci_calloc(n + 1, sizeof *s->seen);
    s->at = nci_calloc(n + 1, sizeof *s->at);
    if (!s->has_ended || !s->seen || !s->at)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

static void sharing_fini(sharing *s)
{
    nci_free(s->has_ended);
    nci_free(s->seen);
    nci_free(s->at);
}

/* Simple folds of the same tiles first: those that remain join others as one.
 */
ncg_status nci_pass_share(nci_plan *plan, ncg_error *err)
{
    int n = plan->nlayers;
    sharing s = {0};
    ncg_status st = sharing_init(&s, (size_t)n, err);
    for (int i = 0; !st && i < n; i++)
        for (int k = i + 1; !st && k < n && is_simple(&plan->layers[i]); k++)
            st = try_join(plan, i, k, &s, err);
    for (int i = 0; !st && i < n; i++)
        for (int k = 0; !st && k < n && needs_more(&plan->layers[i]); k++)
            st = try_join(plan, i, k, &s, err);
    if (!st && s.any)
        st = close_gaps(plan, &s, err);
    sharing_fini(&s);
    return st;
}
