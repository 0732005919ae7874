/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared outputs that belong to one task further on. Where all that needs a
 * layer goes through one layer after it, and each of its chunks is needed for
 * one task of that layer only, then its chunks are alive while that task is on
 * the stack of the walk, and at no other time. Tasks of one layer are never on
 * the stack together, so what one of them needs bounds what is alive.
 *
 * Along the chain of only users each axis is followed by itself: from a chunk
 * to the first and the last one that need it.
 */
#include "base/mem.h"
#include "engine/sched/bound.h"
#include "graph/plan_internal.h"

typedef struct spans {
    int axis[NCG_MAX_RANK]; /* of the user: where ours leads; -1: nowhere */
    int64_t *low[NCG_MAX_RANK], *high[NCG_MAX_RANK];
} spans;

static void spans_fini(spans *s)
{
    for (int a = 0; a < NCG_MAX_RANK; a++) {
        nci_free(s->low[a]);
        nci_free(s->high[a]);
    }
}

static ncg_status spans_init(spans *s, const nci_grid *grid, ncg_error *err)
{
    *s = (spans){0};
    for (int a = 0; a < grid->rank; a++) {
        int64_t n = grid->axis[a].nchunks;
        s->axis[a] = a;
        s->low[a] = nci_alloc(((size_t)n + 1) * sizeof *s->low[a]);
        s->high[a] = nci_alloc(((size_t)n + 1) * sizeof *s->high[a]);
        if (!s->low[a] || !s->high[a])
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        for (int64_t j = 0; j < n; j++)
            s->low[a][j] = s->high[a][j] = j;
    }
    return NCG_OK;
}

/* The only input through which anything needs layer l; NULL: there is none. */
static const nci_layer_input *only_use(const nci_plan *plan, int l, int *user)
{
    const nci_layer *layer = &plan->layers[l];
    const nci_layer_input *found = NULL;
    if (layer->nusers != 1 || nci_is_listed(&plan->layers[layer->users[0]]))
        return NULL;
    *user = layer->users[0];
    for (int i = 0; i < plan->layers[*user].ninputs; i++)
        if (plan->layers[*user].inputs[i].layer == l) {
            if (found)
                return NULL;
            found = &plan->layers[*user].inputs[i];
        }
    return found;
}

/* One layer further. The lists of a relation are ascending. */
static void follow_axis(spans *s, int a, int64_t n, const nci_layer_input *use)
{
    int at = s->axis[a];
    if (at < 0)
        return;
    s->axis[a] = use->from[at];
    const nci_relation *r = &use->relation[at];
    for (int64_t j = 0; use->from[at] >= 0 && j < n; j++) {
        int64_t low = INT64_MAX, high = -1;
        for (int64_t i = s->low[a][j]; i <= s->high[a][j]; i++)
            if (r->rfirst[i] < r->rfirst[i + 1]) {
                int64_t first = r->ritems[r->rfirst[i]];
                int64_t last = r->ritems[r->rfirst[i + 1] - 1];
                low = first < low ? first : low;
                high = last > high ? last : high;
            }
        s->low[a][j] = low;
        s->high[a][j] = high;
    }
}

/* Whether each chunk leads to one position of axis d of the user. */
static bool leads_to_one(const spans *s, const nci_grid *grid, int d)
{
    for (int a = 0; a < grid->rank; a++) {
        int64_t j = 0, n = grid->axis[a].nchunks;
        while (s->axis[a] == d && j < n && s->low[a][j] >= s->high[a][j])
            j++;
        if (s->axis[a] == d && j == n)
            return true;
    }
    return false;
}

static bool is_confined(const spans *s, const nci_grid *grid,
                        const nci_grid *user)
{
    for (int d = 0; d < user->rank; d++)
        if (user->axis[d].nchunks > 1 && !leads_to_one(s, grid, d))
            return false;
    return true;
}

/* Chunks along axis a that lead to one position of the user's, at most. */
static ncg_status most_of_axis(const spans *s, int a, int64_t n, int64_t nusers,
                               double *most, ncg_error *err)
{
    if (s->axis[a] < 0) {
        *most *= (double)n;
        return NCG_OK;
    }
    int64_t *change = nci_calloc((size_t)nusers + 2, sizeof *change);
    int64_t now = 0, top = 0;
    if (!change)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t j = 0; j < n; j++)
        if (s->high[a][j] >= 0) {
            change[s->low[a][j]]++;
            change[s->high[a][j] + 1]--;
        }
    for (int64_t i = 0; i < nusers; i++) {
        now += change[i];
        top = now > top ? now : top;
    }
    nci_free(change);
    *most *= (double)top;
    return NCG_OK;
}

ncg_status nci_bound_owner(const nci_plan *plan, int l, int *owner,
                           double *nchunks, ncg_error *err)
{
    const nci_grid *grid = &plan->layers[l].grid;
    const nci_layer_input *use;
    int at = l;
    spans s;
    *owner = -1;
    *nchunks = 1;
    ncg_status st = spans_init(&s, grid, err);
    while (!st && *owner < 0 && (use = only_use(plan, at, &at))) {
        const nci_grid *user = &plan->layers[at].grid;
        for (int a = 0; a < grid->rank; a++)
            follow_axis(&s, a, grid->axis[a].nchunks, use);
        if (is_confined(&s, grid, user))
            *owner = at;
    }
    for (int a = 0; !st && *owner >= 0 && a < grid->rank; a++) {
        const nci_grid *user = &plan->layers[*owner].grid;
        st = most_of_axis(&s, a, grid->axis[a].nchunks,
                          s.axis[a] < 0 ? 0 : user->axis[s.axis[a]].nchunks,
                          nchunks, err);
    }
    spans_fini(&s);
    return st;
}
