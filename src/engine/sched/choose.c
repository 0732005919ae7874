/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/sched/choose.h"

#include "base/mem.h"

/* Plans beyond these sizes, and those that need little memory as they are, are
 * not replayed in other ways: planning would take longer than it could save. */
enum { MANY_TASKS = 1 << 18, MANY_FOR_GREEDY = 1 << 14, FEW_BYTES = 32 << 20 };

void nci_sched_choice_fini(nci_sched_choice *choice)
{
    nci_free(choice->memory);
    *choice = (nci_sched_choice){0};
}

/* Replays a candidate and keeps it if it is better; takes `memory`. */
static ncg_status try_way(const nci_plan *plan, const nci_sched_costs *costs,
                          nci_sched_choice candidate, nci_sched_choice *best,
                          ncg_error *err)
{
    ncg_status st =
        nci_sched_peak(plan, costs, &candidate.way, &candidate.peak, err);
    if (!st && (!best->name || candidate.peak < best->peak)) {
        nci_sched_choice worse = *best;
        *best = candidate;
        candidate = worse;
    }
    nci_sched_choice_fini(&candidate);
    return st;
}

/* Makes a list of tasks; *n is 0 where it gave up. */
typedef ncg_status (*make_list_fn)(const nci_plan *plan, const int64_t *weight,
                                   int64_t *list, int64_t *n, ncg_error *err);

static ncg_status try_list(const nci_plan *plan, const nci_sched_costs *costs,
                           const char *name, make_list_fn make,
                           const int64_t *weight, nci_sched_choice *best,
                           ncg_error *err)
{
    nci_sched_choice listed = {.name = name};
    listed.memory =
        nci_alloc(((size_t)plan->ntasks + 1) * sizeof *listed.memory);
    if (!listed.memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    listed.way.list = listed.memory;
    ncg_status st = make(plan, weight, listed.memory, &listed.way.nlist, err);
    if (!st && listed.way.nlist)
        return try_way(plan, costs, listed, best, err);
    nci_sched_choice_fini(&listed);
    return st;
}

static ncg_status make_closing(const nci_plan *plan, const int64_t *weight,
                               int64_t *list, int64_t *n, ncg_error *err)
{
    (void)weight;
    return nci_order_closing(plan, list, n, err);
}

static ncg_status try_weights(const nci_plan *plan,
                              const nci_sched_costs *costs,
                              nci_sched_choice *best, ncg_error *err)
{
    size_t nbytes = ((size_t)plan->ntasks + 1) * sizeof(int64_t);
    nci_sched_choice heavy = {.name = "heavy", .memory = nci_alloc(nbytes)};
    if (!heavy.memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    heavy.way.weight = heavy.memory;
    ncg_status st = nci_order_weights(plan, costs, heavy.memory, err);
    if (!st && plan->ntasks <= MANY_FOR_GREEDY)
        st = try_list(plan, costs, "greedy", nci_order_greedy,
                      heavy.memory, best, err);
    if (!st)
        return try_way(plan, costs, heavy, best, err);
    nci_sched_choice_fini(&heavy);
    return st;
}

/* Whether a task is the input of several, or has several inputs of its own
 * that are made of others: where there is neither, all walks are alike. */
static bool is_choice_worth(const nci_plan *plan)
{
    for (int l = 0; l < plan->nlayers; l++) {
        const nci_layer *layer = &plan->layers[l];
        if (layer->nusers > 1 || layer->ninputs > 1)
            return true;
        if (layer->kind == NCI_LAYER_BLOCK || layer->kind == NCI_LAYER_TASKS)
            return true;
    }
    return plan->noutputs > 1;
}

/* *out has a name where the bound will do. */
static ncg_status try_bound(const nci_plan *plan, const nci_sched_costs *costs,
                            const nci_sched_limits *limits,
                            nci_sched_choice *out, ncg_error *err)
{
    int64_t bound = -1;
    if (plan->ntasks <= MANY_TASKS || !limits)
        return NCG_OK;
    if (limits->order_only) {
        *out = (nci_sched_choice){.name = "plain", .is_bound = true};
        return NCG_OK;
    }
    if (!limits->most_scratch)
        return NCG_OK;
    NCI_TRY(nci_sched_bound(plan, limits->most_scratch, costs->ctx, &bound,
                            err));
    if (bound >= 0 && bound <= limits->enough)
        *out = (nci_sched_choice){
            .name = "plain", .peak = bound, .is_bound = true};
    return NCG_OK;
}

ncg_status nci_sched_floor_within(const nci_plan *plan,
                                  const nci_sched_costs *costs,
                                  const nci_sched_limits *limits, int64_t *out,
                                  ncg_error *err)
{
    int64_t bound = -1;
    if (plan->ntasks > MANY_TASKS && limits->most_scratch)
        bound =
            nci_sched_floor_bound(plan, limits->most_scratch, costs->ctx);
    if (bound < 0 || bound > limits->enough)
        return nci_sched_floor(plan, costs, out, err);
    *out = bound;
    return NCG_OK;
}

ncg_status nci_sched_choose(const nci_plan *plan, const nci_sched_costs *costs,
                            nci_sched_choice *out, ncg_error *err)
{
    return nci_sched_choose_within(plan, costs, NULL, out, err);
}

ncg_status nci_sched_choose_within(const nci_plan *plan,
                                   const nci_sched_costs *costs,
                                   const nci_sched_limits *limits,
                                   nci_sched_choice *out, ncg_error *err)
{
    nci_sched_choice best = {0}, plain = {.name = "plain"},
                     woven = {.name = "woven", .way.is_woven = true};
    NCI_TRY(try_bound(plan, costs, limits, &best, err));
    if (best.name) {
        *out = best;
        return NCG_OK;
    }
    ncg_status st = try_way(plan, costs, plain, &best, err);
    bool is_more = plan->ntasks <= MANY_TASKS && best.peak > FEW_BYTES &&
                   is_choice_worth(plan);
    if (!st && is_more && plan->noutputs > 1)
        st = try_way(plan, costs, woven, &best, err);
    if (!st && is_more)
        st = try_list(plan, costs, "closing", make_closing, NULL, &best, err);
    if (!st && is_more && best.peak > FEW_BYTES)
        st = try_weights(plan, costs, &best, err);
    if (st)
        nci_sched_choice_fini(&best);
    else
        *out = best;
    return st;
}
