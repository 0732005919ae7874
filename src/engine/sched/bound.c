/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bound on what a plan needs in the plain order, from its layers alone: time
 * follows the layers and the chunks along their axes, not the tasks.
 *
 * What is alive at any moment of the depth-first walk is of two kinds.
 *
 *     own     Outputs that one task needs, once. Such an output is made while
 *             its user is on the stack, and freed when that user has run. So
 *             what is alive of them are inputs of tasks on the stack, those
 *             made so far. With U(l, k) the bytes of all own inputs of a task
 *             of layer l that come through inputs before k, itself included,
 *
 *                 P(l) = max(U(l, all) + output + scratch,
 *                            max over k of U(l, k) + P(layer of input k))
 *
 *             is the most that making a task of l adds.
 *
 *             P(l) also has what is shared among the inputs of one task of l
 *             and needed by nothing else (bound_local.c).
 *
 *     shared  Other outputs that several tasks need. Chunks of the (only)
 *             output are made in row-major order, so its leading axis is
 *             walked once. Let a chunk of a layer be needed, by whatever way,
 *             only for leading
 *             positions lo to hi: it is alive at most while the walk is there.
 *             The sum over chunks of a position is largest somewhere: S(l).
 *             Where no axis of the layer follows the leading one, where two
 *             ways lead along different axes, or where there are several
 *             outputs, all of the layer is taken to be alive at once.
 *
 * The peak is at most the sum of S over shared layers and the largest P of an
 * output. Explicit tasks need one another in any way; they count as shared, and
 * so do arrays that they need.
 */
#include <math.h>

#include "base/mem.h"
#include "engine/sched/bound.h"
#include "engine/sched/choose.h"
#include "graph/plan_internal.h"

/* Doubles: bytes of whole arrays may be more than 64 bits hold. */
typedef struct layer_bound {
    double bytes, need; /* of a task at most: output; with scratch */
    double peak;        /* P */
    double local;       /* shared among the inputs of one task */
    bool is_shared, is_local;
    int axis; /* that follows the output's leading axis; ALL, UNSEEN */
    int64_t *low, *high; /* for each chunk along it: leading positions */
} layer_bound;

enum { ALL = -1, UNSEEN = -2 };

/* ---- own outputs ----------------------------------------- */

static double most_items(const int64_t *first, int64_t n)
{
    int64_t most = 0;
    for (int64_t i = 0; i < n; i++)
        if (first[i + 1] - first[i] > most)
            most = first[i + 1] - first[i];
    return (double)most;
}

/* Tasks of an input that one task needs at most. */
static double most_deps(const nci_plan *plan, const nci_layer_input *input)
{
    const nci_grid *grid = &plan->layers[input->layer].grid;
    double n = 1;
    for (int a = 0; a < grid->rank; a++) {
        const nci_relation *r = &input->relation[a];
        n *= input->from[a] < 0 ? (double)grid->axis[a].nchunks
                                : most_items(r->first, r->nout);
    }
    return n;
}

/* Tasks of a layer that need one task of its input at most. */
static double most_users(const nci_layer *user, const nci_layer_input *input,
                         int rank)
{
    double count[NCG_MAX_RANK], n = 1;
    for (int d = 0; d < user->grid.rank; d++)
        count[d] = (double)user->grid.axis[d].nchunks;
    for (int a = 0; a < rank; a++)
        if (input->from[a] >= 0)
            count[input->from[a]] = most_items(input->relation[a].rfirst,
                                               input->relation[a].nin);
    for (int d = 0; d < user->grid.rank; d++)
        n *= count[d];
    return n;
}

static bool is_shared(const nci_plan *plan, int l)
{
    const nci_layer *layer = &plan->layers[l];
    double users = 0;
    if (layer->kind == NCI_LAYER_TASKS)
        return true;
    for (int u = 0; u < layer->nusers; u++) {
        const nci_layer *user = &plan->layers[layer->users[u]];
        if (nci_is_listed(user))
            return true;
        for (int i = 0; i < user->ninputs; i++)
            if (user->inputs[i].layer == l)
                users += most_users(user, &user->inputs[i], layer->grid.rank);
    }
    return users > 1;
}

/* P of a layer; those of its inputs are there. */
static double peak_of(const nci_plan *plan, const layer_bound *bounds, int l)
{
    const nci_layer *layer = &plan->layers[l];
    double own = 0, most = 0;
    for (int i = 0; i < layer->ninputs; i++) {
        const nci_layer_input *input = &layer->inputs[i];
        const layer_bound *from = &bounds[input->layer];
        if (input->layer == l)
            continue;
        if (!from->is_shared)
            own += from->bytes * most_deps(plan, input);
        most = fmax(most, own + from->peak);
    }
    return bounds[l].local + fmax(most, own + bounds[l].need);
}

/* ---- shared outputs ----------------------------------------- */

/* Follows one input of `user`: which leading positions need its chunks. */
static ncg_status follow(const nci_plan *plan, layer_bound *bounds, int user,
                         const nci_layer_input *input, ncg_error *err)
{
    const layer_bound *top = &bounds[user];
    layer_bound *b = &bounds[input->layer];
    const nci_grid *grid = &plan->layers[input->layer].grid;
    int axis = ALL;
    for (int a = grid->rank - 1; a >= 0 && top->axis >= 0; a--)
        if (input->from[a] == top->axis)
            axis = a;
    if (axis < 0 || (b->axis != UNSEEN && b->axis != axis) ||
        nci_is_listed(&plan->layers[user])) {
        b->axis = ALL;
        return NCG_OK;
    }
    int64_t n = grid->axis[axis].nchunks;
    const nci_relation *r = &input->relation[axis];
    if (b->axis == UNSEEN) {
        b->low = nci_alloc(((size_t)n + 1) * sizeof *b->low);
        b->high = nci_alloc(((size_t)n + 1) * sizeof *b->high);
        if (!b->low || !b->high)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        for (int64_t j = 0; j < n; j++) {
            b->low[j] = INT64_MAX;
            b->high[j] = -1;
        }
    }
    b->axis = axis;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = r->rfirst[j]; k < r->rfirst[j + 1]; k++) {
            int64_t u = r->ritems[k];
            b->low[j] = top->low[u] < b->low[j] ? top->low[u] : b->low[j];
            b->high[j] = top->high[u] > b->high[j] ? top->high[u] : b->high[j];
        }
    return NCG_OK;
}

/* The output's own chunks stand for the leading positions. */
static ncg_status lead(const nci_layer *output, layer_bound *b,
                       int64_t *npositions, ncg_error *err)
{
    int d = 0;
    while (d < output->grid.rank - 1 && output->grid.axis[d].nchunks == 1)
        d++;
    int64_t n = output->grid.rank ? output->grid.axis[d].nchunks : 0;
    *npositions = n;
    b->axis = output->grid.rank && !nci_is_listed(output) ? d : ALL;
    if (b->axis == ALL)
        return NCG_OK;
    b->low = nci_alloc(((size_t)n + 1) * sizeof *b->low);
    b->high = nci_alloc(((size_t)n + 1) * sizeof *b->high);
    if (!b->low || !b->high)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t j = 0; j < n; j++)
        b->low[j] = b->high[j] = j;
    return NCG_OK;
}

static ncg_status follow_all(const nci_plan *plan, layer_bound *bounds,
                             int64_t *npositions, ncg_error *err)
{
    *npositions = 0;
    if (plan->noutputs == 1)
        NCI_TRY(lead(&plan->layers[plan->outputs[0]],
                     &bounds[plan->outputs[0]], npositions, err));
    for (int l = plan->nlayers - 1; l >= 0; l--)
        for (int i = 0; i < plan->layers[l].ninputs; i++)
            if (plan->layers[l].inputs[i].layer != l)
                NCI_TRY(follow(plan, bounds, l, &plan->layers[l].inputs[i],
                               err));
    return NCG_OK;
}

/* S of a layer; change[npositions + 1] is for its use. */
static double alive(const nci_layer *layer, const layer_bound *b,
                    int64_t *change, int64_t npositions)
{
    int64_t now = 0, most = 0;
    if (b->axis < 0)
        return b->bytes * (double)layer->ntasks;
    int64_t n = layer->grid.axis[b->axis].nchunks;
    for (int64_t i = 0; i <= npositions; i++)
        change[i] = 0;
    for (int64_t j = 0; j < n; j++)
        if (b->high[j] >= 0) {
            change[b->low[j]]++;
            change[b->high[j] + 1]--;
        }
    for (int64_t i = 0; i < npositions; i++) {
        now += change[i];
        most = now > most ? now : most;
    }
    return n ? b->bytes * (double)most * (double)(layer->ntasks / n) : 0;
}

/* ---- the whole ----------------------------------------- */

/* Inputs come before their users, owners after what they own. */
static ncg_status find_peaks(const nci_plan *plan, layer_bound *bounds,
                             ncg_error *err)
{
    for (int l = 0; l < plan->nlayers; l++) {
        int owner = -1;
        double n = 0;
        if (bounds[l].is_shared && plan->layers[l].kind != NCI_LAYER_TASKS)
            NCI_TRY(nci_bound_owner(plan, l, &owner, &n, err));
        if (owner >= 0) {
            bounds[l].is_local = true;
            bounds[owner].local += n * bounds[l].bytes;
        }
        bounds[l].peak = peak_of(plan, bounds, l);
    }
    return NCG_OK;
}

/* False: some scratch is not known. */
static bool measure(const nci_plan *plan,
                    int64_t (*most_scratch)(void *ctx, int layer), void *ctx,
                    layer_bound *bounds)
{
    for (int l = 0; l < plan->nlayers; l++) {
        const nci_layer *layer = &plan->layers[l];
        int64_t scratch = most_scratch(ctx, l);
        if (scratch < 0)
            return false;
        layer_bound *b = &bounds[l];
        b->bytes = (double)nci_plan_most_bytes(plan, layer);
        b->need = b->bytes + (double)scratch;
        b->is_shared = is_shared(plan, l);
        b->axis = UNSEEN;
    }
    return true;
}

static ncg_status add_up(const nci_plan *plan, layer_bound *bounds, double *out,
                         ncg_error *err)
{
    int64_t npositions = 0;
    double most = 0, shared = 0;
    NCI_TRY(find_peaks(plan, bounds, err));
    NCI_TRY(follow_all(plan, bounds, &npositions, err));
    int64_t *change = nci_alloc(((size_t)npositions + 2) * sizeof *change);
    if (!change)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int l = 0; l < plan->nlayers; l++) {
        const nci_layer *layer = &plan->layers[l];
        if (bounds[l].is_shared && !bounds[l].is_local)
            shared += alive(layer, &bounds[l], change, npositions);
        if (!layer->nusers || layer->kind == NCI_LAYER_STORE)
            most = fmax(most, bounds[l].peak);
    }
    nci_free(change);
    *out = most + shared;
    return NCG_OK;
}

int64_t nci_sched_floor_bound(const nci_plan *plan,
                              int64_t (*most_scratch)(void *ctx, int layer),
                              void *ctx)
{
    double most = 0;
    for (int l = 0; l < plan->nlayers; l++) {
        const nci_layer *layer = &plan->layers[l];
        int64_t scratch = most_scratch(ctx, l);
        if (scratch < 0 || nci_is_listed(layer))
            return -1;
        double need =
            (double)scratch + (double)nci_plan_most_bytes(plan, layer);
        for (int i = 0; i < layer->ninputs; i++) {
            const nci_layer_input *input = &layer->inputs[i];
            need += most_deps(plan, input) *
                    (double)nci_plan_most_bytes(plan,
                                                &plan->layers[input->layer]);
        }
        most = fmax(most, need);
    }
    return most < 0x1p62 ? (int64_t)most : -1;
}

ncg_status nci_sched_bound(const nci_plan *plan,
                           int64_t (*most_scratch)(void *ctx, int layer),
                           void *ctx, int64_t *out, ncg_error *err)
{
    ncg_status st = NCG_OK;
    double bound = 0;
    layer_bound *bounds = nci_calloc((size_t)plan->nlayers + 1, sizeof *bounds);
    if (!bounds)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *out = -1;
    if (measure(plan, most_scratch, ctx, bounds)) {
        st = add_up(plan, bounds, &bound, err);
        if (!st && bound < 0x1p62)
            *out = (int64_t)ceil(bound);
    }
    for (int l = 0; l < plan->nlayers; l++) {
        nci_free(bounds[l].low);
        nci_free(bounds[l].high);
    }
    nci_free(bounds);
    return st;
}
